#define _GNU_SOURCE /* M_PI */
#include "oracle/oracle.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/dot.h"
#include "base/error.h"
#include "base/philox.h"
#include "base/pool.h"
#include "oracle/oracle_plane.h"
#include "oracle/oracle_space.h"

enum { CHUNK = 64 }; /* points that go through the timesteps together */

struct dd_oracle {
    const dd_truth *truth;
    const dd_schedule *schedule;
    dd_plane_oracle *plane;         /* PLANE, EMBEDDED */
    double mean[DD_MAX_DIMENSIONS]; /* of the distribution */
};

/* Memory for one thread's work. */
typedef struct worker {
    const dd_oracle *oracle;
    double signal, noise_level; /* of the timestep */
    dd_lens *lens;              /* PLANE, EMBEDDED */
    double *x, *noise;          /* [CHUNK][D] of sampling */
    double *mixture;            /* MIXTURE */
    double *y, *noise_of_y;     /* EMBEDDED: [CHUNK][2] */
    double *log_of_y;           /* [CHUNK] */
    void *memory;
} worker;

void dd_oracle_destroy(dd_oracle *oracle)
{
    if (!oracle)
        return;
    dd_plane_oracle_destroy(oracle->plane);
    free(oracle);
}

static void mean_of_plane(const dd_plane *plane, double mean[2])
{
    mean[0] = mean[1] = 0.;
    for (int i = 0; i < plane->atoms; i++)
        for (int c = 0; c < 2; c++)
            mean[c] += plane->atom[i].weight * plane->atom[i].centre[c];
}

static void find_mean(const dd_truth *truth, double *mean)
{
    double of_plane[2];
    mean_of_plane(&truth->plane, of_plane);
    for (int c = 0; c < truth->dimensions; c++) {
        if (truth->kind == DD_TRUTH_PLANE)
            mean[c] = of_plane[c];
        else if (truth->kind == DD_TRUTH_EMBEDDED)
            mean[c] = of_plane[0] * truth->rotation[c] + of_plane[1] * truth->rotation[truth->dimensions + c];
        for (int k = 0; k < truth->components; k++)
            mean[c] += truth->component[k].weight * truth->component[k].centre[c];
    }
}

static bool has_plane(const dd_truth *truth)
{
    return truth->kind == DD_TRUTH_PLANE || truth->kind == DD_TRUTH_EMBEDDED;
}

dd_status dd_oracle_create(const dd_truth *truth, const dd_schedule *schedule, dd_oracle **out)
{
    dd_oracle *o = calloc(1, sizeof *o);
    *out = NULL;
    if (!o)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the distribution of %s", truth->name);
    o->truth = truth;
    o->schedule = schedule;
    find_mean(truth, o->mean);
    dd_status status = has_plane(truth) ? dd_plane_oracle_create(&truth->plane, &o->plane) : DD_OK;
    if (status)
        dd_oracle_destroy(o);
    else
        *out = o;
    return status;
}

/* ---- the denoiser ---- */

static void take_arrays(const dd_oracle *o, worker *w, dd_arena *arena)
{
    size_t dimensions = (size_t)o->truth->dimensions;
    bool embedded = o->truth->kind == DD_TRUTH_EMBEDDED;
    DD_TAKE(arena, w->x, CHUNK * dimensions);
    DD_TAKE(arena, w->noise, CHUNK * dimensions);
    DD_TAKE(arena, w->mixture, (size_t)o->truth->components * (dimensions + 1));
    DD_TAKE(arena, w->y, embedded ? 2 * CHUNK : 0);
    DD_TAKE(arena, w->noise_of_y, embedded ? 2 * CHUNK : 0);
    DD_TAKE(arena, w->log_of_y, embedded ? CHUNK : 0);
}

static void worker_free(worker *w)
{
    dd_lens_destroy(w->lens);
    free(w->memory);
}

static dd_status worker_create(const dd_oracle *o, worker *w)
{
    dd_arena arena = {0};
    *w = (worker){.oracle = o};
    take_arrays(o, w, &arena);
    w->memory = dd_arena_allocate(&arena);
    if (!w->memory)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the exact denoiser");
    take_arrays(o, w, &arena);
    dd_status status = o->plane ? dd_lens_create(o->plane, &w->lens) : DD_OK;
    if (status)
        worker_free(w);
    return status;
}

/* In the rotated axes the noise is as normal as before, and the plane and the other directions are independent. The
 * latter are Gaussians around 0. */
