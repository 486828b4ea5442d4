/* Reads the gates of a result and writes its group /analysis. */
#include "analysis/analysis_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hdf5/h5.h"
#include "model/gating.h"
#include "version.h"

/* ---- reading ---- */

/* A whole dataset of gates (rows, points) or (rows, points, gates) as weights, malloc'ed [rows][points][experts]. */
static dd_status read_weights(hid_t file, const char *path, const char *name, const dd_model *model, hsize_t rows,
                              hsize_t points, float **weight)
{
    size_t n = (size_t)(rows * points), gates = (size_t)model->gates, experts = (size_t)model->experts;
    const hsize_t size[3] = {rows, points, gates};
    *weight = malloc(n * experts * sizeof **weight);
    float *gate = gates == experts ? *weight : malloc(n * gates * sizeof *gate);
    dd_status status = gate && *weight ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for %s of %s", name, path);
    if (!status)
        status = dd_h5_read_floats(file, path, name, gates > 1 ? 3 : 2, size, gate);
    if (gate != *weight) {
        if (!status)
            dd_gate_unfold(model->experts, model->gates, gate, n, *weight);
        free(gate);
    }
    return status;
}

/* The sizes come from the configuration, whose keys have bounds; the sizes of the file's arrays are compared with
 * them. */
static dd_status read_logged(hid_t file, const char *path, const dd_model *model, const dd_config *config,
                             dd_logged_gates *g)
{
    const dd_training_config *t = &config->training;
    const hsize_t size[2] = {((hsize_t)t->steps + (hsize_t)t->gate_every - 1) / (hsize_t)t->gate_every,
                             (hsize_t)t->batch};
    size_t rows = (size_t)size[0], n = rows * (size_t)t->batch;
    g->rows = (int)rows;
    g->batch = t->batch;
    g->step = malloc(rows * sizeof *g->step);
    g->timestep = malloc(n * sizeof *g->timestep);
    if (!g->step || !g->timestep)
        return dd_fail(DD_ERR_MEMORY, "out of memory for the gates of %s", path);
    DD_TRY(dd_h5_read_floats(file, path, "/gate/train/step", 1, size, g->step));
    DD_TRY(dd_h5_read_floats(file, path, "/gate/train/timestep", 2, size, g->timestep));
    for (size_t i = 0; i < n; i++)
        if (!(g->timestep[i] >= -1.f && g->timestep[i] < (float)config->diffusion.timesteps))
            return dd_fail(DD_ERR_IO, "%s: damaged: /gate/train/timestep contains %g, but there are %d timesteps", path,
                           (double)g->timestep[i], config->diffusion.timesteps);
    return read_weights(file, path, "/gate/train/weight", model, size[0], size[1], &g->weight);
}

dd_status dd_logged_gates_read(const char *path, const dd_model *model, const dd_config *config, dd_logged_gates *g)
{
    hid_t file;
    *g = (dd_logged_gates){0};
    DD_TRY(dd_h5_open(path, &file));
    dd_status status = read_logged(file, path, model, config, g);
    H5Fclose(file);
    if (status)
        dd_logged_gates_free(g);
    return status;
}

void dd_logged_gates_free(dd_logged_gates *g)
{
    free(g->step);
    free(g->weight);
    free(g->timestep);
    *g = (dd_logged_gates){0};
}

dd_status dd_sample_gates_read(const char *path, const dd_model *model, int steps, dd_sample_gates *g)
{
    hid_t file;
    *g = (dd_sample_gates){0};
    DD_TRY(dd_result_read_samples(path, &g->x, &g->samples));
    dd_status status = dd_h5_open(path, &file);
    if (!status) {
        size_t dimensions = (size_t)model->dimensions;
        g->start = malloc(dimensions * g->samples * sizeof *g->start);
        status = g->start ? dd_h5_read_floats(file, path, "/samples/initial_noise", 2,
                                              (const hsize_t[2]){g->samples, dimensions}, g->start)
                          : dd_fail(DD_ERR_MEMORY, "out of memory for the samples of %s", path);
        if (!status && model->gates)
            status = read_weights(file, path, "/gate/sample/weight", model, (hsize_t)steps, g->samples, &g->weight);
        H5Fclose(file);
    }
    if (status)
        dd_sample_gates_free(g);
    return status;
}

void dd_sample_gates_free(dd_sample_gates *g)
{
    free(g->x);
    free(g->start);
    free(g->weight);
    *g = (dd_sample_gates){0};
}

/* ---- writing ---- */

