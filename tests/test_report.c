/* Statistics over seeds, floats as text, final_info.json, and tables, from entries made here. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/philox.h"
#include "base/statistics.h"
#include "check.h"
#include "compare/final_info.h"
#include "compare/results_scan.h"
#include "compare/table.h"
#include "metrics/metrics.h"

/* ---- numbers ---- */

static void check_statistics(void)
{
    const double value[] = {3., NAN, 5., 10., INFINITY};
    dd_summary s = dd_summarise(value, 5, sizeof *value);
    CHECK(s.n == 3 && s.mean == 6., "n %d, mean %g", s.n, s.mean);
    CHECK(fabs(s.sd - sqrt(13.)) < 1e-15, "sd %.17g, expected sqrt(26 / 2)", s.sd);
    CHECK(fabs(s.standard_error - sqrt(13. / 3.)) < 1e-15, "standard error %.17g", s.standard_error);
    s = dd_summarise(value, 2, sizeof *value);
    CHECK(s.n == 1 && s.mean == 3. && isnan(s.sd) && isnan(s.standard_error), "one value: sd %g", s.sd);
    s = dd_summarise(value + 1, 1, sizeof *value);
    CHECK(s.n == 0 && isnan(s.mean), "no value: mean %g", s.mean);
    s = dd_summarise(value, 2, 2 * sizeof *value);
    CHECK(s.n == 2 && s.mean == 4., "every other value: mean %g", s.mean);
}

static void check_float_text(void)
{
    static const struct {
        double value;
        const char *text;
    } known[] = {{0., "0.0"},
                 {-0., "-0.0"},
                 {.1, "0.1"},
                 {100., "100.0"},
                 {1e15, "1000000000000000.0"},
                 {1e16, "1e+16"},
                 {1e-4, "0.0001"},
                 {1e-5, "1e-05"},
                 {1.5e-7, "1.5e-07"},
                 {.1 + .2, "0.30000000000000004"},
                 {48.47419357299805, "48.47419357299805"},
                 {5e-324, "5e-324"},
                 {-1.7976931348623157e308, "-1.7976931348623157e+308"}};
    char text[DD_FLOAT_TEXT];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        dd_float_text(known[i].value, text);
        CHECK(!strcmp(text, known[i].text), "%.17g as %s, expected %s", known[i].value, text, known[i].text);
    }
    int wrong = 0;
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t w[4];
        double value;
        dd_philox(1, DD_DRAW_DATA, 0, i, w);
        memcpy(&value, w, sizeof value);
        if (!isfinite(value))
            continue;
        dd_float_text(value, text);
        wrong += strtod(text, NULL) != value;
    }
    CHECK(wrong == 0, "%d floats do not read back", wrong);
}

/* ---- entries ---- */

static dd_entry entry(const char *run, const char *dataset, uint64_t seed, double kl)
{
    dd_entry e = {.path = "", .run = (char *)run, .seed = seed};
    for (int i = 0; i < DD_METRICS; i++)
        *dd_metric(&e.metrics, i) = NAN;
    e.metrics.training_time = 40. + (double)seed;
    e.metrics.eval_loss = .5;
    e.metrics.inference_time = .25;
    e.metrics.kl_divergence = kl;
    e.metrics.kl_zero_distances = 0.;
    snprintf(e.dataset, sizeof e.dataset, "%s", dataset);
    return e;
}

static char *table_text(const dd_entry *e, int count, const dd_table_options *options)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    CHECK_OK(dd_table_print(out, &(dd_entries){.count = count, .entry = (dd_entry *)e}, options));
    fclose(out);
    return text;
}

static void expect_table(const char *what, const dd_entry *e, int count, dd_table_format format, const char *expected)
{
    char *text = table_text(e, count, &(dd_table_options){.format = format});
    CHECK(!strncmp(text, expected, strlen(expected)), "%s:\n%s\nexpected:\n%s", what, text, expected);
    free(text);
}

