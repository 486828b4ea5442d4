/* Finds the nearest region of a distribution of the plane. */
#include <math.h>
#include <stddef.h>

#include "data/plane.h"

/* Squared distance in standard deviations from x to the piece from a to b. */
static double to_piece(const double *a, const double *b, const double *x, const double *sigma)
{
    double along[2], from[2], square = 0., product = 0.;
    for (int c = 0; c < 2; c++) {
        along[c] = (b[c] - a[c]) / sigma[c];
        from[c] = (x[c] - a[c]) / sigma[c];
        square += along[c] * along[c];
        product += along[c] * from[c];
    }
    double place = square > 0. ? fmin(fmax(product / square, 0.), 1.) : 0.;
    double dx = from[0] - place * along[0], dy = from[1] - place * along[1];
    return dx * dx + dy * dy;
}

static double to_curve(const dd_plane *plane, const dd_region *r, const double *x)
{
    const dd_atom *atom = plane->atom + r->atom;
    double least = to_piece(atom[0].centre, atom[0].centre, x, r->size);
    for (int i = 1; i < r->atoms; i++)
        least = fmin(least, to_piece(atom[i - 1].centre, atom[i].centre, x, r->size));
    return sqrt(least);
}

static double length(double x, double y)
{
    return sqrt(x * x + y * y);
}

static double to_region(const dd_plane *plane, const dd_region *r, const double *x)
{
    double dx = x[0] - r->centre[0], dy = x[1] - r->centre[1];
    switch (r->kind) {
    case DD_REGION_GAUSSIAN:
        return length(dx / r->size[0], dy / r->size[1]);
    case DD_REGION_DISC:
        return fmax(length(dx, dy) - r->size[0], 0.);
    case DD_REGION_BOX:
        return length(fmax(fabs(dx) - r->size[0], 0.), fmax(fabs(dy) - r->size[1], 0.));
    case DD_REGION_CURVE:
        break;
    }
    return to_curve(plane, r, x);
}

int dd_plane_nearest(const dd_plane *plane, const double *x, double *distance)
{
    int best = 0;
    double least = INFINITY;
    for (int i = 0; i < plane->regions; i++) {
        const dd_region *r = &plane->region[i], *b = &plane->region[best];
        double d = to_region(plane, r, x);
        if (d < least || (d == least && length(x[0] - r->centre[0], x[1] - r->centre[1]) <
                                            length(x[0] - b->centre[0], x[1] - b->centre[1]))) {
            best = i;
            least = d;
        }
    }
    *distance = least;
    return best;
}
