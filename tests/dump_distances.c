/* dump_distances REAL GENERATED: files of float32 (n, 2). Prints density, coverage, sliced Wasserstein distance,
 * squared MMD and the mean distance of GENERATED. */
#include <stdio.h>
#include <stdlib.h>

#include "metrics/set_distances.h"

static float *read_points(const char *path, uint32_t *n)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        exit(1);
    long size = ftell(file);
    rewind(file);
    float *xy = malloc((size_t)size);
    if (!xy || fread(xy, 1, (size_t)size, file) != (size_t)size)
        exit(1);
    fclose(file);
    *n = (uint32_t)(size / 8);
    return xy;
}

int main(int argc, char **argv)
{
    uint32_t n, m;
    double density, coverage, wasserstein;
    if (argc != 3)
        return 1;
    float *real = read_points(argv[1], &n), *generated = read_points(argv[2], &m);
    if (dd_density_coverage(real, n, generated, m, &density, &coverage) ||
        dd_sliced_wasserstein(real, n, generated, m, &wasserstein))
        return 1;
    printf("%.17g %.17g %.17g %.17g %.17g\n", density, coverage, wasserstein, dd_mmd_squared(real, n, generated, m),
           dd_mean_distance(generated, m));
    free(real);
    free(generated);
    return 0;
}
