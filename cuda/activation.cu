/* The work between two products: bias, residual and activation in the forward pass; the activation's derivative and the
 * residual's gradient in the backward pass. One launch does all towers that have a layer at this depth. */
#include "activation.cuh"

enum { COLUMNS = 256, ROWS = 8 }; /* threads of a block; rows for each thread */

static __device__ inline float *row_of(const dd_cuda_matrix &m, int r, int row)
{
    return m.at + (size_t)r * m.replica + (size_t)row * m.pitch;
}

/* value[i] = row first + i of m (which has `rows` rows) at column c. All loads are issued together, because waiting for
 * each load before the next would take most of the time. */
static __device__ inline void load_rows(const dd_cuda_matrix &m, int r, int first, int rows, int c, float value[ROWS])
{
#pragma unroll
    for (int i = 0; i < ROWS; i++)
        value[i] = i < rows ? row_of(m, r, first + i)[c] : 0.f;
}

/* A thread takes 8 rows of a column; grid (rows / 8, R, towers). */
static __global__ void activation_kernel(const dd_cuda_activation a)
{
    dd_grid_begin();
    const dd_cuda_hidden &t = a.tower[blockIdx.z];
    int r = blockIdx.y, first = blockIdx.x * ROWS, rows = a.rows - first < ROWS ? a.rows - first : (int)ROWS;
    for (int c = threadIdx.x; c < t.width; c += COLUMNS) {
        float value[ROWS], residual[ROWS] = {};
        load_rows(t.hidden, r, first, rows, c, value);
        if (t.residual.at)
            load_rows(t.residual, r, first, rows, c, residual);
        float bias = t.bias[(size_t)r * t.bias_replica + c];
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
            if (i >= rows)
                continue;
            float sum = value[i] + bias + residual[i];
            row_of(t.hidden, r, first + i)[c] = sum;
            row_of(t.active, r, first + i)[c] = dd_activate(a.kind, sum);
        }
    }
}

extern "C" dd_status dd_cuda_launch_activation(const dd_cuda_activation *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + ROWS - 1) / ROWS, (unsigned)args->replicas, (unsigned)args->towers);
    return DD_LAUNCH(activation_kernel, grid, dim3(COLUMNS), stream, *args);
}

/* A thread takes 8 rows of a column; grid (rows / 8, R, towers). */
static __global__ void activation_gradient_kernel(const dd_cuda_activation a)
{
    dd_grid_begin();
    const dd_cuda_hidden &t = a.tower[blockIdx.z];
    int r = blockIdx.y, first = blockIdx.x * ROWS, rows = a.rows - first < ROWS ? a.rows - first : (int)ROWS;
    for (int c = threadIdx.x; c < t.width; c += COLUMNS) {
        float hidden[ROWS], slope[ROWS] = {}, along[ROWS] = {};
        load_rows(t.hidden, r, first, rows, c, hidden);
        if (t.product.at)
            load_rows(t.product, r, first, rows, c, slope);
        if (t.along.at)
            load_rows(t.along, r, first, rows, c, along);
        for (int o = 0; o < t.outputs; o++) {
            float weight = t.output_weight[(size_t)r * t.output_replica + (size_t)o * t.width + c], gradient[ROWS];
            load_rows(t.output_gradient, r, first, rows, o, gradient);
#pragma unroll
            for (int i = 0; i < ROWS; i++)
                slope[i] += gradient[i] * weight;
        }
#pragma unroll
        for (int i = 0; i < ROWS; i++)
            if (i < rows)
                row_of(t.hidden, r, first + i)[c] =
                    __fmaf_rn(dd_activation_slope(a.kind, hidden[i]), slope[i], along[i]);
    }
}

extern "C" dd_status dd_cuda_launch_activation_gradient(const dd_cuda_activation *args, cudaStream_t stream)
{
    dim3 grid((unsigned)(args->rows + ROWS - 1) / ROWS, (unsigned)args->replicas, (unsigned)args->towers);
    return DD_LAUNCH(activation_gradient_kernel, grid, dim3(COLUMNS), stream, *args);
}
