/* Exact nearest neighbours in many dimensions: blocks of queries against blocks of points.
 *
 * A k-d tree sorts the points into blocks of 64, and a second one sorts the queries (if the queries are the points, the
 * first one does). A block of queries visits the blocks of points, near ones first, and leaves out those whose bounding
 * box is too far away. In many dimensions almost no box is too far, unless the points lie near a surface of few
 * dimensions. So the work is the comparison of a query with a block's points: vectors of points, a few coordinates at a
 * time, until no point of the block can still be a neighbour. Of 32 normal coordinates that takes about 20.
 *
 * This comparison is a filter only, of integers of 16 bits; what passes is measured in float64. The integers are the
 * coordinates as multiples of a step, from the middle of the queries' box on, with what is far away moved to the
 * end of the range. So two integers differ by at most one more than the number of steps between the coordinates, and no
 * neighbour is lost.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "config/config.h"
#define DD_AXES 1 /* a record is the key to sort by, and the point's number */
#include "metrics/knn_search.h"
#include "metrics/knn_select.h"

enum {
    BLOCK = 64,   /* points or queries in a block */
    MOST = 16383, /* the range of the integers, so that no difference overflows */
    FINE = 2047,  /* of them in the longest side of the queries' box */
    STEP = 8,     /* coordinates between two looks whether any point is still near; points are padded to whole steps */
    MAX_LEVELS = 32 /* of nodes */
};

/* Also compiled for AVX2; the program chooses at its start. */
#if defined __x86_64__ && defined __linux__
#define FOR_THIS_MACHINE __attribute__((target_clones("avx2", "default")))
#else
#define FOR_THIS_MACHINE
#endif

/* ---- the tree ---- */

/* Node j of level d owns blocks [j blocks / 2^d, (j + 1) blocks / 2^d); a node of the last level has one or none. Nodes
 * are numbered as in a heap: root 1, children 2i and 2i + 1. */
typedef struct tree {
    uint32_t n, blocks;
    int levels, width; /* width: dimensions padded with coordinates that are 0 */
    dd_record *record; /* [n] by position: position p is in block p / BLOCK */
    float *x;          /* (blocks, width, BLOCK); the last block is filled up with points at infinity */
    float *box;        /* (nodes, 2, width): low and high bounds; low > high if a node has no points */
} tree;

static uint32_t first_block(const tree *t, int level, uint32_t j)
{
    return (uint32_t)((uint64_t)t->blocks * j >> level);
}

static uint32_t first_position(const tree *t, int level, uint32_t j)
{
    uint64_t position = (uint64_t)BLOCK * first_block(t, level, j);
    return position < t->n ? (uint32_t)position : t->n;
}

static const float *box_of(const tree *t, uint32_t node)
{
    return t->box + (size_t)node * 2 * (size_t)t->width;
}

/* Compute a node's bounds; returns the axis of the longest side. */
static int bound(tree *t, uint32_t node, const float *point, int dimensions, uint32_t first, uint32_t end)
{
    float *low = t->box + (size_t)node * 2 * (size_t)t->width, *high = low + t->width;
    for (int c = 0; c < dimensions; c++) {
        low[c] = INFINITY;
        high[c] = -INFINITY;
    }
    for (uint32_t i = first; i < end; i++) {
        const float *x = point + (size_t)t->record[i].index * (size_t)dimensions;
        for (int c = 0; c < dimensions; c++) {
            low[c] = x[c] < low[c] ? x[c] : low[c];
            high[c] = x[c] > high[c] ? x[c] : high[c];
        }
    }
    int longest = 0;
    for (int c = 1; c < dimensions; c++)
        if ((double)high[c] - low[c] > (double)high[longest] - low[longest])
            longest = c;
    return longest;
}

