/* Exact nearest neighbours in few dimensions with a k-d tree, for eight queries at a time. Compiled once for each
 * number of dimensions, DD_AXES.
 *
 * The tree is implicit. Level d cuts the sorted positions 0..n-1 into 2^d almost equal runs: node j of level d owns
 * positions [j n / 2^d, (j + 1) n / 2^d), independent of the coordinates, so duplicates and clusters cannot unbalance
 * it. Nodes are numbered as in a heap (root 1, children 2i and 2i + 1) and store the bounding box of their points; the
 * leaves are the last level. The tree is built depth first by moving the points themselves, so that all work except for
 * the top levels happens in the caches.
 *
 * A second tree sorts the queries in the same way (if the queries are the points, the first tree does). Eight queries
 * that follow each other form a block, which walks the tree once. Each query is a lane of a vector, so that a point of
 * a leaf is compared with all eight queries together.
 *
 * The search is exact without any tolerance. The distance of a box is computed by the same rounded subtraction as the
 * distance of a point, and rounding is monotone. So no point in a box is closer than the box, and a box that is not
 * closer than the k-th best distance so far cannot improve it. The result therefore depends neither on the tree nor on
 * which thread searched what.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "metrics/knn_search.h"
#include "metrics/knn_select.h"

enum {
    LEAF = 16,         /* points in a leaf, at most; 8 are 8 % slower, 32 as fast */
    BLOCK = 8,         /* queries in a block; 4 or 16 are 5 to 8 % slower */
    PAIRS = BLOCK / 2, /* pairs of lanes */
    SORTED = 32,       /* up to this k, sorted rows are faster than heaps */
    MAX_LEVELS = 32,   /* of nodes: 2^32 points need fewer */
    SUBTREES = 8,      /* subtrees for each thread, so that the threads' work is about equal */
    HANDED_OUT = 512   /* queries that a thread takes at once */
};

/* Loops over axes become straight code. */
#define EACH_AXIS _Pragma("GCC unroll 8") for (int axis = 0; axis < DD_AXES; axis++)

typedef struct box {
    float low[DD_AXES], high[DD_AXES];
} box;

typedef struct tree {
    uint32_t n;
    int levels;        /* of inner nodes; leaves are nodes 2^levels .. 2^(levels+1) - 1 */
    dd_record *record; /* [n] by position */
    box *box;          /* [2^(levels+1)] by node */
} tree;

/* First position of node j of level d; see the top of the file. */
static uint32_t first_position(const tree *t, int level, uint32_t j)
{
    return (uint32_t)((uint64_t)t->n * j >> level);
}

/* ---- building ---- */

static box bounds(const dd_record *r, uint32_t first, uint32_t end)
{
    box b;
    EACH_AXIS
    {
        b.low[axis] = INFINITY;
        b.high[axis] = -INFINITY;
    }
    for (uint32_t i = first; i < end; i++) {
        EACH_AXIS
        {
            float v = r[i].x[axis];
            b.low[axis] = v < b.low[axis] ? v : b.low[axis];
            b.high[axis] = v > b.high[axis] ? v : b.high[axis];
        }
    }
    return b;
}

/* Of the first among equally long ones. */
static int longest_side(const box *b)
{
    int longest = 0;
    EACH_AXIS
    if ((double)b->high[axis] - b->low[axis] > (double)b->high[longest] - b->low[longest])
        longest = axis;
    return longest;
}

/* Compute the bounding box of node j of a level and cut the node in two across the longest side. */
static void split(tree *t, int level, uint32_t j)
{
    uint32_t first = first_position(t, level, j), end = first_position(t, level, j + 1);
    box b = bounds(t->record, first, end);
    t->box[(1u << level) + j] = b;
    if (level == t->levels)
        return;
    uint32_t middle = first_position(t, level + 1, 2 * j + 1);
    int longest = longest_side(&b);
    EACH_AXIS /* so that the axis is a constant in each copy of the selection */
        if (axis == longest) dd_select_along(t->record, axis, first, end, middle);
}

static void split_down(tree *t, int level, uint32_t j)
{
    split(t, level, j);
    if (level < t->levels) {
        split_down(t, level + 1, 2 * j);
        split_down(t, level + 1, 2 * j + 1);
    }
}

