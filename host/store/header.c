/* The header of a file: which run it belongs to. Written, read and compared here. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/names.h"
#include "store/run_file.h"
#include "version.h"

static const char dropped[] = "incomplete rows"; /* the attribute dataset_drop */
static const char *const kind_names[] = {"log", "checkpoint", "result", "samples"};

/* How the file of points is read. What the user did not choose is left out. */
static void write_reading(dd_h5_file *f, const dd_reading *reading)
{
    dd_h5_text_attribute(f, "/", "dataset_header", dd_header_row_names[reading->header]);
    if (*reading->columns)
        dd_h5_text_attribute(f, "/", "dataset_columns", reading->columns);
    if (reading->drop_incomplete)
        dd_h5_text_attribute(f, "/", "dataset_drop", dropped);
}

void dd_write_header(dd_h5_file *f, const dd_run *run, dd_file_kind kind)
{
    char checksum[20];
    snprintf(checksum, sizeof checksum, "%016llx", (unsigned long long)run->data_checksum);
    dd_h5_integer_attribute(f, "/", "schema_version", DD_SCHEMA_VERSION);
    dd_h5_text_attribute(f, "/", "kind", kind_names[kind]);
    dd_h5_text_attribute(f, "/", "program_version", DD_VERSION);
    dd_h5_text_attribute(f, "/", "git_commit", DD_GIT_COMMIT);
    dd_h5_text_attribute(f, "/", "backend", run->backend);
    dd_h5_text_attribute(f, "/", "device", run->device);
    dd_h5_integer_attribute(f, "/", "threads", (unsigned long long)run->threads);
    dd_h5_text_attribute(f, "/", "config_name", run->config_name);
    dd_h5_text_attribute(f, "/", "dataset", run->dataset);
    if (run->set && *run->set)
        dd_h5_text_attribute(f, "/", "dataset_set", run->set);
    dd_h5_integer_attribute(f, "/", "points", run->points);
    dd_h5_text_attribute(f, "/", "data_checksum", checksum);
    if (run->dataset_path && *run->dataset_path && strlen(run->dataset_path) < DD_DATASET_PATH) {
        dd_h5_text_attribute(f, "/", "dataset_path", run->dataset_path);
        write_reading(f, &run->reading);
    }
    dd_h5_integer_attribute(f, "/", "seed", run->seed);
    dd_h5_integer_attribute(f, "/", "replicas", (unsigned long long)run->replicas);
    dd_write_columns(f, run->columns);
    char *config = dd_config_print(run->config);
    if (config)
        dd_h5_text(f, "/config", config, "resolved configuration (TOML)");
    else if (!f->status)
        f->status = dd_fail(DD_ERR_MEMORY, "out of memory");
    free(config);
}

static dd_status read_kind(hid_t file, const char *path, dd_header *h)
{
    unsigned long long version;
    char kind[16];
    DD_TRY(dd_h5_read_integer_attribute(file, path, "schema_version", &version));
    if (version != DD_SCHEMA_VERSION)
        return dd_fail(DD_ERR_IO, "%s: schema version %llu; this program reads version %d", path, version,
                       DD_SCHEMA_VERSION);
    DD_TRY(dd_h5_read_text_attribute(file, path, "kind", kind, sizeof kind));
    for (int i = 0; i < 4; i++)
        if (!strcmp(kind, kind_names[i])) {
            h->kind = (dd_file_kind)i;
            return DD_OK;
        }
    return dd_fail(DD_ERR_IO, "%s: unknown kind of file '%s'", path, kind);
}

static dd_status read_config(hid_t file, const char *path, dd_config *config)
{
    char *text = dd_h5_read_text(file, "/config");
    if (!text)
        return dd_fail(DD_ERR_IO, "%s: not a file of dualdiff, or damaged: /config is missing", path);
    char origin[512];
    snprintf(origin, sizeof origin, "%s:/config", path);
    DD_TRY(dd_config_before(config));
    dd_status status = dd_config_parse(text, origin, config);
    if (!status)
        status = dd_config_validate(config);
    free(text);
    return status ? dd_fail(DD_ERR_IO, "%s: this program cannot read its configuration: %s", path, dd_error_message())
                  : DD_OK;
}

/* An attribute that becomes part of paths of files that are made from this one. */
static dd_status read_name(hid_t file, const char *path, const char *attribute, char name[DD_NAME])
{
    char stored[DD_NAME +
                1]; /* so that a name that is too long is detected, and not shortened to the name of another run */
    DD_TRY(dd_h5_read_exact_attribute(file, path, attribute, stored, sizeof stored));
    if (dd_name_check(stored, DD_ERR_IO, attribute, "no run of dualdiff has such a name"))
        return dd_fail_context("%s", path);
    memcpy(name, stored, DD_NAME);
    return DD_OK;
}

