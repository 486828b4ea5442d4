/* Forward and backward through all towers of all replicas: products, and the kernels between them. */
#include "ensemble.h"

/* ---- products ---- */

/* A stream, and the cuBLAS handle of that stream. */
typedef struct lane {
    cudaStream_t stream;
    cublasHandle_t blas;
} lane;

static lane main_lane(const dd_ensemble *e)
{
    lane l = {e->context->stream, e->context->blas};
    return l;
}

static lane side_lane(const dd_ensemble *e)
{
    lane l = {e->context->side, e->context->side_blas};
    return l;
}

/* [R][members][rows][columns]. */
static dd_cuda_matrix matrix(float *at, int members, int rows, int columns)
{
    size_t own = (size_t)rows * (size_t)columns;
    dd_cuda_matrix m = {at, (size_t)members * own, own, (size_t)columns};
    return m;
}

static dd_cuda_operand operand(const float *at, int members, int rows, int columns)
{
    size_t own = (size_t)rows * (size_t)columns;
    dd_cuda_operand o = {at, (size_t)members * own, own, (size_t)columns};
    return o;
}

static dd_cuda_operand weights_of(const float *vector, const dd_cuda_slab *slab, int inputs)
{
    dd_cuda_operand o = {vector + slab->at, slab->replica, slab->member, (size_t)inputs};
    return o;
}

static dd_cuda_matrix weight_gradient_of(float *vector, const dd_cuda_slab *slab, int inputs)
{
    dd_cuda_matrix m = {vector + slab->at, slab->replica, slab->member, (size_t)inputs};
    return m;
}

static dd_cuda_product product_of(int members, int rows, int columns, int inner, dd_cuda_operand left,
                                  dd_cuda_operand right, dd_cuda_matrix result)
{
    dd_cuda_product p = {};
    p.members = members;
    p.rows = rows;
    p.columns = columns;
    p.inner = inner;
    p.left = left;
    p.right = right;
    p.result = result;
    return p;
}

/* Own products are float32, by multiply-adds or on tensor cores; those of TF32 are cuBLAS's. */
static bool own_products(const dd_ensemble *e)
{
    return e->training->precision != DD_TF32 && e->training->products == DD_PRODUCTS_OWN;
}

static dd_status blas_product(const dd_ensemble *e, lane on, dd_cuda_form form, const dd_cuda_product *p)
{
    return dd_cuda_blas_product(form, p, e->replicas, e->training->precision == DD_TF32, on.blas);
}

static dd_cuda_products no_products(const dd_ensemble *e)
{
    dd_cuda_products all = {};
    all.replicas = e->replicas;
    all.kind = e->model->config.activation;
    all.tensor_cores = e->training->precision == DD_TF32X3;
    return all;
}

/* Own products are one launch. */
static dd_status multiply(const dd_ensemble *e, dd_cuda_form form, const dd_cuda_products *all)
{
    if (!all->count)
        return DD_OK;
    if (own_products(e))
        return dd_cuda_launch_products(form, all, e->context->processors, e->context->stream);
    for (int i = 0; i < all->count; i++)
        DD_TRY(blas_product(e, main_lane(e), form, &all->product[i]));
    return DD_OK;
}

/* With `rows` points, `inputs` and `outputs` of a layer of each member. */
static dd_cuda_product forward_product(int members, int rows, int inputs, int outputs, dd_cuda_operand input,
                                       dd_cuda_operand weights, float *output)
{
    return product_of(members, rows, outputs, inputs, input, weights, matrix(output, members, rows, outputs));
}

static dd_cuda_product weight_product(const dd_ensemble *e, int members, int rows, int inputs, int outputs,
                                      const float *gradient, const float *input, const dd_cuda_slab *weight)
{
    return product_of(members, outputs, inputs, rows, operand(gradient, members, rows, outputs),
                      operand(input, members, rows, inputs), weight_gradient_of(e->gradient, weight, inputs));
}

