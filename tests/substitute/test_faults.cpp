/* Kernels and host code with one fault each, and the same without: the substitute runtime must tell them apart.
 * Built twice: as it is, and with every access checked (CHECKED), where more is found and more precisely.
 */
#include <cmath>
#include <cstring>

#include "launching.h"
#include "ptx.cuh"

#if defined(CHECKED)
constexpr bool checked = true;
#else
constexpr bool checked = false;
#endif
#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

enum Fault { NONE, FAULT };

static cudaStream_t own_stream()
{
    cudaStream_t stream;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking))
        abort();
    return stream;
}

template <typename T> static T *device(size_t n)
{
    T *array;
    if (cudaMalloc(&array, n * sizeof(T)))
        abort();
    return array;
}

static float *numbers(size_t n)
{
    std::vector<float> content(n);
    for (size_t i = 0; i < n; i++)
        content[i] = (float)i;
    float *array = device<float>(n);
    if (cudaMemcpy(array, content.data(), n * sizeof(float), cudaMemcpyHostToDevice))
        abort();
    return array;
}

/* Results that are wrong, rather than reported: a fault all the same. */
static void expect_numbers(const float *array, size_t n, float (*expected)(size_t))
{
    std::vector<float> got(n);
    if (cudaMemcpy(got.data(), array, n * sizeof(float), cudaMemcpyDeviceToHost))
        return;
    for (size_t i = 0; i < n; i++)
        if (got[i] != expected(i)) {
            fprintf(stderr, "wrong result %g at %zu\n", got[i], i);
            _exit(4);
        }
}

/* ---- barriers ---- */

template <Fault F> static __global__ void reverse_in_block(float *x)
{
    __shared__ float copy[64];
    copy[threadIdx.x] = x[threadIdx.x];
    if (F == NONE)
        __syncthreads();
    x[threadIdx.x] = copy[63 - threadIdx.x];
}
template <Fault F> static void missing_barrier()
{
    float *x = numbers(64);
    launch(1, 64, nullptr, reverse_in_block<F>, x);
    expect_numbers(x, 64, [](size_t i) { return (float)(63 - i); });
}

/* The last barrier of a loop's body is missing: a fast thread overwrites what a slow one has yet to read. */
template <Fault F> static __global__ void rotate(float *x)
{
    __shared__ float copy[64];
    float mine = x[threadIdx.x];
    for (int round = 0; round < 3; round++) {
        copy[threadIdx.x] = mine;
        __syncthreads();
        mine = copy[(threadIdx.x + 1) % 64];
        if (F == NONE)
            __syncthreads();
    }
    x[threadIdx.x] = mine;
}
template <Fault F> static void missing_last_barrier()
{
    float *x = numbers(64);
    launch(1, 64, nullptr, rotate<F>, x);
    expect_numbers(x, 64, [](size_t i) { return (float)((i + 3) % 64); });
}

template <Fault F> static __global__ void half_barrier(float *x)
{
    if (F == NONE || threadIdx.x < 31)
        __syncthreads();
    x[threadIdx.x] += 1.f;
}
template <Fault F> static void missed_barrier()
{
    launch(1, 64, nullptr, half_barrier<F>, numbers(64));
    cudaDeviceSynchronize();
}

template <Fault F> static __global__ void early_return(float *x, unsigned n)
{
    if (F == FAULT && threadIdx.x >= n)
        return;
    __syncthreads();
    if (threadIdx.x < n)
        x[threadIdx.x] += 1.f;
}
template <Fault F> static void returned_before_barrier()
{
    launch(1, 64, nullptr, early_return<F>, numbers(64), 60u);
    cudaDeviceSynchronize();
}

template <Fault F> static __global__ void two_barriers(float *x)
{
    if (F == NONE || threadIdx.x % 2)
        __syncthreads();
    else
        __syncthreads();
    x[threadIdx.x] += 1.f;
}
template <Fault F> static void different_barriers()
{
    launch(1, 64, nullptr, two_barriers<F>, numbers(64));
    cudaDeviceSynchronize();
}

template <Fault F> static __global__ void swap_in_warp(float *x)
{
    __shared__ float copy[32];
    copy[threadIdx.x] = x[threadIdx.x];
    if (F == NONE)
        __syncwarp();
    x[threadIdx.x] = copy[threadIdx.x ^ 1];
}
template <Fault F> static void missing_syncwarp()
{
    float *x = numbers(32);
    launch(1, 32, nullptr, swap_in_warp<F>, x);
    expect_numbers(x, 32, [](size_t i) { return (float)(i ^ 1); });
}

