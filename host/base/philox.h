/* Stateless random numbers: Philox4x32-10 (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011) with counter = (index, step, purpose) and key = seed.
 *
 *     uint32_t word[4];
 *     dd_philox(seed, DD_DRAW_TRAIN, step, row, word);      // 128 random bits, always the same ones
 *
 * Nothing is stored between draws, so resuming at step s needs only the number s, and any thread or device that knows
 * (seed, purpose, step, index) draws the same numbers.
 *
 * The same words come from cuRAND's device generator (curand_kernel.h):
 *     curand_init(seed, (uint64_t)purpose << 32 | step, 4 * index, &state);  curand4(&state);
 *
 * What each draw means (word 0..3 of one block):
 *   purpose              step          index     words
 *   DD_DRAW_INIT         tensor number element/4 one uniform per element
 *   DD_DRAW_TRAIN        training step batch row 0,1: normals (noise); 2: timestep
 *   DD_DRAW_EVALUATE     batch number  batch row as TRAIN, for the pass over the training set
 *   DD_DRAW_HELDOUT      batch number  batch row as TRAIN, for the pass over the held-out set
 *   DD_DRAW_SAMPLE       t             sample    0,1: normals added at step t; start x_T: t = T,
 *                                               2: and its training point (model/start_points.h)
 *   DD_DRAW_PERMUTATION  epoch         0..1      round keys of the epoch's permutation (permutation.h)
 *   DD_DRAW_EVAL_ORDER   0             0..1      round keys of the evaluation pass's permutation
 *   DD_DRAW_DATA         stream        point     what the dataset's generator says (data/generator.h)
 *   DD_DRAW_SHAPE        component     0, 1, ..  the distribution of a random dataset (data/random_shape.h)
 *   DD_DRAW_FEATURES     0             feature   normals: direction of a Fourier feature (model/model.h)
 *   DD_DRAW_SPLIT        0             row's hash 0,1: decide whether a row of a file is held out (data/points_split.h)
 *   DD_DRAW_DIRECTIONS   direction     pair      two float64 normals of a direction of the sliced Wasserstein distance:
 *                                               0,1: radius; 2,3: angle
 *
 * A point of D coordinates has D normals for its noise. Rows and samples are fewer than 2^32, so the upper half of the
 * index is free, and it numbers the further blocks of a point:
 *   coordinates 0, 1           block `index`, words 0, 1
 *   coordinates 4k-2 .. 4k+1   block `index` + (k << 32), k >= 1: words 0, 1 the first two, words 2, 3 the others
 */
#ifndef DD_PHILOX_H
#define DD_PHILOX_H

#include <math.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum dd_purpose {
    DD_DRAW_INIT = 1,
    DD_DRAW_TRAIN = 2,
    DD_DRAW_EVALUATE = 3,
    DD_DRAW_HELDOUT = 4,
    DD_DRAW_SAMPLE = 5,
    DD_DRAW_PERMUTATION = 6,
    DD_DRAW_EVAL_ORDER = 7,
    DD_DRAW_DATA = 8,
    DD_DRAW_SHAPE = 9,
    DD_DRAW_FEATURES = 10,
    DD_DRAW_SPLIT = 11,
    DD_DRAW_DIRECTIONS = 12
} dd_purpose;

/* Ten rounds on counter c[4] with key k[2]; the result replaces c. */
static inline void dd_philox_rounds(uint32_t c[4], uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c[0];
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t n0 = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        uint32_t n2 = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[1] = (uint32_t)p1;
        c[3] = (uint32_t)p0;
        c[0] = n0;
        c[2] = n2;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

static inline void dd_philox(uint64_t seed, dd_purpose purpose, uint32_t step, uint64_t index, uint32_t word[4])
{
    word[0] = (uint32_t)index;
    word[1] = (uint32_t)(index >> 32);
    word[2] = step;
    word[3] = (uint32_t)purpose;
    dd_philox_rounds(word, (uint32_t)seed, (uint32_t)(seed >> 32));
}

/* Uniform in (0, 1], as curand_uniform. */
static inline float dd_uniform(uint32_t word)
{
    return (float)word * 2.3283064e-10f + 1.1641532e-10f;
}

/* Uniform in (0, 1) with 53 bits from two words, for data made in float64. */
static inline double dd_uniform53(uint32_t hi, uint32_t lo)
{
    uint64_t bits = ((uint64_t)hi << 21) ^ (uint64_t)(lo >> 11);
    return ((double)bits + 0.5) * 0x1p-53;
}

/* Two standard normals from two words by Box-Muller, as curand_normal2 computes them. */
static inline void dd_normal2(uint32_t word0, uint32_t word1, float normal[2])
{
    float u = (float)word0 * 2.3283064e-10f + 1.1641532e-10f;
    float v = (float)word1 * 1.4629180792671596e-9f + 7.3145903963357980e-10f; /* times 2 pi */
    float radius = sqrtf(-2.0f * logf(u));
    normal[0] = radius * sinf(v);
    normal[1] = radius * cosf(v);
}

/* The normals of coordinates 2 * pair and 2 * pair + 1 of a row or sample; index < 2^32. */
static inline void dd_draw_pair(uint64_t seed, dd_purpose purpose, uint32_t step, uint64_t index, int pair,
                                float normal[2])
{
    uint32_t word[4];
    uint64_t block = (uint64_t)((pair + 1) / 2);
    int first = pair > 0 && pair % 2 == 0 ? 2 : 0;
    dd_philox(seed, purpose, step, index + (block << 32), word);
    dd_normal2(word[first], word[first + 1], normal);
}

/* The normals of all coordinates of a row or sample, [dimensions]. An odd number leaves the last one unused. */
static inline void dd_draw_normals(uint64_t seed, dd_purpose purpose, uint32_t step, uint64_t index, int dimensions,
                                   float *normal)
{
    for (int c = 0; c < dimensions; c += 2) {
        float pair[2];
        dd_draw_pair(seed, purpose, step, index, c / 2, pair);
        normal[c] = pair[0];
        if (c + 1 < dimensions)
            normal[c + 1] = pair[1];
    }
}

/* An integer in [0, bound), by multiplication and shift (bias below bound / 2^32). */
static inline uint32_t dd_below(uint32_t word, uint32_t bound)
{
    return (uint32_t)(((uint64_t)word * bound) >> 32);
}

#ifdef __cplusplus
}
#endif
#endif
