/* The columns of the points in every file: how many, their names, and how the user's units were scaled. */
#include <math.h>

#include "data/scaling.h"
#include "store/run_file.h"

/* Shift or scale of all columns. */
static void write_numbers(dd_h5_file *f, const char *name, const double *value, int count, const char *long_name)
{
    dd_h5_dataset(f,
                  &(dd_h5_spec){.name = name,
                                .type = H5T_NATIVE_DOUBLE,
                                .rank = 1,
                                .size = {(hsize_t)count},
                                .dimension = {"/data/coordinate"},
                                .units = "1",
                                .long_name = long_name},
                  value);
}

void dd_write_columns(dd_h5_file *f, const dd_columns *columns)
{
    dd_h5_integer_attribute(f, "/", "dimensions", (unsigned long long)columns->count);
    dd_h5_group(f, "/data");
    dd_h5_index_scale(f, "/data/coordinate", (hsize_t)columns->count, "coordinate of a point");
    dd_h5_names_attribute(f, "/data/coordinate", "names", columns->column[0].name, sizeof *columns->column,
                          columns->count);
    double shift[DD_MAX_DIMENSIONS], scale[DD_MAX_DIMENSIONS];
    for (int c = 0; c < columns->count; c++) {
        shift[c] = columns->column[c].shift;
        scale[c] = columns->column[c].scale;
    }
    write_numbers(f, "/data/shift", shift, columns->count, "shift of a column: networks see (value - shift) / scale");
    write_numbers(f, "/data/scale", scale, columns->count, "scale of a column: networks see (value - shift) / scale");
}

/* Programs that did not scale did not write them. */
static dd_status read_scaling(hid_t file, const char *path, dd_columns *columns)
{
    double shift[DD_MAX_DIMENSIONS], scale[DD_MAX_DIMENSIONS];
    const hsize_t size[] = {(hsize_t)columns->count};
    if (H5Lexists(file, "/data/shift", H5P_DEFAULT) <= 0)
        return DD_OK;
    DD_TRY(dd_h5_read_doubles(file, path, "/data/shift", 1, size, shift));
    DD_TRY(dd_h5_read_doubles(file, path, "/data/scale", 1, size, scale));
    for (int c = 0; c < columns->count; c++) {
        if (!isfinite(shift[c]) || !isnormal(scale[c]) || scale[c] < 0)
            return dd_fail(DD_ERR_IO, "%s: damaged: column '%s' has the shift %g and the scale %g", path,
                           columns->column[c].name, shift[c], scale[c]);
        columns->column[c].shift = shift[c];
        columns->column[c].scale = scale[c];
    }
    dd_columns_note_scaling(columns);
    return DD_OK;
}

dd_status dd_read_columns(hid_t file, const char *path, dd_columns *columns)
{
    unsigned long long count;
    dd_columns_plain(columns, 2);
    if (H5Aexists(file, "dimensions") <= 0) /* a file of an older program, which has no columns */
        return H5Lexists(file, "/data", H5P_DEFAULT) > 0 && H5Lexists(file, "/data/shift", H5P_DEFAULT) > 0
                   ? dd_fail(DD_ERR_IO, "%s: damaged: the attribute 'dimensions' is missing", path)
                   : DD_OK;
    DD_TRY(dd_h5_read_integer_attribute(file, path, "dimensions", &count));
    if (count < 1 || count > DD_MAX_DIMENSIONS)
        return dd_fail(DD_ERR_IO, "%s: damaged: points of %llu dimensions; 1 to %d are possible", path, count,
                       DD_MAX_DIMENSIONS);
    dd_columns_plain(columns, (int)count);
    DD_TRY(dd_h5_read_names_attribute(file, path, "/data/coordinate", "names", columns->column[0].name,
                                      sizeof *columns->column, columns->count));
    return read_scaling(file, path, columns);
}
