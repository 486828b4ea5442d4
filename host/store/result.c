/* Writes and reads the result of a finished run. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/text_file.h"
#include "data/scaling.h"
#include "store/run_file.h"

static const char from_network[] = "generated points, from the averaged parameters";

/* The metrics that are not NaN. */
static void write_metrics(dd_h5_file *f, const dd_metrics *metrics)
{
    dd_metrics m = *metrics;
    for (int i = 0; i < DD_METRICS; i++) {
        const dd_metric_info *info = &dd_metric_table[i];
        const double *value = dd_metric(&m, i);
        char name[96];
        snprintf(name, sizeof name, "/metrics/%s", info->name);
        if (!isnan(*value))
            dd_h5_dataset(
                f,
                &(dd_h5_spec){
                    .name = name, .type = H5T_NATIVE_DOUBLE, .units = info->unit, .long_name = info->long_name},
                value);
    }
}

/* Points in the user's units: (n, D) float64, or float32 where nothing is scaled. `scales`: of the two dimensions. */
static void write_points(dd_h5_file *f, const char *name, const char *const scales[2], const dd_columns *columns,
                         const float *x, hsize_t n, const char *long_name)
{
    size_t dimensions = (size_t)columns->count;
    double *value = columns->scaled ? malloc(dimensions * n * sizeof *value) : NULL;
    if (columns->scaled && !value)
        f->status = f->status ? f->status : dd_fail(DD_ERR_MEMORY, "out of memory for %zu points", (size_t)n);
    if (value)
        dd_columns_unscale(columns, x, n, value);
    dd_h5_dataset(f,
                  &(dd_h5_spec){.name = name,
                                .type = value ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT,
                                .rank = 2,
                                .size = {n, dimensions},
                                .dimension = {scales[0], scales[1]},
                                .units = "1",
                                .long_name = long_name},
                  value ? (const void *)value : x);
    free(value);
}

/* `points`: a text that says what the samples are. */
static void write_samples(dd_h5_file *f, const char *points, const dd_columns *columns, const float *x,
                          const float *initial_noise, const float *gate, int gates, hsize_t n)
{
    static const char *const scales[] = {"/samples/sample", "/samples/coordinate"};
    hsize_t dimensions = (hsize_t)columns->count;
    dd_columns plain;
    dd_columns_plain(&plain, columns->count);
    dd_h5_group(f, "/samples");
    dd_h5_index_scale(f, "/samples/sample", n, "generated point");
    dd_h5_index_scale(f, "/samples/coordinate", dimensions, "coordinate of a point");
    write_points(f, "/samples/x", scales, columns, x, n, points);
    if (initial_noise)
        write_points(f, "/samples/initial_noise", scales, &plain, initial_noise, n,
                     columns->scaled ? "x_T that sampling started from, as networks see it: (value - shift) / scale"
                                     : "x_T that sampling started from");
    if (!gate)
        return;
    if (gates > 1)
        dd_h5_expert_scale(f, "/samples/expert", (hsize_t)gates);
    dd_h5_dataset(f,
                  &(dd_h5_spec){.name = "/samples/gate",
                                .type = H5T_NATIVE_FLOAT,
                                .rank = gates > 1 ? 2 : 1,
                                .size = {n, (hsize_t)gates},
                                .dimension = {"/samples/sample", "/samples/expert"},
                                .units = "1",
                                .long_name = gates > 1
                                                 ? "gating weights at timestep 0 on the generated points"
                                                 : "gating weight of expert 1 at timestep 0 on the generated points"},
                  gate);
}

/* Index of the i-th of `kept` points chosen from n training points: one from each of `kept` equal parts. The position
 * in the part changes from part to part (by the golden ratio), so that every kind of point is chosen in a set that
 * repeats its kinds regularly. */
static int kept_point(uint32_t i, uint32_t kept, uint32_t n)
{
    double place = 0.6180339887498949 * i;
    if (kept == n)
        return (int)i;
    return (int)((i + (place - floor(place))) * ((double)n / kept));
}

