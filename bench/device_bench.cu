/* Measures parts of the CUDA backend on a device, for bench/device.py:
 *
 *     device_bench graph NODES       microseconds of a graph's node, without and with programmatic launches:
 *                                    two lines
 *     device_bench products SIZE R   products of SIZE x SIZE matrices for two members of R replicas, a line
 *                                    each: form, who computes it, microseconds, largest error relative to |a| |b|
 */
#include <algorithm>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector>

#include "base/clock.h"
#include "launch.h"

static void need(dd_status status)
{
    if (status) {
        fprintf(stderr, "device_bench: %s\n", dd_error_message());
        exit(1);
    }
}

/* Median seconds of a call that waits for the device; the first is not counted. */
template <typename Call> static double median_time(int calls, Call call)
{
    std::vector<double> seconds;
    for (int i = 0; i <= calls; i++) {
        double began = dd_now();
        need(call());
        seconds.push_back(dd_now() - began);
    }
    std::sort(seconds.begin() + 1, seconds.end());
    return seconds[1 + (size_t)(calls - 1) / 2];
}

static dd_status run_graph(cudaGraphExec_t exec, cudaStream_t stream)
{
    DD_CUDA(cudaGraphLaunch(exec, stream));
    DD_CUDA(cudaStreamSynchronize(stream));
    return DD_OK;
}

/* Capture what `record` puts into the stream. */
template <typename Record> static dd_status capture(cudaStream_t stream, cudaGraphExec_t *exec, Record record)
{
    cudaGraph_t graph = NULL;
    DD_CUDA(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    dd_status status = record();
    DD_CUDA(cudaStreamEndCapture(stream, &graph));
    DD_TRY(status);
    DD_CUDA(cudaGraphInstantiate(exec, graph, 0));
    DD_CUDA(cudaGraphDestroy(graph));
    return DD_OK;
}

/* ---- graphs ---- */

static __global__ void count_kernel(int *counter)
{
    dd_grid_begin();
    if (threadIdx.x == 0)
        ++*counter;
}

static dd_status time_nodes(cudaStream_t stream, int *counter, int nodes, bool early, double *seconds)
{
    enum { CALLS = 15 };
    cudaGraphExec_t exec = NULL;
    int counted = -1;
    DD_TRY(capture(stream, &exec, [&] {
        for (int i = 0; i < nodes; i++)
            DD_CUDA(dd_cuda_start(early && i > 0, dim3(1), dim3(32), stream, count_kernel, counter));
        return DD_OK;
    }));
    DD_CUDA(cudaMemsetAsync(counter, 0, sizeof *counter, stream));
    *seconds = median_time(CALLS, [&] { return run_graph(exec, stream); }) / nodes;
    DD_CUDA(cudaMemcpy(&counted, counter, sizeof counted, cudaMemcpyDeviceToHost));
    DD_CUDA(cudaGraphExecDestroy(exec));
    if (counted != (CALLS + 1) * nodes)
        return dd_fail(DD_ERR_INTERNAL, "%d of %d nodes ran", counted, (CALLS + 1) * nodes);
    return DD_OK;
}

static dd_status time_graphs(int nodes)
{
    cudaStream_t stream;
    int *counter, major;
    DD_CUDA(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    DD_CUDA(cudaMalloc((void **)&counter, sizeof *counter));
    DD_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0));
    for (bool early : {false, true}) {
        double seconds = 0;
        if (early && major < 9)
            return dd_fail(DD_ERR_BACKEND, "programmatic launches need sm_90");
        DD_TRY(time_nodes(stream, counter, nodes, early, &seconds));
        printf("%.4f\n", 1e6 * seconds);
        fflush(stdout);
    }
    DD_CUDA(cudaFree(counter));
    DD_CUDA(cudaStreamDestroy(stream));
    return DD_OK;
}

/* ---- products ---- */

enum { MEMBERS = 2, REPEATED = 10 };

/* Who computes products. Tiles are large on a device that is said to have one multiprocessor. */
static const struct {
    const char *name;
    bool own, tensor_cores;
    int processors;
} contestants[] = {
    {"own, float32, tiles of 32", true, false, 1 << 20},
    {"own, float32, tiles of 64", true, false, 1},
    {"own, 3xTF32, tiles of 32", true, true, 1 << 20},
    {"own, 3xTF32, tiles of 64", true, true, 1},
    {"cuBLAS, float32", false, false, 0},
    {"cuBLAS, TF32", false, true, 0},
};
static const char *const forms[] = {"forward", "input gradient", "weight gradient"};

typedef struct factors {
    int size, replicas;
    std::vector<float> left, right;
    float *on_device[3]; /* left, right, result */
    cudaStream_t stream;
    cublasHandle_t blas;
} factors;

static std::vector<float> numbers(size_t n, uint32_t seed)
{
    std::vector<float> x(n);
    for (float &v : x)
        v = (float)(int32_t)(seed = seed * 1664525u + 1013904223u) * 0x1p-31f;
    return x;
}

