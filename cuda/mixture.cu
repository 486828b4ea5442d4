/* The towers' last layers, the gate's sigmoid, the mixture and its squared error: the outputs are so few that a
 * product of matrices would spend its time on starting. */
#include "launch.h"
#include "reduce.cuh"

/* Sum over the columns of a . w, in every lane. */
static __device__ inline float dot(const float *a, const float *w, int columns, int lane)
{
    float sum = 0.f;
    for (int c = lane; c < columns; c += DD_WARP)
        sum += a[c] * w[c];
    return dd_warp_sum(sum);
}

/* A warp a row; grid (rows / 8, R). */
static __global__ void mixture_kernel(const dd_cuda_mixture m)
{
    int r = blockIdx.y, row = blockIdx.x * DD_WARPS + threadIdx.x / DD_WARP, lane = threadIdx.x % DD_WARP;
    if (row >= m.rows)
        return;
    size_t at = (size_t)r * m.rows + row;
    float gate = 1.f;
    if (m.gates) {
        const dd_cuda_output &o = m.gate;
        float logit = dot(o.active + at * o.width, o.weight + r * o.weight_replica, o.width, lane);
        gate = 1.f / (1.f + expf(-(logit + o.bias[r * o.bias_replica])));
    }
    float predicted0 = 0.f, predicted1 = 0.f;
    for (int i = 0; i < m.expert.members; i++) {
        const dd_cuda_output &o = m.expert;
        size_t place = ((size_t)r * o.members + i) * m.rows + row;
        const float *active = o.active + place * o.width;
        const float *weight = o.weight + r * o.weight_replica + i * o.weight_member;
        const float *bias = o.bias + r * o.bias_replica + i * o.bias_member;
        float out0 = dot(active, weight, o.width, lane) + bias[0];
        float out1 = dot(active, weight + o.width, o.width, lane) + bias[1];
        float share = i == 0 ? gate : 1.f - gate;
        predicted0 += share * out0;
        predicted1 += share * out1;
        if (lane == 0) {
            float *out = m.expert_out + 2 * (at * o.members + i);
            out[0] = out0;
            out[1] = out1;
        }
    }
    if (lane == 0) {
        m.gate_out[at] = gate;
        m.predicted[2 * at] = predicted0;
        m.predicted[2 * at + 1] = predicted1;
        if (m.noise) {
            float dx = predicted0 - m.noise[2 * at], dy = predicted1 - m.noise[2 * at + 1];
            m.square[at] = dx * dx + dy * dy;
        }
    }
}

extern "C" int dd_cuda_launch_mixture(const dd_cuda_mixture *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + DD_WARPS - 1) / DD_WARPS, (unsigned)args->replicas);
    return DD_LAUNCH(mixture_kernel, grid, dim3(DD_BLOCK), stream, *args);
}
