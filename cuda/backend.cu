/* The CUDA backend's table of operations, and its context: device, streams, cuBLAS. */
#include <stdio.h>
#include <stdlib.h>

#include "ensemble.h"

/* The size that NVIDIA recommends for the largest devices; smaller devices use less of it. */
static const size_t BLAS_MEMORY = 32 << 20;

extern "C" void dd_cuda_room_free(dd_cuda_room *room)
{
    if (room->at)
        cudaFree(room->at);
    room->at = NULL;
    room->bytes = 0;
}

extern "C" dd_status dd_cuda_grow(dd_cuda_room *room, size_t bytes)
{
    if (bytes <= room->bytes)
        return DD_OK;
    dd_cuda_room_free(room);
    DD_CUDA(cudaMalloc((void **)&room->at, bytes));
    room->bytes = bytes;
    return DD_OK;
}

static void close_context(void *context)
{
    dd_cuda_context *c = (dd_cuda_context *)context;
    if (c->side_blas)
        cublasDestroy(c->side_blas);
    if (c->blas)
        cublasDestroy(c->blas);
    if (c->blas_memory)
        cudaFree(c->blas_memory);
    if (c->merged)
        cudaEventDestroy(c->merged);
    if (c->branched)
        cudaEventDestroy(c->branched);
    if (c->copies)
        cudaStreamDestroy(c->copies);
    if (c->side)
        cudaStreamDestroy(c->side);
    if (c->stream)
        cudaStreamDestroy(c->stream);
    free(c);
}

static dd_status count_devices(int *count)
{
    DD_CUDA(cudaGetDeviceCount(count));
    return *count ? DD_OK : dd_cuda_fail(cudaErrorNoDevice, "cudaGetDeviceCount", __FILE__, __LINE__);
}

static dd_status find_device(int number, char device[128], cudaDeviceProp *found)
{
    int devices;
    DD_TRY(count_devices(&devices));
    DD_CUDA(cudaGetDeviceProperties(found, number));
    if (found->major * 10 + found->minor < 75)
        return dd_fail(DD_ERR_BACKEND,
                       "CUDA: %s has compute capability %d.%d, but this program supports 7.5 and later; choose "
                       "another device, as in --backend cuda:1, or use --backend cpu",
                       found->name, found->major, found->minor);
    snprintf(device, 128, "%.80s, sm_%d%d", found->name, found->major, found->minor);
    DD_CUDA(cudaSetDevice(number));
    return DD_OK;
}

static dd_status open_blas(cublasHandle_t *blas, cudaStream_t stream, char *memory)
{
    DD_CUBLAS(cublasCreate(blas));
    DD_CUBLAS(cublasSetStream(*blas, stream));
    DD_CUBLAS(cublasSetWorkspace(*blas, memory, BLAS_MEMORY));
    return DD_OK;
}

static dd_status fill_context(dd_cuda_context *c)
{
    DD_CUDA(cudaStreamCreateWithFlags(&c->stream, cudaStreamNonBlocking));
    DD_CUDA(cudaStreamCreateWithFlags(&c->side, cudaStreamNonBlocking));
    DD_CUDA(cudaStreamCreateWithFlags(&c->copies, cudaStreamNonBlocking));
    DD_CUDA(cudaEventCreateWithFlags(&c->branched, cudaEventDisableTiming));
    DD_CUDA(cudaEventCreateWithFlags(&c->merged, cudaEventDisableTiming));
    DD_CUDA(cudaMalloc((void **)&c->blas_memory, 2 * BLAS_MEMORY));
    DD_TRY(open_blas(&c->blas, c->stream, c->blas_memory));
    return open_blas(&c->side_blas, c->side, c->blas_memory + BLAS_MEMORY);
}

/* Run the smallest kernel. A build without code for the device, or a faulty device, is then detected on opening, when
 * --backend auto can still take the CPU. */
static dd_status try_kernel(const dd_cuda_context *c)
{
    DD_TRY(dd_cuda_launch_counter((dd_cuda_counter *)c->blas_memory, 1, 0, 0, c->stream));
    DD_CUDA(cudaStreamSynchronize(c->stream));
    return dd_cuda_try_early((int *)c->blas_memory, c->stream);
}

static dd_status open_context(dd_pool *pool, int number, void **out, int *threads, char device[128])
{
    (void)pool; /* one host thread starts the work on the device */
    cudaDeviceProp found;
    DD_TRY(find_device(number, device, &found));
    dd_cuda_context *c = (dd_cuda_context *)calloc(1, sizeof *c);
    if (!c)
        return dd_fail(DD_ERR_MEMORY, "out of memory");
    c->processors = found.multiProcessorCount;
    c->tensor_cores = found.major >= 8;
    dd_status status = fill_context(c);
    if (!status)
        status = try_kernel(c);
    if (status) {
        close_context(c);
        return status;
    }
    *threads = 1;
    *out = c;
    return DD_OK;
}

const dd_backend_ops dd_cuda_ops = {
    sizeof(dd_backend_ops),
    "cuda",
    count_devices,
    open_context,
    close_context,
    dd_cuda_create,
    dd_cuda_destroy,
    dd_cuda_get,
    dd_cuda_set,
    dd_cuda_log_alloc,
    dd_cuda_log_free,
    dd_cuda_train,
    dd_cuda_wait,
    dd_cuda_gradient,
    dd_cuda_evaluate,
    dd_cuda_sample,
    dd_cuda_predict,
    0, /* synchronous: no; a block runs while the host writes the previous one */
};
