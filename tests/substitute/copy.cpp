/* Copies and fills. Copies between the device and pinned memory are queued, as are those from pageable
 * memory, which is read at once; a copy to pageable memory waits for its stream.
 */
#include <cstring>

#include "internal.h"

namespace substitute
{

struct Copy : Operation {
    char *to;
    const char *from;
    size_t to_pitch, from_pitch, width, rows;
    bool to_device, from_device;
    std::vector<char> staged; /* what pageable memory held */

    cudaGraphNodeType type() const override { return cudaGraphNodeTypeMemcpy; }

    /* Both ends within one allocation each. */
    bool ends_hold(std::string *why) const
    {
        size_t last = rows - 1;
        return (!to_device || device_range(to, last * to_pitch + width, false, why)) &&
               (!from_device || device_range(from, last * from_pitch + width, false, why));
    }

    void run() override
    {
        std::string why;
        if (!ends_hold(&why)) {
            fault(cudaErrorIllegalAddress, "queued copy of %zu rows of %zu bytes: %s", rows, width, why.c_str());
            return;
        }
        const char *source = staged.empty() ? from : staged.data();
        size_t pitch = staged.empty() ? from_pitch : width;
        for (size_t row = 0; row < rows; row++) {
            memmove(to + row * to_pitch, source + row * pitch, width);
            if (to_device)
                note_write(to + row * to_pitch, width);
        }
        uint64_t bytes = (uint64_t)width * rows;
        counters.copies++;
        if (to_device && from_device)
            counters.bytes_on_device += bytes;
        else if (to_device)
            counters.bytes_to_device += bytes;
        else if (from_device)
            counters.bytes_to_host += bytes;
    }
};

struct Fill : Operation {
    char *pointer;
    int value;
    size_t count;

    cudaGraphNodeType type() const override { return cudaGraphNodeTypeMemset; }
    void run() override
    {
        std::string why;
        if (!device_range(pointer, count, false, &why)) {
            fault(cudaErrorIllegalAddress, "queued fill of %zu bytes: %s", count, why.c_str());
            return;
        }
        memset(pointer, value, count);
        note_write(pointer, count);
        counters.memsets++;
    }
};

static bool pinned(const void *pointer, size_t size)
{
    const Allocation *a = find_allocation(pointer);
    return a && a->space == Space::pinned && static_cast<const char *>(pointer) + size <= a->end();
}

static cudaError_t copy(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t rows,
                        cudaMemcpyKind kind, cudaStream_t stream, bool wait)
{
    if (width == 0 || rows == 0)
        return cudaSuccess;
    if (rows > 1 && (to_pitch < width || from_pitch < width))
        return cudaErrorInvalidPitchValue;
    if ((unsigned)kind > cudaMemcpyDefault)
        return cudaErrorInvalidMemcpyDirection;
    auto work = std::make_shared<Copy>();
    work->to = static_cast<char *>(to);
    work->from = static_cast<const char *>(from);
    work->to_pitch = to_pitch;
    work->from_pitch = from_pitch;
    work->width = width;
    work->rows = rows;
    work->to_device = is_device_address(to);
    work->from_device = is_device_address(from);
    bool says_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool says_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    std::string why;
    if (!to || !from || !work->ends_hold(&why) ||
        (kind != cudaMemcpyDefault && (says_to != work->to_device || says_from != work->from_device)))
        return cudaErrorInvalidValue;

    size_t to_span = (rows - 1) * to_pitch + width, from_span = (rows - 1) * from_pitch + width;
    bool to_pinned = pinned(to, to_span), from_pinned = pinned(from, from_span);
    if ((!work->to_device && !to_pinned) || (!work->from_device && !from_pinned))
        if (cudaError_t error = forbid_in_capture(stream))
            return error;
    if (to_pinned)
        work->host_writes.push_back({work->to, rows, width, to_pitch});
    if (from_pinned)
        work->host_reads.push_back({const_cast<char *>(work->from), rows, width, from_pitch});
    if (!work->from_device && !from_pinned) {
        work->staged.resize(width * rows);
        for (size_t row = 0; row < rows; row++)
            memcpy(work->staged.data() + row * width, work->from + row * from_pitch, width);
    }
    bool waits = !work->to_device && (wait || !to_pinned);
    waits |= wait && !work->from_device;
    if (cudaError_t error = submit(stream, work))
        return error;
    if (!waits)
        return cudaSuccess;
    counters.synchronizations++;
    return run_stream(stream);
}

static cudaError_t fill(void *pointer, int value, size_t count, cudaStream_t stream)
{
    std::string why;
    if (count == 0)
        return cudaSuccess;
    if (!device_range(pointer, count, false, &why))
        return cudaErrorInvalidValue;
    auto work = std::make_shared<Fill>();
    work->pointer = static_cast<char *>(pointer);
    work->value = value;
    work->count = count;
    return submit(stream, work);
}

} // namespace substitute

using namespace substitute;

extern "C" {

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t count, cudaMemcpyKind kind, cudaStream_t stream)
{
    Entry entry;
    return entry.error ? entry.error : result(copy(to, count, from, count, count, 1, kind, stream, false));
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream)
{
    Entry entry;
    return entry.error ? entry.error : result(copy(to, to_pitch, from, from_pitch, width, height, kind, stream, false));
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t count, cudaMemcpyKind kind)
{
    Entry entry;
    return entry.error ? entry.error : result(copy(to, count, from, count, count, 1, kind, nullptr, true));
}

cudaError_t cudaMemcpy2D(void *to, size_t to_pitch, const void *from, size_t from_pitch, size_t width, size_t height,
                         cudaMemcpyKind kind)
{
    Entry entry;
    return entry.error ? entry.error : result(copy(to, to_pitch, from, from_pitch, width, height, kind, nullptr, true));
}

cudaError_t cudaMemsetAsync(void *pointer, int value, size_t count, cudaStream_t stream)
{
    Entry entry;
    return entry.error ? entry.error : result(fill(pointer, value, count, stream));
}

cudaError_t cudaMemset(void *pointer, int value, size_t count)
{
    return cudaMemsetAsync(pointer, value, count, nullptr);
}

} // extern "C"
