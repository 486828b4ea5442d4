#include "oracle/oracle_plane.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "oracle/oracle_atoms.h"
#include "oracle/oracle_box.h"
#include "oracle/oracle_sum.h"

/* Blocks that together weigh less than this are left out. */
static const double negligible = 1e-13;
/* Exponent (8 standard deviations) above which replaced atoms are not precise enough. */
static const double far_out = 32.;
static const double log_2pi = 1.83787706640934548356;

struct dd_plane_oracle {
    dd_arrangement arrangement; /* the Gaussians */
    int boxes, most_blocks;
    dd_atom *box;
};

/* One noise level, and memory for one thread's work. */
struct dd_lens {
    const dd_plane_oracle *oracle;
    double signal, noise;
    dd_sum_at *at;      /* [classes] x is filled in for each point */
    double *log_factor; /* [classes] factor of a Gaussian's density before its exponential */
    double *bound;      /* [most_blocks] logarithm of the largest sum that a block can add */
    double *box;        /* [boxes][3] log density, E[eps | x_t] */
    void *memory;
};

void dd_plane_oracle_destroy(dd_plane_oracle *oracle)
{
    if (!oracle)
        return;
    dd_arrangement_free(&oracle->arrangement);
    free(oracle->box);
    free(oracle);
}

dd_status dd_plane_oracle_create(const dd_plane *plane, dd_plane_oracle **out)
{
    *out = NULL;
    dd_plane_oracle *o = calloc(1, sizeof *o);
    dd_atom *box = malloc(((size_t)plane->atoms + 1) * sizeof *box);
    if (!o || !box) {
        free(o);
        free(box);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the exact denoiser");
    }
    o->box = box;
    for (int i = 0; i < plane->atoms; i++)
        if (dd_atom_is_box(&plane->atom[i]))
            o->box[o->boxes++] = plane->atom[i];
    dd_status status = dd_arrange(plane, &o->arrangement);
    if (status) {
        dd_plane_oracle_destroy(o);
        return status;
    }
    for (int i = 0; i < o->arrangement.levels; i++)
        if (o->arrangement.level[i].blocks > o->most_blocks)
            o->most_blocks = o->arrangement.level[i].blocks;
    *out = o;
    return DD_OK;
}

/* ---- the denoiser ---- */

static void take_arrays(const dd_plane_oracle *o, dd_lens *l, dd_arena *arena)
{
    DD_TAKE(arena, l->at, (size_t)o->arrangement.classes);
    DD_TAKE(arena, l->log_factor, (size_t)o->arrangement.classes);
    DD_TAKE(arena, l->bound, (size_t)o->most_blocks);
    DD_TAKE(arena, l->box, 3 * (size_t)o->boxes);
}