static void check_tables(void)
{
    /* Seeds of dino: mean 1.05, sd sqrt(.005) = .0707. */
    const dd_entry seeds[] = {entry("run_0", "dino", 0, 1.), entry("run_0", "dino", 1, 1.1),
                              entry("run_1", "dino", 0, .8), entry("run_1", "dino", 1, .8)};
    expect_table("two seeds", seeds, 4, DD_TABLE_TEXT,
                 "Mean ± standard deviation over 2 seeds (n = 2).\n\n"
                 "kl_divergence [bit]: nearest-neighbour estimate of KL(real || generated)\n"
                 "run     dino\n"
                 "run_0   1.050  ± 0.071\n"
                 "run_1   0.8000 ± 0.0000\n\n"
                 "eval_loss [1]: mean squared error of the predicted noise on the training set\n"
                 "run     dino\n"
                 "run_0   0.5000 ± 0.0000\n"
                 "run_1   0.5000 ± 0.0000\n\n"
                 "training_time [s]: wall time of training, of the ensemble / replicas\n"
                 "run     dino\n"
                 "run_0   40.50 ± 0.71\n"
                 "run_1   40.50 ± 0.71\n");
    const dd_entry one[] = {entry("a|b", "circle", 3, -.0821), entry("run_1", "dino", 0, .873)};
    expect_table("one seed", one, 2, DD_TABLE_MARKDOWN,
                 "One seed each (n = 1), so no standard deviation.\n\n"
                 "**kl_divergence** [bit]: nearest-neighbour estimate of KL(real || generated)\n\n"
                 "| run | circle | dino |\n"
                 "|---|---|---|\n"
                 "| a\\|b | -0.08210 | - |\n"
                 "| run_1 | - | 0.8730 |\n");
    const dd_entry mixed[] = {seeds[0], seeds[1], entry("run_1", "dino", 0, .8), entry("run_1", "line", 0, 10.25)};
    expect_table("mixed", mixed, 4, DD_TABLE_TEXT,
                 "Mean ± standard deviation over seeds, their number in parentheses.\n\n"
                 "kl_divergence [bit]: nearest-neighbour estimate of KL(real || generated)\n"
                 "run     dino                 line\n"
                 "run_0   1.050  ± 0.071 (2)    -\n"
                 "run_1   0.8000         (1)   10.25 (1)\n");
    expect_table("CSV", mixed, 4, DD_TABLE_CSV,
                 "run,dataset,metric,unit,mean,sd,n\n"
                 "run_0,dino,training_time,s,40.5,0.7071067811865476,2\n"
                 "run_0,dino,eval_loss,1,0.5,0.0,2\n"
                 "run_0,dino,inference_time,s,0.25,,2\n"
                 "run_0,dino,kl_divergence,bit,1.05,0.07071067811865482,2\n"
                 "run_0,dino,kl_zero_distances,1,0.0,0.0,2\n"
                 "run_1,dino,training_time,s,40.0,,1\n");
    const dd_entry quoted[] = {entry("a,\"b\"", "x", 0, .5)};
    expect_table("CSV with quotes", quoted, 1, DD_TABLE_CSV,
                 "run,dataset,metric,unit,mean,sd,n\n\"a,\"\"b\"\"\",x,training_time,s,40.0,,1\n");
}

