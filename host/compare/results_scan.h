/* The compare layer collects the results of many runs. This header finds the results under a directory, and those that
 * cannot be read. Tables, final_info.json, pictures and the report are made from this list each time, so they always
 * show all results. The layer never changes a result and never trains or measures.
 *
 *     dd_entries entries = {0};
 *     DD_TRY(dd_entries_scan("runs", 2, &entries));
 *     DD_TRY(dd_table_print(stdout, &entries, &(dd_table_options){.format = DD_TABLE_TEXT}));   // table.h
 *     dd_entries_free(&entries);
 */
#ifndef DD_RESULTS_SCAN_H
#define DD_RESULTS_SCAN_H

#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "base/statistics.h"
#include "metrics/metrics.h"

/* One result file. */
typedef struct dd_entry {
    char *path; /* absolute */
    char *run;  /* name of its run directory, which is that of the configuration. If two directories have the same name,
                   as much of the path as distinguishes them: runs/run_1, long/run_1 */
    char dataset[64];
    uint64_t seed;
    dd_metrics metrics;
} dd_entry;

/* A file that has the name of a result but is not one. */
typedef struct dd_left_out {
    char *path; /* absolute */
    char *why;  /* the message, which names the file */
} dd_left_out;

typedef struct dd_entries {
    int count;
    dd_entry *entry; /* sorted by run (run_2 before run_10), dataset, seed */
    int left_out_count;
    dd_left_out *left_out;
    int unfinished_count;
    dd_left_out *unfinished; /* logs of runs without a result; `why` is "" */
} dd_entries;

/* Add every finished result under `dir` that is not in the list yet, down to `levels` folders below it. With 2, `dir`
 * may be a DIR of train --out (<config>/<dataset> below it), a DIR/<config> or a DIR/<config>/<dataset>. Checkpoints
 * are ignored. Logs of unfinished runs go to `unfinished`, and files with the name of a result that cannot be read go
 * to `left_out`. DD_ERR_IO: `dir` cannot be read. */
DD_CHECKED dd_status dd_entries_scan(const char *dir, int levels, dd_entries *entries);
void dd_entries_free(dd_entries *entries);

/* DD_OK if every file could be read, else DD_ERR_IO with a message that lists the files that were left out. A command
 * calls it last, after its work with the other files. */
DD_CHECKED dd_status dd_entries_complete(const dd_entries *entries);

/* Add a file to left_out that other code could not read, with the reason. DD_ERR_MEMORY. */
DD_CHECKED dd_status dd_entries_leave_out(dd_entries *entries, const char *path, const char *why);

/* Print one line for each file that was left out, with the reason, and one line with the number of unfinished runs. */
void dd_entries_print_left_out(FILE *out, const dd_entries *entries);

/* Number of entries from `first` on with the same run (and, if `dataset` is not 0, the same dataset). */
int dd_entries_group(const dd_entries *entries, int first, int dataset);

/* Mean and spread of metric number `metric` over `count` entries, which may be 0. */
dd_summary dd_entries_summary(const dd_entry *entry, int count, int metric);

#endif
