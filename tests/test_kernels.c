/* Every instruction set's kernels against plain loops in float64, on shapes that leave tiles uneven. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/kernels.h"
#include "base/philox.h"
#include "check.h"

/* A matrix in panels of 16 columns. */
typedef struct matrix {
    int rows, columns;
    size_t stride;
    float *at;
} matrix;

static uint32_t drawn;

static float draw(void)
{
    uint32_t word[4];
    float normal[2];
    dd_philox(5, DD_DRAW_DATA, 0, drawn++, word);
    dd_normal2(word[0], word[1], normal);
    return normal[0];
}

static matrix random_matrix(int rows, int columns)
{
    matrix m = {rows, columns, (size_t)(rows + 8) * DD_PANEL, NULL};
    size_t count = m.stride * (size_t)(columns / DD_PANEL);
    m.at = malloc(count * sizeof *m.at);
    for (size_t i = 0; i < count; i++)
        m.at[i] = draw();
    return m;
}

static float *element(const matrix *m, int r, int c)
{
    return m->at + (size_t)(c / DD_PANEL) * m->stride + (size_t)(DD_PANEL * r + c % DD_PANEL);
}

static double activation(dd_activation kind, double x)
{
    switch (kind) {
    case DD_GELU:
        return .5 * x * (1 + erf(x / sqrt(2)));
    case DD_SILU:
        return x / (1 + exp(-x));
    case DD_TANH:
        return tanh(x);
    case DD_RELU:
        break;
    }
    return x > 0 ? x : 0;
}

static double derivative(dd_activation kind, double x)
{
    if (kind == DD_RELU)
        return x > 0;
    double h = 1e-5;
    return (activation(kind, x + h) - activation(kind, x - h)) / (2 * h);
}

/* Largest difference relative to a value's size, or to 1 where it is smaller. */
static double far(double largest, double got, double wanted)
{
    double d = fabs(got - wanted) / fmax(1, fabs(wanted));
    return d > largest || isnan(d) ? d : largest;
}

static void check_forward(const dd_kernels *k, int rows, int depth, int columns, dd_activation kind, int residual,
                          int table)
{
    matrix input = random_matrix(rows, depth), weight = random_matrix(depth, columns);
    matrix start = random_matrix(table ? 48 : 16, columns), hidden = random_matrix(rows, columns);
    matrix output = random_matrix(rows, columns), active = random_matrix(rows, columns);
    int32_t *row = malloc((size_t)rows * sizeof *row);
    for (int r = 0; r < rows; r++)
        row[r] = (r * 7) % 48;
    dd_forward_args args = {.rows = rows,
                            .depth = depth,
                            .panels = columns / DD_PANEL,
                            .input = input.at,
                            .input_panel = input.stride,
                            .weight = weight.at,
                            .weight_panel = weight.stride,
                            .start = start.at,
                            .start_panel = start.stride,
                            .start_row = table ? row : NULL,
                            .residual = residual ? hidden.at : NULL,
                            .output = output.at,
                            .activated = active.at,
                            .output_panel = output.stride,
                            .activation = kind};
    k->forward(&args);
    double out = 0, act = 0;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            double sum = *element(&start, table ? row[r] : 0, c);
            for (int i = 0; i < depth; i++)
                sum += (double)*element(&input, r, i) * *element(&weight, i, c);
            if (residual)
                sum += *element(&hidden, r, c);
            out = far(out, *element(&output, r, c), sum);
            act = far(act, *element(&active, r, c), activation(kind, sum));
        }
    CHECK(out < 2e-5, "%s forward %d x %d x %d: %g", k->name, rows, depth, columns, out);
    CHECK(act < 2e-5, "%s activation %d: %g", k->name, (int)kind, act);
    matrix *all[] = {&input, &weight, &start, &hidden, &output, &active};
    for (int i = 0; i < 6; i++)
        free(all[i]->at);
    free(row);
}

