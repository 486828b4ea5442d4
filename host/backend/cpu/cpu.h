/* The CPU backend's structures. docs/cpu-backend.md explains how a step uses them.
 *
 *   cpu.c       ops table, ensemble, state in and out
 *   train.c     training steps
 *   infer.c     evaluation, sampling, prediction
 *   network.c   forward and backward through the towers, shared by both
 *   layout.c    packed parameters
 *   hidden_diversity.c  the diversity loss of hidden layers
 *   kernels.c   vector code
 *   kernels_wide.c  vector code for points of other than two coordinates
 */
#ifndef DD_CPU_H
#define DD_CPU_H

#include <stdbool.h>

#include "backend/backend_ops.h"
#include "backend/cpu/kernels.h"
#include "backend/cpu/layout.h"
#include "base/pool.h"

typedef struct dd_cpu_context {
    dd_pool *pool; /* the backend's */
    const dd_kernels *kernels;
} dd_cpu_context;

/* One replica's packed vectors, indexed by dd_state_part. */
typedef struct dd_cpu_replica {
    dd_replica spec;
    float *state[DD_STATE_PARTS];
    double *direction; /* [D][directions_padded] of its Fourier features; NULL for other embeddings */
} dd_cpu_replica;

/* Time embedding of all T timesteps and the frequencies of the coordinates, made once. */
typedef struct dd_cpu_embedding {
    dd_embedding_kind kind;
    int dimensions;                   /* coordinates of a point */
    int directions;                   /* of Fourier features: fourier_features / 2, else 0 */
    int directions_padded;            /* to 16 */
    size_t scratch;                   /* numbers that dd_cpu_embed needs */
    int half;                         /* embedding_width / 2 */
    int half_padded;                  /* to 16 */
    float *frequency, *frequency_low; /* [half_padded] of a coordinate, scale included, in two parts */
    float *time;                      /* (T, t_width) in panels */
    size_t time_panel;
    int time_rows; /* T padded */
    void *memory;
} dd_cpu_embedding;

struct dd_ensemble {
    dd_ensemble_head head;
    dd_cpu_context *context;
    const dd_schedule *schedule;
    dd_cpu_layout layout;
    dd_cpu_embedding embedding;
    dd_cpu_replica *replica; /* [R] */
    float *memory;           /* memory of all replicas' vectors */
    double *directions;      /* and of their directions */
    int workspaces;
    struct dd_cpu_workspace **workspace; /* for training; NULL until the first step */
};

/* ---- network.c ---- */

/* Where element (row, column) of a matrix in panels lies. */
static inline size_t dd_cpu_place(size_t stride, int row, int column)
{
    return (size_t)(column / DD_PANEL) * stride + DD_PANEL * (size_t)row + (size_t)(column % DD_PANEL);
}

/* Buffers of the towers for `rows` rows (a multiple of 16); matrices in panels of stride `stride`. */
typedef struct dd_cpu_activations {
    int rows;
    size_t stride;
    void *memory;
    float *embedded;                               /* (rows, x_width) */
    float *hidden[DD_MAX_TOWERS][DD_MAX_LAYERS];   /* outputs of each layer before the activation */
    float *active[DD_MAX_TOWERS][DD_MAX_LAYERS];   /* and after it; NULL for a tower's last layer */
    float *gradient[DD_MAX_TOWERS][DD_MAX_LAYERS]; /* gradient of the loss at hidden; NULL for inference */
} dd_cpu_activations;

/* What the first layer adds for the timestep: for each tower (time_rows, out) in panels, bias included. */
typedef struct dd_cpu_time_table {
    void *memory;
    float *tower[DD_MAX_TOWERS];
    size_t stride;
} dd_cpu_time_table;

DD_CHECKED dd_status dd_cpu_embedding_create(const dd_model *model, int timesteps, const dd_kernels *kernels,
                                             dd_cpu_embedding *embedding);
void dd_cpu_embedding_free(dd_cpu_embedding *embedding);

/* Without for_training, the layers of a tower alternate between two pairs of buffers. */
DD_CHECKED dd_status dd_cpu_activations_create(const dd_cpu_layout *layout, int rows, bool for_training,
                                               dd_cpu_activations *activations);
void dd_cpu_activations_free(dd_cpu_activations *activations);

DD_CHECKED dd_status dd_cpu_time_table_create(const dd_cpu_layout *layout, int rows, dd_cpu_time_table *table);
void dd_cpu_time_table_free(dd_cpu_time_table *table);

