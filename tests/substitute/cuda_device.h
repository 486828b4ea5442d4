/* What the toolkit gives to kernels: qualifiers, indices, barriers, warp exchanges, atomics, intrinsics.
 * Included by cuda_runtime.h.
 */
#ifndef SUBSTITUTE_CUDA_DEVICE_H
#define SUBSTITUTE_CUDA_DEVICE_H

#include <cmath>
#include <cstring>
#include <math.h>

#include "cuda_types.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __grid_constant__
/* One block runs at a time, so that a variable of the thread that plays the device serves. The runtime finds the
 * thread-local variables of functions in the symbol table and makes them fresh for every block; so do not
 * strip, and declare no thread-local variables in functions of the same files. */
#define __shared__ static thread_local

namespace substitute
{
void add_shared_module(char *(*anchor)());
void forget_shared_module(char *(*anchor)());

#ifndef SUBSTITUTE_RUNTIME
/* Where the thread-local variables of this program or library are, for the calling thread. */
inline __attribute__((visibility("hidden"))) thread_local char shared_anchor = 1;

namespace
{
char *find_shared_anchor()
{
    return &shared_anchor;
}
const struct SharedModule {
    SharedModule() { add_shared_module(find_shared_anchor); }
    ~SharedModule() { forget_shared_module(find_shared_anchor); }
} shared_module __attribute__((unused));
} // namespace
#endif

/* Dynamic shared memory of the block, 16-byte aligned. `extern __shared__` cannot be had in plain C++. */
void *dynamic_shared();

/* Where in the source a barrier or exchange is; two threads must meet at the same place. */
struct Place {
    const char *file;
    int line;
};
enum class Exchange { index, up, down, exclusive_or, ballot, sync, multiply };

void block_barrier(Place place);
int block_vote(int predicate, int kind, Place place); /* kind: 0 count, 1 and, 2 or */
/* Value that the lane named by (exchange, operand, width) holds, or the ballot. */
uint64_t warp_exchange(Exchange exchange, unsigned mask, uint64_t value, int operand, int width, Place place);
unsigned active_lane();
void fence();
[[noreturn]] void trap();

/* ---- instructions that the toolkit has only in PTX ---- */

/* griddepcontrol.wait and .launch_dependents */
void grid_wait();
void grid_launch_dependents();

/* cp.async: `size` bytes (4, 8 or 16) of shared memory, the first `valid` from `from` and 0 behind them. They hold
 * poison until the thread has waited for their group. */
void copy_async(void *to, const void *from, unsigned size, unsigned valid);
/* cp.async.commit_group; cp.async.wait_group: at most so many groups of the thread are left open. */
void copy_commit();
void copy_wait(unsigned pending);

/* cvt.rna.tf32: the nearest number with a mantissa of 10 bits, ties away from zero. */
inline uint32_t round_tf32(float x)
{
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return (bits & 0x7F800000u) == 0x7F800000u ? bits : (bits + 0x1000u) & ~0x1FFFu;
}

/* mma.sync m16n8k8: what a lane holds of A, of B, and of C, which D replaces. */
struct Fragments {
    uint32_t a[4], b[2];
    float d[4];
};
void multiply_tf32(Fragments *own, Place place);

/* Tell the access checks that the word is used by an atomic operation. */
void note_atomic(const void *word, size_t size);

template <typename T> inline T exchange(Exchange kind, unsigned mask, T value, int operand, int width, Place place)
{
    static_assert(sizeof(T) <= 8 && std::is_trivially_copyable_v<T>);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    bits = warp_exchange(kind, mask, bits, operand, width, place);
    std::memcpy(&value, &bits, sizeof value);
    return value;
}
} // namespace substitute

/* Constant as far as one thread can see. */
#ifndef SUBSTITUTE_RUNTIME
extern const uint3 threadIdx, blockIdx;
extern const dim3 blockDim, gridDim;
#endif
static constexpr int warpSize = 32;

#define SUBSTITUTE_HERE const char *file = __builtin_FILE(), int line = __builtin_LINE()
#define SUBSTITUTE_PLACE (substitute::Place{file, line})