static void check_backward(const dd_kernels *k, int rows, int outputs, int inputs, dd_activation kind, int residual)
{
    matrix gradient = random_matrix(rows, outputs), transposed = random_matrix(outputs, inputs);
    matrix hidden = random_matrix(rows, inputs), output = random_matrix(rows, inputs);
    dd_backward_args args = {.rows = rows,
                             .depth = outputs,
                             .panels = inputs / DD_PANEL,
                             .gradient = gradient.at,
                             .gradient_panel = gradient.stride,
                             .transposed = transposed.at,
                             .transposed_panel = transposed.stride,
                             .hidden = hidden.at,
                             .along = residual ? gradient.at : NULL,
                             .along_panel = gradient.stride,
                             .output = output.at,
                             .output_panel = output.stride,
                             .activation = kind};
    k->backward_input(&args);
    double out = 0;
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < inputs; c++) {
            double sum = 0;
            for (int o = 0; o < outputs; o++)
                sum += (double)*element(&gradient, r, o) * *element(&transposed, o, c);
            sum *= derivative(kind, *element(&hidden, r, c));
            out = far(out, *element(&output, r, c), residual ? sum + *element(&gradient, r, c) : sum);
        }
    CHECK(out < 2e-5, "%s backward %d x %d x %d, activation %d: %g", k->name, rows, outputs, inputs, (int)kind, out);
    matrix *all[] = {&gradient, &transposed, &hidden, &output};
    for (int i = 0; i < 4; i++)
        free(all[i]->at);
}

static void check_weight(const dd_kernels *k, int rows, int inputs, int outputs)
{
    matrix input = random_matrix(rows, inputs), gradient = random_matrix(rows, outputs);
    matrix output = random_matrix(inputs, outputs);
    dd_weight_args args = {.inputs = inputs,
                           .panels = outputs / DD_PANEL,
                           .depth = rows,
                           .input = input.at,
                           .input_panel = input.stride,
                           .gradient = gradient.at,
                           .gradient_panel = gradient.stride,
                           .output = output.at,
                           .output_panel = output.stride};
    k->backward_weight(&args);
    double out = 0, sums = 0;
    for (int c = 0; c < outputs; c++)
        for (int i = 0; i < inputs; i++) {
            double sum = 0;
            for (int r = 0; r < rows; r++)
                sum += (double)*element(&input, r, i) * *element(&gradient, r, c);
            out = far(out, *element(&output, i, c), sum);
        }
    float column[DD_PANEL];
    k->column_sums(gradient.at, rows, column);
    for (int c = 0; c < DD_PANEL; c++) {
        double sum = 0;
        for (int r = 0; r < rows; r++)
            sum += *element(&gradient, r, c);
        sums = far(sums, column[c], sum);
    }
    CHECK(out < 2e-5, "%s weights %d x %d x %d: %g", k->name, rows, inputs, outputs, out);
    CHECK(sums < 2e-5, "%s column sums: %g", k->name, sums);
    matrix *all[] = {&input, &gradient, &output};
    for (int i = 0; i < 3; i++)
        free(all[i]->at);
}

static void check_transpose(const dd_kernels *k)
{
    enum { ROWS = 48 };
    float panel[ROWS * DD_PANEL], out[ROWS * DD_PANEL * 2];
    for (int i = 0; i < ROWS * DD_PANEL; i++)
        panel[i] = (float)i;
    k->transpose(panel, ROWS, out, 2 * DD_PANEL * DD_PANEL);
    int wrong = 0;
    for (int r = 0; r < ROWS; r++)
        for (int o = 0; o < DD_PANEL; o++)
            wrong += out[(r / 16) * 2 * DD_PANEL * DD_PANEL + 16 * o + r % 16] != panel[16 * r + o];
    CHECK(!wrong, "%s transpose: %d", k->name, wrong);
}

