/* Kernel launches: checks of the configuration, and the queued work. */
#include "internal.h"

namespace substitute
{

struct KernelWork : Operation {
    std::string name;
    std::unique_ptr<Call> call;
    dim3 grid, shape;
    size_t dynamic_shared;

    cudaGraphNodeType type() const override { return cudaGraphNodeTypeKernel; }

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
        if (pointers_hold())
            run_kernel(name, call.get(), grid, shape, dynamic_shared);
    }
};

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
    if (config->numAttrs)
        return result(cudaErrorNotSupported);
    const dim3 &g = config->gridDim, &b = config->blockDim;
    if (!g.x || !g.y || !g.z || g.x > 2147483647u || g.y > 65535 || g.z > 65535 || !b.x || !b.y || !b.z || b.x > 1024 ||
        b.y > 1024 || b.z > 64 || b.x * b.y * b.z > 1024 || (uint64_t)g.x * g.y * g.z > UINT32_MAX)
        return result(cudaErrorInvalidConfiguration);
    if (config->dynamicSmemBytes > 64 << 10)
        return result(cudaErrorInvalidValue);
    auto work = std::make_shared<KernelWork>();
    work->name = function_name(call->function);
    work->call = std::move(call);
    work->grid = g;
    work->shape = b;
    work->dynamic_shared = config->dynamicSmemBytes;
    return result(submit(config->stream, std::move(work)));
}

} // namespace substitute
