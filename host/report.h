/* What came out of runs, over seeds: final_info.json and the comparison table.
 *
 * Both are made from the result files that lie under a directory, so they need no state of their own
 * and grow with each invocation.
 *
 *     dd_entries entries = {0};
 *     DD_TRY(dd_entries_scan("runs", 2, &entries));
 *     DD_TRY(dd_table_print(stdout, &entries, &(dd_table_options){.format = DD_TABLE_TEXT}));
 *     dd_entries_free(&entries);
 */
#ifndef DD_REPORT_H
#define DD_REPORT_H

#include <stdio.h>

#include "metrics.h"
#include "statistics.h"

/* One result file. */
typedef struct dd_entry {
    char *path; /* absolute */
    char *run;  /* name of its run directory, which is the configuration's; where two such directories have one
                   name, as much of their paths as tells them apart: runs/run_1, long/run_1 */
    char dataset[64];
    uint64_t seed;
    dd_metrics metrics;
} dd_entry;

/* A file that is named as a result and cannot be read. */
typedef struct dd_left_out {
    char *path; /* absolute */
    char *why;  /* the message, which names the file */
} dd_left_out;

typedef struct dd_entries {
    int count;
    dd_entry *entry; /* sorted by run (run_2 before run_10), dataset, seed */
    int left_out_count;
    dd_left_out *left_out;
} dd_entries;

/* Add every finished result under `dir` that is not there yet, going down `levels` folders: 2 for a DIR of train
 * --out (<config>/<dataset> below it), which takes a DIR/<config> or DIR/<config>/<dataset> too;
 * logs of runs that are still training and checkpoints are passed over. Files that are named as results and cannot be
 * read are noted in left_out; the others are added. DD_ERR_IO: `dir` cannot be read. */
int dd_entries_scan(const char *dir, int levels, dd_entries *entries);
void dd_entries_free(dd_entries *entries);

/* DD_OK where every file could be read, else DD_ERR_IO with a message that lists those that were left out. A command
 * calls it last, when it has done its work with the others. */
int dd_entries_complete(const dd_entries *entries);

/* Note a file that something else than the scan could not read, with the reason. DD_ERR_MEMORY. */
int dd_entries_leave_out(dd_entries *entries, const char *path, const char *why);

/* Write one line for each file that was left out: which, and why. */
void dd_entries_print_left_out(FILE *out, const dd_entries *entries);

/* Entries from `first` on that share its run, and its dataset too if `dataset` is not 0. */
int dd_entries_group(const dd_entries *entries, int first, int dataset);

/* Mean and spread of metric number `metric` over `count` entries, which may be 0. */
dd_summary dd_entries_summary(const dd_entry *entry, int count, int metric);

/* Write `run_dir`/final_info.json in the reference's form, {dataset: {"means": {metric: value}}}, with
 * "stderrs" (standard error of the mean) beside "means" where there are several seeds. Replaced atomically.
 * A result that cannot be read is left out, and its message is given to `left_out`. DD_ERR_IO also when there is no
 * result under `run_dir`; DD_ERR_CONFLICT: what is there under that name is not ours. */
int dd_final_info_write(const char *run_dir, void (*left_out)(const void *user, const char *message), const void *user);

/* The same of `count` entries of one run, into any directory. */
int dd_final_info_write_entries(const char *out_dir, const dd_entry *entry, int count);

typedef enum dd_table_format { DD_TABLE_TEXT, DD_TABLE_MARKDOWN, DD_TABLE_CSV } dd_table_format;

typedef struct dd_table_options {
    dd_table_format format;
    int metrics;            /* 0: text and Markdown show what is looked at first, CSV everything */
    int metric[DD_METRICS]; /* numbers in dd_metric_table, in the order of the table */
} dd_table_options;

/* Rows runs, columns datasets x metrics, mean +- sd over seeds, each cell with the digits that show its spread; text
 * and Markdown put metrics below one another, and behind modes_captured how many modes there are. Times of runs that
 * were trained together are one measurement and get no deviation.
 * CSV is long: one line per run, dataset and metric with mean, sd (empty for one seed) and the number of seeds. */
int dd_table_print(FILE *out, const dd_entries *entries, const dd_table_options *options);

/* The same into a file, replaced atomically. */
int dd_table_write(const char *path, const dd_entries *entries, const dd_table_options *options);

#endif
