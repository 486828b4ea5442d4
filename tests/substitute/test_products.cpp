/* The products of cuda/product.cu, and what a layer does with them: against sums in float64, and bit for bit against
 * the order that its first comment promises, in both shapes of tiles. Factors and results lie in larger arrays full of
 * NaN, which nothing may touch. */
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <vector>

#include "../check.h"
#include "launch.h"

namespace
{

constexpr int MANY = 1 << 20, ONE = 1; /* processors: the first gets small tiles, the second large ones */

struct shape {
    int replicas, members, rows, columns, inner;
    int more; /* columns of the arrays beyond those of the matrices: a pitch that is no multiple of 4, or is */
};

/* Numbers on the host and on the device. */
struct array {
    std::vector<float> values;
    float *device = nullptr;
    size_t pitch, matrix;

    /* A matrix (down, across) for each member of each replica, in the middle of NaN. */
    array(const shape &s, int down, int across, uint32_t seed)
        : pitch((size_t)across + (size_t)s.more), matrix(pitch * (size_t)(down + 2))
    {
        values.assign((size_t)s.replicas * (size_t)s.members * matrix, NAN);
        for (int m = 0; m < s.replicas * s.members; m++)
            for (int i = 0; i < down; i++)
                for (int j = 0; j < across; j++) {
                    seed = seed * 1664525u + 1013904223u;
                    at(m, i, j) = (float)(int32_t)seed * 0x1p-31f;
                }
        cudaMalloc((void **)&device, values.size() * sizeof(float));
        cudaMemcpy(device, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice);
    }
    array(const array &) = delete;
    ~array() { cudaFree(device); }

    float &at(int m, int i, int j) { return values[(size_t)m * matrix + ((size_t)i + 1) * pitch + (size_t)j]; }

    dd_cuda_operand operand(const shape &s) const
    {
        return {device + pitch, (size_t)s.members * matrix, matrix, pitch};
    }
    dd_cuda_matrix result(const shape &s) const { return {device + pitch, (size_t)s.members * matrix, matrix, pitch}; }
};

struct problem {
    shape s;
    dd_cuda_form form;
    array left, right, result;

    problem(const shape &s, dd_cuda_form form)
        : s(s), form(form), left(s, across(form) ? s.inner : s.rows, across(form) ? s.rows : s.inner, 1),
          right(s, form == DD_CUDA_FORWARD ? s.columns : s.inner, form == DD_CUDA_FORWARD ? s.inner : s.columns, 2),
          result(s, s.rows, s.columns, 3)
    {
    }
    static bool across(dd_cuda_form form) { return form == DD_CUDA_WEIGHT_GRADIENT; }
    float left_at(int m, int i, int k) { return across(form) ? left.at(m, k, i) : left.at(m, i, k); }
    float right_at(int m, int j, int k) { return form == DD_CUDA_FORWARD ? right.at(m, j, k) : right.at(m, k, j); }