/* Training points, so that pictures of the data do not need the data's file. */
static void write_training_points(dd_h5_file *f, const dd_points *points)
{
    uint32_t kept = points->n < DD_STORED_POINTS ? points->n : DD_STORED_POINTS;
    int *index = malloc(kept * sizeof *index);
    size_t dimensions = (size_t)points->columns.count;
    float *x = malloc(dimensions * kept * sizeof *x);
    if (!index || !x)
        f->status = f->status ? f->status : dd_fail(DD_ERR_MEMORY, "out of memory for %u points", kept);
    for (uint32_t i = 0; i < kept && !f->status; i++) {
        index[i] = kept_point(i, kept, points->n);
        memcpy(x + dimensions * i, points->x + dimensions * (size_t)index[i], dimensions * sizeof *x);
    }
    dd_h5_whole_scale(f, "/data/point", kept, index, "number of the point in the training set, from 0");
    if (!f->status)
        write_points(f, "/data/x", (const char *const[]){"/data/point", "/data/coordinate"}, &points->columns, x, kept,
                     kept == points->n ? "training points, all of them" : "training points, evenly chosen from all");
    free(index);
    free(x);
}

static void write_sample_gate(dd_h5_file *f, const float *gate, int gates, const dd_schedule *sampling, hsize_t n)
{
    enum { ROWS = 10 };
    hsize_t steps = (hsize_t)sampling->steps;
    dd_h5_group(f, "/gate/sample");
    dd_h5_whole_scale(f, "/gate/sample/timestep", steps, sampling->timestep, "diffusion timestep");
    dd_h5_index_scale(f, "/gate/sample/sample", n, "generated point");
    if (gates > 1)
        dd_h5_expert_scale(f, "/gate/sample/expert", (hsize_t)gates);
    dd_h5_dataset(f,
                  &(dd_h5_spec){.name = "/gate/sample/weight",
                                .type = H5T_NATIVE_FLOAT,
                                .rank = gates > 1 ? 3 : 2,
                                .size = {steps, n, (hsize_t)gates},
                                .chunk = {steps < ROWS ? steps : ROWS, n, (hsize_t)gates},
                                .dimension = {"/gate/sample/timestep", "/gate/sample/sample", "/gate/sample/expert"},
                                .units = "1",
                                .long_name = gates > 1 ? "gating weights while sampling"
                                                       : "gating weight of expert 1 while sampling"},
                  gate);
}

dd_status dd_result_write_samples(const char *path, const dd_run *run, const dd_result *r, const char *points)
{
    dd_output out;
    dd_h5_file f;
    DD_TRY(dd_output_open(&out, path));
    dd_h5_create_output(&f, &out, H5F_LIBVER_V18);
    dd_write_header(&f, run, DD_FILE_RESULT);
    write_samples(&f, points, run->columns, r->x, r->initial_noise, r->gate, r->gates, r->samples);
    if (r->training)
        write_training_points(&f, r->training);
    dd_h5_group(&f, "/metrics");
    write_metrics(&f, &r->metrics);
    return dd_output_close(&out, dd_h5_close(&f));
}

dd_status dd_result_write(const char *path, const dd_run *run, const dd_model *model, const dd_result *r)
{
    hid_t log;
    DD_TRY(dd_h5_open(path, &log));
    dd_output out;
    dd_status status = dd_output_open_locked(&out, path);
    if (status) {
        H5Fclose(log);
        return status;
    }
    dd_h5_file f;
    dd_h5_create_output(&f, &out, H5F_LIBVER_V18);
    dd_write_header(&f, run, DD_FILE_RESULT);
    dd_write_log_layout(&f, run, model);
    if (!f.status)
        dd_copy_log_rows(log, path, &f, run, model, run->config->training.steps, NULL);
    H5Fclose(log);
    if (r->sample_gate)
        write_sample_gate(&f, r->sample_gate, model->gates, r->sampling, r->samples);
    write_samples(&f, from_network, run->columns, r->x, r->initial_noise, r->gate, model->gates, r->samples);
    if (r->training)
        write_training_points(&f, r->training);
    dd_h5_group(&f, "/metrics");
    write_metrics(&f, &r->metrics);
    dd_h5_group(&f, "/parameters");
    dd_write_parameters(&f, model, "/parameters", "online", r->online);
    dd_write_parameters(&f, model, "/parameters", "ema", r->ema);
    dd_write_features(&f, model, run->seed);
    return dd_output_close(&out, dd_h5_close(&f));
}

dd_status dd_result_add_metrics(const char *path, const dd_metrics *metrics)
{
    dd_output out;
    dd_h5_file f;
    DD_TRY(dd_output_open(&out, path));
    dd_status status = dd_output_copy(&out, path);
    if (!status) {
        dd_h5_edit(&f, &out);
        write_metrics(&f, metrics);
        status = dd_h5_close(&f);
    }
    return dd_output_close(&out, status);
}

/* ---- reading ---- */

