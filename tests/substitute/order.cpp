/* The order in which threads, blocks and independent graph nodes run. */
#include <cstdlib>
#include <cstring>

#include "internal.h"

namespace substitute
{

struct Setting {
    substitute_order order = SUBSTITUTE_FORWARD;
    uint64_t state = 1;

    Setting()
    {
        const char *text = getenv("DUALDIFF_SUBSTITUTE_ORDER");
        if (text && !strcmp(text, "reversed"))
            order = SUBSTITUTE_REVERSED;
        if (text && !strncmp(text, "random", 6)) {
            order = SUBSTITUTE_RANDOM;
            if (text[6] == ':')
                state = strtoull(text + 7, nullptr, 10);
        }
    }
};
static Setting setting;

substitute_order order()
{
    return setting.order;
}

uint32_t random_below(uint32_t bound)
{
    /* SplitMix64 (Steele, Lea & Flood 2014) */
    uint64_t z = setting.state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (uint32_t)(((z >> 32) * bound) >> 32);
}

} // namespace substitute

void substitute_set_order(substitute_order order, uint32_t seed)
{
    substitute::setting.order = order;
    substitute::setting.state = seed;
}
