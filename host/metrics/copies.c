#include "metrics/copies.h"

#include <stdlib.h>

#include "metrics/knn.h"
#include "metrics/set_distances.h"

static dd_status share_of(dd_pool *pool, const float *training, uint32_t n, const float *x, uint32_t count,
                          int dimensions, double *first, double *second, double *share)
{
    uint32_t copies = 0;
    DD_TRY(dd_knn(pool, x, count, training, n, dimensions, 1, false, first));
    DD_TRY(dd_knn(pool, x, count, training, n, dimensions, 2, false, second));
    for (uint32_t i = 0; i < count; i++)
        copies += first[i] == 0. || 3. * first[i] < second[i];
    *share = (double)copies / count;
    return DD_OK;
}

dd_status dd_copy_share(dd_pool *pool, const float *training, uint32_t n, const float *x, uint32_t count,
                        int dimensions, double *share)
{
    uint32_t asked = count < DD_COPY_QUERIES ? count : DD_COPY_QUERIES;
    float *thinned = malloc((size_t)dimensions * asked * sizeof *thinned);
    double *distance = malloc(2 * (size_t)asked * sizeof *distance);
    dd_status status = DD_ERR_MEMORY;
    if (thinned && distance) {
        dd_thin(x, count, dimensions, asked, thinned);
        status = share_of(pool, training, n, thinned, asked, dimensions, distance, distance + asked, share);
    } else {
        dd_fail(DD_ERR_MEMORY, "out of memory for the neighbours of %u points", asked);
    }
    free(thinned);
    free(distance);
    return status;
}
