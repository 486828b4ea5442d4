#include "model/model.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/philox.h"
#include "model/gating.h"

static int add_tensor(dd_model *m, const char *tower, const char *position, const char *kind, int rows, int cols,
                      int fan_in)
{
    dd_tensor *t = &m->tensor[m->tensors];
    char name[sizeof t->name] = ""; /* gcc believes that t->name and tower, two members of *m, overlap */
    snprintf(name, sizeof name, "%s.%s.%s", tower, position, kind);
    memcpy(t->name, name, sizeof name);
    t->rows = rows;
    t->cols = cols;
    t->fan_in = fan_in;
    t->offset = m->parameters;
    t->count = (size_t)rows * (cols ? (size_t)cols : 1);
    m->parameters += t->count;
    return m->tensors++;
}

/* position: the layer's place in the reference's nn.Sequential, for instance "0" or "1.ff". */
static void add_layer(dd_model *m, dd_tower *tower, const char *position, int in, int out, bool activate, bool residual)
{
    dd_layer *layer = &tower->layer[tower->layers++];
    layer->in = in;
    layer->out = out;
    layer->activate = activate;
    layer->residual = residual;
    layer->weight = add_tensor(m, tower->name, position, "weight", out, in, in);
    layer->bias = add_tensor(m, tower->name, position, "bias", out, 0, in);
}

/* Hidden layers `widths`, then `out` outputs. In the reference's Sequential an activation precedes each of them and
 * counts as a position. */
static void add_head(dd_model *m, dd_tower *tower, int position, int in, dd_widths widths, int out)
{
    char text[16];
    for (int i = 0; i <= widths.count; i++) {
        int width = i < widths.count ? widths.width[i] : out;
        snprintf(text, sizeof text, "%d", position + 2 * i);
        add_layer(m, tower, text, in, width, true, false);
        in = width;
    }
}

static void add_expert(dd_model *m, int number)
{
    const dd_model_config *c = &m->config;
    dd_tower *tower = &m->tower[m->towers++];
    if (m->experts == 1)
        snprintf(tower->name, sizeof tower->name, "network");
    else
        snprintf(tower->name, sizeof tower->name, "expert%c", '0' + number);
    add_layer(m, tower, "0", m->input_width, c->hidden_width, false, false);
    for (int i = 1; i <= c->hidden_depth; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d.ff", i);
        add_layer(m, tower, text, c->hidden_width, c->hidden_width, true, true);
    }
    add_head(m, tower, c->hidden_depth + 2, c->hidden_width, c->expert_head, m->dimensions);
}

static void add_gate(dd_model *m)
{
    const dd_model_config *c = &m->config;
    dd_tower *tower = &m->tower[m->towers++];
    snprintf(tower->name, sizeof tower->name, "gating_network");
    dd_widths rest = {.count = c->gate_layers.count - 1};
    for (int i = 0; i < rest.count; i++)
        rest.width[i] = c->gate_layers.width[i + 1];
    add_layer(m, tower, "0", m->input_width, c->gate_layers.width[0], false, false);
    add_head(m, tower, 2, c->gate_layers.width[0], rest, m->gates);
}

static int x_width(const dd_model_config *config, int dimensions)
{
    return config->embedding == DD_EMBED_LINEAR    ? dimensions
           : config->embedding == DD_EMBED_FOURIER ? config->fourier_features
                                                   : dimensions * config->embedding_width;
}

dd_status dd_model_create(const dd_model_config *config, int dimensions, dd_model *model)
{
    memset(model, 0, sizeof *model);
    if (dimensions < 1 || dimensions > DD_MAX_DIMENSIONS)
        return dd_fail(DD_ERR_INTERNAL, "a model of %d dimensions", dimensions);
    model->config = *config;
    model->dimensions = dimensions;
    model->x_width = x_width(config, dimensions);
    model->input_width = model->x_width + config->embedding_width;
    model->experts = config->experts;
    model->gates = dd_gates(config->experts, config->gate);
    if (config->hidden_depth > DD_MAX_DEPTH || config->experts > DD_MAX_EXPERTS || config->experts < 1)
        return dd_fail(DD_ERR_CONFIG, "model: %d experts of depth %d are too many; at most %d of depth %d are possible",
                       config->experts, config->hidden_depth, DD_MAX_EXPERTS, DD_MAX_DEPTH);
    for (int i = 1; i <= model->experts; i++)
        add_expert(model, i);
    if (model->gates)
        add_gate(model);
    return DD_OK;
}

void dd_model_initialise(const dd_model *model, uint64_t seed, float *parameters)
{
    for (int i = 0; i < model->tensors; i++) {
        const dd_tensor *t = &model->tensor[i];
        float bound = 1.0f / sqrtf((float)t->fan_in);
        uint32_t word[4];
        for (size_t e = 0; e < t->count; e++) {
            if (e % 4 == 0)
                dd_philox(seed, DD_DRAW_INIT, (uint32_t)i, e / 4, word);
            parameters[t->offset + e] = (2.0f * dd_uniform(word[e % 4]) - 1.0f) * bound;
        }
    }
}

/* Number i of `count` frequencies between 1 and 1/10000. */
static double frequency_of(int i, int count)
{
    return exp(-log(10000.0) * i / (count - 1));
}

void dd_model_frequencies(const dd_model *model, double *frequency)
{
    int half = model->config.embedding_width / 2;
    for (int i = 0; i < half; i++)
        frequency[i] = frequency_of(i, half);
}

void dd_model_features(const dd_model *model, uint64_t seed, double *direction)
{
    int half = model->config.fourier_features / 2, dimensions = model->dimensions;
    float normal[DD_MAX_DIMENSIONS];
    for (int i = 0; i < half; i++, direction += dimensions) {
        double square = 0.;
        dd_draw_normals(seed, DD_DRAW_FEATURES, 0, (uint64_t)i, dimensions, normal);
        for (int c = 0; c < dimensions; c++)
            square += (double)normal[c] * normal[c];
        if (square == 0.) /* one in ten million draws of a single normal */
            square = normal[0] = 1.f;
        for (int c = 0; c < dimensions; c++)
            direction[c] = model->config.input_scale * frequency_of(i, half) * normal[c] / sqrt(square);
    }
}

double dd_model_forward_flops(const dd_model *model)
{
    double flops = 0;
    for (int i = 0; i < model->tensors; i++)
        if (model->tensor[i].cols)
            flops += 2.0 * (double)model->tensor[i].count;
    return flops;
}

double dd_model_step_flops(const dd_model *model, int rows)
{
    double first = 0;
    for (int i = 0; i < model->towers; i++)
        first += 2.0 * model->tower[i].layer[0].in * model->tower[i].layer[0].out;
    return rows * (3.0 * dd_model_forward_flops(model) - first);
}
