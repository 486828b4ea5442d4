/* The block that runs: shared by block.cpp, which runs it, and barrier.cpp, where its threads meet. */
#ifndef SUBSTITUTE_BLOCK_H
#define SUBSTITUTE_BLOCK_H

#include "internal.h"

namespace substitute
{

constexpr int most_threads = 1024;

enum class State : uint8_t { unstarted, running, ready, at_barrier, in_exchange, finished };

struct Block {
    std::vector<MemoryRange> shared; /* variables, and dynamic shared memory, in the order of their addresses */
    const Call *call;
    int threads, started, finished;
    int current; /* the thread that runs; -1: none */
    int at_barrier;
    unsigned arrived[most_threads / warpSize]; /* per warp: lanes that wait in an exchange */
    State state[most_threads];
};
extern Block block;

/* The waiting thread may continue, after those that were made ready before it. */
void make_ready(int thread);
/* The running thread waits, as `state` says, until another thread makes it ready. */
void wait_as(State state);
/* Fault: some threads wait for others that will never come. */
void report_deadlock();
std::string thread_text(int thread);
/* mma.sync: the addresses of the lanes' fragments (tensor.cpp). */
void multiply(const uint64_t fragment[warpSize]);

} // namespace substitute

#endif
