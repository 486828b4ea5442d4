/* The mean distance between a batch's predictions, and the gradient of the whole loss at the towers' outputs. */
#include "launch.h"

enum { LANES = 8, ROWS = 32, THREADS = LANES * ROWS, TILE = 256 };

static __device__ inline float sum_of_lanes(float value)
{
    for (int offset = LANES / 2; offset > 0; offset /= 2)
        value += __shfl_xor_sync(0xffffffffu, value, offset);
    return value;
}

/* With n rows and predictions p: d MSE / d p_i = (p_i - noise_i) / n, and
 * d diversity / d p_i = 2 / n^2 sum_j (p_i - p_j) / |p_i - p_j|, 0 where p_i = p_j.
 * Eight lanes a row i share out the rows j; grid (rows / 32, R). */
static __global__ void diversity_kernel(const dd_cuda_diversity d)
{
    __shared__ float x[TILE], y[TILE];
    int r = blockIdx.y, lane = threadIdx.x % LANES, row = blockIdx.x * ROWS + threadIdx.x / LANES;
    int n = d.count[r];
    size_t first = (size_t)r * d.rows;
    const float *predicted = d.predicted + 2 * first;
    float own_x = row < n ? predicted[2 * row] : 0.f, own_y = row < n ? predicted[2 * row + 1] : 0.f;
    float distance = 0.f, unit_x = 0.f, unit_y = 0.f;
    for (int start = 0; start < n; start += TILE) {
        int rows = n - start < TILE ? n - start : TILE;
        for (int j = threadIdx.x; j < rows; j += THREADS) {
            x[j] = predicted[2 * (start + j)];
            y[j] = predicted[2 * (start + j) + 1];
        }
        __syncthreads();
        for (int j = lane; j < rows; j += LANES) {
            float dx = own_x - x[j], dy = own_y - y[j], square = dx * dx + dy * dy;
            float length = sqrtf(square), inverse = square > 0.f ? 1.f / length : 0.f;
            distance += length;
            unit_x += dx * inverse;
            unit_y += dy * inverse;
        }
        __syncthreads();
    }
    distance = sum_of_lanes(distance);
    unit_x = sum_of_lanes(unit_x);
    unit_y = sum_of_lanes(unit_y);
    if (lane || row >= d.rows)
        return;
    float px = 0.f, py = 0.f;
    if (row < n) {
        float count = (float)n, pull = (float)(d.replica[r].diversity_weight * 2. / ((double)n * n));
        px = (own_x - d.noise[2 * (first + row)]) / count - pull * unit_x;
        py = (own_y - d.noise[2 * (first + row) + 1]) / count - pull * unit_y;
    }
    d.distance[first + row] = distance;
    float gate = d.gate_out[first + row], toward = 0.f;
    for (int i = 0; i < d.members; i++) {
        size_t place = 2 * (((size_t)r * d.members + i) * d.rows + row);
        const float *out = d.expert_out + 2 * ((first + row) * d.members + i);
        float share = i == 0 ? gate : 1.f - gate, sign = i == 0 ? 1.f : -1.f;
        toward += sign * (px * out[0] + py * out[1]);
        d.expert_gradient[place] = share * px;
        d.expert_gradient[place + 1] = share * py;
    }
    if (d.gates)
        d.gate_gradient[first + row] = toward * gate * (1.f - gate);
}

extern "C" int dd_cuda_launch_diversity(const dd_cuda_diversity *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + ROWS - 1) / ROWS, (unsigned)args->replicas);
    return DD_LAUNCH(diversity_kernel, grid, dim3(THREADS), stream, *args);
}
