/* What came out of runs, over seeds: final_info.json and the comparison table.
 *
 * Both are made from the result files that lie under a directory, so they need no state of their own
 * and grow with each invocation.
 */
#ifndef DD_REPORT_H
#define DD_REPORT_H

#include <stdio.h>

#include "metrics.h"

/* One result file. */
typedef struct dd_entry {
    char *path;
    char run[64], dataset[64]; /* configuration's name, dataset */
    uint64_t seed;
    dd_metrics metrics;
} dd_entry;

typedef struct dd_entries {
    int count;
    dd_entry *entry; /* sorted by run, dataset, seed */
} dd_entries;

/* Every finished result under `dir` (DIR, DIR/<config>, or DIR/<config>/<dataset>); logs of runs that
 * are still training and checkpoints are passed over. Adds to `entries`. */
int dd_entries_scan(const char *dir, dd_entries *entries);
void dd_entries_free(dd_entries *entries);

/* Write `run_dir`/final_info.json in the reference's form, {dataset: {"means": {metric: value}}}, with
 * "stderrs" (standard error of the mean) beside "means" where there are several seeds. Replaced atomically. */
int dd_final_info_write(const char *run_dir);

typedef enum dd_table_format { DD_TABLE_TEXT, DD_TABLE_MARKDOWN, DD_TABLE_CSV } dd_table_format;

/* Rows runs, columns datasets x metrics, mean +- sd over seeds. CSV is long: one line per run, dataset
 * and metric with mean, sd and the number of seeds. */
int dd_table_print(FILE *out, const dd_entries *entries, dd_table_format format);

#endif
