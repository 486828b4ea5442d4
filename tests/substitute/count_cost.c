/* count_cost CONFIG REPLICAS STEPS [section.key=value ...]
 *
 * Train STEPS steps on the CUDA backend and print what the substitute runtime counted meanwhile, "name value" a line,
 * and "kernel NAME RUNS" for each kernel. cuda_cost.py compares it with what `dualdiff cost` predicts. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "substitute.h"

static void need(int status)
{
    if (status) {
        fprintf(stderr, "count_cost: %s\n", dd_error_message());
        exit(1);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: count_cost CONFIG REPLICAS STEPS [KEY=VALUE ...]\n");
        return 2;
    }
    dd_config config;
    dd_model model;
    dd_schedule schedule;
    dd_points points = {0};
    need(dd_config_read(argv[1], &config));
    for (int i = 4; i < argc; i++)
        need(dd_config_set(&config, argv[i]));
    need(dd_config_validate(&config));
    dd_request request = {.name = config.data.dimensions ? "gaussians" : "dino",
                          .data = &config.data,
                          .n = (uint32_t)config.data.points,
                          .seed = config.data.seed};
    need(dd_points_request(&request, &points, NULL));
    need(dd_model_create(&config.model, points.columns.count, &model));
    need(dd_schedule_create(&config, &schedule));
    int replicas = atoi(argv[2]), steps = atoi(argv[3]);
    const dd_training_config *t = &config.training;
    dd_replica *replica = calloc((size_t)replicas, sizeof *replica);
    for (int r = 0; r < replicas; r++)
        replica[r] = (dd_replica){.seed = (uint64_t)r,
                                  .data = &points,
                                  .learning_rate = t->learning_rate,
                                  .weight_decay = t->weight_decay,
                                  .clip_norm = t->clip_norm,
                                  .diversity_weight = t->diversity_weight};
    dd_ensemble_spec spec = {
        .model = &model, .schedule = &schedule, .training = t, .replicas = replicas, .replica = replica};
    dd_backend *backend;
    dd_ensemble *e;
    dd_train_log *log;
    need(dd_backend_open("cuda", 0, &backend));
    need(dd_ensemble_create(backend, &spec, &e));
    need(dd_train_log_create(e, steps, &log));
    substitute_reset_counters();
    need(dd_ensemble_train(e, 0, steps, log));
    need(dd_ensemble_wait(e));
    substitute_counters c;
    substitute_get_counters(&c);
    const struct {
        const char *name;
        uint64_t value;
    } counted[] = {{"kernels", c.kernels},
                   {"early_kernels", c.early_kernels},
                   {"products", c.blas_calls},
                   {"flops", c.blas_flops},
                   {"memsets", c.memsets},
                   {"copies", c.copies},
                   {"bytes_to_device", c.bytes_to_device},
                   {"bytes_to_host", c.bytes_to_host},
                   {"bytes_on_device", c.bytes_on_device},
                   {"launches", c.launches},
                   {"graph_launches", c.graph_launches},
                   {"graph_nodes", c.graph_nodes},
                   {"synchronizations", c.synchronizations},
                   {"event_waits", c.event_waits},
                   {"allocations", c.allocations},
                   {"device_bytes", c.device_bytes}};
    for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
        printf("%s %" PRIu64 "\n", counted[i].name, counted[i].value);
    const char *name;
    uint64_t runs, threads;
    for (size_t i = 0; substitute_kernel(i, &name, &runs, &threads); i++)
        printf("kernel %s %" PRIu64 "\n", name, runs);
    dd_train_log_destroy(e, log);
    dd_ensemble_destroy(e);
    dd_backend_close(backend);
    dd_points_free(&points);
    dd_schedule_free(&schedule);
    free(replica);
    return 0;
}
