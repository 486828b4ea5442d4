/* Exact nearest neighbours in the plane, Chebyshev metric.
 *
 * The host sorts the points by x into strips of about sqrt(n) points and each strip by y. A query walks from its
 * own strip to the left and to the right, and in each strip from its own y up and down, and stops in each
 * direction where nothing nearer than the k-th best so far can come. So the search adapts to any density,
 * and far outliers cost nothing. Distances are float64 differences of float32 coordinates.
 */
#include <math.h>
#include <stdlib.h>

#include "ensemble.h"

enum {
    THREADS = 128,
    SHARED_NEIGHBOURS = 16,  /* up to this many, a thread's best lie in shared memory */
    SCRATCH_BYTES = 64 << 20 /* of global memory for more */
};

/* Points sorted into strips: strip s is positions [first[s], first[s + 1]). */
typedef struct strips {
    int count;
    const uint32_t *first;   /* [count + 1] */
    const float *low, *high; /* [count] of x */
    const float *x, *y;      /* [n] by position */
} strips;

/* The k best distances so far, a heap with the greatest first; a thread's are `stride` apart. */
typedef struct best {
    double *at;
    size_t stride;
    int k;
} best;

static __device__ inline double worst(const best &b)
{
    return b.at[0];
}

/* Replace the greatest by d. */
static __device__ inline void replace(const best &b, double d)
{
    int i = 0;
    for (int child; (child = 2 * i + 1) < b.k; i = child) {
        if (child + 1 < b.k && b.at[(child + 1) * b.stride] > b.at[child * b.stride])
            child++;
        if (b.at[child * b.stride] <= d)
            break;
        b.at[i * b.stride] = b.at[child * b.stride];
    }
    b.at[i * b.stride] = d;
}

/* Look at position i; false where its y alone is too far, as is every one beyond. */
static __device__ inline bool look(const strips &s, const best &b, uint32_t i, double x, double y)
{
    double dy = fabs(s.y[i] - y);
    if (dy >= worst(b))
        return false;
    double dx = fabs(s.x[i] - x), d = dx > dy ? dx : dy;
    if (d < worst(b))
        replace(b, d);
    return true;
}

static __device__ inline void search_strip(const strips &s, const best &b, int strip, double x, float y)
{
    uint32_t first = s.first[strip], end = s.first[strip + 1], low = first, high = end;
    while (low < high) { /* the first position whose y is not below */
        uint32_t middle = low + (high - low) / 2;
        if (s.y[middle] < y)
            low = middle + 1;
        else
            high = middle;
    }
    for (uint32_t i = low; i < end && look(s, b, i, x, y); i++)
        ;
    for (uint32_t i = low; i > first && look(s, b, i - 1, x, y); i--)
        ;
}

/* Threads take queries in turns; neighbours in the sorted order search the same strips. */
static __global__ void knn_kernel(const strips s, const float *query, const uint32_t *order, uint32_t queries, int k,
                                  double *scratch, double *distance)
{
    __shared__ double near[SHARED_NEIGHBOURS * THREADS];
    uint32_t threads = gridDim.x * THREADS, thread = blockIdx.x * THREADS + threadIdx.x;
    best b;
    b.at = scratch ? scratch + thread : near + threadIdx.x;
    b.stride = scratch ? threads : (uint32_t)THREADS;
    b.k = k;
    for (uint32_t q = thread; q < queries; q += threads) {
        float x = query[2 * (size_t)q], y = query[2 * (size_t)q + 1];
        for (int i = 0; i < k; i++)
            b.at[i * b.stride] = INFINITY;
        int low = 0, high = s.count - 1;
        while (low < high) { /* the first strip that reaches x */
            int middle = (low + high) / 2;
            if (s.high[middle] < x)
                low = middle + 1;
            else
                high = middle;
        }
        for (int strip = low; strip < s.count && (double)s.low[strip] - x < worst(b); strip++)
            search_strip(s, b, strip, x, y);
        for (int strip = low - 1; strip >= 0 && (double)x - s.high[strip] < worst(b); strip--)
            search_strip(s, b, strip, x, y);
        distance[order[q]] = worst(b);
    }
}

/* ---- the host's part ---- */

typedef struct indexed {
    float x, y;
    uint32_t index;
} indexed;

static int by_x(const void *a, const void *b)
{
    float p = ((const indexed *)a)->x, q = ((const indexed *)b)->x;
    return (p > q) - (p < q);
}

static int by_y(const void *a, const void *b)
{
    float p = ((const indexed *)a)->y, q = ((const indexed *)b)->y;
    return (p > q) - (p < q);
}

static int strips_of(uint32_t n)
{
    int count = (int)sqrt((double)n);
    return count < 1 ? 1 : count;
}

static uint32_t strip_first(uint32_t n, int count, int strip)
{
    return (uint32_t)((uint64_t)n * (uint64_t)strip / (uint64_t)count);
}

/* Sort (n, 2) points into strips. */
static void sort_points(const float *point, uint32_t n, int count, indexed *sorted)
{
    for (uint32_t i = 0; i < n; i++) {
        sorted[i].x = point[2 * (size_t)i];
        sorted[i].y = point[2 * (size_t)i + 1];
        sorted[i].index = i;
    }
    qsort(sorted, n, sizeof *sorted, by_x);
    for (int s = 0; s < count; s++) {
        uint32_t first = strip_first(n, count, s), end = strip_first(n, count, s + 1);
        qsort(sorted + first, end - first, sizeof *sorted, by_y);
    }
}

