/* Products by cuda/tf32.cuh are as exact as those in float32: relative to |a| |b|, the norms of a row and a column,
 * compared with float64. The kernel fetches its factors by cp.async into two buffers in turn.
 */
#include <cmath>
#include <random>

#include "launching.h"
#include "tf32.cuh"

enum { ROWS = 32, COLUMNS = 32, DEPTH = 8 };

/* What may be done wrong. */
enum Plant { NOTHING, PLAIN_TF32, NO_LOW_OF_A, NO_LOW_OF_B, WRONG_FRAGMENT, NO_WAIT, NO_COMMIT };

template <Plant P> static __device__ void multiply(float sum[4], dd_tf32_a a, dd_tf32_b b)
{
    for (int i = 0; i < 4; i++)
        if (P == PLAIN_TF32 || P == NO_LOW_OF_A)
            a.low[i] = 0;
    for (int i = 0; i < 2; i++)
        if (P == PLAIN_TF32 || P == NO_LOW_OF_B)
            b.low[i] = 0;
    dd_tf32_multiply(sum, &a, &b);
}

/* result (32, 32) = left (32, depth) right (depth, 32), row by row; depth is a multiple of 8. Each of eight warps
 * computes 16 x 8 of it. */
template <Plant P>
static __global__ void __launch_bounds__(256) product(const float *left, const float *right, float *result, int depth)
{
    __shared__ __align__(16) float a[2][ROWS][DEPTH], b[2][DEPTH][COLUMNS];
    const int t = (int)threadIdx.x, lane = t % 32, group = lane / 4, member = lane % 4;
    const int row = t / 128 * 16 + group, column = t / 32 % 4 * 8;
    auto fetch = [&](int first, int buffer) {
        if (t < 64)
            dd_copy_async<16>(&a[buffer][t / 2][t % 2 * 4], left + t / 2 * depth + first + t % 2 * 4, 16);
        else if (t < 128)
            dd_copy_async<16>(&b[buffer][(t - 64) / 8][t % 8 * 4], right + (first + (t - 64) / 8) * COLUMNS + t % 8 * 4,
                              16);
        if (P != NO_COMMIT)
            dd_copy_commit();
    };
    float sum[4] = {};
    fetch(0, 0);
    for (int k = 0, turn = 0; k < depth; k += DEPTH, turn ^= 1) {
        if (P != NO_WAIT)
            dd_copy_wait<0>();
        __syncthreads();
        if (k + DEPTH < depth)
            fetch(k + DEPTH, turn ^ 1);
        const int second = P == WRONG_FRAGMENT ? 1 : 4;
        dd_tf32_a own_a = dd_tf32_split_a(a[turn][row][member], a[turn][row + 8][member],
                                          a[turn][row][(member + second) % 8], a[turn][row + 8][member + 4]);
        dd_tf32_b own_b = dd_tf32_split_b(b[turn][member][column + group], b[turn][member + 4][column + group]);
        multiply<P>(sum, own_a, own_b);
    }
    for (int i = 0; i < 4; i++)
        result[(row + i / 2 * 8) * COLUMNS + column + 2 * member + i % 2] = sum[i];
}

struct Factors {
    int depth;
    std::vector<float> left, right;
};

/* Normal numbers, or positive ones, whose sums do not cancel. */
static Factors factors(int depth, bool positive)
{
    Factors f = {depth, std::vector<float>((size_t)ROWS * depth), std::vector<float>((size_t)depth * COLUMNS)};
    std::mt19937 generator(7);
    std::normal_distribution<float> normal;
    for (std::vector<float> *x : {&f.left, &f.right})
        for (float &v : *x)
            v = positive ? std::fabs(normal(generator)) : normal(generator);
    return f;
}

/* The largest error of all elements, relative to |a| |b|. element(i, j): the result. */
template <typename Element> static double error_of(const Factors &f, Element element)
{
    double worst = 0;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++) {
            double sum = 0, a = 0, b = 0;
            for (int k = 0; k < f.depth; k++) {
                const double x = f.left[(size_t)i * f.depth + k], y = f.right[(size_t)k * COLUMNS + j];
                sum += x * y;
                a += x * x;
                b += y * y;
            }
            const double error = std::fabs(element(i, j) - sum) / std::sqrt(a * b);
            worst = std::isnan(error) ? INFINITY : std::max(worst, error);
        }
    return worst;
}

/* A chain of fused multiply-adds. */
static double error_of_float32(const Factors &f)
{
    return error_of(f, [&](int i, int j) {
        float sum = 0.f;
        for (int k = 0; k < f.depth; k++)
            sum = fmaf(f.left[(size_t)i * f.depth + k], f.right[(size_t)k * COLUMNS + j], sum);
        return (double)sum;
    });
}

template <Plant P> static double error_of_product(const Factors &f)
{
    float *left = device_array(f.left.size(), f.left.data()), *right = device_array(f.right.size(), f.right.data());
    float *result = device_array<float>(ROWS * COLUMNS);
    CHECK_CUDA(launch(1, 256, nullptr, product<P>, left, right, result, f.depth));
    std::vector<float> got = fetch(result, ROWS * COLUMNS);
    for (float *p : {left, right, result})
        CHECK_CUDA(cudaFree(p));
    return error_of(f, [&](int i, int j) { return (double)got[(size_t)i * COLUMNS + j]; });
}

/* Without a planted fault the error is that of float32 or less; plain TF32 loses three digits. */
static void test_errors(int depth, bool positive)
{
    const Factors f = factors(depth, positive);
    const double split = error_of_product<NOTHING>(f), chain = error_of_float32(f),
                 plain = error_of_product<PLAIN_TF32>(f);
    printf("K = %4d, %s: float32 %.1e, 3xTF32 %.1e, TF32 %.1e\n", depth, positive ? "positive" : "normal  ", chain,
           split, plain);
    const double half = error_of_product<NO_LOW_OF_A>(f), other_half = error_of_product<NO_LOW_OF_B>(f);
    CHECK(split < 1e-6 && split < 2 * chain, "3xTF32 %g, float32 %g", split, chain);
    CHECK(plain > 1e-5 && half > 1e-5 && other_half > 1e-5, "without corrections %g %g %g", plain, half, other_half);
    CHECK(error_of_product<WRONG_FRAGMENT>(f) > 1e-2, "a wrong fragment");
}

template <Plant P> static void copies_that_are_wrong()
{
    (void)error_of_product<P>(factors(32, false));
}

int main()
{
    for (int order = SUBSTITUTE_FORWARD; order <= SUBSTITUTE_RANDOM; order++) {
        substitute_set_order((substitute_order)order, 3);
        CHECK(error_of_product<NOTHING>(factors(64, false)) < 1e-6, "order %d", order);
    }
    substitute_set_order(SUBSTITUTE_FORWARD, 0);
    for (int depth : {256, 1024})
        for (bool positive : {false, true})
            test_errors(depth, positive);
    const char *open = "that it never waited for", *unwritten = "reads what nobody wrote: shared memory";
    expect_fault("no wait", copies_that_are_wrong<NO_WAIT>, open, unwritten);
    expect_fault("no commit", copies_that_are_wrong<NO_COMMIT>, open, unwritten);
    return check_report();
}
