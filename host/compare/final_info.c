/* final_info.json, in the form that tools for the reference read. */
#define _GNU_SOURCE /* asprintf */
#include "compare/final_info.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/clean_text.h"
#include "base/error.h"
#include "base/names.h"
#include "base/text_file.h"
#include "store/overwrite.h"

/* A file's name may be any bytes, but JSON is UTF-8: invalid bytes become U+FFFD. */
static void write_string(FILE *out, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;
    fputc('"', out);
    while (*s) {
        int length = dd_utf8_length(s);
        if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (*s < 0x20)
            fprintf(out, "\\u%04x", *s);
        else if (!length)
            fputs("\\ufffd", out);
        else
            fwrite(s, 1, (size_t)length, out);
        s += length ? length : 1;
    }
    fputc('"', out);
}

typedef enum value_kind { MEANS, STANDARD_ERRORS } value_kind;

/* "key": {metric: value, ...} with the values that exist; nothing if there are none. */
static void write_values(FILE *out, const char *key, const dd_entry *entry, int count, value_kind kind)
{
    int written = 0;
    for (int metric = 0; metric < DD_METRICS; metric++) {
        dd_summary s = dd_entries_summary(entry, count, metric);
        double value = kind == MEANS ? s.mean : s.standard_error;
        char text[DD_FLOAT_TEXT];
        if (!dd_metric_table[metric].in_final_info || isnan(value))
            continue;
        dd_float_text(value, text);
        if (written++)
            fputs(", ", out);
        else
            fprintf(out, "%s\"%s\": {", kind == MEANS ? "" : ", ", key);
        fprintf(out, "\"%s\": %s", dd_metric_table[metric].name, text);
    }
    if (written)
        fputc('}', out);
    else if (kind == MEANS)
        fprintf(out, "\"%s\": {}", key);
}

/* Write the entries of one run, sorted by dataset. */
static dd_status write_run(FILE *out, const void *data)
{
    const dd_entries *run = data;
    fputc('{', out);
    for (int first = 0, size; first < run->count; first += size) {
        const dd_entry *entry = run->entry + first;
        size = dd_entries_group(run, first, 1);
        if (first)
            fputs(", ", out);
        write_string(out, entry->dataset);
        fputs(": {", out);
        write_values(out, "means", entry, size, MEANS);
        write_values(out, "stderrs", entry, size, STANDARD_ERRORS);
        fputc('}', out);
    }
    fputc('}', out);
    return DD_OK;
}

dd_status dd_final_info_write_entries(const char *out_dir, const dd_entry *entry, int count)
{
    const dd_entries run = {.count = count, .entry = (dd_entry *)entry};
    char *path = NULL;
    if (asprintf(&path, "%s/final_info.json", out_dir) < 0)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = dd_text_file_write(path, write_run, &run);
    free(path);
    return status;
}

/* The experiment's own file with that name is kept. */
static dd_status check_replaced(const char *run_dir)
{
    char *path = NULL;
    if (asprintf(&path, "%s/final_info.json", run_dir) < 0)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = dd_overwrite_check(path, DD_WRITES_SUMMARY, false);
    if (status)
        status = dd_fail(DD_ERR_CONFLICT,
                         "%s exists and was not written by this program, so it is kept and no summary is written; the "
                         "results themselves are stored. Move it to another folder, then run the same command again",
                         path);
    free(path);
    return status;
}

dd_status dd_final_info_write(const char *run_dir, void (*left_out)(const void *user, const char *message),
                              const void *user)
{
    dd_entries entries = {0};
    dd_status status = dd_entries_scan(run_dir, 1, &entries);
    for (int i = 0; i < entries.left_out_count; i++)
        left_out(user, entries.left_out[i].why);
    if (!status && !entries.count)
        status = dd_fail(DD_ERR_IO, "%s: no finished result (<dataset>/seed_<n>.h5) to summarise", run_dir);
    if (!status)
        status = check_replaced(run_dir);
    if (!status)
        status = dd_final_info_write_entries(run_dir, entries.entry, entries.count);
    dd_entries_free(&entries);
    return status;
}
