/* An ensemble's memory: one allocation on the device, planned in advance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensemble.h"

/* ---- the plan ---- */

/* With base NULL it only measures the size. */
typedef struct arena {
    char *base;
    size_t used;
} arena;

template <typename T> static void take(arena *a, size_t count, T **out)
{
    *out = a->base ? (T *)(a->base + a->used) : NULL;
    a->used += (count * sizeof(T) + 255) / 256 * 256;
}

/* The hidden layers of group g; own: rows of all its members. */
static void plan_group(const dd_cuda_group *group, arena *a, size_t own, bool training, dd_cuda_workspace *w, int g)
{
    size_t widest = 0;
    for (int i = 0; i < group->hidden; i++)
        widest = (size_t)group->width[i] > widest ? (size_t)group->width[i] : widest;
    for (int i = 0; i < group->hidden; i++) {
        size_t width = training ? (size_t)group->width[i] : widest;
        /* A layer reads the activation and (residual) the output of the previous layer, so two alternating buffers
         * suffice. */
        if (training || i <= 1)
            take(a, own * width, &w->active[g][i]);
        else
            w->active[g][i] = w->active[g][i - 2];
        if (i > 0 && (training || i <= 2))
            take(a, own * width, &w->hidden[g][i]);
        else if (i > 0)
            w->hidden[g][i] = w->hidden[g][i - 2];
    }
    if (training) {
        take(a, own * widest, &w->product[g]);
        take(a, own * (size_t)group->outputs, &w->output_gradient[g]);
    }
}

static void plan_workspace(const dd_ensemble *e, arena *a, int rows, bool training, dd_cuda_workspace *w)
{
    const dd_cuda_layout *l = &e->layout;
    size_t all = (size_t)e->replicas * (size_t)rows, coordinates = all * (size_t)e->model->dimensions;
    w->rows = rows;
    take(a, all * (size_t)l->input, &w->embedded);
    take(a, all * (size_t)l->first_width, &w->first);
    for (int g = 0; g < l->groups; g++)
        plan_group(&l->group[g], a, all * (size_t)l->group[g].members, training, w, g);
    take(a, (size_t)e->replicas, &w->count);
    take(a, all, &w->timestep);
    take(a, coordinates, &w->target);
    take(a, coordinates, &w->predicted);
    take(a, coordinates, &w->x);
    if (l->group[DD_CUDA_EXPERTS].wide)
        take(a, coordinates * (size_t)e->model->experts, &w->outputs);
    take(a, coordinates * (size_t)e->model->experts, &w->expert_out);
    take(a, all * (size_t)e->model->experts, &w->soft);
    take(a, all * (size_t)e->model->experts, &w->weight);
    take(a, all * (size_t)e->model->gates, &w->gate_out);
    take(a, all, &w->error_weight);
    take(a, all, &w->square);
    take(a, all, &w->distance);
    if (training && e->training->diversity_layer == DD_DIVERSITY_OF_HIDDEN) {
        size_t own = all * (size_t)e->model->experts;
        take(a, own * (size_t)rows, &w->gram);
        take(a, own, &w->length);
    }
}

/* Rows of a chunk for each replica. About 8192 rows in total fill a device, and the gating weights of all their steps
 * must fit into memory. */
static int chunk_rows(const dd_ensemble *e)
{
    int rows = 8192 / e->replicas / (1 + e->schedule.steps * e->model->gates / 1000);
    return rows < 32 ? 32 : rows / 32 * 32;
}

static void plan_state(dd_ensemble *e, arena *a)
{
    const dd_cuda_layout *l = &e->layout;
    for (int part = 0; part < DD_STATE_PARTS; part++)
        take(a, l->length, &e->state[part]);
    take(a, l->length, &e->gradient);
}

static size_t numbers_of(const dd_points *points)
{
    return (size_t)points->n * (size_t)points->columns.count;
}

