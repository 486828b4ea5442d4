#include "generators.h"

#include <stddef.h>
#include <string.h>

const char *const dd_generator_kind_name[DD_GENERATOR_KINDS] = {"experiment", "literature", "drawing"};

#define EXPERIMENT(name, countable, what)                                                                              \
    {                                                                                                                  \
#name, DD_KIND_EXPERIMENT, what, dd_generate_##name, dd_build_##name, countable, NULL                          \
    }
#define LITERATURE(name, countable, what)                                                                              \
    {                                                                                                                  \
#name, DD_KIND_LITERATURE, what, dd_generate_##name, dd_build_##name, countable, NULL                          \
    }
#define DRAWING(name, what)                                                                                            \
    {                                                                                                                  \
#name, DD_KIND_DRAWING, what, dd_generate_shape, dd_build_shape, 1, &dd_shape_##name                           \
    }

enum { MODES = 1, ONE_SUPPORT = 0 };

const dd_generator_info dd_generators[] = {
    DRAWING(bunny, "a rabbit"),
    DRAWING(cat, "a cat"),
    LITERATURE(checkerboard, MODES, "uniform on every second square of a 4 x 4 board"),
    EXPERIMENT(circle, MODES, "16 small discs on a ring and one at its centre"),
    EXPERIMENT(dino, MODES, "the Datasaurus: a dinosaur"),
    DRAWING(dog, "a dog"),
    LITERATURE(eight_gaussians, MODES, "8 Gaussians on a ring"),
    DRAWING(gorilla, "a gorilla"),
    EXPERIMENT(line, ONE_SUPPORT, "uniform on a rectangle of 4 x 8"),
    EXPERIMENT(moons, ONE_SUPPORT, "two half circles that interlock"),
    DRAWING(music, "musical notes"),
    DRAWING(panda, "a panda"),
    DRAWING(pi, "the Greek letter pi"),
    LITERATURE(pinwheel, MODES, "5 curved arms around a centre"),
    DRAWING(python, "the logo of the Python language"),
    LITERATURE(rings, MODES, "4 circles with one centre"),
    DRAWING(sheep, "a sheep"),
    DRAWING(soccer_ball, "a football"),
    DRAWING(superdatascience, "the logo of SuperDataScience"),
    LITERATURE(swiss_roll, ONE_SUPPORT, "one spiral, as scikit-learn's swiss roll from the side"),
    LITERATURE(twentyfive_gaussians, MODES, "25 Gaussians on a 5 x 5 grid"),
    LITERATURE(two_spirals, ONE_SUPPORT, "two spirals, one inside the other"),
    {0}};

_Static_assert(sizeof dd_generators / sizeof *dd_generators <= DD_MOST_GENERATORS, "raise DD_MOST_GENERATORS");

const dd_generator_info *dd_generator_find(const char *name)
{
    for (const dd_generator_info *g = dd_generators; g->name; g++)
        if (!strcmp(name, g->name))
            return g;
    return NULL;
}

int dd_generator_names(dd_generator_kind kind, const char *names[DD_MOST_GENERATORS])
{
    int count = 0;
    for (const dd_generator_info *g = dd_generators; g->name; g++)
        if (g->kind == kind)
            names[count++] = g->name;
    return count;
}

int dd_generator_modes(const dd_generator_info *generator)
{
    dd_truth truth;
    if (!generator->countable)
        return 0;
    if (dd_truth_create(generator->name, &truth))
        return -1;
    int modes = truth.regions;
    dd_truth_free(&truth);
    return modes;
}
