/* Clip, AdamW (Loshchilov & Hutter 2019, as torch.optim.AdamW) and the moving average, in one pass over the
 * parameters. */
#include "launch.h"
#include "reduce.cuh"

/* Grid (chunks, R). */
static __global__ void adamw_kernel(const dd_cuda_adamw a)
{
    dd_grid_begin();
    const dd_cuda_chunk c = a.chunk[blockIdx.x];
    const dd_cuda_update u = a.update[blockIdx.y];
    size_t first = c.at + blockIdx.y * c.replica;
    for (int i = threadIdx.x; i < c.count; i += DD_BLOCK) {
        size_t at = first + i;
        float slope = a.gradient[at] * u.scale, m = a.moment1[at], w = a.online[at] * u.decay;
        m = m + (slope - m) * a.one_minus_beta1;
        float s = a.moment2[at] * a.beta2 + slope * slope * a.one_minus_beta2;
        w = w - u.step_size * m / (sqrtf(s) * u.inverse_root + a.epsilon);
        a.moment1[at] = m;
        a.moment2[at] = s;
        a.online[at] = w;
        if (u.ema == 1.f) {
            a.ema[at] = w;
        } else if (u.ema != 0.f) {
            float average = a.ema[at];
            a.ema[at] = average + (w - average) * u.ema;
        }
    }
}

extern "C" dd_status dd_cuda_launch_adamw(const dd_cuda_adamw *args, cudaStream_t stream)
{
    return DD_LAUNCH(adamw_kernel, dim3((unsigned)args->chunks, (unsigned)args->replicas), dim3(DD_BLOCK), stream,
                     *args);
}
