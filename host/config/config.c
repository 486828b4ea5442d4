#include "config/config.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/statistics.h"
#include "config/config_reading.h"

/* ---- the table of keys ---- */

typedef enum key_type { KEY_INT, KEY_SEED, KEY_REAL, KEY_WORD, KEY_WIDTHS, KEY_FLAG } key_type;

static const char *const embedding_words[] = {"sinusoidal", "fourier", "linear", NULL};
static const char *const activation_words[] = {"relu", "gelu", "silu", "tanh", NULL};
static const char *const schedule_words[] = {"linear", "quadratic", "cosine", "scaled_linear", "geometric", NULL};
static const char *const gate_words[] = {"learned", "hard", "fixed", NULL};
static const char *const terminal_words[] = {"kept", "zero", NULL};
static const char *const prediction_words[] = {"noise", "x0", "v", NULL};
static const char *const distance_words[] = {"euclidean", "squared", "l1", "rbf", "log", NULL};
static const char *const layer_words[] = {"output", "hidden", NULL};
static const char *const course_words[] = {"constant", "cosine", NULL};
static const char *const precision_words[] = {"float32", "tf32", "tf32x3", NULL};
static const char *const products_words[] = {"own", "cublas", NULL};
static const char *const start_words[] = {"normal", "data", NULL};
static const char *const scale_words[] = {"auto", "none", "standard", NULL};

typedef struct key_info {
    const char *section, *key;
    key_type type;
    size_t offset;
    double least, most;
    const char *const *words; /* of KEY_WORD; the value is the index */
    const char *meaning;
    int keeping;        /* 1: decides only what is kept on disk during training; does not change a result */
    const char *before; /* what programs did before they knew the key, in TOML; NULL: the default */
} key_info;

#define KEY_SINCE(section, member, type, least, most, before, meaning)                                                 \
    {                                                                                                                  \
#section, #member, type, offsetof(dd_config, section.member), least, most, NULL, meaning, 0, before            \
    }
#define KEY(section, member, type, least, most, meaning) KEY_SINCE(section, member, type, least, most, NULL, meaning)
#define WORD_SINCE(section, member, words, before, meaning)                                                            \
    {                                                                                                                  \
#section, #member, KEY_WORD, offsetof(dd_config, section.member), 0, 0, words, meaning, 0, before              \
    }
#define WORD(section, member, words, meaning) WORD_SINCE(section, member, words, NULL, meaning)
#define KEEPING(section, member, type, least, most, meaning)                                                           \
    {                                                                                                                  \
#section, #member, type, offsetof(dd_config, section.member), least, most, NULL, meaning, 1, NULL              \
    }

