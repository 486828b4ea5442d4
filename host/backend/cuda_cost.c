#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "backend/cuda_cost.h"

/* Time in s from the start of one kernel of a graph to the start of the next on the same stream. Measured on an H200
 * with 1,400 kernels of 32 blocks that each change as many numbers (with empty kernels: .50e-6). */
static const double START = .92e-6;

const dd_cost_device dd_cost_devices[DD_COST_DEVICES] = {
    {"H200", 66.9e12, 4.8e12},       {"H100 SXM", 66.9e12, 3.35e12}, {"A100 80 GB", 19.5e12, 2.04e12},
    {"RTX 4090", 82.6e12, 1.008e12}, {"RTX 3060", 12.7e12, .360e12},
};

static const double FLOAT = sizeof(float);

static void add(dd_cost *c, const char *name, bool product, double flops, double bytes)
{
    c->item[c->items++] = (dd_cost_item){.name = name, .product = product, .flops = flops, .bytes = bytes};
}

/* `count` products (m, k) (k, n). */
static void add_product(dd_cost *c, const char *name, double count, double m, double n, double k)
{
    add(c, name, true, 2 * count * m * n * k, FLOAT * count * (m * k + k * n + m * n));
}

/* Mark the item that was added last as one on the second stream. */
static void mark_concurrent(dd_cost *c)
{
    c->item[c->items - 1].concurrent = true;
}

/* The items from `first` on, at most so many, become one. */
static void join(dd_cost *c, int first, int most)
{
    int end = first + most < c->items ? first + most : c->items;
    if (end <= first)
        return;
    for (int i = first + 1; i < end; i++) {
        c->item[first].flops += c->item[i].flops;
        c->item[first].bytes += c->item[i].bytes;
    }
    memmove(c->item + first + 1, c->item + end, (size_t)(c->items - end) * sizeof *c->item);
    c->items -= end - first - 1;
}

/* The numbers that the activation kernels of layer i use: hidden values of all towers with such a layer, and those with
 * a residual connection there. */
static double hidden_values(const dd_model *m, int i, int residual_of)
{
    double values = 0;
    for (int t = 0; t < m->towers; t++) {
        const dd_tower *tower = &m->tower[t];
        if (i < tower->layers - 1 && (residual_of < 0 || tower->layer[residual_of].residual))
            values += tower->layer[i].out;
    }
    return values;
}

/* A step whose items are listed, with the sizes that they share. */
typedef struct step_sizes {
    const dd_model *model;
    double R, B, D, K, G;     /* replicas, batch, dimensions, experts, gates */
    bool wide;                /* the experts' last layers are products: of more than four coordinates */
    double first;             /* outputs of the joint first layer */
    bool own;                 /* products that don't wait for each other are one launch */
    int groups;               /* products of towers with equal shape are one call: the experts, then the gate */
    const dd_tower *tower[2]; /* of a group */
    double members[2];        /* of a group */
    int deepest;              /* most hidden layers of a tower */
} step_sizes;

static step_sizes sizes_of(const dd_model *m, const dd_training_config *training, int replicas)
{
    step_sizes s = {
        .model = m, .R = replicas, .B = training->batch, .D = m->dimensions, .K = m->experts, .G = m->gates};
    s.wide = m->dimensions > DD_CUDA_NARROW;
    s.own = training->products == DD_PRODUCTS_OWN && training->precision != DD_TF32;
    s.first = hidden_values(m, 0, -1);
    s.groups = m->towers > m->experts ? 2 : 1;
    s.members[0] = m->experts;
    s.members[1] = m->towers - m->experts;
    for (int g = 0; g < s.groups; g++) {
        s.tower[g] = &m->tower[g ? m->experts : 0];
        s.deepest = s.tower[g]->layers - 1 > s.deepest ? s.tower[g]->layers - 1 : s.deepest;
    }
    return s;
}

static const dd_layer *last_layer(const dd_tower *t)
{
    return &t->layer[t->layers - 1];
}