static void tree_free(tree *t)
{
    free(t->record);
    free(t->box);
    *t = (tree){0};
}

/* A tree for n >= 1 points, to be filled and split. */
static dd_status tree_create(uint32_t n, tree *t)
{
    *t = (tree){.n = n};
    while ((n - 1) >> t->levels >= LEAF)
        t->levels++;
    t->record = malloc(n * sizeof *t->record);
    t->box = malloc(((size_t)2 << t->levels) * sizeof *t->box);
    if (!t->record || !t->box) {
        tree_free(t);
        return dd_fail(DD_ERR_MEMORY, "out of memory for the search tree of %u points", n);
    }
    return DD_OK;
}

/* ---- searching ---- */

/* Two lanes, which fit a register of every instruction set. The result of a comparison is used as four integers: with
 * two integers gcc 12 moves the lanes one by one. */
typedef double pair __attribute__((vector_size(16)));
typedef int64_t pair_bits __attribute__((vector_size(16)));
typedef int32_t mask __attribute__((vector_size(16)));

DD_INLINE pair both(double v)
{
    return v - (pair){0};
}
DD_INLINE pair absolute(pair a)
{
    return (pair)((pair_bits)a & INT64_MAX);
}
DD_INLINE mask below(pair a, pair b)
{
    return (mask)(a < b);
}
DD_INLINE bool any(mask m)
{
    pair_bits b = (pair_bits)m;
    return (b[0] | b[1]) != 0;
}

/* For operands that are not NaN. Unlike fmax, this is a single instruction. */
DD_INLINE double larger(double a, double b)
{
    return a > b ? a : b;
}
DD_INLINE double smaller(double a, double b)
{
    return a < b ? a : b;
}
DD_INLINE pair larger_pair(pair a, pair b)
{
    for (int i = 0; i < 2; i++)
        a[i] = larger(a[i], b[i]);
    return a;
}
DD_INLINE pair smaller_pair(pair a, pair b)
{
    for (int i = 0; i < 2; i++)
        a[i] = smaller(a[i], b[i]);
    return a;
}

typedef struct block {
    pair x[DD_AXES][PAIRS];
    double low[DD_AXES], high[DD_AXES]; /* the queries' bounding box */
    int k;
    pair *best;      /* up to SORTED neighbours: (k, PAIRS), distances in ascending order */
    double *heap;    /* for more neighbours: (BLOCK, k), each query's distances as a heap with the greatest first */
    pair kth[PAIRS]; /* the k-th least distance so far */
    double farthest; /* the greatest of them */
} block;

/* Chebyshev distance between the boxes of the block and of the node; 0 if they overlap. No query is closer to the
 * node. */
DD_INLINE double gap(const block *q, const box *b)
{
    double most = 0.;
    EACH_AXIS
    most = larger(larger(b->low[axis] - q->high[axis], q->low[axis] - b->high[axis]), most);
    return most;
}

/* Whether the box is closer to some query than that query's k-th neighbour so far. */
DD_INLINE bool matters(const block *q, const box *b)
{
    mask closer = {0};
    for (int p = 0; p < PAIRS; p++) {
        mask near = ~(mask){0};
        EACH_AXIS
        near &= below(both(b->low[axis]) - q->x[axis][p], q->kth[p]) &
                below(q->x[axis][p] - both(b->high[axis]), q->kth[p]);
        closer |= near;
    }
    return any(closer);
}

/* Insert the record's distances into the sorted rows: in each lane the distance moves to its place, and the greatest is
 * dropped. */
DD_INLINE void insert(block *q, const dd_record *r)
{
    pair d[PAIRS];
    for (int p = 0; p < PAIRS; p++) {
        d[p] = absolute(both(r->x[0]) - q->x[0][p]);
        EACH_AXIS
        d[p] = larger_pair(d[p], absolute(both(r->x[axis]) - q->x[axis][p]));
    }
    for (int i = 0; i < q->k; i++) {
        pair *row = q->best + PAIRS * i;
        for (int p = 0; p < PAIRS; p++) {
            pair held = row[p];
            row[p] = smaller_pair(held, d[p]);
            d[p] = larger_pair(held, d[p]);
        }
    }
}