/* ---- exchanges ---- */

template <Fault F> static __global__ void sum_warp(float *x, unsigned n)
{
    float value = threadIdx.x < n ? x[threadIdx.x] : 0.f;
    if (F == FAULT && threadIdx.x >= n)
        return;
    for (int lanes = 16; lanes > 0; lanes /= 2)
        value += __shfl_xor_sync(0xFFFFFFFFu, value, lanes);
    if (threadIdx.x == 0)
        x[0] = value;
}
template <Fault F> static void missing_lanes()
{
    launch(1, 32, nullptr, sum_warp<F>, numbers(32), 20u);
    cudaDeviceSynchronize();
}

template <Fault F> static __global__ void beyond_mask(float *x)
{
    if (threadIdx.x < 16)
        x[threadIdx.x] = __shfl_xor_sync(0xFFFFu, x[threadIdx.x], F == FAULT ? 16 : 8);
}
template <Fault F> static void lane_outside_mask()
{
    launch(1, 32, nullptr, beyond_mask<F>, numbers(32));
    cudaDeviceSynchronize();
}

template <Fault F> static __global__ void branching_shuffle(float *x)
{
    float value = x[threadIdx.x];
    if (F == NONE || threadIdx.x < 16)
        value += __shfl_xor_sync(0xFFFFFFFFu, value, 1);
    else
        value += __shfl_xor_sync(0xFFFFFFFFu, value, 2);
    x[threadIdx.x] = value;
}
template <Fault F> static void different_shuffles()
{
    launch(1, 32, nullptr, branching_shuffle<F>, numbers(32));
    cudaDeviceSynchronize();
}

/* ---- bounds and content ---- */

template <Fault F> static __global__ void read_next(const float *x, float *y, unsigned n)
{
    unsigned i = threadIdx.x;
    if (i < n)
        y[i] = F == FAULT || i + 1 < n ? x[i + 1] : 0.f;
}
template <Fault F, int N> static void read_past_end()
{
    launch(1, 64, nullptr, read_next<F>, numbers(N), numbers(N), (unsigned)N);
    cudaDeviceSynchronize();
}

template <Fault F> static __global__ void fill_all(float *x, unsigned n)
{
    unsigned i = threadIdx.x;
    if (F == FAULT ? i <= n : i < n)
        x[i] = 1.f;
}
template <Fault F, int N> static void write_past_end()
{
    launch(1, 64, nullptr, fill_all<F>, device<float>(N), (unsigned)N);
    cudaDeviceSynchronize();
}

/* Two arrays in one allocation. */
template <Fault F> static void write_past_array()
{
    float *both = device<float>(128), *second = both + 80;
    substitute_array(both, 61 * sizeof(float));
    substitute_array(second, 48 * sizeof(float));
    launch(1, 64, nullptr, fill_all<NONE>, second, 48u);
    launch(1, 64, nullptr, fill_all<F>, both, 61u);
    cudaDeviceSynchronize();
}
template <Fault F> static void overlapping_arrays()
{
    float *both = device<float>(128);
    substitute_array(both + (F == FAULT ? 79 : 80), 48 * sizeof(float));
    substitute_array(both, 80 * sizeof(float));
    cudaDeviceSynchronize();
}

template <Fault F> static __global__ void shift_down(float *x, int n)
{
    int i = (int)threadIdx.x;
    if (i < n && (F == FAULT || i > 0))
        x[i - 1] = 1.f;
}
template <Fault F> static void write_before_begin()
{
    launch(1, 64, nullptr, shift_down<F>, device<float>(61), 61);
    cudaDeviceSynchronize();
}

static __global__ void double_them(const float *x, float *y)
{
    y[threadIdx.x] = 2.f * x[threadIdx.x];
}
template <Fault F> static void never_written()
{
    float *x = F == FAULT ? device<float>(64) : numbers(64), *y = device<float>(64);
    launch(1, 64, nullptr, double_them, x, y);
    expect_numbers(y, 64, [](size_t i) { return 2.f * (float)i; });
}

