/* The one table of the datasets that are made by name; sets/ has a file for each. `dualdiff datasets`, `dualdiff info
 * NAME`, the search for the closest name and the list in docs/datasets.md come from it.
 *
 *     const dd_generator_info *g = dd_generator_find("dino");        // NULL for another name
 *     for (int i = 0; dd_generators[i]; i++) ...                     // sorted by name
 *
 * `embedded:NAME` puts a set of the plane into more dimensions. It is found by dd_generator_find, but it is not in the
 * table, because "embedded" alone is no set.
 */
#ifndef DD_GENERATORS_H
#define DD_GENERATORS_H

#include "base/error.h"
#include "data/generator.h"

/* "experiment", "literature", "drawing", "space". */
extern const char *const dd_generator_kind_name[DD_GENERATOR_KINDS];

enum { DD_MOST_GENERATORS = 64 };

extern const dd_generator_info *const dd_generators[]; /* sorted by name; NULL ends it */

extern const dd_generator_info dd_set_embedded; /* its name is "embedded:NAME" */

/* "embedded:" with any text after it, and "embedded", return dd_set_embedded. */
const dd_generator_info *dd_generator_find(const char *name);

/* A generated set with everything that decides its distribution. */
typedef struct dd_generated {
    const dd_generator_info *generator;
    const dd_generator_info *plane; /* the generator itself or the set that is embedded; NULL: neither */
    dd_data_config data;            /* dimensions is never 0; modes and rank are 0 for sets that have none */
    char label[64];                 /* the name of its points, which may be part of a path: dino, gaussians_d8,
                                       embedded_dino_d16 */
} dd_generated;

/* The set that a name and [data] mean; data NULL: its defaults. DD_ERR_USAGE with the closest name if there is no such
 * set, DD_ERR_CONFIG if it cannot have the dimensions, modes or rank of `data`. */
DD_CHECKED dd_status dd_generated_choose(const char *name, const dd_data_config *data, dd_generated *set);

/* Its label alone, without a check of the other numbers. */
void dd_generated_label(const char *name, const dd_data_config *data, char label[64]);

/* The names of one kind, sorted; returns how many. */
int dd_generator_names(dd_generator_kind kind, const char *names[DD_MOST_GENERATORS]);

/* The number of modes, counted in the distribution for the defaults of [data]; 0 where it has no modes to count or
 * where they are those of the embedded set, -1 when memory is out. */
int dd_generator_modes(const dd_generator_info *generator);

/* The generators that another word may mean, by letters or by what they are, as "'two_spirals' or 'swiss_roll'";
 * "" when none is near. */
void dd_near_datasets(const char *word, char out[200]);

/* The distribution of a generated dataset; arguments and errors as those of dd_generated_choose. */
DD_CHECKED dd_status dd_truth_create(const char *name, const dd_data_config *data, dd_truth *truth);
/* The same for a set that was chosen. */
DD_CHECKED dd_status dd_generated_truth(const dd_generated *set, dd_truth *truth);

#endif
