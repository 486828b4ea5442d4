/* Streams and events. Nothing that is put into a stream runs before the host waits for it, so that a
 * program which forgets to wait reads poison.
 */
#include "stream.h"

#include <chrono>
#include <cstring>
#include <set>

namespace substitute
{

static std::set<cudaStream_t> stream_handles;
static std::set<cudaEvent_t> event_handles;
static const std::shared_ptr<Stream> default_stream = std::make_shared<Stream>();
static std::vector<std::shared_ptr<Stream>> streams; /* all but the default one; destroyed ones while they hold work */

std::shared_ptr<Stream> find_stream(cudaStream_t stream)
{
    if (!stream)
        return default_stream;
    return stream_handles.count(stream) ? stream->stream : nullptr;
}

/* ---- what the host may not touch while work waits ---- */

static bool overlap(const HostRange &a, const HostRange &b)
{
    return a.begin < b.end() && b.begin < a.end();
}

static bool overlaps_any(const HostRange &range, const std::vector<HostRange> &others)
{
    for (const HostRange &other : others)
        if (overlap(range, other))
            return true;
    return false;
}

template <std::vector<HostRange> Operation::*ranges> static bool pending(const HostRange &range)
{
    auto in = [&](const Stream &stream) {
        for (const Item &item : stream.queue)
            if (item.work && overlaps_any(range, (*item.work).*ranges))
                return true;
        return false;
    };
    for (const auto &stream : streams)
        if (in(*stream))
            return true;
    return in(*default_stream);
}

/* FNV-1a over 8-byte words, never 0. */
static uint64_t hash_of(const HostRange &range)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t row = 0; row < range.rows; row++)
        for (size_t at = 0; at < range.width; at += 8) {
            uint64_t word = 0;
            memcpy(&word, range.begin + row * range.pitch + at, std::min<size_t>(8, range.width - at));
            hash = (hash ^ word) * 0x100000001B3u;
        }
    return hash | 1;
}

/* Destinations in pinned memory get poison, sources are remembered; both unless other work has a right to them. */
static void watch_host_memory(Item &item)
{
    const Operation &work = *item.work;
    for (const HostRange &range : work.host_reads) {
        bool moving = pending<&Operation::host_writes>(range) || overlaps_any(range, work.host_writes);
        item.source_hash.push_back(moving ? 0 : hash_of(range));
    }
    for (const HostRange &range : work.host_writes) {
        if (pending<&Operation::host_reads>(range) || overlaps_any(range, work.host_reads))
            continue;
        for (size_t row = 0; row < range.rows; row++) {
            poison(range.begin + row * range.pitch, range.width);
            ASAN_POISON_MEMORY_REGION(range.begin + row * range.pitch, range.width);
        }
    }
}

static void check_sources(const Item &item)
{
    for (size_t i = 0; i < item.source_hash.size(); i++)
        if (item.source_hash[i] && item.source_hash[i] != hash_of(item.work->host_reads[i])) {
            fault(cudaErrorUnknown, "pinned memory at %p was changed before the queued copy from it had run",
                  (void *)item.work->host_reads[i].begin);
            return;
        }
}

static void unpoison_destinations(const Item &item)
{
    for (const HostRange &range : item.work->host_writes)
        for (size_t row = 0; row < range.rows; row++)
            ASAN_UNPOISON_MEMORY_REGION(range.begin + row * range.pitch, range.width);
}

/* ---- running ---- */

static double seconds()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static void advance(Stream &stream, uint64_t count)
{
    while (stream.done < count) {
        Item item = std::move(stream.queue.front());
        stream.queue.pop_front();
        for (const Mark &mark : item.after)
            advance(*mark.stream, mark.count);
        if (item.work) {
            unpoison_destinations(item);
            if (!faulty())
                check_sources(item);
            if (!faulty())
                run_behind(item.work, stream.last ? std::vector<Work>{stream.last} : std::vector<Work>{});
            stream.last = std::move(item.work);
        }
        if (item.event)
            item.event->time = seconds();
        stream.done++;
    }
}

