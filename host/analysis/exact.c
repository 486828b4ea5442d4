#include "analysis/exact.h"

#include <stdlib.h>

#include "base/statistics.h"
#include "data/dataset.h"

static dd_status make_arrays(dd_scene *s, dd_exact *e)
{
    DD_TRY(dd_scene_array(s, "by_timestep/excess_loss", 1, &s->timestep, "1",
                          "loss_gated - that of the exact denoiser, on up to 512 of its points", &e->excess));
    DD_TRY(dd_scene_array(s, "by_timestep/excess_loss_error", 1, &s->timestep, "1", "standard error of excess_loss",
                          &e->error));
    return dd_scene_array(s, "by_timestep/denoiser_error", 1, &s->timestep, "1",
                          "mean squared distance of the network's noise and the exact denoiser's, on the same points",
                          &e->denoiser_error);
}

dd_status dd_exact_create(dd_scene *s, dd_exact *e)
{
    if (!s->fresh.generated)
        return DD_OK;
    DD_TRY(dd_points_truth(&s->fresh, &e->truth));
    DD_TRY(dd_oracle_create(&e->truth, &s->stored->schedule, &e->oracle));
    e->row = malloc(DD_EXACT_POINTS * sizeof *e->row);
    return e->row ? make_arrays(s, e) : dd_fail(DD_ERR_MEMORY, "out of memory for %d points", DD_EXACT_POINTS);
}

void dd_exact_free(dd_exact *e)
{
    dd_oracle_destroy(e->oracle);
    dd_truth_free(&e->truth);
    free(e->row);
}

dd_status dd_exact_add(const dd_scene *s, dd_exact *e, int t, const float *x, const float *target, const float *mixture)
{
    uint32_t n = s->per_timestep < DD_EXACT_POINTS ? s->per_timestep : DD_EXACT_POINTS;
    double excess[DD_EXACT_POINTS], apart = 0., scale = 1. / s->dimensions;
    if (!e->oracle)
        return DD_OK;
    DD_TRY(dd_excess_rows(e->oracle, &s->stored->schedule, dd_backend_pool(s->stored->backend), t, s->dimensions, n, x,
                          target, mixture, e->row));
    for (uint32_t i = 0; i < n; i++) {
        excess[i] = scale * (e->row[i].network - e->row[i].exact);
        apart += scale * e->row[i].apart;
    }
    dd_summary found = dd_summarise(excess, (int)n, sizeof *excess);
    e->excess[t] = (float)found.mean;
    e->error[t] = (float)found.standard_error;
    e->denoiser_error[t] = (float)(apart / n);
    return DD_OK;
}