/* ---- matrices in the form that the kernels need ---- */

static dd_cuda_matrix member_matrix(float *at, int members, int member, int rows, int columns)
{
    dd_cuda_matrix m = matrix(at, members, rows, columns);
    m.at = at ? at + (size_t)member * m.member : NULL;
    return m;
}

/* The output of layer i; for layer 0 it is a part of the columns of the joint product. */
static dd_cuda_matrix hidden_of(const dd_cuda_layout *l, const dd_cuda_workspace *w, int g, int member, int i)
{
    const dd_cuda_group *group = &l->group[g];
    if (i > 0)
        return member_matrix(w->hidden[g][i], group->members, member, w->rows, group->width[i]);
    dd_cuda_matrix m = matrix(w->first, 1, w->rows, l->first_width);
    m.at += group->column + member * group->width[0];
    return m;
}

/* The outputs of layer i of all members of a group. */
static dd_cuda_matrix hidden_of_group(const dd_cuda_layout *l, const dd_cuda_workspace *w, int g, int i)
{
    const dd_cuda_group *group = &l->group[g];
    if (i > 0)
        return matrix(w->hidden[g][i], group->members, w->rows, group->width[i]);
    dd_cuda_matrix m = matrix(w->first + group->column, 1, w->rows, l->first_width);
    m.member = (size_t)group->width[0];
    return m;
}

static dd_cuda_operand to_read(dd_cuda_matrix m)
{
    dd_cuda_operand o = {m.at, m.replica, m.member, m.pitch};
    return o;
}

static int deepest(const dd_cuda_layout *l)
{
    int most = 0;
    for (int g = 0; g < l->groups; g++)
        most = l->group[g].hidden > most ? l->group[g].hidden : most;
    return most;
}

/* ---- forward ---- */

/* The bias of layer i of a group's members; [width] each. While sampling the timestep's part of the first layers is in
 * theirs. */
static dd_cuda_operand bias_of(const dd_ensemble *e, const dd_cuda_workspace *w, const float *parameters, int g, int i)
{
    const dd_cuda_layout *l = &e->layout;
    const dd_cuda_group *group = &l->group[g];
    dd_cuda_operand o = {parameters + group->bias[i].at, group->bias[i].replica, group->bias[i].member, 0};
    if (i > 0)
        return o;
    o.member = (size_t)group->width[0];
    o.at = parameters + l->first_bias.at + group->column;
    o.replica = l->first_bias.replica;
    if (w->time_bias) {
        o.at = w->time_bias + group->column;
        o.replica = (size_t)e->schedule.steps * (size_t)l->first_width;
    }
    return o;
}

/* What cuBLAS leaves to do in the forward pass of layer i. */
static dd_status activate(const dd_ensemble *e, const dd_cuda_workspace *w, const float *parameters, int i)
{
    const dd_cuda_layout *l = &e->layout;
    dd_cuda_activation a = {};
    a.replicas = e->replicas;
    a.rows = w->rows;
    a.kind = e->model->config.activation;
    for (int g = 0; g < l->groups; g++) {
        const dd_cuda_group *group = &l->group[g];
        for (int m = 0; m < group->members && i < group->hidden; m++) {
            dd_cuda_hidden *t = &a.tower[a.towers++];
            t->width = group->width[i];
            t->hidden = hidden_of(l, w, g, m, i);
            t->active = member_matrix(w->active[g][i], group->members, m, w->rows, t->width);
            if (group->residual[i])
                t->residual = hidden_of(l, w, g, m, i - 1);
            dd_cuda_operand bias = bias_of(e, w, parameters, g, i);
            t->bias = bias.at + (size_t)m * bias.member;
            t->bias_replica = bias.replica;
        }
    }
    return dd_cuda_launch_activation(&a, e->context->stream);
}

