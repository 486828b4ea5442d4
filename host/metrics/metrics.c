/* The table of metrics. */
#include "metrics/metrics.h"

#include <stdbool.h>
#include <string.h>

#define METRIC(member) .name = #member, .offset = offsetof(dd_metrics, member)

const dd_metric_info dd_metric_table[] = {
    {METRIC(training_time), .unit = "s", .long_name = "wall time of training, of the ensemble / replicas",
     .in_final_info = true, .place = 6, .title = "training", .title_unit = "s", .better = DD_LOW,
     .meaning = "Time of training, per run. Where runs were trained together, the whole time divided by their number, "
                "so it has no spread."},
    {METRIC(eval_loss), .unit = "1", .long_name = "mean squared error of the predicted noise on the training set",
     .in_final_info = true, .place = 4, .title = "training loss", .better = DD_LOW_LOSS,
     .meaning = "Mean squared error of the prediction, on training points. Smaller is better, among runs that predict "
                "the same thing with the same noise; it says little about samples."},
    {METRIC(heldout_loss), .unit = "1", .long_name = "mean squared error of the predicted noise on held-out points",
     .place = 5, .title = "held-out loss", .better = DD_LOW_LOSS,
     .meaning = "The same on points that were not trained on. Much larger than the training loss: the run has learned "
                "its points by heart."},
    {METRIC(excess_loss), .unit = "1", .long_name = "heldout_loss - the exact denoiser's, on the same points and noise",
     .title = "excess loss", .better = DD_LOW_LOSS,
     .meaning = "How much the held-out loss is above that of the exact denoiser, which no network can pass. A perfect "
                "network: 0, a little above or below by chance."},
    {METRIC(excess_loss_error), .unit = "1", .long_name = "standard error of excess_loss"},
    {METRIC(denoiser_error), .unit = "1", .long_name = "mean squared distance of the network and the exact denoiser",
     .title = "denoiser error", .better = DD_LOW_LOSS,
     .meaning = "Mean squared distance of the predicted noise and the exact denoiser's. It estimates what the excess "
                "loss estimates, with less chance. A perfect network: 0."},
    {METRIC(inference_time), .unit = "s", .long_name = "wall time of sampling, of the ensemble / replicas",
     .in_final_info = true, .place = 7, .title = "sampling", .title_unit = "s", .better = DD_LOW,
     .meaning = "Time of generating all samples once."},
    {METRIC(kl_divergence), .unit = "bit", .long_name = "nearest-neighbour estimate of KL(real || generated)",
     .in_final_info = true, .place = 1, .title = "KL divergence", .title_unit = "bit", .better = DD_LOW,
     .meaning = "How much the samples' distribution differs from the data's, estimated from distances to nearest "
                "neighbours. 0 is no difference; the estimate is a little above or below 0 even for perfect samples: "
                "compare with the row floor."},
    {METRIC(kl_zero_distances), .unit = "1",
     .long_name = "real points left out of kl_divergence because a distance was 0", .place = 8},
    {METRIC(heldout_kl), .unit = "bit", .long_name = "the same estimate of KL(held-out points || generated)",
     .title = "held-out KL", .title_unit = "bit", .better = DD_LOW,
     .meaning = "The KL divergence of the samples from points that were not trained on. Compare it with held-out KL "
                "floor."},
    {METRIC(heldout_kl_floor), .unit = "bit",
     .long_name = "KL(held-out points || as many training points as there are samples)", .title = "held-out KL floor",
     .title_unit = "bit", .meaning = "What training points in place of the samples score: true points."},
    {METRIC(copy_share), .unit = "1",
     .long_name = "share of samples whose nearest training point is less than a third as far as the second",
     .title = "copies", .title_unit = "%",
     .meaning = "Share of the samples that are copies of training points, or look like one by chance: compare it with "
                "the floor of copies."},
    {METRIC(copy_floor), .unit = "1", .long_name = "the same share of held-out points", .title = "floor of copies",
     .title_unit = "%",
     .meaning = "Share of the held-out points that look like copies of training points, by chance. A sampler that "
                "copies nothing has the same share."},
    {METRIC(modes), .unit = "1", .long_name = "modes of the dataset"},
    {METRIC(modes_captured), .unit = "1",
     .long_name = "modes with at least a fifth of their share in high-quality samples", .place = 2,
     .title = "modes captured", .title_unit = "of all", .better = DD_HIGH,
     .meaning = "A mode is a place where the data are dense (a dot of the drawing). It is captured if at least a fifth "
                "of the samples that belong there lie there."},
    {METRIC(high_quality), .unit = "1",
     .long_name = "share of samples within 3 sigma of a mode or curve (D = 2; else a radius of equal share), or in its "
                  "disc or box",
     .title = "good samples", .title_unit = "%", .better = DD_HIGH,
     .meaning = "Share of the samples within three standard deviations of a mode or, where points do not have two "
                "coordinates, within the distance that holds as much of it. Perfect samples: 98 to 100 %."},
    {METRIC(off_support), .unit = "1",
     .long_name = "share of samples beyond 6 sigma of every mode or curve (D = 2; else a radius of equal share), or "
                  ".02 outside disc or box",
     .place = 3, .title = "off support", .title_unit = "%", .better = DD_LOW,
     .meaning = "Share of the samples that lie where the data have none. Perfect samples: 0."},
    {METRIC(total_variation), .unit = "1",
     .long_name = "between samples and truth, over modes or cells and what lies outside", .title = "total variation",
     .title_unit = "%", .better = DD_LOW,
     .meaning = "Share of the samples that would have to move for each mode to have what it should have."},
    {METRIC(density), .unit = "1", .long_name = "Naeem et al. 2020, k = 5; 1 for the true distribution",
     .title = "density", .meaning = "How many training points' neighbourhoods a sample lies in. Perfect samples: 1."},
    {METRIC(coverage), .unit = "1", .long_name = "Naeem et al. 2020, k = 5; .97 for the true distribution",
     .title = "coverage", .title_unit = "%", .better = DD_HIGH,
     .meaning = "Share of the training points that have a sample nearby. Perfect samples: 97 %."},
    {METRIC(sliced_wasserstein), .unit = "1",
     .long_name = "Wasserstein-1 distance to the training set, mean over 128 directions", .title = "sliced Wasserstein",
     .better = DD_LOW,
     .meaning = "How far points have to be moved, along lines in many directions, in the data's unit."},
    {METRIC(mmd_squared), .unit = "1", .long_name = "squared maximum mean discrepancy, unbiased",
     .title = "MMD², squared", .better = DD_LOW,
     .meaning = "Maximum mean discrepancy: a distance of two distributions by a kernel. Perfect samples: 0."},
    {METRIC(mean_distance), .unit = "1", .long_name = "mean distance between two samples", .title = "mean distance",
     .meaning = "Mean distance between two samples. The data's own is the aim."},
};

_Static_assert(sizeof dd_metric_table / sizeof *dd_metric_table == DD_METRICS, "a member of dd_metrics has no entry");

int dd_metric_number(const char *name)
{
    int i = DD_METRICS - 1;
    while (i >= 0 && strcmp(dd_metric_table[i].name, name))
        i--;
    return i;
}
