#include "oracle/oracle.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/philox.h"
#include "base/pool.h"
#include "oracle/oracle_atoms.h"
#include "oracle/oracle_box.h"
#include "oracle/oracle_sum.h"

enum { CHUNK = 64 }; /* points that go through the timesteps together */

/* Blocks that together weigh less than this are left out. */
static const double negligible = 1e-13;
/* Exponent (8 standard deviations) above which replaced atoms are not precise enough. */
static const double far_out = 32.;
static const double log_2pi = 1.83787706640934548356;

struct dd_oracle {
    const dd_schedule *schedule;
    dd_arrangement arrangement; /* the Gaussians */
    int boxes, most_blocks;
    dd_atom *box;
    double mean[2]; /* of the distribution */
};

/* One timestep, and memory for one thread's work. */
typedef struct lens {
    const dd_oracle *oracle;
    double signal, noise;
    dd_sum_at *at;      /* [classes] x is filled in for each point */
    double *log_factor; /* [classes] factor of a Gaussian's density before its exponential */
    double *bound;      /* [most_blocks] logarithm of the largest sum that a block can add */
    double *box;        /* [boxes][3] log density, E[eps | x_t] */
    void *memory;
} lens;

void dd_oracle_destroy(dd_oracle *oracle)
{
    if (!oracle)
        return;
    dd_arrangement_free(&oracle->arrangement);
    free(oracle->box);
    free(oracle);
}

/* List the boxes, and the mean of the whole distribution. */
static void list_boxes(const dd_plane *plane, dd_oracle *o)
{
    for (int i = 0; i < plane->atoms; i++) {
        if (dd_atom_is_box(&plane->atom[i]))
            o->box[o->boxes++] = plane->atom[i];
        for (int c = 0; c < 2; c++)
            o->mean[c] += plane->atom[i].weight * plane->atom[i].centre[c];
    }
}

dd_status dd_oracle_create(const dd_truth *truth, const dd_schedule *schedule, dd_oracle **out)
{
    *out = NULL;
    dd_oracle *o = calloc(1, sizeof *o);
    dd_atom *box = malloc(((size_t)truth->plane.atoms + 1) * sizeof *box);
    if (!o || !box) {
        free(o);
        free(box);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the distribution of %s", truth->name);
    }
    o->schedule = schedule;
    o->box = box;
    list_boxes(&truth->plane, o);
    dd_status status = dd_arrange(&truth->plane, &o->arrangement);
    if (status) {
        dd_oracle_destroy(o);
        return status;
    }
    for (int i = 0; i < o->arrangement.levels; i++)
        if (o->arrangement.level[i].blocks > o->most_blocks)
            o->most_blocks = o->arrangement.level[i].blocks;
    *out = o;
    return DD_OK;
}

/* ---- the denoiser ---- */

static void take_arrays(const dd_oracle *o, lens *l, dd_arena *arena)
{
    DD_TAKE(arena, l->at, (size_t)o->arrangement.classes);
    DD_TAKE(arena, l->log_factor, (size_t)o->arrangement.classes);
    DD_TAKE(arena, l->bound, (size_t)o->most_blocks);
    DD_TAKE(arena, l->box, 3 * (size_t)o->boxes);
}

