/* The config layer says what a run is: it reads a TOML file and --set overrides into one struct.
 *
 *     dd_config config;
 *     DD_TRY(dd_config_read("configs/run_1.toml", &config));
 *     DD_TRY(dd_config_set(&config, "training.steps=2000"));
 *     DD_TRY(dd_config_validate(&config));
 *
 * One table in config.c has every key with its type, range, unit and meaning. Reading, overriding, printing, comparing
 * and `dualdiff info` all use that table, so a key is defined in exactly one place. The layer never computes with the
 * values, and it reads no files other than configurations.
 */
#ifndef DD_CONFIG_H
#define DD_CONFIG_H

#include <stdint.h>

#include "base/error.h"

enum { DD_MAX_HEAD = 4, DD_MAX_EXPERTS = 8, DD_MAX_DIMENSIONS = 128, DD_MOST_MODES = 4096 };

/* How a point becomes inputs of the networks (model/model.h). The timestep is always embedded by sines and cosines. */
typedef enum dd_embedding_kind {
    DD_EMBED_SINUSOIDAL, /* each coordinate alone, by sines and cosines */
    DD_EMBED_FOURIER,    /* sines and cosines along random directions */
    DD_EMBED_LINEAR      /* the coordinates themselves */
} dd_embedding_kind;

typedef enum dd_activation { DD_RELU, DD_GELU, DD_SILU, DD_TANH } dd_activation;

/* How the experts are weighted. */
typedef enum dd_gate_kind {
    DD_GATE_LEARNED, /* by a network: softmax of its outputs, for two experts a sigmoid */
    DD_GATE_HARD,    /* the same network, but its greatest weight counts as 1 and the others as 0 */
    DD_GATE_FIXED    /* each by 1 / experts; no network */
} dd_gate_kind;

typedef enum dd_beta_schedule {
    DD_BETA_LINEAR,
    DD_BETA_QUADRATIC,     /* linear in sqrt(beta) */
    DD_BETA_COSINE,        /* Nichol & Dhariwal 2021: s = .008, beta <= .999; the beta range is not used */
    DD_BETA_SCALED_LINEAR, /* the linear range times 1000 / timesteps */
    DD_BETA_GEOMETRIC      /* linear in log(beta): as many timesteps for each octave of small noise */
} dd_beta_schedule;

typedef enum dd_terminal_snr {
    DD_TERMINAL_KEPT,
    DD_TERMINAL_ZERO /* shifted and scaled so that the last timestep contains nothing of x_0 (schedule.h) */
} dd_terminal_snr;

/* What the networks learn to predict from x_t. */
typedef enum dd_prediction_kind {
    DD_PREDICT_NOISE, /* eps */
    DD_PREDICT_POINT, /* x_0 */
    DD_PREDICT_V      /* signal eps - noise x_0: Salimans & Ho 2022 */
} dd_prediction_kind;

/* d(p, q) of the diversity loss, r = |p - q|, s = diversity_scale. */
typedef enum dd_diversity_kind {
    DD_DIVERSITY_EUCLIDEAN, /* r */
    DD_DIVERSITY_SQUARED,   /* r^2 */
    DD_DIVERSITY_L1,        /* |p_1 - q_1| + |p_2 - q_2|; only for outputs */
    DD_DIVERSITY_RBF,       /* 1 - exp(-r^2 / (2 s^2)) */
    DD_DIVERSITY_LOG        /* log(1 + r^2 / s^2) */
} dd_diversity_kind;

/* Between what the diversity loss measures distances: the predictions, or the inputs of the experts' last layers (after
 * the activation). In the second case the distance is the mean over the experts of each one's own distance. */
typedef enum dd_diversity_layer { DD_DIVERSITY_OF_OUTPUT, DD_DIVERSITY_OF_HIDDEN } dd_diversity_layer;

typedef enum dd_course { DD_CONSTANT, DD_COSINE /* to 0 at the last step */ } dd_course;

/* Of the matrix products on a GPU; sums are float32 either way. The CPU always takes float32. */
typedef enum dd_precision {
    DD_FLOAT32,
    DD_TF32,  /* factors rounded to 10 bits */
    DD_TF32X3 /* three products of numbers of 10 bits, together as exact as float32 */
} dd_precision;

/* Who multiplies matrices on a GPU: this program's kernels, whose bits depend on no other replica, or cuBLAS. */
typedef enum dd_products { DD_PRODUCTS_OWN, DD_PRODUCTS_CUBLAS } dd_products;

typedef enum dd_sampling_start {
    DD_START_NORMAL, /* x_T ~ N(0, I) */
    DD_START_DATA    /* x_T as in training: a training point, noised to the last timestep */
} dd_sampling_start;

/* Widths of the hidden layers between a trunk and its output: [] or [128], ... */
typedef struct dd_widths {
    int count;
    int width[DD_MAX_HEAD];
} dd_widths;

/* [model] */
typedef struct dd_model_config {
    int experts;       /* 1: one network, no gate (run 0); more: as many experts and a gate */
    dd_gate_kind gate; /* for two experts or more */
    dd_embedding_kind embedding;
    int fourier_features;     /* with DD_EMBED_FOURIER: sines and cosines of a point; even */
    int embedding_width;      /* sines and cosines per embedded scalar; even */
    double input_scale;       /* factor on a coordinate before it is embedded */
    double time_scale;        /* factor on the raw timestep before it is embedded */
    int hidden_width;         /* width of an expert's trunk */
    int hidden_depth;         /* residual blocks in the trunk */
    dd_widths expert_head;    /* hidden layers after the trunk */
    dd_widths gate_layers;    /* hidden layers of the gate, at least one */
    dd_activation activation; /* of experts and gate */
} dd_model_config;

