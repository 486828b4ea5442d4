/* Streams, events and captures, for stream.cpp and graph.cpp. */
#ifndef SUBSTITUTE_STREAM_H
#define SUBSTITUTE_STREAM_H

#include <deque>

#include "internal.h"

namespace substitute
{

struct Stream;
struct Event;

/* Reached when the first `count` items of the stream are done. */
struct Mark {
    std::shared_ptr<Stream> stream;
    uint64_t count;
};

/* What a stream holds: waits, then a piece of work or an event to record. */
struct Item {
    std::vector<Mark> after;
    Work work;
    std::shared_ptr<Event> event;
    std::vector<uint64_t> source_hash; /* of work->host_reads as they were when queued; 0: not watched */
};

struct Capture {
    std::shared_ptr<Graph> graph = std::make_shared<Graph>();
    std::vector<std::shared_ptr<Stream>> members; /* the first began it */
    uint64_t number;                              /* counted from 1 */
    bool relaxed, invalid = false;
};

struct Stream {
    bool blocking = true; /* waits for the default stream and is waited for by it */
    std::deque<Item> queue;
    uint64_t queued = 0, done = 0;
    Work last; /* that ran */
    std::shared_ptr<Capture> capture;
    std::vector<size_t> tail; /* nodes that the next captured one follows */
};

struct Event {
    Mark at;                          /* no stream: never recorded */
    std::shared_ptr<Capture> capture; /* where it was recorded last, if in a capture */
    std::vector<size_t> tail;
    bool timed = true;
    double time = 0; /* seconds, when last reached */
};

/* The stream of a handle; NULL if there is no such. */
std::shared_ptr<Stream> find_stream(cudaStream_t stream);

void append(const std::shared_ptr<Stream> &stream, Item item);

/* ---- captures (graph.cpp) ---- */
cudaError_t capture_work(Stream &stream, Work work);
cudaError_t capture_wait(const std::shared_ptr<Stream> &stream, const Event &event);
/* A call that would make a capture meaningless: fails it. */
cudaError_t invalidate(cudaError_t error);
bool any_capture();
bool any_strict_capture();
void forget_captures();

} // namespace substitute

struct CUstream_st {
    std::shared_ptr<substitute::Stream> stream;
};
struct CUevent_st {
    std::shared_ptr<substitute::Event> event;
};

#endif