static dd_status open_result(const char *path, dd_header *header, hid_t *file)
{
    DD_TRY(dd_header_read(path, header));
    if (header->kind == DD_FILE_LOG)
        return dd_fail(DD_ERR_IO,
                       "%s: this run is not finished (%d of %d steps); run the same train command to resume it", path,
                       header->step, header->config.training.steps);
    if (header->kind != DD_FILE_RESULT)
        return dd_fail(DD_ERR_IO, "%s: is not the result of a training run (seed_<n>.h5) but %s", path,
                       header->kind == DD_FILE_CHECKPOINT ? "a checkpoint" : "samples");
    return dd_h5_open(path, file);
}

dd_status dd_result_points(const char *path, char *points, size_t size, bool *network)
{
    hid_t file;
    dd_header header;
    DD_TRY(dd_header_read(path, &header));
    snprintf(points, size, "%s", header.kind == DD_FILE_SAMPLES ? "points of `dualdiff sample`" : from_network);
    *network = header.kind == DD_FILE_LOG || header.kind == DD_FILE_CHECKPOINT;
    if (header.kind != DD_FILE_RESULT)
        return DD_OK;
    DD_TRY(dd_h5_open(path, &file));
    *network = H5Lexists(file, "/parameters", H5P_DEFAULT) != 0;
    hid_t set = *network ? -1 : H5Dopen2(file, "/samples/x", H5P_DEFAULT);
    dd_status status = set < 0 ? DD_OK : dd_h5_read_text_attribute(set, path, "long_name", points, size);
    if (set >= 0)
        H5Dclose(set);
    H5Eclear2(H5E_DEFAULT);
    H5Fclose(file);
    return status;
}

dd_status dd_result_read_parameters(const char *path, const dd_model *model, dd_state_part part, float *parameters)
{
    hid_t file;
    dd_header header;
    DD_TRY(open_result(path, &header, &file));
    if (H5Lexists(file, "/parameters", H5P_DEFAULT) == 0) {
        H5Fclose(file);
        return dd_fail(DD_ERR_IO,
                       "%s contains samples without a network, made by `dualdiff oracle`, `floor` or `evaluate --out`; "
                       "name the file of the run that has the network",
                       path);
    }
    dd_status status = dd_read_parameters(file, path, model,
                                          part == DD_STATE_EMA ? "/parameters/ema" : "/parameters/online", parameters);
    H5Fclose(file);
    return status;
}

dd_status dd_result_read_metrics(const char *path, dd_metrics *metrics)
{
    hid_t file;
    dd_header header;
    DD_TRY(open_result(path, &header, &file));
    dd_status status = DD_OK;
    for (int i = 0; i < DD_METRICS && !status; i++) {
        char name[96];
        snprintf(name, sizeof name, "/metrics/%s", dd_metric_table[i].name);
        *dd_metric(metrics, i) = NAN;
        if (H5Lexists(file, name, H5P_DEFAULT)) /* the group is missing: an error, too */
            status = dd_h5_read_double(file, path, name, dd_metric(metrics, i));
    }
    H5Fclose(file);
    return status;
}

/* x (n, D), scaled. */
static dd_status read_samples(hid_t file, const char *path, const dd_columns *columns, uint32_t n, float *x)
{
    size_t dimensions = (size_t)columns->count;
    const hsize_t size[] = {n, dimensions};
    if (!columns->scaled)
        return dd_h5_read_floats(file, path, "/samples/x", 2, size, x);
    double *value = malloc(dimensions * n * sizeof *value);
    if (!value)
        return dd_fail(DD_ERR_MEMORY, "%s: out of memory for %u samples", path, n);
    dd_status status = dd_h5_read_doubles(file, path, "/samples/x", 2, size, value);
    for (size_t i = 0; i < n && !status; i++)
        dd_columns_scale(columns, value + i * dimensions, x + i * dimensions);
    free(value);
    return status;
}

dd_status dd_result_read_samples(const char *path, float **x, uint32_t *n)
{
    hid_t file;
    dd_header header;
    *x = NULL;
    DD_TRY(open_result(path, &header, &file));
    *n = (uint32_t)header.config.evaluation.samples;
    size_t dimensions = (size_t)header.columns.count;
    *x = malloc(dimensions * *n * sizeof **x);
    dd_status status = *x ? read_samples(file, path, &header.columns, *n, *x)
                          : dd_fail(DD_ERR_MEMORY, "%s: out of memory for %u samples", path, *n);
    if (status) {
        free(*x);
        *x = NULL;
    }
    H5Fclose(file);
    return status;
}

