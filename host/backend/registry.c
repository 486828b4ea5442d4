/* The backends by name, and opening one. */
#include "backend/backend.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend_ops.h"
#include "base/pool.h"

static const char *const backend_names[] = {"auto", "cpu", "cuda"};

/* libdualdiff_cuda.so from beside the program, from where a build has it, from ../lib, or wherever the loader looks; or
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

static dd_status open_ops(dd_backend *b, const dd_backend_ops *ops)
{
    DD_TRY(ops->open(b->pool, &b->context, &b->threads, b->device));
    b->ops = ops;
    return DD_OK;
}

static dd_status open_cuda(dd_backend *b)
{
    char why[256] = "";
    b->library = open_cuda_library(why, sizeof why);
    if (!b->library)
        return dd_fail(DD_ERR_BACKEND, "backend cuda: %s; use --backend cpu, or build where nvcc is found", why);
    const dd_backend_ops *ops = dlsym(b->library, "dd_cuda_ops");
    dd_status status =
        ops && ops->size == sizeof *ops
            ? open_ops(b, ops)
            : dd_fail(DD_ERR_BACKEND, "backend cuda: libdualdiff_cuda.so is another version's; build it again");
    if (status) {
        dlclose(b->library);
        b->library = NULL;
    }
    return status;
}

static dd_status open_named(dd_backend *b, const char *name)
{
    if (!strcmp(name, "cpu"))
        return open_ops(b, &dd_cpu_ops);
    if (!strcmp(name, "cuda"))
        return open_cuda(b);
    if (strcmp(name, "auto")) {
        const char *closest = strcmp(name, "gpu") ? dd_closest(name, backend_names, 3) : "cuda";
        return dd_fail(DD_ERR_USAGE, "unknown backend '%s'; backends are auto, cpu and cuda%s%s%s", name,
                       closest ? " (did you mean '" : "", closest ? closest : "", closest ? "'?)" : "");
    }
    if (open_cuda(b)) {
        snprintf(b->reason, sizeof b->reason, "%.250s", dd_error_message());
        return open_ops(b, &dd_cpu_ops);
    }
    snprintf(b->reason, sizeof b->reason, "a CUDA device answers");
    return DD_OK;
}

dd_status dd_backend_open(const char *name, int threads, dd_backend **backend)
{
    *backend = NULL;
    dd_backend *b = calloc(1, sizeof *b);
    if (!b)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    dd_status status = dd_pool_create(threads > 0 ? threads : dd_cores(), &b->pool);
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
