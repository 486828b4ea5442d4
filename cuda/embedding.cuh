/* The embedded input of the networks for one point, written by one warp. */
#ifndef DD_CUDA_EMBEDDING_CUH
#define DD_CUDA_EMBEDDING_CUH

#include "launch.h"
#include "trigonometry.cuh"

/* Fills embedded [3 * width]. Without a table of emb(t), the part emb(t) is not changed. Every lane must call it with
 * the same point.
 */
static __device__ inline void dd_cuda_embed_row(const dd_cuda_embedding &e, float x0, float x1, int t, int lane,
                                                float *embedded)
{
    int half = e.width / 2;
    for (int i = lane; i < half; i += 32) {
        float frequency = e.frequency[i], low = e.frequency_low[i], sine, cosine;
        dd_sine_cosine(x0, frequency, low, &sine, &cosine);
        embedded[i] = sine;
        embedded[half + i] = cosine;
        dd_sine_cosine(x1, frequency, low, &sine, &cosine);
        embedded[2 * half + i] = sine;
        embedded[3 * half + i] = cosine;
    }
    if (!e.time)
        return;
    const float *time = e.time + (size_t)t * e.width;
    for (int i = lane; i < e.width; i += 32)
        embedded[2 * e.width + i] = time[i];
}

#endif
