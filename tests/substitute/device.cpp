/* The device that the runtime pretends to have, and its settings. */
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "internal.h"

namespace substitute
{

static size_t environment_memory()
{
    const char *mebibytes = getenv("DUALDIFF_SUBSTITUTE_MEMORY");
    return (mebibytes ? strtoull(mebibytes, nullptr, 10) : 8192) << 20;
}

static int environment_devices()
{
    const char *count = getenv("DUALDIFF_SUBSTITUTE_DEVICES");
    return count ? atoi(count) : 1;
}

static int environment_capability()
{
    const char *number = getenv("DUALDIFF_SUBSTITUTE_CAPABILITY");
    return number ? atoi(number) : 90;
}

int devices = environment_devices();
static std::map<const void *, size_t> allowed_shared; /* by kernel, what cudaFuncSetAttribute allowed */
static thread_local int current;
size_t device_memory = environment_memory();

static cudaError_t check_device(int device)
{
    if (devices < 1)
        return cudaErrorNoDevice;
    return device >= 0 && device < devices ? cudaSuccess : cudaErrorInvalidDevice;
}

static const cudaDeviceProp properties = [] {
    cudaDeviceProp p = {};
    strcpy(p.name, "substitute runtime on the CPU");
    p.sharedMemPerBlock = 48 << 10;
    p.major = environment_capability() / 10;
    p.minor = environment_capability() % 10;
    p.sharedMemPerBlockOptin = (p.major >= 9 ? 227 : p.major == 8 ? 99 : 64) << 10; /* the least of each major number */
    p.sharedMemPerMultiprocessor = p.sharedMemPerBlockOptin + (p.major >= 8 ? 1 << 10 : 0);
    p.regsPerBlock = 65536;
    p.warpSize = warpSize;
    p.maxThreadsPerBlock = 1024;
    p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
    p.maxThreadsDim[2] = 64;
    p.maxGridSize[0] = 2147483647;
    p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.multiProcessorCount = 4;
    p.maxThreadsPerMultiProcessor = 1024;
    p.maxBlocksPerMultiProcessor = 16;
    p.l2CacheSize = 1 << 20;
    p.memoryBusWidth = 64;
    p.canMapHostMemory = p.unifiedAddressing = p.concurrentKernels = p.asyncEngineCount = 1;
    return p;
}();

int capability()
{
    return 10 * properties.major + properties.minor;
}

size_t most_dynamic_shared(const void *function)
{
    auto entry = allowed_shared.find(function);
    return entry == allowed_shared.end() ? properties.sharedMemPerBlock : entry->second;
}

} // namespace substitute

using namespace substitute;

extern "C" {

void substitute_set_device(int count, size_t memory)
{
    devices = count;
    device_memory = memory;
}

int substitute_current_device(void)
{
    return current;
}

cudaError_t cudaGetDeviceCount(int *count)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    *count = devices;
    return result(devices < 1 ? cudaErrorNoDevice : cudaSuccess);
}

cudaError_t cudaGetDevice(int *device)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    *device = current;
    return result(check_device(current));
}

cudaError_t cudaSetDevice(int device)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    cudaError_t error = check_device(device);
    if (!error)
        current = device;
    return result(error);
}

cudaError_t cudaSetDeviceFlags(unsigned int)
{
    Entry entry;
    return entry.error ? entry.error : result(check_device(0));
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int device)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    cudaError_t error = check_device(device);
    if (!error) {
        *out = properties;
        out->totalGlobalMem = device_memory;
    }
    return result(error);
}

cudaError_t cudaDeviceGetAttribute(int *value, cudaDeviceAttr attribute, int device)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (cudaError_t error = check_device(device))
        return result(error);
    switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
        *value = properties.maxThreadsPerBlock;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlock:
        *value = (int)properties.sharedMemPerBlock;
        return cudaSuccess;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
        *value = (int)properties.sharedMemPerBlockOptin;
        return cudaSuccess;
    case cudaDevAttrWarpSize:
        *value = properties.warpSize;
        return cudaSuccess;
    case cudaDevAttrMultiProcessorCount:
        *value = properties.multiProcessorCount;
        return cudaSuccess;
    case cudaDevAttrClockRate:
    case cudaDevAttrMemoryClockRate:
        *value = 1000000; /* kHz */
        return cudaSuccess;
    case cudaDevAttrGlobalMemoryBusWidth:
        *value = properties.memoryBusWidth;
        return cudaSuccess;
    case cudaDevAttrL2CacheSize:
        *value = properties.l2CacheSize;
        return cudaSuccess;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
        *value = properties.maxThreadsPerMultiProcessor;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMajor:
        *value = properties.major;
        return cudaSuccess;
    case cudaDevAttrComputeCapabilityMinor:
        *value = properties.minor;
        return cudaSuccess;
    }
    return result(cudaErrorInvalidValue);
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    Entry entry;
    if (!entry.error)
        *version = CUDART_VERSION;
    return entry.error;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    Entry entry;
    if (!entry.error)
        *version = devices < 1 ? 0 : CUDART_VERSION;
    return entry.error;
}

cudaError_t cudaMemGetInfo(size_t *free, size_t *total)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (cudaError_t error = check_device(0))
        return result(error);
    *total = device_memory;
    *free = device_memory > counters.device_bytes ? device_memory - counters.device_bytes : 0;
    return cudaSuccess;
}

cudaError_t cudaFuncSetAttribute(const void *function, cudaFuncAttribute attribute, int value)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!function)
        return result(cudaErrorInvalidDeviceFunction);
    if (attribute != cudaFuncAttributeMaxDynamicSharedMemorySize)
        return cudaSuccess;
    if (value < 0 || (size_t)value > properties.sharedMemPerBlockOptin)
        return result(cudaErrorInvalidValue);
    allowed_shared[function] = (size_t)value;
    return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes *attributes, const void *function)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!function)
        return result(cudaErrorInvalidDeviceFunction);
    *attributes = {};
    attributes->maxThreadsPerBlock = properties.maxThreadsPerBlock;
    attributes->maxDynamicSharedSizeBytes = (int)most_dynamic_shared(function);
    attributes->binaryVersion = attributes->ptxVersion = 10 * properties.major + properties.minor;
    return cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *function, int block_size,
                                                          size_t dynamic_shared)
{
    Entry entry;
    if (entry.error)
        return entry.error;
    if (!function || block_size < 1 || block_size > properties.maxThreadsPerBlock)
        return result(cudaErrorInvalidValue);
    int by_threads = properties.maxThreadsPerMultiProcessor / block_size;
    size_t by_shared = dynamic_shared ? properties.sharedMemPerMultiprocessor / dynamic_shared : (size_t)by_threads;
    *blocks = min(by_threads, (int)min(by_shared, (size_t)properties.maxBlocksPerMultiProcessor));
    return cudaSuccess;
}

} // extern "C"
