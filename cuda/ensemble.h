/* The CUDA backend's structures, for the files that organise its work.
 *
 *   backend.cu   ops table, device, streams, cuBLAS
 *   ensemble.cu  the one allocation, its plan, state in and out
 *   layout.cu    where tensors lie in a vector
 *   network.cu   forward and backward: products by product.cu or blas.cu, kernels between them
 *   graph.cu     training: many steps in a CUDA graph
 *   log.cu       from the device's ring to the caller's pinned memory
 *   evaluate.cu, sample.cu, predict.cu
 *
 * launch.h explains the letters in shapes.
 */
#ifndef DD_CUDA_ENSEMBLE_H
#define DD_CUDA_ENSEMBLE_H

#include "launch.h"

#include "backend/backend_ops.h"

/* A buffer on the device that only grows: it keeps the largest size that was requested. */
typedef struct dd_cuda_room {
    char *at;
    size_t bytes;
} dd_cuda_room;

/* The open device, with a stream that computes, a second one for concurrent work, and one that copies logs. */
typedef struct dd_cuda_context {
    int processors;    /* multiprocessors of the device */
    bool tensor_cores; /* it has those that multiply in TF32 */
    cudaStream_t stream, side, copies;
    cudaEvent_t branched, merged;   /* events by which `side` waits for `stream`, and `stream` for `side` */
    cublasHandle_t blas, side_blas; /* of `stream` and `side` */
    char *blas_memory;              /* workspaces of the handles: cuBLAS must not allocate while a graph is captured */
} dd_cuda_context;

/* Buffers for `rows` rows of every replica. For inference, the layers of a group alternate between two of them. */
typedef struct dd_cuda_workspace {
    int rows;               /* B */
    float *embedded;        /* [R][B][input] */
    const float *time_bias; /* [R][...][W] of a reverse step, in place of emb(t) and the first layers' bias; or NULL */
    float *first;           /* [R][B][W] output of the first layers; then its gradient */
    float *hidden[DD_CUDA_GROUPS][DD_MAX_LAYERS]; /* [R][M][B][width] of layers 1 .. hidden-1; then the gradient */
    float *active[DD_CUDA_GROUPS][DD_MAX_LAYERS]; /* [R][M][B][width] of layers 0 .. hidden-1 */
    float *product[DD_CUDA_GROUPS];               /* [R][M][B][widest] gradient before the activation's derivative */
    float *output_gradient[DD_CUDA_GROUPS];       /* [R][M][B][outputs] */
    int *count;                                   /* [R] number of rows with a point */
    int *timestep;                                /* [R][B] */
    float *target, *predicted, *x;                /* [R][B][D] */
    float *outputs;                               /* [R][M][B][D] products of wide experts' last layers */
    float *expert_out;                            /* [R][B][M][D] */
    float *soft, *weight;                         /* [R][B][M] of the experts */
    float *gate_out;                              /* [R][B][gates] */
    float *error_weight, *square, *distance;      /* [R][B] */
    float *gram, *length;                         /* [R][M][B][B], [R][M][B] with distances of hidden layers */
} dd_cuda_workspace;

enum {
    DD_CUDA_BLOCK = 64, /* most steps of one graph */
    DD_CUDA_SLOTS = 2,  /* slots of the log ring: one is copied while the other is filled */
    DD_CUDA_GRAPHS = 2  /* graphs that are kept for other numbers of steps */
};

typedef struct dd_cuda_graph {
    int size; /* steps, or rows of a chunk of samples; 0: none yet */
    cudaGraphExec_t exec;
} dd_cuda_graph;

struct dd_ensemble {
    dd_ensemble_head head;
    dd_cuda_context *context;
    const dd_model *model;
    const dd_schedule *host_schedule;
    const dd_training_config *training;
    int replicas;
    dd_cuda_layout layout;
    const dd_points **data; /* [sets] the training sets, each once */
    int sets;
    const dd_points **data_of; /* [R] set of a replica; NULL if it has none */

    char *memory; /* the one allocation on the device; it contains all that follows */
    float *state[DD_STATE_PARTS];
    float *gradient;
    float **data_x; /* [sets] host array of device pointers */
    dd_cuda_replica *replica;
    dd_cuda_points *points, *points_evaluated;
    dd_cuda_counter *counter;
    dd_cuda_update *update;
    dd_cuda_losses *losses;
    uint64_t *sample_seed;
    dd_cuda_chunk *chunk;
    dd_cuda_place *place;
    dd_cuda_bias_tile *bias_tile;
    int bias_tiles;
    dd_cuda_recipe *recipe; /* [slots][block], and one more for a gradient outside a graph */
    float *partial;         /* [R][chunks] */
    float *flat;            /* [parameters] */
    dd_cuda_embedding embedding;
    dd_cuda_schedule schedule;
    dd_cuda_ring ring;
    dd_cuda_workspace batch;  /* of training */
    dd_cuda_workspace chunks; /* for evaluation, sampling and prediction: the same memory */
    float *sample_gate;       /* [R][S][chunk rows][gates] */
    float *time_bias;         /* [R][S][W] while sampling */
    dd_cuda_room guests;      /* evaluated points that are not a training set */

