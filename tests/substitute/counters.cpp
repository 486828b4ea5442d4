/* What was done, for the cost model. */
#include <map>

#include "internal.h"

namespace substitute
{

substitute_counters counters;

struct Runs {
    uint64_t runs, threads;
};
static std::map<std::string, Runs> kernels;

void count_kernel(const std::string &name, uint64_t threads)
{
    counters.kernels++;
    counters.threads += threads;
    Runs &k = kernels[name];
    k.runs++;
    k.threads += threads;
}

} // namespace substitute

using namespace substitute;

extern "C" {

void substitute_get_counters(substitute_counters *out)
{
    *out = counters;
}

void substitute_reset_counters(void)
{
    substitute_counters kept = {};
    kept.live_allocations = counters.live_allocations;
    kept.device_bytes = counters.device_bytes;
    kept.pinned_bytes = counters.pinned_bytes;
    counters = kept;
    kernels.clear();
}

int substitute_kernel(size_t index, const char **name, uint64_t *runs, uint64_t *threads)
{
    for (const auto &[key, value] : kernels)
        if (index-- == 0) {
            *name = key.c_str();
            *runs = value.runs;
            *threads = value.threads;
            return 1;
        }
    return 0;
}

} // extern "C"