static dd_cuda_output output_of(const dd_cuda_layout *l, const dd_cuda_workspace *w, const float *parameters, int g)
{
    const dd_cuda_group *group = &l->group[g];
    const dd_cuda_slab *weight = &group->weight[group->hidden], *bias = &group->bias[group->hidden];
    dd_cuda_output o = {};
    o.members = group->members;
    o.width = group->width[group->hidden - 1];
    o.active = w->active[g][group->hidden - 1];
    o.weight = parameters + weight->at;
    o.weight_replica = weight->replica;
    o.weight_member = weight->member;
    o.bias = parameters + bias->at;
    o.bias_replica = bias->replica;
    o.bias_member = bias->member;
    return o;
}

/* The last layers of wide experts, without their bias. */
static dd_status last_layers(const dd_ensemble *e, const dd_cuda_workspace *w, const float *parameters)
{
    const dd_cuda_group *group = &e->layout.group[DD_CUDA_EXPERTS];
    int last = group->hidden, width = group->width[last - 1];
    dd_cuda_products one = no_products(e);
    one.product[one.count++] =
        forward_product(group->members, w->rows, width, group->outputs,
                        operand(w->active[DD_CUDA_EXPERTS][last - 1], group->members, w->rows, width),
                        weights_of(parameters, &group->weight[last], width), w->outputs);
    return multiply(e, DD_CUDA_FORWARD, &one);
}

/* How many inputs of the first layers there are: the point and the timestep, or the point alone. */
static int first_inputs(const dd_ensemble *e, const dd_cuda_workspace *w)
{
    return w->time_bias ? e->embedding.x_width : e->layout.input;
}

/* The first layers of all towers as one product. */
static dd_status joint_first_layers(const dd_ensemble *e, const dd_cuda_workspace *w, const float *parameters)
{
    const dd_cuda_layout *l = &e->layout;
    dd_cuda_product p =
        forward_product(1, w->rows, first_inputs(e, w), l->first_width, operand(w->embedded, 1, w->rows, l->input),
                        weights_of(parameters, &l->first_weight, l->input), w->first);
    return blas_product(e, main_lane(e), DD_CUDA_FORWARD, &p);
}

/* The first layer of a group: all members have the same input. */
static dd_cuda_product first_product(const dd_ensemble *e, const dd_cuda_workspace *w, const float *parameters, int g)
{
    const dd_cuda_layout *l = &e->layout;
    const dd_cuda_group *group = &l->group[g];
    dd_cuda_operand input = operand(w->embedded, 1, w->rows, l->input);
    dd_cuda_operand weights = weights_of(parameters, &l->first_weight, l->input);
    input.member = 0;
    weights.at += (size_t)group->column * (size_t)l->input;
    weights.member = (size_t)group->width[0] * (size_t)l->input;
    return product_of(group->members, w->rows, group->width[0], first_inputs(e, w), input, weights,
                      hidden_of_group(l, w, g, 0));
}

/* Layer i >= 1 of a group, without bias and residual. */
static dd_cuda_product hidden_product(const dd_ensemble *e, const dd_cuda_workspace *w, const float *parameters, int g,
                                      int i)
{
    const dd_cuda_group *group = &e->layout.group[g];
    return forward_product(group->members, w->rows, group->width[i - 1], group->width[i],
                           operand(w->active[g][i - 1], group->members, w->rows, group->width[i - 1]),
                           weights_of(parameters, &group->weight[i], group->width[i - 1]), w->hidden[g][i]);
}

