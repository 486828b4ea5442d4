/* dump_distances REAL GENERATED D: files of float32 (n, D). Prints density, coverage, sliced Wasserstein distance,
 * squared MMD, the mean distance of GENERATED, and the share of copies in it. */
#include <stdio.h>
#include <stdlib.h>

#include "metrics/copies.h"
#include "metrics/set_distances.h"

static float *read_points(const char *path, int dimensions, uint32_t *n)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        exit(1);
    long size = ftell(file);
    rewind(file);
    float *x = malloc((size_t)size);
    if (!x || fread(x, 1, (size_t)size, file) != (size_t)size)
        exit(1);
    fclose(file);
    *n = (uint32_t)((size_t)size / (sizeof *x * (size_t)dimensions));
    return x;
}

int main(int argc, char **argv)
{
    uint32_t n, m;
    double density, coverage, wasserstein, copies;
    if (argc != 4)
        return 1;
    int d = atoi(argv[3]);
    float *real = read_points(argv[1], d, &n), *generated = read_points(argv[2], d, &m);
    if (dd_density_coverage(real, n, generated, m, d, &density, &coverage) ||
        dd_sliced_wasserstein(real, n, generated, m, d, &wasserstein) ||
        dd_copy_share(NULL, real, n, generated, m, d, &copies))
        return 1;
    printf("%.17g %.17g %.17g %.17g %.17g %.17g\n", density, coverage, wasserstein,
           dd_mmd_squared(real, n, generated, m, d), dd_mean_distance(generated, m, d), copies);
    free(real);
    free(generated);
    return 0;
}
