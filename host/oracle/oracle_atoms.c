#include "oracle/oracle_atoms.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

enum {
    LEAF = 64,   /* most atoms of a block that is wide compared with the noise */
    NODES = 16,  /* most nodes along an axis */
    LEVELS = 14, /* each twice as wide as the one before */
};
static const double narrowest = .0078125; /* noise of the first level that replaces atoms */
static const double distance = 6.; /* in standard deviations; up to it the error of replacing is below tolerance */
static const double tolerance = 1e-10;

/* Smallest number of nodes for a box of half extent r standard deviations; NODES + 1 when they don't suffice. */
static int nodes_needed(double r)
{
    double error = distance * r; /* (z r)^q / (2^(q-1) q!) at q = 1 */
    int q = 1;
    for (; q <= NODES && error > tolerance; q++)
        error *= .5 * distance * r / (q + 1);
    return q;
}

/* ---- filling a level ---- */

typedef struct filling {
    const dd_plane *plane;
    dd_level *level;
    int class;
    double sigma[2]; /* standard deviation of the class with the level's noise */
    int failed;
} filling;

static dd_block *add_block(filling *f, int atoms)
{
    dd_level *l = f->level;
    int count = (atoms + DD_LANES - 1) / DD_LANES * DD_LANES;
    if (l->blocks == l->block_room) {
        int room = l->block_room ? 2 * l->block_room : 64;
        dd_block *longer = realloc(l->block, (size_t)room * sizeof *longer);
        if (!longer)
            return NULL;
        l->block = longer;
        l->block_room = room;
    }
    if (l->atoms + count > l->atom_room) {
        int room = 2 * l->atom_room + count;
        double **list[] = {&l->x, &l->y, &l->weight};
        for (int i = 0; i < 3; i++) {
            double *longer = realloc(*list[i], (size_t)room * sizeof *longer);
            if (!longer)
                return NULL;
            *list[i] = longer;
        }
        l->atom_room = room;
    }
    dd_block *block = &l->block[l->blocks++];
    *block = (dd_block){.class = f->class, .first = l->atoms, .count = count};
    l->atoms += count;
    return block;
}

static void set_atom(dd_level *l, int i, double x, double y, double weight)
{
    l->x[i] = x;
    l->y[i] = y;
    l->weight[i] = weight;
}

/* Chebyshev polynomials T_m, m < q, at u in [-1, 1]. */
static void chebyshev(int q, double u, double *value)
{
    for (int m = 0; m < q; m++)
        value[m] = m == 0 ? 1. : m == 1 ? u : 2. * u * value[m - 1] - value[m - 2];
}

/* One axis of a box: q nodes cos(pi (2 k + 1) / 2 q), and T_m there. */
typedef struct axis {
    int q;
    double middle, half;
    double node[NODES], at_node[NODES][NODES];
} axis;

static void axis_create(int q, double low, double high, axis *a)
{
    a->q = q;
    a->middle = .5 * (low + high);
    a->half = .5 * (high - low);
    for (int k = 0; k < q; k++) {
        a->node[k] = cos(M_PI * (2 * k + 1) / (2. * q));
        chebyshev(q, a->node[k], a->at_node[k]);
    }
}

/* L_k(u) = (1 + 2 sum over m = 1 .. q - 1 of T_m(node k) T_m(u)) / q, at coordinate x. */
static void basis(const axis *a, double x, double *value)
{
    double at_u[NODES];
    chebyshev(a->q, a->half > 0. ? (x - a->middle) / a->half : 0., at_u);
    for (int k = 0; k < a->q; k++) {
        double sum = .5;
        for (int m = 1; m < a->q; m++)
            sum += a->at_node[k][m] * at_u[m];
        value[k] = 2. * sum / a->q;
    }
}

