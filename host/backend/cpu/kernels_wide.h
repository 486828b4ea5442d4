/* The function of kernels_wide.c that becomes dd_kernels.distances_wide, for one instruction set. */
#ifndef DD_CPU_KERNELS_WIDE_H
#define DD_CPU_KERNELS_WIDE_H

#include <stddef.h>

#include "backend/cpu/instruction_set.h"
#include "config/config.h"

void CONCAT(dd_distances_wide_, DD_ISA)(dd_diversity_kind kind, float scale, const float *p, size_t stride,
                                        int dimensions, int n, int first, int last, float *distance, float *slope);

#endif
