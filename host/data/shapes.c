#include "data/shapes.h"

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

#define SHAPE(table) const dd_shape dd_shape_##table = {sizeof table / sizeof *table, table}

SHAPE(bunny);
SHAPE(cat);
SHAPE(dog);
SHAPE(gorilla);
SHAPE(music);
SHAPE(panda);
SHAPE(pi);
SHAPE(python);
SHAPE(sheep);
SHAPE(soccer_ball);
SHAPE(superdatascience);
