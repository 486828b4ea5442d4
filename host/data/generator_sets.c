/* The sets on which the literature shows mode capture, and the drawings of shapes.h. All within about +-4. */
#include <math.h>
#include <stddef.h>

#include "base/philox.h"
#include "data/generator.h"

static const double pi = 3.14159265358979323846;

static void add_noise(const uint32_t word[4], const double sigma[2], double xy[2])
{
    double noise[2];
    dd_source_normal2(word, noise);
    xy[0] += sigma[0] * noise[0];
    xy[1] += sigma[1] * noise[1];
}

/* ---- Gaussians ---- */

void dd_eight_gaussians_centre(int mode, double xy[2])
{
    xy[0] = 3. * cos(pi / 4. * mode);
    xy[1] = 3. * sin(pi / 4. * mode);
}

/* Eight Gaussians on a ring of radius 3, sd .03: the ring of Metz, Poole, Pfau & Sohl-Dickstein, "Unrolled generative
 * adversarial networks" (ICLR 2017; radius 2, sd .02), times 1.5. Block 0: word 0 the mode. Block 1: the normals. */
void dd_generate_eight_gaussians(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    dd_eight_gaussians_centre((int)dd_below(w[0], DD_EIGHT), xy);
    dd_source_block(s, i, 1, w);
    add_noise(w, dd_eight_gaussians_sigma, xy);
}

void dd_twentyfive_gaussians_centre(int mode, double xy[2])
{
    xy[0] = 2. * (mode / 5) - 4.;
    xy[1] = 2. * (mode % 5) - 4.;
}

/* Twenty-five Gaussians at {-4, -2, 0, 2, 4}^2, sd .05: the grid of Lin, Khetan, Fanti & Oh, "PacGAN" (NeurIPS 2018).
 * Block 0: word 0 the mode. Block 1: the normals. */
void dd_generate_twentyfive_gaussians(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    dd_twentyfive_gaussians_centre((int)dd_below(w[0], DD_TWENTYFIVE), xy);
    dd_source_block(s, i, 1, w);
    add_noise(w, dd_twentyfive_gaussians_sigma, xy);
}

/* A point of a drawing plus its noise. Block 0: word 0 the point. Block 1: the normals. */
void dd_generate_shape(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    const short *point = s->shape->point[dd_below(w[0], (uint32_t)s->shape->points)];
    xy[0] = point[0] / 1000.;
    xy[1] = point[1] / 1000.;
    dd_source_block(s, i, 1, w);
    add_noise(w, dd_shape_sigma, xy);
}

/* ---- squares ---- */

void dd_checkerboard_corner(int square, double xy[2])
{
    int column = square / 2;
    xy[0] = 2. * column - 4.;
    xy[1] = 2. * (2 * (square % 2) + column % 2) - 4.;
}

/* Uniform on the eight squares of one colour of a 4 x 4 board over [-4, 4]^2 (Grathwohl et al., "FFJORD", ICLR 2019).
 * Block 0: word 0 the square. Block 1: words 0, 1 x; 2, 3 y. */
void dd_generate_checkerboard(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    dd_checkerboard_corner((int)dd_below(w[0], DD_SQUARES), xy);
    dd_source_block(s, i, 1, w);
    xy[0] += 2. * dd_uniform53(w[0], w[1]);
    xy[1] += 2. * dd_uniform53(w[2], w[3]);
}

/* ---- curves ---- */

/* Radius .4 to 4, the angle growing by a third of it. */
void dd_pinwheel_arm(int arm, double u, double xy[2])
{
    double radius = .4 + 3.6 * u, angle = 2. * pi / 5. * arm + radius / 3.;
    xy[0] = radius * cos(angle);
    xy[1] = radius * sin(angle);
}

/* Five curved arms, after Johnson, Duvenaud, Wiltschko, Datta & Adams, "Composing graphical models with neural
 * networks" (NeurIPS 2016). The place u along an arm is the mean of three uniforms (theirs is normal), so that arms
 * thin out towards both ends and have ends; plus N(0, .15^2). Block 0: word 0 the arm. Block 1: words 0, 1 and 2, 3,
 * block 2: words 0, 1 the uniforms. Block 3: the normals. */
void dd_generate_pinwheel(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t arm[4], w[4], v[4];
    dd_source_block(s, i, 0, arm);
    dd_source_block(s, i, 1, w);
    dd_source_block(s, i, 2, v);
    double u = (dd_uniform53(w[0], w[1]) + dd_uniform53(w[2], w[3]) + dd_uniform53(v[0], v[1])) / 3.;
    dd_pinwheel_arm((int)dd_below(arm[0], DD_ARMS), u, xy);
    dd_source_block(s, i, 3, w);
    add_noise(w, dd_pinwheel_sigma, xy);
}

void dd_ring(int ring, double u, double xy[2])
{
    double radius = .75 * (ring + 1);
    xy[0] = radius * cos(2. * pi * u);
    xy[1] = radius * sin(2. * pi * u);
}

/* Four circles of radius .75, 1.5, 2.25 and 3, equally likely, plus N(0, .08^2) (FFJORD). Block 0: word 0 the ring; 2,
 * 3 the place. Block 1: the normals. */
void dd_generate_rings(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    dd_ring((int)dd_below(w[0], DD_RINGS), dd_uniform53(w[2], w[3]), xy);
    dd_source_block(s, i, 1, w);
    add_noise(w, dd_rings_sigma, xy);
}

/* One and a half turns, from the origin to a radius of pi. */
void dd_spiral(int spiral, double u, double xy[2])
{
    double sign = spiral ? -1. : 1., angle = 3. * pi * u;
    xy[0] = -sign * angle * cos(angle) / 3.;
    xy[1] = sign * angle * sin(angle) / 3.;
}

/* Two spirals, each the other turned by half a turn, at places u with density 2 u, plus N(0, .1^2) (FFJORD, without its
 * offset). Block 0: words 0, 1 the place; 2 the spiral. Block 1: the normals. */
void dd_generate_two_spirals(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    dd_spiral((int)dd_below(w[2], DD_SPIRALS), sqrt(dd_uniform53(w[0], w[1])), xy);
    dd_source_block(s, i, 1, w);
    add_noise(w, dd_spirals_sigma, xy);
}

/* Angle and 4 x radius from 1.5 pi to 4.5 pi. */
void dd_swiss_roll(int only, double u, double xy[2])
{
    double angle = pi * (1.5 + 3. * u);
    (void)only;
    xy[0] = angle * cos(angle) / 4.;
    xy[1] = angle * sin(angle) / 4.;
}

/* The section of scikit-learn's make_swiss_roll: places uniform in the angle, a quarter of the size, plus N(0, .1^2).
 * Block 0: words 0, 1 the place. Block 1: the normals. */
void dd_generate_swiss_roll(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    dd_swiss_roll(0, dd_uniform53(w[0], w[1]), xy);
    dd_source_block(s, i, 1, w);
    add_noise(w, dd_swiss_roll_sigma, xy);
}