/* Shared memory holds nothing from the block before. */
template <Fault F> static __global__ void accumulate(float *x)
{
    __shared__ float sum;
    if (threadIdx.x == 0 && (F == NONE || blockIdx.x == 0))
        sum = 0.f;
    __syncthreads();
    if (threadIdx.x == 0) {
        sum += 1.f;
        x[blockIdx.x] = sum;
    }
}
template <Fault F> static void stale_shared_memory()
{
    float *x = device<float>(2);
    launch(2, 32, nullptr, accumulate<F>, x);
    expect_numbers(x, 2, [](size_t) { return 1.f; });
}

template <Fault F> static void freed_memory()
{
    cudaStream_t stream = own_stream();
    float *x = numbers(64), *y = device<float>(64);
    cudaStreamBeginCapture(stream, cudaStreamCaptureModeRelaxed);
    launch(1, 64, stream, double_them, x, y);
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaStreamEndCapture(stream, &graph);
    cudaGraphInstantiate(&exec, graph, 0);
    if (F == FAULT)
        cudaFree(x);
    cudaGraphLaunch(exec, stream);
    cudaStreamSynchronize(stream);
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
    cudaStreamDestroy(stream);
}

struct Pointers {
    const float *x;
    float *y;
};
static __global__ void double_by_struct(Pointers p)
{
    p.y[threadIdx.x] = 2.f * p.x[threadIdx.x];
}
template <Fault F> static void null_in_struct()
{
    launch(1, 64, nullptr, double_by_struct, Pointers{F == FAULT ? nullptr : numbers(64), device<float>(64)});
    cudaDeviceSynchronize();
}
template <Fault F> static void host_pointer_in_struct()
{
    std::vector<float> here(64);
    launch(1, 64, nullptr, double_by_struct, Pointers{F == FAULT ? here.data() : numbers(64), device<float>(64)});
    cudaDeviceSynchronize();
}
template <Fault F> static void host_pointer_argument()
{
    std::vector<float> here(64);
    launch(1, 64, nullptr, double_them, F == FAULT ? here.data() : numbers(64), device<float>(64));
    cudaDeviceSynchronize();
}

/* ---- races between blocks ---- */

template <Fault F> static __global__ void last_wins(float *x)
{
    if (threadIdx.x == 0)
        x[F == FAULT ? 0 : blockIdx.x] = (float)blockIdx.x;
}
template <Fault F> static void blocks_write_same()
{
    float results[2];
    for (int order = SUBSTITUTE_FORWARD; order <= SUBSTITUTE_REVERSED; order++) {
        substitute_set_order((substitute_order)order, 0);
        float *x = device<float>(8);
        launch(8, 32, nullptr, last_wins<F>, x);
        cudaMemcpy(&results[order], x, sizeof(float), cudaMemcpyDeviceToHost);
    }
    if (results[0] != results[1]) {
        fprintf(stderr, "wrong result: %g in one order, %g in the other\n", results[0], results[1]);
        _exit(4);
    }
}

/* Reads what another block overwrites. */
template <Fault F> static __global__ void stencil(const float *x, float *y, unsigned n)
{
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    float right = x[(i + 1) % n];
    __syncthreads();
    y[i] = right;
}
template <Fault F> static void stencil_in_place()
{
    float *x = numbers(64), *y = F == FAULT ? x : device<float>(64);
    launch(2, 32, nullptr, stencil<F>, x, y, 64u);
    expect_numbers(y, 64, [](size_t i) { return (float)((i + 1) % 64); });
}

/* ---- the host ---- */

template <Fault F> static void host_reads_device()
{
    float *x = numbers(64);
    if (F == FAULT && *static_cast<volatile float *>(x) == 0.f)
        abort();
    cudaFree(x);
}

template <Fault F> static void read_before_end()
{
    cudaStream_t stream = own_stream();
    float *x = numbers(64), *host;
    cudaMallocHost(&host, 64 * sizeof(float));
    memset(host, 0, 64 * sizeof(float));
    cudaMemcpyAsync(host, x, 64 * sizeof(float), cudaMemcpyDeviceToHost, stream);
    if (F == NONE)
        cudaStreamSynchronize(stream);
    if (static_cast<volatile float *>(host)[5] != 5.f) {
        fprintf(stderr, "wrong result %g before the copy has run\n", host[5]);
        _exit(4);
    }
    cudaFreeHost(host);
    cudaStreamDestroy(stream);
}

