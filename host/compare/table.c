/* The comparison of runs as text, Markdown or CSV. */
#include "compare/table.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/error.h"
#include "base/text_file.h"

enum {
    WIDTH = 100, /* terminal columns of a text table; datasets that do not fit are printed below */
    CELL = 96
};

/* Rows are runs, columns are datasets; a cell has the entries of one run and dataset. */
typedef struct grid {
    int runs, datasets;
    const char **run, **dataset;
    int metrics, metric[DD_METRICS]; /* to show, in order */
    struct {
        const dd_entry *first;
        int count; /* 0: the run has no result for this dataset */
    } * cell;      /* [runs][datasets] */
} grid;

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void grid_free(grid *g)
{
    free(g->run);
    free(g->dataset);
    free(g->cell);
}

/* The metrics of the default table; the user must name all others. */
static int first_metrics(int metric[DD_METRICS])
{
    int count = 0;
    for (int place = 1; place <= DD_METRICS; place++)
        for (int i = 0; i < DD_METRICS; i++)
            if (dd_metric_table[i].place == place)
                metric[count++] = i;
    return count;
}

static void choose_metrics(const dd_table_options *options, grid *g)
{
    g->metrics = options->metrics;
    memcpy(g->metric, options->metric, sizeof g->metric);
    if (!g->metrics && options->format != DD_TABLE_CSV)
        g->metrics = first_metrics(g->metric);
    if (!g->metrics)
        for (; g->metrics < DD_METRICS; g->metrics++)
            g->metric[g->metrics] = g->metrics;
}

static dd_status grid_create(const dd_entries *e, const dd_table_options *options, grid *g)
{
    size_t n = (size_t)(e->count ? e->count : 1);
    *g = (grid){.run = calloc(n, sizeof *g->run), .dataset = calloc(n, sizeof *g->dataset)};
    if (!g->run || !g->dataset)
        goto no_memory;
    choose_metrics(options, g);
    for (int i = 0, size; i < e->count; i += size) {
        size = dd_entries_group(e, i, 0);
        g->run[g->runs++] = e->entry[i].run;
    }
    for (int i = 0; i < e->count; i++) {
        int known = 0;
        while (known < g->datasets && strcmp(g->dataset[known], e->entry[i].dataset))
            known++;
        if (known == g->datasets)
            g->dataset[g->datasets++] = e->entry[i].dataset;
    }
    qsort(g->dataset, (size_t)g->datasets, sizeof *g->dataset, compare_names);
    g->cell = calloc((size_t)g->runs * (size_t)g->datasets + 1, sizeof *g->cell);
    if (!g->cell)
        goto no_memory;
    for (int i = 0, size, run = -1; i < e->count; i += size) {
        size = dd_entries_group(e, i, 1);
        run += run < 0 || strcmp(g->run[run], e->entry[i].run);
        int dataset = 0;
        while (strcmp(g->dataset[dataset], e->entry[i].dataset))
            dataset++;
        g->cell[run * g->datasets + dataset].first = &e->entry[i];
        g->cell[run * g->datasets + dataset].count = size;
    }
    return DD_OK;
no_memory:
    grid_free(g);
    return dd_fail(DD_ERR_MEMORY, "out of memory for a table of %d results", e->count);
}

static dd_summary summary(const grid *g, int run, int dataset, int metric)
{
    int i = run * g->datasets + dataset;
    return dd_entries_summary(g->cell[i].first, g->cell[i].count, metric);
}

/* ---- numbers ---- */

/* Whether a metric counts something: all of its values are whole numbers. */
static bool is_count(const grid *g, int metric)
{
    for (int i = 0; i < g->runs * g->datasets; i++)
        for (int j = 0; j < g->cell[i].count; j++) {
            dd_metrics m = g->cell[i].first[j].metrics;
            double value = *dd_metric(&m, metric);
            if (isfinite(value) && value != floor(value))
                return false;
        }
    return true;
}

static int places_of(const grid *g, int metric, double mean, double sd)
{
    bool whole = mean == floor(mean) && sd == 0.;
    return whole && is_count(g, metric) ? 0 : dd_decimals(mean, sd);
}

