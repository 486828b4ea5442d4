#define _GNU_SOURCE /* strcasestr */
#include "data/generators.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/names.h"

const char *const dd_generator_kind_name[DD_GENERATOR_KINDS] = {"experiment", "literature", "drawing"};

/* Every set, sorted by name: sets/<name>.c defines dd_set_<name>. */
#define SETS(X)                                                                                                        \
    X(bunny)                                                                                                           \
    X(cat) X(checkerboard) X(circle) X(dino) X(dog) X(eight_gaussians) X(gorilla) X(line) X(moons) X(music) X(panda)   \
        X(pi) X(pinwheel) X(python) X(rings) X(sheep) X(soccer_ball) X(superdatascience) X(swiss_roll)                 \
            X(twentyfive_gaussians) X(two_spirals)

#define DECLARE(name) extern const dd_generator_info dd_set_##name;
SETS(DECLARE)

#define ENTRY(name) &dd_set_##name,
const dd_generator_info *const dd_generators[] = {SETS(ENTRY) NULL};

_Static_assert(sizeof dd_generators / sizeof *dd_generators <= DD_MOST_GENERATORS, "raise DD_MOST_GENERATORS");

const dd_generator_info *dd_generator_find(const char *name)
{
    for (const dd_generator_info *const *g = dd_generators; *g; g++)
        if (!strcmp(name, (*g)->name))
            return *g;
    return NULL;
}

int dd_generator_names(dd_generator_kind kind, const char *names[DD_MOST_GENERATORS])
{
    int count = 0;
    for (const dd_generator_info *const *g = dd_generators; *g; g++)
        if ((*g)->kind == kind)
            names[count++] = (*g)->name;
    return count;
}

/* ---- a word that is no name ---- */

enum { NEAR = 4 };

typedef struct near_list {
    const char *name[NEAR];
    int count;
} near_list;

static void add_near(near_list *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->name[i], name))
            return;
    if (list->count < NEAR)
        list->name[list->count++] = name;
}

/* A word as it is searched for: lower case, letters alone, no plural. "25gaussians" and "two_spirals" of other
 * programs become "gaussian" and "twospiral". */
static void plain(const char *word, char out[DD_NAME])
{
    size_t n = 0;
    for (; *word && n < DD_NAME - 1; word++)
        if (isalpha((unsigned char)*word))
            out[n++] = (char)tolower((unsigned char)*word);
    if (n > 3 && out[n - 1] == 's')
        n--;
    out[n] = '\0';
}

/* Names that hold the word or are part of it, then sets whose description holds it. */
static void add_related(near_list *list, const char *word)
{
    enum { SHORTEST = 4 };
    char wanted[DD_NAME], name[DD_NAME];
    plain(word, wanted);
    if (strlen(wanted) < SHORTEST)
        return;
    for (const dd_generator_info *const *g = dd_generators; *g; g++) {
        plain((*g)->name, name);
        if (strstr(name, wanted) || (strlen(name) >= SHORTEST && strstr(wanted, name)))
            add_near(list, (*g)->name);
    }
    for (const dd_generator_info *const *g = dd_generators; *g; g++)
        if (strcasestr((*g)->what, wanted))
            add_near(list, (*g)->name);
}

void dd_near_datasets(const char *word, char out[200])
{
    const char *names[DD_MOST_GENERATORS];
    near_list list = {0};
    int count = 0;
    for (; dd_generators[count]; count++)
        names[count] = dd_generators[count]->name;
    const char *closest = dd_closest(word, names, count);
    if (closest)
        add_near(&list, closest);
    add_related(&list, word);
    *out = '\0';
    for (int i = 0, at = 0; i < list.count && at < 200; i++)
        at += snprintf(out + at, 200 - (size_t)at, "%s'%s'",
                       !i                    ? ""
                       : i == list.count - 1 ? " or "
                                             : ", ",
                       list.name[i]);
}

/* ---- distributions ---- */

dd_status dd_truth_create(const char *name, dd_truth *truth)
{
    memset(truth, 0, sizeof *truth);
    const dd_generator_info *generator = dd_generator_find(name);
    if (!generator) {
        char near[200];
        dd_near_datasets(name, near);
        return dd_fail(DD_ERR_USAGE, "'%s' is not one of the generated datasets, whose distribution is known%s%s%s",
                       name, *near ? "; did you mean " : "", near, *near ? "?" : "");
    }
    snprintf(truth->name, sizeof truth->name, "%s", name);
    truth->countable = generator->countable;
    dd_truth_builder b = {.truth = truth};
    generator->build(&b, generator->drawing);
    if (b.failed) {
        dd_truth_free(truth);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the distribution of %s", name);
    }
    return DD_OK;
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
