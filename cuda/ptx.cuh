/* Instructions that CUDA C++ has no function for, or only in recent toolkits: inline PTX on a device, a call where the
 * substitute runtime (tests/substitute) takes its place. Devices that lack one do without it, unless the comment says
 * otherwise. Source: PTX ISA, https://docs.nvidia.com/cuda/parallel-thread-execution.
 */
#ifndef DD_CUDA_PTX_CUH
#define DD_CUDA_PTX_CUH

#include <cuda_runtime.h>
#include <stdint.h>

/* ---- programmatic dependent launch (sm_90; griddepcontrol) ----
 *
 * A kernel that is launched with programmatic stream serialisation may begin while the kernel before it still runs.
 * Each of its threads calls dd_grid_wait before it touches memory that the kernel before writes, or writes what that
 * one reads. Its threads call dd_grid_launch_dependents after dd_grid_wait only: then all kernels but the one directly
 * before have ended when a kernel begins. */

/* Wait until the kernel before has ended and its writes can be seen. */
static __device__ inline void dd_grid_wait(void)
{
#if defined(DUALDIFF_SUBSTITUTE)
    substitute::grid_wait();
#elif __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/* The next kernel may begin once every block has called this or has ended. */
static __device__ inline void dd_grid_launch_dependents(void)
{
#if defined(DUALDIFF_SUBSTITUTE)
    substitute::grid_launch_dependents();
#elif __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/* How every kernel begins that needs nothing before its wait. */
static __device__ inline void dd_grid_begin(void)
{
    dd_grid_wait();
    dd_grid_launch_dependents();
}

/* ---- copies from device memory to shared memory that a thread does not wait for (sm_80; cp.async) ----
 *
 *     dd_copy_async<16>(&next[i], &x[i], 16); ...   // any number
 *     dd_copy_commit();                             // they are a group
 *     ... work on what came earlier ...
 *     dd_copy_wait<0>();                            // this thread's copies have arrived
 *     __syncthreads();                              // and those of the others
 *
 * Before sm_80 the thread waits in dd_copy_async. */

/* Copy `valid` of BYTES bytes (4, 8 or 16) and fill the rest with 0. Both addresses are multiples of BYTES, and valid
 * is a multiple of 4. Nothing is read if valid is 0. */
template <int BYTES> static __device__ inline void dd_copy_async(void *shared, const void *global, int valid)
{
    static_assert(BYTES == 4 || BYTES == 8 || BYTES == 16, "cp.async copies 4, 8 or 16 bytes");
#if defined(DUALDIFF_SUBSTITUTE)
    substitute::copy_async(shared, global, BYTES, (unsigned)valid);
#elif __CUDA_ARCH__ >= 800
    unsigned to = (unsigned)__cvta_generic_to_shared(shared);
    if constexpr (BYTES == 16) /* past the cache of the multiprocessor */
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(global), "r"(valid) : "memory");
    else
        asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(global), "n"(BYTES), "r"(valid)
                     : "memory");
#else
    for (int word = 0; word < BYTES / 4; word++)
        ((float *)shared)[word] = 4 * word < valid ? ((const float *)global)[word] : 0.f;
#endif
}

/* The copies since the last call are a group. */
static __device__ inline void dd_copy_commit(void)
{
#if defined(DUALDIFF_SUBSTITUTE)
    substitute::copy_commit();
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Wait until all but the PENDING newest groups of this thread have arrived. */
template <int PENDING> static __device__ inline void dd_copy_wait(void)
{
#if defined(DUALDIFF_SUBSTITUTE)
    substitute::copy_wait(PENDING);
#elif __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

/* ---- tensor cores (sm_80; earlier devices stop) ---- */

/* x rounded to the nearest number with a mantissa of 10 bits, ties away from zero. The result read as a float is that
 * number. */
static __device__ inline uint32_t dd_round_tf32(float x)
{
#if defined(DUALDIFF_SUBSTITUTE)
    return substitute::round_tf32(x);
#elif __CUDA_ARCH__ >= 800
    uint32_t rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
    return rounded;
#else
    __trap();
#endif
}

/* D (16, 8) += A (16, 8) B (8, 8), by all lanes of a warp together. The low 13 bits of a and b are ignored; sums are
 * cut off, not rounded. With g = lane / 4 and t = lane % 4 a lane holds
 *   - a: A[g][t], A[g + 8][t], A[g][t + 4], A[g + 8][t + 4]
 *   - b: B[t][g], B[t + 4][g]
 *   - d: D[g][2 t], D[g][2 t + 1], D[g + 8][2 t], D[g + 8][2 t + 1]
 */
static __device__ inline void dd_mma_tf32(float d[4], const uint32_t a[4], const uint32_t b[2])
{
#if defined(DUALDIFF_SUBSTITUTE)
    substitute::Fragments own = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}, {d[0], d[1], d[2], d[3]}};
    substitute::multiply_tf32(&own, {__FILE__, __LINE__});
    for (int i = 0; i < 4; i++)
        d[i] = own.d[i];
#elif __CUDA_ARCH__ >= 800
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
                 "{%0, %1, %2, %3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    __trap();
#endif
}

#endif
