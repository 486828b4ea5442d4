/* The bytes of one input as a file in memory, for readers that take a path. */
#ifndef DD_FUZZ_FILE_H
#define DD_FUZZ_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* LLVM's entry (libFuzzer). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Write the bytes as a file of this process with the ending `kind`; returns its path, good until the next call. */
static inline const char *fuzz_file(const uint8_t *data, size_t size, const char *kind)
{
    static char path[128];
    snprintf(path, sizeof path, "/dev/shm/dualdiff_fuzz_%d%s", (int)getpid(), kind);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file))
        abort();
    return path;
}

#endif
