/* A flat parameter vector as named tensors, each with its dimension scales. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/run_file.h"

/* Dimension scales of a vector's tensors, made once under `parent`: output_<n> for rows, input_<n> for columns. */
static void write_scale(dd_h5_file *f, const char *parent, const char *kind, int n)
{
    char name[128], meaning[64];
    snprintf(name, sizeof name, "%s/%s_%d", parent, kind, n);
    if (f->status || H5Lexists(f->id, name, H5P_DEFAULT) > 0)
        return;
    snprintf(meaning, sizeof meaning, "%s of a layer with %d", kind, n);
    dd_h5_index_scale(f, name, (hsize_t)n, meaning);
}

void dd_write_parameters(dd_h5_file *f, const dd_model *model, const char *parent, const char *group,
                         const float *values)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", parent, group);
    dd_h5_group(f, path);
    for (int i = 0; i < model->tensors; i++) {
        const dd_tensor *t = &model->tensor[i];
        char name[192], output[128], input[128];
        write_scale(f, parent, "output", t->rows);
        if (t->cols)
            write_scale(f, parent, "input", t->cols);
        snprintf(name, sizeof name, "%s/%s", path, t->name);
        snprintf(output, sizeof output, "%s/output_%d", parent, t->rows);
        snprintf(input, sizeof input, "%s/input_%d", parent, t->cols);
        dd_h5_dataset(f,
                      &(dd_h5_spec){.name = name,
                                    .type = H5T_NATIVE_FLOAT,
                                    .rank = t->cols ? 2 : 1,
                                    .size = {(hsize_t)t->rows, (hsize_t)t->cols},
                                    .dimension = {output, input},
                                    .units = "1",
                                    .long_name = t->name},
                      values + t->offset);
    }
}

dd_status dd_read_parameters(hid_t file, const char *path, const dd_model *model, const char *group, float *values)
{
    for (int i = 0; i < model->tensors; i++) {
        const dd_tensor *t = &model->tensor[i];
        char name[192];
        snprintf(name, sizeof name, "%s/%s", group, t->name);
        hsize_t size[2] = {(hsize_t)t->rows, (hsize_t)t->cols};
        DD_TRY(dd_h5_read_floats(file, path, name, t->cols ? 2 : 1, size, values + t->offset));
    }
    return DD_OK;
}