static void forget_empty_streams()
{
    for (size_t i = 0; i < streams.size();)
        if (streams[i].use_count() == 1 && streams[i]->queue.empty())
            streams.erase(streams.begin() + (std::ptrdiff_t)i);
        else
            i++;
}

/* Advance to a mark, with device memory open; what the waiting call returns. */
static cudaError_t wait_for(const Mark &mark)
{
    if (mark.stream->done < mark.count) {
        DeviceAccess access;
        advance(*mark.stream, mark.count);
    }
    forget_empty_streams();
    return result(faulty() ? cudaPeekAtLastError() : cudaSuccess);
}

static Mark end_of(const std::shared_ptr<Stream> &stream)
{
    return {stream, stream->queued};
}

void run_everything()
{
    wait_for(end_of(default_stream));
    for (size_t i = 0; i < streams.size(); i++) {
        std::shared_ptr<Stream> stream = streams[i];
        wait_for(end_of(stream));
    }
    forget_empty_streams();
}

void forget_everything()
{
    auto drop = [](Stream &stream) {
        for (const Item &item : stream.queue)
            if (item.work)
                unpoison_destinations(item);
        stream.queue.clear();
        stream.done = stream.queued;
        stream.last = nullptr;
    };
    drop(*default_stream);
    for (const auto &stream : streams)
        drop(*stream);
    forget_captures();
}

cudaError_t run_stream(cudaStream_t handle)
{
    return wait_for(end_of(find_stream(handle)));
}

void append(const std::shared_ptr<Stream> &stream, Item item)
{
    if (stream == default_stream) {
        for (const auto &other : streams)
            if (other->blocking)
                item.after.push_back(end_of(other));
    } else if (stream->blocking) {
        item.after.push_back(end_of(default_stream));
    }
    if (item.work)
        watch_host_memory(item);
    stream->queue.push_back(std::move(item));
    stream->queued++;
}

cudaError_t submit(cudaStream_t handle, Work work)
{
    std::shared_ptr<Stream> stream = find_stream(handle);
    if (!stream)
        return cudaErrorInvalidResourceHandle;
    if (stream->capture)
        return capture_work(*stream, std::move(work));
    if (stream == default_stream && any_capture())
        return invalidate(cudaErrorStreamCaptureImplicit);
    if (work->type() == cudaGraphNodeTypeKernel || work->type() == cudaGraphNodeTypeMemcpy ||
        work->type() == cudaGraphNodeTypeMemset)
        counters.launches++;
    append(stream, {{}, std::move(work), nullptr, {}});
    return cudaSuccess;
}

cudaError_t forbid_in_capture(cudaStream_t handle)
{
    std::shared_ptr<Stream> stream = find_stream(handle);
    if (!stream)
        return cudaErrorInvalidResourceHandle;
    return stream->capture || any_strict_capture() ? invalidate(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
}

struct HostFunction : Operation {
    cudaHostFn_t function;
    void *argument;
    void run() override { function(argument); }
    cudaGraphNodeType type() const override { return cudaGraphNodeTypeHost; }
};

} // namespace substitute

using namespace substitute;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *handle, unsigned int flags)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!handle || flags > cudaStreamNonBlocking)
        return result(cudaErrorInvalidValue);
    if (devices < 1)
        return result(cudaErrorNoDevice);
    auto stream = std::make_shared<Stream>();
    stream->blocking = flags != cudaStreamNonBlocking;
    streams.push_back(stream);
    *handle = new CUstream_st{stream};
    stream_handles.insert(*handle);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *handle)
{
    return cudaStreamCreateWithFlags(handle, cudaStreamDefault);
}

cudaError_t cudaStreamDestroy(cudaStream_t handle)
{
    Entry entry;
    if (entry.error && !faulty())
        return entry.error;
    if (!stream_handles.erase(handle))
        return result(cudaErrorInvalidResourceHandle);
    if (handle->stream->capture)
        invalidate(cudaErrorStreamCaptureInvalidated);
    delete handle; /* its work runs when the device is waited for */
    forget_empty_streams();
    return entry.error;
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (cudaError_t error = forbid_in_capture(handle))
        return result(error);
    counters.synchronizations++;
    return run_stream(handle);
}