static void interpolate(filling *f, const int *order, int count, const dd_block *box, const int q[2])
{
    axis x, y;
    double weight[NODES][NODES] = {{0}}, at_x[NODES], at_y[NODES];
    axis_create(q[0], box->low[0], box->high[0], &x);
    axis_create(q[1], box->low[1], box->high[1], &y);
    for (int i = 0; i < count; i++) {
        const dd_atom *a = &f->plane->atom[order[i]];
        basis(&x, a->centre[0], at_x);
        basis(&y, a->centre[1], at_y);
        for (int k = 0; k < x.q; k++)
            for (int l = 0; l < y.q; l++)
                weight[k][l] += a->weight * at_x[k] * at_y[l];
    }
    for (int k = 0; k < x.q; k++)
        for (int l = 0; l < y.q; l++)
            set_atom(f->level, box->first + k * y.q + l, x.middle + x.half * x.node[k], y.middle + y.half * y.node[l],
                     weight[k][l]);
}

static dd_status emit(filling *f, const int *order, int count, const dd_block *box, double weight, const int q[2])
{
    bool replaced = q[0] <= NODES && q[1] <= NODES && q[0] * q[1] < count;
    int atoms = replaced ? q[0] * q[1] : count;
    dd_block *block = add_block(f, atoms);
    if (!block)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the exact denoiser");
    memcpy(block->low, box->low, sizeof block->low);
    memcpy(block->high, box->high, sizeof block->high);
    block->log_weight = log(weight);
    if (replaced)
        interpolate(f, order, count, block, q);
    for (int i = 0; i < count && !replaced; i++) {
        const dd_atom *a = &f->plane->atom[order[i]];
        set_atom(f->level, block->first + i, a->centre[0], a->centre[1], a->weight);
    }
    for (int i = atoms; i < block->count; i++)
        set_atom(f->level, block->first + i, f->level->x[block->first], f->level->y[block->first], 0.);
    return DD_OK;
}

/* Where to cut atoms that are between low and high on an axis: in the middle of their widest gap, so that clusters stay
 * together, or, without a gap, in the middle of the box. */
static double cut_at(const dd_plane *plane, const int *order, int count, int axis, double low, double high)
{
    enum { BINS = 64 };
    int filled[BINS] = {0}, widest = 1, middle = BINS; /* in half bins */
    for (int i = 0; i < count; i++) {
        int bin = (int)(BINS * (plane->atom[order[i]].centre[axis] - low) / (high - low));
        filled[bin < BINS ? bin : BINS - 1] = 1;
    }
    for (int i = 0, run = 0; i < BINS; i++) {
        run = filled[i] ? 0 : run + 1;
        if (run > widest) {
            widest = run;
            middle = 2 * i + 2 - run;
        }
    }
    double cut = low + (high - low) * middle / (2 * BINS);
    return cut > low ? cut : high; /* both sides get atoms */
}

/* Move the atoms below `cut` to the front; returns how many they are. */
static int part(const dd_plane *plane, int *order, int count, int axis, double cut)
{
    int below = 0;
    for (int i = 0; i < count; i++)
        if (plane->atom[order[i]].centre[axis] < cut) {
            int swap = order[i];
            order[i] = order[below];
            order[below++] = swap;
        }
    return below;
}

/* Blocks of order[0 .. count), which is reordered. */
static dd_status fill(filling *f, int *order, int count)
{
    dd_block box = {.low = {INFINITY, INFINITY}, .high = {-INFINITY, -INFINITY}};
    double extent[2], weight = 0.;
    int q[2];
    for (int i = 0; i < count; i++) {
        const dd_atom *a = &f->plane->atom[order[i]];
        for (int c = 0; c < 2; c++) {
            box.low[c] = fmin(box.low[c], a->centre[c]);
            box.high[c] = fmax(box.high[c], a->centre[c]);
        }
        weight += a->weight;
    }
    for (int c = 0; c < 2; c++) {
        extent[c] = box.high[c] - box.low[c];
        q[c] = f->level->width > 0. ? nodes_needed(.5 * extent[c] / f->sigma[c]) : NODES + 1;
    }
    int axis = extent[1] / f->sigma[1] > extent[0] / f->sigma[0];
    if (count <= LEAF || extent[axis] == 0. || (q[0] <= NODES && q[1] <= NODES))
        return emit(f, order, count, &box, weight, q);
    double cut = cut_at(f->plane, order, count, axis, box.low[axis], box.high[axis]);
    int below = part(f->plane, order, count, axis, cut);
    DD_TRY(fill(f, order, below));
    return fill(f, order + below, count - below);
}