enum { NAME = 96 };

static void write_axis(dd_h5_file *f, const char *name, const dd_axis *axis)
{
    dd_h5_spec spec = {.name = name,
                       .type = H5T_NATIVE_DOUBLE,
                       .rank = 1,
                       .size = {(hsize_t)axis->size},
                       .units = axis->units,
                       .long_name = axis->long_name};
    if (!axis->whole) {
        dd_h5_dataset(f, &spec, axis->value);
        return;
    }
    int32_t *whole = malloc((size_t)axis->size * sizeof *whole);
    if (!whole) {
        if (!f->status)
            f->status = dd_fail(DD_ERR_MEMORY, "%s: out of memory for %s", f->path, name);
        return;
    }
    for (int i = 0; i < axis->size; i++)
        whole[i] = (int32_t)axis->value[i];
    spec.type = H5T_NATIVE_INT32;
    dd_h5_dataset(f, &spec, whole);
    free(whole);
}

static bool exists(const dd_h5_file *f, const char *name)
{
    return !f->status && H5Lexists(f->id, name, H5P_DEFAULT) > 0;
}

/* Create everything except the values (a scalar gets its value here). Each group has its own scales, so that it can be
 * opened separately.
 */
static void create_array(dd_h5_file *f, const dd_array *array)
{
    char name[NAME], group[NAME], scale[DD_ANALYSIS_RANK][NAME];
    dd_h5_spec spec = {.name = name,
                       .type = H5T_NATIVE_FLOAT,
                       .rank = array->rank,
                       .units = array->units,
                       .long_name = array->long_name};
    snprintf(name, sizeof name, "/analysis/%s", array->name);
    snprintf(group, sizeof group, "%.*s", (int)(strrchr(name, '/') - name), name);
    if (!exists(f, group))
        dd_h5_group(f, group);
    for (int i = 0; i < array->rank; i++) {
        snprintf(scale[i], NAME, "%.*s/%s", (int)(strrchr(name, '/') - name), name, array->axis[i]->name);
        if (!exists(f, scale[i]))
            write_axis(f, scale[i], array->axis[i]);
        spec.size[i] = (hsize_t)array->axis[i]->size;
        spec.dimension[i] = scale[i];
    }
    dd_h5_dataset(f, &spec, array->rank ? NULL : array->value);
}

static void write_values(dd_h5_file *f, const dd_array *array)
{
    if (f->status || !array->rank)
        return;
    char name[NAME];
    snprintf(name, sizeof name, "/analysis/%s", array->name);
    hid_t set = H5Dopen2(f->id, name, H5P_DEFAULT);
    dd_h5_check(f, set >= 0 && H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, array->value) >= 0, name);
    if (set >= 0)
        dd_h5_check(f, H5Dclose(set) >= 0, name);
}

static void write_group(dd_h5_file *f, const dd_loaded *stored, const dd_analysis *a)
{
    dd_h5_group(f, "/analysis");
    dd_h5_text_attribute(f, "/analysis", "program_version", DD_VERSION);
    dd_h5_text_attribute(f, "/analysis", "git_commit", DD_GIT_COMMIT);
    dd_h5_text_attribute(f, "/analysis", "backend", dd_backend_name(stored->backend));
    dd_h5_text_attribute(f, "/analysis", "device", dd_backend_device(stored->backend));
    dd_h5_text_attribute(f, "/analysis", "regions", a->regions);
    dd_h5_integer_attribute(f, "/analysis", "points_per_timestep", (unsigned long long)a->points_per_timestep);
    dd_h5_integer_attribute(f, "/analysis", "gate_bins", DD_GATE_BINS);
    for (int i = 0; i < a->arrays; i++)
        create_array(f, &a->array[i]);
    dd_h5_flush(f);
    for (int i = 0; i < a->arrays; i++)
        write_values(f, &a->array[i]);
}

dd_status dd_analysis_write(const char *path, const dd_loaded *stored, const dd_analysis *analysis)
{
    dd_output out;
    dd_h5_file f;
    DD_TRY(dd_output_open(&out, path));
    dd_status status = dd_output_copy(&out, path);
    if (!status) { /* closing the file in between frees the space of the old group at its end */
        dd_h5_edit(&f, &out);
        dd_h5_remove(&f, "/analysis");
        status = dd_h5_close(&f);
    }
    if (!status) {
        dd_h5_edit(&f, &out);
        write_group(&f, stored, analysis);
        status = dd_h5_close(&f);
    }
    return dd_output_close(&out, status);
}
