/* The substitute runtime does what the toolkit's documentation says: indices, barriers, warps, streams, events, graphs,
 * products, counters; in each order of threads.
 */
#include <cmath>
#include <cstring>

#include "launching.h"
#include "ptx.cuh"

static __global__ void fill_index(unsigned *out, unsigned n)
{
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        out[i] = i * i;
}

static __global__ void __launch_bounds__(64) shapes(unsigned *out)
{
    unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
    unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
    out[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1000 * block + thread;
}

template <int Threads> static __global__ void block_sums(const float *in, float *out, unsigned n)
{
    __shared__ float part[Threads];
    unsigned t = threadIdx.x, i = blockIdx.x * Threads + t;
    part[t] = i < n ? in[i] : 0.f;
    __syncthreads();
    for (unsigned half = Threads / 2; half > 0; half /= 2) {
        if (t < half)
            part[t] += part[t + half];
        __syncthreads();
    }
    if (t == 0)
        out[blockIdx.x] = part[0];
}

static __global__ void warp_functions(int *out)
{
    int lane = (int)threadIdx.x % 32;
    int *o = out + threadIdx.x * 8;
    o[0] = __shfl_xor_sync(0xFFFFFFFFu, lane, 5);
    o[1] = __shfl_down_sync(0xFFFFFFFFu, lane, 3);
    o[2] = __shfl_up_sync(0xFFFFFFFFu, lane, 4, 16);
    o[3] = __shfl_sync(0xFFFFFFFFu, lane, lane / 2);
    o[4] = (int)__ballot_sync(0xFFFFFFFFu, lane % 3 == 0);
    o[5] = __any_sync(0xFFFFFFFFu, lane == 31) + 2 * __all_sync(0xFFFFFFFFu, lane < 31);
    o[6] = lane < 16 ? __shfl_xor_sync(0x0000FFFFu, lane, 1) : __shfl_xor_sync(0xFFFF0000u, lane, 2);
    o[7] = __shfl_xor_sync(0xFFFFFFFFu, lane, 9, 8);
}

static __global__ void votes(int *out)
{
    int sum = 0;
    for (int i = 0; i < 5; i++)
        sum += __syncthreads_count((int)threadIdx.x < 10 * i) + 1000 * __syncthreads_and(threadIdx.x < 64) +
               10000 * __syncthreads_or((int)threadIdx.x == i);
    out[threadIdx.x] = sum;
}

static __global__ void dynamic_reverse(float *values)
{
    float *copy = static_cast<float *>(substitute::dynamic_shared());
    copy[threadIdx.x] = values[threadIdx.x];
    __syncthreads();
    values[threadIdx.x] = copy[blockDim.x - 1 - threadIdx.x];
}

/* The last block to finish adds up what all of them left. */
static __global__ void last_block(const unsigned *in, unsigned *part, unsigned *ticket, unsigned *out)
{
    __shared__ bool last;
    if (threadIdx.x == 0) {
        part[blockIdx.x] = in[blockIdx.x];
        __threadfence();
        last = atomicAdd(ticket, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        unsigned sum = 0;
        for (unsigned b = 0; b < gridDim.x; b++)
            sum += part[b];
        *out = sum;
    }
}

static __global__ void scale(float *x, float factor, int n)
{
    int i = (int)(blockIdx.x * blockDim.x + threadIdx.x);
    if (i < n)
        x[i] *= factor;
}

static void test_indices()
{
    const unsigned n = 100000;
    unsigned *out = device_array<unsigned>(n);
    CHECK_CUDA(launch((n + 255) / 256, 256, nullptr, fill_index, out, n));
    std::vector<unsigned> values = fetch(out, n);
    for (unsigned i = 0; i < n; i++)
        if (values[i] != i * i)
            CHECK(false, "element %u is %u", i, values[i]);
    CHECK_CUDA(cudaFree(out));

    const unsigned blocks = 2 * 3 * 4, threads = 4 * 2 * 3;
    unsigned *shape = device_array<unsigned>(blocks * threads);
    CHECK_CUDA(cudaMemset(shape, 0, blocks * threads * sizeof(unsigned)));
    CHECK_CUDA(launch(dim3(2, 3, 4), dim3(4, 2, 3), nullptr, shapes, shape));
    values = fetch(shape, blocks * threads);
    for (unsigned i = 0; i < blocks * threads; i++)
        CHECK(values[i] == 1000 * (i / threads) + i % threads, "thread %u wrote %u", i, values[i]);
    CHECK_CUDA(cudaFree(shape));
}

static void test_barriers()
{
    const unsigned n = 5000, blocks = (n + 127) / 128;
    std::vector<float> numbers(n);
    for (unsigned i = 0; i < n; i++)
        numbers[i] = (float)(i % 17);
    float *in = device_array(n, numbers.data()), *out = device_array<float>(blocks);
    CHECK_CUDA(launch(blocks, 128, nullptr, block_sums<128>, in, out, n));
    std::vector<float> sums = fetch(out, blocks);
    for (unsigned b = 0; b < blocks; b++) {
        float sum = 0;
        for (unsigned i = b * 128; i < n && i < (b + 1) * 128; i++)
            sum += numbers[i];
        CHECK(sums[b] == sum, "block %u: %g instead of %g", b, sums[b], sum);
    }
    CHECK_CUDA(cudaFree(in));
    CHECK_CUDA(cudaFree(out));

    int *voted = device_array<int>(64);
    CHECK_CUDA(launch(1, 64, nullptr, votes, voted));
    for (int v : fetch(voted, 64))
        CHECK(v == 10 + 20 + 30 + 40 + 5 * 11000, "vote %d", v);
    CHECK_CUDA(cudaFree(voted));

    float line[96];
    for (int i = 0; i < 96; i++)
        line[i] = (float)i;
    float *reversed = device_array(96, line);
    cudaLaunchConfig_t config = {};
    config.gridDim = 1;
    config.blockDim = 96;
    config.dynamicSmemBytes = sizeof line;
    CHECK_CUDA(cudaLaunchKernelEx(&config, dynamic_reverse, reversed));
    std::vector<float> back = fetch(reversed, 96);
    for (int i = 0; i < 96; i++)
        CHECK(back[i] == (float)(95 - i), "element %d is %g", i, back[i]);
    CHECK_CUDA(cudaFree(reversed));
}

static void test_warps()
{
    int *out = device_array<int>(64 * 8);
    CHECK_CUDA(launch(1, 64, nullptr, warp_functions, out));
    std::vector<int> o = fetch(out, 64 * 8);
    for (int thread = 0; thread < 64; thread++) {
        int lane = thread % 32, *got = &o[thread * 8];
        int segment = lane & ~7, xored = lane ^ 9;
        const int expected[8] = {
            lane ^ 5, lane + 3 < 32 ? lane + 3 : lane, lane % 16 >= 4 ? lane - 4 : lane,  lane / 2, 0x49249249,
            1,        lane ^ (lane < 16 ? 1 : 2),      xored < segment + 8 ? xored : lane};
        for (int i = 0; i < 8; i++)
            CHECK(got[i] == expected[i], "function %d, thread %d: %d instead of %d", i, thread, got[i], expected[i]);
    }
    CHECK_CUDA(cudaFree(out));
}

static void test_last_block()
{
    unsigned numbers[50], total = 0, zero = 0;
    for (unsigned i = 0; i < 50; i++)
        total += numbers[i] = 3 * i + 1;
    unsigned *in = device_array(50, numbers), *part = device_array<unsigned>(50), *ticket = device_array(1, &zero);
    unsigned *out = device_array<unsigned>(1);
    CHECK_CUDA(launch(50, 32, nullptr, last_block, in, part, ticket, out));
    CHECK(fetch(out, 1)[0] == total, "%u instead of %u", fetch(out, 1)[0], total);
    for (unsigned *array : {in, part, ticket, out})
        CHECK_CUDA(cudaFree(array));
}

static void test_streams()
{
    cudaStream_t first, second;
    cudaEvent_t done, later;
    CHECK_CUDA(cudaStreamCreateWithFlags(&first, cudaStreamNonBlocking));
    CHECK_CUDA(cudaStreamCreateWithFlags(&second, cudaStreamNonBlocking));
    CHECK_CUDA(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
    CHECK_CUDA(cudaEventCreate(&later));
    float *host, *device = device_array<float>(64);
    CHECK_CUDA(cudaMallocHost(&host, 64 * sizeof(float)));
    for (int i = 0; i < 64; i++)
        host[i] = (float)i;
    CHECK_CUDA(cudaMemcpyAsync(device, host, 64 * sizeof(float), cudaMemcpyHostToDevice, first));
    CHECK_CUDA(launch(1, 64, first, scale, device, 2.f, 64));
    CHECK_CUDA(cudaEventRecord(done, first));
    CHECK_CUDA(launch(1, 64, first, scale, device, 100.f, 64)); /* behind the event: stays queued */
    CHECK_CUDA(cudaStreamWaitEvent(second, done));
    CHECK_CUDA(cudaMemcpyAsync(host, device, 64 * sizeof(float), cudaMemcpyDeviceToHost, second));
    CHECK_CUDA(cudaEventRecord(later, second));
    CHECK(cudaEventQuery(later) == cudaErrorNotReady, "an event that nobody waited for");
    CHECK_CUDA(cudaEventSynchronize(later));
    for (int i = 0; i < 64; i++)
        CHECK(host[i] == 2.f * (float)i, "element %d is %g", i, host[i]);
    int queries = 0;
    while (cudaStreamQuery(first) == cudaErrorNotReady)
        queries++;
    CHECK(queries == 1, "%d queries until the stream was done", queries);
    CHECK(fetch(device, 64)[1] == 200.f, "%g", fetch(device, 64)[1]);

    /* The default stream and a blocking one wait for each other. */
    cudaStream_t blocking;
    CHECK_CUDA(cudaStreamCreate(&blocking));
    CHECK_CUDA(cudaMemset(device, 0, 64 * sizeof(float)));
    CHECK_CUDA(launch(1, 64, blocking, scale, device, 5.f, 64));
    CHECK(fetch(device, 64)[3] == 0.f, "%g", fetch(device, 64)[3]);

    /* Rows of a matrix. */
    float block[4][8];
    CHECK_CUDA(launch(1, 64, blocking, fill_index, reinterpret_cast<unsigned *>(device), 64u));
    CHECK_CUDA(cudaMemcpy2D(block, sizeof block[0], device + 2, 16 * sizeof(float), sizeof block[0], 4,
                            cudaMemcpyDeviceToHost));
    for (unsigned i = 0; i < 32; i++) {
        unsigned element = i / 8 * 16 + 2 + i % 8, value;
        memcpy(&value, &block[i / 8][i % 8], sizeof value);
        CHECK(value == element * element, "row %u column %u: %u", i / 8, i % 8, value);
    }
    CHECK_CUDA(cudaStreamDestroy(blocking));
    CHECK_CUDA(cudaStreamDestroy(first));
    CHECK_CUDA(cudaStreamDestroy(second));
    CHECK_CUDA(cudaEventDestroy(done));
    CHECK_CUDA(cudaEventDestroy(later));
    CHECK(cudaStreamSynchronize(first) == cudaErrorInvalidResourceHandle, "a destroyed stream");
    CHECK_CUDA(cudaFree(device));
    CHECK_CUDA(cudaFreeHost(host));
}

static __global__ void add_counter(float *sum, const int *counter)
{
    *sum += (float)*counter;
}
static __global__ void step_counter(int *counter)
{
    ++*counter;
}
static __global__ void combine(const float *a, const float *b, float *out)
{
    *out = *a + 10.f * *b;
}
static __global__ void put(float *out, float value)
{
    *out = value;
}

static void test_graphs()
{
    int zero = 0;
    float none = 0;
    int *counter = device_array(1, &zero);
    float *sum = device_array(1, &none), *host;
    CHECK_CUDA(cudaMallocHost(&host, sizeof(float)));
    cudaStream_t stream;
    CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    void *nothing;
    for (int i = 0; i < 4; i++) {
        CHECK_CUDA(launch(1, 1, stream, step_counter, counter));
        CHECK_CUDA(launch(1, 1, stream, add_counter, sum, counter));
    }
    CHECK_CUDA(cudaMemcpyAsync(host, sum, sizeof(float), cudaMemcpyDeviceToHost, stream));
    CHECK_CUDA(cudaStreamEndCapture(stream, &graph));
    size_t nodes = 0;
    CHECK_CUDA(cudaGraphGetNodes(graph, nullptr, &nodes));
    CHECK(nodes == 9, "%zu nodes", nodes);
    cudaGraphNode_t node[9];
    cudaGraphNodeType type;
    CHECK_CUDA(cudaGraphGetNodes(graph, node, &nodes));
    CHECK_CUDA(cudaGraphNodeGetType(node[8], &type));
    CHECK(type == cudaGraphNodeTypeMemcpy, "type %d", type);
    CHECK_CUDA(cudaGraphInstantiate(&exec, graph, 0));
    CHECK_CUDA(cudaGraphDestroy(graph));
    CHECK(fetch(counter, 1)[0] == 0, "capturing must not run anything");
    substitute_reset_counters();
    for (int i = 0; i < 3; i++)
        CHECK_CUDA(cudaGraphLaunch(exec, stream));
    CHECK_CUDA(cudaStreamSynchronize(stream));
    CHECK(*host == 78.f, "%g instead of 1 + 2 + ... + 12", *host);
    substitute_counters counted;
    substitute_get_counters(&counted);
    CHECK(counted.kernels == 24 && counted.graph_launches == 3 && counted.graph_nodes == 27, "%lu kernels",
          (unsigned long)counted.kernels);
    CHECK(counted.bytes_to_host == 12 && counted.synchronizations == 1 && counted.launches == 0, "%lu bytes",
          (unsigned long)counted.bytes_to_host);
    const char *name;
    uint64_t runs, threads;
    CHECK(substitute_kernel(1, &name, &runs, &threads) && !strcmp(name, "step_counter") && runs == 12, "kernel 1");
    CHECK(!substitute_kernel(2, &name, &runs, &threads), "a third kernel");
    CHECK_CUDA(cudaGraphExecDestroy(exec));

    /* Two branches, joined. */
    cudaStream_t branch;
    cudaEvent_t fork, join;
    CHECK_CUDA(cudaStreamCreateWithFlags(&branch, cudaStreamNonBlocking));
    CHECK_CUDA(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
    CHECK_CUDA(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
    float *pair = device_array<float>(2);
    auto capture = [&](bool joined) {
        CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
        CHECK_CUDA(cudaEventRecord(fork, stream));
        CHECK_CUDA(cudaStreamWaitEvent(branch, fork));
        CHECK_CUDA(launch(1, 1, stream, put, pair, 1.f));
        CHECK_CUDA(launch(1, 1, branch, put, pair + 1, 2.f));
        CHECK_CUDA(cudaEventRecord(join, branch));
        if (joined)
            CHECK_CUDA(cudaStreamWaitEvent(stream, join));
        CHECK_CUDA(launch(1, 1, stream, combine, pair, pair + 1, sum));
        return cudaStreamEndCapture(stream, &graph);
    };
    CHECK(capture(false) == cudaErrorStreamCaptureUnjoined, "a branch that was not joined");
    CHECK_CUDA(capture(true));
    CHECK_CUDA(cudaGraphInstantiate(&exec, graph, 0));
    CHECK_CUDA(cudaGraphLaunch(exec, stream));
    CHECK_CUDA(cudaStreamSynchronize(stream));
    CHECK(fetch(sum, 1)[0] == 21.f, "%g", fetch(sum, 1)[0]);
    CHECK_CUDA(cudaGraphDestroy(graph));

    /* What a capture does not allow spoils it. */
    CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    CHECK(cudaMalloc(&nothing, 4) == cudaErrorStreamCaptureUnsupported, "cudaMalloc in a capture");
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated, "a spoilt capture");
    CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    CHECK(cudaStreamSynchronize(stream) == cudaErrorStreamCaptureUnsupported, "waiting in a capture");
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated, "a spoilt capture");
    CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
    CHECK(launch(1, 1, nullptr, put, pair, 0.f) == cudaErrorStreamCaptureImplicit, "the default stream in a capture");
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated, "a spoilt capture");
    CHECK_CUDA(cudaGraphExecDestroy(exec));
    CHECK_CUDA(cudaStreamDestroy(stream));
    CHECK_CUDA(cudaStreamDestroy(branch));
    CHECK_CUDA(cudaEventDestroy(fork));
    CHECK_CUDA(cudaEventDestroy(join));
    for (void *p : {(void *)counter, (void *)sum, (void *)pair})
        CHECK_CUDA(cudaFree(p));
    CHECK_CUDA(cudaFreeHost(host));
}

/* op(A)(i, l) of a column-major matrix */
static double element(const std::vector<float> &a, cublasOperation_t op, int ld, int i, int l)
{
    return op == CUBLAS_OP_N ? a[(size_t)l * ld + i] : a[(size_t)i * ld + l];
}

static void test_products()
{
    cublasHandle_t handle;
    CHECK(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS, "cublasCreate");
    const int m = 7, n = 5, k = 9, batch = 3, lda = 11, ldb = 12, ldc = 8;
    std::vector<float> a(lda * 11 * batch), b(ldb * 10 * batch), c(ldc * n * batch);
    unsigned state = 1;
    for (std::vector<float> *x : {&a, &b, &c})
        for (float &v : *x)
            v = (float)((state = state * 1664525u + 1013904223u) >> 20) / 4096.f - .5f;
    float *da = device_array(a.size(), a.data()), *db = device_array(b.size(), b.data());
    const float alpha = 1.5f;
    for (cublasOperation_t ta : {CUBLAS_OP_N, CUBLAS_OP_T})
        for (cublasOperation_t tb : {CUBLAS_OP_N, CUBLAS_OP_T})
            for (float beta : {0.f, -.25f}) {
                float *dc = beta ? device_array(c.size(), c.data()) : device_array<float>(c.size());
                substitute_reset_counters();
                cublasStatus_t status = cublasSgemmStridedBatched(handle, ta, tb, m, n, k, &alpha, da, lda, lda * 11,
                                                                  db, ldb, ldb * 10, &beta, dc, ldc, ldc * n, batch);
                CHECK(status == CUBLAS_STATUS_SUCCESS, "%s", cublasGetStatusString(status));
                std::vector<float> got = fetch(dc, c.size());
                substitute_counters counted;
                substitute_get_counters(&counted);
                CHECK(counted.blas_calls == 1 && counted.blas_flops == 2ull * m * n * k * batch, "counters");
                double worst = 0;
                for (int item = 0; item < batch; item++) {
                    std::vector<float> ai(a.begin() + item * lda * 11, a.end()),
                        bi(b.begin() + item * ldb * 10, b.end());
                    for (int j = 0; j < n; j++)
                        for (int i = 0; i < m; i++) {
                            double sum = 0;
                            for (int l = 0; l < k; l++)
                                sum += element(ai, ta, lda, i, l) * element(bi, tb, ldb, l, j);
                            size_t at = (size_t)item * ldc * n + (size_t)j * ldc + i;
                            double expected = alpha * sum + (beta ? beta * c[at] : 0.);
                            worst = std::max(worst, std::fabs(expected - got[at]));
                        }
                }
                CHECK(worst < 1e-5, "op %d %d, beta %g: off by %g", ta, tb, beta, worst);
                CHECK(cudaFree(dc) == cudaSuccess, "cudaFree");
            }

    /* TF32 rounds the inputs to 10 bits. */
    const float third = 1.f + 0x1p-11f, one = 1.f, zero = 0.f;
    float *x = device_array(1, &third), *y = device_array(1, &one), *z = device_array<float>(1);
    for (cublasMath_t mode : {CUBLAS_DEFAULT_MATH, CUBLAS_TF32_TENSOR_OP_MATH}) {
        CHECK(cublasSetMathMode(handle, mode) == CUBLAS_STATUS_SUCCESS, "mode");
        CHECK(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, x, 1, y, 1, &zero, z, 1) ==
                  CUBLAS_STATUS_SUCCESS,
              "product");
        float expected = mode == CUBLAS_DEFAULT_MATH ? third : 1.f + 0x1p-10f;
        CHECK(fetch(z, 1)[0] == expected, "mode %d: %.9g", mode, fetch(z, 1)[0]);
    }

    /* What the real library refuses. */
    auto gemm = [&](int rows, int ld_a, int ld_b, int ld_c) {
        return cublasSgemm(handle, CUBLAS_OP_T, CUBLAS_OP_N, rows, 2, 3, &one, da, ld_a, db, ld_b, &zero, da, ld_c);
    };
    CHECK(gemm(4, 2, 3, 4) == CUBLAS_STATUS_INVALID_VALUE, "lda below k for a transposed A");
    CHECK(gemm(4, 3, 2, 4) == CUBLAS_STATUS_INVALID_VALUE, "ldb below k");
    CHECK(gemm(4, 3, 3, 3) == CUBLAS_STATUS_INVALID_VALUE, "ldc below m");
    CHECK(gemm(-1, 3, 3, 3) == CUBLAS_STATUS_INVALID_VALUE, "negative m");
    CHECK(gemm(0, 3, 3, 1) == CUBLAS_STATUS_SUCCESS, "nothing to do");
    CHECK(cublasDestroy(handle) == CUBLAS_STATUS_SUCCESS, "destroy");
    CHECK(gemm(4, 3, 3, 4) == CUBLAS_STATUS_NOT_INITIALIZED, "destroyed handle");
    for (float *p : {da, db, x, y, z})
        CHECK_CUDA(cudaFree(p));
}

/* ---- what cuda/ptx.cuh wraps ---- */

static __global__ void large_reverse(float *values, int n)
{
    float *copy = static_cast<float *>(substitute::dynamic_shared());
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x)
        copy[i] = values[i];
    __syncthreads();
    for (int i = (int)threadIdx.x; i < n; i += (int)blockDim.x)
        values[i] = copy[n - 1 - i];
}

