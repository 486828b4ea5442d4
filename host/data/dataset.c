/* Sets of points: made by name, or read from a file. */
#include "data/dataset.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/names.h"
#include "data/generators.h"
#include "data/points_file.h"
#include "data/points_table.h"

static void make_points(const dd_generated *set, const dd_truth *truth, const dd_source *s, dd_points *points)
{
    size_t dimensions = (size_t)points->columns.count;
    double x[DD_MAX_DIMENSIONS];
    for (uint32_t i = 0; i < s->n; i++) {
        if (set->generator->family)
            set->generator->family->draw(truth, s, i, x);
        else
            s->make(s, i, x);
        for (size_t c = 0; c < dimensions; c++)
            points->x[dimensions * i + c] = (float)x[c];
    }
}

static dd_status generate(const dd_request *r, dd_points *points)
{
    dd_generated set;
    dd_truth truth = {.dimensions = 0};
    DD_TRY(dd_generated_choose(r->name, r->data, &set));
    if (r->data->scale == DD_SCALE_STANDARD)
        return dd_fail(DD_ERR_CONFIG,
                       "data.scale = \"standard\": %s is made by name and has units of its own; only the columns of a "
                       "file are scaled",
                       r->name);
    if (set.generator->family)
        DD_TRY(dd_generated_truth(&set, &truth));
    dd_source source = {.seed = r->seed, .stream = (uint32_t)r->stream, .n = r->n};
    if (set.plane) {
        source.drawing = set.plane->drawing;
        source.make = set.plane->make;
    }
    snprintf(points->set, sizeof points->set, "%s", r->name);
    points->data = set.data;
    points->data.heldout_share = 0;
    points->data.scale = DD_SCALE_NONE;
    if (!set.generator->family)
        points->data.dimensions = points->data.modes = points->data.rank = 0;
    points->n = r->n;
    points->generated = true;
    dd_columns_plain(&points->columns, set.data.dimensions);
    points->x = malloc((size_t)set.data.dimensions * (size_t)r->n * sizeof *points->x);
    if (points->x)
        make_points(&set, &truth, &source, points);
    dd_truth_free(&truth);
    if (!points->x)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", r->n);
    points->checksum = dd_points_checksum(points);
    return DD_OK;
}

/* Fewer points than dimensions cannot show a distribution: most often rows and columns are exchanged. */
static dd_status check_rows(const dd_rows *rows)
{
    int count = rows->columns.count;
    if (rows->n >= (size_t)count)
        return DD_OK;
    return dd_fail(DD_ERR_DATA, "%s: %zu points of %d coordinates; at least %d are needed%s", rows->name, rows->n,
                   count, count, dd_transposed_hint(rows->n, count));
}

static dd_status read_file(const dd_request *r, dd_points *points, dd_points *heldout)
{
    const dd_columns *like = r->like ? r->like->columns : NULL;
    dd_rows rows = {
        .reading = r->reading, .like = like, .scaled = like ? like->scaled : r->data->scale != DD_SCALE_NONE};
    DD_TRY(dd_rows_read(r->name, &rows));
    dd_status status = check_rows(&rows);
    if (!status)
        status = dd_points_of_rows(&rows, r->data, r->like, points, heldout);
    dd_rows_free(&rows);
    return status;
}

dd_status dd_points_open(const char *name, uint32_t n, uint64_t seed, dd_stream stream, dd_points *points)
{
    dd_config defaults;
    dd_config_defaults(&defaults);
    defaults.data.seed = seed;
    defaults.data.heldout_share = 0;
    defaults.data.scale = DD_SCALE_NONE;
    return dd_points_request(&(dd_request){.name = name,
                                           .reading = &(dd_reading){.header = DD_HEADER_ROW_AUTO},
                                           .data = &defaults.data,
                                           .n = n,
                                           .seed = seed,
                                           .stream = stream},
                             points, NULL);
}

dd_status dd_points_more(const dd_points *of, uint32_t n, uint64_t seed, dd_stream stream, dd_points *points)
{
    return dd_points_request(&(dd_request){.name = of->set, .data = &of->data, .n = n, .seed = seed, .stream = stream},
                             points, NULL);
}

dd_status dd_points_truth(const dd_points *points, dd_truth *truth)
{
    return dd_truth_create(points->set, &points->data, truth);
}

dd_status dd_points_request(const dd_request *r, dd_points *points, dd_points *heldout)
{
    memset(points, 0, sizeof *points);
    if (heldout)
        memset(heldout, 0, sizeof *heldout);
    dd_points_name(r->name, r->data, points->name);
    bool generated = dd_generator_find(r->name) != NULL;
    dd_status status = generated ? generate(r, points) : read_file(r, points, heldout);
    if (status) {
        dd_points_free(points);
        return status;
    }
    points->path = generated ? NULL : dd_points_path(r->name);
    return DD_OK;
}

/* The name of a file's points: without folders, without the part after a colon, and without its ending (or two endings,
 * as in .csv.gz). */
static void file_name(const char *name, char out[64])
{
    const char *inner = dd_points_inner_path(name);
    size_t length = inner ? (size_t)(inner - 1 - name) : strlen(name), begin = length;
    while (begin && name[begin - 1] != '/')
        begin--;
    name += begin;
    length -= begin;
    if (length > 3 && !strncasecmp(name + length - 3, ".gz", 3))
        length -= 3;
    for (size_t i = length; i > 1; i--)
        if (name[i - 1] == '.') {
            length = i - 1;
            break;
        }
    dd_name_copy(out, name, length);
}

void dd_points_name(const char *name, const dd_data_config *data, char out[64])
{
    if (dd_generator_find(name))
        dd_generated_label(name, data, out);
    else if (!strcmp(name, "-"))
        dd_name_copy(out, "stdin", strlen("stdin"));
    else
        file_name(name, out);
}

void dd_points_long_name(const char *name, const dd_data_config *data, char out[64])
{
    char longer[512];
    const char *inner = dd_points_inner_path(name);
    dd_points_name(name, data, out);
    if (!inner || dd_generator_find(name))
        return;
    int n = snprintf(longer, sizeof longer, "%s_%s", out, inner + (*inner == '/'));
    for (char *p = longer; *p; p++)
        if (*p == '/')
            *p = '_';
    dd_name_copy(out, longer, n < (int)sizeof longer ? (size_t)n : sizeof longer - 1);
}

char *dd_points_path(const char *name)
{
    const char *inner = dd_points_inner_path(name);
    struct stat status;
    char *file = strndup(name, inner ? (size_t)(inner - 1 - name) : strlen(name)), *path = NULL;
    char *absolute = file && !stat(file, &status) && S_ISREG(status.st_mode) ? realpath(file, NULL) : NULL;
    if (absolute && !inner) {
        path = strdup(absolute);
    } else if (absolute) {
        size_t size = strlen(absolute) + strlen(inner) + 2;
        path = malloc(size);
        if (path)
            snprintf(path, size, "%s:%s", absolute, inner);
    }
    free(absolute);
    free(file);
    return path;
}
