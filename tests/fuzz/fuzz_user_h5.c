/* A user's points in an HDF5 file that may be damaged: the dataset /xy of it. */
#include "data/points_file.h"
#include "fuzz_file.h"
#include "points_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[160];
    dd_points points = {0};
    const dd_reading reading = {.drop_incomplete = true};
    const char *path = fuzz_file(data, size, ".h5");
    snprintf(name, sizeof name, "%s:/xy", path);
    if (!dd_points_read(name, &reading, &points)) {
        check_points(&points);
        dd_points_free(&points);
    }
    unlink(path);
    return 0;
}
