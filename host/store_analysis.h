/* Gates of a result, as the analysis reads them. */
#ifndef DD_STORE_ANALYSIS_H
#define DD_STORE_ANALYSIS_H

#include "store.h"

/* The logged gates of training: /gate/train. */
typedef struct dd_logged_gates {
    int rows, batch;
    float *step;     /* [rows] */
    float *weight;   /* [rows][batch][experts]; NaN behind the end of a short batch */
    float *timestep; /* [rows][batch]; -1 there */
} dd_logged_gates;

int dd_logged_gates_read(const char *path, dd_logged_gates *gates);
void dd_logged_gates_free(dd_logged_gates *gates);

/* The stored samples and the gates they were made with: /samples/x and /gate/sample. */
typedef struct dd_sample_gates {
    uint32_t samples;
    float *x;      /* [samples][2] */
    float *weight; /* [timesteps][samples][experts] */
} dd_sample_gates;

int dd_sample_gates_read(const char *path, int timesteps, dd_sample_gates *gates);
void dd_sample_gates_free(dd_sample_gates *gates);

/* Weights [n][experts] from what is stored of a gate, [n]: the weight of expert 1 of two. */
void dd_gate_weights(const float *gate, size_t n, float *weight);

#endif