/* Layer i of all towers that have it; own products do all of the layer. */
static dd_status forward_layer(const dd_ensemble *e, const dd_cuda_workspace *w, const float *parameters, int i)
{
    const dd_cuda_layout *l = &e->layout;
    dd_cuda_products all = no_products(e);
    for (int g = 0; g < l->groups; g++) {
        const dd_cuda_group *group = &l->group[g];
        if (i >= group->hidden)
            continue;
        dd_cuda_product *p = &all.product[all.count++];
        *p = i ? hidden_product(e, w, parameters, g, i) : first_product(e, w, parameters, g);
        p->active = matrix(w->active[g][i], group->members, w->rows, group->width[i]);
        p->bias = bias_of(e, w, parameters, g, i);
        if (group->residual[i])
            p->along = to_read(hidden_of_group(l, w, g, i - 1));
    }
    if (!own_products(e) && i == 0)
        DD_TRY(joint_first_layers(e, w, parameters));
    else
        DD_TRY(multiply(e, DD_CUDA_FORWARD, &all));
    return own_products(e) ? DD_OK : activate(e, w, parameters, i);
}

extern "C" dd_status dd_cuda_forward(dd_ensemble *e, const dd_cuda_workspace *w, const float *parameters, bool targets)
{
    const dd_cuda_layout *l = &e->layout;
    for (int i = 0; i < deepest(l); i++)
        DD_TRY(forward_layer(e, w, parameters, i));
    if (l->group[DD_CUDA_EXPERTS].wide)
        DD_TRY(last_layers(e, w, parameters));
    dd_cuda_mixture m = {};
    m.replicas = e->replicas;
    m.rows = w->rows;
    m.dimensions = e->model->dimensions;
    m.gates = e->model->gates;
    m.kind = e->model->config.gate;
    m.expert = output_of(l, w, parameters, DD_CUDA_EXPERTS);
    if (m.gates)
        m.gate = output_of(l, w, parameters, DD_CUDA_GATE);
    m.product = w->outputs;
    m.target = targets ? w->target : NULL;
    m.error_weight = w->error_weight;
    m.expert_out = w->expert_out;
    m.soft = w->soft;
    m.weight = w->weight;
    m.gate_out = w->gate_out;
    m.predicted = w->predicted;
    m.square = w->square;
    return dd_cuda_launch_mixture(&m, e->context->stream);
}

/* ---- diversity ---- */

/* In float32 whatever the precision. */
static dd_status multiply_float32(const dd_ensemble *e, dd_cuda_form form, const dd_cuda_product *p)
{
    if (e->training->products == DD_PRODUCTS_CUBLAS)
        return dd_cuda_blas_product(form, p, e->replicas, false, e->context->blas);
    dd_cuda_products one = no_products(e);
    one.tensor_cores = false;
    one.product[one.count++] = *p;
    return dd_cuda_launch_products(form, &one, e->context->processors, e->context->stream);
}

/* The distances of the experts' last hidden layers, and their gradient, which is stored in `product`: that buffer is
 * free until the previous layer uses it. In both products large terms cancel, so they are float32 for every
 * precision. */
static dd_status hidden_diversity(const dd_ensemble *e, const dd_cuda_workspace *w, const dd_cuda_diversity *d)
{
    const dd_cuda_group *group = &e->layout.group[DD_CUDA_EXPERTS];
    int rows = w->rows, last = group->hidden - 1, width = group->width[last], members = group->members;
    dd_cuda_operand h = operand(w->active[DD_CUDA_EXPERTS][last], members, rows, width);
    dd_cuda_product inner = product_of(members, rows, rows, width, h, h, matrix(d->gram, members, rows, rows));
    dd_cuda_product gradient = product_of(members, rows, width, rows, operand(d->gram, members, rows, rows), h,
                                          matrix(w->product[DD_CUDA_EXPERTS], members, rows, width));
    DD_TRY(multiply_float32(e, DD_CUDA_FORWARD, &inner));
    DD_TRY(dd_cuda_launch_hidden_diversity(d, e->context->stream));
    return multiply_float32(e, DD_CUDA_INPUT_GRADIENT, &gradient);
}

