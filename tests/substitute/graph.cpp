/* Capturing streams into graphs, and running graphs. */
#include <algorithm>
#include <set>

#include "stream.h"

struct CUgraph_st {
    std::shared_ptr<substitute::Graph> graph;
    std::vector<CUgraphNode_st *> node;
};
struct CUgraphNode_st {
    cudaGraphNodeType type;
};
struct CUgraphExec_st {
    std::shared_ptr<const substitute::Graph> graph;
};

namespace substitute
{

static std::vector<std::shared_ptr<Capture>> captures;
static std::set<cudaGraph_t> graph_handles;
static std::set<cudaGraphExec_t> exec_handles;

bool any_capture()
{
    return !captures.empty();
}

bool any_strict_capture()
{
    for (const auto &capture : captures)
        if (!capture->relaxed)
            return true;
    return false;
}

cudaError_t invalidate(cudaError_t error)
{
    for (const auto &capture : captures)
        capture->invalid = true;
    return error;
}

static void leave(Capture &capture)
{
    for (const auto &stream : capture.members) {
        stream->capture = nullptr;
        stream->tail.clear();
    }
}

static cudaStreamCaptureStatus status_of(const Stream &stream)
{
    return !stream.capture           ? cudaStreamCaptureStatusNone
           : stream.capture->invalid ? cudaStreamCaptureStatusInvalidated
                                     : cudaStreamCaptureStatusActive;
}

static void end(std::shared_ptr<Capture> capture)
{
    leave(*capture);
    captures.erase(std::find(captures.begin(), captures.end(), capture));
}

void forget_captures()
{
    for (const auto &capture : captures)
        leave(*capture);
    captures.clear();
}

cudaError_t capture_work(Stream &stream, Work work)
{
    if (stream.capture->invalid)
        return cudaErrorStreamCaptureInvalidated;
    std::vector<Graph::Node> &nodes = stream.capture->graph->nodes;
    nodes.push_back({std::move(work), stream.tail});
    stream.tail = {nodes.size() - 1};
    return cudaSuccess;
}

cudaError_t capture_wait(const std::shared_ptr<Stream> &stream, const Event &event)
{
    if (!event.capture || (stream->capture && stream->capture != event.capture))
        return invalidate(cudaErrorStreamCaptureIsolation);
    if (std::find(captures.begin(), captures.end(), event.capture) == captures.end())
        return cudaErrorCapturedEvent; /* that capture has ended */
    if (!stream->capture) {
        stream->capture = event.capture;
        event.capture->members.push_back(stream);
    }
    for (size_t node : event.tail)
        if (std::find(stream->tail.begin(), stream->tail.end(), node) == stream->tail.end())
            stream->tail.push_back(node);
    return cudaSuccess;
}

/* Does all that was captured come before the end of the stream that began? */
static bool joined(const Capture &capture)
{
    const std::vector<Graph::Node> &nodes = capture.graph->nodes;
    std::vector<bool> reached(nodes.size());
    std::vector<size_t> open = capture.members[0]->tail;
    while (!open.empty()) {
        size_t node = open.back();
        open.pop_back();
        if (reached[node])
            continue;
        reached[node] = true;
        open.insert(open.end(), nodes[node].after.begin(), nodes[node].after.end());
    }
    return std::find(reached.begin(), reached.end(), false) == reached.end();
}

/* One launch: the nodes one after another, in an order that their dependencies allow and that
 * substitute_set_order wants. */
struct GraphLaunch : Operation {
    std::shared_ptr<const Graph> graph;

    cudaGraphNodeType type() const override { return cudaGraphNodeTypeHost; }

    void run() override
    {
        const std::vector<Graph::Node> &nodes = graph->nodes;
        std::vector<size_t> waits(nodes.size()), ready;
        std::vector<std::vector<size_t>> followers(nodes.size());
        for (size_t i = 0; i < nodes.size(); i++) {
            waits[i] = nodes[i].after.size();
            for (size_t before : nodes[i].after)
                followers[before].push_back(i);
            if (!waits[i])
                ready.push_back(i);
        }
        while (!ready.empty() && !faulty()) {
            size_t pick = order() == SUBSTITUTE_RANDOM     ? random_below((uint32_t)ready.size())
                          : order() == SUBSTITUTE_REVERSED ? ready.size() - 1
                                                           : 0;
            size_t node = ready[pick];
            ready.erase(ready.begin() + (std::ptrdiff_t)pick);
            std::vector<Work> before;
            for (size_t other : nodes[node].after)
                before.push_back(nodes[other].work);
            run_behind(nodes[node].work, std::move(before));
            counters.graph_nodes++;
            for (size_t follower : followers[node])
                if (--waits[follower] == 0)
                    ready.insert(std::upper_bound(ready.begin(), ready.end(), follower), follower);
        }
    }
};

} // namespace substitute