/* What belongs to the replicas, and the tables of the parameters. */
static void plan_replicas(dd_ensemble *e, arena *a)
{
    size_t replicas = (size_t)e->replicas;
    const dd_cuda_layout *l = &e->layout;
    for (int s = 0; s < e->sets; s++)
        take(a, numbers_of(e->data[s]), &e->data_x[s]);
    take(a, replicas, &e->replica);
    take(a, replicas, &e->points);
    take(a, replicas, &e->points_evaluated);
    take(a, replicas, &e->counter);
    take(a, replicas, &e->update);
    take(a, replicas, &e->losses);
    take(a, replicas, &e->sample_seed);
    take(a, (size_t)l->chunks, &e->chunk);
    take(a, (size_t)e->model->tensors, &e->place);
    take(a, (size_t)e->bias_tiles, &e->bias_tile);
    take(a, replicas * (size_t)l->chunks, &e->partial);
    take(a, e->model->parameters, &e->flat);
}

/* Numbers of a replica's directions of the Fourier features, [D][features / 2]. */
static size_t directions_of(const dd_ensemble *e)
{
    return (size_t)e->embedding.dimensions * (size_t)e->embedding.x_width / 2;
}

/* The tables of the embedding and of the noise schedule. */
static void plan_schedule(dd_ensemble *e, arena *a)
{
    size_t T = (size_t)e->schedule.timesteps, S = (size_t)e->schedule.steps, half = (size_t)e->embedding.width / 2;
    if (e->embedding.kind == DD_EMBED_FOURIER)
        take(a, (size_t)e->replicas * directions_of(e), (double **)&e->embedding.direction);
    take(a, half, (float **)&e->embedding.frequency);
    take(a, half, (float **)&e->embedding.frequency_low);
    take(a, T * 2 * half, (float **)&e->embedding.time);
    take(a, T, (float **)&e->schedule.signal);
    take(a, T, (float **)&e->schedule.noise);
    take(a, T, (float **)&e->schedule.target_point);
    take(a, T, (float **)&e->schedule.target_noise);
    take(a, T, (float **)&e->schedule.weight);
    take(a, T, (float **)&e->schedule.error_weight);
    take(a, S, (int **)&e->schedule.timestep);
    take(a, S, (float **)&e->schedule.keep);
    take(a, S, (float **)&e->schedule.remove);
    take(a, S, (float **)&e->schedule.sigma);
}

static void plan_ring(dd_ensemble *e, arena *a)
{
    size_t batch = (size_t)e->training->batch, gates = (size_t)e->model->gates;
    e->ring.capacity = DD_CUDA_SLOTS * e->block;
    e->ring.gates = e->model->gates;
    size_t rows = (size_t)e->replicas * (size_t)e->ring.capacity;
    take(a, (size_t)e->ring.capacity + 1, &e->recipe);
    take(a, rows, &e->ring.loss);
    take(a, rows, &e->ring.mse);
    take(a, rows, &e->ring.diversity);
    take(a, rows, &e->ring.grad_norm);
    if (gates) {
        take(a, rows * batch * gates, &e->ring.gate);
        take(a, rows * batch, &e->ring.timestep);
    }
}

static void plan(dd_ensemble *e, arena *a)
{
    size_t steps = (size_t)e->replicas * (size_t)e->schedule.steps; /* reverse steps of all replicas */
    plan_state(e, a);
    plan_replicas(e, a);
    plan_schedule(e, a);
    plan_ring(e, a);
    /* Training and inference share the rest of the memory; they never run at the same time. */
    arena inference = *a;
    plan_workspace(e, a, e->training->batch, true, &e->batch);
    int chunk = chunk_rows(e);
    plan_workspace(e, &inference, chunk, false, &e->chunks);
    take(&inference, steps * (size_t)chunk * (size_t)e->model->gates, &e->sample_gate);
    take(&inference, steps * (size_t)e->layout.first_width, &e->time_bias);
    if (inference.used > a->used)
        a->used = inference.used;
}

