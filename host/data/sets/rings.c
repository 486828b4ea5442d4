#define _GNU_SOURCE /* M_PI */
#include <math.h>
#include <stdbool.h>

#include "base/philox.h"
#include "data/generator.h"

enum { RINGS = 4 };
static const double sigma[2] = {.08, .08}; /* of the noise, per axis */
static const double none[2] = {0., 0.};

static void ring_at(int ring, double u, double xy[2])
{
    double radius = .75 * (ring + 1);
    xy[0] = radius * cos(2. * M_PI * u);
    xy[1] = radius * sin(2. * M_PI * u);
}

/* Four circles of radius .75, 1.5, 2.25 and 3, equally likely, plus N(0, .08^2) (FFJORD). Block 0: word 0 the ring; 2,
 * 3 the place. Block 1: the normals. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    ring_at((int)dd_below(w[0], RINGS), dd_uniform53(w[2], w[3]), xy);
    dd_source_block(s, i, 1, w);
    dd_source_add_noise(w, sigma, xy);
}

/* The trapezoid rule; a ring's first and last point are one, so that its polyline closes. */
static void build(dd_truth_builder *b, const dd_shape *drawing)
{
    (void)drawing;
    for (int ring = 0; ring < RINGS; ring++) {
        double point[2];
        ring_at(ring, 0., point);
        int pieces = (int)ceil(2. * M_PI * point[0] / (.5 * sigma[0]));
        dd_build_region(b, DD_REGION_CURVE, none, sigma, 1. / RINGS);
        for (int i = 0; i <= pieces; i++) {
            ring_at(ring, (double)i / pieces, point);
            dd_build_atom(b, point, sigma, none, (i && i < pieces ? 1. : .5) / pieces / RINGS);
        }
    }
}

const dd_generator_info dd_set_rings = {
    .name = "rings",
    .kind = DD_KIND_LITERATURE,
    .what = "4 circles with one centre",
    .make = make,
    .build = build,
    .countable = true,
};