/* ---- classes ---- */

bool dd_atom_is_box(const dd_atom *a)
{
    return a->half[0] > 0. || a->half[1] > 0.;
}

/* Group the Gaussians by sigma, in order of appearance. */
static dd_status classify(const dd_plane *plane, dd_arrangement *a)
{
    size_t atoms = (size_t)plane->atoms;
    a->order = malloc((atoms + 1) * sizeof *a->order);
    a->class = malloc((atoms + 1) * sizeof *a->class);
    int *of = malloc((atoms + 1) * sizeof *of);
    if (!a->order || !a->class || !of) {
        free(of);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the exact denoiser");
    }
    for (int i = 0; i < plane->atoms; i++) {
        const double *sigma = plane->atom[i].sigma;
        of[i] = -1;
        if (dd_atom_is_box(&plane->atom[i]))
            continue;
        int c = 0;
        while (c < a->classes && (a->class[c].sigma[0] != sigma[0] || a->class[c].sigma[1] != sigma[1]))
            c++;
        if (c == a->classes)
            a->class[a->classes++] = (dd_class){.sigma = {sigma[0], sigma[1]}};
        of[i] = c;
    }
    int place = 0;
    for (int c = 0; c < a->classes; c++) {
        a->class[c].first = place;
        for (int i = 0; i < plane->atoms; i++)
            if (of[i] == c)
                a->order[place++] = i;
        a->class[c].count = place - a->class[c].first;
    }
    free(of);
    return DD_OK;
}

static dd_status fill_level(const dd_plane *plane, dd_arrangement *a, dd_level *level)
{
    for (int c = 0; c < a->classes; c++) {
        const dd_class *class = &a->class[c];
        filling f = {.plane = plane, .level = level, .class = c};
        for (int axis = 0; axis < 2; axis++)
            f.sigma[axis] = level->width > 0. ? hypot(class->sigma[axis], level->width) : 1.;
        DD_TRY(fill(&f, a->order + class->first, class->count));
    }
    return DD_OK;
}

dd_status dd_arrange(const dd_plane *plane, dd_arrangement *a)
{
    *a = (dd_arrangement){0};
    dd_status status = classify(plane, a);
    a->level = status ? NULL : calloc(LEVELS, sizeof *a->level);
    if (!status && !a->level)
        status = dd_fail(DD_ERR_MEMORY, "out of memory for the exact denoiser");
    for (int i = 0; i < LEVELS && !status; i++) {
        a->levels = i + 1;
        a->level[i].width = i ? ldexp(narrowest, i - 1) : 0.;
        status = fill_level(plane, a, &a->level[i]);
    }
    if (status)
        dd_arrangement_free(a);
    return status;
}

void dd_arrangement_free(dd_arrangement *a)
{
    for (int i = 0; i < a->levels; i++) {
        free(a->level[i].block);
        free(a->level[i].x);
        free(a->level[i].y);
        free(a->level[i].weight);
    }
    free(a->level);
    free(a->order);
    free(a->class);
    *a = (dd_arrangement){0};
}

const dd_level *dd_arrangement_level(const dd_arrangement *a, double width)
{
    int i = a->levels - 1;
    while (i > 0 && a->level[i].width > width)
        i--;
    return &a->level[i];
}