/* Bytes that an ensemble like this one with `replicas` replicas would need. */
static size_t bytes_for(const dd_ensemble *e, int replicas)
{
    dd_ensemble other = *e;
    arena measure = {NULL, 0};
    other.replicas = replicas;
    dd_cuda_layout_create(e->model, replicas, &other.layout);
    plan(&other, &measure);
    return measure.used;
}

static dd_status fail_memory(const dd_ensemble *e, size_t wanted)
{
    size_t available = 0, total = 0;
    DD_CUDA(cudaMemGetInfo(&available, &total));
    /* Graphs and the allocator's rounding need some memory, too. */
    size_t usable = available - available / 16;
    int fit = 0;
    for (int step = 1 << 30; step; step /= 2)
        if (fit + step < e->replicas && bytes_for(e, fit + step) <= usable)
            fit += step;
    return dd_fail(DD_ERR_MEMORY,
                   "out of device memory: %d replicas of %zu parameters need %zu MiB, %zu of %zu MiB are free; %d "
                   "would fit: train fewer seeds or datasets together",
                   e->replicas, e->model->parameters, wanted >> 20, available >> 20, total >> 20, fit);
}

static dd_status allocate(dd_ensemble *e)
{
    arena a = {NULL, 0};
    plan(e, &a);
    void *memory = NULL;
    cudaError_t error = cudaMalloc(&memory, a.used);
    if (error == cudaErrorMemoryAllocation) {
        (void)cudaGetLastError();
        return fail_memory(e, a.used);
    }
    DD_CUDA(error);
    e->memory = (char *)memory;
    a.base = e->memory;
    a.used = 0;
    plan(e, &a);
    size_t recipes = (size_t)e->ring.capacity + 1;
    DD_CUDA(cudaMallocHost((void **)&e->recipe_host, recipes * sizeof *e->recipe_host));
    for (int s = 0; s < DD_CUDA_SLOTS; s++) {
        DD_CUDA(cudaEventCreateWithFlags(&e->computed[s], cudaEventDisableTiming));
        DD_CUDA(cudaEventCreateWithFlags(&e->copied[s], cudaEventDisableTiming | cudaEventBlockingSync));
    }
    return DD_OK;
}

/* ---- contents ---- */

/* Copy to the device; the source may be freed when this returns. */
static dd_status upload(const dd_ensemble *e, const void *to, const void *from, size_t bytes)
{
    DD_CUDA(cudaMemcpyAsync((void *)to, from, bytes, cudaMemcpyHostToDevice, e->context->stream));
    DD_CUDA(cudaStreamSynchronize(e->context->stream));
    return DD_OK;
}

/* Frequencies in half turns, and the embedding of every timestep. */
static dd_status upload_embedding(const dd_ensemble *e)
{
    const dd_model_config *config = &e->model->config;
    size_t half = (size_t)e->embedding.width / 2, T = (size_t)e->schedule.timesteps;
    double *frequency = (double *)malloc(half * sizeof *frequency);
    float *table = (float *)malloc((2 * half + T * 2 * half) * sizeof *table);
    dd_status status = frequency && table ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for the embedding");
    if (!status) {
        float *high = table, *low = table + half, *time = low + half;
        dd_model_frequencies(e->model, frequency);
        for (size_t i = 0; i < half; i++) {
            double turns = config->input_scale * frequency[i] / M_PI;
            high[i] = (float)turns;
            low[i] = (float)(turns - high[i]);
        }
        for (size_t t = 0; t < T; t++)
            for (size_t i = 0; i < half; i++) {
                double angle = config->time_scale * (double)t * frequency[i];
                time[t * 2 * half + i] = (float)sin(angle);
                time[t * 2 * half + half + i] = (float)cos(angle);
            }
        status = upload(e, e->embedding.frequency, high, half * sizeof *high);
        if (!status)
            status = upload(e, e->embedding.frequency_low, low, half * sizeof *low);
        if (!status)
            status = upload(e, e->embedding.time, time, T * 2 * half * sizeof *time);
    }
    free(frequency);
    free(table);
    return status;
}