cudaError_t cudaDeviceSynchronize(void)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (cudaError_t error = forbid_in_capture(nullptr))
        return result(error);
    counters.synchronizations++;
    run_everything();
    return result(faulty() ? cudaPeekAtLastError() : cudaSuccess);
}

/* What waits, one item for each time it is asked, so that a loop of queries comes to an end. */
static cudaError_t query(const Mark &mark)
{
    if (mark.stream->done >= mark.count)
        return cudaSuccess;
    cudaError_t error = wait_for({mark.stream, mark.stream->done + 1});
    return error ? error : cudaErrorNotReady;
}

cudaError_t cudaStreamQuery(cudaStream_t handle)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (cudaError_t error = forbid_in_capture(handle))
        return result(error);
    return query(end_of(find_stream(handle)));
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void *argument)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    auto work = std::make_shared<HostFunction>();
    work->function = function;
    work->argument = argument;
    return result(function ? submit(handle, work) : cudaErrorInvalidValue);
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *handle, unsigned int flags)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!handle || flags > (cudaEventBlockingSync | cudaEventDisableTiming))
        return result(cudaErrorInvalidValue);
    if (devices < 1)
        return result(cudaErrorNoDevice);
    auto event = std::make_shared<Event>();
    event->timed = !(flags & cudaEventDisableTiming);
    *handle = new CUevent_st{event};
    event_handles.insert(*handle);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *handle)
{
    return cudaEventCreateWithFlags(handle, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t handle)
{
    Entry entry;
    if (entry.error && !faulty())
        return entry.error;
    if (!event_handles.erase(handle))
        return result(cudaErrorInvalidResourceHandle);
    delete handle;
    return entry.error;
}

cudaError_t cudaEventRecord(cudaEvent_t handle, cudaStream_t stream_handle)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    std::shared_ptr<Stream> stream = find_stream(stream_handle);
    if (!stream || !event_handles.count(handle))
        return result(cudaErrorInvalidResourceHandle);
    Event &event = *handle->event;
    event.capture = stream->capture;
    event.tail = stream->tail;
    if (stream->capture)
        return cudaSuccess;
    if (stream == default_stream && any_capture())
        return result(invalidate(cudaErrorStreamCaptureImplicit));
    append(stream, {{}, nullptr, handle->event, {}});
    event.at = end_of(stream);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream_handle, cudaEvent_t handle, unsigned int flags)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    std::shared_ptr<Stream> stream = find_stream(stream_handle);
    if (!stream || !event_handles.count(handle))
        return result(cudaErrorInvalidResourceHandle);
    if (flags)
        return result(cudaErrorInvalidValue);
    const Event &event = *handle->event;
    if (event.capture || stream->capture)
        return result(capture_wait(stream, event));
    if (event.at.stream)
        append(stream, {{event.at}, nullptr, nullptr, {}});
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t handle)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!event_handles.count(handle))
        return result(cudaErrorInvalidResourceHandle);
    if (handle->event->capture)
        return result(invalidate(cudaErrorCapturedEvent));
    counters.event_waits++;
    return handle->event->at.stream ? wait_for(handle->event->at) : cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t handle)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!event_handles.count(handle))
        return result(cudaErrorInvalidResourceHandle);
    if (handle->event->capture)
        return result(invalidate(cudaErrorCapturedEvent));
    return handle->event->at.stream ? query(handle->event->at) : cudaSuccess;
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t stop)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    for (cudaEvent_t handle : {start, stop}) {
        if (!event_handles.count(handle) || !handle->event->timed || !handle->event->at.stream)
            return result(cudaErrorInvalidResourceHandle);
        const Mark &at = handle->event->at;
        if (at.stream->done < at.count)
            return cudaErrorNotReady;
    }
    *milliseconds = (float)(1e3 * (stop->event->time - start->event->time));
    return cudaSuccess;
}

} // extern "C"
