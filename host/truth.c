/* Making, searching and freeing what is known of a dataset. */
#include "truth.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset.h"
#include "error.h"
#include "generators.h"
#include "truth_build.h"

/* ---- building ---- */

/* Room for one more of `size` bytes behind `count`; the list, or NULL when memory is out. */
static void *grow(void *list, int count, int *room, size_t size)
{
    if (count < *room)
        return list;
    int more = *room ? 2 * *room : 32;
    void *longer = realloc(list, (size_t)more * size);
    if (longer)
        *room = more;
    return longer;
}

void dd_build_region(dd_truth_builder *b, dd_region_kind kind, const double centre[2], const double size[2],
                     double share)
{
    dd_truth *t = b->truth;
    dd_region *longer = b->failed ? NULL : grow(t->region, t->regions, &b->region_room, sizeof *longer);
    if (!longer) {
        b->failed = 1;
        return;
    }
    t->region = longer;
    t->region[t->regions++] = (dd_region){
        .kind = kind, .centre = {centre[0], centre[1]}, .size = {size[0], size[1]}, .share = share, .atom = t->atoms};
}

void dd_build_atom(dd_truth_builder *b, const double centre[2], const double sigma[2], const double half[2],
                   double weight)
{
    dd_truth *t = b->truth;
    dd_atom *longer = b->failed ? NULL : grow(t->atom, t->atoms, &b->atom_room, sizeof *longer);
    if (!longer) {
        b->failed = 1;
        return;
    }
    t->atom = longer;
    t->atom[t->atoms++] = (dd_atom){{centre[0], centre[1]}, {sigma[0], sigma[1]}, {half[0], half[1]}, weight};
    t->region[t->regions - 1].atoms++;
}

/* Newton's iteration on the Legendre polynomial P_n, from Tricomi's estimate of its roots. */
void dd_gauss_legendre(int n, double node[DD_MOST_NODES], double weight[DD_MOST_NODES])
{
    for (int i = 0; i < n; i++) {
        double x = -cos(3.14159265358979323846 * (i + .75) / (n + .5)), slope = 1.;
        for (int iteration = 0; iteration < 8; iteration++) {
            double p = 1., before = 0.;
            for (int k = 1; k <= n; k++) {
                double next = ((2. * k - 1.) * x * p - (k - 1.) * before) / k;
                before = p;
                p = next;
            }
            slope = n * (x * p - before) / (x * x - 1.);
            x -= p / slope;
        }
        node[i] = x;
        weight[i] = 2. / ((1. - x * x) * slope * slope);
    }
}

/* ---- the public functions ---- */

int dd_truth_create(const char *name, dd_truth *truth)
{
    memset(truth, 0, sizeof *truth);
    const dd_generator_info *generator = dd_generator_find(name);
    if (!generator) {
        char near[200];
        dd_near_datasets(name, near);
        return dd_fail(DD_ERR_CONFIG, "'%s' is not one of the generated datasets, whose distribution is known%s%s%s",
                       name, *near ? "; did you mean " : "", near, *near ? "?" : "");
    }
    snprintf(truth->name, sizeof truth->name, "%s", name);
    truth->countable = generator->countable;
    dd_truth_builder b = {.truth = truth};
    generator->build(&b, generator->drawing);
    if (b.failed) {
        dd_truth_free(truth);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the distribution of %s", name);
    }
    return DD_OK;
}

void dd_truth_free(dd_truth *truth)
{
    free(truth->region);
    free(truth->atom);
    truth->region = NULL;
    truth->atom = NULL;
    truth->regions = truth->atoms = 0;
}

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

static double to_curve(const dd_truth *truth, const dd_region *r, const double *x)
{
    const dd_atom *atom = truth->atom + r->atom;
    double least = to_piece(atom[0].centre, atom[0].centre, x, r->size);
    for (int i = 1; i < r->atoms; i++)
        least = fmin(least, to_piece(atom[i - 1].centre, atom[i].centre, x, r->size));
    return sqrt(least);
}

static double length(double x, double y)
{
    return sqrt(x * x + y * y);
}

static double to_region(const dd_truth *truth, const dd_region *r, const double *x)
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
    return to_curve(truth, r, x);
}

int dd_truth_nearest(const dd_truth *truth, const double *x, double *distance)
{
    int best = 0;
    double least = INFINITY;
    for (int i = 0; i < truth->regions; i++) {
        const dd_region *r = &truth->region[i], *b = &truth->region[best];
        double d = to_region(truth, r, x);
        if (d < least || (d == least && length(x[0] - r->centre[0], x[1] - r->centre[1]) <
                                            length(x[0] - b->centre[0], x[1] - b->centre[1]))) {
            best = i;
            least = d;
        }
    }
    *distance = least;
    return best;
}