/* Each replica's directions of the Fourier features, transposed, in half turns. */
static dd_status upload_directions(const dd_ensemble *e, const dd_ensemble_spec *spec)
{
    size_t numbers = directions_of(e), dimensions = (size_t)e->embedding.dimensions, count = numbers / dimensions;
    double *from = (double *)malloc(numbers * sizeof *from), *to = (double *)malloc(numbers * sizeof *to);
    dd_status status = from && to ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for the Fourier features");
    for (int r = 0; r < e->replicas && !status; r++) {
        dd_model_features(e->model, spec->replica[r].seed, from);
        for (size_t i = 0; i < numbers; i++)
            to[i % dimensions * count + i / dimensions] = from[i] / M_PI;
        status = upload(e, e->embedding.direction + (size_t)r * numbers, to, numbers * sizeof *to);
    }
    free(from);
    free(to);
    return status;
}

static dd_status upload_schedule(const dd_ensemble *e)
{
    const dd_schedule *s = e->host_schedule;
    const dd_cuda_schedule *to = &e->schedule;
    size_t T = (size_t)s->timesteps, bytes = T * sizeof(float), steps = (size_t)s->steps * sizeof(float);
    DD_TRY(upload(e, to->signal, s->signal, bytes));
    DD_TRY(upload(e, to->noise, s->noise, bytes));
    DD_TRY(upload(e, to->target_point, s->target_point, bytes));
    DD_TRY(upload(e, to->target_noise, s->target_noise, bytes));
    DD_TRY(upload(e, to->weight, s->weight, bytes));
    DD_TRY(upload(e, to->timestep, s->timestep, (size_t)s->steps * sizeof *s->timestep));
    DD_TRY(upload(e, to->keep, s->keep, steps));
    DD_TRY(upload(e, to->remove, s->remove, steps));
    DD_TRY(upload(e, to->sigma, s->sigma, steps));
    float *square = (float *)malloc(bytes);
    if (!square)
        return dd_fail(DD_ERR_MEMORY, "out of memory for a schedule of %zu timesteps", T);
    for (size_t t = 0; t < T; t++)
        square[t] = s->noise_error[t] * s->noise_error[t];
    dd_status status = upload(e, to->error_weight, square, bytes);
    free(square);
    return status;
}

static dd_status upload_data(const dd_ensemble *e)
{
    for (int s = 0; s < e->sets; s++)
        DD_TRY(upload(e, e->data_x[s], e->data[s]->x, numbers_of(e->data[s]) * sizeof(float)));
    size_t replicas = (size_t)e->replicas;
    dd_cuda_points *points = (dd_cuda_points *)calloc(replicas, sizeof *points);
    if (!points)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d replicas", e->replicas);
    for (size_t r = 0; r < replicas; r++)
        for (int s = 0; s < e->sets; s++)
            if (e->data[s] == e->data_of[r]) {
                points[r].x = e->data_x[s];
                points[r].n = e->data[s]->n;
            }
    dd_status status = upload(e, e->points, points, replicas * sizeof *points);
    free(points);
    return status;
}

