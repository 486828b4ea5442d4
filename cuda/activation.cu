/* What stands between two products: bias, residual and activation; and on the way back the activation's
 * derivative and the residual's gradient. Towers of one depth go together. */
#include "launch.h"

enum { COLUMNS = 256, ROWS = 8 }; /* threads of a block; rows that each of them takes */

static __device__ inline float sigmoid(float x)
{
    return 1.f / (1.f + expf(-x));
}

static __device__ inline float activate(dd_activation kind, float x)
{
    switch (kind) {
    case DD_SILU:
        return x * sigmoid(x);
    case DD_GELU:
        return .5f * x * (1.f + erff(x * .707106781186547524f));
    case DD_TANH:
        return tanhf(x);
    case DD_RELU:
        break;
    }
    return x < 0.f ? 0.f : x; /* NaN stays, so that a broken network is seen in its loss */
}

static __device__ inline float derivative(dd_activation kind, float x)
{
    switch (kind) {
    case DD_SILU: {
        float s = sigmoid(x);
        return s * (1.f + x * (1.f - s));
    }
    case DD_GELU:
        return .5f * (1.f + erff(x * .707106781186547524f)) + x * .398942280401432678f * expf(-.5f * x * x);
    case DD_TANH: {
        float y = tanhf(x);
        return 1.f - y * y;
    }
    case DD_RELU:
        break;
    }
    return x > 0.f ? 1.f : 0.f;
}

static __device__ inline float *row_of(const dd_cuda_matrix &m, int r, int row)
{
    return m.at + (size_t)r * m.replica + (size_t)row * m.pitch;
}

/* A thread takes 8 rows of a column; grid (rows / 8, R, towers). */
static __global__ void activation_kernel(const dd_cuda_activation a)
{
    const dd_cuda_hidden &t = a.tower[blockIdx.z];
    int r = blockIdx.y, first = blockIdx.x * ROWS, last = first + ROWS < a.rows ? first + ROWS : a.rows;
    for (int c = threadIdx.x; c < t.width; c += COLUMNS) {
        float bias = t.bias[(size_t)r * t.bias_replica + c];
        for (int row = first; row < last; row++) {
            float *hidden = row_of(t.hidden, r, row) + c;
            float value = *hidden + bias;
            if (t.residual.at)
                value += row_of(t.residual, r, row)[c];
            *hidden = value;
            row_of(t.active, r, row)[c] = activate(a.kind, value);
        }
    }
}

extern "C" int dd_cuda_launch_activation(const dd_cuda_activation *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + ROWS - 1) / ROWS, (unsigned)args->replicas, (unsigned)args->towers);
    return DD_LAUNCH(activation_kernel, grid, dim3(COLUMNS), stream, *args);
}

/* A thread takes 8 rows of a column; grid (rows / 8, R, towers). */
static __global__ void activation_gradient_kernel(const dd_cuda_activation a)
{
    const dd_cuda_hidden &t = a.tower[blockIdx.z];
    int r = blockIdx.y, first = blockIdx.x * ROWS, last = first + ROWS < a.rows ? first + ROWS : a.rows;
    for (int c = threadIdx.x; c < t.width; c += COLUMNS) {
        float weight[DD_MAX_EXPERTS]; /* in registers: the loops over it are unrolled */
#pragma unroll
        for (int o = 0; o < DD_MAX_EXPERTS; o++)
            weight[o] = o < t.outputs ? t.output_weight[(size_t)r * t.output_replica + (size_t)o * t.width + c] : 0.f;
        for (int row = first; row < last; row++) {
            float *hidden = row_of(t.hidden, r, row) + c;
            float slope = t.product.at ? row_of(t.product, r, row)[c] : 0.f;
            if (t.outputs) {
                const float *gradient = row_of(t.output_gradient, r, row);
#pragma unroll
                for (int o = 0; o < DD_MAX_EXPERTS; o++)
                    if (o < t.outputs)
                        slope += gradient[o] * weight[o];
            }
            float value = derivative(a.kind, *hidden) * slope;
            if (t.along.at)
                value += row_of(t.along, r, row)[c];
            *hidden = value;
        }
    }
}

extern "C" int dd_cuda_launch_activation_gradient(const dd_cuda_activation *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + ROWS - 1) / ROWS, (unsigned)args->replicas, (unsigned)args->towers);
    return DD_LAUNCH(activation_gradient_kernel, grid, dim3(COLUMNS), stream, *args);
}
