/* The embedded input of the networks for one point, written by one warp. */
#ifndef DD_CUDA_EMBEDDING_CUH
#define DD_CUDA_EMBEDDING_CUH

#include "launch.h"
#include "reduce.cuh"
#include "trigonometry.cuh"

static __device__ inline void dd_cuda_embed_coordinates(const dd_cuda_embedding &e, const float *x, int lane,
                                                        float *embedded)
{
    int half = e.width / 2;
    for (int i = lane; i < half; i += DD_WARP) {
        float frequency = e.frequency[i], low = e.frequency_low[i], sine, cosine;
        for (int c = 0; c < e.dimensions; c++) {
            dd_sine_cosine(x[c], frequency, low, &sine, &cosine);
            embedded[2 * c * half + i] = sine;
            embedded[(2 * c + 1) * half + i] = cosine;
        }
    }
}

/* The products with the directions are sums in float64, as on the CPU: one of several hundred, rounded to float32,
 * would change the sine. */
static __device__ inline void dd_cuda_embed_features(const dd_cuda_embedding &e, int r, const float *x, int lane,
                                                     float *embedded)
{
    int half = e.x_width / 2;
    const double *direction = e.direction + (size_t)r * e.dimensions * half;
    for (int i = lane; i < half; i += DD_WARP) {
        double turns = 0.;
        for (int c = 0; c < e.dimensions; c++)
            turns += direction[(size_t)c * half + i] * x[c];
        float high = (float)turns, sine, cosine;
        dd_sine_cosine(1.f, high, (float)(turns - high), &sine, &cosine);
        embedded[i] = sine;
        embedded[half + i] = cosine;
    }
}

/* Fills embedded [input] from a point x [D] of replica r. Without a table of emb(t), the part emb(t) is not changed.
 * Every lane must call it with the same x, which all lanes can read. */
static __device__ inline void dd_cuda_embed_row(const dd_cuda_embedding &e, int r, const float *x, int t, int lane,
                                                float *embedded)
{
    switch (e.kind) {
    case DD_EMBED_SINUSOIDAL:
        dd_cuda_embed_coordinates(e, x, lane, embedded);
        break;
    case DD_EMBED_FOURIER:
        dd_cuda_embed_features(e, r, x, lane, embedded);
        break;
    case DD_EMBED_LINEAR:
        for (int c = lane; c < e.dimensions; c += DD_WARP)
            embedded[c] = x[c];
        break;
    }
    if (!e.time)
        return;
    const float *time = e.time + (size_t)t * e.width;
    for (int i = lane; i < e.width; i += DD_WARP)
        embedded[e.x_width + i] = time[i];
}

#endif