static dd_status lens_create(const dd_oracle *o, lens *l)
{
    dd_arena arena = {0};
    l->oracle = o;
    take_arrays(o, l, &arena);
    l->memory = dd_arena_allocate(&arena);
    if (!l->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the exact denoiser");
    take_arrays(o, l, &arena);
    return DD_OK;
}

static void lens_set(lens *l, int t)
{
    double alpha_bar = l->oracle->schedule->alpha_bar[t];
    l->signal = sqrt(alpha_bar);
    l->noise = sqrt(1. - alpha_bar);
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
static double fill_boxes(lens *l, const double *x)
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
static double bound_blocks(lens *l, const dd_level *level, double *certain)
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
static double tighten_bounds(lens *l, const dd_level *level, double cut, double top)
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

static void add_blocks(const lens *l, const dd_level *level, double cut, double top, sums *s)
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

static void add_boxes(const lens *l, double top, sums *s)
{
    for (int i = 0; i < l->oracle->boxes; i++) {
        double weight = exp(l->box[3 * i] - top);
        s->density += weight;
        for (int c = 0; c < 2; c++)
            s->noise[c] += weight * l->box[3 * i + 1 + c];
    }
}

/* E[eps | x_t = x] with the atoms of one level. Returns false if x is too far away for this level. */
static bool predict_point(lens *l, const dd_level *level, const double *x, double *noise)
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
    return true;
}

/* n points at timestep t. */
static void predict(lens *l, int t, const double *x, int n, double *noise)
{
    const dd_arrangement *a = &l->oracle->arrangement;
    lens_set(l, t);
    const dd_level *level = dd_arrangement_level(a, l->signal > 0. ? l->noise / l->signal : INFINITY);
    for (int i = 0; i < n; i++)
        if (!predict_point(l, level, x + 2 * i, noise + 2 * i))
            predict_point(l, &a->level[0], x + 2 * i, noise + 2 * i);
}

dd_status dd_oracle_predict(const dd_oracle *oracle, int t, const double *x, uint32_t n, double *noise)
{
    lens l;
    DD_TRY(lens_create(oracle, &l));
    for (uint32_t first = 0; first < n; first += CHUNK)
        predict(&l, t, x + 2 * (size_t)first, (int)(n - first < CHUNK ? n - first : CHUNK), noise + 2 * (size_t)first);
    free(l.memory);
    return DD_OK;
}

/* ---- sampling ---- */

typedef struct sampling {
    const dd_oracle *oracle;
    lens *lenses; /* [threads] */
    uint64_t seed;
    uint32_t n;
    const float *start;
    float *x, *initial_noise;
} sampling;

/* What a perfect network would predict for x, computed from E[eps | x]. (At signal 0, E[eps | x] is x itself and
 * contains nothing of x_0.) */
static double prediction(const lens *l, int t, int axis, double x, double noise)
{
    const dd_schedule *s = l->oracle->schedule;
    double point = l->signal > 0. ? (x - l->noise * noise) / l->signal : l->oracle->mean[axis];
    return s->target_point[t] * point + s->target_noise[t] * noise;
}

/* Where the samples first .. first + count - 1 start. */
static void start_chunk(const sampling *s, uint32_t first, int count, double *x)
{
    float z[2];
    for (int i = 0; i < count; i++) {
        size_t place = 2 * ((size_t)first + (size_t)i);
        dd_draw_normals(s->seed, DD_DRAW_SAMPLE, (uint32_t)s->oracle->schedule->timesteps, first + (uint32_t)i, 2, z);
        if (s->start)
            memcpy(z, s->start + place, sizeof z);
        for (int c = 0; c < 2; c++) {
            x[2 * i + c] = z[c];
            if (s->initial_noise)
                s->initial_noise[place + (size_t)c] = z[c];
        }
    }
}

/* One reverse step of the same samples, in place. noise [count][2]: E[eps | x]. */
static void step_back(const sampling *s, const lens *l, int step, uint32_t first, int count, const double *noise,
                      double *x)
{
    const dd_schedule *schedule = s->oracle->schedule;
    int t = schedule->timestep[step];
    bool noisy = schedule->sigma[step] > 0.f;
    float z[2];
    for (int i = 0; i < count; i++) {
        if (noisy)
            dd_draw_normals(s->seed, DD_DRAW_SAMPLE, (uint32_t)t, first + (uint32_t)i, 2, z);
        for (int c = 0; c < 2; c++) {
            double *at = &x[2 * i + c];
            *at = schedule->keep[step] * *at - schedule->remove[step] * prediction(l, t, c, *at, noise[2 * i + c]) +
                  (noisy ? schedule->sigma[step] * (double)z[c] : 0.);
        }
    }
}

static void sample_chunk(const sampling *s, lens *l, uint32_t first)
{
    const dd_schedule *schedule = s->oracle->schedule;
    int count = (int)(s->n - first < CHUNK ? s->n - first : CHUNK);
    double x[2 * CHUNK], noise[2 * CHUNK];
    start_chunk(s, first, count, x);
    for (int step = schedule->steps - 1; step >= 0; step--) {
        predict(l, schedule->timestep[step], x, count, noise);
        step_back(s, l, step, first, count, noise, x);
    }
    for (int i = 0; i < 2 * count; i++)
        s->x[2 * (size_t)first + (size_t)i] = (float)x[i];
}

static void sample_task(void *argument, const dd_team *team)
{
    const sampling *s = argument;
    int first, last;
    dd_team_share(team, (int)((s->n + CHUNK - 1) / CHUNK), &first, &last);
    for (int chunk = first; chunk < last; chunk++) {
        sample_chunk(s, &s->lenses[team->rank], (uint32_t)chunk * CHUNK);
        dd_team_tell(team, chunk - first + 1, last - first);
    }
}

dd_status dd_oracle_sample(const dd_oracle *oracle, uint64_t seed, const float *start, uint32_t n, dd_pool *pool,
                           float *x, float *initial_noise)
{
    sampling s = {.oracle = oracle, .seed = seed, .n = n, .start = start, .x = x, .initial_noise = initial_noise};
    dd_status status = DD_OK;
    int lenses = 0, threads = dd_pool_threads(pool);
    s.lenses = malloc((size_t)threads * sizeof *s.lenses);
    if (!s.lenses)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d threads", threads);
    while (lenses < threads && !status) {
        status = lens_create(oracle, &s.lenses[lenses]);
        lenses += !status;
    }
    dd_pool_phase(pool, "sampling");
    if (!status)
        dd_pool_run(pool, sample_task, &s);
    for (int i = 0; i < lenses; i++)
        free(s.lenses[i].memory);
    free(s.lenses);
    return status;
}
