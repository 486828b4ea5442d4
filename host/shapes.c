#include "shapes.h"

#include "shapes/bunny.h"
#include "shapes/cat.h"
#include "shapes/dog.h"
#include "shapes/gorilla.h"
#include "shapes/music.h"
#include "shapes/panda.h"
#include "shapes/pi.h"
#include "shapes/python.h"
#include "shapes/sheep.h"
#include "shapes/soccer_ball.h"
#include "shapes/superdatascience.h"

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
