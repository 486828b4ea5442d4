/* Exact nearest neighbours with a k-d tree.
 *
 * The tree is implicit. Level d cuts the sorted positions 0..n-1 into 2^d almost equal runs: node j of
 * level d owns positions [j n / 2^d, (j + 1) n / 2^d), whatever the coordinates are, so duplicates and
 * clusters cannot unbalance it. Nodes are numbered as in a heap (root 1, children 2i and 2i + 1) and
 * know their points' bounding box; the leaves are the last level.
 *
 * Exactness needs no tolerance: a box's distance is the same rounded subtraction as a point's, rounding
 * is monotone, so no point of a box is closer than the box, and a box that is no closer than the k-th
 * best so far cannot lower it.
 */
#include "knn.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "error.h"

enum {
    LEAF = 24,         /* points in a leaf, at most; anything from 8 to 32 is within 15 % */
    MAX_LEVELS = 32,   /* of nodes: 2^32 points fit into fewer */
    MAX_THREADS = 256, /* more would only cost their start */
    QUERIES_PER_THREAD = 2048
};

typedef struct box {
    float low[2], high[2];
} box;

typedef struct tree {
    uint32_t n;
    int levels;      /* of inner nodes; leaves are nodes 2^levels .. 2^(levels+1) - 1 */
    uint32_t *order; /* [n] a point's index by position */
    float *x, *y;    /* [n] coordinates by position */
    box *box;        /* [2^(levels+1)] by node */
} tree;

/* First position of node j of level d, as at the top of the file. */
static uint32_t first_position(const tree *t, int level, uint32_t j)
{
    return (uint32_t)((uint64_t)t->n * j >> level);
}

/* ---- building ---- */

/* Reorder order[first..last] so that position `middle` holds what sorting along `axis` would put there,
 * nothing greater before it and nothing smaller behind (Hoare's FIND). The scans stop at equal keys, so
 * that a run of duplicates is halved, not stripped one by one; the pivot's place is drawn, so that no
 * common arrangement of the input is slow. */
static void select_middle(const float *point, int axis, uint32_t *order, int64_t first, int64_t last, int64_t middle)
{
    const float *key = point + axis;
    uint32_t random = 0x9E3779B9u;
    while (first < last) {
        random = random * 1664525u + 1013904223u;
        float pivot = key[2 * (size_t)order[first + (int64_t)((uint64_t)random * (uint64_t)(last - first + 1) >> 32)]];
        int64_t i = first, j = last;
        while (i <= j) {
            while (key[2 * (size_t)order[i]] < pivot)
                i++;
            while (key[2 * (size_t)order[j]] > pivot)
                j--;
            if (i <= j) {
                uint32_t held = order[i];
                order[i++] = order[j];
                order[j--] = held;
            }
        }
        if (middle <= j)
            last = j;
        else if (middle >= i)
            first = i;
        else
            return;
    }
}

static box bounds(const float *point, const uint32_t *order, uint32_t first, uint32_t end)
{
    box b = {{INFINITY, INFINITY}, {-INFINITY, -INFINITY}};
    for (uint32_t i = first; i < end; i++) {
        const float *p = point + 2 * (size_t)order[i];
        for (int axis = 0; axis < 2; axis++) {
            b.low[axis] = p[axis] < b.low[axis] ? p[axis] : b.low[axis];
            b.high[axis] = p[axis] > b.high[axis] ? p[axis] : b.high[axis];
        }
    }
    return b;
}

static void tree_free(tree *t)
{
    free(t->order);
    free(t->x);
    free(t->y);
    free(t->box);
    *t = (tree){0};
}

