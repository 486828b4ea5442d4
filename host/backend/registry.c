/* The backends by name, and opening one. */
#include "backend/backend.h"

#include <ctype.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend_ops.h"
#include "base/pool.h"
#include "base/processors.h"

/* A backend, and how it is opened on a device; -1: on its first. */
typedef struct registered {
    const char *name, *mistaken; /* what users call it, too; NULL: nothing */
    dd_status (*open)(dd_backend *b, int device);
} registered;

static dd_status open_cpu(dd_backend *b, int device);
static dd_status open_cuda(dd_backend *b, int device);

/* "auto" tries the last one first. DD_BACKENDS (backend.h) repeats the names for help texts. */
static const registered registry[] = {{"cpu", NULL, open_cpu}, {"cuda", "gpu", open_cuda}};
enum { BACKENDS = sizeof registry / sizeof *registry };

/* ---- each of them ---- */

/* libdualdiff_cuda.so from the program's folder, from its place in a build, from ../lib, or from the loader's path; or
 * the file that DUALDIFF_CUDA_LIBRARY names. */
static void *open_cuda_library(char *why, size_t size)
{
    const char *named = getenv("DUALDIFF_CUDA_LIBRARY");
    if (named && *named) {
        void *chosen = dlopen(named, RTLD_NOW | RTLD_LOCAL);
        if (!chosen)
            snprintf(why, size, "DUALDIFF_CUDA_LIBRARY: %s", dlerror());
        return chosen;
    }
    char program[PATH_MAX], path[PATH_MAX + 64];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    void *library = NULL;
    static const char *const places[] = {"/libdualdiff_cuda.so", "/cuda/libdualdiff_cuda.so",
                                         "/../cuda/libdualdiff_cuda.so", "/../lib/libdualdiff_cuda.so"};
    if (length > 0) {
        program[length] = '\0';
        char *slash = strrchr(program, '/');
        if (slash)
            *slash = '\0';
        for (size_t i = 0; i < sizeof places / sizeof *places && !library; i++) {
            snprintf(path, sizeof path, "%s%s", program, places[i]);
            if (access(path, R_OK) == 0) {
                library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
                if (!library) {
                    snprintf(why, size, "%s", dlerror());
                    return NULL;
                }
            }
        }
    }
    if (!library)
        library = dlopen("libdualdiff_cuda.so", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        snprintf(why, size, "this build has no CUDA backend");
    return library;
}

static dd_status check_device(const dd_backend_ops *ops, int device)
{
    int count;
    if (!ops->count_devices)
        return dd_fail(DD_ERR_USAGE, "backend %s has no devices to choose from; use --backend %s", ops->name,
                       ops->name);
    DD_TRY(ops->count_devices(&count));
    if (device < count)
        return DD_OK;
    return dd_fail(DD_ERR_BACKEND, "backend %s: there is no device %d; there %s %d, counted from 0", ops->name, device,
                   count == 1 ? "is" : "are", count);
}

static dd_status open_ops(dd_backend *b, const dd_backend_ops *ops, int device)
{
    if (device >= 0)
        DD_TRY(check_device(ops, device));
    DD_TRY(ops->open(b->pool, device < 0 ? 0 : device, &b->context, &b->threads, b->device));
    b->ops = ops;
    return DD_OK;
}

static dd_status open_cpu(dd_backend *b, int device)
{
    return open_ops(b, &dd_cpu_ops, device);
}

static dd_status open_cuda(dd_backend *b, int device)
{
    char why[256] = "";
    b->library = open_cuda_library(why, sizeof why);
    if (!b->library)
        return dd_fail(DD_ERR_BACKEND, "backend cuda: %s; use --backend cpu, or build where nvcc is found", why);
    const dd_backend_ops *ops = dlsym(b->library, "dd_cuda_ops");
    dd_status status =
        ops && ops->size == sizeof *ops
            ? open_ops(b, ops, device)
            : dd_fail(DD_ERR_BACKEND, "backend cuda: libdualdiff_cuda.so is another version's; build it again");
    if (status) {
        dlclose(b->library);
        b->library = NULL;
    }
    return status;
}

/* ---- one of them ---- */

static dd_status open_best(dd_backend *b)
{
    for (int i = BACKENDS - 1; i > 0; i--) {
        if (!registry[i].open(b, -1)) {
            snprintf(b->reason, sizeof b->reason, "a device of backend %s answers", registry[i].name);
            return DD_OK;
        }
        snprintf(b->reason, sizeof b->reason, "%.250s", dd_error_message());
    }
    return registry[0].open(b, -1);
}

static dd_status unknown(const char *name)
{
    const char *names[BACKENDS + 1] = {"auto"}, *meant = name;
    char near[DD_SUGGESTION];
    for (int i = 0; i < BACKENDS; i++) {
        names[i + 1] = registry[i].name;
        if (registry[i].mistaken && !strcmp(name, registry[i].mistaken))
            meant = registry[i].name;
    }
    return dd_fail(DD_ERR_USAGE, "unknown backend '%s'; use one of " DD_BACKENDS "%s", name,
                   dd_suggest(meant, names, BACKENDS + 1, near));
}

static dd_status open_listed(dd_backend *b, const char *name, int device)
{
    for (int i = 0; i < BACKENDS; i++)
        if (!strcmp(name, registry[i].name))
            return registry[i].open(b, device);
    if (strcmp(name, "auto"))
        return unknown(name);
    if (device >= 0)
        return dd_fail(DD_ERR_USAGE, "backend auto takes no device; name the backend that has it, as in cuda:%d",
                       device);
    return open_best(b);
}

/* The number in NAME:NUMBER, -1 without one. */
static dd_status read_device(const char *word, int *device)
{
    const char *colon = strchr(word, ':');
    char *end;
    *device = -1;
    if (!colon)
        return DD_OK;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (*end || !isdigit((unsigned char)colon[1]) || number > INT_MAX)
        return dd_fail(DD_ERR_USAGE, "backend %s: the number of a device is missing after the colon, as in cuda:0",
                       word);
    *device = (int)number;
    return DD_OK;
}

static dd_status open_named(dd_backend *b, const char *word)
{
    int device;
    char name[64];
    DD_TRY(read_device(word, &device));
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, ":"), word);
    return open_listed(b, name, device);
}

dd_status dd_backend_open(const char *name, int threads, dd_backend **backend)
{
    *backend = NULL;
    dd_backend *b = calloc(1, sizeof *b);
    if (!b)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = dd_pool_create(threads > 0 ? threads : dd_processors(), &b->pool);
    if (!status)
        status = open_named(b, name);
    if (!status) {
        *backend = b;
        return DD_OK;
    }
    if (b->pool)
        dd_pool_destroy(b->pool);
    free(b);
    return status;
}

void dd_backend_close(dd_backend *backend)
{
    if (!backend)
        return;
    backend->ops->close(backend->context);
    if (backend->library)
        dlclose(backend->library);
    dd_pool_destroy(backend->pool);
    free(backend);
}

const char *dd_backend_listed(int i)
{
    return i >= 0 && i < BACKENDS ? registry[i].name : NULL;
}
const char *dd_backend_name(const dd_backend *backend)
{
    return backend->ops->name;
}
const char *dd_backend_device(const dd_backend *backend)
{
    return backend->device;
}
const char *dd_backend_reason(const dd_backend *backend)
{
    return backend->reason;
}
int dd_backend_threads(const dd_backend *backend)
{
    return backend->threads;
}
dd_pool *dd_backend_pool(const dd_backend *backend)
{
    return backend->pool;
}
