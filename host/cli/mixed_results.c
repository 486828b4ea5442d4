#include "cli/mixed_results.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"

/* The configuration sections that a result depends on. Fresh true points have no loss and were not sampled in steps;
 * samples of the exact denoiser have no loss. */
static const char *const *sections_of(const dd_entry *entry)
{
    static const char *const sections[] = {"model", "training", "diffusion", "sampling", "evaluation", "data", NULL};
    return sections + (!isnan(entry->metrics.eval_loss) ? 0 : !isnan(entry->metrics.inference_time) ? 2 : 4);
}

/* The entries of one run and dataset. */
static dd_status warn_of_configurations(const dd_entry *entry, int count)
{
    dd_header first, other;
    int mixed = 0;
    DD_TRY(dd_header_read(entry[0].path, &first));
    for (int i = 1; i < count && !mixed; i++) {
        DD_TRY(dd_header_read(entry[i].path, &other));
        char *difference = dd_config_difference(&first.config, &other.config, sections_of(entry));
        if (!difference)
            return dd_fail(DD_ERR_MEMORY, "out of memory");
        mixed = *difference != '\0';
        if (mixed)
            fprintf(
                stderr,
                "dualdiff: warning: %s and %s have the same name but differ, so a mean of %s is not meaningful:\n%s\n",
                entry[0].path, entry[i].path, entry[0].run, difference);
        free(difference);
    }
    return DD_OK;
}

static bool first_of_dataset(const dd_entry *entry, int i)
{
    for (int before = 0; before < i; before++)
        if (!strcmp(entry[before].dataset, entry[i].dataset) && !isnan(entry[before].metrics.kl_divergence))
            return false;
    return !isnan(entry[i].metrics.kl_divergence);
}

/* Whether two results were measured differently; if so, it is told. */
static bool tell_of_evaluation(const dd_entry *one, const dd_entry *two, const dd_header *first, const dd_header *other)
{
    const dd_evaluation_config *a = &first->config.evaluation, *b = &other->config.evaluation;
    if (a->samples == b->samples && a->k == b->k && a->reference == b->reference)
        return false;
    fprintf(stderr,
            "dualdiff: warning: kl_divergence of %s cannot be compared between %s (evaluation.samples %d, "
            "evaluation.k %d, evaluation.reference %d) and %s (%d, %d, %d)\n",
            two->dataset, one->run, a->samples, a->k, a->reference, two->run, b->samples, b->k, b->reference);
    return true;
}

/* Whether two results are of different points, though their datasets have the same name; if so, it is told. */
static bool tell_of_points(const dd_entry *one, const dd_entry *two, const dd_header *first, const dd_header *other)
{
    if (first->data_checksum == other->data_checksum)
        return false;
    fprintf(stderr,
            "dualdiff: warning: %s is the name of different points in %s (%u points of %d coordinates) and %s (%u of "
            "%d; see "
            "[data] of `dualdiff info`), so their metrics cannot be compared\n",
            two->dataset, one->path, first->points, first->columns.count, two->path, other->points,
            other->columns.count);
    return true;
}

/* Compare the rows of one dataset, which begin at `from`, and stop at the first one that is of other points or was
 * measured differently. Only the first seed of a row is compared; warn_of_configurations compares the others. */
static dd_status warn_of_dataset(const dd_entries *entries, int from, int count)
{
    const dd_entry *entry = entries->entry, *one = &entry[from];
    dd_header first, other;
    DD_TRY(dd_header_read(one->path, &first));
    for (int i = from; i < count; i += dd_entries_group(entries, i, 1)) {
        if (strcmp(entry[i].dataset, one->dataset) || isnan(entry[i].metrics.kl_divergence))
            continue;
        DD_TRY(dd_header_read(entry[i].path, &other));
        if (tell_of_points(one, &entry[i], &first, &other) || tell_of_evaluation(one, &entry[i], &first, &other))
            break;
    }
    return DD_OK;
}

dd_status dd_warn_of_mixtures(const dd_entries *entries, int count)
{
    for (int first = 0, size; first < count; first += size) {
        size = dd_entries_group(entries, first, 1);
        DD_TRY(warn_of_configurations(&entries->entry[first], size));
    }
    for (int i = 0; i < count; i++)
        if (first_of_dataset(entries->entry, i))
            DD_TRY(warn_of_dataset(entries, i, count));
    return DD_OK;
}
