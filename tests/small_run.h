/* A network small enough for tests, and functions that make ensembles of it. */
#ifndef DD_SMALL_RUN_H
#define DD_SMALL_RUN_H

#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "check.h"
#include "data/dataset.h"

enum { SMALL_DATASETS = 3 };

typedef struct small_run {
    dd_config config;
    dd_model model;
    dd_schedule schedule;
    dd_points points[SMALL_DATASETS]; /* of different sizes: their short batches come at different steps */
} small_run;

/* Every kind of layer: residual blocks, a head of two layers, a gate of three, diversity on. */
static inline void small_run_create(small_run *s)
{
    static const char *const names[SMALL_DATASETS] = {"dino", "moons", "line"};
    static const uint32_t sizes[SMALL_DATASETS] = {300, 330, 64};
    dd_config_defaults(&s->config);
    s->config.model.embedding_width = 20; /* half of it is not a multiple of the vectors' width */
    s->config.model.hidden_width = 40;
    s->config.model.hidden_depth = 2;
    s->config.model.expert_head = (dd_widths){1, {24}};
    s->config.model.gate_layers = (dd_widths){2, {40, 17}};
    s->config.diffusion.timesteps = 30;
    s->config.training.batch = 64;
    s->config.training.steps = 60;
    s->config.training.diversity_weight = .1;
    s->config.training.ema_start = 10;
    CHECK_OK(dd_model_create(&s->config.model, 2, &s->model));
    CHECK_OK(dd_schedule_create(&s->config, &s->schedule));
    for (int i = 0; i < SMALL_DATASETS; i++)
        CHECK_OK(dd_points_open(names[i], sizes[i], 42, DD_STREAM_TRAIN, &s->points[i]));
}

/* Another value of one key, "section.key=value". */
static inline void small_run_set(small_run *s, const char *assignment)
{
    dd_schedule_free(&s->schedule);
    CHECK_OK(dd_config_set(&s->config, assignment));
    CHECK_OK(dd_model_create(&s->config.model, s->points[0].columns.count, &s->model));
    CHECK_OK(dd_schedule_create(&s->config, &s->schedule));
}

/* Sets of as many points as before in more dimensions, and Fourier features, which each seed has of its own. */
static inline void small_run_widen(small_run *s, int dimensions)
{
    s->config.data.dimensions = dimensions;
    s->config.model.embedding = DD_EMBED_FOURIER;
    s->config.model.fourier_features = 28;
    for (int i = 0; i < SMALL_DATASETS; i++) {
        dd_request request = {.name = "gaussians", .data = &s->config.data, .n = s->points[i].n, .seed = (uint64_t)i};
        dd_points_free(&s->points[i]);
        CHECK_OK(dd_points_request(&request, &s->points[i], NULL));
    }
    CHECK_OK(dd_model_create(&s->config.model, dimensions, &s->model));
}

static inline void small_run_free(small_run *s)
{
    dd_schedule_free(&s->schedule);
    for (int i = 0; i < SMALL_DATASETS; i++)
        dd_points_free(&s->points[i]);
}

/* Replica `number`: its seed, its dataset and its own hyperparameters. */
static inline dd_replica small_replica(const small_run *s, int number)
{
    const dd_training_config *t = &s->config.training;
    return (dd_replica){.seed = 100 + (uint64_t)number,
                        .data = &s->points[number % SMALL_DATASETS],
                        .learning_rate = t->learning_rate * (1 + number),
                        .weight_decay = t->weight_decay,
                        .clip_norm = t->clip_norm / (1 + number),
                        .diversity_weight = number % 2 ? 0 : t->diversity_weight};
}

/* The specification of an ensemble of replica[replicas]. */
static inline dd_ensemble_spec small_spec(const small_run *s, const dd_replica *replica, int replicas)
{
    return (dd_ensemble_spec){.model = &s->model,
                              .schedule = &s->schedule,
                              .training = &s->config.training,
                              .replicas = replicas,
                              .replica = replica};
}

/* An ensemble of the replicas whose numbers are in `number`. */
static inline dd_ensemble *small_ensemble(const small_run *s, dd_backend *backend, const int *number, int replicas)
{
    dd_ensemble *ensemble = NULL;
    dd_replica replica[20];
    for (int i = 0; i < replicas; i++)
        replica[i] = small_replica(s, number[i]);
    dd_ensemble_spec spec = small_spec(s, replica, replicas);
    CHECK_OK(dd_ensemble_create(backend, &spec, &ensemble));
    return ensemble;
}

#endif
