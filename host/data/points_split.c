#include "data/points_split.h"

#include <stdlib.h>
#include <string.h>

#include "base/fnv.h"
#include "base/philox.h"

static uint64_t key_of(const double *row, int width, uint64_t seed)
{
    uint64_t hash = DD_FNV1A_START;
    uint32_t word[4];
    for (int c = 0; c < width; c++) {
        double value = row[c] == 0. ? 0. : row[c];
        hash = dd_fnv1a(hash, &value, sizeof value);
    }
    dd_philox(seed, DD_DRAW_SPLIT, 0, hash, word);
    return (uint64_t)word[0] << 32 | word[1];
}

static int by_size(const void *a, const void *b)
{
    const uint64_t *p = a, *q = b;
    return (*p > *q) - (*p < *q);
}

dd_status dd_split_rows(const double *value, uint32_t n, int width, uint64_t seed, double share, bool *heldout,
                        uint32_t *count)
{
    uint32_t wanted = (uint32_t)(share * n);
    if (n < wanted + 2)
        wanted = n < 2 ? 0 : n - 2;
    *count = 0;
    memset(heldout, 0, n * sizeof *heldout);
    if (!wanted)
        return DD_OK;
    uint64_t *key = malloc(2 * (size_t)n * sizeof *key);
    if (!key)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u rows", n);
    uint64_t *sorted = key + n;
    for (uint32_t i = 0; i < n; i++)
        key[i] = key_of(value + (size_t)width * i, width, seed);
    memcpy(sorted, key, n * sizeof *key);
    qsort(sorted, n, sizeof *sorted, by_size);
    for (uint32_t i = 0; i < n; i++)
        *count += heldout[i] = key[i] < sorted[wanted];
    free(key);
    return DD_OK;
}
