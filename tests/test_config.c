/* Configuration: defaults, overrides, printing and comparing, and the message for every kind of wrong
 * input; the files of configs/, and the parameter counts of the six runs. */
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "config/config.h"
#include "model/model.h"
#include "model/schedule.h"

static const char *const all_sections[] = {"model", "diffusion", "training", "sampling", "evaluation", "data", NULL};

/* Whether two configurations agree in every key, down to the last bit of a real. */
static int same(const dd_config *a, const dd_config *b)
{
    char *first = dd_config_print(a), *second = dd_config_print(b);
    int equal = first && second && !strcmp(first, second);
    if (!equal)
        fprintf(stderr, "%s\nis not\n\n%s\n", first ? first : "(out of memory)", second ? second : "(out of memory)");
    free(first);
    free(second);
    return equal;
}

static dd_config defaults(void)
{
    dd_config config;
    dd_config_defaults(&config);
    return config;
}

/* ---- what is accepted ---- */

static void check_values(void)
{
    dd_config config = defaults();
    CHECK_OK(dd_config_parse("[model]\n"
                             "experts = 1\n"
                             "input_scale = 30 # an integer for a real\n"
                             "expert_head = [128, 64]\n"
                             "gate_layers = []\n"
                             "activation = \"silu\"\n"
                             "[training]\n"
                             "steps = 2_000\n"
                             "learning_rate = 1e-3\n"
                             "[data]\n"
                             "seed = 9007199254740992\n",
                             "test", &config));
    CHECK(config.model.experts == 1, "%d", config.model.experts);
    CHECK(config.model.input_scale == 30., "%g", config.model.input_scale);
    CHECK(config.model.expert_head.count == 2 && config.model.expert_head.width[0] == 128 &&
              config.model.expert_head.width[1] == 64,
          "expert_head");
    CHECK(config.model.gate_layers.count == 0, "gate_layers");
    CHECK(config.model.activation == DD_SILU, "%d", (int)config.model.activation);
    CHECK(config.training.steps == 2000, "%d", config.training.steps);
    CHECK(config.training.learning_rate == 1e-3, "%g", config.training.learning_rate);
    CHECK(config.data.seed == 9007199254740992u, "%llu", (unsigned long long)config.data.seed);
    /* What the text does not name stays. */
    CHECK(config.model.hidden_width == 256 && config.training.batch == 256 && config.evaluation.k == 5, "defaults");
}

/* Every word of every key, in the order of its enum. */
static void check_words(void)
{
    dd_config config = defaults();
    const struct {
        const char *key, *words[6];
        const void *value;
    } cases[] = {
        {"model.activation", {"relu", "gelu", "silu", "tanh"}, &config.model.activation},
        {"model.gate", {"learned", "hard", "fixed"}, &config.model.gate},
        {"model.embedding", {"sinusoidal", "fourier", "linear"}, &config.model.embedding},
        {"diffusion.schedule",
         {"linear", "quadratic", "cosine", "scaled_linear", "geometric"},
         &config.diffusion.schedule},
        {"diffusion.terminal_snr", {"kept", "zero"}, &config.diffusion.terminal_snr},
        {"diffusion.prediction", {"noise", "x0", "v"}, &config.diffusion.prediction},
        {"training.diversity_distance",
         {"euclidean", "squared", "l1", "rbf", "log"},
         &config.training.diversity_distance},
        {"training.diversity_layer", {"output", "hidden"}, &config.training.diversity_layer},
        {"training.diversity_course", {"constant", "cosine"}, &config.training.diversity_course},
        {"training.precision", {"float32", "tf32", "tf32x3"}, &config.training.precision},
        {"training.products", {"own", "cublas"}, &config.training.products},
        {"sampling.start", {"normal", "data"}, &config.sampling.start},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int count = 0, value;
        char text[64];
        memcpy(&value, cases[i].value, sizeof value);
        CHECK(value == 0, "%s is not %s by default", cases[i].key, cases[i].words[0]);
        for (; cases[i].words[count]; count++) {
            snprintf(text, sizeof text, "%s=%s", cases[i].key, cases[i].words[count]);
            CHECK_OK(dd_config_set(&config, text));
            memcpy(&value, cases[i].value, sizeof value);
            CHECK(value == count, "%s is %d", text, value);
        }
        snprintf(text, sizeof text, "%s=none", cases[i].key);
        CHECK(dd_config_set(&config, text) == DD_ERR_CONFIG, "%s", text);
        for (int j = 0; j < count; j++)
            CHECK(strstr(dd_error_message(), cases[i].words[j]), "'%s' is not in '%s'", cases[i].words[j],
                  dd_error_message());
    }
}