/* [diffusion] */
typedef struct dd_diffusion_config {
    int timesteps; /* T */
    dd_beta_schedule schedule;
    double beta_start, beta_end;
    dd_terminal_snr terminal_snr;
    dd_prediction_kind prediction;
} dd_diffusion_config;

/* [training] */
typedef struct dd_training_config {
    int steps;
    int batch;
    double learning_rate; /* at step 0; cosine to 0 at `steps` */
    double beta1, beta2, epsilon;
    double weight_decay;     /* decoupled, on every parameter */
    double clip_norm;        /* bound on the global gradient norm */
    double diversity_weight; /* loss = MSE - weight * mean pairwise distance */
    dd_diversity_layer diversity_layer;
    dd_diversity_kind diversity_distance;
    double diversity_scale; /* length scale of the distances rbf and log */
    dd_course diversity_course;
    double min_snr_gamma; /* bound on the squared errors' weights (schedule.h); 0: all weights are 1 */
    double ema_decay;     /* upper bound of the warm-up decay */
    double ema_power;     /* decay = 1 - (1 + n)^-power, n optimiser steps after ema_start */
    int ema_start;        /* up to this step the average is a copy */
    int ema_every;        /* steps between updates of the average */
    int checkpoint_every; /* steps; a checkpoint is written at the end of the first whole log chunk at or after them */
    int keep_checkpoint;  /* 1: the last step's checkpoint stays next to the result; 0: it is removed */
    int gate_every;       /* steps between logged rows of gating weights */
    dd_precision precision;
    dd_products products; /* of float32; those of DD_TF32 are cuBLAS's */
} dd_training_config;

/* [sampling] */
typedef struct dd_sampling_config {
    int steps;           /* of the T timesteps, evenly spaced down from the last; 0: all */
    double eta;          /* fraction of the posterior's standard deviation that is added: 1 ancestral, 0 DDIM */
    double noise_factor; /* on the predicted noise */
    dd_sampling_start start;
} dd_sampling_config;

/* [evaluation] */
typedef struct dd_evaluation_config {
    int samples;   /* points generated by the EMA model */
    int k;         /* neighbour of the KL estimate */
    int heldout;   /* fresh points for the held-out loss */
    int reference; /* most training points that metrics compare with; 0: all */
} dd_evaluation_config;

/* Whether the columns of a set are scaled before training (data/scaling.h). */
typedef enum dd_scale_kind {
    DD_SCALE_AUTO, /* a file is standardised, a generated set is not scaled */
    DD_SCALE_NONE,
    DD_SCALE_STANDARD /* each column to mean 0 and standard deviation 1; only for files */
} dd_scale_kind;

/* [data] */
typedef struct dd_data_config {
    int points;     /* size of a generated training set */
    uint64_t seed;  /* of the generator; a training set does not depend on a run's seed */
    int dimensions; /* of a generated set that has any; 0: the set's own number; so for those below */
    int modes;      /* of gaussians, hypercube and subspaces */
    int rank;       /* dimensions of each of the subspaces */
    dd_scale_kind scale;
    double heldout_share; /* of a file's rows: not trained on; 0 for a generated set once it is made */
} dd_data_config;

typedef struct dd_config {
    dd_model_config model;
    dd_diffusion_config diffusion;
    dd_training_config training;
    dd_sampling_config sampling;
    dd_evaluation_config evaluation;
    dd_data_config data;
} dd_config;

/* The values of run_1.toml. Every configuration starts from them. */
void dd_config_defaults(dd_config *config);

/* What a run did whose program did not know a key yet. The stored configuration of an older program starts from it. For
 * most keys this is the default. */
DD_CHECKED dd_status dd_config_before(dd_config *config);

/* Read a TOML file over the defaults. A file may state only what it changes, and name the file that it changes above
 * its first section:
 *
 *     base = "run_1.toml"     # its path as seen from the folder of this file; it may have a base, too
 *
 * DD_ERR_CONFIG names file, line, column and, for an unknown key or word, the closest match. Bases that form a circle
 * are DD_ERR_CONFIG, too. DD_ERR_IO when the file or a base cannot be read. */
DD_CHECKED dd_status dd_config_read(const char *path, dd_config *config);

/* The same on top of the values in `config`: a key that neither the file nor its bases state keeps its value. */
DD_CHECKED dd_status dd_config_overlay(const char *path, dd_config *config);

/* The same from text, which cannot have a base; messages name it `origin`. */
DD_CHECKED dd_status dd_config_parse(const char *text, const char *origin, dd_config *config);

/* Apply one override "section.key=value", the value in TOML's syntax; a word without quotes is read as a string, so
 * that --set model.activation=silu works in a shell. */
DD_CHECKED dd_status dd_config_set(dd_config *config, const char *assignment);

/* The dimensions of the points, as far as a configuration says them: data.dimensions, else 2, those of the experiment's
 * sets. */
int dd_config_dimensions(const dd_config *config);

/* Section and name of key number i; returns 0 after the last key. */
int dd_config_key(int i, const char **section, const char **key);

/* Check the bounds between keys. (The bounds of a single key are checked when it is read.) */
DD_CHECKED dd_status dd_config_validate(const dd_config *config);

/* The resolved configuration as TOML that dd_config_parse reads back to an equal dd_config. The
 * caller frees it; NULL when memory is out. */
char *dd_config_print(const dd_config *config);

/* Lines "section.key: <a> here, <b> there" for the keys of the named sections (NULL-terminated list) that differ; ""
 * when none does. The caller frees it; NULL when memory is out. Keys that change only what is kept on disk during
 * training and not the result (checkpoint_every, keep_checkpoint) are ignored. */
char *dd_config_difference(const dd_config *a, const dd_config *b, const char *const *sections);

#endif
