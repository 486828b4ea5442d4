/* What tests may ask of the substitute runtime: in which order threads run, what was counted, which
 * fault was found, which call shall fail. C and C++.
 *
 * The environment sets the same for programs that are run whole:
 *     DUALDIFF_SUBSTITUTE_ORDER=forward | reversed | random:SEED
 *     DUALDIFF_SUBSTITUTE_DEVICES=0                  no device answers; 2: two do
 *     DUALDIFF_SUBSTITUTE_MEMORY=64                  device memory in MiB
 *     DUALDIFF_SUBSTITUTE_CAPABILITY=75              the device is an sm_75 (else sm_90)
 */
#ifndef SUBSTITUTE_H
#define SUBSTITUTE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum substitute_order {
    SUBSTITUTE_FORWARD,  /* thread 0 first, block 0 first, graph nodes as captured */
    SUBSTITUTE_REVERSED, /* the last first, as far as barriers and dependencies allow */
    SUBSTITUTE_RANDOM
} substitute_order;

void substitute_set_order(substitute_order order, uint32_t seed);

/* Devices and bytes of memory of each that the runtime pretends to have. */
void substitute_set_device(int devices, size_t memory);

/* The one that the calling thread has set. */
int substitute_current_device(void);

/* The n-th CUDA or cuBLAS call from now (1 is the next) does nothing and returns error (a cudaError_t; cuBLAS calls
 * return CUBLAS_STATUS_ALLOC_FAILED for out of memory, else CUBLAS_STATUS_EXECUTION_FAILED). n = 0: none fails. */
void substitute_fail_call(uint64_t n, int error);

/* The fault that stopped the device, "" if none. As on a GPU, every later call returns its error. */
const char *substitute_fault(void);
/* Forget the fault and all queued work, so that a test can continue with the next. */
void substitute_recover(void);
/* 1: say nothing on standard error. */
void substitute_set_quiet(int quiet);

typedef struct substitute_counters {
    uint64_t kernels, threads;       /* kernels run, from graphs too; their threads */
    uint64_t early_kernels;          /* of them, launched so that they may begin before the one before has ended */
    uint64_t blas_calls, blas_flops; /* products run, a batched one counts once; 2 m n k each */
    uint64_t memsets;                /* run */
    uint64_t copies;                 /* run */
    uint64_t bytes_to_device, bytes_to_host, bytes_on_device; /* copied */
    uint64_t launches; /* work the host handed to streams outside a capture: kernels, products, memsets, copies */
    uint64_t graph_launches, graph_nodes; /* graphs started by the host; nodes run from graphs */
    uint64_t synchronizations; /* waits for a stream or the device: by name, by a blocking copy, by cudaFree */
    uint64_t event_waits;      /* cudaEventSynchronize */
    uint64_t calls;            /* of the API, cuBLAS included */
    uint64_t allocations;      /* cudaMalloc and pinned, ever */
    uint64_t live_allocations, device_bytes, pinned_bytes; /* now; substitute_reset_counters leaves them */
} substitute_counters;

void substitute_get_counters(substitute_counters *counters);
void substitute_reset_counters(void);

/* The index-th kernel that ran since the last reset, by name; 0 when there is no such. */
int substitute_kernel(size_t index, const char **name, uint64_t *runs, uint64_t *threads);

#ifdef __cplusplus
}
#endif
#endif
