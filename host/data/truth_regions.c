#include "data/truth_regions.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/dot.h"
#include "data/mixture.h"
#include "data/plane.h"

static const double off_outside = .02;

static dd_standing standing_of(double distance, double good, double off)
{
    return distance <= good ? DD_GOOD : distance > off ? DD_OFF : DD_BETWEEN;
}

static int region_of_plane(const dd_plane *plane, const double *x, dd_standing *standing)
{
    double distance;
    int region = dd_plane_nearest(plane, x, &distance);
    dd_region_kind kind = plane->region[region].kind;
    bool sigmas = kind == DD_REGION_GAUSSIAN || kind == DD_REGION_CURVE;
    *standing = standing_of(distance, sigmas ? DD_GOOD_SIGMAS : 0., sigmas ? DD_OFF_SIGMAS : off_outside);
    return region;
}

static int region_of_mixture(const dd_truth *truth, const double *x, dd_standing *standing)
{
    int best = 0;
    double most = -INFINITY, radius = 0.;
    for (int k = 0; k < truth->components; k++) {
        double distance, log_density = dd_component_at(truth, k, 1., 0., x, &distance, NULL);
        if (log_density > most) {
            most = log_density;
            best = k;
            radius = distance;
        }
    }
    *standing = standing_of(radius, truth->good, truth->off);
    return best;
}

/* Corner number r has coordinate c at +1 if bit c of r is set. */
static double corner(const dd_truth *truth, int region, int c)
{
    return c >= truth->sides ? 0. : region >> c & 1 ? 1. : -1.;
}

static int region_of_cube(const dd_truth *truth, const double *x, dd_standing *standing)
{
    int region = 0;
    double square = 0.;
    for (int c = 0; c < truth->sides; c++)
        region |= (x[c] > 0.) << c;
    for (int c = 0; c < truth->dimensions; c++) {
        double from = (x[c] - corner(truth, region, c)) / truth->sigma;
        square += from * from;
    }
    *standing = standing_of(sqrt(square), truth->good, truth->off);
    return region;
}

/* Coordinate number `row` of x in the rotated axes. */
static double along(const dd_truth *truth, int row, const double *x)
{
    return dd_dot(truth->rotation + (size_t)row * (size_t)truth->dimensions, x, truth->dimensions);
}

/* The standing of x in the directions outside of the plane; y: its coordinates in the plane. */
static dd_standing project(const dd_truth *truth, const double *x, double y[2])
{
    double square = 0.;
    for (int row = 0; row < 2; row++)
        y[row] = along(truth, row, x);
    for (int row = 2; row < truth->dimensions; row++) {
        double from = along(truth, row, x) / truth->sigma;
        square += from * from;
    }
    return standing_of(sqrt(square), truth->good, truth->off);
}

static int region_of_embedded(const dd_truth *truth, const double *x, dd_standing *standing)
{
    double y[2];
    dd_standing outside = project(truth, x, y);
    int region = region_of_plane(&truth->plane, y, standing);
    if (outside > *standing)
        *standing = outside;
    return region;
}

int dd_truth_region(const dd_truth *truth, const double *x, dd_standing *standing)
{
    switch (truth->kind) {
    case DD_TRUTH_PLANE:
        break;
    case DD_TRUTH_MIXTURE:
        return region_of_mixture(truth, x, standing);
    case DD_TRUTH_CUBE:
        return region_of_cube(truth, x, standing);
    case DD_TRUTH_EMBEDDED:
        return region_of_embedded(truth, x, standing);
    }
    return region_of_plane(&truth->plane, x, standing);
}

int dd_truth_regions(const dd_truth *truth)
{
    return truth->kind == DD_TRUTH_MIXTURE ? truth->components
           : truth->kind == DD_TRUTH_CUBE  ? 1 << truth->sides
                                           : truth->plane.regions;
}

double dd_truth_share(const dd_truth *truth, int region)
{
    return truth->kind == DD_TRUTH_MIXTURE ? truth->component[region].weight
           : truth->kind == DD_TRUTH_CUBE  ? ldexp(1., -truth->sides)
                                           : truth->plane.region[region].share;
}

void dd_truth_centre(const dd_truth *truth, int region, double *centre)
{
    for (int c = 0; c < truth->dimensions; c++)
        switch (truth->kind) {
        case DD_TRUTH_PLANE:
            centre[c] = truth->plane.region[region].centre[c];
            break;
        case DD_TRUTH_MIXTURE:
            centre[c] = truth->component[region].centre[c];
            break;
        case DD_TRUTH_CUBE:
            centre[c] = corner(truth, region, c);
            break;
        case DD_TRUTH_EMBEDDED:
            centre[c] = truth->plane.region[region].centre[0] * truth->rotation[c] +
                        truth->plane.region[region].centre[1] * truth->rotation[truth->dimensions + c];
            break;
        }
}

bool dd_truth_in_plane(const dd_truth *truth, const double *x, double y[2])
{
    if (truth->kind == DD_TRUTH_EMBEDDED)
        return project(truth, x, y) != DD_OFF;
    memcpy(y, x, 2 * sizeof *y);
    return true;
}
