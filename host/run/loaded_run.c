#include "run/loaded_run.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/pool.h"
#include "base/statistics.h"
#include "data/generators.h"
#include "metrics/metrics.h"
#include "model/start_points.h"

/* Read the file's parameters before making an ensemble: a forged configuration could claim too many of them. */
static dd_status load(const char *path, dd_loaded *s)
{
    const dd_training_config *t = &s->header.config.training;
    dd_replica replica = dd_replica_of(t, s->header.seed, NULL);
    dd_ensemble_spec spec = {
        .model = &s->model, .schedule = &s->schedule, .training = t, .replicas = 1, .replica = &replica};
    float *parameters = malloc(s->model.parameters * sizeof *parameters);
    if (!parameters)
        return dd_fail(DD_ERR_MEMORY, "%s: out of memory for its %zu parameters", path, s->model.parameters);
    dd_status status = DD_OK;
    DD_CHECK(dd_result_read_parameters(path, &s->model, DD_STATE_ONLINE, parameters));
    DD_CHECK(dd_ensemble_create(s->backend, &spec, &s->ensemble));
    DD_CHECK(dd_ensemble_set(s->ensemble, 0, DD_STATE_ONLINE, parameters));
    DD_CHECK(dd_result_read_parameters(path, &s->model, DD_STATE_EMA, parameters));
    DD_CHECK(dd_ensemble_set(s->ensemble, 0, DD_STATE_EMA, parameters));
done:
    free(parameters);
    return status;
}

dd_status dd_loaded_open(const char *path, const dd_config *config, const char *backend, int threads, dd_loaded *s)
{
    *s = (dd_loaded){0};
    DD_TRY(dd_header_read(path, &s->header));
    if (config)
        s->header.config = *config;
    DD_TRY(dd_model_create(&s->header.config.model, s->header.columns.count, &s->model));
    DD_TRY(dd_schedule_create(&s->header.config, &s->schedule));
    dd_status status = dd_backend_open(backend, threads, &s->backend);
    if (!status)
        status = load(path, s);
    if (status)
        dd_loaded_close(s);
    return status;
}

void dd_loaded_close(dd_loaded *s)
{
    dd_ensemble_destroy(s->ensemble);
    dd_backend_close(s->backend);
    dd_schedule_free(&s->schedule);
}

/* For a run that was trained on a file with a known path. */
static dd_status read_again(const char *path, const dd_header *h, dd_points *points, dd_points *heldout)
{
    char *there = dd_points_path(h->dataset_path);
    if (!there)
        return dd_fail(DD_ERR_IO,
                       "%s was trained on %s, which does not exist now; if it was moved, name it with --dataset", path,
                       h->dataset_path);
    dd_status status = dd_points_request(&(dd_request){.name = there, .reading = &h->reading, .data = &h->config.data},
                                         points, heldout);
    free(there);
    if (status)
        return dd_fail_context("%s was trained on a file that cannot be read now", path);
    if (points->checksum == h->data_checksum)
        return DD_OK;
    status = dd_fail(DD_ERR_CONFLICT,
                     "%s was trained on %s, whose points have changed since (%u then, %u now); restore that file, or "
                     "name a copy of the original with --dataset",
                     path, h->dataset_path, h->points, points->n);
    dd_points_free(points);
    dd_points_free(heldout);
    return status;
}

/* For a run on generated points, or on a file with an unknown path. */
static dd_status generate_again(const char *path, const dd_header *h, dd_points *points)
{
    const dd_data_config *data = &h->config.data;
    const char *set = dd_header_set(h);
    if (!dd_generator_find(set))
        return dd_fail(DD_ERR_USAGE,
                       "%s was trained on points called '%s', from standard input or from a file with an unknown path; "
                       "name them with --dataset",
                       path, h->dataset);
    DD_TRY(dd_points_request(
        &(dd_request){
            .name = set, .data = data, .n = (uint32_t)data->points, .seed = data->seed, .stream = DD_STREAM_TRAIN},
        points, NULL));
    if (points->checksum == h->data_checksum)
        return DD_OK;
    dd_points_free(points); /* for instance the user's own dino.csv */
    return dd_fail(DD_ERR_USAGE,
                   "%s was trained on other points than the generated '%s', perhaps on a file with that name; name it "
                   "with --dataset",
                   path, h->dataset);
}

