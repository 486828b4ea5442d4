/* cp.async. The bytes arrive when the thread waits for their group, which is the latest moment that the hardware
 * allows; until then the destination holds poison.
 */
#include <cstring>
#include <deque>

#include "block.h"

namespace substitute
{

struct AsyncCopy {
    char *to;
    const char *from;
    unsigned size, valid;
};
using Group = std::vector<AsyncCopy>;

static Group uncommitted[most_threads];
static std::deque<Group> groups[most_threads];

[[noreturn]] static void fail(const char *what, const void *address)
{
    fault(cudaErrorMisalignedAddress, "%s: cp.async: %s %s", kernel_position().c_str(), what,
          describe_address(address).c_str());
    abandon_kernel();
}

static bool in_shared_memory(const char *begin, unsigned size)
{
    for (const MemoryRange &range : block.shared)
        if (begin >= range.begin && begin + size <= range.end)
            return true;
    return false;
}

static void end_copy(const AsyncCopy &copy, const void *code)
{
    note_copy_ends(copy.to, copy.size, code);
    memcpy(copy.to, copy.from, copy.valid);
    memset(copy.to + copy.valid, 0, copy.size - copy.valid);
}

void copy_async(void *to, const void *from, unsigned size, unsigned valid)
{
    const AsyncCopy copy = {static_cast<char *>(to), static_cast<const char *>(from), size, valid};
    const void *code = __builtin_return_address(0);
    if ((size != 4 && size != 8 && size != 16) || valid > size)
        fail("not 4, 8 or 16 bytes, at", to);
    if (reinterpret_cast<uintptr_t>(to) % size || !in_shared_memory(copy.to, size))
        fail("the destination is not shared memory, or misaligned:", to);
    if (reinterpret_cast<uintptr_t>(from) % size || (valid && !is_device_address(from)))
        fail("the source is not device memory, or misaligned:", from);
    note_copy_begins(to, size, from, valid, code);
    poison(to, size);
    if (capability() >= 80)
        uncommitted[block.current].push_back(copy);
    else
        end_copy(copy, code); /* an ordinary copy takes its place */
}

void copy_commit()
{
    groups[block.current].push_back(std::move(uncommitted[block.current]));
    uncommitted[block.current].clear();
}

void copy_wait(unsigned pending)
{
    std::deque<Group> &own = groups[block.current];
    for (; own.size() > pending; own.pop_front())
        for (const AsyncCopy &copy : own.front())
            end_copy(copy, __builtin_return_address(0));
}

void forget_copies()
{
    for (int thread = 0; thread < most_threads; thread++) {
        uncommitted[thread].clear();
        groups[thread].clear();
    }
}

void check_copies_ended()
{
    bool open = !uncommitted[block.current].empty();
    for (const Group &group : groups[block.current])
        open |= !group.empty();
    groups[block.current].clear();
    if (!open)
        return;
    fault(cudaErrorLaunchFailure, "%s: ends before a cp.async that it never waited for", kernel_position().c_str());
    abandon_kernel();
}

} // namespace substitute
