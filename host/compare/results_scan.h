/* The results that lie under a directory, and those that cannot be read. Tables, final_info.json, pictures and the
 * report are made from them, so they need no state of their own and grow with each training.
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
    char *run;  /* name of its run directory, which is the configuration's; where two such directories have one
                   name, as much of their paths as tells them apart: runs/run_1, long/run_1 */
    char dataset[64];
    uint64_t seed;
    dd_metrics metrics;
} dd_entry;

/* A file that is named as a result and is none. */
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

/* Add every finished result under `dir` that is not there yet, going down `levels` folders: 2 for a DIR of train
 * --out (<config>/<dataset> below it), which takes a DIR/<config> or DIR/<config>/<dataset> too;
 * checkpoints are passed over, and logs of runs that are not finished are noted in unfinished. Files that are named as
 * results and cannot be read are noted in left_out; the others are added. DD_ERR_IO: `dir` cannot be read. */
DD_CHECKED dd_status dd_entries_scan(const char *dir, int levels, dd_entries *entries);
void dd_entries_free(dd_entries *entries);

/* DD_OK where every file could be read, else DD_ERR_IO with a message that lists those that were left out. A command
 * calls it last, when it has done its work with the others. */
DD_CHECKED dd_status dd_entries_complete(const dd_entries *entries);

/* Note a file that something else than the scan could not read, with the reason. DD_ERR_MEMORY. */
DD_CHECKED dd_status dd_entries_leave_out(dd_entries *entries, const char *path, const char *why);

/* Write one line for each file that was left out: which, and why; and one that counts the unfinished runs. */
void dd_entries_print_left_out(FILE *out, const dd_entries *entries);

/* Entries from `first` on that share its run, and its dataset too if `dataset` is not 0. */
int dd_entries_group(const dd_entries *entries, int first, int dataset);

/* Mean and spread of metric number `metric` over `count` entries, which may be 0. */
dd_summary dd_entries_summary(const dd_entry *entry, int count, int metric);

#endif