/* ---- barriers ---- */
inline void __syncthreads(SUBSTITUTE_HERE)
{
    substitute::block_barrier(SUBSTITUTE_PLACE);
}
inline int __syncthreads_count(int p, SUBSTITUTE_HERE)
{
    return substitute::block_vote(p, 0, SUBSTITUTE_PLACE);
}
inline int __syncthreads_and(int p, SUBSTITUTE_HERE)
{
    return substitute::block_vote(p, 1, SUBSTITUTE_PLACE);
}
inline int __syncthreads_or(int p, SUBSTITUTE_HERE)
{
    return substitute::block_vote(p, 2, SUBSTITUTE_PLACE);
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFu, SUBSTITUTE_HERE)
{
    substitute::warp_exchange(substitute::Exchange::sync, mask, 0, 0, 32, SUBSTITUTE_PLACE);
}
inline void __threadfence()
{
    substitute::fence();
}
inline void __threadfence_block() {}

/* ---- warp exchanges ---- */
template <typename T> inline T __shfl_sync(unsigned mask, T value, int source, int width = warpSize, SUBSTITUTE_HERE)
{
    return substitute::exchange(substitute::Exchange::index, mask, value, source, width, SUBSTITUTE_PLACE);
}
template <typename T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, SUBSTITUTE_HERE)
{
    return substitute::exchange(substitute::Exchange::up, mask, value, (int)delta, width, SUBSTITUTE_PLACE);
}
template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, SUBSTITUTE_HERE)
{
    return substitute::exchange(substitute::Exchange::down, mask, value, (int)delta, width, SUBSTITUTE_PLACE);
}
template <typename T> inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = warpSize, SUBSTITUTE_HERE)
{
    return substitute::exchange(substitute::Exchange::exclusive_or, mask, value, lanes, width, SUBSTITUTE_PLACE);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, SUBSTITUTE_HERE)
{
    return (unsigned)substitute::warp_exchange(substitute::Exchange::ballot, mask, predicate != 0, 0, 32,
                                               SUBSTITUTE_PLACE);
}
inline int __any_sync(unsigned mask, int predicate, SUBSTITUTE_HERE)
{
    return __ballot_sync(mask, predicate, file, line) != 0;
}
inline int __all_sync(unsigned mask, int predicate, SUBSTITUTE_HERE)
{
    return __ballot_sync(mask, predicate, file, line) == mask;
}
/* The toolkit promises no more than the calling lane itself. */
inline unsigned __activemask()
{
    return substitute::active_lane();
}

#undef SUBSTITUTE_HERE
#undef SUBSTITUTE_PLACE

/* ---- atomics: integers only, so that results cannot depend on an order ---- */
#define SUBSTITUTE_ATOMIC(name, type, result)                                                                          \
    __attribute__((no_sanitize("thread"))) inline type name(type *address, type value)                                 \
    {                                                                                                                  \
        substitute::note_atomic(address, sizeof *address);                                                             \
        type old = *address;                                                                                           \
        *address = (type)(result);                                                                                     \
        return old;                                                                                                    \
    }
#define SUBSTITUTE_ATOMICS(type)                                                                                       \
    SUBSTITUTE_ATOMIC(atomicAdd, type, old + value)                                                                    \
    SUBSTITUTE_ATOMIC(atomicExch, type, value)                                                                         \
    SUBSTITUTE_ATOMIC(atomicMin, type, value < old ? value : old)                                                      \
    SUBSTITUTE_ATOMIC(atomicMax, type, value > old ? value : old)                                                      \
    SUBSTITUTE_ATOMIC(atomicAnd, type, old &value)                                                                     \
    SUBSTITUTE_ATOMIC(atomicOr, type, old | value)                                                                     \
    SUBSTITUTE_ATOMIC(atomicXor, type, old ^ value)                                                                    \
    __attribute__((no_sanitize("thread"))) inline type atomicCAS(type *address, type compare, type value)              \
    {                                                                                                                  \
        substitute::note_atomic(address, sizeof *address);                                                             \
        type old = *address;                                                                                           \
        if (old == compare)                                                                                            \
            *address = value;                                                                                          \
        return old;                                                                                                    \
    }
