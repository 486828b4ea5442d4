#include "base/philox.h"

#include <stdbool.h>

#include "data/generator.h"
#include "data/shapes/bunny.h"
#include "data/shapes/cat.h"
#include "data/shapes/dog.h"
#include "data/shapes/gorilla.h"
#include "data/shapes/music.h"
#include "data/shapes/panda.h"
#include "data/shapes/pi.h"
#include "data/shapes/python.h"
#include "data/shapes/sheep.h"
#include "data/shapes/soccer_ball.h"
#include "data/shapes/superdatascience.h"

/* A point of a drawing plus its noise. Block 0: word 0 the point. Block 1: the normals. */
static void make(const dd_source *s, uint32_t i, double xy[2])
{
    uint32_t w[4];
    dd_source_block(s, i, 0, w);
    const short *point = s->drawing->point[dd_below(w[0], (uint32_t)s->drawing->points)];
    xy[0] = point[0] / 1000.;
    xy[1] = point[1] / 1000.;
    dd_source_block(s, i, 1, w);
    dd_source_add_noise(w, dd_shape_sigma, xy);
}

/* A point that is in the drawing twice is one region of twice the share. */
static void build(dd_truth_builder *b, const dd_shape *s)
{
    for (int i = 0; i < s->points; i++) {
        int before = 0, times = 1;
        for (int j = 0; j < s->points; j++)
            if (j != i && s->point[j][0] == s->point[i][0] && s->point[j][1] == s->point[i][1]) {
                before |= j < i;
                times++;
            }
        if (!before)
            dd_build_gaussian(b, (double[]){s->point[i][0] / 1000., s->point[i][1] / 1000.}, dd_shape_sigma,
                              (double)times / s->points);
    }
}

#define DRAWING(table, description)                                                                                    \
    static const dd_shape shape_of_##table = {sizeof table / sizeof *table, table};                                    \
    const dd_generator_info dd_set_##table = {.name = #table,                                                          \
                                              .kind = DD_KIND_DRAWING,                                                 \
                                              .what = description,                                                     \
                                              .make = make,                                                            \
                                              .build = build,                                                          \
                                              .countable = true,                                                       \
                                              .drawing = &shape_of_##table}

DRAWING(bunny, "a rabbit");
DRAWING(cat, "a cat");
DRAWING(dog, "a dog");
DRAWING(gorilla, "a gorilla");
DRAWING(music, "musical notes");
DRAWING(panda, "a panda");
DRAWING(pi, "the Greek letter pi");
DRAWING(python, "the logo of the Python language");
DRAWING(sheep, "a sheep");
DRAWING(soccer_ball, "a football");
DRAWING(superdatascience, "the logo of SuperDataScience");
