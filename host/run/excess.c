#include "run/excess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/permutation.h"
#include "data/dataset.h"
#include "model/noised_point.h"
#include "model/recipe.h"

/* ---- the rows of one timestep ---- */

/* An error of the prediction is noise_error times as large as an error of the noise, up to its sign. */
static dd_row_errors errors_of(const dd_schedule *s, int t, int dimensions, const float *target,
                               const float *prediction, const double *exact)
{
    double of_noise = s->noise_error[t], scale = of_noise * of_noise;
    dd_row_errors e = {0};
    for (int c = 0; c < dimensions; c++) {
        double network = (double)prediction[c] - target[c], perfect = exact[c] - target[c],
               apart = prediction[c] - exact[c];
        e.network += scale * network * network;
        e.exact += scale * perfect * perfect;
        e.apart += scale * apart * apart;
    }
    return e;
}

dd_status dd_excess_rows(const dd_oracle *oracle, const dd_schedule *schedule, dd_pool *pool, int t, int dimensions,
                         uint32_t n, const float *x, const float *target, const float *prediction,
                         dd_row_errors *errors)
{
    size_t numbers = (size_t)n * (size_t)dimensions;
    double *wide = malloc(2 * numbers * sizeof *wide), *noise = wide + numbers, exact[DD_MAX_DIMENSIONS];
    if (!wide)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the exact denoiser at %u points", n);
    for (size_t i = 0; i < numbers; i++)
        wide[i] = x[i];
    dd_status status = dd_oracle_predict(oracle, pool, t, wide, n, noise, NULL);
    for (size_t i = 0; i < n && !status; i++) {
        size_t at = i * (size_t)dimensions;
        dd_oracle_prediction(oracle, t, wide + at, noise + at, exact);
        errors[i] = errors_of(schedule, t, dimensions, target + at, prediction + at, exact);
    }
    free(wide);
    return status;
}

/* ---- a pass ---- */

const dd_excess dd_excess_unknown = {NAN, NAN, NAN, NAN};

/* Sums over rows of weight v and difference d = (network - exact) / D; the weights sum to 1. */
typedef struct sums {
    double exact, apart, d; /* v times these */
    double vv, vvd, vvdd;   /* v^2, v^2 d, v^2 d^2 */
} sums;

typedef struct comparison {
    dd_ensemble *ensemble;
    const dd_heldout_pass *pass;
    dd_pool *pool;
    int dimensions;
    size_t rows;             /* of all replicas */
    uint32_t most;           /* rows of one replica and timestep */
    dd_truth *truth;         /* [R] */
    const dd_oracle **exact; /* [R] NULL: unknown */
    dd_oracle **oracle;      /* [R] those that were made; replicas with the same points share one */
    dd_permutation *order;   /* [R] of the pass */
    uint32_t *first;         /* [R][T + 1] where the rows of each timestep begin in the replica's `row` */
    uint32_t **row;          /* [R] [points[r]->n] positions in the pass, sorted by timestep */
    uint32_t *row_memory;    /* [rows] */
    sums *sum;               /* [R] */
    void *memory;
    float *x, *target, *prediction; /* [R][most][D] of one timestep */
    dd_row_errors *errors;          /* [most] */
    void *timestep_memory;
} comparison;

static void comparison_free(comparison *c)
{
    for (int r = 0; r < c->pass->replicas && c->memory; r++) {
        dd_oracle_destroy(c->oracle[r]);
        dd_truth_free(&c->truth[r]);
    }
    free(c->memory);
    free(c->timestep_memory);
}

static size_t timesteps(const comparison *c)
{
    return (size_t)c->pass->schedule->timesteps;
}

static void take_arrays(comparison *c, dd_arena *arena)
{
    size_t replicas = (size_t)c->pass->replicas;
    DD_TAKE(arena, c->truth, replicas);
    DD_TAKE(arena, c->exact, replicas);
    DD_TAKE(arena, c->oracle, replicas);
    DD_TAKE(arena, c->order, replicas);
    DD_TAKE(arena, c->first, replicas * (timesteps(c) + 1));
    DD_TAKE(arena, c->row, replicas);
    DD_TAKE(arena, c->row_memory, c->rows);
    DD_TAKE(arena, c->sum, replicas);
}

