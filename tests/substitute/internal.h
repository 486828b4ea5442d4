/* Shared by the files of the substitute runtime. One mutex guards all of it; the thread that holds it
 * is the device while it runs queued work.
 */
#ifndef SUBSTITUTE_INTERNAL_H
#define SUBSTITUTE_INTERNAL_H

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#define SUBSTITUTE_RUNTIME
#include "cuda_runtime.h"
#include "substitute.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace substitute
{

struct MemoryRange {
    char *begin, *end;
};

/* ---- errors and faults (fault.cpp) ---- */

extern std::recursive_mutex mutex;

/* Every function of the API begins with one: locks, counts, and says what it must return if it may not
 * continue (the fault's error, or the failure a test asked for). */
struct Entry {
    std::lock_guard<std::recursive_mutex> guard;
    cudaError_t error;
    Entry();
};

/* Remember error as the calling thread's last one. */
cudaError_t result(cudaError_t error);

/* Something that a GPU's sanitizers would report: print it, keep it, and fail every call from now on. */
void fault(cudaError_t error, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool faulty();

/* Function at an address, from the symbol table of its program or library; "?" if stripped. */
std::string function_name(const void *function);

/* Append the shared variables of the program or library that the function belongs to, as the calling thread
 * has them. False if the symbol table is missing. */
bool find_shared_variables(char *(*anchor)(), std::vector<MemoryRange> *ranges);

/* ", at reduce.cu:57": where in the source an instruction is, if addr2line knows; else "". */
std::string source_line(const void *instruction);

/* ---- memory (memory.cpp) ---- */

enum class Space { host, pinned, device };

struct Allocation {
    char *begin;
    size_t size;
    Space space;
    bool divided; /* into arrays that substitute_array() named */
    char *map;    /* whole pages, guard pages included */
    size_t map_size;
    char *end() const { return begin + size; }
};

/* The array that holds the address: a named one where the allocation is divided, else all of it; begin NULL where
 * nobody should look. array_changes counts the calls that change the answer for an address. */
MemoryRange find_array(const void *address);
extern uint32_t array_changes;

/* The allocation that holds the address; NULL for ordinary host memory. */
const Allocation *find_allocation(const void *address);
/* Where an address lies, in words. */
std::string describe_address(const void *address);
bool is_device_address(const void *address);
constexpr size_t arena_size = (size_t)1 << 36;
extern char *arena; /* device addresses: arena_size bytes from here; NULL before the first allocation */

/* True if [begin, begin + size) lies within one allocation of the device (or pinned, if allowed). If not, why. */
bool device_range(const void *begin, size_t size, bool pinned_too, std::string *why);

/* Fault if a kernel wrote between an allocation and its guard pages. */
void check_margins(const std::string &kernel);

/* Device memory can be touched while one of these lives. */
struct DeviceAccess {
    DeviceAccess();
    ~DeviceAccess();
};

/* A NaN as float and double, and unlikely as an integer of any width. */
constexpr uint32_t poison_word = 0xFFC5A5A5u;
/* Fill with poison_word, also where the address sanitizer forbids. */
void poison(void *begin, size_t size);

/* ---- queued work (stream.cpp, graph.cpp) ---- */

struct HostRange {
    char *begin;
    size_t rows, width, pitch;
    char *end() const { return rows ? begin + (rows - 1) * pitch + width : begin; }
};

/* Number of the interval (access.cpp) from which on memory may be in use by a kernel that still runs. */
constexpr uint32_t none_runs = UINT32_MAX;

struct Operation {
    virtual ~Operation() = default;
    virtual void run() = 0;
    virtual cudaGraphNodeType type() const = 0;
    /* Where a kernel that is launched programmatically follows: when this one began. */
    virtual uint32_t runs_since() const { return none_runs; }
    std::vector<HostRange> host_reads, host_writes; /* pinned memory */
    std::vector<std::shared_ptr<Operation>> before; /* while it runs: what it follows */
};
using Work = std::shared_ptr<Operation>;
/* Run it, behind others that have run. */
void run_behind(const Work &work, std::vector<Work> before);

/* Put work into a stream, or into the graph that the stream captures. */
cudaError_t submit(cudaStream_t stream, Work work);
/* For calls that wait, or that the toolkit forbids while a capture is on. */
cudaError_t forbid_in_capture(cudaStream_t stream);
/* Run all that is queued anywhere. */
void run_everything();
void forget_everything();
/* Run what a stream holds; NULL: the default stream, which comes after every blocking stream. */
cudaError_t run_stream(cudaStream_t stream);

struct Graph {
    struct Node {
        Work work;
        std::vector<size_t> after;
    };
    std::vector<Node> nodes;
};
/* One launch of a graph. */
Work graph_work(std::shared_ptr<const Graph> graph);

/* ---- running kernels (launch.cpp, block.cpp) ---- */

/* How a kernel is launched. */
struct Launch {
    dim3 grid, block;
    size_t dynamic_shared;
    bool programmatic; /* it may begin before what it follows has ended */
};
/* Run it. What it follows may run since the given interval; returns that in which the kernel began. */
uint32_t run_kernel(const std::string &name, Call *call, const Launch &launch, uint32_t others_run_since);
/* True on the thread that runs a kernel, while it does. */
bool in_kernel();
/* "kernel reduce, block (3,0,0), thread (7,0,0)" */
std::string kernel_position();
/* Give up the running kernel after a fault; does not return. */
[[noreturn]] void abandon_kernel();

/* ---- checks of every access, for kernels compiled with -fsanitize=thread (access.cpp) ---- */

uint32_t note_kernel(); /* returns the number of the interval */
void note_block();      /* a block begins: its shared memory is fresh */
void note_block_barrier();
void note_warp_barrier(int warp);
/* Device memory is allocated and has no content; is freed; was written by something other than a kernel. */
void note_allocation(const Allocation &allocation);
void note_free(const Allocation &allocation);
void note_write(const void *begin, size_t size);
/* The calling thread copies to shared memory without waiting; the copy has ended. */
void note_copy_begins(const void *to, size_t size, const void *from, size_t valid, const void *code);
void note_copy_ends(const void *to, size_t size, const void *code);

/* ---- kernels that begin early (dependent.cpp) ---- */

void begin_dependent(bool programmatic, uint32_t others_run_since);
void begin_dependent_block();
void end_dependent(const std::string &kernel); /* fault if it never waited */
/* Others may still use memory that was used in this interval or later, as far as the running thread knows. */
uint32_t others_run_since();

/* ---- copies that a thread does not wait for (copy_async.cpp) ---- */

void forget_copies();
void check_copies_ended(); /* a thread ends */

/* ---- order (order.cpp) ---- */
substitute_order order();
uint32_t random_below(uint32_t bound);
/* indices 0..n-1 in the order that is set. */
template <typename T> void fill_order(T *index, uint32_t n)
{
    const substitute_order wanted = order();
    for (uint32_t i = 0; i < n; i++)
        index[i] = (T)(wanted == SUBSTITUTE_REVERSED ? n - 1 - i : i);
    if (wanted == SUBSTITUTE_RANDOM)
        for (uint32_t i = n; i > 1; i--)
            std::swap(index[i - 1], index[random_below(i)]);
}

/* ---- counters (counters.cpp) ---- */
extern substitute_counters counters;
void count_kernel(const std::string &name, uint64_t threads);

/* ---- settings ---- */
extern int devices;
extern size_t device_memory;
/* 90 for sm_90. */
int capability();
/* The kernel may use so much dynamic shared memory. */
size_t most_dynamic_shared(const void *function);

} // namespace substitute

#endif
