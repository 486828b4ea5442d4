/* The towers' last layers, the gate's weights, the mixture and its squared error: the outputs are so few that a product
 * of matrices would mostly be start-up time. For points of more than DD_CUDA_NARROW coordinates the experts' last
 * layers are such a product, made before. */
#include "launch.h"
#include "reduce.cuh"

/* A lane's part of a . w. */
static __device__ inline float share_of_dot(const float *a, const float *w, int columns, int lane)
{
    float sum = 0.f;
    for (int c = lane; c < columns; c += DD_WARP)
        sum += a[c] * w[c];
    return sum;
}

/* This lane's part of the gate's logits in row `at`. */
static __device__ inline void load_logits(const dd_cuda_mixture &m, int r, size_t at, int lane,
                                          float logit[DD_MAX_EXPERTS])
{
    const dd_cuda_output &o = m.gate;
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++)
        if (i < m.gates) {
            const float *weight = o.weight + r * o.weight_replica + (size_t)i * o.width;
            logit[i] = share_of_dot(o.active + at * o.width, weight, o.width, lane);
        }
}

/* Sum the lanes' parts and add the bias. Lane 0 writes the logits to shared memory. */
static __device__ inline void sum_logits(const dd_cuda_mixture &m, int r, int lane, const float logit[DD_MAX_EXPERTS],
                                         float *sums)
{
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++)
        if (i < m.gates) {
            float z = dd_warp_sum(logit[i]) + m.gate.bias[r * m.gate.bias_replica + i];
            if (lane == 0)
                sums[i] = z;
        }
}

/* What the experts' last layers give in one row. */
template <int D> struct row_outputs {
    float at[DD_MAX_EXPERTS][D];
};

/* This lane's part of the products. */
template <int D>
static __device__ inline void load_outputs(const dd_cuda_mixture &m, int r, int row, int lane, row_outputs<D> &out)
{
    const dd_cuda_output &o = m.expert;
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++)
        if (i < o.members) {
            const float *active = o.active + (((size_t)r * o.members + i) * m.rows + row) * o.width;
            const float *weight = o.weight + r * o.weight_replica + i * o.weight_member;
#pragma unroll
            for (int c = 0; c < D; c++)
                out.at[i][c] = share_of_dot(active, weight + c * o.width, o.width, lane);
        }
}

template <int D> static __device__ inline void sum_outputs(const dd_cuda_mixture &m, int r, row_outputs<D> &out)
{
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++)
        if (i < m.expert.members) {
            const float *bias = m.expert.bias + r * m.expert.bias_replica + i * m.expert.bias_member;
#pragma unroll
            for (int c = 0; c < D; c++)
                out.at[i][c] = dd_warp_sum(out.at[i][c]) + bias[c];
        }
}

/* The experts' weights of one row, in shared memory, where they can be indexed. */
typedef struct row_weights {
    float logit[DD_MAX_EXPERTS], soft[DD_MAX_EXPERTS], used[DD_MAX_EXPERTS];
} row_weights;

/* From the logits to the weights, by lane 0; then all lanes store them. */
static __device__ inline void weigh(const dd_cuda_mixture &m, size_t at, int lane, row_weights &w)
{
    int members = m.expert.members;
    if (lane == 0) {
        dd_gate_soft(members, m.gates, w.logit, w.soft);
        for (int i = 0; i < members; i++)
            w.used[i] = w.soft[i];
        dd_gate_use(m.kind, members, w.used);
    }
    __syncwarp();
    if (lane < members) {
        m.soft[at * members + lane] = w.soft[lane];
        m.weight[at * members + lane] = w.used[lane];
    }
    if (lane < m.gates)
        m.gate_out[at * m.gates + lane] = w.used[lane];
}

/* Lane 0 stores the experts' outputs, their mixture, and its squared error. The sum over coordinates starts with the
 * first one's term, as on the CPU. */
template <int D>
static __device__ inline void store_mixture(const dd_cuda_mixture &m, size_t at, int lane, const float *weight,
                                            const row_outputs<D> &out)
{
    float predicted[D] = {};
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++) {
        if (i >= m.expert.members)
            continue;
#pragma unroll
        for (int c = 0; c < D; c++) {
            predicted[c] += weight[i] * out.at[i][c];
            if (lane == 0)
                m.expert_out[D * (at * m.expert.members + i) + c] = out.at[i][c];
        }
    }
    if (lane)
        return;
    float square = 0.f;
