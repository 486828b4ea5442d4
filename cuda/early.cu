/* Which kernels of a graph begin before the one before them has ended (ptx.cuh). A kernel does if it follows, in the
 * same stream and with nothing between, a kernel of this program: then one edge leads to it, and that kernel allows the
 * next to begin only after its own wait. Kernels of cuBLAS, copies, and streams that wait for each other keep the
 * ordinary order.
 *
 * Whether a device, its driver and the code that was built for it can do that is found out by a graph of two kernels.
 */
#include <stdlib.h>
#include <string.h>

#include "launch.h"

enum { STREAMS = 4 };

/* No device that was opened refuses. */
static bool allowed, refused;

/* A kernel of a graph that is being captured. */
typedef struct captured {
    cudaStream_t stream;
    unsigned long long capture;
    cudaGraphNode_t node; /* NULL: none */
} captured;

/* The last ones of this program in the streams that the calling thread captures. */
static thread_local captured last[STREAMS];

static void allow(bool works)
{
    refused = refused || !works;
    allowed = !refused;
}

/* The only node that the next one in the stream will follow; none if there are several, or no capture. */
static dd_status find_followed(cudaStream_t stream, captured *followed)
{
    captured none = {stream, 0, NULL};
    *followed = none;
#if CUDART_VERSION >= 13000
    cudaStreamCaptureStatus status;
    const cudaGraphNode_t *nodes;
    const cudaGraphEdgeData *edges;
    size_t count = 0;
    if (!allowed)
        return DD_OK;
    DD_CUDA(cudaStreamGetCaptureInfo(stream, &status, &followed->capture, NULL, &nodes, &edges, &count));
    if (status == cudaStreamCaptureStatusActive && count == 1)
        followed->node = nodes[0];
#endif
    return DD_OK;
}

extern "C" dd_status dd_cuda_begins_early(cudaStream_t stream, bool *early)
{
    captured followed;
    *early = false;
    DD_TRY(find_followed(stream, &followed));
    for (int i = 0; i < STREAMS && followed.node; i++)
        *early = *early ||
                 (last[i].stream == stream && last[i].capture == followed.capture && last[i].node == followed.node);
    return DD_OK;
}

extern "C" dd_status dd_cuda_launched(cudaStream_t stream)
{
    captured own;
    DD_TRY(find_followed(stream, &own));
    int place = 0;
    while (place < STREAMS - 1 && last[place].stream != stream && last[place].stream)
        place++;
    if (own.node)
        last[place] = own;
    return DD_OK;
}

/* ---- trying it ---- */

static __global__ void early_kernel(int *count)
{
    dd_grid_begin();
    if (threadIdx.x == 0)
        ++*count;
}

static cudaError_t record_two(int *count, cudaStream_t stream, cudaGraph_t *graph)
{
    cudaError_t error = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    if (error != cudaSuccess)
        return error;
    for (int i = 0; i < 2 && error == cudaSuccess; i++)
        error = dd_cuda_start(i > 0, dim3(1), dim3(32), stream, early_kernel, count);
    cudaError_t ended = cudaStreamEndCapture(stream, graph);
    return error == cudaSuccess ? ended : error;
}

static cudaError_t run_graph(cudaGraph_t graph, cudaStream_t stream)
{
    cudaGraphExec_t exec = NULL;
    cudaError_t error = cudaGraphInstantiate(&exec, graph, 0);
    if (error != cudaSuccess)
        return error;
    error = cudaGraphLaunch(exec, stream);
    cudaError_t ended = cudaStreamSynchronize(stream), destroyed = cudaGraphExecDestroy(exec);
    return error != cudaSuccess ? error : ended != cudaSuccess ? ended : destroyed;
}

static cudaError_t run_two(int *count, cudaStream_t stream, int *counted)
{
    cudaGraph_t graph = NULL;
    cudaError_t error = cudaMemsetAsync(count, 0, sizeof *count, stream);
    if (error == cudaSuccess)
        error = record_two(count, stream, &graph);
    if (error == cudaSuccess)
        error = run_graph(graph, stream);
    cudaError_t destroyed = graph ? cudaGraphDestroy(graph) : cudaSuccess;
    if (error == cudaSuccess)
        error = destroyed;
    return error == cudaSuccess ? cudaMemcpy(counted, count, sizeof *counted, cudaMemcpyDeviceToHost) : error;
}

/* The device and the code that it runs are sm_90's or later, and nobody objects. */
static dd_status could_begin_early(bool *could)
{
    const char *wish = getenv("DUALDIFF_CUDA_EARLY");
    int device, major;
    cudaFuncAttributes code;
    DD_CUDA(cudaGetDevice(&device));
    DD_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device));
    DD_CUDA(cudaFuncGetAttributes(&code, early_kernel));
    *could = major >= 9 && code.ptxVersion >= 90 && !(wish && !strcmp(wish, "0"));
    return DD_OK;
}

extern "C" dd_status dd_cuda_try_early(int *count, cudaStream_t stream)
{
    bool could = false;
    int counted = 0;
    DD_TRY(could_begin_early(&could));
    if (!could) {
        allow(false);
        return DD_OK;
    }
    cudaError_t error = run_two(count, stream, &counted);
    switch (error) { /* what has nothing to do with early kernels */
    case cudaErrorMemoryAllocation:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
        return dd_cuda_fail(error, "a graph of two kernels", __FILE__, __LINE__);
    default:
        (void)cudaGetLastError();
        allow(error == cudaSuccess && counted == 2);
        return DD_OK;
    }
}
