/* The table of runs, datasets and metrics. */
#ifndef DD_TABLE_H
#define DD_TABLE_H

#include "base/error.h"
#include "compare/results_scan.h"

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
DD_CHECKED dd_status dd_table_print(FILE *out, const dd_entries *entries, const dd_table_options *options);

/* The same into a file, replaced atomically. */
DD_CHECKED dd_status dd_table_write(const char *path, const dd_entries *entries, const dd_table_options *options);

#endif
