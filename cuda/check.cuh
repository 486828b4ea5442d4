/* Turns errors of CUDA and cuBLAS into dd_status codes, with a message that has the file, the line, the error and what
 * to do. Kernels are launched through one function that checks for errors.
 *
 *     DD_CUDA(cudaMemcpyAsync(...));                          // returns from the enclosing function
 *     DD_CUBLAS(cublasSgemmStridedBatched(...));
 *     return DD_LAUNCH(kernel, grid, block, stream, arguments...);
 *
 * Every kernel begins with dd_grid_begin() (ptx.cuh).
 */
#ifndef DD_CUDA_CHECK_CUH
#define DD_CUDA_CHECK_CUH

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <string.h>

#include "base/error.h"
#include "ptx.cuh"

static inline const char *dd_cuda_basename(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static inline dd_status dd_cuda_fail(cudaError_t error, const char *what, const char *file, int line)
{
    const char *hint = "use --backend cpu, or run under compute-sanitizer to see more";
    dd_status status = DD_ERR_BACKEND;
    switch (error) {
    case cudaErrorMemoryAllocation:
        status = DD_ERR_MEMORY;
        hint = "another program may hold the device's memory (see nvidia-smi); train fewer seeds or datasets at once";
        break;
    case cudaErrorNoDevice:
        hint = "no device is visible: check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --backend cpu";
        break;
    case cudaErrorInsufficientDriver:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorSystemDriverMismatch:
        hint = "the driver is missing or older than this program's CUDA: install a newer one, or use --backend cpu";
        break;
    case cudaErrorNoKernelImageForDevice:
        hint = "this build has no code for the device: build with a toolkit that supports it";
        break;
    case cudaErrorDevicesUnavailable:
    case cudaErrorSystemNotReady:
        hint = "the device is busy, in exclusive use or not ready: check nvidia-smi, or use --backend cpu";
        break;
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
        hint = "a bug in the program: please report it with the output of compute-sanitizer";
        break;
    default:
        break;
    }
    (void)cudaGetLastError(); /* otherwise the next call reports it again */
    return dd_fail(status, "CUDA: %s: %s (%s:%d, %s); %s", cudaGetErrorName(error), cudaGetErrorString(error),
                   dd_cuda_basename(file), line, what, hint);
}

static inline dd_status dd_cublas_fail(cublasStatus_t error, const char *what, const char *file, int line)
{
    int memory = error == CUBLAS_STATUS_ALLOC_FAILED;
    return dd_fail(memory ? DD_ERR_MEMORY : DD_ERR_BACKEND, "cuBLAS: %s (%s:%d, %s); %s", cublasGetStatusString(error),
                   dd_cuda_basename(file), line, what,
                   memory ? "another program may hold the device's memory (see nvidia-smi)"
                          : "use --backend cpu, or run with CUBLAS_LOGINFO_DBG=1 to see more");
}

#define DD_CUDA(call)                                                                                                  \
    do {                                                                                                               \
        cudaError_t dd_cuda_status_ = (call);                                                                          \
        if (dd_cuda_status_ != cudaSuccess)                                                                            \
            return dd_cuda_fail(dd_cuda_status_, #call, __FILE__, __LINE__);                                           \
    } while (0)

#define DD_CUBLAS(call)                                                                                                \
    do {                                                                                                               \
        cublasStatus_t dd_cublas_status_ = (call);                                                                     \
        if (dd_cublas_status_ != CUBLAS_STATUS_SUCCESS)                                                                \
            return dd_cublas_fail(dd_cublas_status_, #call, __FILE__, __LINE__);                                       \
    } while (0)

/* early.cu: would the next kernel in the stream follow one that was launched here, so that it may begin early? And say
 * that one was launched. */
extern "C" DD_CHECKED dd_status dd_cuda_begins_early(cudaStream_t stream, bool *early);
extern "C" DD_CHECKED dd_status dd_cuda_launched(cudaStream_t stream);

/* early: the kernel may begin before the one before it has ended. Then it begins with dd_grid_begin (ptx.cuh). */
template <typename... Parameters, typename... Arguments>
static inline cudaError_t dd_cuda_start(bool early, dim3 grid, dim3 block, cudaStream_t stream,
                                        void (*kernel)(Parameters...), Arguments... arguments)
{
    static_assert((sizeof(Parameters) + ... + 0) <= 4096, "every device accepts 4 KiB of arguments");
    cudaLaunchAttribute programmatic = {};
    programmatic.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    programmatic.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.stream = stream;
    config.attrs = &programmatic;
    config.numAttrs = early ? 1 : 0;
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}

template <typename... Parameters, typename... Arguments>
static inline dd_status dd_cuda_launch(const char *name, const char *file, int line, dim3 grid, dim3 block,
                                       cudaStream_t stream, void (*kernel)(Parameters...), Arguments... arguments)
{
    bool early;
    DD_TRY(dd_cuda_begins_early(stream, &early));
    cudaError_t error = dd_cuda_start(early, grid, block, stream, kernel, arguments...);
    return error == cudaSuccess ? dd_cuda_launched(stream) : dd_cuda_fail(error, name, file, line);
}

#define DD_LAUNCH(kernel, grid, block, stream, ...)                                                                    \
    dd_cuda_launch("launch of " #kernel, __FILE__, __LINE__, grid, block, stream, kernel, __VA_ARGS__)

#endif
