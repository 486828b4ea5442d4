/* The one table of the datasets that are made by name; sets/ has a file for each. `dualdiff datasets`, `dualdiff info
 * NAME`, the search for the closest name and the list in docs/datasets.md come from it.
 *
 *     const dd_generator_info *g = dd_generator_find("dino");        // NULL for another name
 *     for (int i = 0; dd_generators[i]; i++) ...                     // sorted by name
 */
#ifndef DD_GENERATORS_H
#define DD_GENERATORS_H

#include "base/error.h"
#include "data/generator.h"

/* "experiment", "literature", "drawing". */
extern const char *const dd_generator_kind_name[DD_GENERATOR_KINDS];

enum { DD_MOST_GENERATORS = 64 };

extern const dd_generator_info *const dd_generators[]; /* sorted by name; NULL ends it */

const dd_generator_info *dd_generator_find(const char *name);

/* The names of one kind, sorted; returns how many. */
int dd_generator_names(dd_generator_kind kind, const char *names[DD_MOST_GENERATORS]);

/* The number of modes, counted in the distribution; 0 where it has no modes to count, -1 when memory is out. */
int dd_generator_modes(const dd_generator_info *generator);

/* The generators that another word may mean, by letters or by what they are, as "'two_spirals' or 'swiss_roll'";
 * "" when none is near. */
void dd_near_datasets(const char *word, char out[200]);

/* The distribution of a generated dataset. `name` is a generator's; DD_ERR_USAGE with the closest one otherwise. */
DD_CHECKED dd_status dd_truth_create(const char *name, dd_truth *truth);

#endif
