#include "shapes.h"

#include <stddef.h>
#include <string.h>

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

#define SHAPE(table)                                                                                                   \
    {                                                                                                                  \
#table, sizeof table / sizeof *table, table                                                                    \
    }

const dd_shape *dd_shape_find(const char *name)
{
    static const dd_shape shapes[] = {
        SHAPE(bunny), SHAPE(cat),    SHAPE(dog),   SHAPE(gorilla),     SHAPE(music),           SHAPE(panda),
        SHAPE(pi),    SHAPE(python), SHAPE(sheep), SHAPE(soccer_ball), SHAPE(superdatascience)};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!strcmp(name, shapes[i].name))
            return &shapes[i];
    return NULL;
}