static const key_info keys[] = {
    KEY(model, experts, KEY_INT, 1, DD_MAX_EXPERTS, "1: one network without a gate; more: as many experts and a gate"),
    WORD(model, gate, gate_words,
         "how the experts are weighted: by a network, only the one with its greatest weight, or equally"),
    WORD(model, embedding, embedding_words,
         "of a point: sines and cosines of each coordinate, or along random directions, or the coordinates themselves"),
    KEY(model, fourier_features, KEY_INT, 4, 8192, "sines and cosines along random directions, even; only for fourier"),
    KEY(model, embedding_width, KEY_INT, 4, 4096, "sines and cosines of each embedded scalar, even"),
    KEY(model, input_scale, KEY_REAL, 1e-6, 1e6, "factor on a coordinate before it is embedded"),
    KEY(model, time_scale, KEY_REAL, 1e-6, 1e6, "factor on the timestep before it is embedded"),
    KEY(model, hidden_width, KEY_INT, 1, 8192, "width of an expert's trunk"),
    KEY(model, hidden_depth, KEY_INT, 0, 16, "residual blocks in the trunk"),
    KEY(model, expert_head, KEY_WIDTHS, 1, 8192, "widths of the hidden layers after the trunk"),
    KEY(model, gate_layers, KEY_WIDTHS, 1, 8192, "widths of the gate's hidden layers"),
    WORD(model, activation, activation_words, "of experts and gate"),
    KEY(diffusion, timesteps, KEY_INT, 1, 10000, "T"),
    WORD(diffusion, schedule, schedule_words, "how beta rises from beta_start to beta_end; cosine ignores both"),
    KEY(diffusion, beta_start, KEY_REAL, 1e-12, 1, "noise variance added at the first timestep"),
    KEY(diffusion, beta_end, KEY_REAL, 1e-12, 1, "noise variance added at the last timestep"),
    WORD(diffusion, terminal_snr, terminal_words, "zero: rescaled so that the last timestep is pure noise"),
    WORD(diffusion, prediction, prediction_words, "what the networks learn: noise, x0 or v = signal noise - sigma x0"),
    KEY(training, steps, KEY_INT, 1, 1e8, "optimiser steps"),
    KEY(training, batch, KEY_INT, 1, 65536, "points a step"),
    KEY(training, learning_rate, KEY_REAL, 0, 1e30, "at step 0; cosine to 0 at the last"),
    KEY(training, beta1, KEY_REAL, 0, 0.9999999, "AdamW: decay of the mean gradient"),
    KEY(training, beta2, KEY_REAL, 0, 0.9999999, "AdamW: decay of the mean square"),
    KEY(training, epsilon, KEY_REAL, 1e-30, 1, "AdamW: added to the root of the mean square"),
    KEY(training, weight_decay, KEY_REAL, 0, 1e6, "AdamW: decoupled, on every parameter"),
    KEY(training, clip_norm, KEY_REAL, 1e-12, 1e30, "bound on the global gradient norm"),
    KEY(training, diversity_weight, KEY_REAL, 0, 1e6, "loss = MSE - weight * mean distance between pairs of a batch"),
    WORD(training, diversity_layer, layer_words, "of the predictions, or of the experts' last hidden layers"),
    WORD(training, diversity_distance, distance_words, "which distance"),
    KEY(training, diversity_scale, KEY_REAL, 1e-6, 1e6, "length scale of the distances rbf and log"),
    WORD(training, diversity_course, course_words, "the weight during training; cosine: falls to 0 at the last step"),
    KEY(training, min_snr_gamma, KEY_REAL, 0, 1e12,
        "bound of min-SNR loss weights; 0: every timestep has the same weight"),
    KEY(training, ema_decay, KEY_REAL, 0, 1, "upper bound of the moving average's decay"),
    KEY(training, ema_power, KEY_REAL, 0, 10, "its warm-up: decay = 1 - (1 + n)^-power"),
    KEY(training, ema_start, KEY_INT, 0, 1e8, "up to this step the average is a copy"),
    KEY(training, ema_every, KEY_INT, 1, 1e8, "steps between updates of the average"),
    KEEPING(training, checkpoint_every, KEY_INT, 1, 1e8, "steps between checkpoints"),
    KEEPING(training, keep_checkpoint, KEY_FLAG, 0, 1, "whether a finished run keeps its last checkpoint"),
    KEY(training, gate_every, KEY_INT, 1, 1e8, "steps between logged rows of gating weights"),
    WORD(training, precision, precision_words, "precision of matrix products on a GPU"),
    WORD(training, products, products_words, "who computes a GPU's float32 products: this program or NVIDIA's library"),
    KEY(sampling, steps, KEY_INT, 0, 10000, "timesteps used, evenly spaced; 0: all"),
    KEY(sampling, eta, KEY_REAL, 0, 1, "1: ancestral sampling, 0: DDIM, which adds no noise"),
    KEY(sampling, noise_factor, KEY_REAL, 0, 100, "factor on the predicted noise"),
    WORD(sampling, start, start_words, "x_T: normal, or training points noised to the last timestep"),
    KEY(evaluation, samples, KEY_INT, 1, 1e8, "points generated by the averaged model"),
    KEY(evaluation, k, KEY_INT, 1, 1000, "neighbour of the KL estimate"),
    KEY(evaluation, heldout, KEY_INT, 1, 1e8, "fresh points for the held-out loss"),
    KEY(evaluation, reference, KEY_INT, 0, 1e9,
        "most training points that metrics compare with, evenly spaced; 0: all"),
    KEY(data, points, KEY_INT, 2, 1e9, "size of a generated training set"),
    KEY(data, seed, KEY_SEED, 0, 9007199254740992., "of the generator"),
    KEY(data, dimensions, KEY_INT, 0, DD_MAX_DIMENSIONS, "of a generated set that has any; 0: the set's own number"),
    KEY(data, modes, KEY_INT, 0, DD_MOST_MODES, "of gaussians, hypercube and subspaces; 0: the set's own number"),
    KEY(data, rank, KEY_INT, 0, DD_MAX_DIMENSIONS - 1, "dimensions of each of the subspaces; 0: the set's own number"),
    WORD_SINCE(data, scale, scale_words, "none", "of a file's columns: standard: mean 0, deviation 1; auto: for files"),
    KEY_SINCE(data, heldout_share, KEY_REAL, 0, .5, "0.0", "of a file's rows: kept out of training, to measure on"),
};