static dd_status open_points(const char *path, const dd_loaded *s, const char *asked, dd_points *points,
                             dd_points *heldout)
{
    const dd_data_config *data = &s->header.config.data;
    if (!asked)
        return *s->header.dataset_path ? read_again(path, &s->header, points, heldout)
                                       : generate_again(path, &s->header, points);
    if (s->header.columns.scaled && dd_generator_find(asked))
        return dd_fail(DD_ERR_USAGE,
                       "--dataset %s: not the points that %s was trained on, whose columns are scaled; a set that is "
                       "made by name has units of its own",
                       asked, path);
    return dd_points_request(&(dd_request){.name = asked,
                                           .reading = &s->reading,
                                           .data = data,
                                           .n = (uint32_t)data->points,
                                           .seed = data->seed,
                                           .stream = DD_STREAM_TRAIN,
                                           .like = &(dd_like){&s->header.columns, s->header.data_checksum}},
                             points, heldout);
}

static dd_status add_heldout(const dd_config *c, dd_points *points, dd_points *heldout)
{
    dd_status status =
        dd_points_more(points, (uint32_t)c->evaluation.heldout, c->data.seed, DD_STREAM_HELDOUT, heldout);
    if (status)
        dd_points_free(points);
    return status;
}

dd_status dd_loaded_points(const char *path, const dd_loaded *s, const char *asked, dd_points *points,
                           dd_points *heldout, bool *same)
{
    char list[300];
    if (heldout)
        *heldout = (dd_points){0};
    DD_TRY(open_points(path, s, asked, points, heldout));
    *same = points->checksum == s->header.data_checksum;
    int count = points->columns.count, wanted = s->model.dimensions;
    if (count == wanted && points->generated && heldout)
        return add_heldout(&s->header.config, points, heldout);
    if (count == wanted)
        return DD_OK;
    const char *cure = points->generated ? "" : ": choose with --columns";
    dd_points_free(points);
    dd_points_free(heldout);
    return dd_fail(DD_ERR_USAGE, "%s was trained on points of %d coordinates (%s); %s has %d%s", path, wanted,
                   dd_columns_list(s->header.columns.column, wanted, list, sizeof list),
                   asked ? asked : s->header.dataset, count, cure);
}

dd_status dd_loaded_own_points(const char *command, const char *path, const dd_loaded *s, const char *asked,
                               dd_points *points, dd_points *heldout)
{
    bool same;
    DD_TRY(dd_loaded_points(path, s, asked, points, heldout, &same));
    if (same)
        return DD_OK;
    dd_points_free(points);
    dd_points_free(heldout);
    return dd_fail(DD_ERR_USAGE, "%s: --dataset %s: not the points that %s was trained on", command, asked, path);
}

static dd_status sample(const char *path, const dd_loaded *s, const dd_points *training, uint64_t seed, uint32_t n,
                        dd_samples *samples)
{
    samples->start = NULL;
    dd_pool_phase(dd_backend_pool(s->backend), "sampling");
    if (s->header.config.sampling.start == DD_START_NORMAL)
        return dd_ensemble_sample(s->ensemble, DD_STATE_EMA, &seed, n, samples);
    dd_points made = {0};
    bool same;
    if (!training)
        DD_TRY(dd_loaded_points(path, s, NULL, &made, NULL, &same));
    float *start;
    dd_status status = dd_start_create(&s->schedule, training ? training : &made, seed, n, &start);
    samples->start = start;
    if (!status)
        status = dd_ensemble_sample(s->ensemble, DD_STATE_EMA, &seed, n, samples);
    free(start);
    dd_points_free(&made);
    return status;
}

dd_status dd_loaded_sample(const char *path, const dd_loaded *s, const dd_points *training, uint64_t seed, uint32_t n,
                           dd_samples *samples)
{
    DD_TRY(sample(path, s, training, seed, n, samples));
    return dd_all_finite(samples->x, (size_t)s->header.columns.count * n)
               ? DD_OK
               : dd_fail(DD_ERR_NUMERIC,
                         "%s: its network generates points that are NaN or infinite; its parameters are damaged, or "
                         "its [sampling] is not suitable for them",
                         path);
}

dd_run dd_loaded_run(const dd_loaded *s)
{
    return (dd_run){.config = &s->header.config,
                    .config_name = s->header.config_name,
                    .dataset = s->header.dataset,
                    .set = s->header.set,
                    .points = s->header.points,
                    .columns = &s->header.columns,
                    .data_checksum = s->header.data_checksum,
                    .dataset_path = s->header.dataset_path,
                    .reading = s->header.reading,
                    .seed = s->header.seed,
                    .replicas = s->header.replicas,
                    .backend = dd_backend_name(s->backend),
                    .device = dd_backend_device(s->backend),
                    .threads = dd_backend_threads(s->backend)};
}