/* Up to 227 KiB, but more than 48 only where the kernel is allowed to. */
static void test_dynamic_shared_memory()
{
    const int n = (227 << 10) / (int)sizeof(float);
    std::vector<float> line(n);
    for (int i = 0; i < n; i++)
        line[i] = (float)i;
    float *values = device_array(line.size(), line.data());
    cudaLaunchConfig_t config = {};
    config.gridDim = 1;
    config.blockDim = 256;
    config.dynamicSmemBytes = (48 << 10) + 4;
    CHECK(cudaLaunchKernelEx(&config, large_reverse, values, n) == cudaErrorInvalidValue, "more than 48 KiB, unasked");
    const cudaFuncAttribute most = cudaFuncAttributeMaxDynamicSharedMemorySize;
    CHECK(cudaFuncSetAttribute(large_reverse, most, (227 << 10) + 1) == cudaErrorInvalidValue, "more than there is");
    CHECK_CUDA(cudaFuncSetAttribute(large_reverse, most, 227 << 10));
    config.dynamicSmemBytes = 227 << 10;
    CHECK_CUDA(cudaLaunchKernelEx(&config, large_reverse, values, n));
    std::vector<float> back = fetch(values, line.size());
    for (int i = 0; i < n; i++)
        if (back[i] != (float)(n - 1 - i))
            CHECK(false, "element %d is %g", i, back[i]);
    CHECK_CUDA(cudaFree(values));
}