SUBSTITUTE_ATOMICS(int)
SUBSTITUTE_ATOMICS(unsigned)
SUBSTITUTE_ATOMICS(unsigned long long)
SUBSTITUTE_ATOMIC(atomicSub, int, old - value)
SUBSTITUTE_ATOMIC(atomicSub, unsigned, old - value)
SUBSTITUTE_ATOMIC(atomicInc, unsigned, old >= value ? 0 : old + 1)
SUBSTITUTE_ATOMIC(atomicDec, unsigned, old == 0 || old > value ? value : old - 1)
#undef SUBSTITUTE_ATOMICS
#undef SUBSTITUTE_ATOMIC

/* ---- loads with a cache hint ---- */
template <typename T> inline T __ldg(const T *address)
{
    return *address;
}
template <typename T> inline T __ldcs(const T *address)
{
    return *address;
}
template <typename T> inline T __ldcg(const T *address)
{
    return *address;
}
template <typename T> inline void __stcs(T *address, T value)
{
    *address = value;
}
template <typename T> inline void __stcg(T *address, T value)
{
    *address = value;
}

/* ---- integers and bits ---- */
inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}
inline int __popcll(unsigned long long x)
{
    return __builtin_popcountll(x);
}
inline int __clz(int x)
{
    return x ? __builtin_clz((unsigned)x) : 32;
}
inline int __clzll(long long x)
{
    return x ? __builtin_clzll((unsigned long long)x) : 64;
}
inline int __ffs(int x)
{
    return __builtin_ffs(x);
}
inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)(((uint64_t)a * b) >> 32);
}
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b)
{
    __extension__ typedef unsigned __int128 wide;
    return (unsigned long long)((wide)a * b >> 64);
}
inline unsigned __brev(unsigned x)
{
    unsigned reversed = 0;
    for (int i = 0; i < 32; i++)
        reversed |= (x >> i & 1u) << (31 - i);
    return reversed;
}

/* ---- bits of floats ---- */
template <typename To, typename From> inline To substitute_bits(From from)
{
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}
inline unsigned __float_as_uint(float x)
{
    return substitute_bits<unsigned>(x);
}
inline int __float_as_int(float x)
{
    return substitute_bits<int>(x);
}
inline float __uint_as_float(unsigned x)
{
    return substitute_bits<float>(x);
}
inline float __int_as_float(int x)
{
    return substitute_bits<float>(x);
}
inline long long __double_as_longlong(double x)
{
    return substitute_bits<long long>(x);
}
inline double __longlong_as_double(long long x)
{
    return substitute_bits<double>(x);
}

/* ---- conversions and rounded operations ---- */
inline int __float2int_rn(float x)
{
    return (int)lrintf(x);
}
inline int __float2int_rz(float x)
{
    return (int)x;
}
inline int __float2int_rd(float x)
{
    return (int)floorf(x);
}
inline int __float2int_ru(float x)
{
    return (int)ceilf(x);
}
inline unsigned __float2uint_rn(float x)
{
    return (unsigned)llrintf(x);
}
inline unsigned __float2uint_rz(float x)
{
    return (unsigned)x;
}
inline float __int2float_rn(int x)
{
    return (float)x;
}
inline float __uint2float_rn(unsigned x)
{
    return (float)x;
}
inline float __double2float_rn(double x)
{
    return (float)x;
}
inline float __fadd_rn(float a, float b)
{
    return a + b;
}
inline float __fsub_rn(float a, float b)
{
    return a - b;
}
inline float __fmul_rn(float a, float b)
{
    return a * b;
}
inline float __fdiv_rn(float a, float b)
{
    return a / b;
}
inline float __frcp_rn(float a)
{
    return 1.f / a;
}
inline float __fsqrt_rn(float a)
{
    return sqrtf(a);
}
inline float __frsqrt_rn(float a)
{
    return (float)(1. / sqrt((double)a));
}
inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}
inline double __dadd_rn(double a, double b)
{
    return a + b;
}
inline double __dmul_rn(double a, double b)
{
    return a * b;
}
inline double __fma_rn(double a, double b, double c)
{
    return fma(a, b, c);
}
inline float __fdividef(float a, float b)
{
    return a / b;
}
inline float __saturatef(float x)
{
    return x > 0.f ? (x < 1.f ? x : 1.f) : 0.f;
}

