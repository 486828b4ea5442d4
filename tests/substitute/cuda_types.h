/* Types of the CUDA Toolkit that device and host code share: vectors, dim3, handles, error codes.
 * Values of enumerators are the toolkit's. C and C++.
 */
#ifndef SUBSTITUTE_CUDA_TYPES_H
#define SUBSTITUTE_CUDA_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SUBSTITUTE_ALIGN(bytes) alignas(bytes)
#else
#define SUBSTITUTE_ALIGN(bytes) _Alignas(bytes)
#endif

#define SUBSTITUTE_VECTORS(name, type, align2, align4)                                                                 \
    typedef struct name##1                                                                                             \
    {                                                                                                                  \
        type x;                                                                                                        \
    }                                                                                                                  \
    name##1;                                                                                                           \
    typedef struct name##2                                                                                             \
    {                                                                                                                  \
        SUBSTITUTE_ALIGN(align2) type x;                                                                               \
        type y;                                                                                                        \
    }                                                                                                                  \
    name##2;                                                                                                           \
    typedef struct name##3                                                                                             \
    {                                                                                                                  \
        type x, y, z;                                                                                                  \
    }                                                                                                                  \
    name##3;                                                                                                           \
    typedef struct name##4                                                                                             \
    {                                                                                                                  \
        SUBSTITUTE_ALIGN(align4) type x;                                                                               \
        type y, z, w;                                                                                                  \
    }                                                                                                                  \
    name##4;                                                                                                           \
    static inline name##2 make_##name##2(type x, type y)                                                               \
    {                                                                                                                  \
        name##2 v = {x, y};                                                                                            \
        return v;                                                                                                      \
    }                                                                                                                  \
    static inline name##3 make_##name##3(type x, type y, type z)                                                       \
    {                                                                                                                  \
        name##3 v = {x, y, z};                                                                                         \
        return v;                                                                                                      \
    }                                                                                                                  \
    static inline name##4 make_##name##4(type x, type y, type z, type w)                                               \
    {                                                                                                                  \
        name##4 v = {x, y, z, w};                                                                                      \
        return v;                                                                                                      \
    }

SUBSTITUTE_VECTORS(float, float, 8, 16)
SUBSTITUTE_VECTORS(double, double, 16, 16)
SUBSTITUTE_VECTORS(int, int, 8, 16)
SUBSTITUTE_VECTORS(uint, unsigned int, 8, 16)
SUBSTITUTE_VECTORS(short, short, 4, 8)
SUBSTITUTE_VECTORS(ushort, unsigned short, 4, 8)
SUBSTITUTE_VECTORS(char, signed char, 2, 4)
SUBSTITUTE_VECTORS(uchar, unsigned char, 2, 4)
#undef SUBSTITUTE_VECTORS
#undef SUBSTITUTE_ALIGN

typedef struct dim3 {
    unsigned int x, y, z;
#ifdef __cplusplus
    constexpr dim3(unsigned int vx = 1, unsigned int vy = 1, unsigned int vz = 1) : x(vx), y(vy), z(vz) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    constexpr operator uint3() const
    {
        return uint3{x, y, z};
    }
#endif
} dim3;

/* code, value, text */
#define SUBSTITUTE_ERRORS(E)                                                                                           \
    E(cudaSuccess, 0, "no error")                                                                                      \
    E(cudaErrorInvalidValue, 1, "invalid argument")                                                                    \
    E(cudaErrorMemoryAllocation, 2, "out of memory")                                                                   \
    E(cudaErrorInitializationError, 3, "initialization error")                                                         \
    E(cudaErrorInvalidConfiguration, 9, "invalid configuration argument")                                              \
    E(cudaErrorInvalidPitchValue, 12, "invalid pitch argument")                                                        \
    E(cudaErrorInvalidMemcpyDirection, 21, "invalid copy direction for memcpy")                                        \
    E(cudaErrorInsufficientDriver, 35, "CUDA driver version is insufficient for CUDA runtime version")                 \
    E(cudaErrorDevicesUnavailable, 46, "CUDA-capable device(s) is/are busy or unavailable")                            \
    E(cudaErrorInvalidDeviceFunction, 98, "invalid device function")                                                   \
    E(cudaErrorNoDevice, 100, "no CUDA-capable device is detected")                                                    \
    E(cudaErrorInvalidDevice, 101, "invalid device ordinal")                                                           \
    E(cudaErrorInvalidKernelImage, 200, "device kernel image is invalid")                                              \
    E(cudaErrorNoKernelImageForDevice, 209, "no kernel image is available for execution on the device")                \
    E(cudaErrorUnsupportedPtxVersion, 222, "the provided PTX was compiled with an unsupported toolchain.")             \
    E(cudaErrorInvalidResourceHandle, 400, "invalid resource handle")                                                  \
    E(cudaErrorNotReady, 600, "device not ready")                                                                      \
    E(cudaErrorIllegalAddress, 700, "an illegal memory access was encountered")                                        \
    E(cudaErrorLaunchOutOfResources, 701, "too many resources requested for launch")                                   \
    E(cudaErrorHostMemoryAlreadyRegistered, 712, "part or all of the requested memory range is already mapped")        \
    E(cudaErrorMisalignedAddress, 716, "misaligned address")                                                           \
    E(cudaErrorLaunchFailure, 719, "unspecified launch failure")                                                       \
    E(cudaErrorNotSupported, 801, "operation not supported")                                                           \
    E(cudaErrorSystemNotReady, 802, "system not yet initialized")                                                      \
    E(cudaErrorSystemDriverMismatch, 803, "system has unsupported display driver / cuda driver combination")           \
    E(cudaErrorStreamCaptureUnsupported, 900, "operation not permitted when stream is capturing")                      \
    E(cudaErrorStreamCaptureInvalidated, 901, "operation failed due to a previous error during capture")               \
    E(cudaErrorStreamCaptureUnmatched, 903, "capture was not initiated in this stream")                                \
    E(cudaErrorStreamCaptureUnjoined, 904, "capture has unjoined work")                                                \
    E(cudaErrorStreamCaptureIsolation, 905, "dependency created on uncaptured work in another stream")                 \
    E(cudaErrorStreamCaptureImplicit, 906,                                                                             \
      "operation would make the legacy stream depend on a capturing blocking stream")                                  \
    E(cudaErrorCapturedEvent, 907, "operation not permitted on an event last recorded in a capturing stream")          \
    E(cudaErrorUnknown, 999, "unknown error")