/* Angles from 0 to a million, with the low part of the frequency that float32 leaves out. */
static void check_sines(const dd_kernels *k)
{
    enum { COUNT = 64 };
    float high[COUNT], low[COUNT], sine[COUNT], cosine[COUNT];
    double worst = 0;
    for (int i = 0; i < COUNT; i++) {
        double f = 25 * pow(10000, -i / 63.);
        high[i] = (float)f;
        low[i] = (float)(f - high[i]);
    }
    static const float scale[] = {0, 1e-3f, 1, 4, 30, 1000, 40000};
    for (int s = 0; s < 7; s++)
        for (int n = 0; n < 300; n++) {
            float x = scale[s] * draw();
            k->sine_cosine(x, high, low, COUNT, sine, cosine);
            for (int i = 0; i < COUNT; i++) {
                long double angle = (long double)x * ((long double)high[i] + low[i]);
                worst = fmax(worst, fabs((double)(sine[i] - sinl(angle))));
                worst = fmax(worst, fabs((double)(cosine[i] - cosl(angle))));
            }
        }
    CHECK(worst < 2e-7, "%s sines: %g", k->name, worst);
}

/* Distance and its gradient at the first point, for a difference (dx, dy). */
static long double pair(dd_diversity_kind kind, long double scale, long double dx, long double dy, long double slope[2])
{
    long double square = dx * dx + dy * dy, inner = scale * scale, factor = 0;
    switch (kind) {
    case DD_DIVERSITY_SQUARED:
        factor = 2;
        break;
    case DD_DIVERSITY_L1:
        slope[0] = (dx > 0) - (dx < 0);
        slope[1] = (dy > 0) - (dy < 0);
        return fabsl(dx) + fabsl(dy);
    case DD_DIVERSITY_RBF:
        factor = expl(-square / (2 * inner)) / inner;
        break;
    case DD_DIVERSITY_LOG:
        factor = 2 / (inner + square);
        break;
    case DD_DIVERSITY_EUCLIDEAN:
        factor = square > 0 ? 1 / sqrtl(square) : 0;
        break;
    }
    slope[0] = factor * dx;
    slope[1] = factor * dy;
    return kind == DD_DIVERSITY_SQUARED ? square
           : kind == DD_DIVERSITY_RBF   ? 1 - expl(-square / (2 * inner))
           : kind == DD_DIVERSITY_LOG   ? logl(1 + square / inner)
                                        : sqrtl(square);
}

/* Rows [first, last) of n points that lie about `spread` apart. */
static void check_distances(const dd_kernels *k, dd_diversity_kind kind, float scale, float spread, int first, int last)
{
    enum { N = 37, PADDED = 48 };
    float x[PADDED], y[PADDED], distance[N], slope_x[N], slope_y[N];
    for (int i = 0; i < PADDED; i++) {
        x[i] = spread * draw();
        y[i] = spread * draw();
    }
    x[5] = x[9];
    y[5] = y[9]; /* two equal points: no direction between them */
    x[30] = x[6];
    y[31] = y[7]; /* and two that differ along one axis */
    for (int i = 0; i < N; i++)
        distance[i] = slope_x[i] = slope_y[i] = -77;
    k->distances(kind, scale, x, y, N, first, last, distance, slope_x, slope_y);
    double worst = 0;
    int touched = 0;
    for (int i = 0; i < N; i++) {
        if (i < first || i >= last) {
            touched += distance[i] != -77 || slope_x[i] != -77 || slope_y[i] != -77;
            continue;
        }
        long double sum[3] = {0}, size[2] = {0}, slope[2];
        for (int j = 0; j < N; j++) {
            sum[0] += pair(kind, scale, (long double)x[i] - x[j], (long double)y[i] - y[j], slope);
            for (int c = 0; c < 2; c++) {
                sum[1 + c] += slope[c];
                size[c] += fabsl(slope[c]);
            }
        }
        /* A slope's terms are of both signs; its error is that of the largest. */
        worst = far(worst, distance[i], (double)sum[0]);
        worst = fmax(worst, fabs((double)(slope_x[i] - sum[1])) / (1 + (double)size[0]));
        worst = fmax(worst, fabs((double)(slope_y[i] - sum[2])) / (1 + (double)size[1]));
    }
    CHECK(worst < 2e-6, "%s distance %d, scale %g, spread %g: %g", k->name, (int)kind, (double)scale, (double)spread,
          worst);
    CHECK(!touched, "%s distance %d: rows beyond %d..%d", k->name, (int)kind, first, last);
}