static void insert_in_heaps(block *q, const dd_record *r)
{
    for (int lane = 0; lane < BLOCK; lane++) {
        double *heap = q->heap + (size_t)lane * (size_t)q->k;
        double d = 0.;
        EACH_AXIS
        d = larger(d, fabs(r->x[axis] - q->x[axis][lane / 2][lane % 2]));
        if (d < heap[0])
            dd_knn_heap_replace(heap, q->k, d);
    }
}

/* Update the k-th distances after a change. */
DD_INLINE void update_kth(block *q)
{
    q->farthest = 0.;
    for (int p = 0; p < PAIRS; p++) {
        if (q->heap)
            q->kth[p] = (pair){q->heap[(size_t)(2 * p) * (size_t)q->k], q->heap[(size_t)(2 * p + 1) * (size_t)q->k]};
        else
            q->kth[p] = q->best[PAIRS * (q->k - 1) + p];
        q->farthest = larger(q->farthest, larger(q->kth[p][0], q->kth[p][1]));
    }
}

/* Compare the records of a leaf with the block: first find those that are close to any query, without a branch, then
 * insert these. */
DD_INLINE void scan(block *q, const dd_record *r, uint32_t count)
{
    uint32_t close[LEAF], found = 0;
    for (uint32_t i = 0; i < count; i++) {
        mask closer = {0};
        for (int p = 0; p < PAIRS; p++) {
            mask near = ~(mask){0};
            EACH_AXIS
            near &= below(absolute(both(r[i].x[axis]) - q->x[axis][p]), q->kth[p]);
            closer |= near;
        }
        close[found] = i;
        found += (uint32_t)any(closer);
    }
    if (q->heap) {
        for (uint32_t i = 0; i < found; i++)
            insert_in_heaps(q, r + close[i]);
    } else {
        for (uint32_t i = 0; i < found; i++)
            insert(q, r + close[i]);
    }
    update_kth(q);
}

/* Fill q->kth. */
static void search(const tree *t, block *q)
{
    /* The stack of nodes to visit. A node is removed before its two children are added, so each level leaves one node
     * on it. */
    struct {
        double gap;
        uint32_t node;
        int level;
    } stack[MAX_LEVELS];
    int waiting = 0;
    for (int i = 0; i < q->k * PAIRS && !q->heap; i++)
        q->best[i] = both(INFINITY);
    for (size_t i = 0; i < (size_t)q->k * BLOCK && q->heap; i++)
        q->heap[i] = INFINITY;
    update_kth(q);
    stack[waiting++].node = 1;
    stack[0].level = 0;
    stack[0].gap = 0.;
    while (waiting) {
        waiting--;
        uint32_t node = stack[waiting].node;
        int level = stack[waiting].level;
        if (stack[waiting].gap >= q->farthest || !matters(q, &t->box[node]))
            continue;
        while (level < t->levels) {
            double left = gap(q, &t->box[2 * node]), right = gap(q, &t->box[2 * node + 1]);
            int near = right < left;
            level++;
            if ((near ? left : right) < q->farthest) {
                stack[waiting].gap = near ? left : right;
                stack[waiting].node = 2 * node + !near;
                stack[waiting++].level = level;
            }
            node = 2 * node + (uint32_t)near;
        }
        uint32_t j = node - (1u << level), first = first_position(t, level, j);
        scan(q, t->record + first, first_position(t, level, j + 1) - first);
    }
}

/* Make a block of the queries from `first` on. If fewer than BLOCK are left, the last query fills the remaining
 * lanes. */
DD_INLINE void load(block *q, const tree *queries, uint32_t first)
{
    EACH_AXIS
    {
        q->low[axis] = INFINITY;
        q->high[axis] = -INFINITY;
    }
    for (uint32_t lane = 0; lane < BLOCK; lane++) {
        const float *x = queries->record[first + lane < queries->n ? first + lane : queries->n - 1].x;
        EACH_AXIS
        {
            q->x[axis][lane / 2][lane % 2] = x[axis];
            q->low[axis] = smaller(q->low[axis], x[axis]);
            q->high[axis] = larger(q->high[axis], x[axis]);
        }
    }
}