/* sums[t] = x[t] + x[64 + t] + ..., through two buffers: while one is read, the next comes. */
static __global__ void __launch_bounds__(64) column_sums(const float *x, float *sums, int n)
{
    __shared__ __align__(16) float buffer[2][64];
    auto fetch_row = [&](int row) {
        if (threadIdx.x < 16) {
            const int first = row * 64 + (int)threadIdx.x * 4, left = n - first;
            const int valid = left < 0 ? 0 : left < 4 ? left : 4;
            dd_copy_async<16>(&buffer[row % 2][threadIdx.x * 4], x + (valid ? first : 0), valid * 4);
        }
        dd_copy_commit();
    };
    const int count = (n + 63) / 64;
    float sum = 0.f;
    fetch_row(0);
    for (int row = 0; row < count; row++) {
        if (row + 1 < count)
            fetch_row(row + 1);
        else
            dd_copy_commit();
        dd_copy_wait<1>();
        __syncthreads();
        sum += buffer[row % 2][63 - threadIdx.x];
        __syncthreads();
    }
    sums[63 - threadIdx.x] = sum;
}

static void test_copies()
{
    const int n = 5 * 64 + 19;
    std::vector<float> x(n);
    for (int i = 0; i < n; i++)
        x[i] = (float)(i * i % 101);
    float *values = device_array(x.size(), x.data()), *sums = device_array<float>(64);
    CHECK_CUDA(launch(1, 64, nullptr, column_sums, values, sums, n));
    std::vector<float> got = fetch(sums, 64);
    for (int t = 0; t < 64; t++) {
        float expected = 0.f;
        for (int i = t; i < n; i += 64)
            expected += x[i];
        CHECK(got[t] == expected, "column %d: %g instead of %g", t, got[t], expected);
    }
    CHECK_CUDA(cudaFree(values));
    CHECK_CUDA(cudaFree(sums));
}

