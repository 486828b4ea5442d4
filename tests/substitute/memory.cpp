/* Device and pinned memory. Every allocation has separate pages and ends at a guard page (to within its 16-byte
 * alignment; the bytes between are watched). Device memory is out of reach while no queued work runs, and
 * device addresses are never used twice, so that a stale pointer is found.
 */
#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <map>

#include "internal.h"

namespace substitute
{

constexpr size_t page = 4096, alignment = 16;

char *arena;
static char *arena_next;
static std::map<const char *, Allocation> allocations; /* by begin */
static std::vector<Allocation> freed;                  /* of the device */
static std::map<const char *, MemoryRange> arrays;     /* that substitute_array() named, by begin */
static int access_depth;
uint32_t array_changes;

static size_t round_up(size_t size, size_t to)
{
    return (size + to - 1) / to * to;
}

/* Compiled without checks, and not a memset, which the address sanitizer would check. */
__attribute__((no_sanitize("address"))) void poison(void *begin, size_t size)
{
    char *p = static_cast<char *>(begin);
    const char *pattern = reinterpret_cast<const char *>(&poison_word);
    size_t i = 0;
    for (; i < size && reinterpret_cast<uintptr_t>(p + i) % 4; i++)
        p[i] = pattern[reinterpret_cast<uintptr_t>(p + i) % 4];
    uint32_t *word = reinterpret_cast<uint32_t *>(p + i);
    size_t words = (size - i) / 4;
    for (size_t w = 0; w < words; w++)
        word[w] = poison_word;
    for (i += 4 * words; i < size; i++)
        p[i] = pattern[reinterpret_cast<uintptr_t>(p + i) % 4];
}

/* Is the byte as poison() left it? */
__attribute__((no_sanitize("address"))) static bool is_poison(const char *p)
{
    return *p == reinterpret_cast<const char *>(&poison_word)[reinterpret_cast<uintptr_t>(p) % 4];
}

/* First byte of [begin, end) that is no longer as poison() left it; NULL if there is none. */
__attribute__((no_sanitize("address"))) static const char *first_change(const char *begin, const char *end)
{
    const char *p = begin;
    for (; p < end && reinterpret_cast<uintptr_t>(p) % 4; p++)
        if (!is_poison(p))
            return p;
    const uint32_t *word = reinterpret_cast<const uint32_t *>(p);
    size_t words = (size_t)(end - p) / 4;
    uint32_t change = 0;
    for (size_t w = 0; w < words; w++)
        change |= word[w] ^ poison_word;
    for (p += change ? 0 : 4 * words; p < end; p++)
        if (!is_poison(p))
            return p;
    return nullptr;
}

static void protect(const Allocation &a, int protection)
{
    mprotect(a.map + page, a.map_size - 2 * page, protection);
}

static Allocation allocate(size_t size, Space space)
{
    Allocation a = {};
    size_t pages = round_up(size, page);
    a.size = size;
    a.space = space;
    a.map_size = pages + 2 * page;
    if (space == Space::device) {
        if (!arena) {
            void *map = mmap(nullptr, arena_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (map == MAP_FAILED)
                return a;
            arena = arena_next = static_cast<char *>(map);
        }
        if (a.map_size > (size_t)(arena + arena_size - arena_next))
            return a;
        a.map = arena_next;
        arena_next += a.map_size;
    } else {
        void *map = mmap(nullptr, a.map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (map == MAP_FAILED)
            return a;
        a.map = static_cast<char *>(map);
    }
    if (mprotect(a.map + page, pages, PROT_READ | PROT_WRITE))
        return a;
    a.begin = a.map + page + pages - round_up(size, alignment);
    poison(a.map + page, pages);
    ASAN_POISON_MEMORY_REGION(a.map + page, pages);
    ASAN_UNPOISON_MEMORY_REGION(a.begin, size);
    if (space == Space::device) {
        note_allocation(a);
        if (!access_depth)
            protect(a, PROT_NONE);
    }
    allocations[a.begin] = a;
    counters.allocations++;
    counters.live_allocations++;
    (space == Space::device ? counters.device_bytes : counters.pinned_bytes) += size;
    return a;
}

static void release(const Allocation &a)
{
    ASAN_UNPOISON_MEMORY_REGION(a.map, a.map_size);
    counters.live_allocations--;
    if (a.space == Space::device) {
        counters.device_bytes -= a.size;
        note_free(a);
        array_changes++;
        freed.push_back(a);
        mmap(a.map, a.map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    } else {
        counters.pinned_bytes -= a.size;
        munmap(a.map, a.map_size);
    }
    arrays.erase(arrays.lower_bound(a.begin), arrays.lower_bound(a.end()));
    allocations.erase(a.begin);
}

const Allocation *find_allocation(const void *address)
{
    const char *p = static_cast<const char *>(address);
    auto next = allocations.upper_bound(p);
    if (next == allocations.begin())
        return nullptr;
    const Allocation &a = std::prev(next)->second;
    return p < a.end() ? &a : nullptr;
}

MemoryRange find_array(const void *address)
{
    const Allocation *a = find_allocation(address);
    if (!a)
        return {nullptr, nullptr};
    if (!a->divided)
        return {a->begin, a->end()};
    const char *p = static_cast<const char *>(address);
    auto next = arrays.upper_bound(p);
    if (next == arrays.begin() || p >= std::prev(next)->second.end)
        return {nullptr, nullptr};
    return std::prev(next)->second;
}

bool is_device_address(const void *address)
{
    const char *p = static_cast<const char *>(address);
    return arena && p >= arena && p < arena + arena_size;
}

static void describe_in_array(const MemoryRange &array, const Allocation &a, const char *p, char *text, size_t size)
{
    const bool within = p < array.end;
    snprintf(text, size,
             within ? "byte %zu of the %zu-byte array at byte %zu of a %zu-byte device allocation"
                    : "memory %zu bytes past the end of the %zu-byte array at byte %zu of a %zu-byte device allocation",
             (size_t)(p - (within ? array.begin : array.end)), (size_t)(array.end - array.begin),
             (size_t)(array.begin - a.begin), a.size);
}

std::string describe_address(const void *address)
{
    const char *p = static_cast<const char *>(address);
    char text[160];
    auto describe = [&](const Allocation &a, const char *state) {
        const char *kind = a.space == Space::device ? "device" : "pinned";
        if (p < a.begin)
            snprintf(text, sizeof text, "memory %zu bytes before the %s%zu-byte %s allocation at %p",
                     (size_t)(a.begin - p), state, a.size, kind, (void *)a.begin);
        else if (p >= a.end())
            snprintf(text, sizeof text, "memory %zu bytes past the end of the %s%zu-byte %s allocation at %p",
                     (size_t)(p - a.end()), state, a.size, kind, (void *)a.begin);
        else if (a.divided && arrays.upper_bound(p) != arrays.begin())
            describe_in_array(std::prev(arrays.upper_bound(p))->second, a, p, text, sizeof text);
        else
            snprintf(text, sizeof text, "byte %zu of the %s%zu-byte %s allocation at %p", (size_t)(p - a.begin), state,
                     a.size, kind, (void *)a.begin);
        return std::string(text);
    };
    for (const auto &[begin, a] : allocations)
        if (p >= a.map && p < a.map + a.map_size)
            return describe(a, "");
    for (const Allocation &a : freed)
        if (p >= a.map && p < a.map + a.map_size)
            return describe(a, "freed ");
    snprintf(text, sizeof text, "%s memory at %p that is no allocation", is_device_address(p) ? "device" : "host",
             address);
    return text;
}

bool device_range(const void *begin, size_t size, bool pinned_too, std::string *why)
{
    const Allocation *a = find_allocation(begin);
    const char *end = static_cast<const char *>(begin) + size;
    if (!begin)
        *why = "the pointer is null";
    else if (!a || (a->space != Space::device && !pinned_too) || !find_array(begin).begin)
        *why = "the pointer leads to " + describe_address(begin);
    else if (end > find_array(begin).end)
        *why = "its end is in " + describe_address(end - 1);
    else
        return true;
    return false;
}

/* Kernels that write between an allocation's pages' ends and its own. */
void check_margins(const std::string &name)
{
    for (const auto &[begin, a] : allocations) {
        if (a.space != Space::device)
            continue;
        const char *change = first_change(a.map + page, a.begin), *from = a.divided ? a.begin : a.end();
        for (auto array = arrays.lower_bound(a.begin); a.divided && !change && from < a.end();) {
            bool more = array != arrays.end() && array->first < a.end();
            change = first_change(from, more ? array->first : a.end());
            from = more ? array++->second.end : a.end();
        }
        if (!change)
            change = first_change(a.end(), a.map + a.map_size - page);
        if (change) {
            fault(cudaErrorIllegalAddress, "%s wrote to %s", name.c_str(), describe_address(change).c_str());
            return;
        }
    }
}

DeviceAccess::DeviceAccess()
{
    if (access_depth++ == 0)
        for (const auto &[begin, a] : allocations)
            if (a.space == Space::device)
                protect(a, PROT_READ | PROT_WRITE);
}

DeviceAccess::~DeviceAccess()
{
    if (--access_depth == 0)
        for (const auto &[begin, a] : allocations)
            if (a.space == Space::device)
                protect(a, PROT_NONE);
}

static cudaError_t free_allocation(void *pointer, Space space)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!pointer)
        return cudaSuccess;
    auto found = allocations.find(static_cast<char *>(pointer));
    if (found == allocations.end() || found->second.space != space)
        return result(cudaErrorInvalidValue);
    if (cudaError_t error = forbid_in_capture(nullptr))
        return result(error);
    counters.synchronizations++;
    run_everything();
    release(found->second);
    return result(faulty() ? cudaPeekAtLastError() : cudaSuccess);
}

} // namespace substitute

using namespace substitute;

extern "C" {

void substitute_array(const void *begin, size_t size)
{
    std::lock_guard<std::recursive_mutex> guard(mutex);
    Allocation *a = const_cast<Allocation *>(find_allocation(begin));
    char *first = static_cast<char *>(const_cast<void *>(begin)), *end = first + size;
    if (!a || a->space != Space::device || end > a->end()) {
        fault(cudaErrorInvalidValue, "an array of %zu bytes is said to be at %s", size,
              describe_address(begin).c_str());
        return;
    }
    if (!a->divided)
        ASAN_POISON_MEMORY_REGION(a->begin, a->size);
    a->divided = true;
    auto next = arrays.lower_bound(end);
    if (size && next != arrays.begin() && std::prev(next)->second.end > first) {
        fault(cudaErrorInvalidValue, "an array of %zu bytes overlaps %s", size, describe_address(begin).c_str());
        return;
    }
    ASAN_UNPOISON_MEMORY_REGION(first, size);
    if (size)
        arrays[first] = {first, end};
    array_changes++;
}

cudaError_t cudaMalloc(void **pointer, size_t size)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!pointer)
        return result(cudaErrorInvalidValue);
    if (devices < 1)
        return result(cudaErrorNoDevice);
    if (cudaError_t error = forbid_in_capture(nullptr))
        return result(error);
    *pointer = nullptr;
    if (size == 0)
        return cudaSuccess;
    if (size > device_memory || counters.device_bytes > device_memory - size)
        return result(cudaErrorMemoryAllocation);
    *pointer = allocate(size, Space::device).begin;
    return result(*pointer ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaHostAlloc(void **pointer, size_t size, unsigned int)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!pointer)
        return result(cudaErrorInvalidValue);
    if (devices < 1)
        return result(cudaErrorNoDevice);
    if (cudaError_t error = forbid_in_capture(nullptr))
        return result(error);
    *pointer = size ? allocate(size, Space::pinned).begin : nullptr;
    return result(*pointer || !size ? cudaSuccess : cudaErrorMemoryAllocation);
}

cudaError_t cudaMallocHost(void **pointer, size_t size)
{
    return cudaHostAlloc(pointer, size, 0);
}

cudaError_t cudaFree(void *pointer)
{
    return free_allocation(pointer, Space::device);
}

cudaError_t cudaFreeHost(void *pointer)
{
    return free_allocation(pointer, Space::pinned);
}

} // extern "C"
