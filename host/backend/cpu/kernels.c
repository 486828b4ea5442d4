/* Compiled once per instruction set with DD_ISA = plain, avx2 or avx512; see kernels.h.
 *
 * A tile of `R` rows and `P` panels of 16 columns stays in registers while the loop runs over the depth: each step of
 * the depth loads one row of each panel and broadcasts R scalars. Rows come in groups of 16. The tile heights of an
 * instruction set add up to 16, so that every tile is complete.
 */
#include "backend/cpu/kernels.h"

#include <math.h>
#include <string.h>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/kernels_wide.h"
#include "backend/cpu/vector_math.h"

enum { MAX_TILE_ROWS = 8 };

/* Depth of one pass over a tile: this slice of a panel fits the first-level cache. */
enum { DEPTH_BLOCK = 128 };

typedef struct tile {
    vf part[MAX_TILE_ROWS][TILE_PANELS][PARTS];
} tile;

/* acc += A B over 16 steps of the depth: A(r, k) = a[r * a_row + k * a_depth], B row k at b + 16 k. */
INLINE void accumulate16(tile *acc, const int rows, const int panels, const float *a, const int a_row,
                         const int a_depth, const float *b, size_t b_panel)
{
#pragma GCC unroll 4
    for (int k = 0; k < 16; k++) {
        vf column[TILE_PANELS][PARTS];
#pragma GCC unroll 2
        for (int p = 0; p < panels; p++)
#pragma GCC unroll 4
            for (int v = 0; v < PARTS; v++)
                column[p][v] = load(b + p * b_panel + 16 * k + v * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            vf scalar = broadcast(a[r * a_row + k * a_depth]);
#pragma GCC unroll 2
            for (int p = 0; p < panels; p++)
#pragma GCC unroll 4
                for (int v = 0; v < PARTS; v++)
                    acc->part[r][p][v] += scalar * column[p][v];
        }
    }
}

/* Prefetch the rows of the next panel, because the processor does not predict this jump. */
INLINE void prefetch_rows(const float *row, const int rows)
{
#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        __builtin_prefetch(row + 16 * r);
}

/* Run `body` for every vector of a tile; r, p and v are its indices, `at` its offset from row 0 of the
 * first panel in a matrix with the given panel stride. */
#define FOR_VECTORS(rows, panels, panel_stride, body)                                                                  \
    _Pragma("GCC unroll 8") for (int r = 0; r < (rows); r++)                                                           \
    {                                                                                                                  \
        _Pragma("GCC unroll 2") for (int p = 0; p < (panels); p++)                                                     \
        {                                                                                                              \
            _Pragma("GCC unroll 4") for (int v = 0; v < PARTS; v++)                                                    \
            {                                                                                                          \
                size_t at = p * (panel_stride) + 16 * r + v * LANES;                                                   \
                body;                                                                                                  \
            }                                                                                                          \
        }                                                                                                              \
    }

/* Defines name(const args *), a product from its tiles. It computes the output panel by panel, one slice of the depth
 * at a time, in groups of 16 rows; `rows` is the member of args with the number of rows. */