/* The distance of two points of D coordinates, in long double, added to sum[0]; its gradient at the first one to
 * sum[1 ..] and, without signs, to size. */
static void add_distance(dd_diversity_kind kind, long double scale, int dimensions, const float *p, const float *q,
                         size_t stride, long double *sum, long double *size)
{
    long double square = 0, length = 0, slope[2];
    for (int c = 0; c < dimensions; c++) {
        long double apart = (long double)p[c * stride] - q[c * stride];
        square += apart * apart;
        length += fabsl(apart);
    }
    /* Turned until it lies along the first axis, any difference is one of the plane. */
    long double distance = pair(kind, scale, sqrtl(square), 0, slope);
    sum[0] += kind == DD_DIVERSITY_L1 ? length : distance;
    for (int c = 0; c < dimensions; c++) {
        long double apart = (long double)p[c * stride] - q[c * stride];
        long double along = kind == DD_DIVERSITY_L1 ? (apart > 0) - (apart < 0)
                            : square > 0            ? slope[0] * apart / sqrtl(square)
                                                    : 0;
        sum[1 + c] += along;
        size[c] += fabsl(along);
    }
}

/* Rows [first, last) of 37 points of `dimensions` coordinates that lie about `spread` apart. */
static void check_wide(const dd_kernels *k, dd_diversity_kind kind, int dimensions, float scale, float spread,
                       int first, int last)
{
    enum { N = 37, STRIDE = 48 };
    static float p[DD_MAX_DIMENSIONS * STRIDE], slope[DD_MAX_DIMENSIONS * STRIDE];
    float distance[N];
    for (int i = 0; i < dimensions * STRIDE; i++) {
        p[i] = i % STRIDE == 9 ? p[i - 4] : spread * draw(); /* points 5 and 9 are equal */
        slope[i] = -77;
    }
    p[30] = p[6];
    for (int i = 0; i < N; i++)
        distance[i] = -77;
    k->distances_wide(kind, scale, p, STRIDE, dimensions, N, first, last, distance, slope);
    double worst = 0;
    int touched = 0;
    for (int i = 0; i < STRIDE; i++) {
        long double sum[1 + DD_MAX_DIMENSIONS] = {0}, size[DD_MAX_DIMENSIONS] = {0};
        for (int j = 0; j < N; j++)
            add_distance(kind, scale, dimensions, p + i, p + j, STRIDE, sum, size);
        if (i < first || i >= last) {
            touched += i < N && distance[i] != -77;
            for (int c = 0; c < dimensions; c++)
                touched += slope[c * STRIDE + i] != -77;
            continue;
        }
        worst = far(worst, distance[i], (double)sum[0]);
        for (int c = 0; c < dimensions; c++)
            worst = fmax(worst, fabs((double)(slope[c * STRIDE + i] - sum[1 + c])) / (1 + (double)size[c]));
    }
    CHECK(worst < 2e-6, "%s distance %d of %d dimensions, spread %g: %g", k->name, (int)kind, dimensions,
          (double)spread, worst);
    CHECK(!touched, "%s distance %d of %d dimensions: rows beyond %d..%d", k->name, (int)kind, dimensions, first, last);
}

static void check_all_wide(const dd_kernels *k)
{
    static const int dimensions[] = {1, 3, 16, 17, 64, DD_MAX_DIMENSIONS};
    for (int kind = DD_DIVERSITY_EUCLIDEAN; kind <= DD_DIVERSITY_LOG; kind++)
        for (int i = 0; i < 6; i++) {
            check_wide(k, (dd_diversity_kind)kind, dimensions[i], .7f, 1, 0, 37);
            check_wide(k, (dd_diversity_kind)kind, dimensions[i], 1, .02f, 5, 33);
        }
    float p[2 * 16] = {0}, distance[3], slope[2 * 16];
    p[17] = NAN;
    k->distances_wide(DD_DIVERSITY_EUCLIDEAN, 1, p, 16, 2, 3, 0, 3, distance, slope);
    CHECK(isnan(distance[0]) && isnan(distance[1]), "%s wide distance of NaN: %g", k->name, (double)distance[0]);
}

