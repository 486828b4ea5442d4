#include <hdf5.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clean_text.h"
#include "base/names.h"
#include "cli/commands.h"
#include "cli/config_option.h"
#include "data/dataset.h"
#include "data/generators.h"
#include "data/truth_regions.h"
#include "hdf5/h5.h"
#include "hdf5/result_hint.h"
#include "store/store.h"

static const dd_option options[] = {{0}};

const dd_command dd_command_info = {
    .name = "info",
    .summary = "print what a configuration, a stored file or a dataset is",
    .synopsis = "CONFIG|RUN.h5|DATASET",
    .description =
        "Prints the layers and parameters of the network, its floating point operations per step, the ends of the "
        "noise schedule and the resolved configuration; for a stored file also its origin, its metrics and its "
        "contents. For a file of points without a training (`dualdiff oracle`, `floor`, `evaluate --config`), it "
        "prints what they are instead of a network. For a generated dataset (`dualdiff datasets` lists them), it "
        "prints what it is, its modes, and the range of its points. A file that has a dataset's name must be given as "
        "./NAME.",
    .least_words = 1,
    .most_words = 1,
    .words_name = "CONFIG, RUN.h5 or DATASET",
    .options = options,
    .examples = "    dualdiff info run_1\n    dualdiff info runs/run_1/dino/seed_0.h5\n"
                "    dualdiff info dino\n",
    .run = dd_cmd_info};

/* The network for points of so many dimensions. */
static dd_status print_network(const dd_config *c, int dimensions)
{
    dd_model m;
    dd_schedule s;
    DD_TRY(dd_model_create(&c->model, dimensions, &m));
    DD_TRY(dd_schedule_create(c, &s));
    for (int t = 0; t < m.towers; t++) {
        size_t parameters = 0;
        printf("%s\n", m.tower[t].name);
        for (int i = 0; i < m.tower[t].layers; i++) {
            const dd_layer *l = &m.tower[t].layer[i];
            size_t count = m.tensor[l->weight].count + m.tensor[l->bias].count;
            parameters += count;
            printf("    %-28s %4d -> %-4d %9zu  %s%s\n", m.tensor[l->weight].name, l->in, l->out, count,
                   l->residual ? "x + " : "", l->activate ? "W act(x) + b" : "W x + b");
        }
        printf("    %-42s %7zu\n", "parameters", parameters);
    }
    int batch = c->training.batch;
    printf("\nparameters %zu in %d tensors\n", m.parameters, m.tensors);
    printf("operations %.4g MFLOP forward a point, %.4g GFLOP a training step of %d point%s\n",
           1e-6 * dd_model_forward_flops(&m), 1e-9 * dd_model_step_flops(&m, batch), batch, dd_plural(batch));
    int last = s.timesteps - 1;
    printf("schedule   T = %d, beta %.3g to %.3g, alpha_bar at T %.4g: x_T keeps %.1f %% of the signal's amplitude\n",
           s.timesteps, s.beta[0], s.beta[last], s.alpha_bar[last], 100 * sqrt(s.alpha_bar[last]));
    dd_schedule_free(&s);
    return DD_OK;
}

static herr_t print_object(hid_t file, const char *name, const H5O_info_t *info, void *user)
{
    (void)user;
    if (info->type != H5O_TYPE_DATASET)
        return 0;
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT), space = H5Dget_space(set);
    hsize_t size[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, size, NULL);
    char shown[256];
    snprintf(shown, sizeof shown, "%s", name);
    dd_clean_line(shown);
    printf("    /%-44s%s", shown, rank == 0 ? " scalar" : "");
    for (int i = 0; i < rank; i++)
        printf(i ? " x %llu" : " %llu", (unsigned long long)size[i]);
    putchar('\n');
    H5Sclose(space);
    H5Dclose(set);
    return 0;
}

static void print_metrics(const char *path)
{
    dd_metrics m;
    if (dd_result_read_metrics(path, &m))
        return;
    printf("\nmetrics\n");
    for (int i = 0; i < DD_METRICS; i++)
        if (!isnan(*dd_metric(&m, i)))
            printf("    %-20s %14.6g %-4s %s\n", dd_metric_table[i].name, *dd_metric(&m, i), dd_metric_table[i].unit,
                   dd_metric_table[i].long_name);
}

/* Print what the points of a result without a training are; returns false for all other files. */
static bool print_untrained(hid_t file, const dd_header *h, const char *path)
{
    char what[256];
    if (h->kind != DD_FILE_RESULT || H5Lexists(file, "train", H5P_DEFAULT) > 0)
        return false;
    hid_t points = H5Dopen2(file, "/samples/x", H5P_DEFAULT);
    bool known = points >= 0 && !dd_h5_read_text_attribute(points, path, "long_name", what, sizeof what);
    if (known)
        printf("points     %s\n", what);
    if (points >= 0)
        H5Dclose(points);
    return known;
}

/* Names that are not just x1, x2, ..., and what was scaled. */
static void print_columns(const dd_columns *columns)
{
    char list[400];
    if (columns->scaled) {
        printf("columns    %-24s %14s %18s\n", "", "mean", "standard deviation");
        for (int c = 0; c < columns->count; c++)
            printf("           %-24s %14.7g %18.7g\n", columns->column[c].name, columns->column[c].shift,
                   columns->column[c].scale);
    } else if (!dd_columns_are_plain(columns)) {
        printf("columns    %s\n", dd_columns_list(columns->column, columns->count, list, sizeof list));
    }
}