/* Bound node j of a level and those below it, and sort its points into their blocks. */
static void split(tree *t, int level, uint32_t j, const float *point, int dimensions)
{
    uint32_t first = first_position(t, level, j), end = first_position(t, level, j + 1);
    int axis = bound(t, (1u << level) + j, point, dimensions, first, end);
    if (level == t->levels)
        return;
    uint32_t middle = first_position(t, level + 1, 2 * j + 1);
    if (first < middle && middle < end) {
        for (uint32_t i = first; i < end; i++)
            t->record[i].x[0] = point[(size_t)t->record[i].index * (size_t)dimensions + (size_t)axis];
        dd_select_along(t->record, 0, first, end, middle);
    }
    split(t, level + 1, 2 * j, point, dimensions);
    split(t, level + 1, 2 * j + 1, point, dimensions);
}

static void fill_blocks(tree *t, const float *point, int dimensions)
{
    for (uint32_t i = 0; i < t->blocks * BLOCK; i++) {
        float *x = t->x + (size_t)(i / BLOCK) * BLOCK * (size_t)t->width + i % BLOCK;
        for (int c = 0; c < dimensions; c++)
            x[c * BLOCK] = i < t->n ? point[(size_t)t->record[i].index * (size_t)dimensions + (size_t)c] : INFINITY;
    }
}

static void tree_free(tree *t)
{
    free(t->record);
    free(t->x);
    free(t->box);
    *t = (tree){0};
}

/* A tree of n >= 1 points. */
static dd_status tree_create(const float *point, uint32_t n, int dimensions, tree *t)
{
    *t = (tree){.n = n, .blocks = (n + BLOCK - 1) / BLOCK, .width = (dimensions + STEP - 1) / STEP * STEP};
    while (1u << t->levels < t->blocks)
        t->levels++;
    size_t width = (size_t)t->width;
    t->record = malloc(n * sizeof *t->record);
    t->x = calloc((size_t)t->blocks * BLOCK * width, sizeof *t->x);
    t->box = calloc(((size_t)2 << t->levels) * 2 * width, sizeof *t->box);
    if (!t->record || !t->x || !t->box) {
        tree_free(t);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the search among %u points", n);
    }
    for (uint32_t i = 0; i < n; i++)
        t->record[i].index = i;
    split(t, 0, 0, point, dimensions);
    fill_blocks(t, point, dimensions);
    return DD_OK;
}

/* ---- searching ---- */

typedef struct block {
    const float *x;   /* (width, BLOCK): the queries */
    const float *box; /* (2, width): their bounds */
    int count, k;
    double *heap;    /* (BLOCK, k): each query's least distances so far, as a heap with the greatest first */
    double farthest; /* the greatest of all */
    double steps;    /* in a unit of length */
    float half_centre[DD_MAX_DIMENSIONS]; /* halves, because differences of the largest floats overflow */
    int16_t query[DD_MAX_DIMENSIONS * BLOCK], point[DD_MAX_DIMENSIONS * BLOCK];
    int16_t bound[BLOCK]; /* the difference of integers above which no point can be a neighbour */
} block;

DD_INLINE float larger_float(float a, float b)
{
    return a > b ? a : b;
}

DD_INLINE double larger_double(double a, double b)
{
    return a > b ? a : b;
}

DD_INLINE int16_t larger(int16_t a, int16_t b)
{
    return (int16_t)(a > b ? a : b);
}

DD_INLINE int16_t apart(int16_t a, int16_t b)
{
    return (int16_t)abs((int16_t)(a - b));
}

/* Chebyshev distance between the boxes of the block and of the node; 0 if they overlap. */
static double gap(const block *q, const float *box, int width)
{
    double most = 0.;
    for (int c = 0; c < width; c++) {
        double above = (double)box[c] - q->box[width + c], below = (double)q->box[c] - box[width + c];
        most = above > most ? above : most;
        most = below > most ? below : most;
    }
    return most;
}

/* The distance from each query to a box, in float32. */
DD_INLINE void gaps(const block *q, const float *box, int width, float *distance)
{
    memset(distance, 0, BLOCK * sizeof *distance);
    for (int c = 0; c < width; c++) {
        const float *x = q->x + c * BLOCK;
        float low = box[c], high = box[width + c];
        for (int l = 0; l < BLOCK; l++)
            distance[l] = larger_float(distance[l], larger_float(low - x[l], x[l] - high));
    }
}

