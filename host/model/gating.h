/* From the gate's logits to the experts' weights, and back with a gradient. Host and device use these same functions.
 *
 * Two experts have one logit z and the weights sigmoid(z), 1 - sigmoid(z); K > 2 experts have K logits and their
 * softmax. A hard gate gives the expert of the greatest weight 1 (the first of equals) and the others 0; its gradient
 * is taken as if the weights were soft (the straight-through estimator of Bengio, Leonard & Courville 2013). A fixed
 * gate has no logits.
 */
#ifndef DD_GATING_H
#define DD_GATING_H

#include <math.h>
#include <stddef.h>

#include "base/host_device.h"
#include "config/config.h"

/* Number of logits of the gate for so many experts. It is also the number of stored weights: for two experts only that
 * of expert 1, for more all of them. */
static inline int dd_gates(int experts, dd_gate_kind kind)
{
    return experts == 1 || kind == DD_GATE_FIXED ? 0 : experts == 2 ? 1 : experts;
}

/* weight [experts] from logit [gates]; soft. */
static inline DD_HOST_DEVICE void dd_gate_soft(int experts, int gates, const float *logit, float *weight)
{
    if (gates == 0) {
        for (int k = 0; k < experts; k++)
            weight[k] = 1.f / (float)experts;
    } else if (gates == 1) {
        weight[0] = 1.f / (1.f + expf(-logit[0]));
        weight[1] = 1.f - weight[0];
    } else {
        float most = logit[0], sum = 0.f;
        for (int k = 1; k < experts; k++)
            most = logit[k] > most ? logit[k] : most;
        for (int k = 0; k < experts; k++) {
            weight[k] = expf(logit[k] - most);
            sum += weight[k];
        }
        for (int k = 0; k < experts; k++)
            weight[k] /= sum;
    }
}

/* All weights [n][experts] from the stored ones [n][gates]. A fixed gate has no stored weights. */
static inline void dd_gate_unfold(int experts, int gates, const float *stored, size_t n, float *weight)
{
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < experts; k++)
            weight[i * (size_t)experts + (size_t)k] = gates == 0  ? 1.f / (float)experts
                                                      : gates > 1 ? stored[i * (size_t)gates + (size_t)k]
                                                      : k == 0    ? stored[i]
                                                                  : 1.f - stored[i];
}

/* Turn soft weights into the weights that the mixture uses. */
static inline DD_HOST_DEVICE void dd_gate_use(dd_gate_kind kind, int experts, float *weight)
{
    if (kind != DD_GATE_HARD)
        return;
    int best = 0;
    for (int k = 1; k < experts; k++)
        best = weight[k] > weight[best] ? k : best;
    for (int k = 0; k < experts; k++) /* NaN stays NaN, so that the loss shows a broken gate */
        weight[k] = 0.f * weight[k] + (k == best ? 1.f : 0.f);
}

/* Gradient at the logits [gates] from the soft weights, the experts' outputs [experts][dimensions] and the gradient p
 * [dimensions] at their mixture; experts >= 2. A sum over coordinates starts with the first coordinate's term: a sum
 * from 0 would turn the -0 of rows beyond a batch's end into +0, and the optimiser keeps zeros. */
static inline DD_HOST_DEVICE void dd_gate_gradient(int gates, const float *soft, const float *expert, const float *p,
                                                   int dimensions, float *gradient)
{
    if (gates == 1) {
        float sum = p[0] * (expert[0] - expert[dimensions]);
        for (int c = 1; c < dimensions; c++)
            sum += p[c] * (expert[c] - expert[dimensions + c]);
        gradient[0] = sum * soft[0] * soft[1];
        return;
    }
    float mean = 0.f;
    for (int k = 0; k < gates; k++) {
        const float *own = expert + k * dimensions;
        gradient[k] = p[0] * own[0];
        for (int c = 1; c < dimensions; c++)
            gradient[k] += p[c] * own[c];
        mean += soft[k] * gradient[k];
    }
    for (int k = 0; k < gates; k++)
        gradient[k] = soft[k] * (gradient[k] - mean);
}

#endif