static dd_status upload_tables(const dd_ensemble *e, const dd_ensemble_spec *spec)
{
    size_t replicas = (size_t)e->replicas, chunks = (size_t)e->layout.chunks, tiles = (size_t)e->bias_tiles;
    dd_cuda_replica *replica = (dd_cuda_replica *)malloc(replicas * sizeof *replica);
    dd_cuda_chunk *chunk = (dd_cuda_chunk *)malloc(chunks * sizeof *chunk);
    dd_cuda_bias_tile *tile = (dd_cuda_bias_tile *)malloc(tiles * sizeof *tile);
    dd_status status =
        replica && chunk && tile ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for %d replicas", e->replicas);
    if (!status) {
        for (size_t r = 0; r < replicas; r++) {
            const dd_replica *from = &spec->replica[r];
            replica[r].seed = from->seed;
            replica[r].learning_rate = from->learning_rate;
            replica[r].weight_decay = from->weight_decay;
            replica[r].clip_norm = from->clip_norm;
            replica[r].diversity_weight = from->diversity_weight;
        }
        dd_cuda_layout_chunks(&e->layout, chunk);
        dd_cuda_fill_bias_tiles(e, tile);
        status = upload(e, e->replica, replica, replicas * sizeof *replica);
        if (!status)
            status = upload(e, e->chunk, chunk, chunks * sizeof *chunk);
        if (!status)
            status = upload(e, e->bias_tile, tile, tiles * sizeof *tile);
        if (!status)
            status = upload(e, e->place, e->layout.place, (size_t)e->model->tensors * sizeof *e->place);
    }
    free(replica);
    free(chunk);
    free(tile);
    return status;
}

/* The vectors' padding must be 0, and gradients of padding are never written. */
static dd_status upload_state(dd_ensemble *e, const dd_ensemble_spec *spec)
{
    for (int part = 0; part < DD_STATE_PARTS; part++)
        DD_CUDA(cudaMemsetAsync(e->state[part], 0, e->layout.length * sizeof(float), e->context->stream));
    DD_CUDA(cudaMemsetAsync(e->gradient, 0, e->layout.length * sizeof(float), e->context->stream));
    float *initial = (float *)malloc(e->model->parameters * sizeof *initial);
    dd_status status =
        initial ? DD_OK : dd_fail(DD_ERR_MEMORY, "out of memory for %zu parameters", e->model->parameters);
    for (int r = 0; r < e->replicas && !status; r++) {
        dd_model_initialise(e->model, spec->replica[r].seed, initial);
        status = dd_cuda_set(e, r, DD_STATE_ONLINE, initial);
        if (!status)
            status = dd_cuda_set(e, r, DD_STATE_EMA, initial);
    }
    free(initial);
    return status;
}

/* ---- creation ---- */

static dd_status list_data(dd_ensemble *e, const dd_ensemble_spec *spec)
{
    size_t replicas = (size_t)e->replicas;
    e->data = (const dd_points **)calloc(replicas, sizeof *e->data);
    e->data_of = (const dd_points **)calloc(replicas, sizeof *e->data_of);
    e->data_x = (float **)calloc(replicas, sizeof *e->data_x);
    if (!e->data || !e->data_of || !e->data_x)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d replicas", e->replicas);
    for (size_t r = 0; r < replicas; r++) {
        e->data_of[r] = spec->replica[r].data;
        bool known = !e->data_of[r];
        for (int s = 0; s < e->sets; s++)
            known = known || e->data[s] == e->data_of[r];
        if (!known)
            e->data[e->sets++] = e->data_of[r];
    }
    return DD_OK;
}

static dd_status fill(dd_ensemble *e, const dd_ensemble_spec *spec)
{
    if (e->replicas > 65535)
        return dd_fail(DD_ERR_MEMORY,
                       "%d replicas: a launch can have at most 65535; train fewer seeds or datasets together",
                       e->replicas);
    DD_TRY(list_data(e, spec));
    dd_cuda_layout_create(e->model, e->replicas, &e->layout);
    e->bias_tiles = dd_cuda_bias_tiles(&e->layout);
    e->embedding.kind = e->model->config.embedding;
    e->embedding.dimensions = e->model->dimensions;
    e->embedding.x_width = e->model->x_width;
    e->embedding.width = e->model->config.embedding_width;
    e->embedding.input = e->model->input_width;
    e->schedule.timesteps = e->host_schedule->timesteps;
    e->schedule.steps = e->host_schedule->steps;
    e->block = e->training->steps < DD_CUDA_BLOCK ? e->training->steps : DD_CUDA_BLOCK;
    DD_TRY(allocate(e));
    DD_TRY(upload_embedding(e));
    if (e->embedding.kind == DD_EMBED_FOURIER)
        DD_TRY(upload_directions(e, spec));
    DD_TRY(upload_schedule(e));
    DD_TRY(upload_data(e));
    DD_TRY(upload_tables(e, spec));
    return upload_state(e, spec);
}

