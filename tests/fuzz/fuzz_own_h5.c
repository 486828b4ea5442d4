/* The program's own files, damaged: everything that reads one reads it or refuses it.
 *
 * Half of the mutations repair the checksum of the part of the file that they changed, as someone who forges a file
 * would; the others are what happens to files by themselves. */
#include <hdf5.h>
#include <string.h>

#include "analysis/analysis_file.h"
#include "fuzz_file.h"
#include "store/store.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);

/* ---- reading ---- */

/* More than the seeds need; what is larger is a claim that only takes time. */
static int is_small(const dd_header *h, const dd_model *model)
{
    return model->parameters < 100000 && h->config.evaluation.samples < 10000 && h->config.training.steps < 10000 &&
           h->config.training.batch < 10000;
}

static void read_state(const char *path, const dd_header *h, const dd_model *model)
{
    float *memory = malloc(DD_STATE_PARTS * model->parameters * sizeof *memory), *state[DD_STATE_PARTS];
    double seconds;
    for (int part = 0; part < DD_STATE_PARTS; part++)
        state[part] = memory + (size_t)part * model->parameters;
    dd_ignore(dd_result_read_parameters(path, model, DD_STATE_EMA, memory));
    dd_ignore(dd_checkpoint_read(path, model, h->step, &seconds, state));
    free(memory);
}

static void read_gates(const char *path, const dd_header *h, const dd_model *model)
{
    const dd_sampling_config *s = &h->config.sampling;
    dd_logged_gates logged;
    dd_sample_gates sampled;
    if (model->gates && !dd_logged_gates_read(path, model, &h->config, &logged))
        dd_logged_gates_free(&logged);
    if (!dd_sample_gates_read(path, model, s->steps ? s->steps : h->config.diffusion.timesteps, &sampled))
        dd_sample_gates_free(&sampled);
}

/* What a resumed training does: copy the rows of the log. */
static void resume(const char *path, const dd_header *h, const dd_model *model)
{
    dd_run run = {.config = &h->config,
                  .config_name = h->config_name,
                  .dataset = h->dataset,
                  .points = h->points,
                  .columns = &h->columns,
                  .data_checksum = h->data_checksum,
                  .seed = h->seed,
                  .replicas = 1,
                  .backend = "cpu",
                  .device = "fuzz",
                  .threads = 1};
    dd_log *log;
    int steps[2];
    dd_ignore(dd_checkpoint_steps(path, &run, steps));
    if (h->kind == DD_FILE_LOG && !dd_log_create(path, &run, model, h->step, &log))
        dd_ignore(dd_log_close(log));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    dd_header header;
    dd_model model;
    dd_metrics metrics;
    const char *path = fuzz_file(data, size, ".h5");
    if (!dd_header_read(path, &header)) {
        dd_ignore(dd_result_read_metrics(path, &metrics));
        if (!dd_model_create(&header.config.model, header.columns.count, &model) && is_small(&header, &model)) {
            read_state(path, &header, &model);
            read_gates(path, &header, &model);
            resume(path, &header, &model);
        }
    }
    unlink(path);
    return 0;
}

/* ---- mutations that keep the checksums ---- */

/* Bob Jenkins' lookup3, hashlittle with initial value 0: the checksum of HDF5's metadata. */
static uint32_t lookup3(const uint8_t *k, size_t length)
{
#define ROT(x, n) ((x) << (n) | (x) >> (32 - (n)))
    uint32_t a, b, c;
    a = b = c = 0xdeadbeefu + (uint32_t)length;
    for (; length > 12; length -= 12, k += 12) {
        uint32_t w[3];
        memcpy(w, k, 12);
        a += w[0], b += w[1], c += w[2];
        a -= c, a ^= ROT(c, 4), c += b;
        b -= a, b ^= ROT(a, 6), a += c;
        c -= b, c ^= ROT(b, 8), b += a;
        a -= c, a ^= ROT(c, 16), c += b;
        b -= a, b ^= ROT(a, 19), a += c;
        c -= b, c ^= ROT(b, 4), b += a;
    }
    if (!length)
        return c;
    uint32_t w[3] = {0, 0, 0};
    memcpy(w, k, length);
    a += w[0], b += w[1], c += w[2];
    c ^= b, c -= ROT(b, 14);
    a ^= c, a -= ROT(c, 11);
    b ^= a, b -= ROT(a, 25);
    c ^= b, c -= ROT(b, 16);
    a ^= c, a -= ROT(c, 4);
    b ^= a, b -= ROT(a, 14);
    c ^= b, c -= ROT(b, 24);
    return c;
#undef ROT
}

/* Where the part that begins at data[at] has its checksum, 0 if none is found: the first place behind it that holds the
 * sum of all before. */
static size_t checksum_place(const uint8_t *data, size_t size, size_t at)
{
    enum { LONGEST_PART = 4096 };
    for (size_t end = at + 8; end + 4 <= size && end < at + LONGEST_PART; end++) {
        uint32_t there;
        memcpy(&there, data + end, sizeof there);
        if (there == lookup3(data + at, end - at))
            return end;
    }
    return 0;
}

static int is_part(const uint8_t *p)
{
    static const char *const marks[] = {"OHDR", "OCHK", "FRHP", "FHDB", "BTHD", "BTLF", "BTIN",
                                        "FAHD", "FADB", "EAHD", "EAIB", "EASB", "EADB", "\x89HDF"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (!memcmp(p, marks[i], 4))
            return 1;
    return 0;
}

/* Change one part with a checksum and give it the right one. */
static int mutate_part(uint8_t *data, size_t size, unsigned seed)
{
    size_t from = seed % size;
    for (size_t i = 0; i + 4 <= size; i++) {
        size_t at = (from + i) % (size - 3), end;
        if (!is_part(data + at) || !(end = checksum_place(data, size, at)))
            continue;
        for (unsigned changes = 1 + seed % 3; changes--; seed = seed * 1664525u + 1013904223u)
            LLVMFuzzerMutate(data + at + 4 + (seed >> 8) % (end - at - 4), 1, 1);
        uint32_t sum = lookup3(data + at, end - at);
        memcpy(data + end, &sum, sizeof sum);
        return 1;
    }
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    if (size > 64 && seed & 1 && mutate_part(data, size, seed >> 1))
        return size;
    return LLVMFuzzerMutate(data, size, most);
}
