/* Kernels that are launched programmatically: they may begin while the kernel before still runs, until a thread
 * executes griddepcontrol.wait. Here they begin after it, and access.cpp complains about what would go wrong if they
 * had not.
 *
 * Three rules make it enough to look at the kernel directly before: such a kernel waits; its threads call
 * launch_dependents after their wait only; so what came before that kernel had ended when this one could begin.
 */
#include <cstring>

#include "block.h"

namespace substitute
{

static bool programmatic, any_waited;
static bool waited[most_threads];
static uint32_t since = none_runs;

void begin_dependent(bool programmatic_launch, uint32_t others_run_since)
{
    programmatic = programmatic_launch;
    since = programmatic ? others_run_since : none_runs;
    any_waited = false;
}

void begin_dependent_block()
{
    memset(waited, 0, sizeof waited);
}

uint32_t others_run_since()
{
    return waited[block.current] ? none_runs : since;
}

void grid_wait()
{
    waited[block.current] = any_waited = true;
}

void grid_launch_dependents()
{
    if (!programmatic || waited[block.current])
        return;
    fault(cudaErrorLaunchFailure,
          "%s: griddepcontrol.launch_dependents before griddepcontrol.wait: the next kernel could "
          "begin while the one before this still runs",
          kernel_position().c_str());
    abandon_kernel();
}

void end_dependent(const std::string &kernel)
{
    if (programmatic && !any_waited)
        fault(cudaErrorLaunchFailure, "kernel %s: is launched programmatically and never executes griddepcontrol.wait",
              kernel.c_str());
}

} // namespace substitute