/* ---- the work and its threads ---- */

typedef struct job {
    tree tree[2]; /* one for the points, and one for the queries if these are different */
    int trees;
    const float *coordinates[2]; /* of each tree's points, (n, DD_AXES) */
    int k;
    double *best; /* (threads, k, BLOCK) */
    double *distance;
    atomic_uint subtree;        /* the next one to split */
    atomic_uint_fast64_t query; /* the next one to answer */
} job;

static void build(job *a, const dd_team *team)
{
    for (int i = 0; i < a->trees; i++) {
        tree *t = &a->tree[i];
        const float *x = a->coordinates[i];
        uint32_t end = (uint32_t)((uint64_t)t->n * (uint32_t)(team->rank + 1) / (uint32_t)team->size);
        for (uint32_t p = (uint32_t)((uint64_t)t->n * (uint32_t)team->rank / (uint32_t)team->size); p < end; p++) {
            t->record[p].index = p;
            EACH_AXIS
            t->record[p].x[axis] = x[DD_AXES * (size_t)p + (size_t)axis];
        }
    }
    /* Split the top levels one after the other, then the subtrees in parallel. */
    int top = 0;
    while (team->size > 1 && 1 << top < SUBTREES * team->size)
        top++;
    for (int level = 0; level < top; level++) {
        dd_team_barrier(team);
        for (int i = team->rank; i < a->trees << level; i += team->size) {
            if (level <= a->tree[i >> level].levels)
                split(&a->tree[i >> level], level, (uint32_t)i & ((1u << level) - 1));
        }
    }
    dd_team_barrier(team);
    for (uint32_t i; (i = atomic_fetch_add(&a->subtree, 1)) < (uint32_t)a->trees << top;) {
        if (top <= a->tree[i >> top].levels)
            split_down(&a->tree[i >> top], top, i & ((1u << top) - 1));
    }
    dd_team_barrier(team);
}

static void work(void *argument, const dd_team *team)
{
    job *a = argument;
    build(a, team);
    const tree *points = &a->tree[0], *queries = &a->tree[a->trees - 1];
    double *memory = a->best + (size_t)team->rank * (size_t)a->k * BLOCK;
    block q = {.k = a->k};
    if (a->k <= SORTED)
        q.best = (pair *)memory;
    else
        q.heap = memory;
    for (uint64_t next; !dd_cancelled() && (next = atomic_fetch_add(&a->query, HANDED_OUT)) < queries->n;) {
        for (uint64_t first = next; first < next + HANDED_OUT && first < queries->n; first += BLOCK) {
            load(&q, queries, (uint32_t)first);
            search(points, &q);
            for (uint32_t lane = 0; lane < BLOCK && first + lane < queries->n; lane++)
                a->distance[queries->record[first + lane].index] = q.kth[lane / 2][lane % 2];
        }
    }
}

#define CONCATENATED(name, axes) name##axes
#define FUNCTION(name, axes) CONCATENATED(name, axes)

dd_status FUNCTION(dd_knn_tree_, DD_AXES)(const dd_knn_search *s, dd_pool *pool)
{
    job a = {
        .trees = s->query == s->point ? 1 : 2, .coordinates = {s->point, s->query}, .k = s->k, .distance = s->distance};
    dd_status status = DD_OK;
    DD_CHECK(tree_create(s->n, &a.tree[0]));
    if (a.trees == 2)
        DD_CHECK(tree_create(s->queries, &a.tree[1]));
    a.best = aligned_alloc(64, (size_t)dd_pool_threads(pool) * (size_t)a.k * BLOCK * sizeof *a.best);
    if (!a.best) {
        status = dd_fail(DD_ERR_MEMORY, "out of memory for %d nearest neighbours", a.k);
        goto done;
    }
    dd_pool_run(pool, work, &a);
    status = dd_check_cancelled();
done:
    free(a.best);
    tree_free(&a.tree[1]);
    tree_free(&a.tree[0]);
    return status;
}
