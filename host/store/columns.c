/* The columns of the points in every file: how many, and their names. */
#include "store/run_file.h"

void dd_write_columns(dd_h5_file *f, const dd_columns *columns)
{
    dd_h5_integer_attribute(f, "/", "dimensions", (unsigned long long)columns->count);
    dd_h5_group(f, "/data");
    dd_h5_index_scale(f, "/data/coordinate", (hsize_t)columns->count, "coordinate of a point");
    dd_h5_names_attribute(f, "/data/coordinate", "names", columns->column[0].name, sizeof *columns->column,
                          columns->count);
}

dd_status dd_read_columns(hid_t file, const char *path, dd_columns *columns)
{
    unsigned long long count;
    dd_columns_plain(columns, 2);
    if (H5Aexists(file, "dimensions") <= 0) /* a file of an older program */
        return DD_OK;
    DD_TRY(dd_h5_read_integer_attribute(file, path, "dimensions", &count));
    if (count < 1 || count > DD_MAX_DIMENSIONS)
        return dd_fail(DD_ERR_IO, "%s: damaged: points of %llu dimensions; 1 to %d are possible", path, count,
                       DD_MAX_DIMENSIONS);
    dd_columns_plain(columns, (int)count);
    return dd_h5_read_names_attribute(file, path, "/data/coordinate", "names", columns->column[0].name,
                                      sizeof *columns->column, columns->count);
}
