/* Datasets from C: names, that a point depends on (seed, stream, index) alone, streams, checksums. Their
 * distributions and the readers of files are checked in test_dataset_definitions.py and test_dataset_files.py. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "data/dataset.h"
#include "data/generators.h"

static dd_points make(const char *name, uint32_t n, uint64_t seed, dd_stream stream)
{
    dd_points points;
    CHECK_OK(dd_points_open(name, n, seed, stream, &points));
    return points;
}

/* How many coordinates of the first n points are equal. */
static uint32_t equal(const dd_points *a, const dd_points *b, uint32_t n)
{
    uint32_t count = 0, dimensions = (uint32_t)a->columns.count;
    for (uint32_t i = 0; i < dimensions * n; i++)
        count += a->x[i] == b->x[i];
    return count;
}

static void check_determinism(const char *name, const char *label)
{
    enum { N = 5000, FEWER = 1000 };
    dd_points a = make(name, N, 42, DD_STREAM_TRAIN), again = make(name, N, 42, DD_STREAM_TRAIN);
    CHECK(a.n == N && a.generated && !strcmp(a.name, label) && !strcmp(a.set, name), "%s: %u points named %s", name,
          a.n, a.name);
    uint32_t dimensions = (uint32_t)a.columns.count;
    CHECK(!memcmp(a.x, again.x, dimensions * N * sizeof *a.x), "%s: not the same twice", name);
    CHECK(a.checksum == again.checksum, "%s: checksum", name);

    dd_points heldout = make(name, N, 42, DD_STREAM_HELDOUT), seed = make(name, N, 43, DD_STREAM_TRAIN);
    dd_points high = make(name, N, 42 + (1ull << 40), DD_STREAM_TRAIN);
    /* Two continuous draws agree in a float32 by chance about once in 10^6. */
    CHECK(equal(&a, &heldout, N) < 5, "%s: held-out points equal training points", name);
    CHECK(equal(&a, &seed, N) < 5, "%s: seeds 42 and 43 give equal points", name);
    CHECK(equal(&a, &high, N) < 5, "%s: the seed's upper half is not used", name);
    CHECK(a.checksum != heldout.checksum && a.checksum != seed.checksum, "%s: checksums do not differ", name);

    dd_points fewer = make(name, FEWER, 42, DD_STREAM_TRAIN);
    if (strcmp(name, "moons")) /* whose angles are spread over n */
        CHECK(equal(&a, &fewer, FEWER) == dimensions * FEWER, "%s: points depend on n", name);
    CHECK(a.checksum != fewer.checksum, "%s: checksum does not see n", name);
    for (uint32_t i = 0; i < dimensions * N; i++)
        CHECK(isfinite(a.x[i]), "%s: coordinate %u is %g", name, i, a.x[i]);

    dd_points_free(&a);
    CHECK(!a.x && !a.n, "freed");
    dd_points_free(&again);
    dd_points_free(&heldout);
    dd_points_free(&seed);
    dd_points_free(&high);
    dd_points_free(&fewer);
}

static void check_names(void)
{
    static const char *const cases[][2] = {
        {"dino", "dino"},
        {"my.csv", "my"},
        {"dir.x/my.points.csv", "my.points"},
        {"/a/b/my", "my"},
        {"a/.csv", ".csv"},
        {"a/set.h5:/group/points", "set"},
        {"a/set.hdf5:/points.x", "set"},
    };
    char name[64];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dd_points_name(cases[i][0], NULL, name);
        CHECK(!strcmp(name, cases[i][1]), "%s is named %s", cases[i][0], name);
    }
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    dd_points_name(longer, NULL, name);
    CHECK(strlen(name) == 63, "a long name has %zu letters", strlen(name));
    int count = 0;
    for (; dd_generators[count]; count++)
        CHECK(!count || strcmp(dd_generators[count - 1]->name, dd_generators[count]->name) < 0, "names are not sorted");
    CHECK(count >= 25, "%d generators", count);
    const char *names[DD_MOST_GENERATORS];
    CHECK(dd_generator_names(DD_KIND_EXPERIMENT, names) == 4, "the experiment has four sets");
    for (int i = 0; i < 4; i++)
        CHECK(!strcmp(names[i], (const char *const[]){"circle", "dino", "line", "moons"}[i]), "%d: %s", i, names[i]);
}

/* FNV-1a over n in four bytes (little endian) and the coordinates, from the definition. */
static void check_checksum(void)
{
    static const unsigned char bytes[4] = {3, 0, 0, 0};
    dd_points points = make("moons", 3, 42, DD_STREAM_TRAIN);
    uint64_t sum = 14695981039346656037u;
    for (size_t i = 0; i < 4; i++)
        sum = (sum ^ bytes[i]) * 1099511628211u;
    for (size_t i = 0; i < 3 * 2 * sizeof(float); i++)
        sum = (sum ^ ((const unsigned char *)points.x)[i]) * 1099511628211u;
    CHECK(sum == points.checksum, "checksum %016llx", (unsigned long long)points.checksum);
    dd_points_free(&points);
}

int main(void)
{
    for (int i = 0; dd_generators[i]; i++)
        if (!dd_generators[i]->family)
            check_determinism(dd_generators[i]->name, dd_generators[i]->name);
    check_determinism("gaussians", "gaussians_d8");
    check_determinism("subspaces", "subspaces_d8");
    check_determinism("hypercube", "hypercube_d3");
    check_determinism("embedded:dino", "embedded_dino_d16");
    check_names();
    check_checksum();
    return check_report();
}
