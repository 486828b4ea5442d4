/* Runs a kernel: blocks one after another, a block's threads on fibers. A fiber starts one thread after
 * another until one must wait, and is that thread's from then on; so threads that never wait cost a
 * function call.
 */
#include "block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <set>

#include "fiber.h"

/* What kernels see as constants. */
uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace substitute
{

Block block;

static const std::string *kernel_name;
static Call *call;
static bool kernel_runs, abandoned;
static uint3 coordinate[most_threads];
static int16_t start_order[most_threads];
static Fiber *fiber_of[most_threads]; /* of threads that wait */
static Fiber *starter;                /* fiber that starts threads, when none of them waits on it */
static int16_t ready[most_threads];   /* ring: each thread is in it at most once */
static int ready_first, ready_count;

static std::vector<uint4> dynamic_memory;

/* One for each file that has kernels. */
static std::vector<char *(*)()> &shared_modules()
{
    static std::vector<char *(*)()> modules;
    return modules;
}

void add_shared_module(char *(*anchor)())
{
    shared_modules().push_back(anchor);
}

void forget_shared_module(char *(*anchor)())
{
    std::vector<char *(*)()> &modules = shared_modules();
    modules.erase(std::find(modules.begin(), modules.end(), anchor));
}

/* All that is fresh for every block, for the calling thread. */
static void find_shared_memory(size_t dynamic)
{
    static std::vector<MemoryRange> variables;
    static std::vector<char *> anchors;
    std::vector<char *> current;
    for (auto module : shared_modules())
        if (std::find(current.begin(), current.end(), module()) == current.end())
            current.push_back(module());
    if (current != anchors) { /* another thread plays the device, or a library came or went */
        anchors = current;
        variables.clear();
        std::set<char *> done;
        for (auto module : shared_modules())
            if (done.insert(module()).second && !find_shared_variables(module, &variables))
                fault(cudaErrorInvalidKernelImage,
                      "a file with kernels has no symbol table: shared memory cannot be found");
    }
    block.shared = variables;
    if (dynamic_memory.size() * sizeof(uint4) < dynamic)
        dynamic_memory.resize((dynamic + sizeof(uint4) - 1) / sizeof(uint4));
    char *begin = reinterpret_cast<char *>(dynamic_memory.data());
    if (dynamic)
        block.shared.push_back({begin, begin + dynamic});
    std::sort(block.shared.begin(), block.shared.end(),
              [](const MemoryRange &a, const MemoryRange &b) { return a.begin < b.begin; });
}

void *dynamic_shared()
{
    return dynamic_memory.data();
}

bool in_kernel()
{
    return kernel_runs;
}

std::string thread_text(int thread)
{
    uint3 c = coordinate[thread];
    char text[64];
    snprintf(text, sizeof text, "thread (%u,%u,%u)", c.x, c.y, c.z);
    return text;
}

std::string kernel_position()
{
    char text[80];
    snprintf(text, sizeof text, ", block (%u,%u,%u), ", blockIdx.x, blockIdx.y, blockIdx.z);
    return "kernel " + *kernel_name + text + thread_text(block.current);
}

void abandon_kernel()
{
    abandoned = true;
    fiber_leave();
    abort();
}

void make_ready(int thread)
{
    block.state[thread] = State::ready;
    ready[(ready_first + ready_count++) % most_threads] = (int16_t)thread;
}

void wait_as(State state)
{
    block.state[block.current] = state;
    fiber_leave();
}

/* Threads that can continue run before threads that have not begun, except where the order is random. */
static bool resume_first()
{
    return ready_count && (order() != SUBSTITUTE_RANDOM || random_below(2));
}

static void start_threads()
{
    for (;;) {
        while (block.started < block.threads && !resume_first()) {
            int thread = start_order[block.started++];
            block.current = thread;
            block.state[thread] = State::running;
            threadIdx = coordinate[thread];
            call->run(call);
            check_copies_ended();
            block.state[block.current] = State::finished;
            block.finished++;
        }
        block.current = -1;
        fiber_leave();
    }
}

static void run_block()
{
    fill_order(start_order, (uint32_t)block.threads);
    memset(block.state, 0, (size_t)block.threads);
    block.started = block.finished = block.at_barrier = 0;
    ready_first = ready_count = 0;
    memset(block.arrived, 0, sizeof block.arrived);
    while (block.finished < block.threads && !abandoned) {
        Fiber *fiber;
        if (block.started < block.threads && !resume_first()) {
            if (!starter)
                starter = fiber_take(start_threads);
            fiber = starter;
        } else if (ready_count) {
            int thread = ready[ready_first];
            ready_first = (ready_first + 1) % most_threads;
            ready_count--;
            block.current = thread;
            block.state[thread] = State::running;
            threadIdx = coordinate[thread];
            fiber = fiber_of[thread];
            fiber_of[thread] = nullptr;
        } else {
            report_deadlock();
            abandoned = true;
            break;
        }
        fiber_enter(fiber);
        bool waits = block.current >= 0; /* the fiber left in the midst of a thread */
        if (fiber == starter)
            starter = nullptr;
        if (waits && !abandoned)
            fiber_of[block.current] = fiber;
        else if (starter || abandoned)
            fiber_give(fiber);
        else
            starter = fiber; /* idle, and can start more */
    }
    if (abandoned)
        for (int thread = 0; thread < block.threads; thread++)
            if (fiber_of[thread]) {
                fiber_give(fiber_of[thread]);
                fiber_of[thread] = nullptr;
            }
}

static void set_shape(dim3 grid, dim3 shape)
{
    gridDim = grid;
    blockDim = shape;
    block.threads = (int)(shape.x * shape.y * shape.z);
    int thread = 0;
    for (unsigned z = 0; z < shape.z; z++)
        for (unsigned y = 0; y < shape.y; y++)
            for (unsigned x = 0; x < shape.x; x++)
                coordinate[thread++] = {x, y, z};
}

uint32_t run_kernel(const std::string &name, Call *kernel, const Launch &launch, uint32_t others_run_since)
{
    const dim3 &grid = launch.grid;
    uint64_t blocks = (uint64_t)grid.x * grid.y * grid.z;
    std::vector<uint32_t> index(blocks);
    fill_order(index.data(), (uint32_t)blocks);
    kernel_name = &name;
    call = kernel;
    block.call = kernel;
    set_shape(grid, launch.block);
    find_shared_memory(launch.dynamic_shared);
    abandoned = false;
    const uint32_t began = note_kernel();
    begin_dependent(launch.programmatic, others_run_since);
    kernel_runs = true;
    for (uint64_t i = 0; i < blocks && !abandoned; i++) {
        blockIdx = {index[i] % grid.x, index[i] / grid.x % grid.y, index[i] / grid.x / grid.y};
        for (const MemoryRange &range : block.shared)
            poison(range.begin, (size_t)(range.end - range.begin));
        note_block();
        begin_dependent_block();
        run_block();
    }
    if (abandoned) {
        forget_copies();
    } else {
        end_dependent(name);
        check_margins("kernel " + name);
    }
    kernel_runs = false;
    count_kernel(name, blocks * (uint64_t)block.threads);
    return began;
}

} // namespace substitute