using namespace substitute;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    std::shared_ptr<Stream> stream = find_stream(handle);
    if (!stream)
        return result(cudaErrorInvalidResourceHandle);
    if (!handle || stream->capture)
        return result(cudaErrorStreamCaptureUnsupported); /* the default stream cannot be captured */
    static uint64_t begun;
    auto capture = std::make_shared<Capture>();
    capture->number = ++begun;
    capture->relaxed = mode == cudaStreamCaptureModeRelaxed;
    capture->members = {stream};
    stream->capture = capture;
    captures.push_back(capture);
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t *graph)
{
    Entry entry;
    std::shared_ptr<Stream> stream = find_stream(handle);
    if (entry.error) { /* the capture has ended all the same */
        if (stream && stream->capture)
            end(stream->capture);
        return entry.error;
    }
    if (!stream || !graph)
        return result(stream ? cudaErrorInvalidValue : cudaErrorInvalidResourceHandle);
    *graph = nullptr;
    std::shared_ptr<Capture> capture = stream->capture;
    if (!capture || capture->members[0] != stream)
        return result(cudaErrorStreamCaptureUnmatched);
    cudaError_t error = capture->invalid    ? cudaErrorStreamCaptureInvalidated
                        : !joined(*capture) ? cudaErrorStreamCaptureUnjoined
                                            : cudaSuccess;
    end(capture);
    if (error)
        return result(error);
    *graph = new CUgraph_st{capture->graph, {}};
    for (const Graph::Node &node : capture->graph->nodes)
        (*graph)->node.push_back(new CUgraphNode_st{node.work->type()});
    graph_handles.insert(*graph);
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus *status)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    std::shared_ptr<Stream> stream = find_stream(handle);
    if (!stream)
        return result(cudaErrorInvalidResourceHandle);
    *status = status_of(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamGetCaptureInfo(cudaStream_t handle, cudaStreamCaptureStatus *status, unsigned long long *id,
                                     cudaGraph_t *graph, const cudaGraphNode_t **dependencies,
                                     const cudaGraphEdgeData **edges, size_t *count)
{
    static std::vector<cudaGraphNode_t> nodes;
    static std::vector<cudaGraphEdgeData> ordinary;
    Entry entry;
    if (entry.error)
        return entry.error;
    std::shared_ptr<Stream> stream = find_stream(handle);
    if (!stream)
        return result(cudaErrorInvalidResourceHandle);
    if (graph || !id || !dependencies || !edges || !count)
        return result(cudaErrorNotSupported); /* the toolkit allows more */
    *status = status_of(*stream);
    nodes.clear();
    if (*status == cudaStreamCaptureStatusActive) {
        for (size_t node : stream->tail)
            nodes.push_back(reinterpret_cast<cudaGraphNode_t>(stream->capture->graph->nodes[node].work.get()));
        *id = stream->capture->number;
    }
    ordinary.resize(nodes.size());
    *dependencies = nodes.data();
    *edges = ordinary.data();
    *count = nodes.size();
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!exec || !graph_handles.count(graph))
        return result(cudaErrorInvalidValue);
    *exec = new CUgraphExec_st{graph->graph};
    exec_handles.insert(*exec);
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t exec, cudaStream_t stream)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    return result(exec_handles.count(exec) && find_stream(stream) ? cudaSuccess : cudaErrorInvalidValue);
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!exec_handles.count(exec))
        return result(cudaErrorInvalidValue);
    if (cudaError_t error = forbid_in_capture(stream))
        return result(error);
    auto launch = std::make_shared<GraphLaunch>();
    launch->graph = exec->graph;
    for (const Graph::Node &node : exec->graph->nodes) {
        launch->host_reads.insert(launch->host_reads.end(), node.work->host_reads.begin(), node.work->host_reads.end());
        launch->host_writes.insert(launch->host_writes.end(), node.work->host_writes.begin(),
                                   node.work->host_writes.end());
    }
    counters.graph_launches++;
    return result(submit(stream, launch));
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    Entry entry;
    if (entry.error && !faulty())
        return entry.error;
    if (!exec_handles.erase(exec))
        return result(cudaErrorInvalidValue);
    delete exec;
    return entry.error;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    Entry entry;
    if (entry.error && !faulty())
        return entry.error;
    if (!graph_handles.erase(graph))
        return result(cudaErrorInvalidValue);
    for (CUgraphNode_st *node : graph->node)
        delete node;
    delete graph;
    return entry.error;
}

cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t *nodes, size_t *count)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!graph_handles.count(graph) || !count)
        return result(cudaErrorInvalidValue);
    if (nodes) {
        size_t given = std::min(*count, graph->node.size());
        std::copy_n(graph->node.begin(), given, nodes);
        std::fill(nodes + given, nodes + *count, nullptr);
        *count = given;
    } else {
        *count = graph->node.size();
    }
    return cudaSuccess;
}

cudaError_t cudaGraphNodeGetType(cudaGraphNode_t node, cudaGraphNodeType *type)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!node || !type)
        return result(cudaErrorInvalidValue);
    *type = node->type;
    return cudaSuccess;
}

} // extern "C"