static dd_status print_file(const char *path, dd_header *h)
{
    static const char *const kinds[] = {"log of a run that is not finished", "checkpoint", "result", "samples"};
    hid_t file;
    DD_TRY(dd_header_read(path, h));
    DD_TRY(dd_h5_open(path, &file));
    printf("%s: %s\n\n", path, kinds[h->kind]);
    printf("run        %s on %s (%u point%s), seed %llu\n", h->config_name, h->dataset, h->points, dd_plural(h->points),
           (unsigned long long)h->seed);
    print_columns(&h->columns);
    dd_status status = DD_OK;
    int untrained = print_untrained(file, h, path);
    if (!untrained)
        printf("steps      %d of %d\n", h->step, h->config.training.steps);
    printf("made by    dualdiff %s (commit %s), backend %s, %s, %d thread%s", h->program_version, h->git_commit,
           h->backend, h->device, h->threads, dd_plural(h->threads));
    if (untrained) {
        putchar('\n');
    } else {
        printf(", %d network%s together\n\n", h->replicas, h->replicas == 1 ? "" : "s");
        status = print_network(&h->config, h->columns.count);
    }
    if (h->kind == DD_FILE_RESULT)
        print_metrics(path);
    printf("\nholds\n");
    H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, print_object, NULL, H5O_INFO_BASIC);
    H5Fclose(file);
    printf("\nconfiguration\n");
    return status;
}

static dd_status print_config(const dd_config *c)
{
    char *text = dd_config_print(c);
    if (!text)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    fputs(text, stdout);
    free(text);
    return DD_OK;
}

static void print_ranges(const dd_points *points)
{
    int dimensions = points->columns.count;
    for (int c = 0; c < dimensions; c++) {
        float least = points->x[c], most = least;
        for (uint32_t i = 0; i < points->n; i++) {
            least = fminf(least, points->x[(size_t)dimensions * i + (size_t)c]);
            most = fmaxf(most, points->x[(size_t)dimensions * i + (size_t)c]);
        }
        printf("%-10s from %.2f to %.2f (of %u points)\n", points->columns.column[c].name, least, most, points->n);
    }
}

static dd_status print_dataset(const char *name)
{
    enum { POINTS = 10000 };
    const dd_generator_info *g = dd_generator_find(name);
    dd_points points;
    dd_truth truth;
    DD_TRY(dd_truth_create(name, NULL, &truth));
    printf("%s: dataset that is made by name\n\n%-10s %s\n%-10s %s\n", name, "kind", dd_generator_kind_name[g->kind],
           "what it is", g->what);
    if (g->family)
        printf("%-10s %d (data.dimensions chooses)\n", "dimensions", truth.dimensions);
    if (truth.countable)
        printf("%-10s %d\n", "modes", dd_truth_regions(&truth));
    else
        printf("%-10s none to count: its points fill an area or lie along curves\n", "modes");
    dd_truth_free(&truth);
    DD_TRY(dd_points_open(name, POINTS, 0, DD_STREAM_TRAIN, &points));
    print_ranges(&points);
    dd_points_free(&points);
    return DD_OK;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return !stat(path, &about) && S_ISDIR(about.st_mode);
}

static bool is_toml(const char *path)
{
    const char *ending = strrchr(path, '.');
    return ending && !strcmp(ending, ".toml");
}

/* The word is not a configuration. The user may have meant a dataset, a run's folder or a file of points. */
static dd_status open_config(const char *word, dd_config *config)
{
    char message[1024];
    dd_status status = dd_config_open(word, config);
    snprintf(message, sizeof message, "%s", dd_error_message());
    if (status == DD_ERR_IO && is_folder(word))
        return dd_fail_folder(word);
    if (status == DD_ERR_IO && !strchr(word, '/'))
        return dd_fail(DD_ERR_IO, "%s, and `dualdiff datasets` the datasets", message);
    if (status == DD_ERR_CONFIG && !is_toml(word))
        return dd_fail(DD_ERR_CONFIG,
                       "%s: neither an HDF5 file nor a configuration; to train on points, use `dualdiff train CONFIG "
                       "--dataset FILE`. Read as a configuration: %s",
                       word, message);
    return status;
}

/* Decide by the file's name, so that a damaged file is read as what it should be; else by its contents. */
static bool is_stored(const char *path)
{
    static const char *const endings[] = {".h5", ".hdf5", ".checkpoint"};
    const char *ending = strrchr(path, '.');
    for (int i = 0; i < 3; i++)
        if (ending && !strcmp(ending, endings[i]))
            return true;
    dd_h5_quiet();
    return H5Fis_hdf5(path) > 0;
}

dd_status dd_cmd_info(int argc, char **argv)
{
    dd_args args;
    dd_config config;
    dd_status status = dd_args_parse(&dd_command_info, argc, argv, &args);
    if (status || args.help)
        goto done;
    const char *path = args.word[0];
    if (dd_generator_find(path)) {
        status = print_dataset(path);
        goto done;
    }
    if (is_stored(path)) {
        dd_header header;
        DD_CHECK(print_file(path, &header));
        config = header.config;
    } else {
        DD_CHECK(open_config(path, &config));
        DD_CHECK(print_network(&config, dd_config_dimensions(&config)));
        putchar('\n');
    }
    status = print_config(&config);
done:
    dd_args_free(&args);
    return status;
}