static void check_overrides(void)
{
    dd_config config = defaults();
    CHECK_OK(dd_config_set(&config, "training.steps=2000"));
    CHECK_OK(dd_config_set(&config, "training.learning_rate = 1e-3"));
    CHECK_OK(dd_config_set(&config, "model.gate_layers=[256, 128]"));
    CHECK_OK(dd_config_set(&config, "diffusion.schedule=\"cosine\""));
    CHECK(config.training.steps == 2000 && config.training.learning_rate == 1e-3, "steps and learning rate");
    CHECK(config.model.gate_layers.count == 2 && config.model.gate_layers.width[1] == 128, "gate_layers");
    CHECK(config.diffusion.schedule == DD_BETA_COSINE, "schedule");
}

/* ---- what is refused ---- */

typedef struct refusal {
    const char *text;
    const char *say[4]; /* parts of the message */
} refusal;

static void check_message(const char *text, int status, int wanted, const char *const say[4])
{
    CHECK(status == wanted, "status %d, not %d, for:\n%s", status, wanted, text);
    for (int i = 0; i < 4 && say[i]; i++)
        CHECK(strstr(dd_error_message(), say[i]), "'%s' is not in '%s'", say[i], dd_error_message());
}

static void check_refusals(void)
{
    static const refusal cases[] = {
        {"[training]\nsteps = 1\nlearningrate = 1.0\n",
         {"my.toml: line 3, column 1: training.learningrate", "unknown key", "did you mean 'learning_rate'?"}},
        {"[training]\nmomentum = 1.0\n", {"line 2", "training.momentum: unknown key", "configs/"}},
        {"[training]\n\nhidden_width = 1\n", {"line 3", "belongs to section [model]"}},
        {"steps = 1\n", {"line 1", "steps", "belongs to section [training]"}},
        {"[modle]\nexperts = 1\n", {"line 1, column 2", "unknown section [modle]", "did you mean 'model'?"}},
        {"[model]\n[optimiser]\n", {"line 2", "unknown section [optimiser]", "[training]"}},
        {"[model]\n[model.deeper]\nexperts = 2\n", {"line 2", "model.deeper", "unknown key"}},
        {"[training]\nsteps = \"many\"\n", {"line 2", "training.steps: a string, but an integer is expected"}},
        {"[training]\nsteps = 1.5\n", {"line 2", "training.steps: a float, but an integer is expected"}},
        {"[training]\nlearning_rate = true\n", {"line 2", "a boolean, but a number is expected"}},
        {"[training]\nkeep_checkpoint = 1\n", {"line 2", "an integer, but true or false is expected"}},
        {"[model]\nactivation = 3\n", {"line 2", "an integer, but a string is expected"}},
        {"[model]\nexpert_head = 128\n", {"line 2", "an integer, but an array of integers is expected"}},
        {"[model]\nexpert_head = [128, 1.5]\n", {"line 2", "an array, but an array of integers is expected"}},
        {"[model]\nexpert_head = [1, 2, 3, 4, 5]\n", {"line 2", "5 layers; at most 4"}},
        {"[model]\nexpert_head = [128, 0]\n", {"line 2", "0 is out of range", "from 1 to 8192"}},
        {"training = 3\n", {"line 1", "training", "unknown key"}},
        {"[training]\nsteps = 2020-01-01\n", {"line 2", "a date or time, but an integer is expected"}},
        {"[model]\nactivation = \"rellu\"\n",
         {"line 2", "unknown word 'rellu'", "relu, gelu, silu, tanh", "did you mean 'relu'?"}},
        {"[model]\nexperts = 9\n", {"line 2", "9 is out of range", "from 1 to 8"}},
        {"[model]\ngate = \"soft\"\n", {"line 2", "unknown word 'soft'", "learned, hard, fixed"}},
        {"[sampling]\neta = 1.5\n", {"line 2", "1.5 is out of range", "from 0 to 1"}},
        {"[sampling]\nstepz = 5\n", {"line 2", "sampling.stepz: unknown key", "did you mean 'steps'?"}},
        {"[sampling]\nprediction = \"v\"\n", {"line 2", "belongs to section [diffusion]"}},
        {"[smapling]\neta = 1\n", {"line 1", "unknown section [smapling]", "did you mean 'sampling'?"}},
        {"[training]\ndiversity_scale = 0\n", {"line 2", "0 is out of range", "from 1e-06"}},
        {"[training]\nsteps = 0\n", {"line 2", "0 is out of range", "from 1 to 100000000"}},
        {"[training]\nlearning_rate = -1e-3\n", {"line 2", "-0.001 is out of range", "from 0"}},
        {"[training]\nlearning_rate = nan\n", {"line 2", "nan is out of range"}},
        {"[training]\nlearning_rate = inf\n", {"line 2", "inf is out of range"}},
        {"[data]\npoints = 3000000000\n", {"line 2", "3000000000 is out of range"}},
        {"[data]\nseed = -1\n", {"line 2", "-1 is out of range", "from 0"}},
        {"[training]\nsteps = 1\nsteps = 2\n", {"my.toml: line 3", "steps"}},
        {"[training]\nsteps = \n", {"my.toml: line 2, column 9"}},
        {"[training\nsteps = 1\n", {"my.toml: line 1, column 10"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dd_config config = defaults(), before = config;
        int status = dd_config_parse(cases[i].text, "my.toml", &config);
        check_message(cases[i].text, status, DD_ERR_CONFIG, cases[i].say);
        CHECK(same(&config, &before), "a refused text left something behind:\n%s", cases[i].text);
    }
}

static void check_refused_overrides(void)
{
    static const refusal usage[] = {
        {"training.steps", {"--set training.steps: ", "section.key=value"}},
        {"steps=3", {"section.key=value"}},
        {"=3", {"section.key=value"}},
        {"training.=3", {"section.key=value"}},
        {".steps=3", {"section.key=value"}},
        {"training.steps=", {"section.key=value"}},
        {"training.steps=3\nbatch=4", {"section.key=value"}},
    };
    static const refusal values[] = {
        {"training.stesp=3", {"--set training.stesp=3: training.stesp: unknown key", "did you mean 'steps'?"}},
        {"trainnig.steps=3", {"unknown section [trainnig]", "did you mean 'training'?"}},
        {"training.steps=3.5", {"a float, but an integer is expected"}},
        {"training.steps=many", {"a string, but an integer is expected"}},
        {"training.learning_rate=nan", {"nan is out of range"}},
        {"model.activation=rellu", {"did you mean 'relu'?"}},
        {"model.gate_layers=[256", {"--set model.gate_layers=[256: "}},
    };
    for (size_t i = 0; i < sizeof usage / sizeof *usage; i++) {
        dd_config config = defaults();
        check_message(usage[i].text, dd_config_set(&config, usage[i].text), DD_ERR_USAGE, usage[i].say);
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        dd_config config = defaults(), before = config;
        check_message(values[i].text, dd_config_set(&config, values[i].text), DD_ERR_CONFIG, values[i].say);
        CHECK(same(&config, &before), "a refused override left something behind: %s", values[i].text);
    }
    char longer[2000] = "training.steps=";
    memset(longer + strlen(longer), '1', 1900);
    dd_config config = defaults();
    CHECK(dd_config_set(&config, longer) == DD_ERR_USAGE, "an endless override: %s", dd_error_message());
}

static void check_files(void)
{
    dd_config config;
    CHECK(dd_config_read("no/such.toml", &config) == DD_ERR_IO, "missing file");
    CHECK(strstr(dd_error_message(), "no/such.toml: No such file"), "%s", dd_error_message());
    CHECK(dd_config_read("/", &config) == DD_ERR_IO, "a directory");
    CHECK(strstr(dd_error_message(), "directory"), "%s", dd_error_message());

    char path[] = "/tmp/dualdiff_config_XXXXXX";
    int descriptor = mkstemp(path);
    FILE *file = descriptor < 0 ? NULL : fdopen(descriptor, "w");
    CHECK(file, "no temporary file");
    if (!file)
        return;
    fwrite("[model]\nexperts = 1\n\0[model]", 1, 28, file);
    fclose(file);
    CHECK(dd_config_read(path, &config) == DD_ERR_CONFIG, "a binary file");
    CHECK(strstr(dd_error_message(), path) && strstr(dd_error_message(), "NUL"), "%s", dd_error_message());
    remove(path);
}

/* ---- bases ---- */

static void write_file(const char *folder, const char *name, const char *text)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    CHECK(file && fputs(text, file) >= 0 && !fclose(file), "%s", path);
}

static dd_status read_file(const char *folder, const char *name, dd_config *config)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return dd_config_read(path, config);
}

