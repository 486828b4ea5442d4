#include "store/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *dd_run_path(const char *out, const char *config_name, const char *dataset, uint64_t seed, const char *suffix)
{
    size_t size = strlen(out) + strlen(config_name) + strlen(dataset) + strlen(suffix) + 40;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s/%s/seed_%llu%s", out, config_name, dataset, (unsigned long long)seed, suffix);
    return path;
}