/* ---- functions that the C library lacks, or whose names it keeps for itself ---- */
inline float substitute_expf(float x)
{
    return expf(x);
}
inline float substitute_exp10f(float x)
{
    return exp10f(x);
}
inline float substitute_logf(float x)
{
    return logf(x);
}
inline float substitute_log2f(float x)
{
    return log2f(x);
}
inline float substitute_log10f(float x)
{
    return log10f(x);
}
inline float substitute_sinf(float x)
{
    return sinf(x);
}
inline float substitute_cosf(float x)
{
    return cosf(x);
}
inline float substitute_tanf(float x)
{
    return tanf(x);
}
inline float substitute_powf(float x, float y)
{
    return powf(x, y);
}
inline void substitute_sincosf(float x, float *sine, float *cosine)
{
    *sine = sinf(x);
    *cosine = cosf(x);
}
inline float substitute_rsqrtf(float x)
{
    return 1.f / sqrtf(x);
}
inline double substitute_rsqrt(double x)
{
    return 1. / sqrt(x);
}
inline float substitute_sinpif(float x)
{
    return (float)sin(M_PI * fmod((double)x, 2.));
}
inline float substitute_cospif(float x)
{
    return (float)cos(M_PI * fmod((double)x, 2.));
}
inline void substitute_sincospif(float x, float *sine, float *cosine)
{
    *sine = substitute_sinpif(x);
    *cosine = substitute_cospif(x);
}
inline float substitute_normcdff(float x)
{
    return (float)(.5 * erfc(-(double)x * M_SQRT1_2));
}
#define __expf substitute_expf
#define __exp10f substitute_exp10f
#define __logf substitute_logf
#define __log2f substitute_log2f
#define __log10f substitute_log10f
#define __sinf substitute_sinf
#define __cosf substitute_cosf
#define __tanf substitute_tanf
#define __powf substitute_powf
#define __sincosf substitute_sincosf
#define rsqrtf substitute_rsqrtf
#define rsqrt substitute_rsqrt
#define sinpif substitute_sinpif
#define cospif substitute_cospif
#define sincospif substitute_sincospif
#define normcdff substitute_normcdff

/* The toolkit puts these into the global namespace. */
#define SUBSTITUTE_MIN_MAX(type)                                                                                       \
    inline type min(type a, type b)                                                                                    \
    {                                                                                                                  \
        return b < a ? b : a;                                                                                          \
    }                                                                                                                  \
    inline type max(type a, type b)                                                                                    \
    {                                                                                                                  \
        return a < b ? b : a;                                                                                          \
    }
SUBSTITUTE_MIN_MAX(int)
SUBSTITUTE_MIN_MAX(unsigned)
SUBSTITUTE_MIN_MAX(long)
SUBSTITUTE_MIN_MAX(unsigned long)
SUBSTITUTE_MIN_MAX(long long)
SUBSTITUTE_MIN_MAX(unsigned long long)
#undef SUBSTITUTE_MIN_MAX
inline unsigned min(unsigned a, int b)
{
    return min(a, (unsigned)b);
}
inline unsigned min(int a, unsigned b)
{
    return min((unsigned)a, b);
}
inline unsigned max(unsigned a, int b)
{
    return max(a, (unsigned)b);
}
inline unsigned max(int a, unsigned b)
{
    return max((unsigned)a, b);
}
inline float min(float a, float b)
{
    return fminf(a, b);
}
inline float max(float a, float b)
{
    return fmaxf(a, b);
}
inline double min(double a, double b)
{
    return fmin(a, b);
}
inline double max(double a, double b)
{
    return fmax(a, b);
}

#define __trap substitute::trap

#endif