#define DEFINE_PRODUCT(name, args, rows, tile_function)                                                                \
    INLINE void name##_panels(const args *g, const int panels, int panel)                                              \
    {                                                                                                                  \
        for (int depth = 0; depth < g->depth; depth += DEPTH_BLOCK) {                                                  \
            int end = depth + DEPTH_BLOCK < g->depth ? depth + DEPTH_BLOCK : g->depth;                                 \
            for (int row = 0; row < g->rows; row += 16) {                                                              \
                FOR_TILES(tile_function)                                                                               \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    static void name(const args *g)                                                                                    \
    {                                                                                                                  \
        int panel = 0;                                                                                                 \
        for (; panel + TILE_PANELS <= g->panels; panel += TILE_PANELS)                                                 \
            name##_panels(g, TILE_PANELS, panel);                                                                      \
        for (; TILE_PANELS > 1 && panel < g->panels; panel++)                                                          \
            name##_panels(g, 1, panel);                                                                                \
    }

/* ---- forward ---- */

INLINE void forward_tile(const dd_forward_args *g, const int rows, const int panels, int row, int panel, int depth,
                         int depth_end)
{
    tile acc;
    size_t stride = g->output_panel, place = (size_t)panel * stride + 16 * (size_t)row;
    float *output = g->output + place;
    if (depth == 0) {
        const float *start = g->start + (size_t)panel * g->start_panel;
        FOR_VECTORS(rows, panels, stride, {
            size_t from = p * g->start_panel + (g->start_row ? 16 * (size_t)g->start_row[row + r] : 0);
            acc.part[r][p][v] = load(start + from + v * LANES);
            (void)at;
        })
    } else {
        FOR_VECTORS(rows, panels, stride, acc.part[r][p][v] = load(output + at))
    }
    const float *weight = g->weight + (size_t)panel * g->weight_panel;
    const float *input = g->input + 16 * (size_t)row;
    for (int k = depth; k < depth_end; k += 16) {
        const float *slice = input + (size_t)(k / 16) * g->input_panel;
        prefetch_rows(slice + g->input_panel, rows);
        accumulate16(&acc, rows, panels, slice, 16, 1, weight + 16 * (size_t)k, g->weight_panel);
    }
    if (depth_end < g->depth) {
        FOR_VECTORS(rows, panels, stride, store(output + at, acc.part[r][p][v]))
        return;
    }
    if (g->residual)
        FOR_VECTORS(rows, panels, stride, acc.part[r][p][v] += load(g->residual + place + at))
    FOR_VECTORS(rows, panels, stride, store(output + at, acc.part[r][p][v]))
    if (g->activated) {
        float *activated = g->activated + place;
        if (g->activation == DD_RELU) {
            FOR_VECTORS(rows, panels, stride, store(activated + at, relu(acc.part[r][p][v])))
        } else {
            for (int r = 0; r < rows; r++)
                for (int p = 0; p < panels; p++)
                    for (int v = 0; v < PARTS; v++) {
                        size_t at = p * stride + 16 * (size_t)r + v * LANES;
                        store(activated + at, activate(g->activation, load(output + at)));
                    }
        }
    }
}

#define FORWARD_TILE(first, height) forward_tile(g, height, panels, row + first, panel, depth, end);
DEFINE_PRODUCT(forward, dd_forward_args, rows, FORWARD_TILE)

/* ---- gradient at a layer's input ---- */

INLINE void backward_tile(const dd_backward_args *g, const int rows, const int panels, int row, int panel, int depth,
                          int depth_end)
{
    tile acc;
    size_t stride = g->output_panel, place = (size_t)panel * stride + 16 * (size_t)row;
    float *output = g->output + place;
    if (depth == 0) {
        FOR_VECTORS(rows, panels, stride, acc.part[r][p][v] = broadcast(0.f); (void)at)
    } else {
        FOR_VECTORS(rows, panels, stride, acc.part[r][p][v] = load(output + at))
    }
    const float *weight = g->transposed + (size_t)panel * g->transposed_panel;
    const float *gradient = g->gradient + 16 * (size_t)row;
    for (int k = depth; k < depth_end; k += 16) {
        const float *slice = gradient + (size_t)(k / 16) * g->gradient_panel;
        prefetch_rows(slice + g->gradient_panel, rows);
        accumulate16(&acc, rows, panels, slice, 16, 1, weight + 16 * (size_t)k, g->transposed_panel);
    }
    if (depth_end < g->depth) {
        FOR_VECTORS(rows, panels, stride, store(output + at, acc.part[r][p][v]))
        return;
    }
    const float *hidden = g->hidden + place;
    if (g->activation == DD_RELU) {
        FOR_VECTORS(rows, panels, stride, acc.part[r][p][v] = where_positive(load(hidden + at), acc.part[r][p][v]))
    } else {
        FOR_VECTORS(rows, panels, stride, store(output + at, acc.part[r][p][v]))
        for (int r = 0; r < rows; r++)
            for (int p = 0; p < panels; p++)
                for (int v = 0; v < PARTS; v++) {
                    size_t at = p * stride + 16 * (size_t)r + v * LANES;
                    store(output + at, load(output + at) * derivative(g->activation, load(hidden + at)));
                }
        FOR_VECTORS(rows, panels, stride, acc.part[r][p][v] = load(output + at))
    }
    if (g->along) {
        const float *along = g->along + (size_t)panel * g->along_panel + 16 * (size_t)row;
        FOR_VECTORS(rows, panels, g->along_panel, acc.part[r][p][v] += load(along + at))
    }
    FOR_VECTORS(rows, panels, stride, store(output + at, acc.part[r][p][v]))
}

#define BACKWARD_TILE(first, height) backward_tile(g, height, panels, row + first, panel, depth, end);
DEFINE_PRODUCT(backward_input, dd_backward_args, rows, BACKWARD_TILE)

/* ---- gradient of weights ---- */

INLINE void weight_tile(const dd_weight_args *g, const int rows, const int panels, int input, int panel, int depth,
                        int depth_end)
{
    tile acc;
    size_t stride = g->output_panel;
    float *output = g->output + (size_t)panel * stride + 16 * (size_t)input;
    if (depth == 0) {
        FOR_VECTORS(rows, panels, stride, acc.part[r][p][v] = broadcast(0.f); (void)at)
    } else {
        FOR_VECTORS(rows, panels, stride, acc.part[r][p][v] = load(output + at))
    }
    const float *a = g->input + (size_t)(input / 16) * g->input_panel + input % 16;
    const float *gradient = g->gradient + (size_t)panel * g->gradient_panel;
    for (int k = depth; k < depth_end; k += 16)
        accumulate16(&acc, rows, panels, a + 16 * (size_t)k, 1, 16, gradient + 16 * (size_t)k, g->gradient_panel);
    FOR_VECTORS(rows, panels, stride, store(output + at, acc.part[r][p][v]))
}

#define WEIGHT_TILE(first, height) weight_tile(g, height, panels, row + first, panel, depth, end);
DEFINE_PRODUCT(backward_weight, dd_weight_args, inputs, WEIGHT_TILE)

/* ---- element by element ---- */

static void column_sums(const float *panel, int rows, float sum[DD_PANEL])
{
    for (int v = 0; v < PARTS; v++) {
        /* Four independent sums, so that an addition does not wait for the one before. */
        vf chain[4] = {broadcast(0.f), broadcast(0.f), broadcast(0.f), broadcast(0.f)};
        for (int r = 0; r < rows; r += 4)
            for (int c = 0; c < 4; c++)
                chain[c] += load(panel + 16 * (r + c) + v * LANES);
        store(sum + v * LANES, (chain[0] + chain[1]) + (chain[2] + chain[3]));
    }
}

static double square_sum(const float *x, size_t count)
{
    double total = 0;
    while (count) { /* short runs are summed in float32, their sums in float64 */
        size_t run = count < 1024 ? count : 1024;
        float lane[DD_PANEL] = {0};
        for (int v = 0; v < PARTS; v++) {
            vf sum = broadcast(0.f);
            for (size_t i = 0; i < run; i += DD_PANEL) {
                vf value = load(x + i + (size_t)v * LANES);
                sum += value * value;
            }
            store(lane + v * LANES, sum);
        }
        for (int i = 0; i < DD_PANEL; i++)
            total += lane[i];
        x += run;
        count -= run;
    }
    return total;
}

static void adamw(const dd_adamw_args *g, size_t count, const float *gradient, float *online, float *moment1,
                  float *moment2, float *ema)
{
    for (size_t i = 0; i < count; i += LANES) {
        vf slope = load(gradient + i) * g->scale;
        vf m = load(moment1 + i), w = load(online + i) * g->decay;
        m = m + (slope - m) * g->one_minus_beta1;
        vf s = load(moment2 + i) * g->beta2 + slope * slope * g->one_minus_beta2;
        w = w - g->step_size * m / (root(s) * g->inverse_root + g->epsilon);
        store(moment1 + i, m);
        store(moment2 + i, s);
        store(online + i, w);
        if (g->ema == 1.f) {
            store(ema + i, w);
        } else if (g->ema != 0.f) {
            vf average = load(ema + i);
            store(ema + i, average + (w - average) * g->ema);
        }
    }
}

static void transpose(const float *panel, int rows, float *output, size_t output_panel)
{
    for (int k = 0; k < rows; k += 16, output += output_panel)
        for (int o = 0; o < 16; o++)
            for (int i = 0; i < 16; i++)
                output[16 * o + i] = panel[16 * (k + i) + o];
}

static void sine_cosine(float x, const float *frequency, const float *frequency_low, int count, float *sine,
                        float *cosine)
{
    for (int i = 0; i < count; i += LANES) {
        vf high = load(frequency + i), product = x * high;
        vf error = fused(broadcast(x), high, -product) + x * load(frequency_low + i);
        vf s, c;
        sincos_vector(product, error, &s, &c);
        store(sine + i, s);
        store(cosine + i, c);
    }
}

/* The distance and its gradient (along x, along y) for a difference dx, dy. */
INLINE vf pair_distance(const dd_diversity_kind kind, float inverse, vf dx, vf dy, vf *along_x, vf *along_y)
{
    if (kind == DD_DIVERSITY_L1) {
        *along_x = where_positive(dx, broadcast(1.f)) - where_positive(-dx, broadcast(1.f));
        *along_y = where_positive(dy, broadcast(1.f)) - where_positive(-dy, broadcast(1.f));
        return absolute(dx) + absolute(dy);
    }
    vf slope, distance = square_distance(kind, inverse, dx * dx + dy * dy, &slope);
    *along_x = dx * slope;
    *along_y = dy * slope;
    return distance;
}

INLINE void distances_of(const dd_diversity_kind kind, float scale, const float *x, const float *y, int n, int first,
                         int last, float *distance, float *slope_x, float *slope_y)
{
    float inverse = 1.f / (scale * scale);
    for (int i = first; i < last; i++) {
        float lane[3][DD_PANEL] = {{0}};
        for (int v = 0; v < PARTS; v++) {
            vf sum = broadcast(0.f), along_x = sum, along_y = sum;
            for (int j = v * LANES; j < n; j += DD_PANEL) {
                vf step_x, step_y, use = lanes_below(n - j);
                vf length = pair_distance(kind, inverse, x[i] - load(x + j), y[i] - load(y + j), &step_x, &step_y);
                sum += masked(length, use);
                along_x += masked(step_x, use);
                along_y += masked(step_y, use);
            }
            store(lane[0] + v * LANES, sum);
            store(lane[1] + v * LANES, along_x);
            store(lane[2] + v * LANES, along_y);
        }
        distance[i] = lane_sum(lane[0]);
        slope_x[i] = lane_sum(lane[1]);
        slope_y[i] = lane_sum(lane[2]);
    }
}

static void distances(dd_diversity_kind kind, float scale, const float *x, const float *y, int n, int first, int last,
                      float *distance, float *slope_x, float *slope_y)
{
#define OF(kind)                                                                                                       \
    case kind:                                                                                                         \
        distances_of(kind, scale, x, y, n, first, last, distance, slope_x, slope_y);                                   \
        break;
    switch (kind) {
        OF(DD_DIVERSITY_EUCLIDEAN)
        OF(DD_DIVERSITY_SQUARED)
        OF(DD_DIVERSITY_L1)
        OF(DD_DIVERSITY_RBF)
        OF(DD_DIVERSITY_LOG)
    }
#undef OF
}

static void gram_distances(dd_diversity_kind kind, float scale, float *gram, size_t gram_panel, const float *square,
                           int n, int first, int last, float *distance, float *slope)
{
    float inverse = 1.f / (scale * scale);
    for (int i = first; i < last; i++) {
        vf sum[PARTS], slopes[PARTS];
        for (int v = 0; v < PARTS; v++)
            sum[v] = slopes[v] = broadcast(0.f);
        for (int j = 0; j < n; j += DD_PANEL)
            for (int v = 0; v < PARTS; v++) {
                float *at = gram + (size_t)(j / DD_PANEL) * gram_panel + 16 * (size_t)i + v * LANES;
                vf use = lanes_below(i < n ? n - j - v * LANES : 0), c;
                vf apart = square[i] + load(square + j + v * LANES) - 2.f * load(at);
                vf length = square_distance(kind, inverse, where_positive(apart, apart), &c);
                c = masked(c, use);
                store(at, c);
                sum[v] += masked(length, use);
                slopes[v] += c;
            }
        float lane[2][DD_PANEL];
        for (int v = 0; v < PARTS; v++) {
            store(lane[0] + v * LANES, sum[v]);
            store(lane[1] + v * LANES, slopes[v]);
        }
        distance[i] += lane_sum(lane[0]);
        slope[i] = lane_sum(lane[1]);
    }
}

static void hidden_gradient(float factor, const float *slope, const float *hidden, const float *active, int panels,
                            size_t panel, int first, int last, dd_activation activation, float *product)
{
    for (int p = 0; p < panels; p++)
        for (int i = first; i < last; i++)
            for (int v = 0; v < PARTS; v++) {
                size_t at = (size_t)p * panel + 16 * (size_t)i + v * LANES;
                vf pull = factor * (slope[i] * load(active + at) - load(product + at));
                store(product + at, pull * derivative(activation, load(hidden + at)));
            }
}

const dd_kernels CONCAT(dd_kernels_, DD_ISA);
const dd_kernels CONCAT(dd_kernels_, DD_ISA) = {
    .name = ISA_NAME,
    .forward = forward,
    .backward_input = backward_input,
    .backward_weight = backward_weight,
    .column_sums = column_sums,
    .square_sum = square_sum,
    .adamw = adamw,
    .transpose = transpose,
    .sine_cosine = sine_cosine,
    .distances = distances,
    .distances_wide = CONCAT(dd_distances_wide_, DD_ISA),
    .gram_distances = gram_distances,
    .hidden_gradient = hidden_gradient,
};
