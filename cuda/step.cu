/* The scalars of a step: gradient norm and clip, losses, the optimiser's scalars, and the step's row of the log. */
#include <math.h>

#include "launch.h"
#include "reduce.cuh"

/* A block a replica; grid (R). */
static __global__ void step_kernel(const dd_cuda_step s)
{
    dd_grid_begin();
    __shared__ double warp_sum[DD_WARPS];
    int r = blockIdx.x, n = s.count[r], row = s.counter[r].row;
    size_t first = (size_t)r * s.rows, place = (size_t)r * s.ring.capacity + row;
    double norm = 0, square = 0, distance = 0;
    for (int i = threadIdx.x; i < s.chunks; i += DD_BLOCK)
        norm += s.partial[(size_t)r * s.chunks + i];
    for (int i = threadIdx.x; i < n; i += DD_BLOCK) {
        square += s.square[first + i];
        distance += s.distance[first + i];
    }
    norm = sqrt(dd_block_sum(norm, warp_sum));
    square = dd_block_sum(square, warp_sum);
    distance = dd_block_sum(distance, warp_sum);
    if (s.ring.gate) {
        int gates = s.ring.gates, weights = s.rows * gates;
        for (int i = threadIdx.x; i < weights; i += DD_BLOCK)
            s.ring.gate[place * weights + i] = i < n * gates ? s.gate_out[first * gates + i] : NAN;
        for (int i = threadIdx.x; i < s.rows; i += DD_BLOCK)
            s.ring.timestep[place * s.rows + i] = (int16_t)(i < n ? s.timestep[first + i] : -1);
    }
    if (threadIdx.x)
        return;
    const dd_cuda_replica &own = s.replica[r];
    const dd_cuda_recipe &recipe = s.recipe[row];
    double mse = square / ((double)s.dimensions * n), diversity = distance / ((double)n * n),
           rate = own.learning_rate * recipe.rate;
    s.ring.mse[place] = (float)mse;
    s.ring.diversity[place] = (float)diversity;
    s.ring.loss[place] = (float)(mse - own.diversity_weight * recipe.diversity * diversity);
    s.ring.grad_norm[place] = (float)norm;
    dd_cuda_update &u = s.update[r];
    u.scale = (float)fmin(1., own.clip_norm / (norm + 1e-6));
    u.decay = (float)(1. - rate * own.weight_decay);
    u.step_size = (float)(rate / recipe.correction1);
    u.inverse_root = (float)(1. / sqrt(recipe.correction2));
    u.ema = recipe.ema;
    s.counter[r].step++;
    s.counter[r].row = row + 1;
}

extern "C" dd_status dd_cuda_launch_step(const dd_cuda_step *args, cudaStream_t stream)
{
    return DD_LAUNCH(step_kernel, dim3((unsigned)args->replicas), dim3(DD_BLOCK), stream, *args);
}

/* A thread a replica. */
static __global__ void counter_kernel(dd_cuda_counter *counter, int replicas, int step, int row)
{
    dd_grid_begin();
    int r = blockIdx.x * DD_BLOCK + threadIdx.x;
    if (r < replicas) {
        counter[r].step = step;
        counter[r].row = row;
    }
}

extern "C" dd_status dd_cuda_launch_counter(dd_cuda_counter *counter, int replicas, int step, int row,
                                            cudaStream_t stream)
{
    return DD_LAUNCH(counter_kernel, dim3((unsigned)(replicas + DD_BLOCK - 1) / DD_BLOCK), dim3(DD_BLOCK), stream,
                     counter, replicas, step, row);
}
