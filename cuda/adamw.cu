/* Clip, AdamW (Loshchilov & Hutter 2019, as torch.optim.AdamW) and the moving average, in one pass over the
 * parameters. */
#include "launch.h"
#include "reduce.cuh"

/* The step of one number. */
static __device__ inline void update(const dd_cuda_adamw &a, const dd_cuda_update &u, float gradient, float &m,
                                     float &s, float &w)
{
    float slope = gradient * u.scale;
    w = w * u.decay;
    m = m + (slope - m) * a.one_minus_beta1;
    s = s * a.beta2 + slope * slope * a.one_minus_beta2;
    w = w - u.step_size * m / (sqrtf(s) * u.inverse_root + a.epsilon);
}

static __device__ inline float4 *four(float *vector, size_t at)
{
    return (float4 *)(vector + at);
}

/* Chunks begin and end at multiples of 4, so a thread takes four numbers at a time. Grid (chunks, R). */
static __global__ void adamw_kernel(const dd_cuda_adamw a)
{
    dd_grid_begin();
    const dd_cuda_chunk c = a.chunk[blockIdx.x];
    const dd_cuda_update u = a.update[blockIdx.y];
    size_t first = c.at + blockIdx.y * c.replica;
    for (int i = 4 * threadIdx.x; i < c.count; i += 4 * DD_BLOCK) {
        size_t at = first + i;
        float4 g = *(const float4 *)(a.gradient + at), m = *four(a.moment1, at), s = *four(a.moment2, at),
               w = *four(a.online, at);
        update(a, u, g.x, m.x, s.x, w.x);
        update(a, u, g.y, m.y, s.y, w.y);
        update(a, u, g.z, m.z, s.z, w.z);
        update(a, u, g.w, m.w, s.w, w.w);
        *four(a.moment1, at) = m;
        *four(a.moment2, at) = s;
        *four(a.online, at) = w;
        if (u.ema == 1.f) {
            *four(a.ema, at) = w;
        } else if (u.ema != 0.f) {
            float4 e = *four(a.ema, at);
            *four(a.ema, at) = make_float4(e.x + (w.x - e.x) * u.ema, e.y + (w.y - e.y) * u.ema,
                                           e.z + (w.z - e.z) * u.ema, e.w + (w.w - e.w) * u.ema);
        }
    }
}

extern "C" dd_status dd_cuda_launch_adamw(const dd_cuda_adamw *args, cudaStream_t stream)
{
    return DD_LAUNCH(adamw_kernel, dim3((unsigned)args->chunks, (unsigned)args->replicas), dim3(DD_BLOCK), stream,
                     *args);
}