/* Everything that goes to the device, and the distances that come back, in one piece each. The 8-byte numbers come
 * first. */
typedef struct search {
    uint32_t queries, n;
    int count, k;
    unsigned blocks;
    size_t scratch_bytes, result_bytes, upload_bytes;
    char *host, *device;
} search;

static void plan_search(search *s)
{
    size_t threads = s->queries < 1u << 20 ? s->queries : 1u << 20;
    if (s->k > SHARED_NEIGHBOURS) {
        size_t most = SCRATCH_BYTES / ((size_t)s->k * sizeof(double));
        threads = threads < most ? threads : most;
    }
    s->blocks = dd_ceil_div(threads, THREADS);
    s->scratch_bytes = s->k > SHARED_NEIGHBOURS ? (size_t)s->blocks * THREADS * (size_t)s->k * sizeof(double) : 0;
    s->result_bytes = (size_t)s->queries * sizeof(double);
    s->upload_bytes = (2 * (size_t)s->n + 2 * (size_t)s->count + 2 * (size_t)s->queries) * sizeof(float) +
                      ((size_t)s->count + 1 + (size_t)s->queries) * sizeof(uint32_t);
}

/* Fill the host's copy of what is uploaded: x, y, low, high, queries, order, first. */
static int fill_search(const search *s, const float *query, const float *point)
{
    uint32_t most = s->n > s->queries ? s->n : s->queries;
    indexed *sorted = (indexed *)malloc((size_t)most * sizeof *sorted);
    if (!sorted)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the sorted order of %u points", most);
    float *x = (float *)s->host, *y = x + s->n, *low = y + s->n, *high = low + s->count,
          *sorted_query = high + s->count;
    uint32_t *order = (uint32_t *)(sorted_query + 2 * (size_t)s->queries), *first = order + s->queries;
    sort_points(point, s->n, s->count, sorted);
    for (int strip = 0; strip <= s->count; strip++)
        first[strip] = strip_first(s->n, s->count, strip);
    for (int strip = 0; strip < s->count; strip++) {
        low[strip] = INFINITY;
        high[strip] = -INFINITY;
        for (uint32_t i = first[strip]; i < first[strip + 1]; i++) {
            x[i] = sorted[i].x;
            y[i] = sorted[i].y;
            low[strip] = x[i] < low[strip] ? x[i] : low[strip];
            high[strip] = x[i] > high[strip] ? x[i] : high[strip];
        }
    }
    if (query != point || s->queries != s->n)
        sort_points(query, s->queries, strips_of(s->queries), sorted);
    for (uint32_t i = 0; i < s->queries; i++) {
        sorted_query[2 * (size_t)i] = sorted[i].x;
        sorted_query[2 * (size_t)i + 1] = sorted[i].y;
        order[i] = sorted[i].index;
    }
    free(sorted);
    return DD_OK;
}

static int run_search(const search *s, cudaStream_t stream, double *distance)
{
    double *scratch = (double *)s->device, *result = (double *)(s->device + s->scratch_bytes);
    float *x = (float *)(s->device + s->scratch_bytes + s->result_bytes);
    float *y = x + s->n, *low = y + s->n, *high = low + s->count, *query = high + s->count;
    uint32_t *order = (uint32_t *)(query + 2 * (size_t)s->queries), *first = order + s->queries;
    strips t = {s->count, first, low, high, x, y};
    DD_CUDA(cudaMemcpyAsync(x, s->host, s->upload_bytes, cudaMemcpyHostToDevice, stream));
    DD_TRY(DD_LAUNCH(knn_kernel, dim3(s->blocks), dim3(THREADS), stream, t, query, order, s->queries, s->k,
                     s->scratch_bytes ? scratch : (double *)NULL, result));
    DD_CUDA(cudaMemcpyAsync(distance, result, s->result_bytes, cudaMemcpyDeviceToHost, stream));
    DD_CUDA(cudaStreamSynchronize(stream));
    return DD_OK;
}

static int prepare_and_run(search *s, dd_cuda_context *context, const float *query, const float *point,
                           double *distance)
{
    s->host = (char *)malloc(s->upload_bytes);
    if (!s->host)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the neighbours of %u points", s->queries);
    DD_TRY(fill_search(s, query, point));
    DD_TRY(dd_cuda_grow(&context->search, s->scratch_bytes + s->result_bytes + s->upload_bytes));
    s->device = context->search.at;
    return run_search(s, context->stream, distance);
}

extern "C" int dd_cuda_knn(void *context, const float *query, uint32_t queries, const float *point, uint32_t n, int k,
                           int exclude_self, double *distance)
{
    if (!queries)
        return DD_OK;
    search s = {};
    s.queries = queries;
    s.n = n;
    s.count = strips_of(n);
    /* A point's distance to itself is 0 and nothing is below 0, so the k-th of the others is the (k + 1)-th of all. */
    s.k = exclude_self ? k + 1 : k;
    plan_search(&s);
    int status = prepare_and_run(&s, (dd_cuda_context *)context, query, point, distance);
    cudaStreamSynchronize(((dd_cuda_context *)context)->stream);
    free(s.host);
    return status;
}
