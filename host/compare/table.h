/* The table of runs, datasets and metrics. */
#ifndef DD_TABLE_H
#define DD_TABLE_H

#include "base/error.h"
#include "compare/results_scan.h"

typedef enum dd_table_format { DD_TABLE_TEXT, DD_TABLE_MARKDOWN, DD_TABLE_CSV } dd_table_format;

typedef struct dd_table_options {
    dd_table_format format;
    int metrics;            /* 0: text and Markdown show the most important metrics, CSV all of them */
    int metric[DD_METRICS]; /* indices into dd_metric_table, in the order of the output */
} dd_table_options;

/* Print a table of runs (rows) by datasets and metrics (columns) with mean +- sd over seeds. The spread decides the
 * digits of each cell. Text and Markdown print the metrics one below the other, and after modes_captured the number of
 * modes. Times of runs that were trained together are one measurement and get no deviation. CSV has one line per run,
 * dataset and metric with mean, sd (empty for one seed) and the number of seeds. */
DD_CHECKED dd_status dd_table_print(FILE *out, const dd_entries *entries, const dd_table_options *options);

/* The same into a file, replaced atomically. */
DD_CHECKED dd_status dd_table_write(const char *path, const dd_entries *entries, const dd_table_options *options);

#endif
