#define _GNU_SOURCE /* strcasestr */
#include "data/generators.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/names.h"
#include "data/truth_regions.h"

const char *const dd_generator_kind_name[DD_GENERATOR_KINDS] = {"experiment", "literature", "drawing", "space"};

/* Every set, sorted by name: sets/<name>.c defines dd_set_<name>. */
#define SETS(X)                                                                                                        \
    X(bunny)                                                                                                           \
    X(cat)                                                                                                             \
    X(checkerboard) X(circle) X(dino) X(dog) X(eight_gaussians) X(gaussians) X(gorilla) X(hypercube) X(line) X(moons)  \
        X(music) X(panda) X(pi) X(pinwheel) X(python) X(rings) X(sheep) X(soccer_ball) X(subspaces)                    \
            X(superdatascience) X(swiss_roll) X(twentyfive_gaussians) X(two_spirals)

#define DECLARE(name) extern const dd_generator_info dd_set_##name;
SETS(DECLARE)

#define ENTRY(name) &dd_set_##name,
const dd_generator_info *const dd_generators[] = {SETS(ENTRY) NULL};

_Static_assert(sizeof dd_generators / sizeof *dd_generators <= DD_MOST_GENERATORS, "raise DD_MOST_GENERATORS");

/* What follows "embedded:" in a name, "" for "embedded" alone; NULL for every other name. */
static const char *embedded_name(const char *name)
{
    size_t length = strlen("embedded");
    if (strncmp(name, "embedded", length) || (name[length] && name[length] != ':'))
        return NULL;
    return name + length + (name[length] == ':');
}

const dd_generator_info *dd_generator_find(const char *name)
{
    if (embedded_name(name))
        return &dd_set_embedded;
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

/* ---- sets with their dimensions ---- */

static dd_data_config data_or_defaults(const dd_data_config *data)
{
    if (data)
        return *data;
    dd_config defaults;
    dd_config_defaults(&defaults);
    return defaults.data;
}

static dd_status unknown_set(const char *name)
{
    char near[200];
    dd_near_datasets(name, near);
    return dd_fail(DD_ERR_USAGE, "'%s' is not one of the generated datasets, whose distribution is known%s%s%s", name,
                   *near ? "; did you mean " : "", near, *near ? "?" : "");
}

static dd_status find_embedded(const char *name, const dd_generator_info **plane)
{
    *plane = *name ? dd_generator_find(name) : NULL;
    if (!*name)
        return dd_fail(DD_ERR_USAGE, "'embedded' needs the name of a set of the plane, for instance embedded:dino");
    if (*plane && (*plane)->family)
        return dd_fail(DD_ERR_USAGE, "'%s' is not a set of the plane and cannot be embedded; embedded:dino can be",
                       name);
    return *plane ? DD_OK : unknown_set(name);
}

static dd_status check_plane(const char *name, dd_data_config *data)
{
    if (data->dimensions && data->dimensions != 2)
        return dd_fail(DD_ERR_CONFIG, "data.dimensions = %d: %s has 2 dimensions; embedded:%s has any from 3 on",
                       data->dimensions, name, name);
    if (data->modes || data->rank)
        return dd_fail(DD_ERR_CONFIG, "data.%s: that of %s cannot be chosen; use 0", data->modes ? "modes" : "rank",
                       name);
    data->dimensions = 2;
    return DD_OK;
}

dd_status dd_generated_choose(const char *name, const dd_data_config *data, dd_generated *set)
{
    *set = (dd_generated){.generator = dd_generator_find(name), .data = data_or_defaults(data)};
    if (!set->generator)
        return unknown_set(name);
    const dd_family *family = set->generator->family;
    if (!family)
        set->plane = set->generator;
    else if (embedded_name(name))
        DD_TRY(find_embedded(embedded_name(name), &set->plane));
    dd_generated_label(name, data, set->label);
    if (!family)
        return check_plane(name, &set->data);
    if (!set->data.dimensions)
        set->data.dimensions = family->dimensions;
    return family->complete(&set->data);
}

void dd_generated_label(const char *name, const dd_data_config *data, char label[64])
{
    char text[256];
    const dd_family *family = dd_generator_find(name)->family;
    int dimensions = data && data->dimensions ? data->dimensions : family ? family->dimensions : 2;
    int length = family ? snprintf(text, sizeof text, "%.200s_d%d", name, dimensions)
                        : snprintf(text, sizeof text, "%.200s", name);
    for (char *p = text; *p; p++)
        if (*p == ':')
            *p = '_';
    dd_name_copy(label, text, (size_t)length);
}

/* ---- distributions ---- */

static dd_status build_plane(const dd_generator_info *generator, dd_plane *plane)
{
    dd_truth_builder b = {.plane = plane};
    generator->build(&b, generator->drawing);
    return b.failed ? dd_fail(DD_ERR_MEMORY, "out of memory for the distribution of %s", generator->name) : DD_OK;
}

dd_status dd_generated_truth(const dd_generated *set, dd_truth *truth)
{
    *truth = (dd_truth){.dimensions = set->data.dimensions};
    memcpy(truth->name, set->label, sizeof truth->name);
    dd_status status = set->generator->family ? set->generator->family->build(&set->data, truth) : DD_OK;
    if (!status && set->plane) {
        truth->countable = set->plane->countable;
        status = build_plane(set->plane, &truth->plane);
    }
    if (status)
        dd_truth_free(truth);
    return status;
}

dd_status dd_truth_create(const char *name, const dd_data_config *data, dd_truth *truth)
{
    dd_generated set;
    memset(truth, 0, sizeof *truth);
    DD_TRY(dd_generated_choose(name, data, &set));
    return dd_generated_truth(&set, truth);
}

int dd_generator_modes(const dd_generator_info *generator)
{
    dd_truth truth;
    if (!generator->countable)
        return 0;
    if (dd_truth_create(generator->name, NULL, &truth))
        return -1;
    int modes = dd_truth_regions(&truth);
    dd_truth_free(&truth);
    return modes;
}
