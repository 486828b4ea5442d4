/* All metrics of sets of samples. The threads take the next item from one queue for all sets. */
#include "metrics/measure.h"

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/statistics.h"
#include "data/dataset.h"
#include "data/truth.h"
#include "metrics/copies.h"
#include "metrics/kl.h"
#include "metrics/knn.h"
#include "metrics/modes.h"
#include "metrics/set_distances.h"

/* The items that a thread computes for one set. The longest come first, so that the threads end at about the same
 * time. */
typedef enum item {
    MMD_BETWEEN,
    MMD_GENERATED,
    MMD_REAL,
    WASSERSTEIN,
    DENSITY,
    KL, /* this one to COPY_FLOOR search neighbours */
    HELDOUT_KL,
    HELDOUT_KL_FLOOR,
    COPIES,
    COPY_FLOOR,
    MEAN_DISTANCE,
    MODES
} item;
enum { ITEMS = MODES + 1 };

typedef struct sample_set {
    const dd_points *points;
    const dd_points *heldout; /* NULL: none */
    const float *x;           /* (n, D) */
    const float *reference;   /* the training points that metrics compare with: all or evenly spaced ones */
    float *thinned;           /* the memory of the latter; NULL for all, or if another set has them */
    float *real, *generated;  /* both sets thinned, to compare all pairs */
    uint32_t reference_n, real_n;
    const struct sample_set *same; /* the first set with these real points; it has what depends only on them */
    double mmd_between, mmd_generated, mmd_real; /* the means of mmd_squared */
    double heldout_kl_floor, copy_floor;
    dd_metrics *metrics;
} sample_set;

typedef struct measuring {
    sample_set *set; /* [count] */
    int count;
    uint32_t n, generated_n;
    int dimensions;  /* D, of all sets */
    int k;           /* of the KL estimate */
    int reference;   /* most training points; 0: all */
    atomic_int next; /* position in the queue: the first item of all sets, then the second item of all sets, ... */

    /* The failure that is reported: that of the first set that failed, and its first item. So it does not depend on the
     * threads. */
    pthread_mutex_t mutex;
    int failed; /* its set; INT_MAX: none */
    item failed_item;
    dd_status status;
    char message[2048];
} measuring;

/* Keep this thread's message for the caller, which may be another thread. */
static void note_failure(measuring *m, int set, item what, dd_status status)
{
    pthread_mutex_lock(&m->mutex);
    if (set < m->failed || (set == m->failed && what < m->failed_item)) {
        m->failed = set;
        m->failed_item = what;
        m->status = status;
        snprintf(m->message, sizeof m->message, "%s", dd_error_message());
    }
    pthread_mutex_unlock(&m->mutex);
}

static dd_status measure_kl(dd_pool *pool, const measuring *m, const sample_set *s)
{
    dd_kl kl;
    DD_TRY(dd_kl_divergence(pool, s->reference, s->reference_n, s->x, m->n, m->dimensions, m->k, &kl));
    s->metrics->kl_divergence = kl.bits;
    s->metrics->kl_zero_distances = kl.zero_distances;
    return DD_OK;
}

/* KL of the held-out points from `generated`; NaN if they are too few, or copies of a few. */
static dd_status measure_heldout_kl(dd_pool *pool, const measuring *m, const sample_set *s, const float *generated,
                                    uint32_t n, double *bits)
{
    dd_kl kl = {.bits = NAN};
    dd_status status = DD_OK;
    if (s->heldout)
        status = dd_kl_divergence(pool, s->heldout->x, s->heldout->n, generated, n, m->dimensions, m->k, &kl);
    *bits = status ? NAN : kl.bits;
    return status == DD_ERR_DATA ? DD_OK : status;
}

/* From as many training points as there are samples, because the estimate depends on their number. */
static dd_status measure_heldout_floor(dd_pool *pool, const measuring *m, sample_set *s)
{
    s->heldout_kl_floor = NAN;
    if (s->same != s || !s->heldout)
        return DD_OK;
    float *thinned = malloc((size_t)m->dimensions * m->n * sizeof *thinned);
    if (!thinned)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u training points", m->n);
    uint32_t n = dd_thin(s->points->x, s->points->n, m->dimensions, m->n, thinned);
    dd_status status = measure_heldout_kl(pool, m, s, thinned, n, &s->heldout_kl_floor);
    free(thinned);
    return status;
}

static dd_status measure_copies(dd_pool *pool, const measuring *m, const sample_set *s)
{
    if (s->points->n < 2)
        return DD_OK;
    return dd_copy_share(pool, s->points->x, s->points->n, s->x, m->n, m->dimensions, &s->metrics->copy_share);
}

