/* Looks at every access of kernels that were compiled with -fsanitize=thread: the compiler then calls the
 * functions at the end of this file (and no thread sanitizer is linked). Found are reads of memory that nobody
 * wrote, accesses outside of device, pinned and shared memory, and races: two threads touch the same bytes, one
 * of them writes, and no barrier separates them, in whatever order they ran.
 *
 * Time is counted in intervals: a number that grows with every block, barrier and __syncwarp. A thread's
 * accesses carry its warp's interval. Two accesses are ordered if the earlier one's interval is over for the
 * later one: that of the warp if they share it, else that of the block. Blocks of a launch are never ordered, unless
 * the later one has passed a __threadfence (whose use, with an atomic, is the only way to order them).
 */
#include <link.h>
#include <sys/mman.h>

#include <cstdio>
#include <cstring>

#include "block.h"
#include "fiber.h"

namespace substitute
{

/* What is known of 4 bytes. Masks have a bit for each byte. */
struct Shadow {
    uint32_t write_interval, read_interval;
    uint32_t foreign_read; /* interval of the last read by an earlier block */
    uint16_t writer, reader;
    uint8_t written, read, initialised;
};
constexpr uint16_t atomic = 0x8000, several_in_warp = 0x4000, several = 0x3FFF; /* in writer; in reader */

static bool instrumented; /* some kernel of this program is */
static Shadow *device_shadow;
static uint32_t now = 1, launch_begin, block_begin, block_interval, warp_interval[most_threads / warpSize];
static bool fenced;

static std::vector<Shadow> shared_shadow; /* of block.shared, one range behind the other */
static std::vector<size_t> shared_first;  /* where each range's begins */

/* ---- what the rest of the runtime tells ---- */

static Shadow *shadow_of_device(const void *address)
{
    return device_shadow + (size_t)(static_cast<const char *>(address) - arena) / 4;
}

static void map_shadow(const Allocation &a, int protection)
{
    char *begin = reinterpret_cast<char *>(shadow_of_device(a.map)),
         *end = reinterpret_cast<char *>(shadow_of_device(a.map + a.map_size));
    mmap(begin, (size_t)(end - begin), protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void note_allocation(const Allocation &a)
{
    if (!instrumented)
        return;
    if (!device_shadow) {
        void *map = mmap(nullptr, arena_size / 4 * sizeof(Shadow), PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (map == MAP_FAILED) {
            instrumented = false;
            fprintf(stderr, "substitute: no address space for the access checks: they are off\n");
            return;
        }
        device_shadow = static_cast<Shadow *>(map);
    }
    map_shadow(a, PROT_READ | PROT_WRITE);
}

void note_free(const Allocation &a)
{
    if (instrumented)
        map_shadow(a, PROT_NONE);
}

void note_write(const void *begin, size_t size)
{
    if (!instrumented || !is_device_address(begin))
        return;
    const char *p = static_cast<const char *>(begin), *end = p + size;
    for (; p < end && reinterpret_cast<uintptr_t>(p) % 4; p++)
        shadow_of_device(p)->initialised |= 1 << reinterpret_cast<uintptr_t>(p) % 4;
    for (; p + 4 <= end; p += 4)
        shadow_of_device(p)->initialised = 15;
    for (; p < end; p++)
        shadow_of_device(p)->initialised |= 1 << reinterpret_cast<uintptr_t>(p) % 4;
}

uint32_t note_kernel()
{
    launch_begin = ++now;
    if (!instrumented)
        return launch_begin;
    size_t words = 0;
    shared_first.clear();
    for (const MemoryRange &range : block.shared) {
        shared_first.push_back(words);
        words += (size_t)(range.end - range.begin) / 4 + 2;
    }
    shared_shadow.resize(words);
    return launch_begin;
}

void note_block()
{
    block_begin = ++now;
    fenced = false;
    note_block_barrier();
    if (!instrumented)
        return;
    memset(static_cast<void *>(shared_shadow.data()), 0, shared_shadow.size() * sizeof(Shadow));
}

void note_block_barrier()
{
    block_interval = ++now;
    for (uint32_t &interval : warp_interval)
        interval = now;
}

void note_warp_barrier(int warp)
{
    warp_interval[warp] = ++now;
}

void fence()
{
    fenced = true;
}

/* ---- accesses ---- */

enum class Access { read, write, both };

/* The shared variable that holds the address; NULL if there is none. */
static const MemoryRange *shared_range(const char *address)
{
    const std::vector<MemoryRange> &ranges = block.shared;
    if (ranges.empty() || address < ranges.front().begin || address >= ranges.back().end)
        return nullptr;
    size_t low = 0, high = ranges.size();
    while (high - low > 1) {
        size_t middle = (low + high) / 2;
        (address < ranges[middle].begin ? high : low) = middle;
    }
    return address < ranges[low].end ? &ranges[low] : nullptr;
}

static void complain(const void *address, const char *what, const void *code, const std::string &more = "")
{
    std::string place = shared_range(static_cast<const char *>(address)) ? "shared memory" : describe_address(address);
    fault(cudaErrorIllegalAddress, "%s: %s: %s%s%s", kernel_position().c_str(), what, place.c_str(), more.c_str(),
          source_line(code).c_str());
    abandon_kernel();
}

/* An access by another thread of the block, in `interval`: does nothing order it before the current one? */
static bool unordered(uint32_t interval, int other)
{
    int self = block.current;
    return interval >= (other / warpSize == self / warpSize ? warp_interval[self / warpSize] : block_interval);
}

/* An access by an earlier block of this launch. */
static bool foreign(uint32_t interval)
{
    return interval >= launch_begin && interval < block_begin && !fenced;
}

static const char *race_of_read(const Shadow &s, uint8_t mask, bool by_atomic)
{
    if (!(s.written & mask) || (by_atomic && s.writer & atomic))
        return nullptr;
    int writer = s.writer & ~atomic;
    if (foreign(s.write_interval))
        return "a race: an earlier block of the launch wrote to";
    if (s.write_interval >= block_begin && writer != block.current && unordered(s.write_interval, writer))
        return "a race: without a barrier between, another thread wrote to";
    return nullptr;
}

static const char *race_of_write(const Shadow &s, uint8_t mask)
{
    if (foreign(s.foreign_read) || (s.read & mask && foreign(s.read_interval)))
        return "a race: an earlier block of the launch read";
    if (!(s.read & mask) || s.read_interval < block_begin)
        return nullptr;
    bool race;
    if (s.reader == several)
        race = s.read_interval >= block_interval;
    else if (s.reader & several_in_warp)
        race = unordered(s.read_interval, (s.reader & ~several_in_warp) * warpSize);
    else
        race = s.reader != block.current && unordered(s.read_interval, s.reader);
    return race ? "a race: without a barrier between, another thread read" : nullptr;
}

static void record_read(Shadow &s, uint8_t mask)
{
    int self = block.current, warp = self / warpSize;
    uint32_t interval = warp_interval[warp];
    if (s.read_interval < block_begin) {
        s.foreign_read = s.read_interval;
        s.reader = (uint16_t)self;
        s.read = 0;
    } else if (s.read_interval < block_interval) {
        s.reader = (uint16_t)self;
        s.read = 0;
    } else if (s.reader == several) {
    } else if (s.reader & several_in_warp) {
        if ((s.reader & ~several_in_warp) != warp)
            s.reader = several;
        else if (s.read_interval < interval)
            s.reader =
                (uint16_t)self; /* the others' reads are over for all of this warp, and this thread represents them */
    } else if (s.reader / warpSize != warp) {
        s.reader = several;
    } else if (s.reader != self) {
        s.reader = s.read_interval < interval ? (uint16_t)self : (uint16_t)(several_in_warp | warp);
    }
    s.read |= mask;
    s.read_interval = max(s.read_interval, interval);
}

static void record_write(Shadow &s, uint8_t mask, bool by_atomic)
{
    uint16_t self = (uint16_t)block.current | (by_atomic ? atomic : 0);
    uint32_t interval = warp_interval[block.current / warpSize];
    s.written = s.writer == self && s.write_interval == interval ? s.written | mask : mask;
    s.writer = self;
    s.write_interval = interval;
    s.initialised |= mask;
}

/* What a kernel before this one did to the word, which may not have ended: NULL if nothing that matters. */
static const char *use_by_others(const Shadow &s, Access access)
{
    const uint32_t since = others_run_since();
    auto theirs = [since](uint32_t interval) { return interval >= since && interval < launch_begin; };
    if (theirs(s.write_interval))
        return "before griddepcontrol.wait touches what an earlier kernel may have yet to write";
    if (access != Access::read && (theirs(s.read_interval) || theirs(s.foreign_read)))
        return "before griddepcontrol.wait writes what an earlier kernel may have yet to read";
    return nullptr;
}

static void check_word(Shadow &s, const char *address, uint8_t mask, Access access, bool by_atomic, const void *code)
{
    if (access != Access::write && (s.initialised & mask) != mask)
        complain(address, "reads what nobody wrote", code);
    if (const char *race = race_of_read(s, mask, by_atomic))
        complain(address, race, code);
    if (access != Access::read && !by_atomic)
        if (const char *race = race_of_write(s, mask))
            complain(address, race, code);
    if (access != Access::write && !by_atomic)
        record_read(s, mask);
    if (access != Access::read)
        record_write(s, mask, by_atomic);
}

static void check_words(Shadow *shadow, const char *address, size_t size, Access access, bool by_atomic,
                        const void *code)
{
    while (size) {
        size_t first = reinterpret_cast<uintptr_t>(address) % 4, bytes = min((size_t)4 - first, size);
        check_word(*shadow++, address, (uint8_t)(((1u << bytes) - 1) << first), access, by_atomic, code);
        address += bytes;
        size -= bytes;
    }
}

static void check_others(const Shadow *shadow, const char *address, size_t size, Access access, const void *code)
{
    if (others_run_since() == none_runs)
        return;
    const size_t words = (reinterpret_cast<uintptr_t>(address) % 4 + size + 3) / 4;
    for (size_t i = 0; i < words; i++)
        if (const char *what = use_by_others(shadow[i], access))
            complain(address, what, code);
}

/* find_array() of a device address, remembered by page. */
static const MemoryRange *array_of(const char *address)
{
    static MemoryRange cache[1024];
    static uint32_t changes;
    if (changes != array_changes) {
        memset(static_cast<void *>(cache), 0, sizeof cache);
        changes = array_changes;
    }
    MemoryRange &entry = cache[reinterpret_cast<uintptr_t>(address) / 4096 % 1024];
    if (address < entry.begin || address >= entry.end)
        entry = find_array(address);
    return entry.begin ? &entry : nullptr;
}

/* Constants and variables of programs and libraries. */
static bool in_image(const char *address)
{
    return dl_iterate_phdr(
        [](dl_phdr_info *info, size_t, void *wanted) {
            uintptr_t a = reinterpret_cast<uintptr_t>(wanted);
            for (int i = 0; i < info->dlpi_phnum; i++) {
                const auto &header = info->dlpi_phdr[i];
                uintptr_t begin = info->dlpi_addr + header.p_vaddr;
                if (header.p_type == PT_LOAD && a >= begin && a < begin + header.p_memsz)
                    return 1;
            }
            return 0;
        },
        const_cast<char *>(address));
}

static void check_other(const char *address, size_t size, Access access, const void *code)
{
    static const char *last_image_page;
    const char *page = reinterpret_cast<const char *>(reinterpret_cast<uintptr_t>(address) & ~(uintptr_t)4095);
    if (page == last_image_page && access == Access::read)
        return;
    const char *call = reinterpret_cast<const char *>(block.call);
    const Allocation *a = find_allocation(address);
    if (a ? address + size <= a->end() : address >= call && address + size <= call + block.call->size)
        return;
    if (!a && access == Access::read && in_image(address))
        last_image_page = page;
    else
        complain(address, access == Access::read ? "reads from" : "writes to", code);
}

static inline void check(const void *pointer, size_t size, Access access, bool by_atomic, const void *code)
{
    const char *address = static_cast<const char *>(pointer);
    /* Host functions of the same files are compiled alike. */
    if (!in_kernel() || !on_fiber_stack(__builtin_frame_address(0)) || on_fiber_stack(address))
        return;
    if (is_device_address(address)) {
        const MemoryRange *array = array_of(address);
        if (!array || address + size > array->end)
            complain(address, access == Access::read ? "reads from" : "writes to", code);
        (void)*static_cast<const volatile char *>(address); /* freed: the processor objects here, not at the shadow */
        check_others(shadow_of_device(address), address, size, access, code);
        check_words(shadow_of_device(address), address, size, access, by_atomic, code);
        return;
    }
    if (const MemoryRange *range = shared_range(address)) {
        if (address + size > range->end)
            complain(address, "leaves a variable", code);
        size_t word = reinterpret_cast<uintptr_t>(address) / 4 - reinterpret_cast<uintptr_t>(range->begin) / 4;
        size_t first = shared_first[(size_t)(range - block.shared.data())];
        check_words(&shared_shadow[first + word], address, size, access, by_atomic, code);
        return;
    }
    check_other(address, size, access, code);
}

void note_atomic(const void *word, size_t size)
{
    if (instrumented)
        check(word, size, Access::both, true, __builtin_return_address(0));
}

static void set_initialised(const char *shared, size_t size, uint8_t mask)
{
    const MemoryRange *range = shared_range(shared);
    const size_t word = reinterpret_cast<uintptr_t>(shared) / 4 - reinterpret_cast<uintptr_t>(range->begin) / 4;
    Shadow *first = &shared_shadow[shared_first[(size_t)(range - block.shared.data())] + word];
    for (size_t i = 0; i < size / 4; i++)
        first[i].initialised = mask;
}

void note_copy_begins(const void *to, size_t size, const void *from, size_t valid, const void *code)
{
    if (!instrumented)
        return;
    if (valid)
        check(from, valid, Access::read, false, code);
    check(to, size, Access::write, false, code);
    set_initialised(static_cast<const char *>(to), size, 0);
}

void note_copy_ends(const void *to, size_t size, const void *code)
{
    if (instrumented)
        check(to, size, Access::write, false, code);
}

} // namespace substitute

/* ---- what the compiler calls, declared as GCC does under its other sanitizers ---- */

using namespace substitute;

extern "C" {

void __tsan_init(void)
{
    instrumented = true;
}

void __tsan_func_entry(void *) {}
void __tsan_func_exit(void *) {}

#define HOOKS(bytes)                                                                                                   \
    void __tsan_read##bytes(void *address)                                                                             \
    {                                                                                                                  \
        check(address, bytes, Access::read, false, __builtin_return_address(0));                                       \
    }                                                                                                                  \
    void __tsan_write##bytes(void *address)                                                                            \
    {                                                                                                                  \
        check(address, bytes, Access::write, false, __builtin_return_address(0));                                      \
    }
#define UNALIGNED_HOOKS(bytes)                                                                                         \
    void __tsan_unaligned_read##bytes(void *address)                                                                   \
    {                                                                                                                  \
        check(address, bytes, Access::read, false, __builtin_return_address(0));                                       \
    }                                                                                                                  \
    void __tsan_unaligned_write##bytes(void *address)                                                                  \
    {                                                                                                                  \
        check(address, bytes, Access::write, false, __builtin_return_address(0));                                      \
    }
HOOKS(1)
HOOKS(2)
HOOKS(4)
HOOKS(8)
HOOKS(16)
UNALIGNED_HOOKS(2)
UNALIGNED_HOOKS(4)
UNALIGNED_HOOKS(8)
UNALIGNED_HOOKS(16)

void __tsan_read_range(void *address, long size)
{
    check(address, (size_t)size, Access::read, false, __builtin_return_address(0));
}

void __tsan_write_range(void *address, long size)
{
    check(address, (size_t)size, Access::write, false, __builtin_return_address(0));
}

void __tsan_vptr_update(void *, void *) {}

} // extern "C"
