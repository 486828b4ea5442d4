/* A user's points as text or NPY. The first byte chooses the kind of file, the second how it is read: bit 0 is
 * --drop-incomplete, bits 1 and 2 are --header, with bit 3 the text up to the first newline is --columns, and with bit
 * 4 the columns are not scaled. */
#include <string.h>

#include "data/points_file.h"
#include "data/points_table.h"
#include "fuzz_file.h"
#include "points_check.h"

/* Returns how many bytes of the input belong to --columns. */
static size_t choose_columns(const uint8_t *data, size_t size, dd_reading *reading)
{
    const uint8_t *end = memchr(data, '\n', size);
    if (!end || (size_t)(end - data) >= sizeof reading->columns)
        return 0;
    memcpy(reading->columns, data, (size_t)(end - data));
    return (size_t)(end - data) + 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {".csv", ".npy", ".tsv", ".txt", ".csv.gz", ".npz"};
    dd_points points = {0}, heldout = {0};
    if (size < 2)
        return 0;
    dd_reading reading = {.header = (dd_header_row)((data[1] >> 1 & 3) % 3), .drop_incomplete = data[1] & 1};
    const dd_data_config chosen = {.heldout_share = .25, .scale = data[1] & 16 ? DD_SCALE_NONE : DD_SCALE_STANDARD};
    dd_rows rows = {.reading = &reading, .scaled = chosen.scale == DD_SCALE_STANDARD};
    size_t at = 2 + (data[1] & 8 ? choose_columns(data + 2, size - 2, &reading) : 0);
    const char *path = fuzz_file(data + at, size - at, kinds[*data % (sizeof kinds / sizeof *kinds)]);
    if (!dd_rows_read(path, &rows) && !dd_points_of_rows(&rows, &chosen, NULL, &points, &heldout)) {
        check_points(&points);
        if (heldout.n > 1)
            check_points(&heldout);
        dd_points_free(&points);
        dd_points_free(&heldout);
    }
    dd_rows_free(&rows);
    unlink(path);
    return 0;
}