static void check_all_distances(const dd_kernels *k)
{
    static const float scales[] = {1, .3f, 5}, spreads[] = {1, .02f, 40};
    for (int kind = DD_DIVERSITY_EUCLIDEAN; kind <= DD_DIVERSITY_LOG; kind++) {
        for (int i = 0; i < 9; i++)
            check_distances(k, (dd_diversity_kind)kind, scales[i % 3], spreads[i / 3], 0, 37);
        check_distances(k, (dd_diversity_kind)kind, 1, 1, 5, 33);
        /* A prediction that is NaN is seen in the sum. */
        float x[16] = {0}, y[16] = {0}, distance[3], slope_x[3], slope_y[3];
        x[1] = NAN;
        k->distances((dd_diversity_kind)kind, 1, x, y, 3, 0, 3, distance, slope_x, slope_y);
        CHECK(isnan(distance[0]) && isnan(distance[1]), "%s distance %d of NaN: %g", k->name, kind,
              (double)distance[0]);
    }
}

/* Distances of vectors from their inner products: rows [first, last) of n, the two last equal. */
static void check_gram(const dd_kernels *k, dd_diversity_kind kind, float scale, float spread, int first, int last)
{
    enum { N = 37, PADDED = 48, WIDTH = 24 };
    matrix gram = random_matrix(PADDED, PADDED);
    float h[N][WIDTH], square[PADDED], distance[PADDED], slope[PADDED];
    for (int i = 0; i < N; i++)
        for (int c = 0; c < WIDTH; c++)
            h[i][c] = i == N - 1 ? h[i - 1][c] : spread * draw();
    for (int i = 0; i < PADDED; i++) {
        square[i] = distance[i] = 5;
        for (int j = 0; j < PADDED; j++) {
            double product = 0;
            for (int c = 0; c < WIDTH && i < N && j < N; c++)
                product += (double)h[i][c] * h[j][c];
            if (i < N && j < N)
                *element(&gram, i, j) = (float)product;
        }
        if (i < N)
            square[i] = *element(&gram, i, i);
    }
    matrix given = random_matrix(PADDED, PADDED);
    memcpy(given.at, gram.at, gram.stride * PADDED / DD_PANEL * sizeof *gram.at);
    k->gram_distances(kind, scale, gram.at, gram.stride, square, N, first, last, distance, slope);
    double worst = 0, beyond = 0;
    for (int i = 0; i < PADDED; i++) {
        long double sum = 0, slopes = 0;
        for (int j = 0; j < PADDED; j++) {
            if (i < first || i >= last) { /* another's rows */
                beyond += *element(&gram, i, j) != *element(&given, i, j);
                continue;
            }
            if (i >= N || j >= N) {
                beyond += *element(&gram, i, j) != 0;
                continue;
            }
            long double apart = (long double)square[i] + square[j] - 2 * (long double)*element(&given, i, j), toward[2];
            long double length = sqrtl(fmaxl(apart, 0)), d = pair(kind, scale, length, 0, toward);
            long double c = toward[0] / length, inner = (long double)scale * scale;
            if (length == 0) /* the limits, but for the distance that has no direction there */
                c = kind == DD_DIVERSITY_EUCLIDEAN ? 0
                    : kind == DD_DIVERSITY_SQUARED ? 2
                                                   : (kind == DD_DIVERSITY_RBF ? 1 : 2) / inner;
            sum += d;
            slopes += c;
            worst = far(worst, *element(&gram, i, j), (double)c);
        }
        if (i >= first && i < last && i < N)
            worst = far(far(worst, distance[i], 5 + (double)sum), slope[i], (double)slopes);
        else if (i >= first && i < last)
            beyond += distance[i] != 5 || slope[i] != 0;
        else
            beyond += distance[i] != 5;
    }
    /* Squared distances are differences of sums about as large as they. */
    CHECK(worst < 1e-5, "%s distance %d from products, scale %g, spread %g: %g", k->name, (int)kind, (double)scale,
          (double)spread, worst);
    CHECK(beyond == 0, "%s distance %d from products: %g numbers beyond the rows", k->name, (int)kind, beyond);
    free(gram.at);
    free(given.at);
}

