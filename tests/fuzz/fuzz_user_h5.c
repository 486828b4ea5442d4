/* A user's points in an HDF5 file that may be damaged: the dataset /xy of it. */
#include "data/points_file.h"
#include "data/points_table.h"
#include "fuzz_file.h"
#include "points_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[160];
    dd_points points = {0}, heldout = {0};
    const dd_reading reading = {.drop_incomplete = true};
    const dd_data_config chosen = {.heldout_share = .25, .scale = DD_SCALE_STANDARD};
    dd_rows rows = {.reading = &reading, .scaled = true};
    const char *path = fuzz_file(data, size, ".h5");
    snprintf(name, sizeof name, "%s:/xy", path);
    if (!dd_rows_read(name, &rows) && !dd_points_of_rows(&rows, &chosen, NULL, &points, &heldout)) {
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