/* Write the coordinates x (width, BLOCK) as integers. Each operation is monotone. */
DD_INLINE void encode(const block *q, const float *x, int width, int16_t *integer)
{
    const float steps_of_half = (float)(2. * q->steps);
    for (int c = 0; c < width; c++) {
        float half_centre = q->half_centre[c];
        for (int l = 0; l < BLOCK; l++) {
            float v = (.5f * x[c * BLOCK + l] - half_centre) * steps_of_half;
            v = v > MOST ? MOST : v;
            v = v < -MOST ? -MOST : v;
            integer[c * BLOCK + l] = (int16_t)(int)v;
        }
    }
}

/* The greatest difference of STEP coordinates. */
DD_INLINE int16_t farthest_of_step(const int16_t *query, const int16_t *point)
{
    int16_t most = 0;
#pragma GCC unroll 8
    for (int c = 0; c < STEP; c++)
        most = larger(most, apart(point[c * BLOCK], query[c * BLOCK]));
    return most;
}

/* Whether any point of a block may be near: their greatest differences of integers from a query. If not, these are
 * unfinished. */
DD_INLINE bool near_any(const int16_t *query, const int16_t *point, int width, int16_t bound, int16_t *distance)
{
    for (int l = 0; l < BLOCK; l++)
        distance[l] = farthest_of_step(query, point + l);
    for (int c = STEP; c < width; c += STEP) {
        int16_t least = INT16_MAX;
        for (int l = 0; l < BLOCK; l++) {
            int16_t d = larger(distance[l], farthest_of_step(query + c * BLOCK, point + c * BLOCK + l));
            distance[l] = d;
            least = (int16_t)(d < least ? d : least);
        }
        if (least > bound)
            return false;
    }
    return true;
}

/* The float64 distance of a query and a point; some value that is not below `limit` if the distance is not. */
DD_INLINE double distance_below(const float *query, const float *point, int width, double limit)
{
    double most = 0.;
    for (int c = 0; c < width && most < limit; c++)
        most = larger_double(most, fabs((double)point[c * BLOCK] - query[c * BLOCK]));
    return most;
}

/* The greatest difference of integers of two coordinates that are `distance` apart: one more than the whole steps
 * between them, with room for the rounding of both to float32. */
static int16_t steps_between(const block *q, double distance)
{
    double most = distance * q->steps * (1. + 1e-6) + .02 + 1.;
    return (int16_t)(most < INT16_MAX ? most : INT16_MAX);
}

static void keep(block *q, int lane, double distance)
{
    double *heap = q->heap + (size_t)lane * (size_t)q->k;
    dd_knn_heap_replace(heap, q->k, distance);
    q->bound[lane] = (int16_t)(heap[0] > 0. ? steps_between(q, heap[0]) : -1);
}

/* Compare one query with the `count` points of a block. */
DD_INLINE void scan_query(block *q, int lane, const float *point, int count, int width)
{
    int16_t distance[BLOCK];
    if (!near_any(q->query + lane, q->point, width, q->bound[lane], distance))
        return;
    for (int l = 0; l < count; l++) {
        if (distance[l] > q->bound[lane])
            continue;
        double limit = q->heap[(size_t)lane * (size_t)q->k];
        double exact = distance_below(q->x + lane, point + l, width, limit);
        if (exact < limit)
            keep(q, lane, exact);
    }
}

FOR_THIS_MACHINE static void scan(block *q, const tree *t, uint32_t node)
{
    uint32_t j = node - (1u << t->levels), number = first_block(t, t->levels, j);
    uint32_t first = first_position(t, t->levels, j), count = first_position(t, t->levels, j + 1) - first;
    const float *point = t->x + (size_t)number * BLOCK * (size_t)t->width;
    float distance[BLOCK];
    gaps(q, box_of(t, node), t->width, distance);
    encode(q, point, t->width, q->point);
    for (int lane = 0; lane < q->count; lane++)
        if (distance[lane] <= (float)q->heap[(size_t)lane * (size_t)q->k])
            scan_query(q, lane, point, (int)count, t->width);
    q->farthest = 0.;
    for (int lane = 0; lane < q->count; lane++)
        q->farthest = larger_double(q->farthest, q->heap[(size_t)lane * (size_t)q->k]);
}

