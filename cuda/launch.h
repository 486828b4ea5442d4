/* The launchers of the kernels: one for each .cu file with a kernel. Each puts its work on a stream and returns; it
 * does not allocate or wait. All pointers are device pointers unless the comment says otherwise.
 *
 * Letters of shapes: R replicas, M members of a group of equal towers (experts, or the gate alone), B rows of
 * a batch or chunk, W outputs of the first layers of all towers.
 */
#ifndef DD_CUDA_LAUNCH_H
#define DD_CUDA_LAUNCH_H

#include <cuda_runtime.h>

#include "base/philox.h"
#include "check.cuh"
#include "layout.h"
#include "model/gating.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A replica, as the kernels use it. */
typedef struct dd_cuda_replica {
    uint64_t seed;
    double learning_rate, weight_decay, clip_norm, diversity_weight;
} dd_cuda_replica;

/* A replica's points: x (n, D). */
typedef struct dd_cuda_points {
    const float *x;
    uint32_t n;
} dd_cuda_points;

/* The current position of a replica. Only the replica's own block writes it. */
typedef struct dd_cuda_counter {
    int step; /* step of training, or the first row of a chunk */
    int row;  /* row of the log ring and of the recipes for this step */
} dd_cuda_counter;

/* Values that depend only on the step's number, computed by the host with recipe.h. */
typedef struct dd_cuda_recipe {
    double rate;                     /* learning rate / base */
    double correction1, correction2; /* 1 - beta^(step + 1) */
    float ema;                       /* factor on (online - ema); 0: do not change the average */
    float diversity;                 /* fraction of the diversity loss's weight */
} dd_cuda_recipe;

/* One replica's scalars for the optimiser's pass. */
typedef struct dd_cuda_update {
    float scale; /* factor on the gradient: the clip */
    float decay; /* 1 - lr * weight_decay */
    float step_size;
    float inverse_root;
    float ema;
} dd_cuda_update;

/* Element (row, column) of member m of replica r: at[r * replica + m * member + row * pitch + column]. */
typedef struct dd_cuda_matrix {
    float *at;
    size_t replica, member, pitch;
} dd_cuda_matrix;

/* The same, to read. */
typedef struct dd_cuda_operand {
    const float *at;
    size_t replica, member, pitch;
} dd_cuda_operand;

/* The embedding of a point and its timestep (model.h): `x_width` numbers, then `width`. */
typedef struct dd_cuda_embedding {
    dd_embedding_kind kind;
    int dimensions, x_width, width, input;  /* input: x_width + width */
    const float *frequency, *frequency_low; /* [width / 2] half turns per unit of a coordinate, in two parts */
    const double *direction;                /* [R][D][x_width / 2] fourier: half turns per unit; else NULL */
    const float *time;                      /* (T, width); NULL: emb(t) is not changed */
} dd_cuda_embedding;

/* schedule.h's tables. */
typedef struct dd_cuda_schedule {
    int timesteps, steps;                                      /* T, S */
    const float *signal, *noise, *target_point, *target_noise; /* [T] */
    const float *weight;                                       /* [T] of a squared error in training */
    const float *error_weight;                                 /* [T] the same in evaluation: noise_error^2 */
    const int *timestep;                                       /* [S] */
    const float *keep, *remove, *sigma;                        /* [S] */
} dd_cuda_schedule;

/* ---- early.cu ---- */

/* Find out whether kernels can begin early on the calling thread's device, count: room for
 * one int on the device. If they can, kernels that are launched later begin early. The environment's
 * DUALDIFF_CUDA_EARLY=0 forbids it. */
DD_CHECKED dd_status dd_cuda_try_early(int *count, cudaStream_t stream);

/* ---- gather.cu ---- */

typedef struct dd_cuda_gather {
    int replicas, rows;             /* R, B */
    uint32_t batch;                 /* points of a full batch */
    dd_purpose purpose;             /* purpose of the draws when evaluating */
    const dd_cuda_replica *replica; /* [R] */
    const dd_cuda_points *points;   /* [R] */
    const dd_cuda_counter *counter; /* [R] */
    dd_cuda_embedding embedding;
    dd_cuda_schedule schedule;
    int *count;          /* [R] number of rows of this batch or chunk with a point */
    float *embedded;     /* [R][B][input] */
    float *target;       /* [R][B][D] */
    float *error_weight; /* [R][B] weight of a row's squared error */
    int *timestep;       /* [R][B] */
} dd_cuda_gather;