/* Runs that were trained together share one time, so its deviation has no meaning. */
static bool timed_together(const grid *g, int run, int dataset, int metric)
{
    int i = run * g->datasets + dataset;
    if (strcmp(dd_metric_table[metric].unit, "s"))
        return false;
    for (int a = 0; a < g->cell[i].count; a++)
        for (int b = 0; b < a; b++) {
            dd_metrics one = g->cell[i].first[a].metrics, other = g->cell[i].first[b].metrics;
            if (*dd_metric(&one, metric) == *dd_metric(&other, metric))
                return true;
        }
    return false;
}

/* Whether the metric has anything to show: a value, and for the count of zero distances one that is not 0. */
static bool shown(const grid *g, int metric)
{
    int count = !strcmp(dd_metric_table[metric].name, "kl_zero_distances");
    for (int i = 0; i < g->runs * g->datasets; i++) {
        dd_summary s = summary(g, i / g->datasets, i % g->datasets, metric);
        if (s.n && (!count || s.mean != 0.))
            return true;
    }
    return false;
}

/* The number of seeds of every value that is shown, or 0 if it is not the same for all. */
static int common_seeds(const grid *g)
{
    int common = -1;
    for (int j = 0; j < g->metrics; j++) {
        for (int i = 0; i < g->runs * g->datasets; i++) {
            int n = summary(g, i / g->datasets, i % g->datasets, g->metric[j]).n;
            if (n && common != -1 && n != common)
                return 0;
            if (n)
                common = n;
        }
    }
    return common;
}

/* Numbers that would need too many digits get an exponent. */
static void print_number(char text[CELL], int places, double value)
{
    if (fabs(value) < 1e12)
        snprintf(text, CELL, "%.*f", places, value);
    else
        snprintf(text, CELL, "%.*e", DD_MEAN_DIGITS - 1, value);
}

/* A cell before alignment: mean, standard deviation ("" if there is none), and the text after them. */
typedef struct parts {
    char mean[CELL], sd[CELL], rest[CELL];
} parts;

/* Text after modes_captured: the number of modes that the dataset has. */
static void print_total(const grid *g, int run, int dataset, int metric, char text[CELL])
{
    char total[CELL];
    dd_summary s = summary(g, run, dataset, dd_metric_number("modes"));
    *text = '\0';
    if (strcmp(dd_metric_table[metric].name, "modes_captured") || !s.n)
        return;
    print_number(total, 0, s.mean);
    snprintf(text, CELL, " of %.80s", total);
}

static parts make_parts(const grid *g, int metric, int run, int dataset, bool show_seeds)
{
    dd_summary s = summary(g, run, dataset, metric);
    parts p = {.mean = "-"};
    if (!s.n)
        return p;
    bool spread = s.n > 1 && !timed_together(g, run, dataset, metric);
    int places = places_of(g, metric, s.mean, spread ? s.sd : 0.);
    char total[CELL], seeds[16] = "";
    print_number(p.mean, places, s.mean);
    if (spread)
        print_number(p.sd, places, s.sd);
    if (show_seeds)
        snprintf(seeds, sizeof seeds, " (%d)", s.n);
    print_total(g, run, dataset, metric, total);
    snprintf(p.rest, CELL, "%.70s%s", total, seeds);
    return p;
}

/* Widths of a number: before its decimal point, and from the point on. */
typedef struct extent {
    int before, behind;
} extent;

static extent extent_of(const char *number)
{
    int before = (int)strcspn(number, ".");
    return (extent){before, (int)strlen(number) - before};
}

static void widen(extent *widest, const char *number)
{
    extent e = extent_of(number);
    widest->before = e.before > widest->before ? e.before : widest->before;
    widest->behind = e.behind > widest->behind ? e.behind : widest->behind;
}

/* Print a number so that its decimal point is in the column of the others. */
static void align(char out[CELL], const char *number, extent widest)
{
    extent e = extent_of(number);
    snprintf(out, CELL, "%*s%.40s%*s", widest.before - e.before, "", number, widest.behind - e.behind, "");
}

