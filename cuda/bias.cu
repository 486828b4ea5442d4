/* Bias gradients of all layers in one launch: sums of columns over the batch. */
#include "launch.h"

enum { COLUMNS = 32, LANES = 8 };

/* Eight threads share the rows of a column; grid (tiles, R). */
static __global__ void bias_kernel(const dd_cuda_bias_tile *tile, int rows)
{
    dd_grid_begin();
    __shared__ float part[LANES][COLUMNS + 1];
    const dd_cuda_bias_tile t = tile[blockIdx.x];
    int r = blockIdx.y, column = threadIdx.x % COLUMNS, lane = threadIdx.x / COLUMNS;
    float sum = 0.f;
    if (column < t.columns)
        for (int row = lane; row < rows; row += LANES)
            sum += t.gradient.at[(size_t)r * t.gradient.replica + (size_t)row * t.gradient.pitch + column];
    part[lane][column] = sum;
    __syncthreads();
    if (lane == 0 && column < t.columns) {
        for (int i = 1; i < LANES; i++)
            sum += part[i][column];
        t.bias[(size_t)r * t.bias_replica + column] = sum;
    }
}

extern "C" dd_status dd_cuda_launch_bias(int tiles, const dd_cuda_bias_tile *tile, int rows, int replicas,
                                         cudaStream_t stream)
{
    return DD_LAUNCH(bias_kernel, dim3((unsigned)tiles, (unsigned)replicas), dim3(COLUMNS * LANES), stream, tile, rows);
}