template <Fault F> static void source_changed()
{
    cudaStream_t stream = own_stream();
    float *x = device<float>(64), *host;
    cudaMallocHost(&host, 64 * sizeof(float));
    memset(host, 0, 64 * sizeof(float));
    cudaMemcpyAsync(x, host, 64 * sizeof(float), cudaMemcpyHostToDevice, stream);
    if (F == NONE)
        cudaStreamSynchronize(stream);
    host[7] = 1.f;
    cudaStreamSynchronize(stream);
    cudaFreeHost(host);
    cudaStreamDestroy(stream);
}

template <Fault F> static void streams_without_event()
{
    cudaStream_t first = own_stream(), second = own_stream();
    cudaEvent_t done;
    cudaEventCreateWithFlags(&done, cudaEventDisableTiming);
    float *x = numbers(64), *y = device<float>(64), *z = device<float>(64);
    launch(1, 64, first, double_them, x, y);
    cudaEventRecord(done, first);
    if (F == NONE)
        cudaStreamWaitEvent(second, done);
    launch(1, 64, second, double_them, y, z);
    cudaStreamSynchronize(second);
    expect_numbers(z, 64, [](size_t i) { return 4.f * (float)i; });
    cudaEventDestroy(done);
    cudaStreamDestroy(first);
    cudaStreamDestroy(second);
}

/* Two branches of a graph, of which one reads what the other writes. */
template <Fault F> static void branches_not_ordered()
{
    cudaStream_t first = own_stream(), second = own_stream();
    cudaEvent_t fork, join;
    cudaEventCreateWithFlags(&fork, cudaEventDisableTiming);
    cudaEventCreateWithFlags(&join, cudaEventDisableTiming);
    float *x = numbers(64), *y = device<float>(64), *z = device<float>(64);
    substitute_set_order(SUBSTITUTE_REVERSED, 0);
    cudaStreamBeginCapture(first, cudaStreamCaptureModeThreadLocal);
    if (F == NONE)
        launch(1, 64, first, double_them, x, y);
    cudaEventRecord(fork, first);
    cudaStreamWaitEvent(second, fork);
    if (F == FAULT)
        launch(1, 64, first, double_them, x, y);
    launch(1, 64, second, double_them, y, z);
    cudaEventRecord(join, second);
    cudaStreamWaitEvent(first, join);
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    cudaStreamEndCapture(first, &graph);
    cudaGraphInstantiate(&exec, graph, 0);
    cudaGraphLaunch(exec, first);
    cudaStreamSynchronize(first);
    expect_numbers(z, 64, [](size_t i) { return 4.f * (float)i; });
    cudaGraphExecDestroy(exec);
    cudaGraphDestroy(graph);
    cudaEventDestroy(fork);
    cudaEventDestroy(join);
    cudaStreamDestroy(first);
    cudaStreamDestroy(second);
}

/* ---- products ---- */

template <typename Call> static void with_cublas(Call call)
{
    cublasHandle_t handle;
    if (cublasCreate(&handle))
        abort();
    cublasStatus_t status = call(handle);
    if (status) {
        fprintf(stderr, "wrong result: %s\n", cublasGetStatusName(status));
        _exit(4);
    }
    cudaDeviceSynchronize();
    cublasDestroy(handle);
}
static const float one = 1.f, zero = 0.f;

template <Fault F> static void short_leading_dimension()
{
    with_cublas([](cublasHandle_t handle) {
        return cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 4, 2, &one, numbers(64), F == FAULT ? 7 : 8,
                           numbers(64), 2, &zero, device<float>(64), 8);
    });
}
template <Fault F> static void long_leading_dimension()
{
    with_cublas([](cublasHandle_t handle) {
        return cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 4, 8, &one, numbers(64), F == FAULT ? 9 : 8,
                           numbers(64), 8, &zero, device<float>(64), 8);
    });
}
template <Fault F> static void overlapping_outputs()
{
    with_cublas([](cublasHandle_t handle) {
        return cublasSgemmStridedBatched(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 4, 2, &one, numbers(64), 8, 16,
                                         numbers(64), 2, 8, &zero, device<float>(64), 8, F == FAULT ? 31 : 32, 2);
    });
}
template <Fault F> static void missing_fill()
{
    float *sum = device<float>(32);
    if (F == NONE)
        cudaMemset(sum, 0, 32 * sizeof(float));
    with_cublas([&](cublasHandle_t handle) {
        return cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 4, 2, &one, numbers(64), 8, numbers(64), 2, &one, sum,
                           8);
    });
}
template <Fault F> static void product_in_place()
{
    float *x = numbers(64);
    with_cublas([&](cublasHandle_t handle) {
        return cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 4, 8, &one, x, 8, numbers(64), 8, &zero,
                           F == FAULT ? x + 32 : device<float>(32), 8);
    });
}

