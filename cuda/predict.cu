/* Runs the networks at given points. */
#include "embedding.cuh"
#include "ensemble.h"
#include "reduce.cuh"

/* A warp a row; grid (rows / 8, R). */
static __global__ void embed_kernel(const dd_cuda_embedding embedding, int rows, const float *x, int t, float *embedded)
{
    dd_grid_begin();
    int row = blockIdx.x * DD_WARPS + threadIdx.x / DD_WARP;
    if (row >= rows)
        return;
    size_t at = (size_t)blockIdx.y * rows + row;
    dd_cuda_embed_row(embedding, blockIdx.y, x + at * embedding.dimensions, t, threadIdx.x % DD_WARP,
                      embedded + at * embedding.input);
}

extern "C" dd_status dd_cuda_launch_embed(const dd_cuda_embedding *embedding, int replicas, int rows, const float *x,
                                          int t, float *embedded, cudaStream_t stream)
{
    dim3 grid(dd_ceil_div((size_t)rows, DD_WARPS), (unsigned)replicas);
    return DD_LAUNCH(embed_kernel, grid, dim3(DD_BLOCK), stream, *embedding, rows, x, t, embedded);
}

extern "C" dd_cuda_workspace dd_cuda_chunks_of(const dd_ensemble *e, uint32_t n)
{
    dd_cuda_workspace w = e->chunks;
    unsigned chunks = dd_ceil_div(n, (size_t)w.rows);
    if (chunks)
        w.rows = (int)(dd_ceil_div(dd_ceil_div(n, chunks), 32) * 32);
    return w;
}

extern "C" dd_status dd_cuda_copy_out(const dd_ensemble *e, float *out, const float *from, size_t n, size_t first,
                                      size_t count, size_t rows, size_t width, size_t planes)
{
    size_t unit = width * sizeof(float);
    if (out)
        DD_CUDA(cudaMemcpy2DAsync(out + first * width, n * unit, from, rows * unit, count * unit, planes,
                                  cudaMemcpyDeviceToHost, e->context->stream));
    return DD_OK;
}

extern "C" dd_status dd_cuda_predict(dd_ensemble *e, dd_state_part part, const float *x, uint32_t n, int t,
                                     dd_prediction *prediction)
{
    const dd_cuda_workspace w = dd_cuda_chunks_of(e, n);
    cudaStream_t stream = e->context->stream;
    size_t rows = (size_t)w.rows, replicas = (size_t)e->replicas, dimensions = (size_t)e->model->dimensions;
    size_t point = dimensions * sizeof(float), experts = dimensions * (size_t)e->model->experts,
           gates = (size_t)e->model->gates;
    for (size_t first = 0; first < n; first += rows) {
        size_t count = n - first < rows ? n - first : rows;
        DD_CUDA(cudaMemsetAsync(w.x, 0, replicas * rows * point, stream));
        DD_CUDA(cudaMemcpy2DAsync(w.x, rows * point, x + dimensions * first, n * point, count * point, replicas,
                                  cudaMemcpyHostToDevice, stream));
        DD_TRY(dd_cuda_launch_embed(&e->embedding, e->replicas, w.rows, w.x, t, w.embedded, stream));
        DD_TRY(dd_cuda_forward(e, &w, e->state[part], false));
        DD_TRY(dd_cuda_copy_out(e, prediction->mixture, w.predicted, n, first, count, rows, dimensions, replicas));
        DD_TRY(dd_cuda_copy_out(e, prediction->expert, w.expert_out, n, first, count, rows, experts, replicas));
        DD_TRY(dd_cuda_copy_out(e, prediction->gate, w.gate_out, n, first, count, rows, gates, replicas));
    }
    DD_CUDA(cudaStreamSynchronize(stream));
    return DD_OK;
}
