/* Measures parts of the CUDA backend on a device, for bench/device.py:
 *
 *     device_bench graph NODES     microseconds of a graph's node, without and with programmatic launches: two lines
 */
#include <algorithm>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vector>

#include "base/clock.h"
#include "check.cuh"

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

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "graph") && atoi(argv[2]) > 0) {
        need(time_graphs(atoi(argv[2])));
        return 0;
    }
    fprintf(stderr, "usage: device_bench graph NODES\n");
    return DD_ERR_USAGE;
}