#pragma unroll
    for (int c = 0; c < D; c++) {
        m.predicted[D * at + c] = predicted[c];
        float error = m.target ? predicted[c] - m.target[D * at + c] : 0.f;
        square = c ? square + error * error : error * error;
    }
    if (m.target)
        m.square[at] = m.error_weight[at] * square;
}

/* One warp per row of D coordinates; grid (rows / 8, R). All loads come before the first sum over lanes, so that the
 * warp waits only once. */
template <int D> static __global__ void mixture_kernel(const dd_cuda_mixture m)
{
    dd_grid_begin();
    __shared__ row_weights weights[DD_WARPS];
    int warp = threadIdx.x / DD_WARP, lane = threadIdx.x % DD_WARP, r = blockIdx.y, row = blockIdx.x * DD_WARPS + warp;
    if (row >= m.rows)
        return;
    size_t at = (size_t)r * m.rows + row;
    float logit[DD_MAX_EXPERTS];
    row_outputs<D> out;
    load_logits(m, r, at, lane, logit);
    load_outputs(m, r, row, lane, out);
    sum_logits(m, r, lane, logit, weights[warp].logit);
    sum_outputs(m, r, out);
    weigh(m, at, lane, weights[warp]);
    store_mixture(m, at, lane, weights[warp].used, out);
}

/* Mixes one row of the experts' products; a lane takes every 32nd coordinate. */
static __device__ inline void mix_products(const dd_cuda_mixture &m, int r, int row, int lane, const float *weight)
{
    const dd_cuda_output &o = m.expert;
    int members = o.members, dimensions = m.dimensions;
    size_t at = (size_t)r * m.rows + row;
    float square = 0.f;
    for (int c = lane; c < dimensions; c += DD_WARP) {
        float predicted = 0.f;
        for (int i = 0; i < members; i++) {
            float output = m.product[(((size_t)r * members + i) * m.rows + row) * dimensions + c] +
                           o.bias[r * o.bias_replica + i * o.bias_member + c];
            m.expert_out[(at * members + i) * dimensions + c] = output;
            predicted += weight[i] * output;
        }
        m.predicted[at * dimensions + c] = predicted;
        float error = m.target ? predicted - m.target[at * dimensions + c] : 0.f;
        square += error * error;
    }
    if (!m.target)
        return;
    square = dd_warp_sum(square);
    if (lane == 0)
        m.square[at] = m.error_weight[at] * square;
}

/* The same for rows of any number of coordinates, from the products of the experts' last layers. */
static __global__ void mixture_wide_kernel(const dd_cuda_mixture m)
{
    dd_grid_begin();
    __shared__ row_weights weights[DD_WARPS];
    int warp = threadIdx.x / DD_WARP, lane = threadIdx.x % DD_WARP, r = blockIdx.y, row = blockIdx.x * DD_WARPS + warp;
    if (row >= m.rows)
        return;
    size_t at = (size_t)r * m.rows + row;
    float logit[DD_MAX_EXPERTS];
    load_logits(m, r, at, lane, logit);
    sum_logits(m, r, lane, logit, weights[warp].logit);
    weigh(m, at, lane, weights[warp]);
    mix_products(m, r, row, lane, weights[warp].used);
}

extern "C" dd_status dd_cuda_launch_mixture(const dd_cuda_mixture *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas), block(DD_BLOCK);
    switch (args->dimensions) {
    case 1:
        return DD_LAUNCH(mixture_kernel<1>, grid, block, stream, *args);
    case 2:
        return DD_LAUNCH(mixture_kernel<2>, grid, block, stream, *args);
    case 3:
        return DD_LAUNCH(mixture_kernel<3>, grid, block, stream, *args);
    case DD_CUDA_NARROW:
        return DD_LAUNCH(mixture_kernel<DD_CUDA_NARROW>, grid, block, stream, *args);
    default:
        return DD_LAUNCH(mixture_wide_kernel, grid, block, stream, *args);
    }
}