/* d (16, 8) += a (16, 8) b (8, 8), all row by row. */
static __global__ void multiply_tile(const float *a, const float *b, float *d, int round)
{
    const unsigned g = threadIdx.x / 4, t = threadIdx.x % 4;
    auto bits = [round](float x) { return round ? dd_round_tf32(x) : __float_as_uint(x); };
    const uint32_t own_a[4] = {bits(a[g * 8 + t]), bits(a[(g + 8) * 8 + t]), bits(a[g * 8 + t + 4]),
                               bits(a[(g + 8) * 8 + t + 4])};
    const uint32_t own_b[2] = {bits(b[t * 8 + g]), bits(b[(t + 4) * 8 + g])};
    float *const at[4] = {d + g * 8 + 2 * t, d + g * 8 + 2 * t + 1, d + (g + 8) * 8 + 2 * t,
                          d + (g + 8) * 8 + 2 * t + 1};
    float own_d[4] = {*at[0], *at[1], *at[2], *at[3]};
    dd_mma_tf32(own_d, own_a, own_b);
    for (int i = 0; i < 4; i++)
        *at[i] = own_d[i];
}

static std::vector<float> tile_product(const std::vector<float> &a, const std::vector<float> &b,
                                       const std::vector<float> &c, int round)
{
    float *da = device_array(128, a.data()), *db = device_array(64, b.data()), *dd = device_array(128, c.data());
    CHECK_CUDA(launch(1, 32, nullptr, multiply_tile, da, db, dd, round));
    std::vector<float> got = fetch(dd, 128);
    for (float *p : {da, db, dd})
        CHECK_CUDA(cudaFree(p));
    return got;
}

