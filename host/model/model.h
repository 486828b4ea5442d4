/* The model layer describes the denoiser: its architecture (here), the gate's weights (gating.h), the noise schedule
 * (schedule.h) and the numbers of a training step (recipe.h). The architecture is towers of linear layers over one
 * embedded input, and each tensor's place in a flat parameter vector.
 *
 *     dd_model model;
 *     DD_TRY(dd_model_create(&config.model, 2, &model));
 *     const dd_tensor *t = &model.tensor[0];               // "expert1.0.weight", (256, 384)
 *     float *w = parameters + t->offset;                   // [rows][cols], row = output
 *
 * A point has D coordinates. Input of every tower, [(D + 1) * embedding_width]: [emb(x1; input_scale) | ... |
 * emb(xD; input_scale) | emb(t; time_scale)], emb(s; c) = sines then cosines of c * s * 10000^(-i / (E/2 - 1)), i =
 * 0..E/2-1. Instead of the coordinates' embeddings there may be the sines, then the cosines, of the point's products
 * with F/2 directions of the run's seed (fourier: dd_model_features), or the D coordinates themselves (linear).
 *
 * A layer is y = [x +] W act(x) + b: `activate` says whether act is applied to its input, `residual` whether x is
 * added. Experts are towers 0..experts-1 with D outputs; a learned gate is the last tower, with one output for two
 * experts and K for K > 2 (gating.h). The prediction is the sum of the experts' outputs, weighted by the gate.
 *
 * Tensor names and shapes are the reference's (a PyTorch state_dict), so its model class loads them. This layer holds
 * no training state, and it runs no network: that is what backends do.
 */
#ifndef DD_MODEL_H
#define DD_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    DD_MAX_DEPTH = 16,
    DD_MAX_LAYERS = 1 + DD_MAX_DEPTH + DD_MAX_HEAD + 1,
    DD_MAX_TOWERS = DD_MAX_EXPERTS + 1,
    DD_MAX_TENSORS = 2 * DD_MAX_TOWERS * DD_MAX_LAYERS
};

typedef struct dd_tensor {
    char name[48];
    int rows;      /* outputs */
    int cols;      /* inputs; 0 for a bias, which is a vector of `rows` */
    int fan_in;    /* inputs of the layer: initial values are U(-1/sqrt(fan_in), 1/sqrt(fan_in)) */
    size_t offset; /* first element in the flat parameter vector */
    size_t count;
} dd_tensor;

typedef struct dd_layer {
    int in, out;
    bool activate, residual;
    int weight, bias; /* indices into dd_model.tensor */
} dd_layer;

typedef struct dd_tower {
    char name[16]; /* network, expert1 .. expertK, gating_network */
    int layers;
    dd_layer layer[DD_MAX_LAYERS];
} dd_tower;

typedef struct dd_model {
    dd_model_config config;
    int dimensions;  /* D, coordinates of a point */
    int x_width;     /* numbers of the embedded point: D * embedding_width, fourier_features or D */
    int input_width; /* x_width + embedding_width: the point, then the timestep */
    int experts;
    int gates; /* outputs of the gate, and stored weights per point: dd_gates */
    int towers;
    dd_tower tower[DD_MAX_TOWERS];
    int tensors;
    dd_tensor tensor[DD_MAX_TENSORS];
    size_t parameters; /* length of the flat vector */
} dd_model;

/* DD_ERR_CONFIG: too many experts or layers; DD_ERR_INTERNAL: dimensions is not 1 .. DD_MAX_DIMENSIONS. */
DD_CHECKED dd_status dd_model_create(const dd_model_config *config, int dimensions, dd_model *model);

/* Initial parameters of a seed, [parameters]: tensor number i, element e (row-major) is
 * (2 u - 1) / sqrt(fan_in) with u = word e % 4 of DD_DRAW_INIT block (step i, index e / 4). */
void dd_model_initialise(const dd_model *model, uint64_t seed, float *parameters);

/* Frequencies of the embedding, 10000^(-i / (E/2 - 1)), [embedding_width / 2], without the scale. In float64: the angle
 * 25 x can be several hundred, and then the rounding of a float32 frequency would change the sine. */
void dd_model_frequencies(const dd_model *model, double *frequency);

/* Directions of the Fourier features of a seed, (fourier_features / 2, D): input_scale * 10000^(-i / (F/2 - 1)) u_i,
 * u_i uniform on the sphere. So the features have the frequencies of the sinusoidal embedding, each along its own
 * direction (Tancik et al. 2020, "Fourier features let networks learn high frequency functions in low dimensional
 * domains"). For D = 1 they are that embedding up to signs. */
void dd_model_features(const dd_model *model, uint64_t seed, double *direction);

/* Floating point operations of the linear layers only, where a multiply-add counts as two: for the forward pass of one
 * point, and for one training step of `rows` points (forward, weight gradients, and input gradients of every layer but
 * the first). */
double dd_model_forward_flops(const dd_model *model);
double dd_model_step_flops(const dd_model *model, int rows);

#ifdef __cplusplus
}
#endif
#endif
