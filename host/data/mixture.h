/* Gaussians in D dimensions, each with its own covariance: a dd_truth of kind DD_TRUTH_MIXTURE. */
#ifndef DD_MIXTURE_H
#define DD_MIXTURE_H

#include "base/error.h"
#include "data/generator.h"
#include "data/truth.h"

/* Make a mixture of so many components of `rank` axes in D dimensions, all of whose numbers are 0; the caller fills
 * them in. DD_ERR_MEMORY. */
DD_CHECKED dd_status dd_mixture_create(int components, int dimensions, int rank, dd_truth *truth);

/* Component k seen as x = signal u + noise e, u of the component, e ~ N(0, I): returns the logarithm of weight times
 * density at x (D). Its covariance is S = signal^2 covariance + noise^2 I, which must not be singular. Unless NULL:
 * *distance becomes the length of S^-1/2 (x - signal centre), mean_noise [D] E[e | x] = noise S^-1 (x - signal
 * centre). */
double dd_component_at(const dd_truth *truth, int k, double signal, double noise, const double *x, double *distance,
                       double *mean_noise);

/* Point i: component by weight, from word 0, 1 of block 0; then centre + covariance^1/2 e, e from block 4 on. */
void dd_mixture_draw(const dd_truth *truth, const dd_source *source, uint32_t i, double *x);

#endif
