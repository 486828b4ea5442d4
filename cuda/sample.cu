/* Sampling: all steps of a chunk of samples are one CUDA graph, launched once a chunk. */
#include "embedding.cuh"
#include "ensemble.h"
#include "random.cuh"
#include "reduce.cuh"

/* Coordinate c of the normals of replica r's sample `row` of the chunk at timestep t. */
static __device__ inline float draw_normal(const dd_cuda_reverse &v, int r, int row, int t, int c)
{
    uint64_t index = (uint64_t)v.counter[r].step + (uint64_t)row;
    return dd_cuda_draw_normal(v.seed[r], DD_DRAW_SAMPLE, (uint32_t)t, index, c);
}

/* A thread a coordinate; grid (rows D / 256, R). */
static __global__ void start_kernel(const dd_cuda_reverse v)
{
    dd_grid_begin();
    int r = blockIdx.y, dimensions = v.embedding.dimensions, i = blockIdx.x * DD_BLOCK + threadIdx.x;
    if (i < v.rows * dimensions)
        v.x[(size_t)r * v.rows * dimensions + i] =
            draw_normal(v, r, i / dimensions, v.schedule.timesteps, i % dimensions);
}

extern "C" dd_status dd_cuda_launch_start(const dd_cuda_reverse *args, cudaStream_t stream)
{
    size_t coordinates = (size_t)args->rows * (size_t)args->embedding.dimensions;
    dim3 grid(dd_ceil_div(coordinates, DD_BLOCK), (unsigned)args->replicas);
    return DD_LAUNCH(start_kernel, grid, dim3(DD_BLOCK), stream, *args);
}

/* Step i of sample `row`; x [D] is the warp's copy of the point that it leads to. */
static __device__ inline void reverse_row(const dd_cuda_reverse &v, int i, int r, int row, float *x)
{
    const dd_cuda_schedule &s = v.schedule;
    size_t at = ((size_t)r * v.rows + row) * v.embedding.dimensions;
    for (int c = threadIdx.x % DD_WARP; c < v.embedding.dimensions; c += DD_WARP) {
        float z = s.sigma[i] > 0.f ? draw_normal(v, r, row, s.timestep[i], c) : 0.f;
        x[c] = s.keep[i] * v.x[at + c] - s.remove[i] * v.predicted[at + c] + s.sigma[i] * z;
        v.x[at + c] = x[c];
    }
}

/* A warp a sample; grid (rows / 8, R). */
static __global__ void reverse_kernel(const dd_cuda_reverse v, int i)
{
    dd_grid_begin();
    __shared__ float shared_x[DD_WARPS][DD_MAX_DIMENSIONS];
    int r = blockIdx.y, warp = threadIdx.x / DD_WARP, row = blockIdx.x * DD_WARPS + warp, lane = threadIdx.x % DD_WARP;
    if (row >= v.rows)
        return;
    size_t at = (size_t)r * v.rows + row;
    if (lane < v.gates)
        v.gate[(((size_t)r * v.schedule.steps + i) * v.rows + row) * v.gates + lane] = v.gate_out[at * v.gates + lane];
    float *x = shared_x[warp];
    reverse_row(v, i, r, row, x);
    if (i == 0)
        return;
    __syncwarp();
    dd_cuda_embed_row(v.embedding, r, x, 0, lane, v.embedded + at * v.embedding.input);
}

extern "C" dd_status dd_cuda_launch_reverse(const dd_cuda_reverse *args, int i, cudaStream_t stream)
{
    dim3 grid(dd_ceil_div((size_t)args->rows, DD_WARPS), (unsigned)args->replicas);
    return DD_LAUNCH(reverse_kernel, grid, dim3(DD_BLOCK), stream, *args, i);
}

static size_t bytes_of_point(const dd_ensemble *e)
{
    return (size_t)e->model->dimensions * sizeof(float);
}

/* Embeds only the point; the timestep is part of the first layers' bias. */
static dd_cuda_embedding embedding_of_x(const dd_ensemble *e)
{
    dd_cuda_embedding embedding = e->embedding;
    embedding.time = NULL;
    return embedding;
}

static dd_cuda_reverse reverse_of(const dd_ensemble *e, const dd_cuda_workspace *w)
{
    dd_cuda_reverse v = {};
    v.replicas = e->replicas;
    v.rows = w->rows;
    v.gates = e->model->gates;
    v.seed = e->sample_seed;
    v.counter = e->counter;
    v.embedding = embedding_of_x(e);
    v.schedule = e->schedule;
    v.predicted = w->predicted;
    v.gate_out = w->gate_out;
    v.x = w->x;
    v.gate = e->sample_gate;
    v.embedded = w->embedded;
    return v;
}

/* The bias of every reverse step, from the current parameters. */
static dd_status fill_time_bias(const dd_ensemble *e, dd_state_part part)
{
    const dd_cuda_layout *l = &e->layout;
    dd_cuda_time_bias b = {};
    b.replicas = e->replicas;
    b.columns = l->first_width;
    b.weight = e->state[part] + l->first_weight.at;
    b.bias = e->state[part] + l->first_bias.at;
    b.weight_replica = l->first_weight.replica;
    b.bias_replica = l->first_bias.replica;
    b.embedding = e->embedding;
    b.schedule = e->schedule;
    b.time_bias = e->time_bias;
    return dd_cuda_launch_time_bias(&b, e->context->stream);
}