static dd_status upload(const std::vector<float> &x, float **on_device)
{
    DD_CUDA(cudaMalloc((void **)on_device, x.size() * sizeof x[0]));
    DD_CUDA(cudaMemcpy(*on_device, x.data(), x.size() * sizeof x[0], cudaMemcpyHostToDevice));
    return DD_OK;
}

static dd_cuda_products list_of(const factors &f, bool tensor_cores)
{
    size_t pitch = (size_t)f.size, member = pitch * pitch, replica = MEMBERS * member;
    dd_cuda_products all = {};
    dd_cuda_product *p = &all.product[0];
    all.replicas = f.replicas;
    all.count = 1;
    all.tensor_cores = tensor_cores;
    p->members = MEMBERS;
    p->rows = p->columns = p->inner = f.size;
    p->left = {f.on_device[0], replica, member, pitch};
    p->right = {f.on_device[1], replica, member, pitch};
    p->result = {f.on_device[2], replica, member, pitch};
    return all;
}

static dd_status multiply(const factors &f, dd_cuda_form form, int who)
{
    dd_cuda_products all = list_of(f, contestants[who].tensor_cores);
    if (contestants[who].own)
        return dd_cuda_launch_products(form, &all, contestants[who].processors, f.stream);
    return dd_cuda_blas_product(form, &all.product[0], f.replicas, contestants[who].tensor_cores, f.blas);
}

/* Largest error of some elements of the last replica's last member. */
static double error_of(const factors &f, dd_cuda_form form, const std::vector<float> &result)
{
    size_t n = (size_t)f.size, first = result.size() - n * n;
    const float *left = &f.left[first], *right = &f.right[first];
    double worst = 0;
    for (size_t i = 0; i < n; i += 5)
        for (size_t j = 0; j < n; j += 7) {
            double sum = 0, a = 0, b = 0;
            for (size_t k = 0; k < n; k++) {
                double x = form == DD_CUDA_WEIGHT_GRADIENT ? left[k * n + i] : left[i * n + k];
                double y = form == DD_CUDA_FORWARD ? right[j * n + k] : right[k * n + j];
                sum += x * y;
                a += x * x;
                b += y * y;
            }
            worst = std::max(worst, fabs(result[first + i * n + j] - sum) / sqrt(a * b));
        }
    return worst;
}

static dd_status time_product(const factors &f, dd_cuda_form form, int who)
{
    cudaGraphExec_t exec = NULL;
    std::vector<float> result(f.left.size());
    DD_TRY(multiply(f, form, who)); /* loads it */
    DD_CUDA(cudaStreamSynchronize(f.stream));
    DD_TRY(capture(f.stream, &exec, [&] {
        for (int i = 0; i < REPEATED; i++)
            DD_TRY(multiply(f, form, who));
        return DD_OK;
    }));
    double seconds = median_time(7, [&] { return run_graph(exec, f.stream); }) / REPEATED;
    DD_CUDA(cudaGraphExecDestroy(exec));
    DD_CUDA(cudaMemcpy(result.data(), f.on_device[2], result.size() * sizeof result[0], cudaMemcpyDeviceToHost));
    printf("%s;%s;%.3f;%.1e\n", forms[form], contestants[who].name, 1e6 * seconds, error_of(f, form, result));
    fflush(stdout);
    return DD_OK;
}

static dd_status time_products(int size, int replicas)
{
    factors f = {};
    size_t n = (size_t)replicas * MEMBERS * (size_t)size * (size_t)size;
    f.size = size;
    f.replicas = replicas;
    f.left = numbers(n, 1);
    f.right = numbers(n, 2);
    DD_TRY(upload(f.left, &f.on_device[0]));
    DD_TRY(upload(f.right, &f.on_device[1]));
    DD_CUDA(cudaMalloc((void **)&f.on_device[2], n * sizeof(float)));
    DD_CUDA(cudaStreamCreateWithFlags(&f.stream, cudaStreamNonBlocking));
    DD_CUBLAS(cublasCreate(&f.blas));
    DD_CUBLAS(cublasSetStream(f.blas, f.stream));
    for (int form = DD_CUDA_FORWARD; form <= DD_CUDA_WEIGHT_GRADIENT; form++)
        for (int who = 0; who < (int)(sizeof contestants / sizeof *contestants); who++)
            DD_TRY(time_product(f, (dd_cuda_form)form, who));
    DD_CUBLAS(cublasDestroy(f.blas));
    DD_CUDA(cudaStreamDestroy(f.stream));
    for (float *memory : f.on_device)
        DD_CUDA(cudaFree(memory));
    return DD_OK;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "graph") && atoi(argv[2]) > 0) {
        need(time_graphs(atoi(argv[2])));
        return 0;
    }
    if (argc == 4 && !strcmp(argv[1], "products") && atoi(argv[2]) > 0 && atoi(argv[3]) > 0) {
        need(time_products(atoi(argv[2]), atoi(argv[3])));
        return 0;
    }
    fprintf(stderr, "usage: device_bench graph NODES | products SIZE R\n");
    return DD_ERR_USAGE;
}