static void test_tensor_cores()
{
    std::vector<float> a(128), b(64), c(128);
    for (int i = 0; i < 128; i++) {
        a[i] = (float)(i * 37 % 61 - 30);
        b[i % 64] = (float)(i * 23 % 53 - 25) / 16.f;
        c[i] = (float)(i - 64);
    }
    std::vector<float> got = tile_product(a, b, c, 1);
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 8; j++) {
            float sum = c[i * 8 + j];
            for (int k = 0; k < 8; k++)
                sum += a[i * 8 + k] * b[k * 8 + j];
            CHECK(got[i * 8 + j] == sum, "(%d, %d) is %g instead of %g", i, j, got[i * 8 + j], sum);
        }
    /* The first element, of one product and of what is added to it. */
    auto first = [](float x, float y, float added, int round) {
        std::vector<float> p(128), q(64), r(128);
        p[0] = x;
        q[0] = y;
        r[0] = added;
        return tile_product(p, q, r, round)[0];
    };
    const float above = 1.f + 0x1.8p-11f; /* three quarters of the way to the next number with 10 bits */
    CHECK(first(above, 1.f, 0.f, 0) == 1.f, "the low 13 bits must be ignored");
    CHECK(first(above, 1.f, 0.f, 1) == 1.f + 0x1p-10f, "cvt.rna must round up");
    CHECK(first(1.f + 0x1p-11f, 1.f, 0.f, 1) == 1.f + 0x1p-10f, "cvt.rna must round ties away from zero");
    CHECK(first(0x1.8p-24f, 1.f, 1.f, 1) == 1.f, "a sum must be cut off, not rounded up");
    CHECK(first(-0x1.8p-24f, 1.f, 1.f, 1) == 1.f - 0x1p-24f, "a term must be cut off at 24 bits");
    CHECK(std::isnan(first(NAN, 1.f, 1.f, 1)) && std::isinf(first(INFINITY, 1.f, 1.f, 1)), "not finite");
}

