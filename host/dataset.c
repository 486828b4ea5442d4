/* The datasets that are made by name: the experiment's own, and the list of all. */
#include "dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataset_file.h"
#include "dino.h"
#include "error.h"
#include "generator.h"
#include "philox.h"

const char *const dd_dataset_names[] = {"bunny",
                                        "cat",
                                        "checkerboard",
                                        "circle",
                                        "dino",
                                        "dog",
                                        "eight_gaussians",
                                        "gorilla",
                                        "line",
                                        "moons",
                                        "music",
                                        "panda",
                                        "pi",
                                        "pinwheel",
                                        "python",
                                        "rings",
                                        "sheep",
                                        "soccer_ball",
                                        "superdatascience",
                                        "swiss_roll",
                                        "twentyfive_gaussians",
                                        "two_spirals",
                                        NULL};

const char *const dd_experiment_datasets[] = {"circle", "dino", "line", "moons", NULL};

static const double pi = 3.14159265358979323846;

void dd_source_block(const dd_source *s, uint32_t i, uint32_t j, uint32_t word[4])
{
    dd_philox(s->seed, DD_DRAW_DATA, s->stream, 4 * (uint64_t)i + j, word);
}

void dd_source_normal2(const uint32_t word[4], double out[2])
{
    double radius = sqrt(-2. * log(dd_uniform53(word[0], word[1])));
    double angle = 2. * pi * dd_uniform53(word[2], word[3]);
    out[0] = radius * cos(angle);
    out[1] = radius * sin(angle);
}

/* Uniform on [-2, 2] x [-4, 4]. Block 0: words 0, 1 x; 2, 3 y. */
static void line(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    xy[0] = 4. * (dd_uniform53(w[0], w[1]) - .5);
    xy[1] = 8. * (dd_uniform53(w[2], w[3]) - .5);
}

/* 16 blobs on a ring of radius 3 and one at the origin, each a disc of radius .09 with density 1/r:
 * a 5 x 5 lattice of uniforms rounded to tenths is projected onto the unit circle. Rounding is to even,
 * as NumPy's. Block 0: words 0, 1 u; 2, 3 v. Block 1: words 0, 1 angle; 2, 3 radius. */
static void circle(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    double x = 2. * (rint((dd_uniform53(w[0], w[1]) - .5) / 2. * 10.) / 10.);
    double y = 2. * (rint((dd_uniform53(w[2], w[3]) - .5) / 2. * 10.) / 10.);
    double length = sqrt(x * x + y * y) + 1e-10;
    dd_source_block(s, i, 1, w);
    double angle = 2. * pi * dd_uniform53(w[0], w[1]), radius = .03 * dd_uniform53(w[2], w[3]);
    xy[0] = 3. * (x / length + radius * cos(angle));
    xy[1] = 3. * (y / length + radius * sin(angle));
}

/* Two interleaved half circles at evenly spaced angles 0..pi, the first half of the points on the outer
 * one, plus N(0, .03^2), then x -> 2 (x + .3) - 1, y -> 3 (y + .3) - 1. Block 0: the two normals. */
static void moons(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t outer = s->n / 2, inner = s->n - outer, w[4];
    double noise[2];
    dd_source_block(s, i, 0, w);
    dd_source_normal2(w, noise);
    uint32_t place = i < outer ? i : i - outer, count = i < outer ? outer : inner;
    double angle = count > 1 ? pi * place / (count - 1) : 0.;
    double x = i < outer ? cos(angle) : 1. - cos(angle);
    double y = i < outer ? sin(angle) : 1. - sin(angle) - .5;
    xy[0] = 2. * (x + .03 * noise[0] + .3) - 1.;
    xy[1] = 3. * (y + .03 * noise[1] + .3) - 1.;
}

/* One of the Datasaurus' 142 points plus N(0, .15^2), then x -> 4 (x / 54 - 1), y -> 4 (y / 48 - 1).
 * Block 0: word 0 the point. Block 1: the two normals. */
