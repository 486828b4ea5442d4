/* Copies the log from the device's ring to the caller's arrays, which are page-locked so that copies run while the next
 * steps are computed. */
#include "ensemble.h"

extern "C" void *dd_cuda_log_alloc(dd_ensemble *e, size_t bytes)
{
    (void)e;
    void *memory = NULL;
    if (cudaMallocHost(&memory, bytes) != cudaSuccess) {
        (void)cudaGetLastError();
        return NULL;
    }
    return memory;
}

extern "C" void dd_cuda_log_free(dd_ensemble *e, void *memory)
{
    cudaStreamSynchronize(e->context->copies); /* a copy to this memory may still be running */
    cudaFreeHost(memory);
}

/* [R][ring capacity][width] from row `slot_row` to [R][log capacity][width] from row `row`. */
template <typename T>
static dd_status copy_rows(const dd_ensemble *e, const dd_train_log *log, const T *ring, int slot_row, T *out, int row,
                           int steps, size_t width)
{
    size_t unit = width * sizeof(T);
    DD_CUDA(cudaMemcpy2DAsync(out + (size_t)row * width, (size_t)log->capacity * unit, ring + (size_t)slot_row * width,
                              (size_t)e->ring.capacity * unit, (size_t)steps * unit, (size_t)e->replicas,
                              cudaMemcpyDeviceToHost, e->context->copies));
    return DD_OK;
}

extern "C" dd_status dd_cuda_log_copy(dd_ensemble *e, int slot, int steps, dd_train_log *log, int row)
{
    int from = slot * e->block;
    DD_CUDA(cudaStreamWaitEvent(e->context->copies, e->computed[slot], 0));
    DD_TRY(copy_rows(e, log, e->ring.loss, from, log->loss, row, steps, 1));
    DD_TRY(copy_rows(e, log, e->ring.mse, from, log->mse, row, steps, 1));
    DD_TRY(copy_rows(e, log, e->ring.diversity, from, log->diversity, row, steps, 1));
    DD_TRY(copy_rows(e, log, e->ring.grad_norm, from, log->grad_norm, row, steps, 1));
    if (log->gate) {
        DD_TRY(copy_rows(e, log, e->ring.gate, from, log->gate, row, steps, (size_t)log->batch * (size_t)log->gates));
        DD_TRY(copy_rows(e, log, e->ring.timestep, from, log->timestep, row, steps, (size_t)log->batch));
    }
    DD_CUDA(cudaEventRecord(e->copied[slot], e->context->copies));
    return DD_OK;
}
