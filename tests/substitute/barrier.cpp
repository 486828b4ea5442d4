/* Where threads meet: barriers of a block, exchanges of a warp. All expected threads must arrive, at the
 * same place in the source; a thread that has returned counts as missing.
 */
#include <cstdio>
#include <cstring>

#include "block.h"

namespace substitute
{

static struct {
    Place place;
    int first;       /* thread to arrive */
    int count;       /* predicates that held */
    unsigned passes; /* barriers passed by the block */
    int result[2];   /* of the even and the odd ones: nobody is further than one ahead of another */
} barrier;

/* What a waiting lane brought, and gets. */
struct Visit {
    Exchange exchange;
    unsigned mask;
    int operand, width;
    Place place;
    uint64_t value;
};
static Visit visit[most_threads];

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static std::string text_of(Place place)
{
    return std::string(base_name(place.file)) + ":" + std::to_string(place.line);
}

static bool same(Place a, Place b)
{
    return a.line == b.line && (a.file == b.file || !strcmp(a.file, b.file));
}

static const char *name_of(Exchange exchange)
{
    switch (exchange) {
    case Exchange::index:
        return "__shfl_sync";
    case Exchange::up:
        return "__shfl_up_sync";
    case Exchange::down:
        return "__shfl_down_sync";
    case Exchange::exclusive_or:
        return "__shfl_xor_sync";
    case Exchange::ballot:
        return "__ballot_sync";
    case Exchange::multiply:
        return "mma.sync";
    case Exchange::sync:
        break;
    }
    return "__syncwarp";
}

/* "has returned", "waits in __shfl_sync at a.cu:7", ... */
static std::string whereabouts(int thread)
{
    switch (block.state[thread]) {
    case State::finished:
        return "has returned";
    case State::at_barrier:
        return "waits in __syncthreads at " + text_of(barrier.place);
    case State::in_exchange:
        return std::string("waits in ") + name_of(visit[thread].exchange) + " at " + text_of(visit[thread].place);
    default:
        return "runs";
    }
}

/* ---- blocks ---- */

static int meet_block(int predicate, Place place)
{
    int self = block.current;
    if (block.at_barrier == 0) {
        barrier.place = place;
        barrier.first = self;
        barrier.count = 0;
    } else if (!same(place, barrier.place)) {
        fault(cudaErrorLaunchFailure, "%s: waits in __syncthreads at %s while %s waits in the one at %s",
              kernel_position().c_str(), text_of(place).c_str(), thread_text(barrier.first).c_str(),
              text_of(barrier.place).c_str());
        abandon_kernel();
    }
    unsigned parity = barrier.passes % 2;
    block.at_barrier++;
    barrier.count += predicate != 0;
    if (block.at_barrier == block.threads) {
        int16_t sequence[most_threads];
        fill_order(sequence, (uint32_t)block.threads);
        for (int i = 0; i < block.threads; i++)
            make_ready(sequence[i]);
        block.at_barrier = 0;
        barrier.result[parity] = barrier.count;
        barrier.passes++;
        note_block_barrier();
        wait_as(State::ready);
    } else {
        wait_as(State::at_barrier);
    }
    return barrier.result[parity];
}

void block_barrier(Place place)
{
    meet_block(0, place);
}

int block_vote(int predicate, int kind, Place place)
{
    int count = meet_block(predicate, place);
    return kind == 0 ? count : kind == 1 ? count == block.threads : count > 0;
}

/* ---- warps ---- */

/* The lane whose value `lane` gets. Segments of `width` lanes; out of its segment a lane keeps its own
 * (PTX ISA, shfl). */
static int source_lane(const Visit &v, int lane)
{
    int first = lane & ~(v.width - 1), last = first + v.width - 1, source = lane;
    switch (v.exchange) {
    case Exchange::index:
        source = first + (v.operand & (v.width - 1));
        break;
    case Exchange::up:
        source = lane - v.operand;
        break;
    case Exchange::down:
        source = lane + v.operand;
        break;
    case Exchange::exclusive_or:
        source = lane ^ v.operand;
        return source <= last ? source : lane; /* an earlier segment can be read */
    default:
        break;
    }
    return source >= first && source <= last ? source : lane;
}

[[noreturn]] static void fail_exchange(const Visit &v, const std::string &why)
{
    fault(cudaErrorLaunchFailure, "%s: %s at %s with mask %08x: %s", kernel_position().c_str(), name_of(v.exchange),
          text_of(v.place).c_str(), v.mask, why.c_str());
    abandon_kernel();
}

/* Two lanes that wait for each other must be in the same exchange. */
static void check_same(const Visit &v, int other)
{
    const Visit &w = visit[other];
    if (w.exchange != v.exchange || w.mask != v.mask || !same(w.place, v.place))
        fail_exchange(v, thread_text(other) + " " + whereabouts(other) + " with another mask or in another place");
}

/* All lanes of the mask are there: compute what each gets, and let them continue. */
static void complete_exchange(int warp, unsigned mask)
{
    Visit *lanes = visit + warp * warpSize;
    const Visit &own = visit[block.current];
    uint64_t brought[warpSize], ballot = 0;
    for (unsigned rest = mask; rest; rest &= rest - 1) {
        int lane = __builtin_ctz(rest);
        check_same(own, warp * warpSize + lane);
        brought[lane] = lanes[lane].value;
        ballot |= (uint64_t)(lanes[lane].value != 0) << lane;
    }
    if (own.exchange == Exchange::multiply)
        multiply(brought);
    for (unsigned rest = mask; rest; rest &= rest - 1) {
        int lane = __builtin_ctz(rest), source = source_lane(lanes[lane], lane);
        if (!(mask >> source & 1))
            fail_exchange(lanes[lane], "lane " + std::to_string(lane) + " reads lane " + std::to_string(source) +
                                           ", which is not in the mask");
        lanes[lane].value = own.exchange == Exchange::ballot ? ballot
                            : own.exchange == Exchange::sync ? 0
                                                             : brought[source];
    }
    if (own.exchange == Exchange::sync)
        note_warp_barrier(warp);
    block.arrived[warp] &= ~mask;
    uint8_t sequence[warpSize];
    fill_order(sequence, warpSize);
    for (uint8_t lane : sequence)
        if (mask >> lane & 1)
            make_ready(warp * warpSize + lane);
}

uint64_t warp_exchange(Exchange exchange, unsigned mask, uint64_t value, int operand, int width, Place place)
{
    int self = block.current, warp = self / warpSize, lane = self % warpSize;
    Visit &own = visit[self];
    own = {exchange, mask, operand, width, place, value};
    if (!(mask >> lane & 1))
        fail_exchange(own, "the calling lane is not in the mask");
    if (width < 1 || width > warpSize || (width & (width - 1)))
        fail_exchange(own, "width " + std::to_string(width) + " is no power of two up to 32");
    if (operand < 0 && exchange != Exchange::index)
        fail_exchange(own, "negative operand");
    int lanes = block.threads - warp * warpSize;
    if (lanes < warpSize && mask >> lanes)
        fail_exchange(own, "the block has no lane " + std::to_string(31 - __builtin_clz(mask)));
    unsigned others = block.arrived[warp] & mask;
    if (others)
        check_same(own, warp * warpSize + __builtin_ctz(others));
    block.arrived[warp] |= 1u << lane;
    if ((block.arrived[warp] & mask) == mask) {
        complete_exchange(warp, mask);
        wait_as(State::ready);
    } else {
        wait_as(State::in_exchange);
    }
    return own.value;
}

unsigned active_lane()
{
    return 1u << block.current % warpSize;
}

/* ---- what is missed ---- */

void report_deadlock()
{
    for (int thread = 0; thread < block.threads; thread++) {
        if (block.state[thread] != State::in_exchange)
            continue;
        const Visit &v = visit[thread];
        int warp = thread / warpSize * warpSize;
        for (int lane = 0; lane < warpSize; lane++)
            if (v.mask >> lane & 1 && !(block.arrived[warp / warpSize] >> lane & 1)) {
                block.current = thread;
                fault(cudaErrorLaunchFailure, "%s: waits in %s at %s with mask %08x for %s, which %s",
                      kernel_position().c_str(), name_of(v.exchange), text_of(v.place).c_str(), v.mask,
                      thread_text(warp + lane).c_str(), whereabouts(warp + lane).c_str());
                return;
            }
    }
    for (int thread = 0; thread < block.threads; thread++)
        if (block.state[thread] != State::at_barrier) {
            block.current = barrier.first;
            fault(cudaErrorLaunchFailure, "%s: waits in __syncthreads at %s, which %d of %d threads reached; %s %s",
                  kernel_position().c_str(), text_of(barrier.place).c_str(), block.at_barrier, block.threads,
                  thread_text(thread).c_str(), whereabouts(thread).c_str());
            return;
        }
}

} // namespace substitute