static void trim(char text[CELL])
{
    size_t length = strlen(text);
    while (length && text[length - 1] == ' ')
        text[--length] = '\0';
}

/* Cells of one metric and dataset into text[runs]; aligned: points under points, deviations under deviations. */
static void format_cells(const grid *g, int metric, int dataset, bool aligned, char (*text)[CELL])
{
    bool show_seeds = !common_seeds(g);
    extent of_mean = {0}, of_sd = {0};
    for (int run = 0; run < g->runs && aligned; run++) {
        parts p = make_parts(g, metric, run, dataset, show_seeds);
        widen(&of_mean, p.mean);
        widen(&of_sd, p.sd);
    }
    for (int run = 0; run < g->runs; run++) {
        parts p = make_parts(g, metric, run, dataset, show_seeds);
        char mean[CELL], sd[CELL];
        align(mean, p.mean, aligned ? of_mean : extent_of(p.mean));
        align(sd, p.sd, aligned ? of_sd : extent_of(p.sd));
        const char *between = *p.sd ? " ± " : of_sd.before ? "   " : "";
        snprintf(text[run], CELL, "%.30s%s%.30s%.30s", mean, between, sd, p.rest);
        trim(text[run]);
    }
}

/* The cells of one metric, [datasets][runs], malloc'ed; NULL when memory is out. */
static char (*create_cells(const grid *g, int metric, bool aligned))[CELL]
{
    char(*cell)[CELL] = malloc((size_t)g->runs * (size_t)g->datasets * sizeof *cell);
    for (int d = 0; d < g->datasets && cell; d++)
        format_cells(g, metric, d, aligned, cell + d * g->runs);
    return cell;
}

static void print_note(FILE *out, const grid *g)
{
    int seeds = common_seeds(g);
    if (seeds > 1)
        fprintf(out, "Mean ± standard deviation over %d seeds (n = %d).\n", seeds, seeds);
    else if (seeds == 1)
        fprintf(out, "One seed each (n = 1), so no standard deviation.\n");
    else
        fprintf(out, "Mean ± standard deviation over seeds, their number in parentheses.\n");
}

/* ---- text ---- */

/* Terminal columns of UTF-8 text. */
static int columns(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += (*text & 0xC0) != 0x80;
    return n;
}

static void print_padded(FILE *out, const char *text, int width)
{
    fprintf(out, "%s%*s", text, width - columns(text), "");
}

/* Datasets first .. last - 1 of one metric; cell[dataset][row]. */
static void print_rows(FILE *out, const grid *g, int first, int last, int name_width, const int *width,
                       char (*cell)[CELL])
{
    for (int row = -1; row < g->runs; row++) {
        print_padded(out, row < 0 ? "run" : g->run[row], last > first ? name_width : 0);
        for (int d = first; d < last; d++) {
            const char *text = row < 0 ? g->dataset[d] : cell[d * g->runs + row];
            fputs("   ", out);
            print_padded(out, text, d + 1 < last ? width[d] : columns(text));
        }
        fputc('\n', out);
    }
}

static dd_status print_text_metric(FILE *out, const grid *g, int metric)
{
    int name_width = columns("run"), *width = malloc((size_t)g->datasets * sizeof *width);
    char(*cell)[CELL] = create_cells(g, metric, 1);
    if (!cell || !width) {
        free(cell);
        free(width);
        return dd_fail(DD_ERR_MEMORY, "out of memory for a table");
    }
    for (int run = 0; run < g->runs; run++)
        name_width = columns(g->run[run]) > name_width ? columns(g->run[run]) : name_width;
    for (int d = 0; d < g->datasets; d++) {
        width[d] = columns(g->dataset[d]);
        for (int row = 0; row < g->runs; row++)
            width[d] = columns(cell[d * g->runs + row]) > width[d] ? columns(cell[d * g->runs + row]) : width[d];
    }
    const dd_metric_info *info = &dd_metric_table[metric];
    fprintf(out, "\n%s [%s]: %s\n", info->name, info->unit, info->long_name);
    for (int first = 0, last; first < g->datasets; first = last) {
        int total = name_width;
        for (last = first; last < g->datasets && (last == first || total + 3 + width[last] <= WIDTH); last++)
            total += 3 + width[last];
        if (first)
            fputc('\n', out);
        print_rows(out, g, first, last, name_width, width, cell);
    }
    free(cell);
    free(width);
    return DD_OK;
}

