/* Ancestral sampling: all timesteps of a chunk of samples are one CUDA graph, launched once a chunk. */
#include "embedding.cuh"
#include "ensemble.h"
#include "random.cuh"
#include "reduce.cuh"

/* A warp a sample; grid (rows / 8, R). */
static __global__ void reverse_kernel(const dd_cuda_reverse v, int t)
{
    int r = blockIdx.y, row = blockIdx.x * DD_WARPS + threadIdx.x / DD_WARP, lane = threadIdx.x % DD_WARP;
    if (row >= v.rows)
        return;
    const dd_cuda_schedule &s = v.schedule;
    size_t at = (size_t)r * v.rows + row;
    float2 x = make_float2(0.f, 0.f);
    if (lane == 0) {
        float2 z = make_float2(0.f, 0.f);
        if (t > 0) {
            uint64_t index = (uint64_t)v.counter[r].step + (uint64_t)row;
            uint4 word = dd_cuda_draw(v.seed[r], DD_DRAW_SAMPLE, (uint32_t)t, index);
            z = dd_cuda_normal2(word.x, word.y);
        }
        float *held = v.x + 2 * at;
        if (t == s.timesteps) {
            x = z;
            v.initial_noise[2 * at] = x.x;
            v.initial_noise[2 * at + 1] = x.y;
        } else {
            x.x = s.keep[t] * held[0] - s.remove[t] * v.predicted[2 * at] + s.sigma[t] * z.x;
            x.y = s.keep[t] * held[1] - s.remove[t] * v.predicted[2 * at + 1] + s.sigma[t] * z.y;
            if (v.gate)
                v.gate[((size_t)r * s.timesteps + t) * v.rows + row] = v.gate_out[at];
        }
        held[0] = x.x;
        held[1] = x.y;
    }
    if (t == 0)
        return;
    x.x = __shfl_sync(0xffffffffu, x.x, 0);
    x.y = __shfl_sync(0xffffffffu, x.y, 0);
    dd_cuda_embed_row(v.embedding, x.x, x.y, t - 1, lane, v.embedded + at * 3 * v.embedding.width);
}

extern "C" int dd_cuda_launch_reverse(const dd_cuda_reverse *args, int t, cudaStream_t stream)
{
    dim3 grid(dd_ceil_div((size_t)args->rows, DD_WARPS), (unsigned)args->replicas);
    return DD_LAUNCH(reverse_kernel, grid, dim3(DD_BLOCK), stream, *args, t);
}

/* All timesteps of one chunk, onto the stream. */
static int record_chunk(dd_ensemble *e, const dd_cuda_workspace *w, dd_state_part part)
{
    dd_cuda_reverse v = {};
    v.replicas = e->replicas;
    v.rows = w->rows;
    v.seed = e->sample_seed;
    v.counter = e->counter;
    v.embedding = e->embedding;
    v.schedule = e->schedule;
    v.predicted = w->predicted;
    v.gate_out = w->gate_out;
    v.x = w->x;
    v.initial_noise = e->initial_noise;
    v.gate = e->model->gates ? e->sample_gate : NULL;
    v.embedded = w->embedded;
    DD_TRY(dd_cuda_launch_reverse(&v, e->schedule.timesteps, e->context->stream));
    for (int t = e->schedule.timesteps - 1; t >= 0; t--) {
        DD_TRY(dd_cuda_forward(e, w, e->state[part], NULL));
        DD_TRY(dd_cuda_launch_reverse(&v, t, e->context->stream));
    }
    return DD_OK;
}

static int find_graph(dd_ensemble *e, const dd_cuda_workspace *w, dd_state_part part, cudaGraphExec_t *exec)
{
    dd_cuda_graph *graph = &e->sample_graph[part];
    cudaStream_t stream = e->context->stream;
    if (graph->size != w->rows) {
        graph->size = 0;
        if (graph->exec)
            DD_CUDA(cudaGraphExecDestroy(graph->exec));
        graph->exec = NULL;
        /* cuBLAS loads a kernel when it first needs it, which a capture may not allow. */
        DD_CUDA(cudaMemsetAsync(w->x, 0, 2 * (size_t)e->replicas * (size_t)w->rows * sizeof *w->x, stream));
        DD_TRY(dd_cuda_launch_embed(&e->embedding, e->replicas, w->rows, w->x, 0, w->embedded, stream));
        DD_TRY(dd_cuda_forward(e, w, e->state[part], NULL));
        DD_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        DD_TRY(dd_cuda_end_capture(stream, record_chunk(e, w, part), &graph->exec));
        graph->size = w->rows;
    }
    *exec = graph->exec;
    return DD_OK;
}

/* Chunks of equal size, a multiple of 32 rows, that fit the workspace. */
static int rows_for(const dd_ensemble *e, uint32_t n)
{
    unsigned chunks = dd_ceil_div(n, (size_t)e->chunks.rows);
    return (int)(dd_ceil_div(dd_ceil_div(n, chunks), 32) * 32);
}

extern "C" int dd_cuda_sample(dd_ensemble *e, dd_state_part part, const uint64_t *seed, uint32_t n, dd_samples *samples)
{
    cudaGraphExec_t exec = NULL;
    cudaStream_t stream = e->context->stream;
    dd_cuda_workspace w = e->chunks;
    w.rows = rows_for(e, n);
    size_t rows = (size_t)w.rows, replicas = (size_t)e->replicas, T = (size_t)e->schedule.timesteps,
           point = 2 * sizeof(float);
    DD_TRY(find_graph(e, &w, part, &exec));
    DD_CUDA(cudaMemcpyAsync(e->sample_seed, seed, replicas * sizeof *seed, cudaMemcpyHostToDevice, stream));
    for (size_t first = 0; first < n; first += rows) {
        size_t count = n - first < rows ? n - first : rows;
        DD_TRY(dd_cuda_launch_counter(e->counter, e->replicas, (int)first, 0, stream));
        DD_CUDA(cudaGraphLaunch(exec, stream));
        if (samples->x)
            DD_CUDA(cudaMemcpy2DAsync(samples->x + 2 * first, n * point, w.x, rows * point, count * point, replicas,
                                      cudaMemcpyDeviceToHost, stream));
        if (samples->initial_noise)
            DD_CUDA(cudaMemcpy2DAsync(samples->initial_noise + 2 * first, n * point, e->initial_noise, rows * point,
                                      count * point, replicas, cudaMemcpyDeviceToHost, stream));
        if (samples->gate)
            DD_CUDA(cudaMemcpy2DAsync(samples->gate + first, n * sizeof(float), e->sample_gate, rows * sizeof(float),
                                      count * sizeof(float), replicas * T, cudaMemcpyDeviceToHost, stream));
    }
    DD_CUDA(cudaStreamSynchronize(stream));
    return DD_OK;
}