/* ---- shared memory that a kernel must ask for ---- */

static __global__ void touch_dynamic(float *x)
{
    float *room = static_cast<float *>(substitute::dynamic_shared());
    room[threadIdx.x] = 1.f;
    x[threadIdx.x] = room[threadIdx.x];
}
template <Fault F> static void shared_memory_not_asked_for()
{
    cudaLaunchConfig_t config = {};
    config.gridDim = 1;
    config.blockDim = 64;
    config.dynamicSmemBytes = 100 << 10;
    if (F == NONE)
        cudaFuncSetAttribute(touch_dynamic, cudaFuncAttributeMaxDynamicSharedMemorySize, 100 << 10);
    float *x = numbers(64);
    cudaLaunchKernelEx(&config, touch_dynamic, x);
    expect_numbers(x, 64, [](size_t) { return 1.f; });
}

/* ---- copies that a thread does not wait for ---- */

enum Step { ALL, NO_WAIT, NO_COMMIT, NO_BARRIER, WAIT_FOR_OLDER, MISALIGNED };

template <Step S> static __global__ void through_shared(const float *x, float *y)
{
    __shared__ __align__(16) float copy[2][64];
    if (threadIdx.x < 16)
        dd_copy_async<16>(&copy[0][threadIdx.x * 4], x + threadIdx.x * 4 + (S == MISALIGNED), 16);
    if (S != NO_COMMIT)
        dd_copy_commit();
    if (S == WAIT_FOR_OLDER)
        dd_copy_wait<1>();
    else if (S != NO_WAIT)
        dd_copy_wait<0>();
    if (S != NO_BARRIER)
        __syncthreads();
    y[threadIdx.x] = copy[0][63 - threadIdx.x];
}
template <Step S> static void copy_through_shared()
{
    float *x = numbers(80), *y = device<float>(64);
    launch(1, 64, nullptr, through_shared<S>, x, y);
    expect_numbers(y, 64, [](size_t i) { return (float)(63 - i); });
}

/* The next copy comes where some threads have yet to read. */
template <Fault F> static __global__ void refill(const float *x, float *y)
{
    __shared__ float copy[32];
    float sum = 0.f;
    for (int round = 0; round < 2; round++) {
        dd_copy_async<4>(&copy[threadIdx.x], x + round * 32 + threadIdx.x, 4);
        dd_copy_commit();
        dd_copy_wait<0>();
        __syncthreads();
        sum += copy[31 - threadIdx.x];
        if (F == NONE)
            __syncthreads();
    }
    y[threadIdx.x] = sum;
}
template <Fault F> static void refilled_too_early()
{
    float *y = device<float>(32);
    launch(1, 32, nullptr, refill<F>, numbers(64), y);
    expect_numbers(y, 32, [](size_t i) { return (float)(94 - 2 * i); });
}

/* ---- tensor cores ---- */

template <Fault F> static __global__ void multiply_some(float *d)
{
    const uint32_t a[4] = {}, b[2] = {};
    float own[4] = {};
    if (F == NONE || threadIdx.x < 31)
        dd_mma_tf32(own, a, b);
    d[threadIdx.x] = own[0];
}
template <Fault F> static void lanes_that_do_not_multiply()
{
    launch(1, 32, nullptr, multiply_some<F>, device<float>(32));
    cudaDeviceSynchronize();
}

/* ---- kernels that begin before what they follow has ended ---- */

enum Early { RIGHT, READS_FIRST, WRITES_READ_FIRST, LAUNCHES_FIRST, NEVER_WAITS, SOME_DO_NOT_WAIT };