/* Captured modes are shown with the number of modes. If the user names metrics, the table has only these. */
static void check_modes(void)
{
    dd_entry e[] = {entry("a", "dino", 0, 1.), entry("a", "line", 0, 1.), entry("b", "dino", 0, 1.),
                    entry("b", "dino", 1, 1.)};
    for (int i = 0; i < 4; i++)
        e[i].metrics.coverage = .5;
    e[0].metrics.modes = e[2].metrics.modes = e[3].metrics.modes = 142.;
    e[0].metrics.modes_captured = 142.;
    e[2].metrics.modes_captured = 90.;
    e[3].metrics.modes_captured = 100.;
    static const char captured[] = "modes with at least a fifth of their share in high-quality samples";
    char expected[1024], *text;
    snprintf(expected, sizeof expected,
             "Mean ± standard deviation over seeds, their number in parentheses.\n\n"
             "coverage [1]: Naeem et al. 2020, k = 5; .97 for the true distribution\n"
             "run   dino                  line\n"
             "a     0.5000          (1)   0.5000 (1)\n"
             "b     0.5000 ± 0.0000 (2)   -\n\n"
             "modes_captured [1]: %s\n"
             "run   dino                     line\n"
             "a     142         of 142 (1)   -\n"
             "b      95.0 ± 7.1 of 142 (2)   -\n",
             captured);
    text =
        table_text(e, 4,
                   &(dd_table_options){.format = DD_TABLE_TEXT,
                                       .metrics = 2,
                                       .metric = {dd_metric_number("coverage"), dd_metric_number("modes_captured")}});
    CHECK(!strcmp(text, expected), "metrics asked for:\n%s\nexpected:\n%s", text, expected);
    free(text);
    text = table_text(e, 1, &(dd_table_options){.format = DD_TABLE_MARKDOWN});
    snprintf(expected, sizeof expected, "**modes_captured** [1]: %s\n\n| run | dino |\n|---|---|\n| a | 142 of 142 |\n",
             captured);
    CHECK(strstr(text, expected), "Markdown:\n%s\nhas not:\n%s", text, expected);
    CHECK(!strstr(text, "coverage"), "coverage is shown unasked:\n%s", text);
    free(text);
    text = table_text(e, 1, &(dd_table_options){.format = DD_TABLE_CSV});
    CHECK(strstr(text, "a,dino,coverage,1,0.5,,1\n"), "CSV:\n%s", text);
    free(text);
    CHECK(dd_metric_number("coverge") == -1, "a metric that is not there");
}

/* Each value is shown with its spread, also if other values of its column are much larger; a shared time has none. */
static void check_digits(void)
{
    dd_entry e[] = {entry("bad", "dino", 0, 20.), entry("bad", "dino", 1, 24.8), entry("good", "dino", 0, .0134),
                    entry("good", "dino", 1, .012)};
    for (int i = 0; i < 4; i++) {
        e[i].metrics.training_time = i < 2 ? 124.9 : 100. + i;
        e[i].metrics.mmd_squared = 1e-6 * (1 + i);
    }
    dd_table_options options = {.format = DD_TABLE_TEXT, .metrics = 3};
    options.metric[0] = dd_metric_number("kl_divergence");
    options.metric[1] = dd_metric_number("training_time");
    options.metric[2] = dd_metric_number("mmd_squared");
    char *text = table_text(e, 4, &options);
    for (int i = 0; i < 6; i++) {
        static const char *const rows[] = {
            "bad    22.4     ± 3.4\n", "good    0.01270 ± 0.00099\n",      "bad    124.9\n",
            "good   102.50 ± 0.71\n",  "bad    0.00000150 ± 0.00000071\n", "good   0.00000350 ± 0.00000071\n"};
        CHECK(strstr(text, rows[i]), "%s\nhas no row:\n%s", text, rows[i]);
    }
    free(text);
    static const struct {
        double mean, sd;
        int places;
    } cases[] = {{22., 3.4, 1},   {.0134, .0012, 4}, {5., 300., 0},  {.0134, NAN, 5},
                 {1234.5, 0., 0}, {0., 0., 0},       {.5, 1e-17, 4}, {1e-20, 0., 9}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int places = dd_decimals(cases[i].mean, cases[i].sd);
        CHECK(places == cases[i].places, "%g ± %g: %d places", cases[i].mean, cases[i].sd, places);
    }
}

/* Every line of six runs x four datasets x five metrics fits a terminal of 100 columns, and so do many datasets
 * with long names. */