/* The batch of step counter[r].step, or (evaluate) rows counter[r].step .. + B - 1 of the evaluation pass: permuted,
 * noised and embedded. Rows after `count` are a point at the origin at timestep 0, without noise and with target 0. */
DD_CHECKED dd_status dd_cuda_launch_gather(const dd_cuda_gather *args, cudaStream_t stream);
DD_CHECKED dd_status dd_cuda_launch_gather_evaluate(const dd_cuda_gather *args, cudaStream_t stream);

/* ---- product.cu ---- */

/* How the two factors of a product lie in memory; `inner` numbers are summed for each element. */
typedef enum dd_cuda_form {
    DD_CUDA_FORWARD,        /* left (rows, inner), right (columns, inner): points times weights [out][in] */
    DD_CUDA_INPUT_GRADIENT, /* left (rows, inner), right (inner, columns): gradients times weights */
    DD_CUDA_WEIGHT_GRADIENT /* left (inner, rows), right (inner, columns): gradients times inputs, over the points */
} dd_cuda_form;

/* result (rows, columns) = left times right, for each member of each replica, and what the layer does with it. An array
 * whose `at` is NULL has no part in it. With d = act'(hidden), which is 1 without `hidden`:
 *     result = d (left right + before + bias) + along,  active = act(result)
 * `before`, `along` and `hidden` may be the result itself. cuBLAS knows `before` alone, which must be the result. */
typedef struct dd_cuda_product {
    int members, rows, columns, inner;
    dd_cuda_operand left, right;
    dd_cuda_matrix result, active;
    dd_cuda_operand before, along, hidden; /* as the result */
    dd_cuda_operand bias;                  /* [columns]; the pitch is not used */
} dd_cuda_product;

/* Products of one form that run at the same time, none of which needs the result of another. */
typedef struct dd_cuda_products {
    int replicas, count;
    dd_activation kind;
    dd_cuda_product product[DD_CUDA_PRODUCTS];
    bool tensor_cores; /* multiply by 3xTF32 (tf32.cuh), from sm_80 on; else by float32's multiply-adds */
} dd_cuda_products;

/* processors: the device's multiprocessors, by which the shape of the blocks is chosen; no bit depends on it. */
DD_CHECKED dd_status dd_cuda_launch_products(dd_cuda_form form, const dd_cuda_products *args, int processors,
                                             cudaStream_t stream);

/* ---- blas.cu ---- */

/* One product by cuBLAS. Members and replicas must be a constant stride apart. */
DD_CHECKED dd_status dd_cuda_blas_product(dd_cuda_form form, const dd_cuda_product *product, int replicas, bool tf32,
                                          cublasHandle_t blas);

/* ---- activation.cu ---- */

/* One tower's hidden layer; width 0: the tower has none at this depth. */
typedef struct dd_cuda_hidden {
    int width;
    dd_cuda_matrix hidden;
    dd_cuda_matrix active;   /* act(hidden) */
    dd_cuda_matrix residual; /* forward: added to hidden; at NULL: none */
    const float *bias;       /* forward, [width], a replica's behind `bias_replica` numbers */
    size_t bias_replica;
    /* Backward: the gradient at `active` is `product` (none if at is NULL) and, if the outputs follow, output_gradient
     * times output_weight [outputs][width]; `along` is the gradient that bypasses a residual layer (none if at is
     * NULL). */
    dd_cuda_matrix product, along, output_gradient;
    int outputs; /* up to DD_MAX_EXPERTS; 0: hidden layers follow */
    const float *output_weight;
    size_t output_replica;
} dd_cuda_hidden;

typedef struct dd_cuda_activation {
    int replicas, rows, towers;
    dd_activation kind;
    dd_cuda_hidden tower[DD_MAX_TOWERS];
} dd_cuda_activation;

/* hidden += bias + residual; active = act(hidden). */
DD_CHECKED dd_status dd_cuda_launch_activation(const dd_cuda_activation *args, cudaStream_t stream);
/* hidden = act'(hidden) * gradient at active + along: the gradient replaces hidden. */
DD_CHECKED dd_status dd_cuda_launch_activation_gradient(const dd_cuda_activation *args, cudaStream_t stream);

/* ---- mixture.cu ---- */

