/* Exact k-nearest-neighbour distances in the plane on the CPU: the backend's dd_backend_knn. */
#ifndef DD_CPU_KNN_H
#define DD_CPU_KNN_H

#include <stdint.h>

#include "pool.h"

/* distance[i], [queries]: Chebyshev distance, computed in float64, from query[i] to its k-th nearest
 * point; query (queries, 2), point (n, 2), all finite. With exclude_self, query and point are the same
 * set and point i is no neighbour of query i; duplicates of it are. 1 <= k <= n (n - 1 with
 * exclude_self). The same bits for every number of threads. The pool must be idle; a small search leaves
 * it alone. DD_ERR_MEMORY. */
int dd_cpu_knn(dd_pool *pool, const float *query, uint32_t queries, const float *point, uint32_t n, int k,
               int exclude_self, double *distance);

#endif
