#include <math.h>
#include <stdbool.h>

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

/* Products of towers with equal shape are one call: the experts, then the gate. */
static int groups(const dd_model *m, int tower[2], int members[2])
{
    tower[0] = 0;
    members[0] = m->experts;
    tower[1] = m->experts;
    members[1] = m->towers - m->experts;
    return m->towers > m->experts ? 2 : 1;
}

void dd_cost_of_step(const dd_model *model, const dd_training_config *training, int block, int replicas, dd_cost *cost)
{
    const double R = replicas, B = training->batch, P = (double)model->parameters, K = model->experts, G = model->gates;
    double first = hidden_values(model, 0, -1), last = 0, inputs = 0;
    int tower[2], members[2], count = groups(model, tower, members), deepest = 0;
    for (int g = 0; g < count; g++)
        deepest = model->tower[tower[g]].layers - 1 > deepest ? model->tower[tower[g]].layers - 1 : deepest;
    *cost = (dd_cost){0};
    add(cost, "gather", false, 0, FLOAT * R * B * (model->input_width + 6));

    add_product(cost, "forward, first layers", R, B, first, model->input_width);
    for (int i = 0; i < deepest; i++) {
        for (int g = 0; g < count && i > 0; g++) {
            const dd_tower *t = &model->tower[tower[g]];
            if (i < t->layers - 1)
                add_product(cost, "forward", R * members[g], B, t->layer[i].out, t->layer[i].in);
        }
        double residuals = i ? hidden_values(model, i, i) : 0;
        add(cost, "activation", false, 0, FLOAT * R * B * (3 * hidden_values(model, i, -1) + residuals));
    }
    for (int g = 0; g < count; g++) {
        const dd_tower *t = &model->tower[tower[g]];
        const dd_layer *l = &t->layer[t->layers - 1];
        inputs += (double)members[g] * l->in;
        last += (double)members[g] * l->in * l->out;
    }
    add(cost, "mixture", false, 2 * R * B * last, FLOAT * R * (B * (inputs + 4 * K + G + 6) + last));
    int hidden = training->diversity_layer == DD_DIVERSITY_OF_HIDDEN;
    add(cost, "diversity", false, hidden ? 0 : R * B * B * 10, FLOAT * R * B * (6 * K + G + 6));
    if (hidden) {
        double width = model->tower[0].layer[model->tower[0].layers - 1].in;
        add_product(cost, "inner products of last hidden layers", R * K, B, B, width);
        add(cost, "squared lengths", false, 0, FLOAT * R * K * 2 * B);
        add(cost, "distances of last hidden layers", false, R * K * B * B * 10, FLOAT * R * K * (2 * B * B + B));
        add_product(cost, "diversity's gradient", R * K, B, width, B);
    }

    for (int g = 0; g < count; g++) {
        const dd_layer *l = &model->tower[tower[g]].layer[model->tower[tower[g]].layers - 1];
        add_product(cost, "weight gradient, last layers", R * members[g], l->out, l->in, B);
        mark_concurrent(cost);
    }
    for (int i = deepest - 1; i >= 0; i--) {
        for (int g = 0; g < count; g++) {
            const dd_tower *t = &model->tower[tower[g]];
            const dd_layer *l = &t->layer[i + 1];
            if (i + 1 >= t->layers - 1)
                continue;
            add_product(cost, "weight gradient", R * members[g], l->out, l->in, B);
            mark_concurrent(cost);
            add_product(cost, "input gradient", R * members[g], B, l->in, l->out);
        }
        double residuals = hidden_values(model, i, i + 1);
        add(cost, "activation gradient", false, 0, FLOAT * R * B * (3 * hidden_values(model, i, -1) + residuals));
    }
    add_product(cost, "weight gradient, first layers", R, first, model->input_width, B);
    double all = 0;
    for (int i = 0; i < deepest; i++)
        all += hidden_values(model, i, -1);
    add(cost, "bias gradients", false, R * B * all, FLOAT * R * B * all);
    mark_concurrent(cost);
    add(cost, "squares", false, 2 * R * P, FLOAT * R * P);
    add(cost, "step", false, 0, FLOAT * R * B * (2 + (G > 0. ? 2 * G + 1.5 : 0.)));
    /* Reads the gradient, the parameters and both moments, and writes all except the gradient; updates the average in
     * some steps. */
    add(cost, "adamw", false, 15 * R * P, FLOAT * R * P * (7 + 2. / training->ema_every));

    cost->bytes_to_device = 32; /* recipe of a step */
    /* Four scalars per step; the gating weights and the timestep per point. */
    cost->bytes_to_host = R * (16 + (model->gates ? B * (G * FLOAT + 2) : 0));
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