/* The distances, and the gradient of the whole loss at the towers' outputs. */
static dd_status diversity(const dd_ensemble *e, const dd_cuda_workspace *w)
{
    dd_cuda_diversity d = {};
    d.replicas = e->replicas;
    d.rows = w->rows;
    d.dimensions = e->model->dimensions;
    d.members = e->model->experts;
    d.gates = e->model->gates;
    d.kind = e->training->diversity_distance;
    d.scale = (float)e->training->diversity_scale;
    d.replica = e->replica;
    d.recipe = e->recipe;
    d.counter = e->counter;
    d.count = w->count;
    d.predicted = w->predicted;
    d.target = w->target;
    d.error_weight = w->error_weight;
    d.expert_out = w->expert_out;
    d.soft = w->soft;
    d.weight = w->weight;
    d.distance = w->distance;
    d.expert_gradient = w->output_gradient[DD_CUDA_EXPERTS];
    d.gate_gradient = w->output_gradient[DD_CUDA_GATE];
    d.gram = w->gram;
    d.length = w->length;
    DD_TRY(dd_cuda_launch_diversity(&d, e->context->stream));
    return d.gram ? hidden_diversity(e, w, &d) : DD_OK;
}

/* ---- backward ---- */

/* The gradient at the outputs of layer i of one tower, which it replaces. */
static dd_cuda_hidden tower_gradient(const dd_ensemble *e, const dd_cuda_workspace *w, int g, int m, int i)
{
    const dd_cuda_layout *l = &e->layout;
    const dd_cuda_group *group = &l->group[g];
    dd_cuda_hidden t = {};
    t.width = group->width[i];
    t.hidden = hidden_of(l, w, g, m, i);
    if (i == group->hidden - 1 && !group->wide) {
        const dd_cuda_slab *weight = &group->weight[group->hidden];
        t.outputs = group->outputs;
        t.output_gradient = member_matrix(w->output_gradient[g], group->members, m, w->rows, group->outputs);
        t.output_weight = e->state[DD_STATE_ONLINE] + weight->at + (size_t)m * weight->member;
        t.output_replica = weight->replica;
        if (g == DD_CUDA_EXPERTS && w->gram)
            t.product = member_matrix(w->product[g], group->members, m, w->rows, t.width);
    } else {
        t.product = member_matrix(w->product[g], group->members, m, w->rows, t.width);
        if (i + 1 < group->hidden && group->residual[i + 1])
            t.along = hidden_of(l, w, g, m, i + 1);
    }
    return t;
}

/* For every tower at layer i, or (own products, which do the others themselves) at its last hidden layer. */
static dd_status activation_gradient(const dd_ensemble *e, const dd_cuda_workspace *w, int i)
{
    const dd_cuda_layout *l = &e->layout;
    dd_cuda_activation a = {};
    a.replicas = e->replicas;
    a.rows = w->rows;
    a.kind = e->model->config.activation;
    for (int g = 0; g < l->groups; g++) {
        const dd_cuda_group *group = &l->group[g];
        bool part = own_products(e) ? !group->wide : i < group->hidden;
        for (int m = 0; m < group->members && part; m++)
            a.tower[a.towers++] = tower_gradient(e, w, g, m, own_products(e) ? group->hidden - 1 : i);
    }
    return a.towers ? dd_cuda_launch_activation_gradient(&a, e->context->stream) : DD_OK;
}

/* The next work on the side stream waits for all work that is on the main stream now. */
static dd_status branch(const dd_cuda_context *c)
{
    DD_CUDA(cudaEventRecord(c->branched, c->stream));
    DD_CUDA(cudaStreamWaitEvent(c->side, c->branched, 0));
    return DD_OK;
}

static dd_status merge(const dd_cuda_context *c)
{
    DD_CUDA(cudaEventRecord(c->merged, c->side));
    DD_CUDA(cudaStreamWaitEvent(c->stream, c->merged, 0));
    return DD_OK;
}