typedef enum cudaError {
#define E(code, value, text) code = value,
    SUBSTITUTE_ERRORS(E)
#undef E
} cudaError_t;

typedef struct CUstream_st *cudaStream_t;
typedef struct CUevent_st *cudaEvent_t;
typedef struct CUgraph_st *cudaGraph_t;
typedef struct CUgraphNode_st *cudaGraphNode_t;
typedef struct CUgraphExec_st *cudaGraphExec_t;

typedef enum cudaMemcpyKind {
    cudaMemcpyHostToHost = 0,
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost = 2,
    cudaMemcpyDeviceToDevice = 3,
    cudaMemcpyDefault = 4
} cudaMemcpyKind;

typedef enum cudaStreamCaptureMode {
    cudaStreamCaptureModeGlobal = 0,
    cudaStreamCaptureModeThreadLocal = 1,
    cudaStreamCaptureModeRelaxed = 2
} cudaStreamCaptureMode;

typedef enum cudaStreamCaptureStatus {
    cudaStreamCaptureStatusNone = 0,
    cudaStreamCaptureStatusActive = 1,
    cudaStreamCaptureStatusInvalidated = 2
} cudaStreamCaptureStatus;

typedef enum cudaGraphNodeType {
    cudaGraphNodeTypeKernel = 0,
    cudaGraphNodeTypeMemcpy = 1,
    cudaGraphNodeTypeMemset = 2,
    cudaGraphNodeTypeHost = 3
} cudaGraphNodeType;

typedef struct cudaGraphEdgeData_st {
    unsigned char from_port, to_port, type, reserved[5];
} cudaGraphEdgeData;

typedef enum cudaDeviceAttr {
    cudaDevAttrMaxThreadsPerBlock = 1,
    cudaDevAttrMaxSharedMemoryPerBlock = 8,
    cudaDevAttrWarpSize = 10,
    cudaDevAttrClockRate = 13,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrMemoryClockRate = 36,
    cudaDevAttrGlobalMemoryBusWidth = 37,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrMaxThreadsPerMultiProcessor = 39,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97
} cudaDeviceAttr;

typedef enum cudaFuncAttribute {
    cudaFuncAttributeMaxDynamicSharedMemorySize = 8,
    cudaFuncAttributePreferredSharedMemoryCarveout = 9
} cudaFuncAttribute;

struct cudaFuncAttributes {
    size_t sharedSizeBytes, constSizeBytes, localSizeBytes;
    int maxThreadsPerBlock, numRegs, ptxVersion, binaryVersion;
    int maxDynamicSharedSizeBytes;
};

struct cudaDeviceProp {
    char name[256];
    size_t totalGlobalMem, sharedMemPerBlock, sharedMemPerBlockOptin, sharedMemPerMultiprocessor;
    int regsPerBlock, warpSize, maxThreadsPerBlock, maxThreadsDim[3], maxGridSize[3];
    int major, minor, multiProcessorCount, maxThreadsPerMultiProcessor, maxBlocksPerMultiProcessor;
    int l2CacheSize, memoryBusWidth, integrated, canMapHostMemory, unifiedAddressing, asyncEngineCount;
    int concurrentKernels, ECCEnabled, pciBusID, pciDeviceID, pciDomainID;
};

typedef enum cudaLaunchAttributeID {
    cudaLaunchAttributeIgnore = 0,
    cudaLaunchAttributeProgrammaticStreamSerialization = 6 /* no other attribute is supported */
} cudaLaunchAttributeID;

typedef union cudaLaunchAttributeValue {
    char pad[64];
    int programmaticStreamSerializationAllowed;
} cudaLaunchAttributeValue;

typedef struct cudaLaunchAttribute {
    cudaLaunchAttributeID id;
    char pad[8 - sizeof(cudaLaunchAttributeID)];
    cudaLaunchAttributeValue val;
} cudaLaunchAttribute;

typedef struct cudaLaunchConfig_st {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute *attrs;
    unsigned int numAttrs;
} cudaLaunchConfig_t;

typedef void (*cudaHostFn_t)(void *argument);

enum {
    cudaStreamDefault = 0,
    cudaStreamNonBlocking = 1,
    cudaEventDefault = 0,
    cudaEventBlockingSync = 1,
    cudaEventDisableTiming = 2,
    cudaEventRecordDefault = 0,
    cudaEventWaitDefault = 0,
    cudaHostAllocDefault = 0,
    cudaHostAllocPortable = 1,
    cudaHostAllocMapped = 2,
    cudaHostAllocWriteCombined = 4,
    cudaDeviceScheduleAuto = 0,
    cudaDeviceScheduleSpin = 1,
    cudaDeviceScheduleYield = 2,
    cudaDeviceScheduleBlockingSync = 4
};

#define CUDART_VERSION 13000

#endif
