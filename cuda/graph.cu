/* Training: a block of steps is one CUDA graph, whose kernels read the step's number, learning rate and position in the
 * log on the device. The host uploads the next block's recipes and starts it while the previous block runs.
 */
#include <math.h>

#include "ensemble.h"
#include "model/recipe.h"

/* One step from its batch to its update. */
static dd_status record_step(dd_ensemble *e)
{
    const dd_cuda_workspace *w = &e->batch;
    cudaStream_t stream = e->context->stream;
    DD_TRY(dd_cuda_compute_gradient(e));
    DD_TRY(dd_cuda_launch_squares(e->layout.chunks, e->chunk, e->gradient, e->partial, e->replicas, stream));
    dd_cuda_step s = {};
    s.replicas = e->replicas;
    s.rows = w->rows;
    s.dimensions = e->model->dimensions;
    s.chunks = e->layout.chunks;
    s.replica = e->replica;
    s.recipe = e->recipe;
    s.count = w->count;
    s.partial = e->partial;
    s.square = w->square;
    s.distance = w->distance;
    s.gate_out = w->gate_out;
    s.timestep = w->timestep;
    s.ring = e->ring;
    s.counter = e->counter;
    s.update = e->update;
    DD_TRY(dd_cuda_launch_step(&s, stream));
    const dd_training_config *t = e->training;
    dd_cuda_adamw a = {};
    a.replicas = e->replicas;
    a.chunks = e->layout.chunks;
    a.chunk = e->chunk;
    a.update = e->update;
    a.one_minus_beta1 = (float)(1. - t->beta1);
    a.beta2 = (float)t->beta2;
    a.one_minus_beta2 = (float)(1. - t->beta2);
    a.epsilon = (float)t->epsilon;
    a.gradient = e->gradient;
    a.online = e->state[DD_STATE_ONLINE];
    a.ema = e->state[DD_STATE_EMA];
    a.moment1 = e->state[DD_STATE_MOMENT1];
    a.moment2 = e->state[DD_STATE_MOMENT2];
    return dd_cuda_launch_adamw(&a, stream);
}

extern "C" dd_status dd_cuda_end_capture(cudaStream_t stream, dd_status status, cudaGraphExec_t *exec)
{
    cudaGraph_t graph = NULL;
    cudaError_t ended = cudaStreamEndCapture(stream, &graph);
    if (!status && ended != cudaSuccess)
        status = dd_cuda_fail(ended, "cudaStreamEndCapture", __FILE__, __LINE__);
    if (!status) {
        cudaError_t made = cudaGraphInstantiate(exec, graph, 0);
        if (made != cudaSuccess)
            status = dd_cuda_fail(made, "cudaGraphInstantiate", __FILE__, __LINE__);
    }
    cudaError_t destroyed = graph ? cudaGraphDestroy(graph) : cudaSuccess;
    if (!status && destroyed != cudaSuccess)
        status = dd_cuda_fail(destroyed, "cudaGraphDestroy", __FILE__, __LINE__);
    return status;
}

/* The graph with this number of steps; made when it is needed for the first time. */
static dd_status find_graph(dd_ensemble *e, int steps, cudaGraphExec_t *exec)
{
    for (int i = 0; i < DD_CUDA_GRAPHS; i++)
        if (e->train_graph[i].size == steps) {
            *exec = e->train_graph[i].exec;
            return DD_OK;
        }
    dd_cuda_graph *graph = &e->train_graph[e->oldest_graph];
    e->oldest_graph = (e->oldest_graph + 1) % DD_CUDA_GRAPHS;
    if (graph->exec) {
        graph->size = 0;
        DD_CUDA(cudaStreamSynchronize(e->context->stream)); /* it may be running */
        DD_CUDA(cudaGraphExecDestroy(graph->exec));
        graph->exec = NULL;
    }
    cudaStream_t stream = e->context->stream;
    DD_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    dd_status status = DD_OK;
    for (int s = 0; s < steps && !status; s++)
        status = record_step(e);
    DD_TRY(dd_cuda_end_capture(stream, status, &graph->exec));
    graph->size = steps;
    *exec = graph->exec;
    return DD_OK;
}