/* The towers' last layers, of `width` inputs. */
typedef struct dd_cuda_output {
    int members, width;
    const float *active;        /* [R][M][B][width] */
    const float *weight, *bias; /* member m of replica r at + r * ..._replica + m * ..._member */
    size_t weight_replica, weight_member, bias_replica, bias_member;
} dd_cuda_output;

typedef struct dd_cuda_mixture {
    int replicas, rows, dimensions, gates;
    dd_gate_kind kind;
    dd_cuda_output expert, gate;
    const float *product;      /* [R][M][B][D] the experts' last layers without bias, if D > DD_CUDA_NARROW */
    const float *target;       /* [R][B][D]; NULL: no squares */
    const float *error_weight; /* [R][B] where there is a target */
    float *expert_out;         /* [R][B][M][D] */
    float *soft, *weight;      /* [R][B][M] the experts' weights: soft, and as they are used */
    float *gate_out;           /* [R][B][gates] used weights in the form that gating.h stores */
    float *predicted;          /* [R][B][D] */
    float *square;             /* [R][B] weighted squared error of a row */
} dd_cuda_mixture;

DD_CHECKED dd_status dd_cuda_launch_mixture(const dd_cuda_mixture *args, cudaStream_t stream);

/* ---- diversity.cu ---- */

typedef struct dd_cuda_diversity {
    int replicas, rows, dimensions, members, gates;
    dd_diversity_kind kind;
    float scale;
    const dd_cuda_replica *replica;
    const dd_cuda_recipe *recipe;                                                /* as in dd_cuda_step, */
    const dd_cuda_counter *counter;                                              /* whose row it is */
    const int *count;                                                            /* [R] */
    const float *predicted, *target, *error_weight, *expert_out, *soft, *weight; /* as in dd_cuda_mixture */
    float *distance;        /* [R][B] sum of distances to all rows, of hidden layers the mean over members */
    float *expert_gradient; /* [R][M][B][D] of the loss at the experts' outputs */
    float *gate_gradient;   /* [R][B][gates] at the gate's logits */
    /* For distances of hidden layers; else NULL. Not for L1. */
    float *gram;   /* [R][M][B][B] inner products of a member's rows; then factors */
    float *length; /* [R][M][B] room for the rows' squared lengths */
} dd_cuda_diversity;

/* Distances between all pairs of predictions (which are not stored), and the gradient of MSE - weight * diversity at
 * the towers' outputs; 0 in rows after `count`. */
DD_CHECKED dd_status dd_cuda_launch_diversity(const dd_cuda_diversity *args, cudaStream_t stream);

/* ---- hidden_diversity.cu ---- */

/* Turn inner products of rows h into factors: the gradient of -weight * diversity at h_i is sum_j factor_ij h_j. 0 in
 * rows and columns after `count`. */
DD_CHECKED dd_status dd_cuda_launch_hidden_diversity(const dd_cuda_diversity *args, cudaStream_t stream);

/* ---- bias.cu ---- */

/* Up to 32 columns of a gradient; their sums over the rows are the gradient of the biases. */
typedef struct dd_cuda_bias_tile {
    dd_cuda_matrix gradient;
    int columns;
    float *bias;
    size_t bias_replica;
} dd_cuda_bias_tile;

DD_CHECKED dd_status dd_cuda_launch_bias(int tiles, const dd_cuda_bias_tile *tile, int rows, int replicas,
                                         cudaStream_t stream);

/* ---- norm.cu ---- */

/* partial [R][chunks]: sums of squares of the gradient. */
DD_CHECKED dd_status dd_cuda_launch_squares(int chunks, const dd_cuda_chunk *chunk, const float *gradient,
                                            float *partial, int replicas, cudaStream_t stream);

/* ---- step.cu ---- */

/* The log ring, [R][capacity], [R][capacity][B] and (gate) [R][capacity][B][gates]. */
typedef struct dd_cuda_ring {
    int capacity, gates;
    float *loss, *mse, *diversity, *grad_norm;
    float *gate;       /* NULL without a gate */
    int16_t *timestep; /* the same */
} dd_cuda_ring;

