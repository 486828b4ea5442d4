/* A user's points in an HDF5 file that may be damaged: the dataset /xy of it. */
#include <math.h>
#include <string.h>

#include "data/dataset.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[160];
    dd_points points;
    const char *path = fuzz_file(data, size, ".h5");
    snprintf(name, sizeof name, "%s:/xy", path);
    if (!dd_points_open(name, 0, 0, DD_STREAM_TRAIN, &points)) {
        for (size_t i = 0; i < 2 * (size_t)points.n; i++)
            if (!isfinite(points.x[i]))
                abort();
        dd_points_free(&points);
    }
    unlink(path);
    return 0;
}
