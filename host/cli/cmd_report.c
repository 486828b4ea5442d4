/* dualdiff report: one self-contained HTML page about finished runs, made by python/report.py. */
#define _GNU_SOURCE /* asprintf */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/directories.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/mixed_results.h"
#include "cli/python_tool.h"
#include "cli/with_results.h"
#include "compare/table.h"
#include "store/overwrite.h"
#include "version.h"

static const dd_option options[] = {
    {"out", "FILE.html", false, "file of the report. Default: report.html in the first DIR"}, DD_OVERWRITE_OPTION, {0}};

const dd_command dd_command_report = {
    .name = "report",
    .summary = "one HTML page with tables and pictures of finished runs",
    .synopsis = "DIR... [--out FILE.html] [--overwrite]",
    .description =
        "Writes a page about every finished run under the DIRs (as for plot). It begins with the outcome (the data, "
        "the "
        "best samples, an animation of the runs that `dualdiff analyze` has seen, and the figures in a sentence) and "
        "one "
        "table of runs and metrics, with the words explained; then pictures with what to look for in them, analyses, "
        "configurations and machines. What `dualdiff floor` and `dualdiff oracle` stored in the DIRs is compared with "
        "the "
        "runs. Pictures are part of the file, which needs no network and no other file.\n\n"
        "Of many runs the page shows pictures of the best and tables of all, so that it stays small. A result that is "
        "damaged is named and left out, and the exit status is 5.\n\n"
        "Needs Python 3 with numpy, h5py and matplotlib, as plot does.",
    .least_words = 1,
    .most_words = -1,
    .words_name = "DIR",
    .options = options,
    .examples = "    dualdiff report runs\n"
                "    dualdiff report runs long_runs --out study.html\n",
    .run = dd_cmd_report,
};

static dd_status temporary_failed(void)
{
    return dd_fail(DD_ERR_IO, "a temporary file cannot be written; free space in /tmp");
}

/* The table of metrics as the script reads it, a line each, fields with a tab between them; malloc'ed. */
static char *metrics_text(void)
{
    static const char *const better[] = {"", "low", "high", "low loss"};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (int i = 0; i < DD_METRICS && out; i++) {
        const dd_metric_info *m = &dd_metric_table[i];
        fprintf(out, "%s\t%d\t%s\t%s\t%s\t%s\n", m->name, m->place, m->title ? m->title : "",
                m->title_unit ? m->title_unit : "", better[m->better], m->meaning ? m->meaning : "");
    }
    if (out)
        fclose(out);
    return text;
}

static dd_status run_script(const char *out, const char *table, dd_entries *entries)
{
    char *metrics = metrics_text();
    const char *arguments[] = {
        "--out", out, "--table", table, "--metrics", metrics, "--program", "dualdiff " DD_VERSION, NULL};
    dd_status status = metrics ? dd_tool_run("report.py", arguments, entries, entries->count)
                               : dd_fail(DD_ERR_MEMORY, "out of memory");
    free(metrics);
    return status;
}

/* The script gets the comparison as CSV, so that its numbers equal those of `compare`. */
static dd_status make_report(const char *out, dd_entries *entries)
{
    char table[] = "/tmp/dualdiff_table.XXXXXX";
    int descriptor = mkstemp(table);
    if (descriptor < 0)
        return temporary_failed();
    FILE *file = fdopen(descriptor, "w");
    dd_status status =
        file ? dd_table_print(file, entries, &(dd_table_options){.format = DD_TABLE_CSV}) : temporary_failed();
    if (file) {
        bool broken = ferror(file) != 0;
        broken = fclose(file) || broken;
        if (!status && broken)
            status = temporary_failed();
    } else {
        close(descriptor);
    }
    if (!status)
        status = run_script(out, table, entries);
    unlink(table);
    return status;
}

static dd_status report(const dd_args *args, dd_entries *entries)
{
    char *in_first = NULL;
    DD_TRY(dd_scan_words(args, entries));
    DD_TRY(dd_warn_of_mixtures(entries, entries->count));
    if (asprintf(&in_first, "%s/report.html", args->word[0]) < 0)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    const char *out = dd_args_value(args, "out", in_first);
    dd_status status = dd_overwrite_check(out, DD_WRITES_PAGE, dd_args_has(args, "overwrite"));
    if (!status)
        status = dd_prepare_path(out, "--out");
    if (!status)
        status = make_report(out, entries);
    free(in_first);
    return status ? status : dd_entries_complete(entries);
}

dd_status dd_cmd_report(int argc, char **argv)
{
    return dd_with_results(&dd_command_report, argc, argv, report);
}
