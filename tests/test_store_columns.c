/* Columns in files: points of five dimensions with names of their own, in each kind of file; files that are forged. */
#include <hdf5.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "stored_run.h"

enum { D = 5, N = 40 };

static char folder[64] = "/tmp/test_store_columns.XXXXXX";
static const char *const names[D] = {"mass [kg]", "a,b", "say \"x\"",
                                     "Gr\xC3\xB6\xC3\x9F"
                                     "e",
                                     "x5"};

static const char *in_folder(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void use_columns(stored_run *r)
{
    dd_columns_plain(&r->columns, D);
    for (int c = 0; c < D; c++)
        snprintf(r->columns.column[c].name, DD_COLUMN_NAME, "%s", names[c]);
}

static void fill(float x[N * D])
{
    for (int i = 0; i < N * D; i++)
        x[i] = (float)i / 4.f;
}

static void check_names(const dd_columns *columns)
{
    CHECK(columns->count == D, "%d columns", columns->count);
    for (int c = 0; c < D; c++)
        CHECK(!strcmp(columns->column[c].name, names[c]), "column %d is '%s'", c, columns->column[c].name);
}

/* A result without a network, which is read back. */
static void check_result(stored_run *r, const float *x)
{
    const char *path = in_folder("seed_0.h5");
    dd_result result = {.samples = N, .x = x, .initial_noise = x};
    dd_header header;
    float *read = NULL;
    uint32_t n = 0;
    CHECK_OK(dd_result_write_samples(path, &r->run, &result, "points of a test"));
    CHECK_OK(dd_header_read(path, &header));
    check_names(&header.columns);
    CHECK_OK(dd_result_read_samples(path, &read, &n));
    CHECK(n == N && !memcmp(read, x, N * D * sizeof *x), "%u samples come back", n);
    free(read);
}

static void check_log(stored_run *r)
{
    dd_header header;
    CHECK_OK(stored_run_log(r, in_folder("log.h5"), 10));
    CHECK_OK(dd_header_read(in_folder("log.h5"), &header));
    check_names(&header.columns);
    CHECK_OK(dd_header_matches(&header, &r->run, "log.h5"));
    dd_columns three;
    dd_columns_plain(&three, 3);
    dd_run other = r->run;
    other.columns = &three;
    CHECK(dd_header_matches(&header, &other, "log.h5") == DD_ERR_CONFLICT &&
              strstr(dd_error_message(), "points of 5 dimensions, with the columns mass [kg], "),
          "%s", dd_error_message());
}

static void check_text(const char *name, const char *expected)
{
    char text[512] = "";
    FILE *file = fopen(in_folder(name), "r");
    CHECK(file && fread(text, 1, sizeof text - 1, file) > 0, "%s", name);
    if (file)
        fclose(file);
    CHECK(!strncmp(text, expected, strlen(expected)), "%s begins with %.200s", name, text);
}

static void check_samples(const stored_run *r, const float *x)
{
    float gate[2 * N] = {0};
    CHECK_OK(dd_samples_write(in_folder("x.csv"), &r->run, x, gate, 2, N));
    check_text("x.csv", "mass [kg],\"a,b\",\"say \"\"x\"\"\",Gr\xC3\xB6\xC3\x9F"
                        "e,x5,gate1,gate2\n0,0.25,0.5,0.75,1,0,0\n1.25,");
    CHECK_OK(dd_samples_write(in_folder("x.npy"), &r->run, x, NULL, 0, N));
    FILE *file = fopen(in_folder("x.npy"), "r");
    char header[11 + DD_NPY_HEADER] = "";
    CHECK(file && fread(header, 1, sizeof header - 1, file) == sizeof header - 1, "a header");
    CHECK(strstr(header + 10, "'shape': (40, 5)"), "%s", header + 10);
    float first[D] = {0};
    CHECK(file && fread(first, sizeof *first, D, file) == D && !memcmp(first, x, sizeof first), "its first row");
    if (file)
        fclose(file);
}

/* Change what a file says about its columns: the attribute `dimensions`. */
static void forge(const char *path, uint64_t dimensions)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), attribute = H5Aopen(file, "dimensions", H5P_DEFAULT);
    H5Awrite(attribute, H5T_NATIVE_UINT64, &dimensions);
    H5Aclose(attribute);
    H5Fclose(file);
}

static void check_forged(void)
{
    const uint64_t wrong[] = {0, 4, 6, 129, UINT64_MAX};
    const char *path = in_folder("seed_0.h5");
    dd_header header;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        forge(path, wrong[i]);
        CHECK(dd_header_read(path, &header) == DD_ERR_IO && strstr(dd_error_message(), "seed_0.h5: damaged"), "%s",
              dd_error_message());
    }
}

int main(void)
{
    stored_run r;
    static float x[N * D];
    if (!mkdtemp(folder))
        return 1;
    CHECK_OK(stored_run_create(&r, NULL, 0, NULL));
    use_columns(&r);
    fill(x);
    check_result(&r, x);
    check_log(&r);
    check_samples(&r, x);
    check_forged();
    stored_run_free(&r);
    for (int i = 0; i < 4; i++)
        unlink(in_folder((const char *const[]){"seed_0.h5", "log.h5", "x.csv", "x.npy"}[i]));
    CHECK(!rmdir(folder), "the folder is empty");
    return check_report();
}
