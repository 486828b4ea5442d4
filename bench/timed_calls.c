/* A library to load before all others (LD_PRELOAD): measures how long a program spends in calls that store its state.
 * Nothing in the program takes part in that. At the end it writes to the file that TIMED_CALLS names, a line for each
 * kind of call: the kind, seconds of all threads together, number of calls.
 *
 *     wait        until steps are computed, before their log is written (cudaEventSynchronize)
 *     copy        other copies between host and device and waiting for them: the states of checkpoints
 *     append      rows of logs (H5Dset_extent, and the H5Dwrite that follows)
 *     hdf5        other files: datasets, attributes, flushing
 *     fsync       fsync, rename
 *
 * DUALDIFF_CUDA_LIBRARY names the backend, in whose libraries CUDA's functions are looked up.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef int64_t handle; /* hid_t of HDF5, whose header would declare what is defined here */

enum { WAIT, COPY, APPEND, HDF5, FSYNC, KINDS };

static const char *const names[KINDS] = {"wait", "copy", "append", "hdf5", "fsync"};
static struct {
    double seconds;
    unsigned long calls;
} total[KINDS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread bool appends; /* the next H5Dwrite of this thread does */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void add(int kind, double began)
{
    pthread_mutex_lock(&mutex);
    total[kind].seconds += now() - began;
    total[kind].calls++;
    pthread_mutex_unlock(&mutex);
}

/* The backend is loaded late and for itself, so its libraries are not among the next ones. */
static void *find(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    const char *backend = getenv("DUALDIFF_CUDA_LIBRARY");
    void *library = function || !backend ? NULL : dlopen(backend, RTLD_LAZY | RTLD_NOLOAD);
    if (library)
        function = dlsym(library, name);
    if (!function) {
        fprintf(stderr, "timed_calls: %s is not found\n", name);
        abort();
    }
    return function;
}

#define TIMED(kind, type, name, parameters, arguments)                                                                 \
    type name parameters;                                                                                              \
    type name parameters                                                                                               \
    {                                                                                                                  \
        static type(*function) parameters;                                                                             \
        if (!function)                                                                                                 \
            *(void **)&function = find(#name);                                                                         \
        double began = now();                                                                                          \
        type result = function arguments;                                                                              \
        add(kind, began);                                                                                              \
        return result;                                                                                                 \
    }

TIMED(WAIT, int, cudaEventSynchronize, (void *event), (event))
TIMED(COPY, int, cudaStreamSynchronize, (void *stream), (stream))
TIMED(COPY, int, cudaMemcpy, (void *to, const void *from, size_t count, int kind), (to, from, count, kind))
TIMED(COPY, int, cudaMemcpyAsync, (void *to, const void *from, size_t count, int kind, void *stream),
      (to, from, count, kind, stream))
TIMED(HDF5, handle, H5Fcreate, (const char *path, unsigned flags, handle create, handle access),
      (path, flags, create, access))
TIMED(HDF5, int, H5Fflush, (handle object, int scope), (object, scope))
TIMED(HDF5, int, H5Fclose, (handle file), (file))
TIMED(HDF5, handle, H5Dcreate2,
      (handle at, const char *name, handle type, handle space, handle link, handle create, handle access),
      (at, name, type, space, link, create, access))
TIMED(HDF5, int, H5Dclose, (handle set), (set))
TIMED(HDF5, handle, H5Gcreate2, (handle at, const char *name, handle link, handle create, handle access),
      (at, name, link, create, access))
TIMED(HDF5, handle, H5Acreate2, (handle at, const char *name, handle type, handle space, handle create, handle access),
      (at, name, type, space, create, access))
TIMED(HDF5, int, H5Awrite, (handle attribute, handle type, const void *value), (attribute, type, value))
TIMED((appends = true, APPEND), int, H5Dset_extent, (handle set, const uint64_t *size), (set, size))
TIMED(appends ? (appends = false, APPEND) : HDF5, int, H5Dwrite,
      (handle set, handle memory, handle space, handle file, handle transfer, const void *values),
      (set, memory, space, file, transfer, values))
TIMED(FSYNC, int, fsync, (int descriptor), (descriptor))
TIMED(FSYNC, int, rename, (const char *old, const char *new), (old, new))

__attribute__((destructor)) static void report(void)
{
    const char *path = getenv("TIMED_CALLS");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (!file)
        return;
    for (int kind = 0; kind < KINDS; kind++)
        fprintf(file, "%s %.6f %lu\n", names[kind], total[kind].seconds, total[kind].calls);
    fclose(file);
}