/* A weight gradient. cuBLAS computes it at once, on that lane; own products are collected for one launch. */
static dd_status weight_gradient(const dd_ensemble *e, lane on, const dd_cuda_product *p, dd_cuda_products *collected)
{
    if (!own_products(e))
        return blas_product(e, on, DD_CUDA_WEIGHT_GRADIENT, p);
    if (collected->count == DD_CUDA_PRODUCTS) {
        DD_TRY(multiply(e, DD_CUDA_WEIGHT_GRADIENT, collected));
        collected->count = 0;
    }
    collected->product[collected->count++] = *p;
    return DD_OK;
}

/* Weight gradient of layer i >= 1 from the gradient at its outputs. */
static dd_status layer_weight_gradient(const dd_ensemble *e, const dd_cuda_workspace *w, int g, int i,
                                       const float *gradient, int outputs, dd_cuda_products *collected)
{
    const dd_cuda_group *group = &e->layout.group[g];
    dd_cuda_product p = weight_product(e, group->members, w->rows, group->width[i - 1], outputs, gradient,
                                       w->active[g][i - 1], &group->weight[i]);
    return weight_gradient(e, side_lane(e), &p, collected);
}

/* Gradient at the inputs of layer i >= 1 from that at its outputs, which are hidden layer i or the towers' outputs. For
 * cuBLAS it is a buffer, from which the activation's derivative is taken later; own products do that, too. The buffer
 * may hold the gradient of distances inside, which is added. */
static dd_cuda_product input_gradient(const dd_ensemble *e, const dd_cuda_workspace *w, int g, int i)
{
    const dd_cuda_layout *l = &e->layout;
    const dd_cuda_group *group = &l->group[g];
    bool last = i == group->hidden;
    int members = group->members, inputs = group->width[i - 1], outputs = last ? group->outputs : group->width[i];
    const float *gradient = last ? w->output_gradient[g] : w->hidden[g][i];
    dd_cuda_matrix buffer = matrix(w->product[g], members, w->rows, inputs);
    dd_cuda_product p = product_of(members, w->rows, inputs, outputs, operand(gradient, members, w->rows, outputs),
                                   weights_of(e->state[DD_STATE_ONLINE], &group->weight[i], inputs), buffer);
    if (last && w->gram)
        p.before = to_read(buffer);
    if (!own_products(e))
        return p;
    p.result = hidden_of_group(l, w, g, i - 1);
    p.hidden = to_read(p.result);
    if (!last && group->residual[i])
        p.along = to_read(hidden_of_group(l, w, g, i));
    return p;
}

/* The products of layer i + 1 of all towers: gradients of weights and at the inputs. */
static dd_status layer_gradients(const dd_ensemble *e, const dd_cuda_workspace *w, int i, dd_cuda_products *collected)
{
    const dd_cuda_layout *l = &e->layout;
    dd_cuda_products inputs = no_products(e);
    for (int g = 0; g < l->groups; g++) {
        const dd_cuda_group *group = &l->group[g];
        if (i + 1 < group->hidden)
            DD_TRY(layer_weight_gradient(e, w, g, i + 1, w->hidden[g][i + 1], group->width[i + 1], collected));
        if (i + 1 < group->hidden || (i + 1 == group->hidden && group->wide))
            inputs.product[inputs.count++] = input_gradient(e, w, g, i + 1);
    }
    return multiply(e, DD_CUDA_INPUT_GRADIENT, &inputs);
}

/* Only the optimiser waits for the gradients of weights and biases. Those by cuBLAS are computed on the side stream, at
 * the same time as the chain of gradients at the layers' inputs; own ones in one launch at the end, where they fill the
 * device. */