/* ---- Markdown ---- */

static void print_markdown_name(FILE *out, const char *name)
{
    for (; *name; name++)
        fprintf(out, *name == '|' ? "\\%c" : "%c", *name);
}

static dd_status print_markdown_metric(FILE *out, const grid *g, int metric)
{
    char(*cell)[CELL] = create_cells(g, metric, 0);
    if (!cell)
        return dd_fail(DD_ERR_MEMORY, "out of memory for a table");
    const dd_metric_info *info = &dd_metric_table[metric];
    fprintf(out, "\n**%s** [%s]: %s\n\n| run |", info->name, info->unit, info->long_name);
    for (int d = 0; d < g->datasets; d++) {
        fputc(' ', out);
        print_markdown_name(out, g->dataset[d]);
        fputs(" |", out);
    }
    fputs("\n|---|", out);
    for (int d = 0; d < g->datasets; d++)
        fputs("---|", out);
    for (int row = 0; row < g->runs; row++) {
        fputs("\n| ", out);
        print_markdown_name(out, g->run[row]);
        fputs(" |", out);
        for (int d = 0; d < g->datasets; d++)
            fprintf(out, " %s |", cell[d * g->runs + row]);
    }
    fputc('\n', out);
    free(cell);
    return DD_OK;
}

/* ---- CSV ---- */

static void print_csv(FILE *out, const grid *g)
{
    fputs("run,dataset,metric,unit,mean,sd,n\n", out);
    for (int i = 0; i < g->runs * g->datasets * g->metrics; i++) {
        int metric = g->metric[i % g->metrics], cell = i / g->metrics;
        int dataset = cell % g->datasets, run = cell / g->datasets;
        dd_summary s = summary(g, run, dataset, metric);
        char mean[DD_FLOAT_TEXT], sd[DD_FLOAT_TEXT] = "";
        if (!s.n)
            continue;
        dd_float_text(s.mean, mean);
        if (s.n > 1 && !timed_together(g, run, dataset, metric))
            dd_float_text(s.sd, sd);
        dd_print_csv_field(out, g->run[run]);
        fputc(',', out);
        dd_print_csv_field(out, g->dataset[dataset]);
        fprintf(out, ",%s,%s,%s,%s,%d\n", dd_metric_table[metric].name, dd_metric_table[metric].unit, mean, sd, s.n);
    }
}

/* ---- all metrics ---- */

static dd_status print_metrics(FILE *out, const grid *g, dd_status (*print_metric)(FILE *, const grid *, int))
{
    print_note(out, g);
    for (int i = 0; i < g->metrics; i++)
        if (shown(g, g->metric[i]))
            DD_TRY(print_metric(out, g, g->metric[i]));
    return DD_OK;
}

dd_status dd_table_print(FILE *out, const dd_entries *entries, const dd_table_options *options)
{
    grid g;
    dd_status status = DD_OK;
    DD_TRY(grid_create(entries, options, &g));
    if (options->format == DD_TABLE_CSV)
        print_csv(out, &g);
    else
        status = print_metrics(out, &g, options->format == DD_TABLE_TEXT ? print_text_metric : print_markdown_metric);
    if (!status && (fflush(out) || ferror(out)))
        status = dd_fail(DD_ERR_IO, "the table could not be written: %s", strerror(errno));
    grid_free(&g);
    return status;
}

typedef struct table {
    const dd_entries *entries;
    const dd_table_options *options;
} table;

static dd_status print_table(FILE *out, const void *data)
{
    const table *t = data;
    return dd_table_print(out, t->entries, t->options);
}

dd_status dd_table_write(const char *path, const dd_entries *entries, const dd_table_options *options)
{
    return dd_text_file_write(path, print_table, &(table){entries, options});
}
