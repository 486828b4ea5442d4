/* The metrics layer measures how good samples are. This header has the values of a run and the table that describes
 * them; docs/metrics.md explains how to read them. The layer never trains or samples, and it changes no points.
 *
 *     dd_metrics metrics;                              // measure.h computes them
 *     for (int i = 0; i < DD_METRICS; i++)
 *         printf("%s %g %s\n", dd_metric_table[i].name, *dd_metric(&metrics, i), dd_metric_table[i].unit);
 */
#ifndef DD_METRICS_H
#define DD_METRICS_H

#include <stdbool.h>
#include <stddef.h>

/* Everything that `train` and `evaluate` measure for one replica. NaN if a metric does not apply. */
typedef struct dd_metrics {
    double training_time;     /* s, wall time of the ensemble / replicas */
    double eval_loss;         /* online model, one pass over the training set */
    double heldout_loss;      /* online model, held-out points; NaN if there are none */
    double excess_loss;       /* heldout_loss - that of the exact denoiser (run/excess.h, like the next two) */
    double excess_loss_error; /* its standard error */
    double denoiser_error;    /* mean squared distance of the network's predicted noise and the exact denoiser's */
    double inference_time;    /* s, wall time of sampling / replicas */
    double kl_divergence;     /* bits */
    double kl_zero_distances;
    double heldout_kl, heldout_kl_floor; /* bits; of held-out points, from samples and from training points */
    double copy_share, copy_floor;       /* metrics/copies.h: of the samples, of held-out points */
    double modes;                        /* of the dataset; modes.h defines this one and the next four */
    double modes_captured;               /* number of modes that the samples found */
    double high_quality;                 /* share of samples */
    double off_support;                  /* share of samples */
    double total_variation;              /* 0..1, modes or cells against the truth */
    double density, coverage;            /* metrics/set_distances.h, like the next three */
    double sliced_wasserstein;           /* coordinates' unit */
    double mmd_squared;                  /* unbiased: may be negative */
    double mean_distance;                /* between two samples, coordinates' unit */
} dd_metrics;

/* Which of two values the report prints in bold. */
typedef enum dd_better {
    DD_NEITHER,
    DD_LOW,
    DD_HIGH,
    DD_LOW_LOSS /* low, among runs that predict the same under the same noise */
} dd_better;

/* What each member of dd_metrics is, in its order: the store, the tables, final_info.json and the report walk this. */
typedef struct dd_metric_info {
    const char *name, *unit, *long_name;
    size_t offset;
    bool in_final_info; /* one of the reference's four */
    int place;          /* among those that tables show unasked, from 1; 0: it must be asked for */
    /* For the report: the head of its column (NULL: its name, and nothing is explained), the unit there ("%": the value
     * times 100; NULL: none), and what it is in plain words, with what perfect samples get. */
    const char *title, *title_unit;
    dd_better better;
    const char *meaning;
} dd_metric_info;

enum { DD_METRICS = sizeof(dd_metrics) / sizeof(double) };
extern const dd_metric_info dd_metric_table[DD_METRICS];

/* Index of the metric called `name`; -1 if there is none. */
int dd_metric_number(const char *name);

static inline double *dd_metric(dd_metrics *m, int i)
{
    return (double *)((char *)m + dd_metric_table[i].offset);
}

#endif