/* Fill output panels [first, last) of the towers' panels in a row, for `rows` rows of embedded timesteps. */
void dd_cpu_time_table_fill(const dd_cpu_layout *layout, const dd_kernels *kernels, const float *parameters,
                            const float *embedded, size_t embedded_panel, int rows, int first, int last,
                            dd_cpu_time_table *table);
int dd_cpu_time_table_panels(const dd_cpu_layout *layout);

/* Embed the points x [rows][dimensions] of rows [first, last) into activations->embedded. direction: the replica's. */
void dd_cpu_embed(const dd_cpu_embedding *embedding, const dd_kernels *kernels, const double *direction, const float *x,
                  int first, int last, float *scratch, dd_cpu_activations *activations);

/* All towers forward for rows [first, last), multiples of 16; row r uses row time_row[r] of the time table. The result
 * is in hidden[tower][last layer]. */
void dd_cpu_forward(const dd_cpu_layout *layout, const dd_kernels *kernels, const float *parameters,
                    const dd_cpu_time_table *table, const int32_t *time_row, int first, int last,
                    dd_cpu_activations *activations);

/* Backward from gradient[tower][last layer] to gradient[tower][0], rows [first, last). along [towers]: what is added to
 * the gradient at the last hidden layer's outputs, laid out like it; NULL, or NULL for a tower: nothing. */
void dd_cpu_backward(const dd_cpu_layout *layout, const dd_kernels *kernels, const float *transposed,
                     float *const *along, int first, int last, dd_cpu_activations *activations);

/* A row of the towers' outputs: each expert's prediction, its weight (gating.h) before and after the gate is made hard,
 * and the mixture. */
typedef struct dd_cpu_output {
    float soft[DD_MAX_EXPERTS], weight[DD_MAX_EXPERTS]; /* [experts] */
    float mixture[DD_MAX_DIMENSIONS];                   /* [D] */
    float expert[DD_MAX_EXPERTS * DD_MAX_DIMENSIONS];   /* [experts][D] */
} dd_cpu_output;

void dd_cpu_output_row(const dd_cpu_layout *layout, const dd_cpu_activations *activations, int row, dd_cpu_output *out);

/* ---- hidden_diversity.c ---- */

/* For `rows` rows of a batch; the experts' last hidden layers are equally wide. */
typedef struct dd_cpu_hidden_diversity {
    void *memory;
    float *gram; /* (rows, rows) */
    size_t gram_panel;
    float *slope, *zero;               /* [rows] */
    float *transposed[DD_MAX_EXPERTS]; /* (width, rows) */
    float *square[DD_MAX_EXPERTS];     /* [rows] squared lengths */
    float *gradient[DD_MAX_TOWERS];    /* (rows, width) for dd_cpu_backward; NULL for the gate */
} dd_cpu_hidden_diversity;

DD_CHECKED dd_status dd_cpu_hidden_create(const dd_cpu_layout *layout, const dd_cpu_activations *activations,
                                          dd_cpu_hidden_diversity *hidden);
void dd_cpu_hidden_free(dd_cpu_hidden_diversity *hidden);

/* After the forward pass of rows [first, last): prepare what other rows need from them. */
void dd_cpu_hidden_prepare(const dd_cpu_layout *layout, const dd_kernels *kernels,
                           const dd_cpu_activations *activations, int first, int last, dd_cpu_hidden_diversity *hidden);

/* When all n rows are prepared: for rows [first, last) the sums of distances to all rows, mean over experts, and the
 * gradient of -weight * mean distance. */
void dd_cpu_hidden_gradient(const dd_cpu_layout *layout, const dd_kernels *kernels, const dd_training_config *training,
                            double weight, const dd_cpu_activations *activations, int n, int first, int last,
                            dd_cpu_hidden_diversity *hidden, float *distance);

/* ---- the operations of backend_ops.h ---- */

DD_CHECKED dd_status dd_cpu_train(dd_ensemble *ensemble, int first_step, int steps, dd_train_log *log);
DD_CHECKED dd_status dd_cpu_gradient(dd_ensemble *ensemble, int step, float *gradient);
void dd_cpu_train_free(dd_ensemble *ensemble);
DD_CHECKED dd_status dd_cpu_evaluate(dd_ensemble *ensemble, dd_state_part part, dd_purpose purpose,
                                     const dd_points *const *points, double *loss, float *const *square);
DD_CHECKED dd_status dd_cpu_sample(dd_ensemble *ensemble, dd_state_part part, const uint64_t *seed, uint32_t n,
                                   dd_samples *samples);
DD_CHECKED dd_status dd_cpu_predict(dd_ensemble *ensemble, dd_state_part part, const float *x, uint32_t n, int t,
                                    dd_prediction *prediction);

#endif