    dd_cuda_product product(bool add) const
    {
        dd_cuda_product p = {};
        p.members = s.members;
        p.rows = s.rows;
        p.columns = s.columns;
        p.inner = s.inner;
        p.left = left.operand(s);
        p.right = right.operand(s);
        p.result = result.result(s);
        if (add)
            p.before = result.operand(s);
        return p;
    }
};

std::vector<float> download(const array &a)
{
    std::vector<float> out(a.values.size());
    CHECK(cudaMemcpy(out.data(), a.device, out.size() * sizeof(float), cudaMemcpyDeviceToHost) == cudaSuccess, "copy");
    return out;
}

/* The result in the promised order. */
float in_order(problem &p, int m, int i, int j)
{
    float share[4] = {};
    for (int k = 0; k < p.s.inner; k++)
        share[k / 8 % 4] = std::fma(p.left_at(m, i, k), p.right_at(m, j, k), share[k / 8 % 4]);
    return (share[0] + share[1]) + (share[2] + share[3]);
}

void check_values(problem &p, const std::vector<float> &got, bool add, bool tensor_cores = false)
{
    const shape &s = p.s;
    double worst = 0;
    long other_order = 0;
    for (int m = 0; m < s.replicas * s.members; m++)
        for (int i = 0; i < s.rows; i++)
            for (int j = 0; j < s.columns; j++) {
                double sum = 0, size = 0, before = add ? p.result.at(m, i, j) : 0;
                for (int k = 0; k < s.inner; k++) {
                    double term = (double)p.left_at(m, i, k) * p.right_at(m, j, k);
                    sum += term;
                    size += std::fabs(term);
                }
                float value = got[(size_t)m * p.result.matrix + ((size_t)i + 1) * p.result.pitch + (size_t)j];
                float expected = in_order(p, m, i, j);
                other_order += value != (add ? p.result.at(m, i, j) + expected : expected);
                worst = std::fmax(worst, std::fabs(value - (before + sum)) / (size + std::fabs(before)));
            }
    /* On tensor cores: what the split leaves out, 3 * 2^-23, and three products that are cut off. */
    if (tensor_cores) {
        CHECK(worst <= 12 * 0x1p-24, "%d x %d x %d on tensor cores: %g", s.rows, s.columns, s.inner, worst);
        return;
    }
    /* A quarter of the terms in a chain and three sums: each rounds once, by half an ulp of at most the sum of sizes.
     */
    CHECK(worst <= (s.inner / 4 + 12) * 0x1p-24, "%d x %d x %d: %g", s.rows, s.columns, s.inner, worst);
    CHECK(other_order == 0, "form %d, %d x %d x %d: %ld elements are summed in another order", (int)p.form, s.rows,
          s.columns, s.inner, other_order);
}

/* What is no element of a result is what it was. */
void check_surroundings(problem &p, std::vector<float> got)
{
    const shape &s = p.s;
    std::vector<float> before = p.result.values;
    for (int m = 0; m < s.replicas * s.members; m++)
        for (int i = 0; i < s.rows; i++)
            for (int j = 0; j < s.columns; j++) {
                size_t at = (size_t)m * p.result.matrix + ((size_t)i + 1) * p.result.pitch + (size_t)j;
                got[at] = before[at] = 0;
            }
    CHECK(!std::memcmp(got.data(), before.data(), got.size() * sizeof(float)),
          "%d x %d x %d: written outside of the result", s.rows, s.columns, s.inner);
}

dd_cuda_products list_of(int replicas, std::initializer_list<dd_cuda_product> products)
{
    dd_cuda_products all = {};
    all.replicas = replicas;
    all.kind = DD_SILU;
    for (const dd_cuda_product &p : products)
        all.product[all.count++] = p;
    return all;
}

double silu(double x)
{
    return x / (1 + std::exp(-x));
}

double silu_slope(double x)
{
    double s = 1 / (1 + std::exp(-x));
    return s * (1 + x * (1 - s));
}

/* All that a layer does with its product, the derivative at the place of the result. */
void check_layer(int processors)
{
    const shape s = {2, 3, 37, 70, 40, 1};
    problem p(s, DD_CUDA_INPUT_GRADIENT);
    array before(s, s.rows, s.columns, 4), along(s, s.rows, s.columns, 5), bias(s, 1, s.columns, 6),
        active(s, s.rows, s.columns, 7);
    dd_cuda_product product = p.product(false);
    product.before = before.operand(s);
    product.along = along.operand(s);
    product.bias = bias.operand(s);
    product.hidden = p.result.operand(s);
    product.active = active.result(s);
    dd_cuda_products all = list_of(s.replicas, {product});
    CHECK_OK(dd_cuda_launch_products(p.form, &all, processors, 0));
    std::vector<float> got = download(p.result), activated = download(active);
    double worst = 0, worst_active = 0;
    for (int m = 0; m < s.replicas * s.members; m++)
        for (int i = 0; i < s.rows; i++)
            for (int j = 0; j < s.columns; j++) {
                double sum = (double)before.at(m, i, j) + bias.at(m, 0, j);
                for (int k = 0; k < s.inner; k++)
                    sum += (double)p.left_at(m, i, k) * p.right_at(m, j, k);
                double expected = silu_slope(p.result.at(m, i, j)) * sum + along.at(m, i, j);
                size_t at = (size_t)m * p.result.matrix + ((size_t)i + 1) * p.result.pitch + (size_t)j;
                worst = std::fmax(worst, std::fabs(got[at] - expected));
                worst_active = std::fmax(worst_active, std::fabs(activated[at] - silu(got[at])));
            }
    /* Sums of 42 numbers below 1, in some 15 roundings of at most 16 in size. */
    CHECK(worst < 15 * 16 * 0x1p-24, "a layer's results are %g off", worst);
    CHECK(worst_active < 16 * 0x1p-23, "a layer's activations are %g off", worst_active);
    check_surroundings(p, got);
    p.result.values = active.values;
    check_surroundings(p, activated);
}

void check(const shape &s, bool add)
{
    for (int form = DD_CUDA_FORWARD; form <= DD_CUDA_WEIGHT_GRADIENT; form++)
        for (bool tensor_cores : {false, true}) {
            std::vector<float> results[2];
            for (int processors : {MANY, ONE}) {
                problem p(s, (dd_cuda_form)form);
                dd_cuda_products all = list_of(s.replicas, {p.product(add)});
                all.tensor_cores = tensor_cores;
                CHECK_OK(dd_cuda_launch_products(p.form, &all, processors, 0));
                std::vector<float> got = download(p.result);
                check_values(p, got, add, tensor_cores);
                check_surroundings(p, got);
                results[processors == ONE] = got;
            }
            CHECK(!std::memcmp(results[0].data(), results[1].data(), results[0].size() * sizeof(float)),
                  "%d x %d x %d: the bits depend on the size of the tiles", s.rows, s.columns, s.inner);
        }
}

/* Products of different shapes in one launch. */
void check_several()
{
    for (int processors : {MANY, ONE}) {
        problem first({2, 3, 40, 33, 50, 0}, DD_CUDA_FORWARD), second({2, 1, 70, 5, 20, 0}, DD_CUDA_FORWARD),
            third({2, 2, 3, 100, 9, 1}, DD_CUDA_FORWARD);
        dd_cuda_products all = list_of(2, {first.product(false), second.product(false), third.product(false)});
        CHECK_OK(dd_cuda_launch_products(DD_CUDA_FORWARD, &all, processors, 0));
        check_values(first, download(first.result), false);
        check_values(second, download(second.result), false);
        check_values(third, download(third.result), false);
    }
}

} // namespace

int main()
{
    static const shape shapes[] = {
        {1, 1, 1, 1, 1, 0},     {1, 1, 32, 32, 32, 0},  {3, 2, 33, 31, 65, 1},  {2, 1, 65, 64, 8, 0},
        {1, 2, 64, 128, 96, 4}, {2, 1, 1, 1024, 3, 0},  {1, 1, 1024, 2, 40, 2}, {1, 3, 7, 5, 1024, 3},
        {1, 1, 17, 1, 33, 0},   {1, 1, 2, 256, 300, 1}, {1, 1, 100, 36, 20, 4},
    };
    for (const shape &s : shapes)
        check(s, false);
    check({2, 2, 40, 35, 30, 1}, true);
    check_several();
    check_layer(MANY);
    check_layer(ONE);
    return check_report();
}