static void take_timestep(comparison *c, dd_arena *arena)
{
    size_t numbers = (size_t)c->pass->replicas * c->most * (size_t)c->dimensions;
    DD_TAKE(arena, c->x, numbers);
    DD_TAKE(arena, c->target, numbers);
    DD_TAKE(arena, c->prediction, numbers);
    DD_TAKE(arena, c->errors, c->most);
}

/* Make the exact denoiser of replica r's points, or take that of an earlier replica. */
static dd_status open_oracle(comparison *c, int r)
{
    const dd_points *const *points = c->pass->points;
    for (int earlier = 0; earlier < r; earlier++)
        if (points[earlier] == points[r]) {
            c->exact[r] = c->exact[earlier];
            return DD_OK;
        }
    if (!points[r]->generated)
        return DD_OK;
    DD_TRY(dd_points_truth(points[r], &c->truth[r]));
    DD_TRY(dd_oracle_create(&c->truth[r], c->pass->schedule, &c->oracle[r]));
    c->exact[r] = c->oracle[r];
    return DD_OK;
}

static int timestep_of(const comparison *c, int r, uint32_t position)
{
    uint32_t batch = c->pass->batch;
    return dd_draw_timestep(c->pass->schedule, c->pass->seed[r], DD_DRAW_HELDOUT, position / batch, position % batch);
}

/* Sort the positions of replica r's pass by timestep. */
static void sort_rows(comparison *c, int r)
{
    uint32_t n = c->pass->points[r]->n, *first = c->first + (size_t)r * (timesteps(c) + 1);
    for (uint32_t i = 0; i < n; i++)
        first[timestep_of(c, r, i) + 1]++;
    for (size_t t = 0; t < timesteps(c); t++) {
        c->most = first[t + 1] > c->most ? first[t + 1] : c->most;
        first[t + 1] += first[t];
    }
    for (uint32_t i = 0; i < n; i++)
        c->row[r][first[timestep_of(c, r, i)]++] = i;
    memmove(first + 1, first, timesteps(c) * sizeof *first); /* each begin has become the next one's */
    first[0] = 0;
}