/* A file's keys override those of its base, and those its base's; the path is seen from the file that names it. */
static void check_base(const char *folder)
{
    char text[1024];
    dd_config config, expected = defaults();
    write_file(folder, "first.toml", "[model]\nhidden_width = 64\n[training]\nsteps = 100\nbatch = 8\n");
    write_file(folder, "below/second.toml", "base = '../first.toml'\n[training]\nsteps = 200\nema_every = 3\n");
    write_file(folder, "third.toml", "training.batch = 16\nbase = \"below/second.toml\"\n[data]\nseed = 5\n");
    snprintf(text, sizeof text, "base = \"%s/third.toml\"\n", folder);
    write_file(folder, "below/fourth.toml", text);
    expected.model.hidden_width = 64;
    expected.training.steps = 200;
    expected.training.batch = 16;
    expected.training.ema_every = 3;
    expected.data.seed = 5;
    CHECK_OK(read_file(folder, "third.toml", &config));
    CHECK(same(&config, &expected), "three files, each based on the one before");
    CHECK_OK(read_file(folder, "below/fourth.toml", &config));
    CHECK(same(&config, &expected), "a base with an absolute path");
}

static void check_refused_bases(const char *folder)
{
    static const struct {
        const char *name, *text;
        int wanted;
        const char *say[4];
    } cases[] = {
        {"missing.toml",
         "# why\nbase = 'nobody.toml'\n",
         DD_ERR_IO,
         {"/missing.toml: line 2, column 1: base: ", "/nobody.toml: No such file", "dualdiff configs"}},
        {"folder.toml", "base = 'below'\n", DD_ERR_IO, {"/folder.toml: line 1, column 1: base: ", "directory"}},
        {"number.toml",
         "\nbase = 3\n",
         DD_ERR_CONFIG,
         {"/number.toml: line 2, column 1: base: an integer", "a string"}},
        {"late.toml",
         "[data]\nbase = 'first.toml'\n",
         DD_ERR_CONFIG,
         {"/late.toml: line 2", "above the first [section]"}},
        {"itself.toml",
         "base = 'below/../itself.toml'\n",
         DD_ERR_CONFIG,
         {"/itself.toml: line 1, column 1: base: a circle of bases: ", "/below/../itself.toml is itself based on "}},
        {"one.toml",
         "base = 'two.toml'\n",
         DD_ERR_CONFIG,
         {"/three.toml: line 3, column 1: base: a circle of bases: ", "/one.toml is itself based on ",
          "/three.toml; remove"}},
        {"wrong.toml",
         "base = 'below/typo.toml'\n[training]\nsteps = 0\n",
         DD_ERR_CONFIG,
         {"/below/typo.toml: line 2, column 1: training.stesp: unknown key"}},
        {"own.toml", "base = 'first.toml'\n[training]\nsteps = 0\n", DD_ERR_CONFIG, {"/own.toml: line 3, column 1: "}},
    };
    write_file(folder, "two.toml", "base = 'three.toml'\n");
    write_file(folder, "three.toml", "\n\nbase = 'one.toml'\n");
    write_file(folder, "below/typo.toml", "[training]\nstesp = 3\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dd_config config, before = defaults();
        write_file(folder, cases[i].name, cases[i].text);
        check_message(cases[i].text, read_file(folder, cases[i].name, &config), cases[i].wanted, cases[i].say);
        CHECK(same(&config, &before), "a refused file left something behind: %s", cases[i].name);
    }
}

