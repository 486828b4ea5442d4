/* The loss of one pass over a set of points. */
#include <stdlib.h>

#include "ensemble.h"
#include "model/recipe.h"
#include "reduce.cuh"

/* sum plus the squares of rows start .. stop - 1, where square[0] belongs to row `first`. The order depends on the
 * rows' numbers alone, not on where a chunk begins: a warp adds 32 rows, from a multiple of 32 on, and these sums
 * follow each other. Every thread of the block must call it. */
static __device__ inline double add_rows(double sum, const float *square, uint32_t first, uint32_t start, uint32_t stop,
                                         double *warp_sum)
{
    uint32_t warp = threadIdx.x / DD_WARP, lane = threadIdx.x % DD_WARP;
    for (uint32_t base = start - start % DD_WARP; base < stop; base += DD_BLOCK) {
        uint32_t i = base + threadIdx.x;
        double part = dd_warp_sum(i >= start && i < stop ? (double)square[i - first] : 0.);
        if (lane == 0)
            warp_sum[warp] = part;
        __syncthreads();
        for (int w = 0; w < DD_WARPS; w++)
            sum += warp_sum[w];
        __syncthreads();
    }
    return sum;
}

/* One block per replica sums the chunk's rows batch by batch; a batch may begin in one chunk and end in another. Grid
 * (R). */
static __global__ void losses_kernel(int rows, int dimensions, uint32_t batch, const dd_cuda_points *points,
                                     const dd_cuda_counter *counter, const float *square, dd_cuda_losses *losses)
{
    dd_grid_begin();
    __shared__ double warp_sum[DD_WARPS];
    int r = blockIdx.x;
    uint32_t first = (uint32_t)counter[r].step, n = points[r].n;
    uint32_t end = n - first < (uint32_t)rows ? n : first + (uint32_t)rows;
    const float *own = square + (size_t)r * rows;
    double begun = losses[r].batch, total = losses[r].total;
    for (uint32_t start = first; start < end && first < n;) {
        uint32_t next = (start / batch + 1) * batch, stop = next < end ? next : end;
        begun = add_rows(begun, own, first, start, stop, warp_sum);
        if (stop == next || stop == n) {
            uint32_t whole = stop - (stop - 1) / batch * batch;
            total += begun / ((double)dimensions * whole);
            begun = 0;
        }
        start = stop;
    }
    if (threadIdx.x == 0) {
        losses[r].batch = begun;
        losses[r].total = total;
    }
}

extern "C" dd_status dd_cuda_launch_losses(int replicas, int rows, int dimensions, uint32_t batch,
                                           const dd_cuda_points *points, const dd_cuda_counter *counter,
                                           const float *square, dd_cuda_losses *losses, cudaStream_t stream)
{
    return DD_LAUNCH(losses_kernel, dim3((unsigned)replicas), dim3(DD_BLOCK), stream, rows, dimensions, batch, points,
                     counter, square, losses);
}

/* The first replica with the same points as r. */
static int first_with(const dd_points *const *points, int r)
{
    int first = 0;
    while (points[first] != points[r])
        first++;
    return first;
}

/* Fill table [R], which is zero, and its copy on the device. Sets that the ensemble does not train on are uploaded to
 * its guests, each once. */
static dd_status place_points(dd_ensemble *e, const dd_points *const *points, dd_cuda_points *table)
{
    size_t replicas = (size_t)e->replicas, dimensions = (size_t)e->model->dimensions, floats = 0;
    for (int r = 0; r < e->replicas; r++) {
        table[r].n = points[r]->n;
        for (int s = 0; s < e->sets; s++)
            if (e->data[s] == points[r])
                table[r].x = e->data_x[s];
        if (!table[r].x && first_with(points, r) == r)
            floats += dimensions * (size_t)points[r]->n;
    }
    DD_TRY(dd_cuda_grow(&e->guests, floats * sizeof(float)));
    float *next = (float *)e->guests.at;
    for (int r = 0; r < e->replicas; r++) {
        if (table[r].x)
            continue;
        int first = first_with(points, r);
        if (first < r) {
            table[r].x = table[first].x;
            continue;
        }
        size_t count = dimensions * (size_t)points[r]->n;
        DD_CUDA(cudaMemcpyAsync(next, points[r]->x, count * sizeof(float), cudaMemcpyHostToDevice, e->context->stream));
        table[r].x = next;
        next += count;
    }
    DD_CUDA(cudaMemcpyAsync(e->points_evaluated, table, replicas * sizeof *table, cudaMemcpyHostToDevice,
                            e->context->stream));
    return DD_OK;
}

