/* The limits of the machine: fused multiply-adds from registers, and memory bandwidth. */
#ifndef DD_BENCH_PEAK_H
#define DD_BENCH_PEAK_H

/* GFLOP/s of `threads` threads together, with the widest vectors this processor has. */
double dd_peak_gflops(int threads);

/* GB/s of `threads` threads together reading and writing arrays far larger than the caches (a[i] = b[i] + s * c[i],
 * 12 bytes a float; the lines that are read before they are written are not counted). */
double dd_peak_bandwidth(int threads);

#endif