static void check_bases(void)
{
    char folder[] = "/tmp/dualdiff_bases_XXXXXX", command[64];
    CHECK(mkdtemp(folder), "no temporary folder");
    snprintf(command, sizeof command, "mkdir %s/below", folder);
    CHECK(!system(command), "%s", command);
    check_base(folder);
    check_refused_bases(folder);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(!system(command), "%s", command);
    dd_config config = defaults();
    CHECK(dd_config_parse("base = 'configs/run_1.toml'\n", "stored", &config) == DD_ERR_CONFIG, "a base in text");
}

static void check_bounds_between_keys(void)
{
    static const refusal cases[] = {
        {"model.embedding_width=127", {"model.embedding_width = 127", "even"}},
        {"model.fourier_features=31", {"model.fourier_features = 31", "even"}},
        {"model.gate_layers=[]", {"model.gate_layers", "at least one"}},
        {"diffusion.beta_start=0.02", {"diffusion.beta_start = 0.02", "diffusion.beta_end = 0.02"}},
        {"diffusion.beta_end=1e-5", {"diffusion.beta_start"}},
        {"evaluation.samples=5", {"evaluation.k = 5", "evaluation.samples = 5"}},
        {"evaluation.reference=5", {"evaluation.k = 5", "evaluation.reference = 5"}},
        {"sampling.steps=101", {"sampling.steps = 101", "diffusion.timesteps = 100"}},
        {"diffusion.terminal_snr=zero",
         {"diffusion.prediction = \"noise\"", "diffusion.terminal_snr", "\"v\" or \"x0\""}},
    };
    dd_config config = defaults();
    CHECK_OK(dd_config_validate(&config));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        config = defaults();
        CHECK_OK(dd_config_set(&config, cases[i].text));
        check_message(cases[i].text, dd_config_validate(&config), DD_ERR_CONFIG, cases[i].say);
    }
    config = defaults();
    config.training.diversity_layer = DD_DIVERSITY_OF_HIDDEN;
    CHECK_OK(dd_config_validate(&config));
    config.training.diversity_distance = DD_DIVERSITY_L1;
    check_message("l1 of hidden layers", dd_config_validate(&config), DD_ERR_CONFIG,
                  (const char *const[4]){"\"l1\"", "\"hidden\"", "euclidean"});
    /* Settings that are impossible without any signal at the last timestep. */
    static const refusal without_signal[] = {
        {"diffusion.timesteps=1", {"diffusion.terminal_snr", "2 timesteps"}},
        {"sampling.noise_factor=0.9", {"sampling.noise_factor = 0.9", "pure noise", "use 1"}},
        {"training.min_snr_gamma=5", {"training.min_snr_gamma = 5", "no weight", "use 0"}},
    };
    for (size_t i = 0; i < sizeof without_signal / sizeof *without_signal; i++) {
        config = defaults();
        config.diffusion.terminal_snr = DD_TERMINAL_ZERO;
        config.diffusion.prediction = i ? DD_PREDICT_POINT : DD_PREDICT_V;
        CHECK_OK(dd_config_validate(&config));
        CHECK_OK(dd_config_set(&config, without_signal[i].text));
        check_message(without_signal[i].text, dd_config_validate(&config), DD_ERR_CONFIG, without_signal[i].say);
        config.diffusion.terminal_snr = DD_TERMINAL_KEPT;
        CHECK_OK(dd_config_validate(&config));
    }
    /* A gate without layers is allowed if no gate is learned, and so is a wrong beta range that is not used. */
    config = defaults();
    config.model.gate_layers.count = 0;
    config.model.gate = DD_GATE_FIXED;
    CHECK_OK(dd_config_validate(&config));
    config.model.gate = DD_GATE_HARD;
    CHECK(dd_config_validate(&config) == DD_ERR_CONFIG, "a hard gate without layers");
    config.model.experts = 1;
    CHECK_OK(dd_config_validate(&config));
    config.diffusion.schedule = DD_BETA_COSINE;
    config.diffusion.beta_start = .5;
    CHECK_OK(dd_config_validate(&config));
}

