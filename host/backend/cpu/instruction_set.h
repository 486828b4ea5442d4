/* What the sources that are compiled once for each instruction set (DD_ISA = plain, avx2 or avx512) know of it.
 * Included by kernels.c and kernels_wide.c.
 */
#ifndef DD_CPU_INSTRUCTION_SET_H
#define DD_CPU_INSTRUCTION_SET_H

#include "backend/cpu/panel.h"

#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)
#define INLINE static inline __attribute__((always_inline))

/* Lanes of a register, panels of a tile, and the tile heights that make up 16 rows. */
#if defined(__AVX512F__)
enum { LANES = 16, TILE_PANELS = 2 };
#define FOR_TILES(apply) apply(0, 8) apply(8, 8)
#define ISA_NAME "AVX-512"
#elif defined(__AVX2__)
enum { LANES = 8, TILE_PANELS = 1 };
#define FOR_TILES(apply) apply(0, 6) apply(6, 6) apply(12, 4)
#define ISA_NAME "AVX2"
#elif defined(__aarch64__)
enum { LANES = 4, TILE_PANELS = 1 };
#define FOR_TILES(apply) apply(0, 6) apply(6, 6) apply(12, 4)
#define ISA_NAME "NEON"
#else
enum { LANES = 4, TILE_PANELS = 1 };
#define FOR_TILES(apply)                                                                                               \
    apply(0, 2) apply(2, 2) apply(4, 2) apply(6, 2) apply(8, 2) apply(10, 2) apply(12, 2) apply(14, 2)
#define ISA_NAME "plain"
#endif

enum { PARTS = DD_PANEL / LANES };

#endif