enum { KEYS = sizeof keys / sizeof *keys };

static const char *const section_names[] = {"model", "diffusion", "training", "sampling", "evaluation", "data"};
enum { SECTIONS = sizeof section_names / sizeof *section_names };

static const void *member(const dd_config *config, const key_info *key)
{
    return (const char *)config + key->offset;
}
static void *member_of(dd_config *config, const key_info *key)
{
    return (char *)config + key->offset;
}

int dd_config_dimensions(const dd_config *config)
{
    return config->data.dimensions ? config->data.dimensions : 2;
}

int dd_config_key(int i, const char **section, const char **key)
{
    if (i < 0 || i >= KEYS)
        return 0;
    *section = keys[i].section;
    *key = keys[i].key;
    return 1;
}

void dd_config_defaults(dd_config *config)
{
    *config = (dd_config){
        .model = {.experts = 2,
                  .embedding = DD_EMBED_SINUSOIDAL,
                  .fourier_features = 256,
                  .embedding_width = 128,
                  .input_scale = 25,
                  .time_scale = 1,
                  .hidden_width = 256,
                  .hidden_depth = 3,
                  .gate_layers = {.count = 1, .width = {256}},
                  .activation = DD_RELU},
        .diffusion = {.timesteps = 100, .schedule = DD_BETA_LINEAR, .beta_start = 1e-4, .beta_end = .02},
        .training = {.steps = 10000,
                     .batch = 256,
                     .learning_rate = 3e-4,
                     .beta1 = .9,
                     .beta2 = .999,
                     .epsilon = 1e-8,
                     .weight_decay = .01,
                     .clip_norm = .5,
                     .diversity_scale = 1,
                     .ema_decay = .995,
                     .ema_power = 2. / 3.,
                     .ema_start = 100,
                     .ema_every = 10,
                     .checkpoint_every = 1000,
                     .gate_every = 1},
        .sampling = {.eta = 1, .noise_factor = 1},
        .evaluation = {.samples = 10000, .k = 5, .heldout = 25600},
        .data = {.points = 100000, .seed = 42, .heldout_share = .1},
    };
}

dd_status dd_config_before(dd_config *config)
{
    char assignment[128];
    dd_config_defaults(config);
    for (int i = 0; i < KEYS; i++) {
        if (!keys[i].before)
            continue;
        snprintf(assignment, sizeof assignment, "%s.%s=%s", keys[i].section, keys[i].key, keys[i].before);
        DD_TRY(dd_config_set(config, assignment));
    }
    return DD_OK;
}

/* ---- reading ---- */

typedef dd_config_reading reading;

static const char *place(const reading *r, const dd_toml_value *v, char *out)
{
    return dd_toml_place(r->origin, v->line, v->column, out);
}

