#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/cuda_cost.h"
#include "base/error.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/config_option.h"
#include "store/store.h"

static const dd_option options[] = {
    {"replicas", "LIST", true, "numbers of networks trained together, as 1,20 or 1-4; default: 1,20,400"},
    {"set", "KEY=VALUE", true, "override a value of CONFIG, for instance training.batch=1024."},
    {0}};

const dd_command dd_command_cost = {
    .name = "cost",
    .summary = "print what a training step costs on a GPU, and a lower bound of its time",
    .synopsis = "CONFIG [--replicas LIST ...] [--set KEY=VALUE ...]",
    .description = "Counts what the CUDA backend starts, computes and moves in a training step, and computes a lower "
                   "bound of the time from the data sheets of five devices. It has three parts: every product at the "
                   "peak of float32; every operand moved once between device memory and each kernel that uses it (data "
                   "that stays in a cache is faster); and the starts of the kernels that follow each other, each as "
                   "long as a start measured on an H200. The longest part is the "
                   "least.",
    .least_words = 1,
    .most_words = 1,
    .words_name = "CONFIG",
    .options = options,
    .examples = "    dualdiff cost run_1\n    dualdiff cost run_3 --replicas 1,8,64\n",
    .run = dd_cmd_cost};

static void print_counts(const dd_model *model, const dd_training_config *t, const uint64_t *replicas, int count)
{
    dd_cost c;
    dd_cost_of_step(model, t, dd_log_chunk(t), 1, &c);
    int products = dd_cost_products(&c);
    printf("A step of %d point%s starts %d kernels and %d products, %d in all, whatever the number of replicas.\n"
           "A run of %d step%s is %d graph launch%s.\n\n",
           t->batch, dd_plural(t->batch), c.items - products, products, c.items, t->steps, dd_plural(t->steps),
           c.graph_launches, c.graph_launches == 1 ? "" : "es");
    printf("%8s %16s %16s %14s %14s %14s\n", "replicas", "MFLOP products", "MFLOP all", "MB moved", "B to device",
           "B to host");
    for (int i = 0; i < count; i++) {
        double flops = 0, in_products = 0, bytes = 0;
        dd_cost_of_step(model, t, dd_log_chunk(t), (int)replicas[i], &c);
        for (int k = 0; k < c.items; k++) {
            flops += c.item[k].flops;
            in_products += c.item[k].product ? c.item[k].flops : 0;
            bytes += c.item[k].bytes;
        }
        printf("%8d %16.6f %16.3f %14.3f %14.0f %14.0f\n", (int)replicas[i], 1e-6 * in_products, 1e-6 * flops,
               1e-6 * bytes, c.bytes_to_device, c.bytes_to_host);
    }
}

static void print_floors(const dd_model *model, const dd_training_config *t, const uint64_t *replicas, int count)
{
    printf("\nLeast time, us a step: arithmetic, memory, starts, the longest of them; then a replica's whole "
           "run, s\n");
    printf("%-12s %8s %12s %12s %12s %12s %14s\n", "device", "replicas", "arithmetic", "memory", "starts", "least",
           "run a replica");
    for (int d = 0; d < DD_COST_DEVICES; d++)
        for (int i = 0; i < count; i++) {
            dd_cost c;
            dd_cost_of_step(model, t, dd_log_chunk(t), (int)replicas[i], &c);
            dd_cost_floor f = dd_cost_least_time(&c, &dd_cost_devices[d]);
            printf("%-12s %8d %12.1f %12.1f %12.1f %12.1f %14.3f\n", dd_cost_devices[d].name, (int)replicas[i],
                   1e6 * f.arithmetic, 1e6 * f.memory, 1e6 * f.starts, 1e6 * f.step,
                   f.step * t->steps / (double)replicas[i]);
        }
}

dd_status dd_cmd_cost(int argc, char **argv)
{
    static const uint64_t usual[] = {1, 20, 400};
    dd_args args;
    dd_config config;
    dd_model model;
    uint64_t *given = NULL;
    int count = 0;
    dd_status status = dd_args_parse(&dd_command_cost, argc, argv, &args);
    if (status || args.help)
        goto done;
    DD_CHECK(dd_read_config(&args, &config));
    DD_CHECK(dd_args_seeds(&args, "replicas", &given, &count));
    const uint64_t *replicas = count ? given : usual;
    count = count ? count : 3;
    for (int i = 0; i < count; i++)
        if (replicas[i] < 1 || replicas[i] > 1000000)
            DD_CHECK(dd_fail(DD_ERR_USAGE, "cost: --replicas takes numbers from 1 to 1000000"));
    DD_CHECK(dd_model_create(&config.model, dd_config_dimensions(&config), &model));
    print_counts(&model, &config.training, replicas, count);
    print_floors(&model, &config.training, replicas, count);
done:
    free(given);
    dd_args_free(&args);
    return status;
}