static dd_status read_reading(hid_t file, const char *path, dd_reading *reading)
{
    char header[8], drop[sizeof dropped + 1];
    DD_TRY(dd_h5_read_text_attribute(file, path, "dataset_header", header, sizeof header));
    if (dd_header_row_parse(header, &reading->header))
        return dd_fail(DD_ERR_IO, "%s: damaged: the attribute dataset_header is '%s'", path, header);
    if (H5Aexists(file, "dataset_columns") > 0)
        DD_TRY(dd_h5_read_exact_attribute(file, path, "dataset_columns", reading->columns, sizeof reading->columns));
    if (H5Aexists(file, "dataset_drop") <= 0)
        return DD_OK;
    DD_TRY(dd_h5_read_text_attribute(file, path, "dataset_drop", drop, sizeof drop));
    reading->drop_incomplete = !strcmp(drop, dropped);
    return reading->drop_incomplete ? DD_OK
                                    : dd_fail(DD_ERR_IO, "%s: damaged: the attribute dataset_drop is '%s'", path, drop);
}

/* Runs on generated points and runs of older programs do not have it. */
static dd_status read_dataset_path(hid_t file, const char *path, dd_header *h)
{
    if (H5Aexists(file, "dataset_path") <= 0)
        return DD_OK;
    DD_TRY(dd_h5_read_exact_attribute(file, path, "dataset_path", h->dataset_path, sizeof h->dataset_path));
    return read_reading(file, path, &h->reading);
}

static dd_status read_header(hid_t file, const char *path, dd_header *h)
{
    char checksum[20];
    unsigned long long number;
    DD_TRY(read_kind(file, path, h));
    DD_TRY(dd_h5_read_text_attribute(file, path, "program_version", h->program_version, sizeof h->program_version));
    DD_TRY(dd_h5_read_text_attribute(file, path, "git_commit", h->git_commit, sizeof h->git_commit));
    DD_TRY(dd_h5_read_text_attribute(file, path, "backend", h->backend, sizeof h->backend));
    DD_TRY(dd_h5_read_text_attribute(file, path, "device", h->device, sizeof h->device));
    DD_TRY(read_name(file, path, "config_name", h->config_name));
    DD_TRY(read_name(file, path, "dataset", h->dataset));
    if (H5Aexists(file, "dataset_set") > 0)
        DD_TRY(dd_h5_read_exact_attribute(file, path, "dataset_set", h->set, sizeof h->set));
    DD_TRY(dd_h5_read_text_attribute(file, path, "data_checksum", checksum, sizeof checksum));
    h->data_checksum = strtoull(checksum, NULL, 16);
    DD_TRY(read_dataset_path(file, path, h));
    DD_TRY(dd_h5_read_integer_attribute(file, path, "threads", &number));
    h->threads = (int)number;
    DD_TRY(dd_h5_read_integer_attribute(file, path, "points", &number));
    h->points = (uint32_t)number;
    DD_TRY(dd_h5_read_integer_attribute(file, path, "seed", &number));
    h->seed = (uint64_t)number;
    DD_TRY(dd_h5_read_integer_attribute(file, path, "replicas", &number));
    h->replicas = (int)number;
    DD_TRY(dd_read_columns(file, path, &h->columns));
    DD_TRY(read_config(file, path, &h->config));
    h->step = h->config.training.steps;
    if (h->kind == DD_FILE_LOG) {
        hsize_t rows[DD_H5_RANK];
        DD_TRY(dd_h5_size(file, path, "/train/step", 1, rows));
        h->step = rows[0] <= (hsize_t)h->config.training.steps ? (int)rows[0] : -1;
    } else if (h->kind == DD_FILE_CHECKPOINT) {
        DD_TRY(dd_h5_read_integer_attribute(file, path, "step", &number));
        h->step = number <= (unsigned)h->config.training.steps ? (int)number : -1;
    }
    if (h->step < 0 || h->step > h->config.training.steps)
        return dd_fail(DD_ERR_IO, "%s: damaged: more steps than its /config's %d", path, h->config.training.steps);
    return DD_OK;
}

const char *dd_header_set(const dd_header *header)
{
    return *header->set ? header->set : header->dataset;
}

dd_status dd_header_read(const char *path, dd_header *header)
{
    hid_t file;
    memset(header, 0, sizeof *header);
    DD_TRY(dd_h5_open(path, &file));
    dd_status status = read_header(file, path, header);
    H5Fclose(file);
    return status;
}

/* Append '_' and text[0..n) to `name`, as far as there is room. Letters, digits and the signs of numbers are kept;
 * other characters in a row become one '-', except at the ends; empty text becomes "none". */
static void append_word(char *name, size_t size, const char *text, size_t n)
{
    size_t end = strlen(name), first = end + 1;
    if (end + sizeof "_none" > size)
        return;
    name[end++] = '_';
    int gap = 0;
    for (size_t i = 0; i < n && end + 3 < size; i++) {
        int kept = isalnum((unsigned char)text[i]) || text[i] == '.' || text[i] == '_' || text[i] == '-';
        if (kept && gap && end > first)
            name[end++] = '-';
        if (kept)
            name[end++] = text[i];
        gap = !kept;
    }
    snprintf(name + end, size - end, "%s", end == first ? "none" : "");
}

/* Suggest a name for a run that differs from a stored one: run_1 with "training.steps: 2000 here, 10000 there" becomes
 * run_1_steps_2000. With many differences, or with none in the configuration, it becomes run_1_other. */
