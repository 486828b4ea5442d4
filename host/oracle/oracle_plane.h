/* The exact denoiser of a distribution of the plane: a sum over its atoms (oracle.h has the formulas). */
#ifndef DD_ORACLE_PLANE_H
#define DD_ORACLE_PLANE_H

#include "base/error.h"
#include "data/truth.h"

typedef struct dd_plane_oracle dd_plane_oracle;

/* Copies what it needs of the plane. DD_ERR_MEMORY. */
DD_CHECKED dd_status dd_plane_oracle_create(const dd_plane *plane, dd_plane_oracle **oracle);
void dd_plane_oracle_destroy(dd_plane_oracle *oracle);

/* Memory for one thread's work. */
typedef struct dd_lens dd_lens;
DD_CHECKED dd_status dd_lens_create(const dd_plane_oracle *oracle, dd_lens **lens);
void dd_lens_destroy(dd_lens *lens);

/* x_t = signal x_0 + noise_level eps: E[eps | x_t = x] and, unless NULL, the log density of x_t at x. x, noise (n, 2);
 * log_density (n). */
void dd_lens_predict(dd_lens *lens, double signal, double noise_level, const double *x, int n, double *noise,
                     double *log_density);

#endif
