/* Kernel launches: checks of the configuration, and the queued work. */
#include "internal.h"

namespace substitute
{

struct KernelWork : Operation {
    std::string name;
    std::unique_ptr<Call> call;
    Launch how;
    uint32_t began = none_runs;

    cudaGraphNodeType type() const override { return cudaGraphNodeTypeKernel; }
    uint32_t runs_since() const override { return began; }

    /* Pointers among the arguments must lead to memory that a device can reach. */
    bool pointers_hold() const
    {
        for (size_t i = 0; i < call->pointers.size(); i++) {
            const void *pointer = call->pointers[i];
            if (pointer && !find_allocation(pointer)) {
                fault(cudaErrorIllegalAddress, "kernel %s: pointer argument %zu leads to %s", name.c_str(), i + 1,
                      describe_address(pointer).c_str());
                return false;
            }
        }
        return true;
    }

    void run() override
    {
        uint32_t since = none_runs;
        for (const Work &work : before)
            since = min(since, work->runs_since());
        counters.early_kernels += how.programmatic;
        if (pointers_hold())
            began = run_kernel(name, call.get(), how, since);
    }
};

void run_behind(const Work &work, std::vector<Work> before)
{
    work->before = std::move(before);
    work->run();
    work->before.clear();
}

/* Is programmatic stream serialisation asked for? False with an error where the device lacks an attribute. */
static bool programmatic(const cudaLaunchConfig_t &config, cudaError_t *error)
{
    bool asked = false;
    for (unsigned i = 0; i < config.numAttrs; i++) {
        const cudaLaunchAttribute &attribute = config.attrs[i];
        if (attribute.id == cudaLaunchAttributeIgnore)
            continue;
        if (attribute.id != cudaLaunchAttributeProgrammaticStreamSerialization || capability() < 90)
            *error = cudaErrorNotSupported;
        asked = attribute.val.programmaticStreamSerializationAllowed != 0;
    }
    return asked;
}

cudaError_t launch(const cudaLaunchConfig_t *config, std::unique_ptr<Call> call)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!config)
        return result(cudaErrorInvalidValue);
    if (!call->function)
        return result(cudaErrorInvalidDeviceFunction);
    if (devices < 1)
        return result(cudaErrorNoDevice);
    cudaError_t error = cudaSuccess;
    const bool early = programmatic(*config, &error);
    if (error)
        return result(error);
    const dim3 &g = config->gridDim, &b = config->blockDim;
    if (!g.x || !g.y || !g.z || g.x > 2147483647u || g.y > 65535 || g.z > 65535 || !b.x || !b.y || !b.z || b.x > 1024 ||
        b.y > 1024 || b.z > 64 || b.x * b.y * b.z > 1024 || (uint64_t)g.x * g.y * g.z > UINT32_MAX)
        return result(cudaErrorInvalidConfiguration);
    if (config->dynamicSmemBytes > most_dynamic_shared(call->function))
        return result(cudaErrorInvalidValue);
    auto work = std::make_shared<KernelWork>();
    work->name = function_name(call->function);
    work->call = std::move(call);
    work->how = {g, b, config->dynamicSmemBytes, early};
    return result(submit(config->stream, std::move(work)));
}

} // namespace substitute
