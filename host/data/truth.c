#include "data/truth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/chi.h"

void dd_truth_free(dd_truth *truth)
{
    free(truth->plane.region);
    free(truth->plane.atom);
    free(truth->memory);
    memset(truth, 0, sizeof *truth);
}

void dd_truth_radii(int degrees, double *good, double *off)
{
    bool plane = degrees == 2;
    *good = plane ? DD_GOOD_SIGMAS : dd_chi_radius(degrees, exp(-.5 * DD_GOOD_SIGMAS * DD_GOOD_SIGMAS));
    *off = plane ? DD_OFF_SIGMAS : dd_chi_radius(degrees, exp(-.5 * DD_OFF_SIGMAS * DD_OFF_SIGMAS));
}
