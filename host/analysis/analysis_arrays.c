#include "analysis/analysis_arrays.h"

#include <stdlib.h>
#include <string.h>

void dd_analysis_free(dd_analysis *a)
{
    for (int i = 0; i < a->axes; i++)
        free(a->axis[i].value);
    for (int i = 0; i < a->arrays; i++)
        free(a->array[i].value);
    *a = (dd_analysis){0};
}

const dd_array *dd_analysis_find(const dd_analysis *a, const char *name)
{
    for (int i = 0; i < a->arrays; i++)
        if (!strcmp(a->array[i].name, name))
            return &a->array[i];
    return NULL;
}