static double predict_outside(const worker *w, const double *x, double *noise)
{
    const dd_truth *t = w->oracle->truth;
    double scale = w->signal * t->sigma, variance = scale * scale + w->noise_level * w->noise_level;
    double log_density = -.5 * (t->dimensions - 2) * log(2. * M_PI * variance);
    for (int row = 2; row < t->dimensions; row++) {
        const double *axis = t->rotation + (size_t)row * (size_t)t->dimensions;
        double place = dd_dot(axis, x, t->dimensions);
        log_density -= .5 * place * place / variance;
        for (int c = 0; c < t->dimensions; c++)
            noise[c] += w->noise_level * place / variance * axis[c];
    }
    return log_density;
}

static void predict_embedded(worker *w, const double *x, int n, double *noise, double *log_density)
{
    const dd_truth *t = w->oracle->truth;
    int dimensions = t->dimensions;
    for (int i = 0; i < n; i++)
        for (int row = 0; row < 2; row++)
            w->y[2 * i + row] = dd_dot(t->rotation + row * dimensions, x + i * dimensions, dimensions);
    dd_lens_predict(w->lens, w->signal, w->noise_level, w->y, n, w->noise_of_y, w->log_of_y);
    for (int i = 0; i < n; i++) {
        for (int c = 0; c < dimensions; c++)
            noise[i * dimensions + c] =
                w->noise_of_y[2 * i] * t->rotation[c] + w->noise_of_y[2 * i + 1] * t->rotation[dimensions + c];
        double outside = predict_outside(w, x + i * dimensions, noise + i * dimensions);
        if (log_density)
            log_density[i] = w->log_of_y[i] + outside;
    }
}

/* n <= CHUNK points at timestep t; log_density may be NULL. */
static void predict(worker *w, int t, const double *x, int n, double *noise, double *log_density)
{
    const dd_truth *truth = w->oracle->truth;
    double alpha_bar = w->oracle->schedule->alpha_bar[t];
    w->signal = sqrt(alpha_bar);
    w->noise_level = sqrt(1. - alpha_bar);
    if (truth->kind == DD_TRUTH_PLANE)
        dd_lens_predict(w->lens, w->signal, w->noise_level, x, n, noise, log_density);
    else if (truth->kind == DD_TRUTH_EMBEDDED)
        predict_embedded(w, x, n, noise, log_density);
    else
        for (int i = 0; i < n; i++) {
            const double *point = x + i * truth->dimensions;
            double *of = noise + i * truth->dimensions;
            double log_of = truth->kind == DD_TRUTH_CUBE
                                ? dd_cube_predict(truth, w->signal, w->noise_level, point, of)
                                : dd_mixture_predict(truth, w->signal, w->noise_level, point, w->mixture, of);
            if (log_density)
                log_density[i] = log_of;
        }
}

/* One worker for each thread of the pool. */
static void workers_free(worker *workers, int count)
{
    for (int i = 0; i < count; i++)
        worker_free(&workers[i]);
    free(workers);
}

static dd_status workers_create(const dd_oracle *o, int count, worker **out)
{
    worker *workers = malloc((size_t)count * sizeof *workers);
    *out = NULL;
    if (!workers)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d threads", count);
    for (int i = 0; i < count; i++) {
        dd_status status = worker_create(o, &workers[i]);
        if (status) {
            workers_free(workers, i);
            return status;
        }
    }
    *out = workers;
    return DD_OK;
}

static int chunks(uint32_t n)
{
    return (int)((n + CHUNK - 1) / CHUNK);
}

static int chunk_points(uint32_t n, uint32_t first)
{
    return (int)(n - first < CHUNK ? n - first : CHUNK);
}

typedef struct predicting {
    worker *workers; /* [threads] */
    int t;
    uint32_t n;
    const double *x;
    double *noise, *log_density;
} predicting;

static void predict_task(void *argument, const dd_team *team)
{
    const predicting *p = argument;
    worker *w = &p->workers[team->rank];
    size_t dimensions = (size_t)w->oracle->truth->dimensions;
    int begin, end;
    dd_team_share(team, chunks(p->n), &begin, &end);
    for (int chunk = begin; chunk < end; chunk++) {
        uint32_t first = (uint32_t)chunk * CHUNK;
        predict(w, p->t, p->x + dimensions * first, chunk_points(p->n, first), p->noise + dimensions * first,
                p->log_density ? p->log_density + first : NULL);
    }
}

dd_status dd_oracle_predict(const dd_oracle *oracle, dd_pool *pool, int t, const double *x, uint32_t n, double *noise,
                            double *log_density)
{
    predicting p = {.t = t, .n = n, .x = x, .noise = noise, .log_density = log_density};
    int threads = dd_pool_threads(pool);
    DD_TRY(workers_create(oracle, threads, &p.workers));
    dd_pool_run(pool, predict_task, &p);
    workers_free(p.workers, threads);
    return DD_OK;
}