static void suggest_name(const char *config_name, const char *difference, char name[DD_NAME])
{
    enum { MOST = 3 };
    char longer[4 * DD_NAME] = "";
    int lines = 0;
    snprintf(longer, sizeof longer, "%s", config_name);
    for (const char *line = difference; *line && lines <= MOST; line = strchr(line, '\n') + 1, lines++) {
        const char *key = strchr(line, '.') + 1, *value = strstr(key, ": ") + 2, *end = strstr(value, " here, ");
        append_word(longer, sizeof longer, key, (size_t)(value - 2 - key));
        append_word(longer, sizeof longer, value, (size_t)(end - value));
    }
    if (!lines || lines > MOST || strlen(longer) >= DD_NAME)
        snprintf(longer, sizeof longer, "%.*s_other", DD_NAME - 7, config_name);
    snprintf(name, DD_NAME, "%s", longer);
}

/* Whether columns have other names, or the same in another order. Older programs stored no names. */
static bool other_names(const dd_columns *a, const dd_columns *b)
{
    for (int c = 0; c < a->count; c++)
        if (strcmp(a->column[c].name, b->column[c].name) != 0)
            return !dd_columns_are_plain(a);
    return false;
}

/* The points of `run` do not have the columns of the file's. */
static dd_status fail_columns(const dd_header *h, const dd_run *run, const char *path, const char *name)
{
    char there[300], here[300];
    const dd_columns *a = &h->columns, *b = run->columns;
    return dd_fail(DD_ERR_CONFLICT,
                   "%s was trained on points of %d dimensions, with the columns %s; these have %d: %s. Choose the same "
                   "with --columns, or use --name %s, or another --out, to have both",
                   path, a->count, dd_columns_list(a->column, a->count, there, sizeof there), b->count,
                   dd_columns_list(b->column, b->count, here, sizeof here), name);
}

/* "mass: mean 3 there, 3.1 here; ..." for the columns whose scale differs; "" if none. Their numbers are equal. */
static void describe_scales(const dd_columns *there, const dd_columns *here, char *out, size_t size)
{
    size_t at = 0;
    *out = '\0';
    for (int c = 0; c < there->count && there->count == here->count && there->scaled && here->scaled; c++) {
        const dd_column *a = &there->column[c], *b = &here->column[c];
        if ((a->shift == b->shift && a->scale == b->scale) || at + 200 > size)
            continue;
        at +=
            (size_t)snprintf(out + at, size - at, "column %s: mean %.7g and deviation %.7g there, %.7g and %.7g here\n",
                             b->name, a->shift, a->scale, b->shift, b->scale);
    }
}

dd_status dd_header_matches(const dd_header *header, const dd_run *run, const char *path)
{
    static const char *const sections[] = {"model", "diffusion", "training", NULL};
    static const char *const data[] = {"data", NULL};
    char *difference = dd_config_difference(run->config, &header->config, sections);
    char *data_difference = dd_config_difference(run->config, &header->config, data);
    dd_status status = DD_OK;
    char name[DD_NAME] = "", scale_difference[400];
    describe_scales(&header->columns, run->columns, scale_difference, sizeof scale_difference);
    if (difference && data_difference)
        suggest_name(run->config_name, *difference ? difference : data_difference, name);
    if (!difference || !data_difference) {
        status = dd_fail(DD_ERR_MEMORY, "out of memory");
    } else if (*difference) {
        status = dd_fail(DD_ERR_CONFLICT,
                         "%s belongs to another configuration; use --name %s, or another --out, to have both. What "
                         "differs:\n%s",
                         path, name, difference);
    } else if (header->columns.count != run->columns->count || other_names(&header->columns, run->columns)) {
        status = fail_columns(header, run, path, name);
    } else if (header->points != run->points || header->data_checksum != run->data_checksum) {
        status = dd_fail(
            DD_ERR_CONFLICT,
            "%s was trained on other points (%u there, %u here, and they are not the same); use --name %s, or "
            "another --out, to have both%s%s%s",
            path, header->points, run->points, name, *data_difference || *scale_difference ? ". What differs:\n" : "",
            data_difference, scale_difference);
    } else if (header->seed != run->seed) {
        status = dd_fail(DD_ERR_CONFLICT, "%s holds seed %llu, not %llu; it was renamed", path,
                         (unsigned long long)header->seed, (unsigned long long)run->seed);
    }
    free(difference);
    free(data_difference);
    return status;
}

dd_run dd_run_of(const dd_config *config, const char *config_name, const dd_points *points, uint64_t seed,
                 const dd_backend *backend)
{
    return (dd_run){.config = config,
                    .config_name = config_name,
                    .dataset = points->name,
                    .set = points->set,
                    .points = points->n,
                    .columns = &points->columns,
                    .data_checksum = points->checksum,
                    .dataset_path = points->path,
                    .seed = seed,
                    .replicas = 1,
                    .backend = dd_backend_name(backend),
                    .device = dd_backend_device(backend),
                    .threads = dd_backend_threads(backend)};
}
