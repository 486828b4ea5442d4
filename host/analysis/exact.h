/* The run's network against the exact denoiser, timestep by timestep: by_timestep/excess_loss, excess_loss_error and
 * denoiser_error (run/excess.h) of the averaged parameters. Nothing is done for points from a file, whose distribution
 * is unknown.
 *
 *     dd_exact exact = {0};
 *     DD_TRY(dd_exact_create(scene, &exact));
 *     for (int t = 0; t < timesteps; t++)
 *         DD_TRY(dd_exact_add(scene, &exact, t, x, target, mixture));
 *     dd_exact_free(&exact);
 */
#ifndef DD_EXACT_H
#define DD_EXACT_H

#include "analysis/scene.h"
#include "run/excess.h"

typedef struct dd_exact {
    dd_truth truth;
    dd_oracle *oracle;                      /* NULL: unknown */
    float *excess, *error, *denoiser_error; /* [timesteps] of the analysis */
    dd_row_errors *row;                     /* [DD_EXACT_POINTS] */
} dd_exact;

/* How many of a timestep's points are compared: the first ones, at most DD_EXACT_POINTS, because the exact denoiser of
 * many dimensions takes longer than the network. */
enum { DD_EXACT_POINTS = 512 };

/* Make the arrays. */
DD_CHECKED dd_status dd_exact_create(dd_scene *scene, dd_exact *exact);

/* Fill timestep t. x, target [per_timestep][D] as dd_noise_point makes them; mixture [per_timestep][D]: the network's
 * prediction. */
DD_CHECKED dd_status dd_exact_add(const dd_scene *scene, dd_exact *exact, int t, const float *x, const float *target,
                                  const float *mixture);

void dd_exact_free(dd_exact *exact);

#endif