/* ---- printing and comparing ---- */

static void check_round_trip(void)
{
    static const double reals[] = {3e-4, .1, 1. / 3., 2. / 3., 1e-8, 123456.789, .30000000000000004, 1e23, 1e-5, 7};
    dd_config config = defaults();
    config.model.experts = 1;
    config.model.activation = DD_TANH;
    config.model.expert_head = (dd_widths){.count = 4, .width = {1, 22, 333, 4444}};
    config.model.gate_layers.count = 0;
    config.diffusion.schedule = DD_BETA_SCALED_LINEAR;
    config.diffusion.prediction = DD_PREDICT_V;
    config.sampling = (dd_sampling_config){.steps = 7, .eta = .25, .noise_factor = 1.05, .start = DD_START_DATA};
    config.training.steps = 12345;
    config.data.seed = 9007199254740991u;
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++) {
        config.training.learning_rate = reals[i];
        char *text = dd_config_print(&config);
        CHECK(text, "out of memory");
        dd_config back = defaults();
        CHECK_OK(dd_config_parse(text, "printed", &back));
        CHECK(back.training.learning_rate == reals[i], "%.17g became %.17g", reals[i], back.training.learning_rate);
        CHECK(same(&config, &back), "printed and read, it differs");
        free(text);
    }
    config = defaults();
    char *text = dd_config_print(&config);
    CHECK(strstr(text, "learning_rate = 0.0003 "), "the shortest form of 3e-4 in:\n%s", text);
    CHECK(strstr(text, "input_scale = 25.0 "), "a whole real stays a TOML float:\n%s", text);
    CHECK(strstr(text, "ema_power = 0.6666666666666666 "), "%s", text);
    free(text);
}

