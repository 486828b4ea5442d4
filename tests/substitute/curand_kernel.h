/* Replaces cuRAND's device header of this name: the generator Philox4x32-10 (Salmon, Moraes, Dror & Shaw, SC
 * 2011) with the library's state and numbers. test_curand.cpp compares them with the real library.
 */
#ifndef SUBSTITUTE_CURAND_KERNEL_H
#define SUBSTITUTE_CURAND_KERNEL_H

#include "cuda_runtime.h"

typedef struct curandStatePhilox4_32_10 {
    uint4 ctr;          /* block counter: x, y count blocks of 4 outputs; z, w the subsequence */
    uint4 output;       /* the block's outputs */
    uint2 key;          /* seed */
    unsigned int STATE; /* outputs of the block already given */
    int boxmuller_flag; /* boxmuller_extra holds a normal not yet given */
    float boxmuller_extra;
} curandStatePhilox4_32_10_t;

namespace substitute
{

inline uint4 philox_block(uint4 c, uint2 key)
{
    for (int round = 0; round < 10; round++) {
        unsigned high0 = __umulhi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
        unsigned high1 = __umulhi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
        c = make_uint4(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
        key.x += 0x9E3779B9u;
        key.y += 0xBB67AE85u;
    }
    return c;
}

/* Add n blocks; the sum carries through all four words. */
inline void philox_advance(curandStatePhilox4_32_10_t *state, unsigned long long n)
{
    unsigned long long low = (unsigned long long)state->ctr.y << 32 | state->ctr.x, sum = low + n;
    state->ctr.x = (unsigned)sum;
    state->ctr.y = (unsigned)(sum >> 32);
    if (sum < low && ++state->ctr.z == 0)
        ++state->ctr.w;
    state->output = philox_block(state->ctr, state->key);
}

} // namespace substitute

inline void skipahead(unsigned long long n, curandStatePhilox4_32_10_t *state)
{
    state->STATE += (unsigned)(n % 4);
    n /= 4;
    if (state->STATE > 3) {
        state->STATE -= 4;
        n++;
    }
    substitute::philox_advance(state, n);
}

inline void skipahead_sequence(unsigned long long n, curandStatePhilox4_32_10_t *state)
{
    unsigned long long sum = ((unsigned long long)state->ctr.w << 32 | state->ctr.z) + n;
    state->ctr.z = (unsigned)sum;
    state->ctr.w = (unsigned)(sum >> 32);
    state->output = substitute::philox_block(state->ctr, state->key);
}

inline void curand_init(unsigned long long seed, unsigned long long subsequence, unsigned long long offset,
                        curandStatePhilox4_32_10_t *state)
{
    *state = {};
    state->key = make_uint2((unsigned)seed, (unsigned)(seed >> 32));
    skipahead_sequence(subsequence, state);
    skipahead(offset, state);
}

inline unsigned curand(curandStatePhilox4_32_10_t *state)
{
    const unsigned word[4] = {state->output.x, state->output.y, state->output.z, state->output.w};
    unsigned value = word[state->STATE++];
    if (state->STATE == 4) {
        state->STATE = 0;
        substitute::philox_advance(state, 1);
    }
    return value;
}

/* The next four outputs, which may lie in two blocks. */
inline uint4 curand4(curandStatePhilox4_32_10_t *state)
{
    const uint4 old = state->output;
    substitute::philox_advance(state, 1);
    const uint4 next = state->output;
    const unsigned word[8] = {old.x, old.y, old.z, old.w, next.x, next.y, next.z, next.w};
    const unsigned *first = word + state->STATE;
    return make_uint4(first[0], first[1], first[2], first[3]);
}

namespace substitute
{

/* (0, 1] */
inline float uniform_of(unsigned word)
{
    return (float)word * 2.3283064e-10f + 1.1641532e-10f;
}

inline float2 normals_of(unsigned word0, unsigned word1)
{
    float u = uniform_of(word0);
    float angle = (float)word1 * 1.4629180792671596e-9f + 7.3145903963357980e-10f;
    float radius = sqrtf(-2.0f * logf(u));
    return make_float2(radius * sinf(angle), radius * cosf(angle));
}

} // namespace substitute

inline float curand_uniform(curandStatePhilox4_32_10_t *state)
{
    return substitute::uniform_of(curand(state));
}

inline float4 curand_uniform4(curandStatePhilox4_32_10_t *state)
{
    uint4 word = curand4(state);
    return make_float4(substitute::uniform_of(word.x), substitute::uniform_of(word.y), substitute::uniform_of(word.z),
                       substitute::uniform_of(word.w));
}

inline float2 curand_normal2(curandStatePhilox4_32_10_t *state)
{
    unsigned word0 = curand(state), word1 = curand(state);
    return substitute::normals_of(word0, word1);
}

inline float curand_normal(curandStatePhilox4_32_10_t *state)
{
    if (state->boxmuller_flag) {
        state->boxmuller_flag = 0;
        return state->boxmuller_extra;
    }
    float2 pair = curand_normal2(state);
    state->boxmuller_flag = 1;
    state->boxmuller_extra = pair.y;
    return pair.x;
}

inline float4 curand_normal4(curandStatePhilox4_32_10_t *state)
{
    uint4 word = curand4(state);
    float2 first = substitute::normals_of(word.x, word.y), second = substitute::normals_of(word.z, word.w);
    return make_float4(first.x, first.y, second.x, second.y);
}

#endif
