/* Modes captured, share on and off the support, total variation. */
#include "metrics/modes.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "config/config.h"
#include "data/truth_regions.h"

static const double captured_part = 5., reach = 3.;

/* Samples by region. */
typedef struct counts {
    uint32_t good, on; /* on: not off the support */
} counts;

/* Sample number i in float64. */
static void widen(const dd_truth *truth, const float *x, uint32_t i, double point[DD_MAX_DIMENSIONS])
{
    size_t dimensions = (size_t)truth->dimensions;
    for (size_t c = 0; c < dimensions; c++)
        point[c] = x[dimensions * i + c];
}

static void count(const dd_truth *truth, const float *x, uint32_t n, counts *c)
{
    for (uint32_t i = 0; i < n; i++) {
        double point[DD_MAX_DIMENSIONS];
        dd_standing standing;
        widen(truth, x, i, point);
        int r = dd_truth_region(truth, point, &standing);
        c[r].good += standing == DD_GOOD;
        c[r].on += standing != DD_OFF;
    }
}

/* ---- cells ---- */

typedef struct grid {
    double low[2], step[2];
} grid;

/* Edge number i of the DD_CELLS + 1 edges along an axis. */
static double edge(const grid *g, int axis, int i)
{
    return g->low[axis] + i * g->step[axis];
}

static grid bounding_grid(const dd_plane *plane)
{
    grid g;
    for (int axis = 0; axis < 2; axis++) {
        double low = INFINITY, high = -INFINITY;
        for (int i = 0; i < plane->atoms; i++) {
            const dd_atom *a = &plane->atom[i];
            double beyond = reach * a->sigma[axis] + a->half[axis];
            low = fmin(low, a->centre[axis] - beyond);
            high = fmax(high, a->centre[axis] + beyond);
        }
        g.low[axis] = low;
        g.step[axis] = (high - low) / DD_CELLS;
    }
    return g;
}

/* Share of an atom's mass below z along an axis. */
static double below(const dd_atom *a, int axis, double z)
{
    double from = z - a->centre[axis];
    if (a->sigma[axis] > 0.)
        return .5 * erfc(-from / (a->sigma[axis] * sqrt(2.)));
    if (a->half[axis] > 0.)
        return fmin(fmax(.5 + .5 * from / a->half[axis], 0.), 1.);
    return from > 0.;
}

/* True shares of the cells, [DD_CELLS * DD_CELLS]. An atom's coordinates are independent, so its mass in a cell is the
 * product of its masses in two intervals. */
static void true_shares(const dd_plane *plane, const grid *g, double *share)
{
    for (int i = 0; i < plane->atoms; i++) {
        const dd_atom *a = &plane->atom[i];
        double part[2][DD_CELLS];
        for (int axis = 0; axis < 2; axis++)
            for (int j = 0; j < DD_CELLS; j++)
                part[axis][j] = below(a, axis, edge(g, axis, j + 1)) - below(a, axis, edge(g, axis, j));
        for (int j = 0; j < DD_CELLS; j++)
            for (int k = 0; k < DD_CELLS; k++)
                share[j * DD_CELLS + k] += a->weight * part[0][j] * part[1][k];
    }
}

/* The number of the cell of x; DD_CELLS * DD_CELLS if x is outside the box. */
static int cell_of(const grid *g, const double x[2])
{
    int at[2];
    for (int axis = 0; axis < 2; axis++) {
        double place = (x[axis] - g->low[axis]) / g->step[axis];
        if (!(place >= 0. && place < DD_CELLS))
            return DD_CELLS * DD_CELLS;
        at[axis] = (int)place;
    }
    return at[0] * DD_CELLS + at[1];
}

static double variation_of_cells(const dd_truth *truth, const float *x, uint32_t n)
{
    enum { CELLS = DD_CELLS * DD_CELLS };
    double share[CELLS + 1] = {0.}, inside = 0., sum = 0.;
    uint32_t samples[CELLS + 1] = {0};
    grid g = bounding_grid(&truth->plane);
    true_shares(&truth->plane, &g, share);
    for (int i = 0; i < CELLS; i++)
        inside += share[i];
    share[CELLS] = fmax(1. - inside, 0.);
    for (uint32_t i = 0; i < n; i++) {
        double point[DD_MAX_DIMENSIONS], y[2];
        widen(truth, x, i, point);
        samples[dd_truth_in_plane(truth, point, y) ? cell_of(&g, y) : CELLS]++;
    }
    for (int i = 0; i <= CELLS; i++)
        sum += fabs((double)samples[i] / n - share[i]);
    return .5 * sum;
}

/* ---- all ---- */

dd_status dd_modes_measure(const dd_truth *truth, const float *x, uint32_t n, dd_modes *modes)
{
    int regions = dd_truth_regions(truth);
    counts *c = calloc((size_t)regions, sizeof *c);
    if (!c)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d modes", regions);
    count(truth, x, n, c);
    uint32_t good = 0, on = 0;
    int captured = 0;
    double sum = 0.;
    for (int r = 0; r < regions; r++) {
        double share = dd_truth_share(truth, r);
        good += c[r].good;
        on += c[r].on;
        captured += c[r].good > 0 && c[r].good * captured_part >= share * n;
        sum += fabs((double)c[r].on / n - share);
    }
    free(c);
    double off = (double)(n - on) / n;
    *modes = (dd_modes){.modes = truth->countable ? (double)regions : NAN,
                        .captured = truth->countable ? (double)captured : NAN,
                        .high_quality = (double)good / n,
                        .off_support = off,
                        .total_variation = truth->countable ? .5 * (sum + off) : variation_of_cells(truth, x, n)};
    return DD_OK;
}