    int block;                   /* most steps of one graph, and rows of a ring slot */
    dd_cuda_recipe *recipe_host; /* the same, pinned */
    cudaEvent_t computed[DD_CUDA_SLOTS], copied[DD_CUDA_SLOTS];
    int slot;  /* slot of the next block */
    bool warm; /* every product of a step has run once */
    dd_cuda_graph train_graph[DD_CUDA_GRAPHS];
    int oldest_graph;
    dd_cuda_graph sample_graph[DD_STATE_PARTS];
};

static inline unsigned dd_ceil_div(size_t a, size_t b)
{
    return (unsigned)((a + b - 1) / b);
}

#ifdef __cplusplus
extern "C" {
#endif

/* ---- backend.cu ---- */

/* Make sure that the buffer has so many bytes. If it grows, its contents are lost, and no running work may use it. */
DD_CHECKED dd_status dd_cuda_grow(dd_cuda_room *room, size_t bytes);
void dd_cuda_room_free(dd_cuda_room *room);

/* ---- ensemble.cu ---- */

DD_CHECKED dd_status dd_cuda_create(void *context, const dd_ensemble_spec *spec, dd_ensemble **ensemble);
void dd_cuda_destroy(dd_ensemble *ensemble);
DD_CHECKED dd_status dd_cuda_get(dd_ensemble *ensemble, int replica, dd_state_part part, float *values);
DD_CHECKED dd_status dd_cuda_set(dd_ensemble *ensemble, int replica, dd_state_part part, const float *values);
/* Copy one replica's part of a vector to the host, in dd_model's order; waits until it is done. */
DD_CHECKED dd_status dd_cuda_read(dd_ensemble *ensemble, int replica, const float *vector, float *values);

/* ---- network.cu ---- */

/* Run all towers on workspace->embedded, up to the mixture, and compute its squared errors if there are targets. */
DD_CHECKED dd_status dd_cuda_forward(dd_ensemble *ensemble, const dd_cuda_workspace *workspace, const float *parameters,
                                     bool targets);
/* Backward pass from the workspace's output gradients to e->gradient. */
DD_CHECKED dd_status dd_cuda_backward(dd_ensemble *ensemble, const dd_cuda_workspace *workspace);
/* Forward and backward pass for the batch of the counters' step; the result is e->gradient. The step's recipe must be
 * on the device already. */
DD_CHECKED dd_status dd_cuda_compute_gradient(dd_ensemble *ensemble);
/* The table of bias.cu for the training workspace, [e->bias_tiles]. */
int dd_cuda_bias_tiles(const dd_cuda_layout *layout);
void dd_cuda_fill_bias_tiles(const dd_ensemble *ensemble, dd_cuda_bias_tile *tile);

/* ---- graph.cu, log.cu ---- */

DD_CHECKED dd_status dd_cuda_train(dd_ensemble *ensemble, int first_step, int steps, dd_train_log *log);
DD_CHECKED dd_status dd_cuda_wait(dd_ensemble *ensemble);
DD_CHECKED dd_status dd_cuda_gradient(dd_ensemble *ensemble, int step, float *gradient);
/* End a capture that began on the stream, for any `status` of the recording, and make the graph if it was recorded. */
DD_CHECKED dd_status dd_cuda_end_capture(cudaStream_t stream, dd_status status, cudaGraphExec_t *exec);

void *dd_cuda_log_alloc(dd_ensemble *ensemble, size_t bytes);
void dd_cuda_log_free(dd_ensemble *ensemble, void *memory);
/* Copy the rows of one ring slot to rows `row` .. row + steps - 1 of the log, after the event e->computed[slot]. */
DD_CHECKED dd_status dd_cuda_log_copy(dd_ensemble *ensemble, int slot, int steps, dd_train_log *log, int row);

/* ---- evaluate.cu, sample.cu, predict.cu ---- */

DD_CHECKED dd_status dd_cuda_evaluate(dd_ensemble *ensemble, dd_state_part part, dd_purpose purpose,
                                      const dd_points *const *points, double *loss, float *const *square);
DD_CHECKED dd_status dd_cuda_sample(dd_ensemble *ensemble, dd_state_part part, const uint64_t *seed, uint32_t n,
                                    dd_samples *samples);
DD_CHECKED dd_status dd_cuda_predict(dd_ensemble *ensemble, dd_state_part part, const float *x, uint32_t n, int t,
                                     dd_prediction *prediction);
/* The workspace for inference with `rows` for chunks of equal size, multiples of 32 rows, of n points. */
dd_cuda_workspace dd_cuda_chunks_of(const dd_ensemble *ensemble, uint32_t n);
/* Copy the first `count` rows of a chunk [planes][rows][width] on the device to the caller's [planes][n][width] from
 * row `first` on. Does nothing if `out` is NULL. */
DD_CHECKED dd_status dd_cuda_copy_out(const dd_ensemble *ensemble, float *out, const float *from, size_t n,
                                      size_t first, size_t count, size_t rows, size_t width, size_t planes);

extern const dd_backend_ops dd_cuda_ops;

#ifdef __cplusplus
}
#endif
#endif