/* More bytes of device memory for the item that was added last. */
static void add_bytes(dd_cost *c, double numbers)
{
    c->item[c->items - 1].bytes += FLOAT * numbers;
}

/* Layer i >= 1 of each group, without bias, residual and activation. */
static void add_forward_products(const step_sizes *s, int i, dd_cost *cost)
{
    for (int g = 0; g < s->groups; g++) {
        const dd_tower *t = s->tower[g];
        if (i < t->layers - 1)
            add_product(cost, "forward", s->R * s->members[g], s->B, t->layer[i].out, t->layer[i].in);
    }
}

/* Own products do what the activation kernel does after cuBLAS: they read the residual and write the activation. */
static void add_hidden_layers(const step_sizes *s, dd_cost *cost)
{
    add_product(cost, "forward, first layers", s->R, s->B, s->first, s->model->input_width);
    for (int i = 0; i < s->deepest; i++) {
        double values = hidden_values(s->model, i, -1), residuals = i ? hidden_values(s->model, i, i) : 0;
        int before = cost->items;
        if (i)
            add_forward_products(s, i, cost);
        if (s->own) {
            join(cost, before, s->groups);
            add_bytes(cost, s->R * s->B * (values + residuals));
        } else {
            add(cost, "activation", false, 0, FLOAT * s->R * s->B * (3 * values + residuals));
        }
    }
}

static void add_mixture(const step_sizes *s, dd_cost *cost)
{
    double weights = 0, inputs = 0; /* of the last layers that the kernel computes; or the products that it reads */
    for (int g = 0; g < s->groups; g++) {
        const dd_layer *l = last_layer(s->tower[g]);
        if (g == 0 && s->wide) {
            add_product(cost, "forward, last layers", s->R * s->K, s->B, l->out, l->in);
            inputs += s->K * s->D;
            continue;
        }
        inputs += s->members[g] * l->in;
        weights += s->members[g] * l->in * l->out;
    }
    add(cost, "mixture", false, 2 * s->R * s->B * weights,
        FLOAT * s->R * (s->B * (inputs + (s->D + 2) * s->K + s->G + 2 * s->D + 2) + weights));
}

static void add_diversity(const step_sizes *s, bool hidden, dd_cost *cost)
{
    double R = s->R, B = s->B, K = s->K, width = last_layer(s->tower[0])->in;
    add(cost, "diversity", false, hidden ? 0 : R * B * B * 5 * s->D,
        FLOAT * R * B * ((2 * s->D + 2) * K + s->G + 2 * s->D + 2));
    if (!hidden)
        return;
    add_product(cost, "inner products of last hidden layers", R * K, B, B, width);
    add(cost, "squared lengths", false, 0, FLOAT * R * K * 2 * B);
    add(cost, "distances of last hidden layers", false, R * K * B * B * 10, FLOAT * R * K * (2 * B * B + B));
    add_product(cost, "diversity's gradient", R * K, B, width, B);
}

/* The products of layer i + 1 in the backward pass. */
static void add_layer_gradients(const step_sizes *s, int i, dd_cost *cost)
{
    int before = cost->items;
    double values = 0; /* of the layers whose gradient is a product */
    for (int g = 0; g < s->groups; g++) {
        const dd_tower *t = s->tower[g];
        const dd_layer *l = &t->layer[i + 1];
        if (i + 1 < t->layers - 1 || (g == 0 && s->wide && i + 1 == t->layers - 1)) {
            add_product(cost, "input gradient", s->R * s->members[g], s->B, l->in, l->out);
            values += s->members[g] * l->in;
        }
    }
    if (!s->own || cost->items == before)
        return;
    join(cost, before, s->groups);
    add_bytes(cost, s->R * s->B * (values + hidden_values(s->model, i, i + 1)));
}

/* As many own products as DD_CUDA_PRODUCTS are one launch; cuBLAS computes all but the last on the
 * second stream. */