dd_status dd_lens_create(const dd_plane_oracle *oracle, dd_lens **out)
{
    dd_arena arena = {0};
    dd_lens *l = calloc(1, sizeof *l);
    *out = l;
    if (!l)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the exact denoiser");
    l->oracle = oracle;
    take_arrays(oracle, l, &arena);
    l->memory = dd_arena_allocate(&arena);
    if (!l->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the exact denoiser");
    take_arrays(oracle, l, &arena);
    return DD_OK;
}

void dd_lens_destroy(dd_lens *l)
{
    if (!l)
        return;
    free(l->memory);
    free(l);
}

static void lens_set(dd_lens *l, double signal, double noise)
{
    l->signal = signal;
    l->noise = noise;
    for (int c = 0; c < l->oracle->arrangement.classes; c++) {
        l->at[c].signal = l->signal;
        l->log_factor[c] = -log_2pi;
        for (int axis = 0; axis < 2; axis++) {
            double spread = hypot(l->signal * l->oracle->arrangement.class[c].sigma[axis], l->noise);
            l->at[c].rate[axis] = .5 / (spread * spread);
            l->log_factor[c] -= log(spread);
        }
    }
}

/* Smallest and largest exponent that an atom in the block's box can have. */
static void exponents(const dd_block *b, const dd_sum_at *at, double *least, double *greatest)
{
    *least = *greatest = 0.;
    for (int c = 0; c < 2; c++) {
        double below = at->signal * b->low[c] - at->x[c], above = at->x[c] - at->signal * b->high[c];
        double near = below > 0. ? below : above > 0. ? above : 0., far = below < above ? below : above;
        *least += at->rate[c] * near * near;
        *greatest += at->rate[c] * far * far;
    }
}

/* Fill l->box for x: the logarithm of each box's density, and E[eps | x_t = x] of that box. Returns the greatest
 * logarithm. */
static double fill_boxes(dd_lens *l, const double *x)
{
    double top = -INFINITY;
    for (int i = 0; i < l->oracle->boxes; i++) {
        const dd_atom *b = &l->oracle->box[i];
        double *term = l->box + 3 * i;
        term[0] = log(b->weight);
        for (int c = 0; c < 2; c++)
            term[0] += dd_interval(x[c], b->centre[c], b->half[c], l->signal, l->noise, term + 1 + c);
        top = fmax(top, term[0]);
    }
    return top;
}

/* Fill l->bound from the blocks' boxes. *certain becomes a logarithm that the largest density certainly reaches, if it
 * is greater than before. Returns the least exponent that any atom can have. */
static double bound_blocks(dd_lens *l, const dd_level *level, double *certain)
{
    double reached = *certain, nearest = INFINITY;
    for (int i = 0; i < level->blocks; i++) {
        const dd_block *b = &level->block[i];
        double least, greatest, factor = l->log_factor[b->class] + b->log_weight;
        exponents(b, &l->at[b->class], &least, &greatest);
        l->bound[i] = factor - least;
        reached = factor - greatest > reached ? factor - greatest : reached;
        nearest = least < nearest ? least : nearest;
    }
    *certain = reached;
    return nearest;
}

/* Replace the bounds that are not below the cut by those from the atoms themselves. Returns the greatest of them, or
 * `top` if that is greater. */
static double tighten_bounds(dd_lens *l, const dd_level *level, double cut, double top)
{
    for (int i = 0; i < level->blocks; i++) {
        const dd_block *b = &level->block[i];
        if (l->bound[i] < cut)
            continue;
        l->bound[i] = l->log_factor[b->class] + b->log_weight - dd_sum_least(level, b, &l->at[b->class]);
        top = fmax(top, l->bound[i]);
    }
    return top;
}

/* The density at x and its product with E[eps | x_t = x], both divided by exp(top). */
typedef struct sums {
    double density, noise[2];
} sums;

static void add_blocks(const dd_lens *l, const dd_level *level, double cut, double top, sums *s)
{
    for (int i = 0; i < level->blocks; i++) {
        const dd_block *b = &level->block[i];
        if (l->bound[i] < cut)
            continue;
        double part[3] = {0., 0., 0.};
        const dd_sum_at *at = &l->at[b->class];
        dd_sum_block(level, b, at, l->log_factor[b->class] - top, part);
        s->density += part[0];
        for (int c = 0; c < 2; c++)
            s->noise[c] += 2. * l->noise * at->rate[c] * part[1 + c];
    }
}

static void add_boxes(const dd_lens *l, double top, sums *s)
{
    for (int i = 0; i < l->oracle->boxes; i++) {
        double weight = exp(l->box[3 * i] - top);
        s->density += weight;
        for (int c = 0; c < 2; c++)
            s->noise[c] += weight * l->box[3 * i + 1 + c];
    }
}

/* E[eps | x_t = x] and the log density with the atoms of one level. Returns false if x is too far away for this level.
 */
static bool predict_point(dd_lens *l, const dd_level *level, const double *x, double *noise, double *log_density)
{
    for (int c = 0; c < l->oracle->arrangement.classes; c++)
        memcpy(l->at[c].x, x, sizeof l->at[c].x);
    double top = fill_boxes(l, x), certain = top, nearest = bound_blocks(l, level, &certain);
    if (level->width > 0. && nearest > far_out)
        return false;
    double cut = certain + log(negligible / (level->blocks + 1.));
    top = tighten_bounds(l, level, cut, top);
    sums s = {0., {0., 0.}};
    add_blocks(l, level, cut, top, &s);
    add_boxes(l, top, &s);
    for (int c = 0; c < 2; c++)
        noise[c] = s.noise[c] / s.density;
    if (log_density)
        *log_density = top + log(s.density);
    return true;
}

void dd_lens_predict(dd_lens *l, double signal, double noise_level, const double *x, int n, double *noise,
                     double *log_density)
{
    const dd_arrangement *a = &l->oracle->arrangement;
    lens_set(l, signal, noise_level);
    const dd_level *level = dd_arrangement_level(a, l->signal > 0. ? l->noise / l->signal : INFINITY);
    for (int i = 0; i < n; i++) {
        double *log_of = log_density ? log_density + i : NULL;
        if (!predict_point(l, level, x + 2 * i, noise + 2 * i, log_of))
            predict_point(l, &a->level[0], x + 2 * i, noise + 2 * i, log_of);
    }
}