template <Early E> static __global__ void double_early(float *x, float *y)
{
    float before = 0.f;
    if (E == READS_FIRST)
        before = x[threadIdx.x];
    if (E == WRITES_READ_FIRST)
        y[threadIdx.x] = 0.f;
    if (E == LAUNCHES_FIRST)
        dd_grid_launch_dependents();
    if (E != NEVER_WAITS && (E != SOME_DO_NOT_WAIT || threadIdx.x < 32))
        dd_grid_wait();
    if (E != LAUNCHES_FIRST && E != NEVER_WAITS && E != SOME_DO_NOT_WAIT)
        dd_grid_launch_dependents();
    if (E != NEVER_WAITS)
        y[threadIdx.x] = 2.f * (E == READS_FIRST ? before : x[threadIdx.x]);
}
/* y -> x, then x -> y: the second reads what the first writes, and writes what it reads. */
template <Early E, bool IN_GRAPH> static void early_kernel()
{
    cudaStream_t stream = own_stream();
    float *x = device<float>(64), *y = numbers(64);
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    if (IN_GRAPH)
        cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    launch(1, 64, stream, double_them, y, x);
    launch_early(1, 64, stream, double_early<E>, x, y);
    if (IN_GRAPH) {
        cudaStreamEndCapture(stream, &graph);
        cudaGraphInstantiate(&exec, graph, 0);
        cudaGraphLaunch(exec, stream);
    }
    cudaStreamSynchronize(stream);
}
template <Early E> static void early_kernel_behind_product()
{
    cudaStream_t stream = own_stream();
    with_cublas([&](cublasHandle_t handle) {
        float *x = device<float>(64);
        cublasSetStream(handle, stream);
        cublasStatus_t status =
            cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 8, 8, 8, &one, numbers(64), 8, numbers(64), 8, &zero, x, 8);
        launch_early(1, 64, stream, double_early<E>, x, device<float>(64));
        cudaStreamSynchronize(stream);
        return status;
    });
}

