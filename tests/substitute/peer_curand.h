/* The real cuRAND, for test_curand.cpp: in a separate file, because its header and the substitute's name the same
 * things. */
#ifndef SUBSTITUTE_PEER_CURAND_H
#define SUBSTITUTE_PEER_CURAND_H

#ifdef __cplusplus
extern "C" {
#endif

/* Draws of one generator, mixed: single words, fours, uniforms and normals, as draw_mixture() of test_curand.cpp.
 * word [24], number [24] */
void peer_mixture(unsigned long long seed, unsigned long long subsequence, unsigned long long offset, unsigned *word,
                  float *number);

/* n outputs of the library's host generator of type PHILOX4_32_10; 0 if it works. */
int peer_host_generator(unsigned long long seed, unsigned *word, unsigned long n);

#ifdef __cplusplus
}
#endif
#endif
