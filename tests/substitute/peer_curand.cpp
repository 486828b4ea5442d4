/* See peer_curand.h. Compiled with the toolkit's headers. */
#define QUALIFIERS static inline
#include <cuda_runtime.h>

#include <curand.h>
#include <curand_kernel.h>

#include "mixture.h"
#include "peer_curand.h"

void peer_mixture(unsigned long long seed, unsigned long long subsequence, unsigned long long offset, unsigned *word,
                  float *number)
{
    draw_mixture(seed, subsequence, offset, word, number);
}

int peer_host_generator(unsigned long long seed, unsigned *word, unsigned long n)
{
    curandGenerator_t generator;
    if (curandCreateGeneratorHost(&generator, CURAND_RNG_PSEUDO_PHILOX4_32_10) != CURAND_STATUS_SUCCESS)
        return 1;
    int failed = curandSetPseudoRandomGeneratorSeed(generator, seed) != CURAND_STATUS_SUCCESS ||
                 curandGenerate(generator, word, n) != CURAND_STATUS_SUCCESS;
    curandDestroyGenerator(generator);
    return failed;
}