/* A chunk of the points is gathered into the workspace for inference. */
static dd_cuda_gather gather_of(const dd_ensemble *e, const dd_cuda_workspace *w, dd_purpose purpose)
{
    dd_cuda_gather g = {};
    g.replicas = e->replicas;
    g.rows = w->rows;
    g.batch = (uint32_t)e->training->batch;
    g.purpose = purpose;
    g.replica = e->replica;
    g.points = e->points_evaluated;
    g.counter = e->counter;
    g.embedding = e->embedding;
    g.schedule = e->schedule;
    g.count = w->count;
    g.embedded = w->embedded;
    g.target = w->target;
    g.error_weight = w->error_weight;
    g.timestep = w->timestep;
    return g;
}

/* loss [R]: the mean over batches of the sums on the device. */
static dd_status read_losses(const dd_ensemble *e, const dd_points *const *points, double *loss)
{
    size_t bytes = (size_t)e->replicas * sizeof(dd_cuda_losses);
    dd_cuda_losses *sums = (dd_cuda_losses *)malloc(bytes);
    if (!sums)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d losses", e->replicas);
    cudaError_t error = cudaMemcpyAsync(sums, e->losses, bytes, cudaMemcpyDeviceToHost, e->context->stream);
    if (error == cudaSuccess)
        error = cudaStreamSynchronize(e->context->stream);
    for (int r = 0; r < e->replicas && error == cudaSuccess; r++)
        loss[r] = sums[r].total / dd_batches(points[r]->n, (uint32_t)e->training->batch);
    free(sums);
    DD_CUDA(error);
    return DD_OK;
}

/* Copy the squared errors of a chunk, the rows from `first` on, to the host. */
static dd_status read_squares(const dd_ensemble *e, const dd_cuda_workspace *w, const dd_points *const *points,
                              uint32_t first, float *const *square)
{
    uint32_t most = (uint32_t)w->rows;
    for (int r = 0; r < e->replicas; r++) {
        uint32_t n = points[r]->n, rest = n > first ? n - first : 0, rows = rest < most ? rest : most;
        if (rows)
            DD_CUDA(cudaMemcpyAsync(square[r] + first, w->square + (size_t)r * most, rows * sizeof(float),
                                    cudaMemcpyDeviceToHost, e->context->stream));
    }
    return DD_OK;
}

static dd_status pass(dd_ensemble *e, dd_state_part part, dd_purpose purpose, const dd_points *const *points,
                      double *loss, float *const *square)
{
    cudaStream_t stream = e->context->stream;
    uint32_t longest = 0;
    for (int r = 0; r < e->replicas; r++)
        longest = points[r]->n > longest ? points[r]->n : longest;
    const dd_cuda_workspace w = dd_cuda_chunks_of(e, longest);
    dd_cuda_gather g = gather_of(e, &w, purpose);
    DD_CUDA(cudaMemsetAsync(e->losses, 0, (size_t)e->replicas * sizeof *e->losses, stream));
    for (uint32_t first = 0; first < longest; first += (uint32_t)w.rows) {
        DD_TRY(dd_cuda_launch_counter(e->counter, e->replicas, (int)first, 0, stream));
        DD_TRY(dd_cuda_launch_gather_evaluate(&g, stream));
        DD_TRY(dd_cuda_forward(e, &w, e->state[part], true));
        DD_TRY(dd_cuda_launch_losses(e->replicas, w.rows, e->model->dimensions, g.batch, e->points_evaluated,
                                     e->counter, w.square, e->losses, stream));
        if (square)
            DD_TRY(read_squares(e, &w, points, first, square));
    }
    return read_losses(e, points, loss);
}

extern "C" dd_status dd_cuda_evaluate(dd_ensemble *e, dd_state_part part, dd_purpose purpose,
                                      const dd_points *const *points, double *loss, float *const *square)
{
    dd_cuda_points *table = (dd_cuda_points *)calloc((size_t)e->replicas, sizeof *table);
    if (!table)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d replicas", e->replicas);
    dd_status status = place_points(e, points, table);
    if (!status)
        status = pass(e, part, purpose, points, loss, square);
    cudaStreamSynchronize(e->context->stream);
    free(table);
    return status;
}
