/* Sums over one block of atoms, which take most of the exact denoiser's time. The vector code gives the same bits on
 * every machine. */
#ifndef DD_ORACLE_SUM_H
#define DD_ORACLE_SUM_H

#include "oracle/oracle_atoms.h"

/* At x, for noise that makes x_t ~ N(signal * centre, 1 / (2 rate)) on each axis: an atom's exponent is
 * e = sum over axes of rate (x - signal * centre)^2. */
typedef struct dd_sum_at {
    double x[2], signal, rate[2];
} dd_sum_at;

/* The smallest exponent of a block's atoms. */
double dd_sum_least(const dd_level *level, const dd_block *block, const dd_sum_at *at);

/* Add the block's sum of w exp(shift - e) to sum[0], and of w exp(shift - e) (x - signal * centre) to sum[1], sum[2].
 */
void dd_sum_block(const dd_level *level, const dd_block *block, const dd_sum_at *at, double shift, double sum[3]);

#endif