/* How wide the networks' input is for a point of 10 coordinates and a timestep of 128 numbers. */
static void check_inputs(void)
{
    static const char *const words[] = {"sinusoidal", "fourier", "linear"};
    static const int widths[] = {11 * 128, 300 + 128, 10 + 128};
    dd_config config = defaults();
    dd_model model;
    CHECK_OK(dd_config_set(&config, "model.fourier_features=300"));
    for (int i = 0; i < 3; i++) {
        char text[64];
        snprintf(text, sizeof text, "model.embedding=%s", words[i]);
        CHECK_OK(dd_config_set(&config, text));
        CHECK_OK(dd_model_create(&config.model, 10, &model));
        const dd_tower *expert = &model.tower[0];
        CHECK(model.input_width == widths[i] && expert->layer[0].in == widths[i], "%s: %d", words[i],
              model.input_width);
        CHECK(expert->layer[expert->layers - 1].out == 10, "%d outputs", expert->layer[expert->layers - 1].out);
    }
    CHECK(dd_model_create(&config.model, 0, &model) == DD_ERR_INTERNAL, "no dimensions");
    CHECK(dd_model_create(&config.model, DD_MAX_DIMENSIONS + 1, &model) == DD_ERR_INTERNAL, "too many dimensions");
}

static void check_difference(void)
{
    static const char *const training[] = {"training", NULL};
    dd_config a = defaults(), b = defaults();
    b.training.steps = 2000;
    b.training.learning_rate = nextafter(b.training.learning_rate, 1.);
    b.model.gate_layers = (dd_widths){.count = 2, .width = {256, 128}};
    b.model.expert_head.width[0] = 99; /* beyond count: no difference */
    b.sampling.start = DD_START_DATA;
    char *text = dd_config_difference(&a, &b, all_sections);
    CHECK(!strcmp(text, "model.gate_layers: [256] here, [256, 128] there\n"
                        "training.steps: 10000 here, 2000 there\n"
                        "training.learning_rate: 0.0003 here, 0.00030000000000000003 there\n"
                        "sampling.start: \"normal\" here, \"data\" there\n"),
          "%s", text);
    free(text);
    text = dd_config_difference(&a, &b, training);
    CHECK(!strncmp(text, "training.steps", 14), "%s", text);
    free(text);
    b = a;
    b.training.checkpoint_every = 7;
    b.training.keep_checkpoint = 1;
    text = dd_config_difference(&a, &b, all_sections);
    CHECK(text && !*text, "what is kept on the way is no difference: %s", text);
    free(text);
    text = dd_config_difference(&a, &a, all_sections);
    CHECK(text && !*text, "%s", text);
    free(text);
}

/* ---- the files of configs/ ---- */

/* run_1.toml writes every key out: from two different starting points it gives the same. Other files may lack keys that
 * are newer than they are; these have the defaults. */
static void check_complete(const char *path)
{
    dd_config config, other = {0};
    CHECK_OK(dd_config_read(path, &config));
    CHECK_OK(dd_config_overlay(path, &other));
    CHECK(same(&config, &other), "%s leaves keys to the defaults", path);
}

static void check_runs(void)
{
    static const struct {
        size_t parameters;
        double diversity_weight;
    } runs[] = {{296450, 0}, {691717, 0}, {724485, 0}, {789765, 0}, {789765, .1}, {789765, .05}};
    const char *source = getenv("DUALDIFF_SOURCE");
    dd_config expected = defaults();
    for (int i = 0; i < 6; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/configs/run_%d.toml", source ? source : ".", i);
        dd_config config;
        dd_model model;
        CHECK_OK(dd_config_read(path, &config));
        CHECK_OK(dd_config_validate(&config));
        CHECK_OK(dd_model_create(&config.model, 2, &model));
        CHECK(model.parameters == runs[i].parameters, "%s: %zu parameters", path, model.parameters);
        /* Except for the architecture, the runs differ only in the diversity weight. */
        expected.model = config.model;
        expected.training.diversity_weight = runs[i].diversity_weight;
        CHECK(same(&config, &expected), "%s differs from the experiment", path);
        if (i == 1)
            CHECK(same(&config, &(dd_config){.model = defaults().model,
                                             .diffusion = expected.diffusion,
                                             .training = expected.training,
                                             .sampling = expected.sampling,
                                             .evaluation = expected.evaluation,
                                             .data = expected.data}),
                  "the defaults are not run 1");
    }
}

