/* The towers' last layers, the gate's weights, the mixture and its squared error: the outputs are so few that a product
 * of matrices would mostly be start-up time. */
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

/* What the last layers of all towers give in one row: a logit of the gate, two coordinates of an expert. */
typedef struct row_outputs {
    float gate[DD_MAX_EXPERTS], out0[DD_MAX_EXPERTS], out1[DD_MAX_EXPERTS];
} row_outputs;

/* This lane's part of the products. */
static __device__ inline void load_outputs(const dd_cuda_mixture &m, int r, int row, int lane, row_outputs &out)
{
    int members = m.expert.members;
    /* blockIdx.y is r. With r, sm_86 to sm_89 take two more registers, so that one block less fits. */
    size_t at = (size_t)blockIdx.y * m.rows + row;
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++) {
        if (i < m.gates) {
            const dd_cuda_output &o = m.gate;
            const float *out_weight = o.weight + r * o.weight_replica + (size_t)i * o.width;
            out.gate[i] = share_of_dot(o.active + at * o.width, out_weight, o.width, lane);
        }
        if (i < members) {
            const dd_cuda_output &o = m.expert;
            const float *active = o.active + (((size_t)r * members + i) * m.rows + row) * o.width;
            const float *out_weight = o.weight + r * o.weight_replica + i * o.weight_member;
            out.out0[i] = share_of_dot(active, out_weight, o.width, lane);
            out.out1[i] = share_of_dot(active, out_weight + o.width, o.width, lane);
        }
    }
}

/* Sum the lanes' parts and add the bias. Lane 0 writes the gate's logits to shared memory. */
static __device__ inline void sum_outputs(const dd_cuda_mixture &m, int r, int lane, row_outputs &out, float *logit)
{
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++) {
        if (i < m.gates) {
            float z = dd_warp_sum(out.gate[i]) + m.gate.bias[r * m.gate.bias_replica + i];
            if (lane == 0)
                logit[i] = z;
        }
        if (i < m.expert.members) {
            const float *bias = m.expert.bias + r * m.expert.bias_replica + i * m.expert.bias_member;
            out.out0[i] = dd_warp_sum(out.out0[i]) + bias[0];
            out.out1[i] = dd_warp_sum(out.out1[i]) + bias[1];
        }
    }
}

static __device__ inline void store_weights(const dd_cuda_mixture &m, size_t at, int lane, const float *soft,
                                            const float *weight)
{
    int members = m.expert.members;
    if (lane < members) {
        m.soft[at * members + lane] = soft[lane];
        m.weight[at * members + lane] = weight[lane];
    }
    if (lane < m.gates)
        m.gate_out[at * m.gates + lane] = weight[lane];
}

/* Lane 0 stores the experts' outputs, their mixture, and its squared error. */
static __device__ inline void store_mixture(const dd_cuda_mixture &m, size_t at, int lane, const float *weight,
                                            const row_outputs &out)
{
    float predicted0 = 0.f, predicted1 = 0.f;
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++) {
        if (i >= m.expert.members)
            continue;
        predicted0 += weight[i] * out.out0[i];
        predicted1 += weight[i] * out.out1[i];
        if (lane == 0) {
            float *expert_out = m.expert_out + 2 * (at * m.expert.members + i);
            expert_out[0] = out.out0[i];
            expert_out[1] = out.out1[i];
        }
    }
    if (lane == 0) {
        m.predicted[2 * at] = predicted0;
        m.predicted[2 * at + 1] = predicted1;
        if (m.target) {
            float dx = predicted0 - m.target[2 * at], dy = predicted1 - m.target[2 * at + 1];
            m.square[at] = m.error_weight[at] * (dx * dx + dy * dy);
        }
    }
}

/* One warp per row; grid (rows / 8, R). A row's few weights are in shared memory, where they can be indexed. All loads
 * come before the first sum over lanes, so that the warp waits only once. */
static __global__ void mixture_kernel(const dd_cuda_mixture m)
{
    __shared__ float logits[DD_WARPS][DD_MAX_EXPERTS], softs[DD_WARPS][DD_MAX_EXPERTS],
        weights[DD_WARPS][DD_MAX_EXPERTS];
    int warp = threadIdx.x / DD_WARP, lane = threadIdx.x % DD_WARP;
    int r = blockIdx.y, row = blockIdx.x * DD_WARPS + warp, members = m.expert.members;
    if (row >= m.rows)
        return;
    size_t at = (size_t)r * m.rows + row;
    float *logit = logits[warp], *soft = softs[warp], *weight = weights[warp];
    row_outputs out;
    load_outputs(m, r, row, lane, out);
    sum_outputs(m, r, lane, out, logit);
    if (lane == 0) {
        dd_gate_soft(members, m.gates, logit, soft);
        for (int i = 0; i < members; i++)
            weight[i] = soft[i];
        dd_gate_use(m.kind, members, weight);
    }
    __syncwarp();
    store_weights(m, at, lane, soft, weight);
    store_mixture(m, at, lane, weight, out);
}

extern "C" dd_status dd_cuda_launch_mixture(const dd_cuda_mixture *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas);
    return DD_LAUNCH(mixture_kernel, grid, dim3(DD_BLOCK), stream, *args);
}
