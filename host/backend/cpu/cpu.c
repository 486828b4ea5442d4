/* The CPU backend's table of operations: the processor, ensembles, and their state in and out. */
#include "backend/cpu/cpu.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

/* ---- the processor ---- */

extern const dd_kernels dd_kernels_plain;
#if defined(__x86_64__)
extern const dd_kernels dd_kernels_avx2, dd_kernels_avx512;
#endif

const dd_kernels *dd_kernels_select(void)
{
    const char *wanted = getenv("DUALDIFF_ISA");
#if defined(__x86_64__)
    __builtin_cpu_init();
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
    if (avx512 && (!wanted || !strcmp(wanted, "avx512")))
        return &dd_kernels_avx512;
    if (avx2 && (!wanted || !strcmp(wanted, "avx2")))
        return &dd_kernels_avx2;
#endif
    return !wanted || !strcmp(wanted, "plain") ? &dd_kernels_plain : NULL;
}

static void processor_name(char *out, size_t size)
{
    snprintf(out, size, "CPU");
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (!strncmp(line, "model name", 10) && colon) {
            colon[strcspn(colon, "\n")] = '\0';
            snprintf(out, size, "%s", colon + 2);
            break;
        }
    }
    if (file)
        fclose(file);
}

static dd_status cpu_open(dd_pool *pool, int number, void **out, int *threads, char device[128])
{
    (void)number; /* there is no choice */
    const dd_kernels *kernels = dd_kernels_select();
    if (!kernels)
        return dd_fail(DD_ERR_BACKEND,
                       "DUALDIFF_ISA=%s: this processor or build does not have this instruction set; unset it, or use "
                       "plain, avx2 or avx512",
                       getenv("DUALDIFF_ISA"));
    dd_cpu_context *c = calloc(1, sizeof *c);
    if (!c)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    c->kernels = kernels;
    c->pool = pool;
    char name[96];
    processor_name(name, sizeof name);
    snprintf(device, 128, "%s, %s", name, kernels->name);
    *threads = dd_pool_threads(pool);
    *out = c;
    return DD_OK;
}

static void cpu_close(void *context)
{
    free(context);
}

/* ---- ensembles ---- */

static void cpu_destroy(dd_ensemble *e)
{
    dd_cpu_train_free(e);
    dd_cpu_embedding_free(&e->embedding);
    dd_cpu_layout_free(&e->layout);
    free(e->memory);
    free(e->directions);
    free(e->replica);
    free(e);
}

/* Each replica's directions, transposed; nothing for other embeddings than the Fourier features. */
static dd_status make_directions(dd_ensemble *e, const dd_model *model)
{
    size_t count = (size_t)e->embedding.directions, padded = (size_t)e->embedding.directions_padded;
    size_t dimensions = (size_t)model->dimensions, size = dimensions * padded, replicas = (size_t)e->head.replicas;
    if (!count)
        return DD_OK;
    e->directions = dd_aligned_zeros(replicas * size, sizeof *e->directions);
    double *direction = malloc(count * dimensions * sizeof *direction);
    for (size_t r = 0; r < replicas && e->directions && direction; r++) {
        e->replica[r].direction = e->directions + r * size;
        dd_model_features(model, e->replica[r].spec.seed, direction);
        for (size_t i = 0; i < count * dimensions; i++)
            e->replica[r].direction[i % dimensions * padded + i / dimensions] = direction[i];
    }
    bool made = e->directions && direction;
    free(direction);
    return made ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for the Fourier features of %zu replicas", replicas);
}

static dd_status fill(dd_ensemble *e, const dd_ensemble_spec *spec)
{
    DD_TRY(dd_cpu_layout_create(spec->model, &e->layout));
    DD_TRY(dd_cpu_embedding_create(spec->model, spec->schedule->timesteps, e->context->kernels, &e->embedding));
    size_t replicas = (size_t)spec->replicas, packed = e->layout.packed;
    e->replica = calloc(replicas, sizeof *e->replica);
    e->memory = dd_aligned_zeros(replicas * DD_STATE_PARTS * packed, sizeof *e->memory);
    float *flat = malloc(spec->model->parameters * sizeof *flat);
    if (!e->replica || !e->memory || !flat) {
        free(flat);
        return dd_fail(DD_ERR_MEMORY,
                       "out of memory for %d replicas of %zu parameters; train fewer seeds or datasets at once",
                       spec->replicas, spec->model->parameters);
    }
    for (size_t r = 0; r < replicas; r++) {
        dd_cpu_replica *replica = &e->replica[r];
        replica->spec = spec->replica[r];
        for (int part = 0; part < DD_STATE_PARTS; part++)
            replica->state[part] = e->memory + (r * DD_STATE_PARTS + (size_t)part) * packed;
        dd_model_initialise(spec->model, replica->spec.seed, flat);
        dd_cpu_pack(&e->layout, flat, replica->state[DD_STATE_ONLINE]);
        memcpy(replica->state[DD_STATE_EMA], replica->state[DD_STATE_ONLINE], packed * sizeof *flat);
    }
    free(flat);
    return make_directions(e, spec->model);
}

static dd_status cpu_create(void *context, const dd_ensemble_spec *spec, dd_ensemble **out)
{
    dd_ensemble *e = calloc(1, sizeof *e);
    if (!e)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    e->context = context;
    e->schedule = spec->schedule;
    e->head.replicas = spec->replicas;
    e->head.training = spec->training;
    dd_status status = fill(e, spec);
    if (status)
        cpu_destroy(e);
    else
        *out = e;
    return status;
}

static dd_status cpu_get(dd_ensemble *e, int replica, dd_state_part part, float *values)
{
    dd_cpu_unpack(&e->layout, e->replica[replica].state[part], values);
    return DD_OK;
}

static dd_status cpu_set(dd_ensemble *e, int replica, dd_state_part part, const float *values)
{
    dd_cpu_pack(&e->layout, values, e->replica[replica].state[part]);
    return DD_OK;
}

static void *log_alloc(dd_ensemble *e, size_t bytes)
{
    (void)e;
    return malloc(bytes);
}

static void log_free(dd_ensemble *e, void *memory)
{
    (void)e;
    free(memory);
}

static dd_status cpu_wait(dd_ensemble *e)
{
    (void)e; /* synchronous */
    return DD_OK;
}

const dd_backend_ops dd_cpu_ops = {
    .size = sizeof dd_cpu_ops,
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .create = cpu_create,
    .destroy = cpu_destroy,
    .get = cpu_get,
    .set = cpu_set,
    .log_alloc = log_alloc,
    .log_free = log_free,
    .train = dd_cpu_train,
    .wait = cpu_wait,
    .gradient = dd_cpu_gradient,
    .evaluate = dd_cpu_evaluate,
    .sample = dd_cpu_sample,
    .predict = dd_cpu_predict,
    .synchronous = true, /* dd_cpu_train is synchronous, too */
};
