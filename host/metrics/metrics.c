/* The table of metrics. */
#include "metrics/metrics.h"

#include <string.h>

const dd_metric_info dd_metric_table[DD_METRICS] = {
    {"training_time", "s", "wall time of training, of the ensemble / replicas", offsetof(dd_metrics, training_time), 1},
    {"eval_loss", "1", "mean squared error of the predicted noise on the training set", offsetof(dd_metrics, eval_loss),
     1},
    {"heldout_loss", "1", "mean squared error of the predicted noise on fresh points",
     offsetof(dd_metrics, heldout_loss), 0},
    {"inference_time", "s", "wall time of sampling, of the ensemble / replicas", offsetof(dd_metrics, inference_time),
     1},
    {"kl_divergence", "bit", "nearest-neighbour estimate of KL(real || generated)", offsetof(dd_metrics, kl_divergence),
     1},
    {"kl_zero_distances", "1", "real points left out of kl_divergence because a distance was 0",
     offsetof(dd_metrics, kl_zero_distances), 0},
    {"modes", "1", "modes of the dataset", offsetof(dd_metrics, modes), 0},
    {"modes_captured", "1", "modes with at least a fifth of their share in high-quality samples",
     offsetof(dd_metrics, modes_captured), 0},
    {"high_quality", "1", "share of samples within 3 sigma of a mode or curve, or in its disc or box",
     offsetof(dd_metrics, high_quality), 0},
    {"off_support", "1", "share of samples beyond 6 sigma of every mode or curve, or .02 outside disc or box",
     offsetof(dd_metrics, off_support), 0},
    {"total_variation", "1", "between samples and truth, over modes or cells and what lies outside",
     offsetof(dd_metrics, total_variation), 0},
    {"density", "1", "Naeem et al. 2020, k = 5; 1 for the true distribution", offsetof(dd_metrics, density), 0},
    {"coverage", "1", "Naeem et al. 2020, k = 5; .97 for the true distribution", offsetof(dd_metrics, coverage), 0},
    {"sliced_wasserstein", "1", "Wasserstein-1 distance to the training set, mean over 128 directions",
     offsetof(dd_metrics, sliced_wasserstein), 0},
    {"mmd_squared", "1", "squared maximum mean discrepancy, unbiased", offsetof(dd_metrics, mmd_squared), 0},
    {"mean_distance", "1", "mean distance between two samples", offsetof(dd_metrics, mean_distance), 0},
};

int dd_metric_number(const char *name)
{
    int i = DD_METRICS - 1;
    while (i >= 0 && strcmp(dd_metric_table[i].name, name))
        i--;
    return i;
}