static void check_hidden_gradient(const dd_kernels *k, dd_activation kind)
{
    enum { ROWS = 32, WIDTH = 48, FIRST = 16 };
    matrix hidden = random_matrix(ROWS, WIDTH), active = random_matrix(ROWS, WIDTH),
           product = random_matrix(ROWS, WIDTH);
    matrix given = random_matrix(ROWS, WIDTH);
    float slope[ROWS];
    memcpy(given.at, product.at, product.stride * WIDTH / DD_PANEL * sizeof *product.at);
    for (int i = 0; i < ROWS; i++)
        slope[i] = draw();
    k->hidden_gradient(-.3f, slope, hidden.at, active.at, WIDTH / DD_PANEL, hidden.stride, FIRST, ROWS, kind,
                       product.at);
    double worst = 0;
    int touched = 0;
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < WIDTH; c++) {
            double wanted = -.3 * ((double)slope[r] * *element(&active, r, c) - *element(&given, r, c)) *
                            derivative(kind, *element(&hidden, r, c));
            if (r < FIRST)
                touched += *element(&product, r, c) != *element(&given, r, c);
            else
                worst = far(worst, *element(&product, r, c), wanted);
        }
    CHECK(worst < 2e-6 && !touched, "%s hidden gradient, activation %d: %g, %d other rows", k->name, (int)kind, worst,
          touched);
    matrix *all[] = {&hidden, &active, &product, &given};
    for (int i = 0; i < 4; i++)
        free(all[i]->at);
}

static void check_hidden_diversity(const dd_kernels *k)
{
    static const dd_diversity_kind kinds[] = {DD_DIVERSITY_EUCLIDEAN, DD_DIVERSITY_SQUARED, DD_DIVERSITY_RBF,
                                              DD_DIVERSITY_LOG};
    for (int i = 0; i < 4; i++) {
        check_gram(k, kinds[i], 1, 1, 0, 48);
        check_gram(k, kinds[i], 4, .7f, 0, 48);
        check_gram(k, kinds[i], 3, 1, 16, 32);
        check_hidden_gradient(k, (dd_activation)i);
    }
}

static void check_adamw(const dd_kernels *k)
{
    enum { N = 64 };
    float g[N], w[N], m[N], v[N], e[N];
    static const float average[] = {0, 1, .25f};
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < N; i++) {
            g[i] = draw();
            w[i] = draw();
            m[i] = .1f * draw();
            v[i] = i % 8 ? .01f * fabsf(draw()) : 0;
            e[i] = draw();
        }
        float w0[N], m0[N], v0[N], e0[N];
        memcpy(w0, w, sizeof w);
        memcpy(m0, m, sizeof m);
        memcpy(v0, v, sizeof v);
        memcpy(e0, e, sizeof e);
        dd_adamw_args args = {.scale = .5f,
                              .decay = .99f,
                              .beta2 = .999f,
                              .one_minus_beta1 = .1f,
                              .one_minus_beta2 = .001f,
                              .epsilon = 1e-8f,
                              .step_size = 3e-3f,
                              .inverse_root = 2,
                              .ema = average[turn]};
        k->adamw(&args, N, g, w, m, v, e);
        double worst = 0;
        for (int i = 0; i < N; i++) {
            double slope = .5 * g[i], mean = .9 * m0[i] + .1 * slope, square = .999 * v0[i] + .001 * slope * slope;
            double weight = .99 * w0[i] - 3e-3 * mean / (2 * sqrt(square) + 1e-8);
            double ema = e0[i] + average[turn] * (weight - e0[i]);
            worst = far(far(far(far(worst, m[i], mean), v[i], square), w[i], weight), e[i], ema);
        }
        CHECK(worst < 1e-6, "%s AdamW, average %g: %g", k->name, (double)average[turn], worst);
    }
}