static dd_status measure_copy_floor(dd_pool *pool, const measuring *m, sample_set *s)
{
    s->copy_floor = NAN;
    if (s->same != s || !s->heldout || s->points->n < 2)
        return DD_OK;
    return dd_copy_share(pool, s->points->x, s->points->n, s->heldout->x, s->heldout->n, m->dimensions, &s->copy_floor);
}

/* An item from KL to COPY_FLOOR. */
static dd_status search(dd_pool *pool, const measuring *m, item what, sample_set *s)
{
    switch (what) {
    case KL:
        return measure_kl(pool, m, s);
    case HELDOUT_KL:
        return measure_heldout_kl(pool, m, s, s->x, m->n, &s->metrics->heldout_kl);
    case HELDOUT_KL_FLOOR:
        return measure_heldout_floor(pool, m, s);
    case COPIES:
        return measure_copies(pool, m, s);
    default:
        return measure_copy_floor(pool, m, s);
    }
}

/* Such a search takes longer than all other items of a set together. */
static bool searched_by_blocks(const measuring *m)
{
    return m->dimensions > DD_KNN_TREE_DIMENSIONS;
}

/* The searches that take long, each on all threads. */
static void search_long(dd_pool *pool, measuring *m)
{
    for (int i = 0; i < m->count && searched_by_blocks(m); i++)
        for (item what = KL; what <= COPY_FLOOR && !dd_cancelled(); what++) {
            dd_status status = search(pool, m, what, &m->set[i]);
            if (status)
                note_failure(m, i, what, status);
        }
}

static dd_status measure_modes(const measuring *m, const sample_set *s)
{
    dd_truth truth;
    dd_modes modes;
    if (!s->points->generated)
        return DD_OK;
    DD_TRY(dd_points_truth(s->points, &truth));
    dd_status status = dd_modes_measure(&truth, s->x, m->n, &modes);
    dd_truth_free(&truth);
    if (status)
        return status;
    s->metrics->modes = modes.modes;
    s->metrics->modes_captured = modes.captured;
    s->metrics->high_quality = modes.high_quality;
    s->metrics->off_support = modes.off_support;
    s->metrics->total_variation = modes.total_variation;
    return DD_OK;
}

static dd_status measure_item(const measuring *m, item what, sample_set *s)
{
    switch (what) {
    case MMD_BETWEEN:
        s->mmd_between = dd_mmd_between(s->real, s->real_n, s->generated, m->generated_n, m->dimensions);
        break;
    case MMD_GENERATED:
        s->mmd_generated = dd_mmd_within(s->generated, m->generated_n, m->dimensions);
        break;
    case MMD_REAL:
        if (s->same == s)
            s->mmd_real = dd_mmd_within(s->real, s->real_n, m->dimensions);
        break;
    case WASSERSTEIN:
        return dd_sliced_wasserstein(s->reference, s->reference_n, s->x, m->n, m->dimensions,
                                     &s->metrics->sliced_wasserstein);
    case DENSITY:
        return dd_density_coverage(s->real, s->real_n, s->generated, m->generated_n, m->dimensions,
                                   &s->metrics->density, &s->metrics->coverage);
    case KL:
    case HELDOUT_KL:
    case HELDOUT_KL_FLOOR:
    case COPIES:
    case COPY_FLOOR:
        return searched_by_blocks(m) ? DD_OK : search(NULL, m, what, s);
    case MEAN_DISTANCE:
        s->metrics->mean_distance = dd_mean_distance(s->generated, m->generated_n, m->dimensions);
        break;
    case MODES:
        return measure_modes(m, s);
    }
    return DD_OK;
}

static void tell(const measuring *m, const dd_team *team)
{
    int taken = atomic_load(&m->next), total = ITEMS * m->count;
    dd_team_tell(team, taken < total ? taken : total, total);
}

static void measure_items(void *argument, const dd_team *team)
{
    measuring *m = argument;
    /* A fixed division in advance would leave threads idle, because items take different times. */
    for (int i; !dd_cancelled() && (i = atomic_fetch_add(&m->next, 1)) < ITEMS * m->count;) {
        item what = (item)(i / m->count);
        int set = i % m->count, status = measure_item(m, what, &m->set[set]);
        if (status)
            note_failure(m, set, what, status);
        tell(m, team);
    }
}