/* All files of configs/. */
static void check_all_files(void)
{
    const char *source = getenv("DUALDIFF_SOURCE");
    char pattern[1024];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/configs/*.toml", source ? source : ".");
    CHECK(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc >= 6, "%s: no files", pattern);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        dd_config config;
        dd_model model;
        dd_schedule schedule;
        if (strstr(found.gl_pathv[i], "/run_1.toml"))
            check_complete(found.gl_pathv[i]);
        CHECK_OK(dd_config_read(found.gl_pathv[i], &config));
        CHECK_OK(dd_config_validate(&config));
        CHECK_OK(dd_model_create(&config.model, 2, &model));
        CHECK_OK(dd_schedule_create(&config, &schedule));
        dd_schedule_free(&schedule);
    }
    globfree(&found);
}

/* `before`, n times `part`, `after`; malloc'ed. */
static char *repeated(const char *before, const char *part, size_t n, const char *after)
{
    size_t length = strlen(part);
    char *text = malloc(strlen(before) + n * length + strlen(after) + 1), *end = text + strlen(before);
    strcpy(text, before);
    for (size_t i = 0; i < n; i++, end += length)
        memcpy(end, part, length);
    strcpy(end, after);
    return text;
}

/* Text is refused if the parser's recursion would be too deep, with the number of the line; other text is not. */
static void check_depth(void)
{
    static const struct {
        const char *before, *part;
        size_t n;
        const char *after, *say; /* NULL: nothing is wrong */
    } cases[] = {
        {"", "a.", 50000, "a = 1\n", "line 1: too many keys inside of keys"},
        {"[model]\nexperts = 2\n", "a.", 400000, "a = 1\n", "line 3: too many keys"},
        {"[", "a.", 50000, "a]\n", "line 1: too many keys"},
        {"[[", "a.", 50000, "a]]\n", "line 1: too many keys"},
        {"", "\"a\".", 50000, "a = 1\n", "line 1: too many keys"},
        {"\n\na = [\"\"\"x\"\"\"\"\", {", "a.", 50000, "a = 1}]\n", "line 3: too many keys"},
        {"a = [\"\\\"\", {", "a.", 50000, "a = 1}]\n", "too many keys"},
        {"a = ['\\', {", "a.", 50000, "a = 1}]\n", "too many keys"},
        {"a = ", "[", 200000, "", "line 1: too many brackets"},
        {"a = ", "[\n", 200, "", "line 101: too many brackets"},
        {"a = ", "{a=", 200000, "", "line 1: too many brackets"},
        {"", "#", 1 << 20, "\n", "1048577 bytes"},
        {"", "# ... [[[ {{{ it's \"\n", 40000, "", NULL},
        {"[model]\nactivation = \"relu\" # ", ".", 5000, "\n", NULL},
        {"[model]\nactivation = '''", "", 0, "relu''' # ''' [\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *text = repeated(cases[i].before, cases[i].part, cases[i].n, cases[i].after);
        dd_config config;
        dd_config_defaults(&config);
        int status = dd_config_parse(text, "deep.toml", &config);
        CHECK(status == (cases[i].say ? DD_ERR_CONFIG : DD_OK), "case %zu: %s", i, dd_error_message());
        if (cases[i].say)
            CHECK(strstr(dd_error_message(), "deep.toml: ") && strstr(dd_error_message(), cases[i].say), "case %zu: %s",
                  i, dd_error_message());
        free(text);
    }
}

int main(void)
{
    check_depth();
    check_values();
    check_words();
    check_overrides();
    check_refusals();
    check_refused_overrides();
    check_files();
    check_bases();
    check_bounds_between_keys();
    check_round_trip();
    check_inputs();
    check_difference();
    check_runs();
    check_all_files();
    return check_report();
}