static __global__ void next_early(float *x, const float *added)
{
    const float own = added[threadIdx.x]; /* which no kernel writes */
    dd_grid_wait();
    dd_grid_launch_dependents();
    x[threadIdx.x] = 2.f * x[threadIdx.x] + own;
}

static void test_early_kernels()
{
    cudaStream_t stream;
    CHECK_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    const float ones[32] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                            1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    float *x = device_array(32, ones), *added = device_array(32, ones);
    CHECK_CUDA(launch(1, 32, stream, next_early, x, added)); /* waiting for nothing is allowed */
    CHECK_CUDA(launch_early(1, 32, stream, next_early, x, added));
    cudaGraph_t graph;
    cudaGraphExec_t exec;
    CHECK_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    cudaStreamCaptureStatus status;
    unsigned long long capture;
    const cudaGraphNode_t *nodes;
    const cudaGraphEdgeData *edges;
    size_t count;
    cudaGraphNode_t before = nullptr;
    for (size_t i = 0; i < 3; i++) {
        CHECK_CUDA(cudaStreamGetCaptureInfo(stream, &status, &capture, nullptr, &nodes, &edges, &count));
        CHECK(status == cudaStreamCaptureStatusActive && count == (i > 0), "%zu nodes before node %zu", count, i);
        CHECK(!i || nodes[0] != before, "a node that is its own predecessor");
        before = count ? nodes[0] : nullptr;
        CHECK_CUDA(launch_early(1, 32, stream, next_early, x, added));
    }
    CHECK_CUDA(cudaStreamEndCapture(stream, &graph));
    CHECK_CUDA(cudaStreamGetCaptureInfo(stream, &status, &capture, nullptr, &nodes, &edges, &count));
    CHECK(status == cudaStreamCaptureStatusNone && count == 0, "status %d", status);
    CHECK_CUDA(cudaGraphInstantiate(&exec, graph, 0));
    CHECK_CUDA(cudaGraphLaunch(exec, stream));
    CHECK_CUDA(cudaStreamSynchronize(stream));
    CHECK(fetch(x, 32)[31] == 63.f, "%g", fetch(x, 32)[31]);
    CHECK_CUDA(cudaGraphExecDestroy(exec));
    CHECK_CUDA(cudaGraphDestroy(graph));
    CHECK_CUDA(cudaStreamDestroy(stream));
    CHECK_CUDA(cudaFree(x));
    CHECK_CUDA(cudaFree(added));
}