typedef struct dd_cuda_step {
    int replicas, rows, dimensions, chunks;
    const dd_cuda_replica *replica;
    const dd_cuda_recipe *recipe; /* [ring rows + 1], the last for a gradient outside a graph */
    const int *count;
    const float *partial, *square, *distance, *gate_out;
    const int *timestep;
    dd_cuda_ring ring;
    dd_cuda_counter *counter; /* [R] moved on by one step */
    dd_cuda_update *update;   /* [R] */
} dd_cuda_step;

/* The part of a step between its gradient and the optimiser: norm, losses, this row of the log, the clip. */
DD_CHECKED dd_status dd_cuda_launch_step(const dd_cuda_step *args, cudaStream_t stream);

/* counter[r] = { step, row } for all r. */
DD_CHECKED dd_status dd_cuda_launch_counter(dd_cuda_counter *counter, int replicas, int step, int row,
                                            cudaStream_t stream);

/* ---- adamw.cu ---- */

typedef struct dd_cuda_adamw {
    int replicas, chunks;
    const dd_cuda_chunk *chunk;
    const dd_cuda_update *update; /* [R] */
    float one_minus_beta1, beta2, one_minus_beta2, epsilon;
    const float *gradient;
    float *online, *ema, *moment1, *moment2;
} dd_cuda_adamw;

DD_CHECKED dd_status dd_cuda_launch_adamw(const dd_cuda_adamw *args, cudaStream_t stream);

/* ---- flatten.cu ---- */

/* Copy one replica's tensors between a vector of the device's layout and dd_model's order. */
DD_CHECKED dd_status dd_cuda_launch_flatten(int tensors, const dd_cuda_place *place, size_t longest, int replica,
                                            const float *vector, float *flat, cudaStream_t stream);
DD_CHECKED dd_status dd_cuda_launch_unflatten(int tensors, const dd_cuda_place *place, size_t longest, int replica,
                                              const float *flat, float *vector, cudaStream_t stream);

/* ---- time_bias.cu ---- */

typedef struct dd_cuda_time_bias {
    int replicas, columns;      /* R, W */
    const float *weight, *bias; /* of the first layers, [W][input] and [W]; replica r's at r * ..._replica */
    size_t weight_replica, bias_replica;
    dd_cuda_embedding embedding;
    dd_cuda_schedule schedule;
    float *time_bias; /* [R][S][W] bias + (the weights of emb(t)) times emb(timestep[s]) */
} dd_cuda_time_bias;

DD_CHECKED dd_status dd_cuda_launch_time_bias(const dd_cuda_time_bias *args, cudaStream_t stream);

/* ---- sample.cu, predict.cu, evaluate.cu ---- */

typedef struct dd_cuda_reverse {
    int replicas, rows, gates;
    const uint64_t *seed;           /* [R] */
    const dd_cuda_counter *counter; /* .step: first sample of the chunk */
    dd_cuda_embedding embedding;
    dd_cuda_schedule schedule;
    const float *predicted; /* [R][B][D] at timestep[i] */
    const float *gate_out;  /* [R][B][gates], the same */
    float *x;               /* [R][B][D] */
    float *gate;            /* [R][S][B][gates] */
    float *embedded;        /* [R][B][input] */
} dd_cuda_reverse;

/* Draw x = x_T. */
DD_CHECKED dd_status dd_cuda_launch_start(const dd_cuda_reverse *args, cudaStream_t stream);
/* The reverse step i from x and the networks' outputs at timestep[i]. Then, where i > 0, x is embedded. */
DD_CHECKED dd_status dd_cuda_launch_reverse(const dd_cuda_reverse *args, int i, cudaStream_t stream);

/* x [R][B][D] embedded at timestep t. */
DD_CHECKED dd_status dd_cuda_launch_embed(const dd_cuda_embedding *embedding, int replicas, int rows, const float *x,
                                          int t, float *embedded, cudaStream_t stream);

/* The running sums of an evaluation pass. */
typedef struct dd_cuda_losses {
    double batch; /* sum of squares of the current, incomplete batch */
    double total; /* sum of the means of complete batches */
} dd_cuda_losses;

/* Add a chunk's squares [R][B], rows counter[r].step .. of the pass. */
DD_CHECKED dd_status dd_cuda_launch_losses(int replicas, int rows, int dimensions, uint32_t batch,
                                           const dd_cuda_points *points, const dd_cuda_counter *counter,
                                           const float *square, dd_cuda_losses *losses, cudaStream_t stream);

#ifdef __cplusplus
}
#endif
#endif
