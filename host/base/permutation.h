/* A random permutation of 0..n-1. Each entry is computed when it is needed; nothing is stored:
 *
 *     dd_permutation p;
 *     dd_permutation_init(&p, seed, DD_DRAW_PERMUTATION, epoch, n);
 *     row = dd_permutation_at(&p, i);                     // i-th row of this epoch
 *
 * A keyed Feistel network permutes [0, 2^bits), the smallest such range with 2^bits >= n and bits
 * even; results >= n are sent through again until one falls below n (cycle walking: Black & Rogaway,
 * "Ciphers with arbitrary finite domains", CT-RSA 2002), at most 4 rounds of it on average. The keys
 * of the 8 Feistel rounds come from Philox, so each epoch of each seed has its own order.
 *
 * The file compiles as C and as CUDA C: a GPU computes the same integers.
 */
#ifndef DD_PERMUTATION_H
#define DD_PERMUTATION_H

#include <stdint.h>

#include "base/host_device.h"

enum { DD_FEISTEL_ROUNDS = 8 };

typedef struct dd_permutation {
    uint32_t n;
    uint32_t half_bits;
    uint32_t key[DD_FEISTEL_ROUNDS];
} dd_permutation;

/* Bits of each Feistel half for n entries. */
static inline DD_HOST_DEVICE uint32_t dd_permutation_half_bits(uint32_t n)
{
    uint32_t half = 1;
    while (half < 16 && (1ull << (2 * half)) < n)
        half++;
    return half;
}

/* The i-th entry, 0 <= i < n. */
static inline DD_HOST_DEVICE uint32_t dd_permutation_at(const dd_permutation *p, uint32_t i)
{
    const uint32_t mask = (1u << p->half_bits) - 1u;
    do {
        uint32_t left = i >> p->half_bits, right = i & mask;
        for (int round = 0; round < DD_FEISTEL_ROUNDS; round++) {
            uint32_t f = right ^ p->key[round]; /* the 32-bit finaliser of MurmurHash3 */
            f ^= f >> 16;
            f *= 0x85EBCA6Bu;
            f ^= f >> 13;
            f *= 0xC2B2AE35u;
            f ^= f >> 16;
            uint32_t next = left ^ (f & mask);
            left = right;
            right = next;
        }
        i = left << p->half_bits | right;
    } while (i >= p->n);
    return i;
}

#ifndef __CUDACC__
#include "base/philox.h"
/* The order of `epoch` for `seed`; n in 1..2^32-1. */
static inline void dd_permutation_init(dd_permutation *p, uint64_t seed, dd_purpose purpose, uint32_t epoch, uint32_t n)
{
    p->n = n;
    p->half_bits = dd_permutation_half_bits(n);
    dd_philox(seed, purpose, epoch, 0, p->key);
    dd_philox(seed, purpose, epoch, 1, p->key + 4);
}
#endif

#endif