/* ---- samples in a separate file ---- */

static void print_names(FILE *file, const dd_columns *columns, int weights)
{
    for (int c = 0; c < columns->count; c++) {
        fputs(c ? "," : "", file);
        dd_print_csv_field(file, columns->column[c].name);
    }
    fputs(weights == 1 ? ",gate" : "", file);
    for (int k = 1; k <= weights && weights > 1; k++)
        fprintf(file, ",gate%d", k);
    fputc('\n', file);
}

static void print_row(FILE *file, const dd_columns *columns, const float *x, const float *gate, int weights)
{
    char text[DD_COLUMN_TEXT];
    for (int c = 0; c < columns->count; c++) {
        dd_column_text(&columns->column[c], x[c], text);
        fprintf(file, c ? ",%s" : "%s", text);
    }
    for (int k = 0; k < weights; k++)
        fprintf(file, ",%.9g", (double)gate[k]);
    fputc('\n', file);
}

bool dd_samples_print(FILE *file, const dd_columns *columns, const float *x, const float *gate, int gates, uint32_t n)
{
    int weights = gate ? gates : 0;
    size_t dimensions = (size_t)columns->count;
    print_names(file, columns, weights);
    for (size_t i = 0; i < n && !ferror(file); i++)
        print_row(file, columns, x + i * dimensions, weights ? gate + i * (size_t)weights : NULL, weights);
    return !ferror(file);
}

/* Version 1.0 of numpy.lib.format: magic, version, length, and a header padded to a multiple of 64. */
static void write_npy_points(FILE *file, const dd_columns *columns, const float *x, uint32_t n)
{
    enum { LENGTH = DD_NPY_HEADER };
    static const unsigned char magic[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, LENGTH, 0};
    char header[LENGTH + 1], shape[LENGTH];
    size_t dimensions = (size_t)columns->count;
    snprintf(shape, sizeof shape, "{'descr': '%s', 'fortran_order': False, 'shape': (%u, %zu), }",
             columns->scaled ? "<f8" : "<f4", n, dimensions);
    snprintf(header, sizeof header, "%-*s\n", LENGTH - 1, shape);
    fwrite(magic, 1, sizeof magic, file);
    fwrite(header, 1, LENGTH, file);
    if (!columns->scaled)
        fwrite(x, dimensions * sizeof *x, n, file);
    for (size_t i = 0; i < n && columns->scaled; i++) {
        double value[DD_MAX_DIMENSIONS];
        dd_columns_unscale(columns, x + i * dimensions, 1, value);
        fwrite(value, sizeof *value, dimensions, file);
    }
}

static dd_status write_h5(const char *path, const dd_run *run, const float *x, const float *gate, int gates, uint32_t n)
{
    dd_output out;
    dd_h5_file f;
    DD_TRY(dd_output_open(&out, path));
    dd_h5_create_output(&f, &out, H5F_LIBVER_V18);
    dd_write_header(&f, run, DD_FILE_SAMPLES);
    write_samples(&f, from_network, run->columns, x, NULL, gate, gates, n);
    return dd_output_close(&out, dd_h5_close(&f));
}

typedef struct points {
    const dd_columns *columns;
    const float *x, *gate;
    int gates;
    uint32_t n;
} points;

/* The caller checks the stream for errors. */
static dd_status print_points(FILE *file, const void *data)
{
    const points *p = data;
    dd_samples_print(file, p->columns, p->x, p->gate, p->gates, p->n);
    return DD_OK;
}

static dd_status write_npy(FILE *file, const void *data)
{
    const points *p = data;
    write_npy_points(file, p->columns, p->x, p->n);
    return DD_OK;
}

dd_status dd_samples_write(const char *path, const dd_run *run, const float *x, const float *gate, int gates,
                           uint32_t n)
{
    const char *ending = strrchr(path, '.');
    points p = {run->columns, x, gate, gates, n};
    if (ending && !strcmp(ending, ".csv"))
        return dd_text_file_write(path, print_points, &p);
    if (ending && !strcmp(ending, ".npy"))
        return dd_text_file_write(path, write_npy, &p);
    if (ending && (!strcmp(ending, ".h5") || !strcmp(ending, ".hdf5")))
        return write_h5(path, run, x, gate, gates, n);
    return dd_fail(DD_ERR_USAGE, "%s: unknown kind of file; samples are written as .h5, .csv or .npy", path);
}
