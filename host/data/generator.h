/* What the generators of generator_experiment.c and generator_sets.c share; generators.h lists them all. Point i takes
 * its random numbers from blocks of DD_DRAW_DATA (step = stream, index = 4 i + j, j = 0..3); the words of a block are
 * said above each generator.
 */
#ifndef DD_GENERATOR_H
#define DD_GENERATOR_H

#include <stdint.h>

#include "data/shapes.h"

typedef struct dd_source {
    uint64_t seed;
    uint32_t stream, n;
    const dd_shape *shape; /* of dd_generate_shape */
} dd_source;

typedef void (*dd_generator)(const dd_source *s, uint32_t i, double xy[2]);

/* Words of point i's block j. */
void dd_source_block(const dd_source *s, uint32_t i, uint32_t j, uint32_t word[4]);
/* Two standard normals from a block's four words (Box-Muller in float64). */
void dd_source_normal2(const uint32_t word[4], double out[2]);

/* ---- generator_experiment.c: the experiment's own, defined above each there ---- */

void dd_generate_circle(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_dino(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_line(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_moons(const dd_source *s, uint32_t i, double xy[2]);

/* ---- generator_sets.c: the sets of the literature and drawings, defined above each there ---- */

void dd_generate_checkerboard(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_eight_gaussians(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_pinwheel(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_rings(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_shape(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_swiss_roll(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_twentyfive_gaussians(const dd_source *s, uint32_t i, double xy[2]);
void dd_generate_two_spirals(const dd_source *s, uint32_t i, double xy[2]);

/* Their geometry, which their distributions (truth_sets.c) are made from, too: centres and squares by number, curves at
 * place u = 0..1. The lower left corner of a square of side 2. */
enum { DD_EIGHT = 8, DD_TWENTYFIVE = 25, DD_SQUARES = 8, DD_ARMS = 5, DD_RINGS = 4, DD_SPIRALS = 2 };
void dd_eight_gaussians_centre(int mode, double xy[2]);
void dd_twentyfive_gaussians_centre(int mode, double xy[2]);
void dd_checkerboard_corner(int square, double xy[2]);
void dd_pinwheel_arm(int arm, double u, double xy[2]);
void dd_ring(int ring, double u, double xy[2]);
void dd_spiral(int spiral, double u, double xy[2]);
void dd_swiss_roll(int only, double u, double xy[2]);

/* Standard deviations of their noise, per axis. */
static const double dd_eight_gaussians_sigma[2] = {.03, .03}, dd_twentyfive_gaussians_sigma[2] = {.05, .05},
                    dd_pinwheel_sigma[2] = {.15, .15}, dd_rings_sigma[2] = {.08, .08}, dd_spirals_sigma[2] = {.1, .1},
                    dd_swiss_roll_sigma[2] = {.1, .1};

#endif