extern "C" dd_status dd_cuda_backward(dd_ensemble *e, const dd_cuda_workspace *w)
{
    const dd_cuda_layout *l = &e->layout;
    dd_cuda_products weights = no_products(e);
    DD_TRY(branch(e->context));
    for (int g = 0; g < l->groups; g++)
        DD_TRY(
            layer_weight_gradient(e, w, g, l->group[g].hidden, w->output_gradient[g], l->group[g].outputs, &weights));
    if (own_products(e))
        DD_TRY(activation_gradient(e, w, 0));
    for (int i = deepest(l) - 1; i >= 0; i--) {
        DD_TRY(layer_gradients(e, w, i, &weights));
        if (!own_products(e))
            DD_TRY(activation_gradient(e, w, i));
        DD_TRY(branch(e->context));
    }
    DD_TRY(dd_cuda_launch_bias(e->bias_tiles, e->bias_tile, w->rows, e->replicas, e->context->side));
    dd_cuda_product first =
        weight_product(e, 1, w->rows, l->input, l->first_width, w->first, w->embedded, &l->first_weight);
    DD_TRY(weight_gradient(e, main_lane(e), &first, &weights));
    DD_TRY(multiply(e, DD_CUDA_WEIGHT_GRADIENT, &weights));
    return merge(e->context);
}

extern "C" dd_status dd_cuda_compute_gradient(dd_ensemble *e)
{
    const dd_cuda_workspace *w = &e->batch;
    dd_cuda_gather g = {};
    g.replicas = e->replicas;
    g.rows = w->rows;
    g.batch = (uint32_t)e->training->batch;
    g.purpose = DD_DRAW_TRAIN;
    g.replica = e->replica;
    g.points = e->points;
    g.counter = e->counter;
    g.embedding = e->embedding;
    g.schedule = e->schedule;
    g.count = w->count;
    g.embedded = w->embedded;
    g.target = w->target;
    g.error_weight = w->error_weight;
    g.timestep = w->timestep;
    DD_TRY(dd_cuda_launch_gather(&g, e->context->stream));
    DD_TRY(dd_cuda_forward(e, w, e->state[DD_STATE_ONLINE], true));
    DD_TRY(diversity(e, w));
    return dd_cuda_backward(e, w);
}

/* ---- bias gradients ---- */

/* Write the tiles of one gradient's columns; with tile NULL they are only counted. Returns the next free index. */
static int add_tiles(dd_cuda_bias_tile *tile, int used, dd_cuda_matrix gradient, int columns, float *bias,
                     size_t bias_replica)
{
    const int most = 32;
    for (int c = 0; c < columns; c += most, used++) {
        if (!tile)
            continue;
        dd_cuda_bias_tile *t = &tile[used];
        t->gradient = gradient;
        t->gradient.at += c;
        t->columns = columns - c < most ? columns - c : most;
        t->bias = bias + c;
        t->bias_replica = bias_replica;
    }
    return used;
}

static int list_tiles(const dd_cuda_layout *l, const dd_cuda_workspace *w, float *gradient, dd_cuda_bias_tile *tile)
{
    static const dd_cuda_workspace none = {};
    if (!tile)
        w = &none;
    dd_cuda_matrix first = matrix(w->first, 1, w->rows, l->first_width);
    int used =
        add_tiles(tile, 0, first, l->first_width, tile ? gradient + l->first_bias.at : NULL, l->first_bias.replica);
    for (int g = 0; g < l->groups; g++) {
        const dd_cuda_group *group = &l->group[g];
        for (int i = 1; i <= group->hidden; i++)
            for (int m = 0; m < group->members; m++) {
                int output = i == group->hidden, columns = output ? group->outputs : group->width[i];
                float *at = output ? w->output_gradient[g] : w->hidden[g][i];
                float *bias = tile ? gradient + group->bias[i].at + (size_t)m * group->bias[i].member : NULL;
                used = add_tiles(tile, used, member_matrix(at, group->members, m, w->rows, columns), columns, bias,
                                 group->bias[i].replica);
            }
    }
    return used;
}

extern "C" int dd_cuda_bias_tiles(const dd_cuda_layout *layout)
{
    return list_tiles(layout, NULL, NULL, NULL);
}

extern "C" void dd_cuda_fill_bias_tiles(const dd_ensemble *e, dd_cuda_bias_tile *tile)
{
    list_tiles(&e->layout, &e->batch, e->gradient, tile);
}
