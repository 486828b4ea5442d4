/* mma.sync.aligned.m16n8k8 of tf32: which lane holds what (PTX ISA, "Matrix Fragments for mma.m16n8k8"), and how the
 * tensor cores of sm_80 round: the low 13 bits of a factor are ignored; four products and the accumulator are added at
 * a time, each cut off 24 bits below the largest exponent, and the sum is cut off to a float32. This follows the models
 * in github.com/microsoft/MMA-Sim, which were compared with devices. sm_90 keeps one bit more and adds all eight
 * products at once, so what is exact enough here is there, too.
 */
#include <cmath>
#include <cstring>

#include "block.h"

namespace substitute
{

constexpr int rows = 16, columns = 8, depth = 8, step = 4;
constexpr int fraction = 24;

struct Factor {
    double value;
    int exponent;
};

static Factor factor(uint32_t bits)
{
    const float x = __uint_as_float(bits & ~0x1FFFu);
    return {x, x == 0.f ? -1000 : ilogbf(x)};
}

static double power_of_two(int exponent)
{
    const uint64_t bits = (uint64_t)(exponent + 1023) << 52;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Towards zero. */
static float cut(double x)
{
    const float nearest = (float)x;
    return std::fabs((double)nearest) > std::fabs(x) ? std::nextafterf(nearest, 0.f) : nearest;
}

/* sum of a[i] * b[i * stride] + c */
static float add(const Factor *a, const Factor *b, int stride, float c)
{
    int largest = c == 0.f ? -1000 : ilogbf(c);
    for (int i = 0; i < step; i++)
        largest = max(largest, a[i].exponent + b[i * stride].exponent);
    if (largest < -900)
        return 0.f;
    const double scale = power_of_two(fraction - largest);
    int32_t sum = (int32_t)(c * scale);
    for (int i = 0; i < step; i++)
        sum += (int32_t)(a[i].value * b[i * stride].value * scale);
    return cut(sum * power_of_two(largest - fraction));
}

void multiply(const uint64_t fragment[warpSize])
{
    Factor a[rows][depth], b[depth][columns];
    bool finite = true;
    for (int lane = 0; lane < warpSize; lane++) {
        const Fragments &own = *reinterpret_cast<const Fragments *>(fragment[lane]);
        const int group = lane / 4, member = lane % 4;
        for (int i = 0; i < 4; i++)
            a[group + i % 2 * 8][member + i / 2 * 4] = factor(own.a[i]);
        for (int i = 0; i < 2; i++)
            b[member + i * 4][group] = factor(own.b[i]);
        for (uint32_t bits : {own.a[0], own.a[1], own.a[2], own.a[3], own.b[0], own.b[1]})
            finite &= (bits & 0x7F800000u) != 0x7F800000u;
    }
    for (int lane = 0; lane < warpSize; lane++) {
        Fragments &own = *reinterpret_cast<Fragments *>(fragment[lane]);
        for (int i = 0; i < 4; i++) {
            const int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
            float sum = own.d[i];
            for (int k = 0; k < depth && finite && std::isfinite(sum); k += step)
                sum = add(&a[row][k], &b[k][column], columns, sum);
            for (int k = 0; k < depth && !(finite && std::isfinite(sum)); k++)
                sum += (float)(a[row][k].value * b[k][column].value);
            own.d[i] = sum;
        }
    }
}

void multiply_tf32(Fragments *own, Place place)
{
    if (capability() < 80) {
        fault(cudaErrorLaunchFailure, "%s: mma.sync of tf32 needs sm_80", kernel_position().c_str());
        abandon_kernel();
    }
    warp_exchange(Exchange::multiply, 0xFFFFFFFFu, reinterpret_cast<uint64_t>(own), 0, warpSize, place);
}

} // namespace substitute