/* At signal 0, E[eps | x] is x itself and contains nothing of x_0. */
void dd_oracle_prediction(const dd_oracle *oracle, int t, const double *x, const double *noise, double *prediction)
{
    const dd_schedule *s = oracle->schedule;
    double signal = sqrt(s->alpha_bar[t]), noise_level = sqrt(1. - s->alpha_bar[t]);
    for (int c = 0; c < oracle->truth->dimensions; c++) {
        double point = signal > 0. ? (x[c] - noise_level * noise[c]) / signal : oracle->mean[c];
        prediction[c] = s->target_point[t] * point + s->target_noise[t] * noise[c];
    }
}

/* ---- sampling ---- */

typedef struct sampling {
    const dd_oracle *oracle;
    worker *workers; /* [threads] */
    uint64_t seed;
    uint32_t n;
    const float *start;
    float *x, *initial_noise;
} sampling;

/* Where the samples first .. first + count - 1 start. */
static void start_chunk(const sampling *s, uint32_t first, int count, double *x)
{
    int dimensions = s->oracle->truth->dimensions;
    float z[DD_MAX_DIMENSIONS];
    for (int i = 0; i < count; i++) {
        size_t place = (size_t)dimensions * ((size_t)first + (size_t)i);
        dd_draw_normals(s->seed, DD_DRAW_SAMPLE, (uint32_t)s->oracle->schedule->timesteps, first + (uint32_t)i,
                        dimensions, z);
        if (s->start)
            memcpy(z, s->start + place, (size_t)dimensions * sizeof *z);
        for (int c = 0; c < dimensions; c++) {
            x[dimensions * i + c] = z[c];
            if (s->initial_noise)
                s->initial_noise[place + (size_t)c] = z[c];
        }
    }
}

/* One reverse step of the same samples, in place. noise [count][D]: E[eps | x]. */
static void step_back(const sampling *s, worker *w, int step, uint32_t first, int count)
{
    const dd_schedule *schedule = s->oracle->schedule;
    int t = schedule->timestep[step], dimensions = s->oracle->truth->dimensions;
    bool noisy = schedule->sigma[step] > 0.f;
    float z[DD_MAX_DIMENSIONS];
    double prediction[DD_MAX_DIMENSIONS];
    for (int i = 0; i < count; i++) {
        double *x = w->x + dimensions * i;
        if (noisy)
            dd_draw_normals(s->seed, DD_DRAW_SAMPLE, (uint32_t)t, first + (uint32_t)i, dimensions, z);
        dd_oracle_prediction(s->oracle, t, x, w->noise + dimensions * i, prediction);
        for (int c = 0; c < dimensions; c++)
            x[c] = schedule->keep[step] * x[c] - schedule->remove[step] * prediction[c] +
                   (noisy ? schedule->sigma[step] * (double)z[c] : 0.);
    }
}

static void sample_chunk(const sampling *s, worker *w, uint32_t first)
{
    const dd_schedule *schedule = s->oracle->schedule;
    int count = chunk_points(s->n, first);
    size_t dimensions = (size_t)s->oracle->truth->dimensions;
    start_chunk(s, first, count, w->x);
    for (int step = schedule->steps - 1; step >= 0; step--) {
        predict(w, schedule->timestep[step], w->x, count, w->noise, NULL);
        step_back(s, w, step, first, count);
    }
    for (size_t i = 0; i < dimensions * (size_t)count; i++)
        s->x[dimensions * first + i] = (float)w->x[i];
}

static void sample_task(void *argument, const dd_team *team)
{
    const sampling *s = argument;
    int first, last;
    dd_team_share(team, chunks(s->n), &first, &last);
    for (int chunk = first; chunk < last; chunk++) {
        sample_chunk(s, &s->workers[team->rank], (uint32_t)chunk * CHUNK);
        dd_team_tell(team, chunk - first + 1, last - first);
    }
}

dd_status dd_oracle_sample(const dd_oracle *oracle, uint64_t seed, const float *start, uint32_t n, dd_pool *pool,
                           float *x, float *initial_noise)
{
    sampling s = {.oracle = oracle, .seed = seed, .n = n, .start = start, .x = x, .initial_noise = initial_noise};
    int threads = dd_pool_threads(pool);
    DD_TRY(workers_create(oracle, threads, &s.workers));
    dd_pool_phase(pool, "sampling");
    dd_pool_run(pool, sample_task, &s);
    workers_free(s.workers, threads);
    return DD_OK;
}