static void check_squares(const dd_kernels *k)
{
    enum { N = 16 * 1001 };
    float *x = malloc(N * sizeof *x);
    double sum = 0;
    for (int i = 0; i < N; i++) {
        x[i] = draw();
        sum += (double)x[i] * x[i];
    }
    double got = k->square_sum(x, N);
    CHECK(fabs(got / sum - 1) < 1e-6, "%s squares: %.9g, %.9g", k->name, got, sum);
    free(x);
}

/* Beyond every range: no activation may turn a number into NaN, nor a NaN into a number. */
static void check_extremes(const dd_kernels *k)
{
    static const float values[] = {-1e30f, -200, -88, -1e-30f, 0, 1e-30f, 88, 200, 1e30f};
    matrix none = random_matrix(16, 16), zero = random_matrix(16, 16), active = random_matrix(16, 16);
    memset(zero.at, 0, zero.stride * sizeof *zero.at);
    for (int kind = DD_RELU; kind <= DD_TANH; kind++)
        for (int i = 0; i < 10; i++) {
            float start[16];
            for (int c = 0; c < 16; c++)
                start[c] = i < 9 ? values[i] : NAN;
            k->forward(&(dd_forward_args){.rows = 16,
                                          .depth = 16,
                                          .panels = 1,
                                          .input = zero.at,
                                          .input_panel = zero.stride,
                                          .weight = zero.at,
                                          .weight_panel = zero.stride,
                                          .start = start,
                                          .start_panel = 16,
                                          .output = none.at,
                                          .activated = active.at,
                                          .output_panel = active.stride,
                                          .activation = (dd_activation)kind});
            double got = *element(&active, 3, 5), wanted = activation((dd_activation)kind, start[5]);
            CHECK(i < 9 ? far(0, got, wanted) < 1e-6 : isnan(got), "%s activation %d of %g: %g, not %g", k->name, kind,
                  (double)start[5], got, wanted);
        }
    free(none.at);
    free(zero.at);
    free(active.at);
}

static void check_kernels(const dd_kernels *k)
{
    drawn = 0;
    for (int kind = DD_RELU; kind <= DD_TANH; kind++) {
        check_forward(k, 32, 48, 48, (dd_activation)kind, 1, 0);
        check_backward(k, 32, 48, 48, (dd_activation)kind, 1);
    }
    check_forward(k, 16, 16, 16, DD_RELU, 0, 1);
    check_forward(k, 48, 400, 80, DD_RELU, 0, 1); /* depth over several blocks, an odd number of panels */
    check_forward(k, 160, 256, 16, DD_RELU, 0, 0);
    check_backward(k, 48, 16, 80, DD_RELU, 0);
    check_backward(k, 16, 400, 400, DD_RELU, 1);
    check_weight(k, 16, 16, 16);
    check_weight(k, 304, 80, 48);
    check_transpose(k);
    check_sines(k);
    check_all_distances(k);
    check_all_wide(k);
    check_hidden_diversity(k);
    check_adamw(k);
    check_squares(k);
    check_extremes(k);
}

int main(void)
{
    static const char *const sets[] = {"plain", "avx2", "avx512"};
    for (int i = 0; i < 3; i++) {
        setenv("DUALDIFF_ISA", sets[i], 1);
        const dd_kernels *k = dd_kernels_select();
        if (k)
            check_kernels(k);
        else
            printf("%s: not on this machine, left out\n", sets[i]);
    }
    setenv("DUALDIFF_ISA", "sse9", 1);
    CHECK(!dd_kernels_select(), "an unknown instruction set is one");
    return check_report();
}