static void fill_recipes(const dd_ensemble *e, int first_step, int steps, dd_cuda_recipe *recipe)
{
    const dd_training_config *t = e->training;
    for (int i = 0; i < steps; i++) {
        int step = first_step + i;
        recipe[i].rate = dd_learning_rate(1., step, t->steps);
        recipe[i].correction1 = 1. - pow(t->beta1, step + 1);
        recipe[i].correction2 = 1. - pow(t->beta2, step + 1);
        recipe[i].ema = (float)dd_ema_factor(t, step);
        recipe[i].diversity = (float)dd_diversity_share(t, step);
    }
}

/* Start a block; it runs after everything that was started before. */
static dd_status start_block(dd_ensemble *e, int first_step, int steps, int slot)
{
    cudaGraphExec_t exec = NULL;
    cudaStream_t stream = e->context->stream;
    DD_TRY(find_graph(e, steps, &exec));
    DD_CUDA(cudaEventSynchronize(e->copied[slot])); /* the log rows and recipes of the slot's last block are copied */
    int row = slot * e->block;
    dd_cuda_recipe *recipe = e->recipe_host + row;
    fill_recipes(e, first_step, steps, recipe);
    DD_CUDA(cudaMemcpyAsync(e->recipe + row, recipe, (size_t)steps * sizeof *recipe, cudaMemcpyHostToDevice, stream));
    DD_TRY(dd_cuda_launch_counter(e->counter, e->replicas, first_step, row, stream));
    DD_CUDA(cudaGraphLaunch(exec, stream));
    DD_CUDA(cudaEventRecord(e->computed[slot], stream));
    return DD_OK;
}

/* The gradient of a step outside a graph. It uses the recipe after those of the ring, which no running copy reads. */
static dd_status gradient_alone(dd_ensemble *e, int step)
{
    int row = e->ring.capacity;
    cudaStream_t stream = e->context->stream;
    dd_cuda_recipe *recipe = e->recipe_host + row;
    fill_recipes(e, step, 1, recipe);
    DD_CUDA(cudaMemcpyAsync(e->recipe + row, recipe, sizeof *recipe, cudaMemcpyHostToDevice, stream));
    DD_TRY(dd_cuda_launch_counter(e->counter, e->replicas, step, row, stream));
    return dd_cuda_compute_gradient(e);
}

/* cuBLAS loads a kernel when it needs it for the first time, and a capture may not allow that. */
static dd_status warm_up(dd_ensemble *e, int step)
{
    if (e->warm)
        return DD_OK;
    DD_TRY(gradient_alone(e, step));
    e->warm = true;
    return DD_OK;
}

extern "C" dd_status dd_cuda_train(dd_ensemble *e, int first_step, int steps, dd_train_log *log)
{
    int before = (e->slot + DD_CUDA_SLOTS - 1) % DD_CUDA_SLOTS; /* end of the last call's log */
    DD_TRY(warm_up(e, first_step));
    for (int done = 0; done < steps;) {
        int count = steps - done < e->block ? steps - done : e->block, slot = e->slot;
        DD_TRY(start_block(e, first_step + done, count, slot));
        DD_TRY(dd_cuda_log_copy(e, slot, count, log, done));
        e->slot = (slot + 1) % DD_CUDA_SLOTS;
        done += count;
    }
    /* A longer call has used that slot again, and has waited for it. */
    if (steps <= e->block)
        DD_CUDA(cudaEventSynchronize(e->copied[before]));
    return DD_OK;
}

extern "C" dd_status dd_cuda_wait(dd_ensemble *e)
{
    for (int s = 0; s < DD_CUDA_SLOTS; s++)
        DD_CUDA(cudaEventSynchronize(e->copied[s]));
    return DD_OK;
}

extern "C" dd_status dd_cuda_gradient(dd_ensemble *e, int step, float *gradient)
{
    DD_CUDA(cudaStreamSynchronize(e->context->stream));
    DD_TRY(gradient_alone(e, step));
    for (int r = 0; r < e->replicas; r++)
        DD_TRY(dd_cuda_read(e, r, e->gradient, gradient + (size_t)r * e->model->parameters));
    return DD_OK;
}