/* n >= 1 points (n, 2). */
static int tree_build(const float *point, uint32_t n, tree *t)
{
    *t = (tree){.n = n};
    while ((n - 1) >> t->levels >= LEAF)
        t->levels++;
    t->order = malloc(n * sizeof *t->order);
    t->x = malloc(n * sizeof *t->x);
    t->y = malloc(n * sizeof *t->y);
    t->box = malloc(((size_t)2 << t->levels) * sizeof *t->box);
    if (!t->order || !t->x || !t->y || !t->box) {
        tree_free(t);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the search tree of %u points", n);
    }
    for (uint32_t i = 0; i < n; i++)
        t->order[i] = i;
    for (int level = 0; level <= t->levels; level++) {
        for (uint32_t j = 0; j < 1u << level; j++) {
            uint32_t first = first_position(t, level, j), end = first_position(t, level, j + 1);
            box b = bounds(point, t->order, first, end);
            t->box[(1u << level) + j] = b;
            int axis = (double)b.high[1] - b.low[1] > (double)b.high[0] - b.low[0];
            if (level < t->levels)
                select_middle(point, axis, t->order, first, (int64_t)end - 1, first_position(t, level + 1, 2 * j + 1));
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        t->x[i] = point[2 * (size_t)t->order[i]];
        t->y[i] = point[2 * (size_t)t->order[i] + 1];
    }
    return DD_OK;
}

/* ---- searching ---- */

/* For operands that are not NaN; unlike fmax a single instruction. */
static inline double larger(double a, double b)
{
    return a > b ? a : b;
}

/* Chebyshev distance from (x, y) to the nearest place in the box; 0 inside. */
static inline double box_distance(const box *b, double x, double y)
{
    double dx = larger(b->low[0] - x, x - b->high[0]), dy = larger(b->low[1] - y, y - b->high[1]);
    return larger(larger(dx, dy), 0.);
}

/* Replace the greatest of best[k], a heap with the greatest first, by d. */
static inline void heap_replace(double *best, int k, double d)
{
    int i = 0;
    for (int child; (child = 2 * i + 1) < k; i = child) {
        if (child + 1 < k && best[child + 1] > best[child])
            child++;
        if (best[child] <= d)
            break;
        best[i] = best[child];
    }
    best[i] = d;
}

static double kth_distance(const tree *t, double x, double y, int k, double *best)
{
    /* Boxes put aside. One is taken off before its two children are put on, so a level leaves one. */
    struct {
        double distance;
        uint32_t node;
        int level;
    } stack[MAX_LEVELS];
    int waiting = 0;
    for (int i = 0; i < k; i++)
        best[i] = INFINITY;
    stack[waiting++].node = 1;
    stack[0].level = 0;
    stack[0].distance = 0.;
    while (waiting) {
        waiting--;
        uint32_t node = stack[waiting].node;
        int level = stack[waiting].level;
        if (stack[waiting].distance >= best[0])
            continue;
        while (level < t->levels) {
            double left = box_distance(&t->box[2 * node], x, y), right = box_distance(&t->box[2 * node + 1], x, y);
            int near = right < left;
            level++;
            if ((near ? left : right) < best[0]) {
                stack[waiting].distance = near ? left : right;
                stack[waiting].node = 2 * node + !near;
                stack[waiting++].level = level;
            }
            node = 2 * node + (uint32_t)near;
        }
        uint32_t j = node - (1u << level);
        uint32_t end = first_position(t, level, j + 1);
        for (uint32_t i = first_position(t, level, j); i < end; i++) {
            double d = larger(fabs(t->x[i] - x), fabs(t->y[i] - y));
            if (d < best[0])
                heap_replace(best, k, d);
        }
    }
    return best[0];
}

/* ---- queries ---- */

typedef struct task {
    const tree *tree;
    const float *query;
    const uint32_t *order; /* in which queries are visited: neighbours one after the other, for the caches */
    uint32_t first, end;   /* of order */
    int k;
    double *best; /* [k] */
    double *distance;
} task;

static void *run(void *argument)
{
    const task *a = argument;
    for (uint32_t i = a->first; i < a->end; i++) {
        uint32_t q = a->order[i];
        a->distance[q] = kth_distance(a->tree, a->query[2 * (size_t)q], a->query[2 * (size_t)q + 1], a->k, a->best);
    }
    return NULL;
}

static int run_all(int threads, const task *whole)
{
    uint32_t queries = whole->end;
    int wanted = (int)((queries + QUERIES_PER_THREAD - 1) / QUERIES_PER_THREAD);
    if (threads > wanted)
        threads = wanted;
    threads = threads < 1 ? 1 : threads > MAX_THREADS ? MAX_THREADS : threads;
    pthread_t thread[MAX_THREADS];
    int started[MAX_THREADS];
    task share[MAX_THREADS];
    double *best = malloc((size_t)threads * (size_t)whole->k * sizeof *best);
    if (!best)
        return dd_fail(DD_ERR_MEMORY, "out of memory for %d nearest neighbours", whole->k);
    for (int i = 0; i < threads; i++) {
        share[i] = *whole;
        share[i].first = (uint32_t)((uint64_t)queries * (uint64_t)i / (uint64_t)threads);
        share[i].end = (uint32_t)((uint64_t)queries * (uint64_t)(i + 1) / (uint64_t)threads);
        share[i].best = best + (size_t)i * (size_t)whole->k;
        started[i] = i > 0 && pthread_create(&thread[i], NULL, run, &share[i]) == 0;
    }
    for (int i = 0; i < threads; i++) { /* a share whose thread could not start is done here */
        if (!started[i])
            run(&share[i]);
    }
    for (int i = 0; i < threads; i++) {
        if (started[i])
            pthread_join(thread[i], NULL);
    }
    free(best);
    return DD_OK;
}

int dd_cpu_knn(int threads, const float *query, uint32_t queries, const float *point, uint32_t n, int k,
               int exclude_self, double *distance)
{
    if (!queries)
        return DD_OK;
    tree points, visits = {0};
    DD_TRY(tree_build(point, n, &points));
    int status = DD_OK;
    if (query != point)
        DD_CHECK(tree_build(query, queries, &visits));
    /* A point's distance to itself is 0 and nothing is below 0, so the k-th of the others is the
     * (k + 1)-th of all. */
    task whole = {.tree = &points,
                  .query = query,
                  .order = query == point ? points.order : visits.order,
                  .end = queries,
                  .k = exclude_self ? k + 1 : k,
                  .distance = distance};
    status = run_all(threads, &whole);
done:
    tree_free(&visits);
    tree_free(&points);
    return status;
}