/* What is found where: the text without and with checks of every access, and under the address sanitizer. */
#define EXPECT(text, checked_text, sanitized_text, name)                                                               \
    do {                                                                                                               \
        expect_none(#name, name<NONE>);                                                                                \
        expect_fault(#name, name<FAULT>, checked ? checked_text : sanitized ? sanitized_text : text);                  \
    } while (0)
#define EVERYWHERE(text, name) EXPECT(text, text, text, name)

int main()
{
    const char *race = "a race: without a barrier between, another thread", *wrong = "wrong result";
    const char *foreign = "a race: an earlier block of the launch", *bad = "bad access";
    EXPECT(wrong, "reads what nobody wrote: shared memory", wrong, missing_barrier);
    EXPECT(wrong, "reads what nobody wrote: shared memory", wrong, missing_syncwarp);
    EVERYWHERE("which 31 of 64 threads reached; thread (31,0,0) has returned", missed_barrier);
    EVERYWHERE("which 60 of 64 threads reached; thread (60,0,0) has returned", returned_before_barrier);
    EVERYWHERE("waits in the one at test_faults.cpp", different_barriers);
    EVERYWHERE("for thread (20,0,0), which has returned", missing_lanes);
    EVERYWHERE("with mask 0000ffff: lane 0 reads lane 16, which is not in the mask", lane_outside_mask);
    EVERYWHERE("with another mask or in another place", different_shuffles);

    /* A loop's last barrier is missed in some order only, unless every access is checked. */
    expect_none("missing_last_barrier", missing_last_barrier<NONE>);
    if (checked) {
        expect_fault("missing_last_barrier", missing_last_barrier<FAULT>, race);
    } else {
        int found = 0;
        for (int order = SUBSTITUTE_FORWARD; order <= SUBSTITUTE_RANDOM; order++) {
            substitute_set_order((substitute_order)order, 1);
            int status;
            found += run_apart(missing_last_barrier<FAULT>, &status).find(wrong) != std::string::npos;
        }
        CHECK(found > 0, "missing_last_barrier: right in every order");
        printf("%-28s wrong result in %d of 3 orders\n", "missing_last_barrier", found);
        substitute_set_order(SUBSTITUTE_FORWARD, 0);
    }

    /* 64 numbers end at a guard page, 61 do not. */
    expect_none("read_past_end", read_past_end<NONE, 64>);
    expect_fault("read_past_end", read_past_end<FAULT, 64>,
                 "memory 0 bytes past the end of the 256-byte device allocation");
    if (checked || sanitized)
        expect_fault("read_past_end, 61", read_past_end<FAULT, 61>, checked ? "memory 0 bytes past the end" : bad);
    expect_none("write_past_end", write_past_end<NONE, 61>);
    expect_fault("write_past_end, 61", write_past_end<FAULT, 61>, sanitized ? bad : "memory 0 bytes past the end");
    const char *gap = "memory 0 bytes past the end of the 244-byte array at byte 0 of a 512-byte device allocation";
    EXPECT(gap, gap, bad, write_past_array);
    EVERYWHERE("an array of 320 bytes overlaps", overlapping_arrays);
    EXPECT("memory 4 bytes before", "memory 4 bytes before", bad, write_before_begin);
    EXPECT(wrong, "reads what nobody wrote", wrong, never_written);
    EXPECT(wrong, "reads what nobody wrote", wrong, stale_shared_memory);
    EVERYWHERE("byte 0 of the freed 256-byte device allocation", freed_memory);
    EXPECT("a null, wild or misaligned pointer", "a null, wild or misaligned pointer", "load of null pointer",
           null_in_struct);
    EVERYWHERE("pointer argument 1 leads to host memory", host_pointer_argument);
    EXPECT(wrong, foreign, wrong, blocks_write_same);
    EXPECT(wrong, foreign, wrong, stencil_in_place);

    EVERYWHERE("host code touches byte 0 of the 256-byte device allocation", host_reads_device);
    EXPECT(wrong, wrong, "AddressSanitizer", read_before_end);
    EVERYWHERE("was changed before the queued copy", source_changed);
    EXPECT(wrong, "reads what nobody wrote", wrong, streams_without_event);
    EXPECT(wrong, "reads what nobody wrote", wrong, branches_not_ordered);

    EVERYWHERE(wrong, shared_memory_not_asked_for);
    const char *unwritten = "reads what nobody wrote: shared memory";
    expect_none("copy_through_shared", copy_through_shared<ALL>);
    expect_fault("copy without a wait", copy_through_shared<NO_WAIT>, checked ? unwritten : "that it never waited for");
    expect_fault("copy without a commit", copy_through_shared<NO_COMMIT>,
                 checked ? unwritten : "that it never waited for");
    expect_fault("wait for an older copy", copy_through_shared<WAIT_FOR_OLDER>,
                 checked ? unwritten : "that it never waited for");
    expect_fault("copy without a barrier", copy_through_shared<NO_BARRIER>, checked ? unwritten : wrong, race);
    expect_fault("misaligned copy", copy_through_shared<MISALIGNED>, "the source is not device memory, or misaligned");
    expect_none("refilled_too_early", refilled_too_early<NONE>);
    if (checked)
        expect_fault("refilled_too_early", refilled_too_early<FAULT>, race);
    EVERYWHERE("waits in mma.sync at ptx.cuh", lanes_that_do_not_multiply);
    expect_none("early_kernel", early_kernel<RIGHT, false>);
    expect_none("early_kernel in a graph", early_kernel<RIGHT, true>);
    expect_none("early_kernel behind a product", early_kernel_behind_product<RIGHT>);
    expect_fault("next kernel before the wait", early_kernel<LAUNCHES_FIRST, true>,
                 "launch_dependents before griddepcontrol.wait");
    expect_fault("kernel that never waits", early_kernel<NEVER_WAITS, false>, "never executes griddepcontrol.wait");
    if (checked) {
        const char *yet = "may have yet to write", *read = "may have yet to read";
        expect_fault("read before the wait", early_kernel<READS_FIRST, false>, yet);
        expect_fault("read before the wait, graph", early_kernel<READS_FIRST, true>, yet);
        expect_fault("write before the wait", early_kernel<WRITES_READ_FIRST, true>, read);
        expect_fault("threads that do not wait", early_kernel<SOME_DO_NOT_WAIT, true>, yet);
        expect_fault("before a product has ended", early_kernel_behind_product<READS_FIRST>, yet);
    }

    EVERYWHERE("CUBLAS_STATUS_INVALID_VALUE", short_leading_dimension);
    EVERYWHERE("matrix A (8 x 8, leading dimension 9", long_leading_dimension);
    EVERYWHERE("the outputs of the batch overlap", overlapping_outputs);
    EVERYWHERE("holds numbers that were never written", missing_fill);
    EVERYWHERE("the output overlaps an input", product_in_place);

    expect_none("host_pointer_in_struct", host_pointer_in_struct<NONE>);
    if (checked) /* only this build finds it */
        expect_fault("host_pointer_in_struct", host_pointer_in_struct<FAULT>, "reads from: host memory");
    return check_report();
}
