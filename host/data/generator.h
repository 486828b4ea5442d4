/* What a dataset that is made by name consists of, and what its generator draws with. Each is one file in sets/:
 *
 *     static void make(const dd_source *s, uint32_t i, double xy[2]) { ... }       // point i
 *     static void build(dd_truth_builder *b, const dd_shape *drawing) { ... }       // the distribution of all points
 *     const dd_generator_info dd_set_line = {.name = "line", .make = make, .build = build, ...};
 *
 * Point i takes its random numbers from blocks of DD_DRAW_DATA (step = stream, index = 4 i + j, j = 0..3); the words of
 * a block are listed above each generator. Points lie within about +-4.
 */
#ifndef DD_GENERATOR_H
#define DD_GENERATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "data/shapes.h"
#include "data/truth_build.h"

typedef struct dd_source {
    uint64_t seed;
    uint32_t stream, n;
    const dd_shape *drawing; /* of the dataset; NULL where it is none */
} dd_source;

typedef void (*dd_generator)(const dd_source *s, uint32_t i, double xy[2]);

typedef enum dd_generator_kind {
    DD_KIND_EXPERIMENT, /* the experiment's own, which `train` takes without --dataset */
    DD_KIND_LITERATURE, /* of the literature on mode capture */
    DD_KIND_DRAWING,    /* a drawing made of points */
    DD_GENERATOR_KINDS
} dd_generator_kind;

typedef struct dd_generator_info {
    const char *name;
    dd_generator_kind kind;
    const char *what; /* one line */
    dd_generator make;
    void (*build)(dd_truth_builder *b, const dd_shape *drawing);
    bool countable;          /* as dd_truth.countable: its regions are modes */
    const dd_shape *drawing; /* of make and build; NULL where they need none */
} dd_generator_info;

/* Words of point i's block j. */
void dd_source_block(const dd_source *s, uint32_t i, uint32_t j, uint32_t word[4]);
/* Two standard normals from a block's four words (Box-Muller in float64). */
void dd_source_normal2(const uint32_t word[4], double out[2]);
/* Add two normals of standard deviation sigma from a block's four words to a point. */
void dd_source_add_noise(const uint32_t word[4], const double sigma[2], double xy[2]);

#endif
