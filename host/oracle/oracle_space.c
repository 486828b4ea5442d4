#define _GNU_SOURCE /* M_PI */
#include "oracle/oracle_space.h"

#include <math.h>
#include <stddef.h>

#include "data/mixture.h"

double dd_mixture_predict(const dd_truth *t, double signal, double noise_level, const double *x, double *work,
                          double *noise)
{
    double *log_weight = work, *of = work + t->components, top = -INFINITY, total = 0.;
    for (int k = 0; k < t->components; k++) {
        log_weight[k] = dd_component_at(t, k, signal, noise_level, x, NULL, of + (size_t)k * (size_t)t->dimensions);
        top = fmax(top, log_weight[k]);
    }
    for (int c = 0; c < t->dimensions; c++)
        noise[c] = 0.;
    for (int k = 0; k < t->components; k++) {
        double weight = exp(log_weight[k] - top);
        total += weight;
        for (int c = 0; c < t->dimensions; c++)
            noise[c] += weight * of[(size_t)k * (size_t)t->dimensions + (size_t)c];
    }
    for (int c = 0; c < t->dimensions; c++)
        noise[c] /= total;
    return top + log(total);
}

double dd_cube_predict(const dd_truth *t, double signal, double noise_level, const double *x, double *noise)
{
    double variance = signal * signal * t->sigma * t->sigma + noise_level * noise_level, sum = 0.;
    for (int c = 0; c < t->dimensions; c++) {
        double side = c < t->sides ? signal : 0., product = fabs(side * x[c] / variance);
        noise[c] = noise_level * (x[c] - side * tanh(side * x[c] / variance)) / variance;
        sum += product + log1p(exp(-2. * product)) - M_LN2; /* log cosh, which does not overflow */
        sum -= .5 * ((x[c] * x[c] + side * side) / variance + log(2. * M_PI * variance));
    }
    return sum;
}
