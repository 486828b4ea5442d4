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
    float gate[DD_MAX_EXPERTS], out0[DD_MAX_EXPERTS], out1[DD_MAX_EXPERTS];
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++) {
        if (i < m.gates) {
            const dd_cuda_output &o = m.gate;
            const float *out_weight = o.weight + r * o.weight_replica + (size_t)i * o.width;
            gate[i] = share_of_dot(o.active + at * o.width, out_weight, o.width, lane);
        }
        if (i < members) {
            const dd_cuda_output &o = m.expert;
            const float *active = o.active + (((size_t)r * members + i) * m.rows + row) * o.width;
            const float *out_weight = o.weight + r * o.weight_replica + i * o.weight_member;
            out0[i] = share_of_dot(active, out_weight, o.width, lane);
            out1[i] = share_of_dot(active, out_weight + o.width, o.width, lane);
        }
    }
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++) {
        if (i < m.gates) {
            float z = dd_warp_sum(gate[i]) + m.gate.bias[r * m.gate.bias_replica + i];
            if (lane == 0)
                logit[i] = z;
        }
        if (i < members) {
            const float *bias = m.expert.bias + r * m.expert.bias_replica + i * m.expert.bias_member;
            out0[i] = dd_warp_sum(out0[i]) + bias[0];
            out1[i] = dd_warp_sum(out1[i]) + bias[1];
        }
    }
    if (lane == 0) {
        dd_gate_soft(members, m.gates, logit, soft);
        for (int i = 0; i < members; i++)
            weight[i] = soft[i];
        dd_gate_use(m.kind, members, weight);
    }
    __syncwarp();
    if (lane < members) {
        m.soft[at * members + lane] = soft[lane];
        m.weight[at * members + lane] = weight[lane];
    }
    if (lane < m.gates)
        m.gate_out[at * m.gates + lane] = weight[lane];
    float predicted0 = 0.f, predicted1 = 0.f;
#pragma unroll
    for (int i = 0; i < DD_MAX_EXPERTS; i++) {
        if (i >= members)
            continue;
        predicted0 += weight[i] * out0[i];
        predicted1 += weight[i] * out1[i];
        if (lane == 0) {
            float *out = m.expert_out + 2 * (at * members + i);
            out[0] = out0[i];
            out[1] = out1[i];
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

extern "C" dd_status dd_cuda_launch_mixture(const dd_cuda_mixture *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas);
    return DD_LAUNCH(mixture_kernel, grid, dim3(DD_BLOCK), stream, *args);
}