static dd_status fail_at(const reading *r, const dd_toml_value *v, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static dd_status fail_at(const reading *r, const dd_toml_value *v, const char *format, ...)
{
    char text[512], at[DD_TOML_PLACE];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dd_fail(DD_ERR_CONFIG, "%s: %s%s%s%s: %s", r->origin, place(r, v, at), v->section, *v->section ? "." : "",
                   v->key, text);
}

static dd_status check_section(const reading *r, const dd_toml_value *v)
{
    for (int i = 0; i < SECTIONS; i++)
        if (!strcmp(section_names[i], v->section))
            return DD_OK;
    char at[DD_TOML_PLACE], near[DD_SUGGESTION];
    if (!*dd_suggest(v->section, section_names, SECTIONS, near))
        snprintf(near, sizeof near,
                 "; the sections are [model], [diffusion], [training], [sampling], [evaluation] and [data]");
    return dd_fail(DD_ERR_CONFIG, "%s: %sunknown section [%s]%s", r->origin, place(r, v, at), v->section, near);
}

static dd_status unknown_key(const reading *r, const dd_toml_value *v)
{
    const char *names[KEYS + 1] = {"base"};
    int count = !*v->section;
    if (!strcmp(v->key, "base"))
        return fail_at(r, v, "only a configuration file may have a base, and it must be above the first [section]");
    for (int i = 0; i < KEYS; i++) {
        if (!strcmp(keys[i].key, v->key))
            return fail_at(r, v, "this key belongs to section [%s]", keys[i].section);
        if (!*v->section || !strcmp(keys[i].section, v->section))
            names[count++] = keys[i].key;
    }
    char near[DD_SUGGESTION];
    dd_suggest(v->key, names, count, near);
    return fail_at(r, v, "unknown key%s", *near ? near : "; configs/run_1.toml contains all keys");
}

static dd_status out_of_range(const reading *r, const dd_toml_value *v, const key_info *key, double value)
{
    return fail_at(r, v, "%.15g is out of range; it must be from %.15g to %.15g", value, key->least, key->most);
}

static dd_status read_word(const reading *r, const dd_toml_value *v, const key_info *key, int *out)
{
    char list[128] = "";
    int count = 0;
    for (; key->words[count]; count++) {
        if (!strcmp(key->words[count], v->string)) {
            *out = count;
            return DD_OK;
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", count ? ", " : "", key->words[count]);
    }
    char near[DD_SUGGESTION];
    return fail_at(r, v, "unknown word '%s'; use one of %s%s", v->string, list,
                   dd_suggest(v->string, key->words, count, near));
}

static dd_status read_widths(const reading *r, const dd_toml_value *v, const key_info *key, dd_widths *out)
{
    if (v->count > DD_MAX_HEAD)
        return fail_at(r, v, "%d layers; at most %d are possible", v->count, DD_MAX_HEAD);
    dd_widths widths = {.count = v->count};
    for (int i = 0; i < v->count; i++) {
        if ((double)v->integers[i] < key->least || (double)v->integers[i] > key->most)
            return out_of_range(r, v, key, (double)v->integers[i]);
        widths.width[i] = (int)v->integers[i];
    }
    *out = widths;
    return DD_OK;
}

static const key_info *find_key(const dd_toml_value *v)
{
    for (int i = 0; i < KEYS; i++)
        if (!strcmp(keys[i].section, v->section) && !strcmp(keys[i].key, v->key))
            return &keys[i];
    return NULL;
}

static bool has_type_of(const dd_toml_value *v, const key_info *key)
{
    switch (key->type) {
    case KEY_WORD:
        return v->type == DD_TOML_STRING;
    case KEY_WIDTHS:
        return v->type == DD_TOML_INTEGERS;
    case KEY_FLAG:
        return v->type == DD_TOML_BOOLEAN;
    case KEY_REAL:
        return v->type == DD_TOML_INTEGER || v->type == DD_TOML_FLOAT;
    default:
        return v->type == DD_TOML_INTEGER;
    }
}

static dd_status read_number(const reading *r, const dd_toml_value *v, const key_info *key, void *to)
{
    if (!(v->real >= key->least && v->real <= key->most))
        return out_of_range(r, v, key, v->real);
    if (key->type == KEY_INT)
        *(int *)to = (int)v->integer;
    else if (key->type == KEY_SEED)
        *(uint64_t *)to = (uint64_t)v->integer;
    else
        *(double *)to = v->real;
    return DD_OK;
}

static dd_status read_value(const reading *r, const dd_toml_value *v, const key_info *key)
{
    static const char *const wanted[] = {"an integer", "an integer",           "a number",
                                         "a string",   "an array of integers", "true or false"};
    void *to = member_of(r->config, key);
    if (!has_type_of(v, key))
        return fail_at(r, v, "%s, but %s is expected", v->type_name, wanted[key->type]);
    if (key->type == KEY_WORD)
        return read_word(r, v, key, to);
    if (key->type == KEY_WIDTHS)
        return read_widths(r, v, key, to);
    if (key->type != KEY_FLAG)
        return read_number(r, v, key, to);
    *(int *)to = (int)v->integer;
    return DD_OK;
}

dd_status dd_config_take(void *user, const dd_toml_value *v)
{
    const reading *r = user;
    if (*v->section)
        DD_TRY(check_section(r, v));
    if (!*v->key)
        return DD_OK;
    const key_info *key = find_key(v);
    return key ? read_value(r, v, key) : unknown_key(r, v);
}

dd_status dd_config_parse(const char *text, const char *origin, dd_config *config)
{
    dd_config read = *config; /* a file with an error changes nothing */
    reading r = {&read, origin};
    DD_TRY(dd_toml_parse(text, origin, dd_config_take, &r));
    *config = read;
    return DD_OK;
}

dd_status dd_config_set(dd_config *config, const char *assignment)
{
    const char *equals = strchr(assignment, '='), *dot = strchr(assignment, '.');
    if (!equals || !dot || dot > equals || dot == assignment || dot + 1 == equals || !equals[1] ||
        strchr(assignment, '\n'))
        return dd_fail(DD_ERR_USAGE, "--set %s: write section.key=value, for instance training.steps=2000", assignment);
    const char *value = equals + 1;
    bool bare = (*value >= 'a' && *value <= 'z') || (*value >= 'A' && *value <= 'Z');
    static const char *const literals[] = {"true", "false", "inf", "nan"};
    for (int i = 0; i < 4; i++)
        bare = bare && strcmp(value, literals[i]) != 0;
    char text[512], origin[300];
    int length = snprintf(text, sizeof text, "[%.*s]\n%.*s = %s%s%s\n", (int)(dot - assignment), assignment,
                          (int)(equals - dot - 1), dot + 1, bare ? "\"" : "", value, bare ? "\"" : "");
    if (length >= (int)sizeof text)
        return dd_fail(DD_ERR_USAGE, "--set %.40s...: too long", assignment);
    snprintf(origin, sizeof origin, "--set %.280s", assignment);
    dd_config changed = *config;
    DD_TRY(dd_config_parse(text, origin, &changed));
    *config = changed;
    return DD_OK;
}

dd_status dd_config_validate(const dd_config *c)
{
    if (c->model.fourier_features % 2)
        return dd_fail(DD_ERR_CONFIG, "model.fourier_features = %d must be even: half sines, half cosines",
                       c->model.fourier_features);
    if (c->model.embedding_width % 2)
        return dd_fail(DD_ERR_CONFIG, "model.embedding_width = %d must be even: half sines, half cosines",
                       c->model.embedding_width);
    if (c->model.experts > 1 && c->model.gate != DD_GATE_FIXED && c->model.gate_layers.count < 1)
        return dd_fail(DD_ERR_CONFIG, "model.gate_layers must have at least one layer if a gate is learned");
    if (c->diffusion.schedule != DD_BETA_COSINE && !(c->diffusion.beta_start < c->diffusion.beta_end))
        return dd_fail(DD_ERR_CONFIG, "diffusion.beta_start = %g must be below diffusion.beta_end = %g",
                       c->diffusion.beta_start, c->diffusion.beta_end);
    if (c->diffusion.terminal_snr == DD_TERMINAL_ZERO && c->diffusion.timesteps < 2)
        return dd_fail(DD_ERR_CONFIG, "diffusion.terminal_snr = \"zero\" needs at least 2 timesteps");
    if (c->diffusion.terminal_snr == DD_TERMINAL_ZERO && c->diffusion.prediction == DD_PREDICT_NOISE)
        return dd_fail(DD_ERR_CONFIG, "diffusion.prediction = \"noise\" cannot give x_0 when the last timestep is pure "
                                      "noise (diffusion.terminal_snr = \"zero\"); use \"v\" or \"x0\"");
    if (c->diffusion.terminal_snr == DD_TERMINAL_ZERO && c->sampling.noise_factor != 1.)
        return dd_fail(DD_ERR_CONFIG,
                       "sampling.noise_factor = %g: x_0 cannot be computed from the noise at the last timestep, which "
                       "is pure noise (diffusion.terminal_snr = \"zero\"); use 1",
                       c->sampling.noise_factor);
    if (c->diffusion.terminal_snr == DD_TERMINAL_ZERO && c->training.min_snr_gamma > 0.)
        return dd_fail(DD_ERR_CONFIG,
                       "training.min_snr_gamma = %g would give no weight to the last timestep, which is pure noise "
                       "(diffusion.terminal_snr = \"zero\"); use 0",
                       c->training.min_snr_gamma);
    if (c->training.diversity_layer == DD_DIVERSITY_OF_HIDDEN && c->training.diversity_distance == DD_DIVERSITY_L1)
        return dd_fail(DD_ERR_CONFIG, "training.diversity_distance = \"l1\" is not available with "
                                      "training.diversity_layer = \"hidden\"; use euclidean, squared, rbf or log");
    if (c->training.precision == DD_TF32X3 && c->training.products == DD_PRODUCTS_CUBLAS)
        return dd_fail(DD_ERR_CONFIG,
                       "training.precision = \"tf32x3\" needs training.products = \"own\": cuBLAS has no such "
                       "products");
    if (c->sampling.steps > c->diffusion.timesteps)
        return dd_fail(DD_ERR_CONFIG, "sampling.steps = %d exceeds diffusion.timesteps = %d", c->sampling.steps,
                       c->diffusion.timesteps);
    if (c->evaluation.k >= c->evaluation.samples)
        return dd_fail(DD_ERR_CONFIG, "evaluation.k = %d must be below evaluation.samples = %d", c->evaluation.k,
                       c->evaluation.samples);
    if (c->evaluation.reference && c->evaluation.k >= c->evaluation.reference)
        return dd_fail(DD_ERR_CONFIG, "evaluation.k = %d must be below evaluation.reference = %d (0: all points)",
                       c->evaluation.k, c->evaluation.reference);
    return DD_OK;
}

/* ---- printing and comparing ---- */

static void print_value(char *out, size_t size, const dd_config *config, const key_info *key)
{
    const void *from = member(config, key);
    char text[DD_FLOAT_TEXT];
    switch (key->type) {
    case KEY_INT:
        snprintf(out, size, "%d", *(const int *)from);
        break;
    case KEY_FLAG:
        snprintf(out, size, "%s", *(const int *)from ? "true" : "false");
        break;
    case KEY_SEED:
        snprintf(out, size, "%llu", (unsigned long long)*(const uint64_t *)from);
        break;
    case KEY_REAL:
        dd_float_text(*(const double *)from, text);
        snprintf(out, size, "%s", text);
        break;
    case KEY_WORD:
        snprintf(out, size, "\"%s\"", key->words[*(const int *)from]);
        break;
    case KEY_WIDTHS: {
        const dd_widths *widths = from;
        snprintf(out, size, "[");
        for (int i = 0; i < widths->count; i++)
            snprintf(out + strlen(out), size - strlen(out), "%s%d", i ? ", " : "", widths->width[i]);
        snprintf(out + strlen(out), size - strlen(out), "]");
        break;
    }
    }
}

char *dd_config_print(const dd_config *config)
{
    size_t size = 256 * (size_t)(KEYS + SECTIONS), length = 0;
    char *text = malloc(size), value[128];
    const char *section = "";
    for (int i = 0; i < KEYS && text; i++) {
        if (strcmp(section, keys[i].section)) {
            length += (size_t)snprintf(text + length, size - length, "%s[%s]\n", i ? "\n" : "", keys[i].section);
            section = keys[i].section;
        }
        print_value(value, sizeof value, config, &keys[i]);
        length += (size_t)snprintf(text + length, size - length, "%s = %s # %s\n", keys[i].key, value, keys[i].meaning);
    }
    return text;
}

char *dd_config_difference(const dd_config *a, const dd_config *b, const char *const *sections)
{
    size_t size = 384 * (size_t)KEYS, length = 0;
    char *text = malloc(size), here[128], there[128];
    if (text)
        *text = '\0';
    for (int i = 0; i < KEYS && text; i++) {
        int asked = 0;
        if (keys[i].keeping)
            continue;
        for (int s = 0; sections[s]; s++)
            asked |= !strcmp(sections[s], keys[i].section);
        if (!asked)
            continue;
        print_value(here, sizeof here, a, &keys[i]);
        print_value(there, sizeof there, b, &keys[i]);
        if (strcmp(here, there))
            length += (size_t)snprintf(text + length, size - length, "%s.%s: %s here, %s there\n", keys[i].section,
                                       keys[i].key, here, there);
    }
    return text;
}
