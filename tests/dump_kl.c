/* dump_kl REAL GENERATED K D: the KL estimate of two files of float32 (n, D) on one thread; prints
 * "bits zero_distances seconds". */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/error.h"
#include "metrics/kl.h"
#include "metrics/metrics.h"

static float *read_points(const char *path, int dimensions, uint32_t *n)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        return NULL;
    size_t bytes = (size_t)ftell(file);
    float *x = malloc(bytes);
    rewind(file);
    *n = (uint32_t)(bytes / ((size_t)dimensions * sizeof *x));
    size_t got = x ? fread(x, 1, bytes, file) : 0;
    fclose(file);
    return got == bytes ? x : NULL;
}

int main(int argc, char **argv)
{
    uint32_t n = 0, m = 0;
    if (argc != 5)
        return 1;
    int dimensions = atoi(argv[4]);
    float *real = read_points(argv[1], dimensions, &n), *generated = read_points(argv[2], dimensions, &m);
    dd_kl kl;
    if (!real || !generated)
        return 1;
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    int status = dd_kl_divergence(NULL, real, n, generated, m, dimensions, atoi(argv[3]), &kl);
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (status)
        fprintf(stderr, "%s\n", dd_error_message());
    else
        printf("%.17g %u %.6f\n", kl.bits, kl.zero_distances,
               (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec));
    free(real);
    free(generated);
    return status;
}