/* Fill the heaps. */
static void search(const tree *t, block *q)
{
    /* The stack of nodes to visit. A node is removed before its two children are added, so each level leaves one node
     * on it. */
    struct {
        double gap;
        uint32_t node;
    } stack[MAX_LEVELS] = {{.gap = 0., .node = 1}};
    int waiting = 1;
    while (waiting) {
        waiting--;
        uint32_t node = stack[waiting].node;
        if (stack[waiting].gap >= q->farthest)
            continue;
        while (node >> t->levels == 0) {
            double left = gap(q, box_of(t, 2 * node), t->width), right = gap(q, box_of(t, 2 * node + 1), t->width);
            uint32_t near = right < left;
            if ((near ? left : right) < q->farthest) {
                stack[waiting].gap = near ? left : right;
                stack[waiting++].node = 2 * node + !near;
            }
            node = 2 * node + near;
        }
        scan(q, t, node);
    }
}

/* ---- the work and its threads ---- */

typedef struct job {
    const dd_knn_search *search;
    tree point, own;     /* own: of the queries, if they are not the points */
    const tree *queries; /* one of the two */
    double *heap;        /* (threads, BLOCK, k) */
    atomic_uint next;    /* node of the last level, as a number from 0 */
} job;

/* Choose the integers for the queries of a block. */
FOR_THIS_MACHINE static void choose_integers(block *q, int width)
{
    double side = 1e-30; /* so that the steps are finite */
    for (int c = 0; c < width; c++) {
        double low = q->box[c], high = q->box[width + c];
        q->half_centre[c] = (float)(.25 * (low + high));
        side = fmax(side, high - low);
    }
    q->steps = FINE / side;
    encode(q, q->x, width, q->query);
}

/* Find the neighbours of the queries of one node. */
static void answer(const job *a, uint32_t j, block *q)
{
    const tree *t = a->queries;
    uint32_t first = first_position(t, t->levels, j), end = first_position(t, t->levels, j + 1);
    if (first == end)
        return;
    q->count = (int)(end - first);
    q->x = t->x + (size_t)first * (size_t)t->width;
    q->box = box_of(t, (1u << t->levels) + j);
    q->farthest = INFINITY;
    choose_integers(q, t->width);
    for (int lane = 0; lane < BLOCK; lane++)
        q->bound[lane] = INT16_MAX;
    for (size_t i = 0; i < (size_t)BLOCK * (size_t)q->k; i++)
        q->heap[i] = INFINITY;
    search(&a->point, q);
    for (int lane = 0; lane < q->count; lane++)
        a->search->distance[t->record[first + (uint32_t)lane].index] = q->heap[(size_t)lane * (size_t)q->k];
}

static void work(void *argument, const dd_team *team)
{
    job *a = argument;
    block q = {.k = a->search->k};
    q.heap = a->heap + (size_t)team->rank * BLOCK * (size_t)q.k;
    for (uint32_t j; !dd_cancelled() && (j = atomic_fetch_add(&a->next, 1)) < 1u << a->queries->levels;)
        answer(a, j, &q);
}

dd_status dd_knn_blocks(const dd_knn_search *s, dd_pool *pool)
{
    job a = {.search = s};
    dd_status status = DD_OK;
    DD_CHECK(tree_create(s->point, s->n, s->dimensions, &a.point));
    if (s->query != s->point)
        DD_CHECK(tree_create(s->query, s->queries, s->dimensions, &a.own));
    a.queries = s->query == s->point ? &a.point : &a.own;
    a.heap = malloc((size_t)dd_pool_threads(pool) * BLOCK * (size_t)s->k * sizeof *a.heap);
    if (!a.heap) {
        status = dd_fail(DD_ERR_MEMORY, "out of memory for %d nearest neighbours", s->k);
        goto done;
    }
    dd_pool_run(pool, work, &a);
    status = dd_check_cancelled();
done:
    free(a.heap);
    tree_free(&a.own);
    tree_free(&a.point);
    return status;
}