static void check_width(void)
{
    dd_entry e[6 * 7 * 5];
    static const char *const runs[] = {"run_0", "run_1", "run_2", "run_3", "run_4", "run_5"};
    static const char *const datasets[] = {"circle", "dino", "line", "moons", "a_long_name_of_data", "ünïcödé", "z"};
    for (int used = 4; used <= 7; used += 3) {
        int count = 0, column = 0, widest = 0, lines = 0;
        for (int run = 0; run < 6; run++)
            for (int d = 0; d < used; d++)
                for (uint64_t seed = 0; seed < 5; seed++) {
                    e[count] = entry(runs[run], datasets[d], seed, .1 * (double)(d + 1) + .01 * (double)seed);
                    e[count].metrics.heldout_loss = .6 + .001 * (double)seed;
                    e[count].metrics.training_time = 90. + 3. * (double)seed;
                    e[count].metrics.inference_time = 9. + .3 * (double)seed;
                    count++;
                }
        count -= used == 4; /* one seed less somewhere, so that the numbers of seeds are shown */
        char *text = table_text(e, count, &(dd_table_options){.format = DD_TABLE_TEXT});
        for (const char *c = text; *c; c++) {
            column = *c == '\n' ? 0 : column + ((*c & 0xC0) != 0x80);
            widest = column > widest ? column : widest;
            lines += *c == '\n';
        }
        CHECK(widest > 50 && widest <= 100, "%d datasets: %d columns", used, widest);
        CHECK(lines == (used == 4 ? 1 + 5 * 9 : 1 + 5 * (9 + 8)), "%d datasets: %d lines", used, lines);
        free(text);
    }
}

/* ---- final_info.json ---- */

static void check_final_info(void)
{
    char dir[] = "/tmp/test_report.XXXXXX", path[64], text[1024] = "";
    CHECK(mkdtemp(dir), "no temporary directory");
    snprintf(path, sizeof path, "%s/final_info.json", dir);
    dd_entry e[] = {entry("run_0", "a\"\\\n\xff\xc3\xa9\xe2\x82", 0, 2.), entry("run_0", "dino", 0, 1.),
                    entry("run_0", "dino", 1, 1.5)};
    e[0].metrics.kl_divergence = NAN;
    e[2].metrics.inference_time = NAN;
    CHECK_OK(dd_final_info_write_entries(dir, e, 3));
    FILE *file = fopen(path, "r");
    CHECK(file && fread(text, 1, sizeof text - 1, file) > 0, "%s was not written", path);
    if (file)
        fclose(file);
    static const char expected[] =
        "{\"a\\\"\\\\\\u000a\\ufffd\xc3\xa9\\ufffd\\ufffd\": {\"means\": {\"training_time\": 40.0, \"eval_loss\": 0.5, "
        "\"inference_time\": 0.25}}, "
        "\"dino\": {\"means\": {\"training_time\": 40.5, \"eval_loss\": 0.5, \"inference_time\": 0.25, "
        "\"kl_divergence\": 1.25}, "
        "\"stderrs\": {\"training_time\": 0.5, \"eval_loss\": 0.0, \"kl_divergence\": 0.25}}}";
    CHECK(!strcmp(text, expected), "%s\nexpected\n%s", text, expected);
    unlink(path);
    CHECK(dd_final_info_write(dir, NULL, NULL) == DD_ERR_IO && strstr(dd_error_message(), dir),
          "a directory without results: %s", dd_error_message());
    CHECK(access(path, F_OK), "%s was made of nothing", path);
    rmdir(dir);
    CHECK(dd_final_info_write_entries(dir, e, 3) == DD_ERR_IO, "a directory that is not there");
}

int main(void)
{
    check_statistics();
    check_float_text();
    check_tables();
    check_digits();
    check_modes();
    check_width();
    check_final_info();
    return check_report();
}