static dd_status embed_x(const dd_ensemble *e, const dd_cuda_workspace *w)
{
    dd_cuda_embedding embedding = embedding_of_x(e);
    return dd_cuda_launch_embed(&embedding, e->replicas, w->rows, w->x, 0, w->embedded, e->context->stream);
}

/* Run the networks on the embedded points, with the bias of reverse step i. */
static dd_status forward_at(dd_ensemble *e, const dd_cuda_workspace *w, dd_state_part part, int i)
{
    dd_cuda_workspace step = *w;
    step.time_bias = e->time_bias + (size_t)i * (size_t)e->layout.first_width;
    return dd_cuda_forward(e, &step, e->state[part], false);
}

/* Put all steps of one chunk on the stream; its start is already embedded. */
static dd_status record_chunk(dd_ensemble *e, const dd_cuda_workspace *w, dd_state_part part)
{
    dd_cuda_reverse v = reverse_of(e, w);
    for (int i = e->schedule.steps - 1; i >= 0; i--) {
        DD_TRY(forward_at(e, w, part, i));
        DD_TRY(dd_cuda_launch_reverse(&v, i, e->context->stream));
    }
    return DD_OK;
}

static dd_status find_graph(dd_ensemble *e, const dd_cuda_workspace *w, dd_state_part part, cudaGraphExec_t *exec)
{
    dd_cuda_graph *graph = &e->sample_graph[part];
    cudaStream_t stream = e->context->stream;
    if (graph->size != w->rows) {
        graph->size = 0;
        if (graph->exec)
            DD_CUDA(cudaGraphExecDestroy(graph->exec));
        graph->exec = NULL;
        /* cuBLAS loads a kernel when it needs it for the first time, and a capture may not allow that. */
        DD_CUDA(cudaMemsetAsync(w->x, 0, (size_t)e->replicas * (size_t)w->rows * bytes_of_point(e), stream));
        DD_TRY(embed_x(e, w));
        DD_TRY(forward_at(e, w, part, 0));
        DD_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        DD_TRY(dd_cuda_end_capture(stream, record_chunk(e, w, part), &graph->exec));
        graph->size = w->rows;
    }
    *exec = graph->exec;
    return DD_OK;
}

/* Draw or upload x_T of samples first .. first + count - 1 and embed it; the rest of the chunk gets finite numbers. */
static dd_status start_chunk(dd_ensemble *e, const dd_cuda_workspace *w, const float *start, size_t n, size_t first,
                             size_t count)
{
    cudaStream_t stream = e->context->stream;
    size_t rows = (size_t)w->rows, replicas = (size_t)e->replicas, point = bytes_of_point(e);
    DD_TRY(dd_cuda_launch_counter(e->counter, e->replicas, (int)first, 0, stream));
    if (start) {
        DD_CUDA(cudaMemsetAsync(w->x, 0, replicas * rows * point, stream));
        DD_CUDA(cudaMemcpy2DAsync(w->x, rows * point, start + (size_t)e->model->dimensions * first, n * point,
                                  count * point, replicas, cudaMemcpyHostToDevice, stream));
    } else {
        dd_cuda_reverse v = reverse_of(e, w);
        DD_TRY(dd_cuda_launch_start(&v, stream));
    }
    return embed_x(e, w);
}

extern "C" dd_status dd_cuda_sample(dd_ensemble *e, dd_state_part part, const uint64_t *seed, uint32_t n,
                                    dd_samples *samples)
{
    cudaGraphExec_t exec = NULL;
    cudaStream_t stream = e->context->stream;
    dd_cuda_workspace w = dd_cuda_chunks_of(e, n);
    size_t rows = (size_t)w.rows, replicas = (size_t)e->replicas, S = (size_t)e->schedule.steps;
    size_t dimensions = (size_t)e->model->dimensions;
    DD_TRY(fill_time_bias(e, part));
    DD_TRY(find_graph(e, &w, part, &exec));
    DD_CUDA(cudaMemcpyAsync(e->sample_seed, seed, replicas * sizeof *seed, cudaMemcpyHostToDevice, stream));
    for (size_t first = 0; first < n; first += rows) {
        size_t count = n - first < rows ? n - first : rows;
        DD_TRY(start_chunk(e, &w, samples->start, n, first, count));
        DD_TRY(dd_cuda_copy_out(e, samples->initial_noise, w.x, n, first, count, rows, dimensions, replicas));
        DD_CUDA(cudaGraphLaunch(exec, stream));
        DD_TRY(dd_cuda_copy_out(e, samples->x, w.x, n, first, count, rows, dimensions, replicas));
        DD_TRY(dd_cuda_copy_out(e, samples->gate, e->sample_gate, n, first, count, rows, (size_t)e->model->gates,
                                replicas * S));
    }
    DD_CUDA(cudaStreamSynchronize(stream));
    return DD_OK;
}