static void test_limits()
{
    float *p = device_array<float>(4);
    CHECK(launch(1, 1025, nullptr, put, p, 0.f) == cudaErrorInvalidConfiguration, "1025 threads");
    CHECK(launch(0, 1, nullptr, put, p, 0.f) == cudaErrorInvalidConfiguration, "no blocks");
    CHECK(launch(dim3(1, 65536), 1, nullptr, put, p, 0.f) == cudaErrorInvalidConfiguration, "65536 rows of blocks");
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration, "last error");
    CHECK(cudaGetLastError() == cudaSuccess, "last error, once more");
    CHECK(cudaMemcpy(p, p + 3, 8, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue, "a copy past the end");
    CHECK(cudaMemset(p, 0, 17) == cudaErrorInvalidValue, "a fill past the end");
    float here;
    CHECK(cudaMemcpy(&here, &here, 4, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue, "a wrong direction");
    size_t free_before, free_after, total;
    substitute_set_device(1, 1 << 20);
    CHECK_CUDA(cudaMemGetInfo(&free_before, &total));
    void *block, *more;
    CHECK_CUDA(cudaMalloc(&block, 1 << 19));
    CHECK_CUDA(cudaMemGetInfo(&free_after, &total));
    CHECK(free_before - free_after == 1 << 19 && total == 1 << 20, "%zu bytes", free_before - free_after);
    CHECK(cudaMalloc(&more, 1 << 19) == cudaErrorMemoryAllocation, "more than there is");
    CHECK_CUDA(cudaFree(block));
    substitute_set_device(0, 0);
    int count;
    CHECK(cudaGetDeviceCount(&count) == cudaErrorNoDevice && count == 0, "no device");
    CHECK(cudaMalloc(&more, 4) == cudaErrorNoDevice, "memory of no device");
    substitute_set_device(1, (size_t)1 << 30);
    CHECK_CUDA(cudaFree(p));
    substitute_fail_call(2, cudaErrorMemoryAllocation);
    CHECK_CUDA(cudaMalloc(&block, 16));
    CHECK(cudaMalloc(&more, 16) == cudaErrorMemoryAllocation, "a failure that was asked for");
    CHECK_CUDA(cudaFree(block));
}

int main()
{
    for (int order = SUBSTITUTE_FORWARD; order <= SUBSTITUTE_RANDOM; order++)
        for (uint32_t seed = 0; seed < (order == SUBSTITUTE_RANDOM ? 5 : 1); seed++) {
            substitute_set_order((substitute_order)order, seed);
            test_indices();
            test_barriers();
            test_warps();
            test_last_block();
            test_streams();
            test_graphs();
            test_copies();
            test_tensor_cores();
            test_early_kernels();
        }
    test_products();
    test_dynamic_shared_memory();
    test_limits();
    substitute_counters counted;
    substitute_get_counters(&counted);
    CHECK(counted.live_allocations == 0, "%lu allocations left", (unsigned long)counted.live_allocations);
    CHECK(!*substitute_fault(), "%s", substitute_fault());
    return check_report();
}