/* cuBLAS would compute in float32 without a word. */
static dd_status check_precision(const dd_cuda_context *context, dd_precision precision)
{
    if (precision == DD_FLOAT32 || context->tensor_cores)
        return DD_OK;
    return dd_fail(DD_ERR_BACKEND,
                   "training.precision: \"tf32\" and \"tf32x3\" need a device of compute capability 8.0 or "
                   "later, and this one is older; train with --set training.precision=float32, or use --backend "
                   "cpu, which always computes in float32");
}

extern "C" dd_status dd_cuda_create(void *context, const dd_ensemble_spec *spec, dd_ensemble **out)
{
    DD_TRY(check_precision((const dd_cuda_context *)context, spec->training->precision));
    dd_ensemble *e = (dd_ensemble *)calloc(1, sizeof *e);
    if (!e)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    e->context = (dd_cuda_context *)context;
    e->model = spec->model;
    e->host_schedule = spec->schedule;
    e->training = spec->training;
    e->replicas = spec->replicas;
    dd_status status = fill(e, spec);
    if (status)
        dd_cuda_destroy(e);
    else
        *out = e;
    return status;
}

extern "C" void dd_cuda_destroy(dd_ensemble *e)
{
    cudaStreamSynchronize(e->context->stream);
    cudaStreamSynchronize(e->context->copies);
    for (int i = 0; i < DD_CUDA_GRAPHS; i++)
        if (e->train_graph[i].exec)
            cudaGraphExecDestroy(e->train_graph[i].exec);
    for (int i = 0; i < DD_STATE_PARTS; i++)
        if (e->sample_graph[i].exec)
            cudaGraphExecDestroy(e->sample_graph[i].exec);
    for (int s = 0; s < DD_CUDA_SLOTS; s++) {
        if (e->computed[s])
            cudaEventDestroy(e->computed[s]);
        if (e->copied[s])
            cudaEventDestroy(e->copied[s]);
    }
    if (e->recipe_host)
        cudaFreeHost(e->recipe_host);
    dd_cuda_room_free(&e->guests);
    if (e->memory)
        cudaFree(e->memory);
    free(e->data);
    free(e->data_of);
    free(e->data_x);
    free(e);
}

/* ---- state in and out ---- */

extern "C" dd_status dd_cuda_read(dd_ensemble *e, int replica, const float *vector, float *values)
{
    cudaStream_t stream = e->context->stream;
    DD_TRY(dd_cuda_launch_flatten(e->model->tensors, e->place, e->layout.longest, replica, vector, e->flat, stream));
    DD_CUDA(cudaMemcpyAsync(values, e->flat, e->model->parameters * sizeof *values, cudaMemcpyDeviceToHost, stream));
    DD_CUDA(cudaStreamSynchronize(stream));
    return DD_OK;
}

extern "C" dd_status dd_cuda_get(dd_ensemble *e, int replica, dd_state_part part, float *values)
{
    return dd_cuda_read(e, replica, e->state[part], values);
}

extern "C" dd_status dd_cuda_set(dd_ensemble *e, int replica, dd_state_part part, const float *values)
{
    cudaStream_t stream = e->context->stream;
    DD_CUDA(cudaMemcpyAsync(e->flat, values, e->model->parameters * sizeof *values, cudaMemcpyHostToDevice, stream));
    DD_TRY(dd_cuda_launch_unflatten(e->model->tensors, e->place, e->layout.longest, replica, e->flat, e->state[part],
                                    stream));
    DD_CUDA(cudaStreamSynchronize(stream));
    return DD_OK;
}
