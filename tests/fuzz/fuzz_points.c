/* A user's points as text or NPY: the first byte chooses the kind of file. */
#include <math.h>
#include <string.h>

#include "data/dataset.h"
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = {".csv", ".npy", ".tsv", ".txt", ".csv.gz", ".npz"};
    dd_points points;
    if (!size)
        return 0;
    const char *path = fuzz_file(data + 1, size - 1, kinds[*data % (sizeof kinds / sizeof *kinds)]);
    if (!dd_points_open(path, 0, 0, DD_STREAM_TRAIN, &points)) {
        if (points.n < 2 || !memchr(points.name, '\0', sizeof points.name))
            abort();
        for (size_t i = 0; i < 2 * (size_t)points.n; i++)
            if (!isfinite(points.x[i]))
                abort();
        dd_points_free(&points);
    }
    unlink(path);
    return 0;
}
