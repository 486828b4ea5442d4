/* What a dataset that is made by name consists of, and what its generator draws with. Each is one file in sets/:
 *
 *     static void make(const dd_source *s, uint32_t i, double xy[2]) { ... }       // point i
 *     static void build(dd_truth_builder *b, const dd_shape *drawing) { ... }       // the distribution of all points
 *     const dd_generator_info dd_set_line = {.name = "line", .make = make, .build = build, ...};
 *
 * That is a set of the plane. A set of any dimensions has a dd_family in place of make and build.
 *
 * Point i takes its random numbers from its blocks j = 0, 1, ... of DD_DRAW_DATA (step = stream + 16 (j / 4), index =
 * 4 i + j % 4); the words of a block are listed above each generator. Points of the plane lie within about +-4 and use
 * at most four blocks.
 */
#ifndef DD_GENERATOR_H
#define DD_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "config/config.h"
#include "data/shapes.h"
#include "data/truth_build.h"

enum { DD_STREAMS = 16 }; /* room for more streams than there are */

typedef struct dd_source dd_source;
typedef void (*dd_generator)(const dd_source *s, uint32_t i, double xy[2]);

struct dd_source {
    uint64_t seed;
    uint32_t stream, n;
    const dd_shape *drawing; /* of the set of the plane; NULL where it is none */
    dd_generator make;       /* of the set of the plane, also of one that is embedded; else NULL */
};

typedef enum dd_generator_kind {
    DD_KIND_EXPERIMENT, /* the experiment's own, which `train` takes without --dataset */
    DD_KIND_LITERATURE, /* of the literature on mode capture */
    DD_KIND_DRAWING,    /* a drawing made of points */
    DD_KIND_SPACE,      /* of any dimensions */
    DD_GENERATOR_KINDS
} dd_generator_kind;

/* How a set of any dimensions is made. */
typedef struct dd_family {
    int dimensions; /* where data.dimensions is 0 */
    /* Put this set's own numbers in place of zeros; data->dimensions is never 0 here. DD_ERR_CONFIG if a number is not
     * possible. */
    dd_status (*complete)(dd_data_config *data);
    /* The distribution for complete data, into a truth that is 0 but for its name. An embedded plane is added by the
     * caller. */
    dd_status (*build)(const dd_data_config *data, dd_truth *truth);
    void (*draw)(const dd_truth *truth, const dd_source *s, uint32_t i, double *x); /* point i, [D] */
} dd_family;

typedef struct dd_generator_info {
    const char *name;
    dd_generator_kind kind;
    const char *what;        /* one line */
    const dd_family *family; /* NULL: a set of the plane */
    dd_generator make;       /* of a set of the plane, as all below */
    void (*build)(dd_truth_builder *b, const dd_shape *drawing);
    bool countable;          /* as dd_truth.countable: its regions are modes */
    const dd_shape *drawing; /* of make and build; NULL where they need none */
} dd_generator_info;

/* Words of point i's block j. */
void dd_source_block(const dd_source *s, uint32_t i, uint32_t j, uint32_t word[4]);
/* Two standard normals from a block's four words (Box-Muller in float64). */
void dd_source_normal2(const uint32_t word[4], double out[2]);
/* `count` standard normals from point i's blocks j, j + 1, ...; two from each. */
void dd_source_normals(const dd_source *s, uint32_t i, uint32_t j, int count, double *normal);
/* Add two normals of standard deviation sigma from a block's four words to a point. */
void dd_source_add_noise(const uint32_t word[4], const double sigma[2], double xy[2]);

#endif