static void add_weight_gradients(const step_sizes *s, dd_cost *cost)
{
    int before = cost->items;
    for (int g = 0; g < s->groups; g++)
        for (int i = 1; i < s->tower[g]->layers; i++) {
            const dd_layer *l = &s->tower[g]->layer[i];
            add_product(cost, "weight gradient", s->R * s->members[g], l->out, l->in, s->B);
            if (!s->own)
                mark_concurrent(cost);
        }
    add_product(cost, "weight gradient, first layers", s->R, s->first, s->model->input_width, s->B);
    int launches = (cost->items - before + DD_CUDA_PRODUCTS - 1) / DD_CUDA_PRODUCTS;
    for (int i = 0; i < launches && s->own; i++)
        join(cost, before + i, DD_CUDA_PRODUCTS);
}

/* Numbers of the last hidden layers whose outputs are no product. */
static double last_hidden_values(const step_sizes *s)
{
    double values = 0;
    for (int g = s->wide; g < s->groups; g++)
        values += s->members[g] * last_layer(s->tower[g])->in;
    return values;
}

static void add_backward(const step_sizes *s, dd_cost *cost)
{
    double values = 0;
    if (s->own && (!s->wide || s->groups > 1))
        add(cost, "gradient, last hidden layers", false, 0, FLOAT * s->R * s->B * 2 * last_hidden_values(s));
    for (int i = s->deepest - 1; i >= 0; i--) {
        add_layer_gradients(s, i, cost);
        if (!s->own)
            add(cost, "activation gradient", false, 0,
                FLOAT * s->R * s->B * (3 * hidden_values(s->model, i, -1) + hidden_values(s->model, i, i + 1)));
    }
    add_weight_gradients(s, cost);
    for (int i = 0; i < s->deepest; i++)
        values += hidden_values(s->model, i, -1);
    add(cost, "bias gradients", false, s->R * s->B * values, FLOAT * s->R * s->B * values);
    mark_concurrent(cost);
}

static void add_update(const step_sizes *s, int ema_every, dd_cost *cost)
{
    double P = (double)s->model->parameters;
    add(cost, "squares", false, 2 * s->R * P, FLOAT * s->R * P);
    add(cost, "step", false, 0, FLOAT * s->R * s->B * (2 + (s->G > 0. ? 2 * s->G + 1.5 : 0.)));
    /* Reads the gradient, the parameters and both moments, and writes all except the gradient; updates the average in
     * some steps. */
    add(cost, "adamw", false, 15 * s->R * P, FLOAT * s->R * P * (7 + 2. / ema_every));
}

void dd_cost_of_step(const dd_model *model, const dd_training_config *training, int block, int replicas, dd_cost *cost)
{
    step_sizes s = sizes_of(model, training, replicas);
    *cost = (dd_cost){0};
    add(cost, "gather", false, 0, FLOAT * s.R * s.B * (model->input_width + 2 * s.D + 2));
    add_hidden_layers(&s, cost);
    add_mixture(&s, cost);
    add_diversity(&s, training->diversity_layer == DD_DIVERSITY_OF_HIDDEN, cost);
    add_backward(&s, cost);
    add_update(&s, training->ema_every, cost);
    cost->bytes_to_device = 32; /* recipe of a step */
    /* Four scalars per step; the gating weights and the timestep per point. */
    cost->bytes_to_host = s.R * (16 + (model->gates ? s.B * (s.G * FLOAT + 2) : 0));
    cost->graph_launches = (training->steps + block - 1) / block;
}

dd_cost_floor dd_cost_least_time(const dd_cost *cost, const dd_cost_device *device)
{
    dd_cost_floor f = {0};
    for (int i = 0; i < cost->items; i++) {
        double arithmetic = cost->item[i].flops / device->flops, memory = cost->item[i].bytes / device->bandwidth;
        f.arithmetic += arithmetic;
        f.memory += memory;
        f.starts += cost->item[i].concurrent ? 0. : START;
    }
    f.step = fmax(f.starts, fmax(f.arithmetic, f.memory));
    return f;
}

int dd_cost_products(const dd_cost *cost)
{
    int products = 0;
    for (int i = 0; i < cost->items; i++)
        products += cost->item[i].product;
    return products;
}