/* Choose the training points that a set is compared with. */
static dd_status choose_reference(const measuring *m, sample_set *s)
{
    s->reference = s->points->x;
    s->reference_n = s->points->n;
    if (!m->reference || s->points->n <= (uint32_t)m->reference)
        return DD_OK;
    s->reference_n = (uint32_t)m->reference;
    if (s->same == s) {
        s->thinned = malloc((size_t)m->dimensions * s->reference_n * sizeof *s->thinned);
        if (!s->thinned)
            return dd_fail(DD_ERR_MEMORY, "out of memory for %u of %u points", s->reference_n, s->points->n);
        dd_thin(s->points->x, s->points->n, m->dimensions, s->reference_n, s->thinned);
    }
    s->reference = s->same->thinned;
    return DD_OK;
}

static dd_status begin_set(const measuring *m, sample_set *s)
{
    if (!dd_all_finite(s->x, (size_t)m->dimensions * m->n))
        return dd_fail(DD_ERR_NUMERIC, "a sample is NaN or infinite: nothing can be measured");
    DD_TRY(choose_reference(m, s));
    dd_thin(s->x, m->n, m->dimensions, DD_MOST_COMPARED, s->generated);
    /* Use as many real points as generated ones, because coverage grows with generated / real. */
    s->real_n = dd_thin(s->reference, s->reference_n, m->dimensions, m->generated_n, s->real);
    return DD_OK;
}

/* Make set number i ready. thinned: memory for the points that are compared in pairs, generated and real. */
static void add_set(measuring *m, int i, const dd_points *points, const dd_points *heldout, const float *x,
                    float *thinned, dd_metrics *metrics)
{
    sample_set *s = &m->set[i];
    *s = (sample_set){.points = points,
                      .heldout = heldout && heldout->n ? heldout : NULL,
                      .x = x,
                      .generated = thinned,
                      .real = thinned + (size_t)m->dimensions * m->generated_n,
                      .metrics = metrics};
    s->same = m->set;
    while (s->same->points != s->points)
        s->same++;
    dd_status status = begin_set(m, s);
    if (status)
        note_failure(m, i, MMD_BETWEEN, status);
    else
        m->count++;
}

static void clear_metrics(int count, dd_metrics *metrics)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < DD_METRICS; j++)
            *dd_metric(&metrics[i], j) = NAN;
}

/* The squared MMD is computed from the means of three items; what depends only on the real points is computed once. */
static void combine(const measuring *m)
{
    for (int i = 0; i < m->count; i++) {
        const sample_set *s = &m->set[i];
        s->metrics->heldout_kl_floor = s->same->heldout_kl_floor;
        s->metrics->copy_floor = s->same->copy_floor;
        s->metrics->mmd_squared = dd_mmd_from_means(s->same->mmd_real, s->mmd_generated, s->mmd_between);
    }
}

dd_status dd_metrics_of_samples(dd_pool *pool, int count, const dd_points *const *points,
                                const dd_points *const *heldout, const float *x, uint32_t n,
                                const dd_evaluation_config *evaluation, dd_metrics *metrics, int *measured)
{
    measuring m = {.n = n,
                   .generated_n = n < DD_MOST_COMPARED ? n : DD_MOST_COMPARED,
                   .dimensions = points[0]->columns.count,
                   .k = evaluation->k,
                   .reference = evaluation->reference,
                   .failed = INT_MAX};
    size_t row = (size_t)m.dimensions * n, kept = 2 * (size_t)m.dimensions * m.generated_n; /* of one set */
    float *thinned = malloc((size_t)count * kept * sizeof *thinned);
    m.set = calloc((size_t)count, sizeof *m.set);
    *measured = 0;
    clear_metrics(count, metrics);
    if (!thinned || !m.set) {
        free(thinned);
        free(m.set);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the metrics of %d times %u samples", count, n);
    }
    pthread_mutex_init(&m.mutex, NULL);
    for (int i = 0; i < count && m.failed == INT_MAX; i++)
        add_set(&m, i, points[i], heldout ? heldout[i] : NULL, x + row * (size_t)i, thinned + kept * (size_t)i,
                &metrics[i]);
    dd_pool_phase(pool, "measuring");
    search_long(pool, &m);
    dd_pool_run(pool, measure_items, &m);
    combine(&m);
    pthread_mutex_destroy(&m.mutex);
    for (int i = 0; i < count; i++)
        free(m.set[i].thinned);
    free(thinned);
    free(m.set);
    DD_TRY(dd_check_cancelled());
    *measured = m.failed < m.count ? m.failed : m.count;
    return m.failed == INT_MAX ? DD_OK : dd_fail(m.status, "%s", m.message);
}