static void dino(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    double noise[2];
    dd_source_block(s, i, 0, w);
    const double *point = dd_dino[dd_below(w[0], DD_DINO_POINTS)];
    dd_source_block(s, i, 1, w);
    dd_source_normal2(w, noise);
    xy[0] = 4. * ((point[0] + .15 * noise[0]) / 54. - 1.);
    xy[1] = 4. * ((point[1] + .15 * noise[1]) / 48. - 1.);
}

/* NULL where `name` is no generator's. */
static dd_generator find_generator(const char *name)
{
    static const struct {
        const char *name;
        dd_generator make;
    } generators[] = {{"checkerboard", dd_generate_checkerboard},
                      {"circle", circle},
                      {"dino", dino},
                      {"eight_gaussians", dd_generate_eight_gaussians},
                      {"line", line},
                      {"moons", moons},
                      {"pinwheel", dd_generate_pinwheel},
                      {"rings", dd_generate_rings},
                      {"swiss_roll", dd_generate_swiss_roll},
                      {"twentyfive_gaussians", dd_generate_twentyfive_gaussians},
                      {"two_spirals", dd_generate_two_spirals}};
    for (size_t i = 0; i < sizeof generators / sizeof *generators; i++)
        if (!strcmp(name, generators[i].name))
            return generators[i].make;
    return dd_shape_find(name) ? dd_generate_shape : NULL;
}

int dd_dataset_known(const char *name)
{
    return find_generator(name) != NULL;
}

const char *dd_closest_dataset(const char *name)
{
    return dd_closest(name, dd_dataset_names, sizeof dd_dataset_names / sizeof *dd_dataset_names - 1);
}

static int generate(dd_generator make, const dd_source *s, dd_points *points)
{
    points->n = s->n;
    points->generated = 1;
    points->xy = malloc(2 * (size_t)s->n * sizeof *points->xy);
    if (!points->xy)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %u points", s->n);
    for (uint32_t i = 0; i < s->n; i++) {
        double xy[2];
        make(s, i, xy);
        points->xy[2 * (size_t)i] = (float)xy[0];
        points->xy[2 * (size_t)i + 1] = (float)xy[1];
    }
    return DD_OK;
}

/* 64-bit FNV-1a (Fowler, Noll & Vo). */
static uint64_t checksum(const dd_points *points)
{
    uint64_t sum = 0xcbf29ce484222325u;
    for (int pass = 0; pass < 2; pass++) {
        const unsigned char *byte = pass ? (const void *)points->xy : (const void *)&points->n;
        size_t count = pass ? 2 * (size_t)points->n * sizeof *points->xy : sizeof points->n;
        for (size_t i = 0; i < count; i++)
            sum = (sum ^ byte[i]) * 0x100000001b3u;
    }
    return sum;
}

int dd_points_open(const char *name, uint32_t n, uint64_t seed, dd_stream stream, dd_points *points)
{
    memset(points, 0, sizeof *points);
    dd_points_name(name, points->name);
    dd_generator make = find_generator(name);
    dd_source source = {seed, (uint32_t)stream, n, dd_shape_find(name)};
    int status = make ? generate(make, &source, points) : dd_points_read(name, points);
    if (status) {
        dd_points_free(points);
        return status;
    }
    points->checksum = checksum(points);
    return DD_OK;
}

void dd_points_name(const char *name, char out[64])
{
    const char *slash = NULL;
    size_t length = strlen(name);
    if (!find_generator(name)) {
        const char *inside = dd_points_hdf5_path(name);
        if (inside)
            length = (size_t)(inside - 1 - name); /* without ":/path" */
        for (size_t i = 0; i < length; i++)
            if (name[i] == '/')
                slash = name + i;
        if (slash) {
            length -= (size_t)(slash + 1 - name);
            name = slash + 1;
        }
        for (size_t i = length; i > 1; i--)
            if (name[i - 1] == '.') {
                length = i - 1;
                break;
            }
    }
    snprintf(out, 64, "%.*s", (int)(length < 63 ? length : 63), name);
}

void dd_points_free(dd_points *points)
{
    free(points->xy);
    points->xy = NULL;
    points->n = 0;
}