static dd_status comparison_create(comparison *c)
{
    dd_arena arena = {0};
    for (int r = 0; r < c->pass->replicas; r++)
        c->rows += c->pass->points[r]->n;
    take_arrays(c, &arena);
    c->memory = dd_arena_allocate(&arena);
    if (!c->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the timesteps of %zu held-out points", c->rows);
    take_arrays(c, &arena);
    uint32_t *next = c->row_memory;
    for (int r = 0; r < c->pass->replicas; next += c->pass->points[r++]->n) {
        DD_TRY(open_oracle(c, r));
        dd_permutation_init(&c->order[r], c->pass->seed[r], DD_DRAW_EVAL_ORDER, 0, c->pass->points[r]->n);
        c->row[r] = next;
        sort_rows(c, r);
    }
    arena = (dd_arena){0};
    take_timestep(c, &arena);
    c->timestep_memory = dd_arena_allocate(&arena);
    if (!c->timestep_memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u held-out points of one timestep", c->most);
    take_timestep(c, &arena);
    return DD_OK;
}

/* The rows of replica r at timestep t. */
static uint32_t rows_at(const comparison *c, int r, int t, const uint32_t **row)
{
    const uint32_t *first = c->first + (size_t)r * (timesteps(c) + 1) + t;
    *row = c->row[r] + first[0];
    return first[1] - first[0];
}

static size_t place_of(const comparison *c, int r)
{
    return (size_t)r * c->most * (size_t)c->dimensions;
}

static void draw_rows(const comparison *c, int r, int t)
{
    const uint32_t *row;
    const dd_points *points = c->pass->points[r];
    uint32_t n = rows_at(c, r, t, &row), batch = c->pass->batch;
    for (uint32_t i = 0; i < n; i++) {
        size_t at = place_of(c, r) + (size_t)i * (size_t)c->dimensions;
        const float *point = points->x + (size_t)c->dimensions * dd_permutation_at(&c->order[r], row[i]);
        (void)dd_draw_point(c->pass->schedule, c->pass->seed[r], DD_DRAW_HELDOUT, row[i] / batch, row[i] % batch,
                            c->dimensions, point, c->x + at, c->target + at);
    }
}

static void add_row(const comparison *c, int r, uint32_t position, const dd_row_errors *e)
{
    uint32_t n = c->pass->points[r]->n, batch = c->pass->batch;
    uint32_t rows = dd_batch_of_step(position / batch, n, batch).rows;
    double v = 1. / ((double)dd_batches(n, batch) * rows), d = (e->network - e->exact) / c->dimensions;
    sums *s = &c->sum[r];
    s->exact += v * e->exact / c->dimensions;
    s->apart += v * e->apart / c->dimensions;
    s->d += v * d;
    s->vv += v * v;
    s->vvd += v * v * d;
    s->vvdd += v * v * d * d;
}

static dd_status compare_timestep(comparison *c, int t)
{
    for (int r = 0; r < c->pass->replicas; r++)
        draw_rows(c, r, t);
    DD_TRY(dd_ensemble_predict(c->ensemble, DD_STATE_ONLINE, c->x, c->most, t,
                               &(dd_prediction){.mixture = c->prediction}));
    for (int r = 0; r < c->pass->replicas; r++) {
        const uint32_t *row;
        uint32_t n = rows_at(c, r, t, &row);
        size_t at = place_of(c, r);
        if (!n || !c->exact[r])
            continue;
        DD_TRY(dd_excess_rows(c->exact[r], c->pass->schedule, c->pool, t, c->dimensions, n, c->x + at, c->target + at,
                              c->prediction + at, c->errors));
        for (uint32_t i = 0; i < n; i++)
            add_row(c, r, row[i], &c->errors[i]);
    }
    return DD_OK;
}

/* The variance of sum v d is sum v^2 (d - mean)^2 n / (n - 1). */
static dd_excess excess_of(const sums *s, double loss, uint32_t n)
{
    double squares = s->vvdd - 2. * s->d * s->vvd + s->d * s->d * s->vv;
    return (dd_excess){.exact = s->exact,
                       .excess = loss - s->exact,
                       .error = sqrt(fmax(squares, 0.) * n / (n - 1.)),
                       .denoiser_error = s->apart};
}

static dd_status compare(comparison *c, dd_excess *excess)
{
    const dd_heldout_pass *p = c->pass;
    DD_TRY(comparison_create(c));
    dd_pool_phase(c->pool, "comparing with the exact denoiser");
    for (int t = 0; t < p->schedule->timesteps; t++) {
        DD_TRY(dd_check_cancelled());
        DD_TRY(compare_timestep(c, t));
        dd_pool_tell(c->pool, t + 1, p->schedule->timesteps);
    }
    for (int r = 0; r < p->replicas; r++)
        if (c->exact[r])
            excess[r] = excess_of(&c->sum[r], p->loss[r], p->points[r]->n);
    return DD_OK;
}

dd_status dd_excess_measure(dd_ensemble *ensemble, const dd_heldout_pass *pass, dd_pool *pool, dd_excess *excess)
{
    comparison c = {.ensemble = ensemble, .pass = pass, .pool = pool, .dimensions = pass->points[0]->columns.count};
    int known = 0;
    for (int r = 0; r < pass->replicas; r++) {
        excess[r] = dd_excess_unknown;
        known += pass->points[r]->generated;
    }
    if (!known)
        return DD_OK;
    dd_status status = compare(&c, excess);
    comparison_free(&c);
    return status;
}

void dd_excess_metrics(const dd_excess *excess, dd_metrics *metrics)
{
    metrics->excess_loss = excess->excess;
    metrics->excess_loss_error = excess->error;
    metrics->denoiser_error = excess->denoiser_error;
}
