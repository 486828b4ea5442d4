/* Errors, faults, and the signal by which the processor reports a bad address. */
#include <unistd.h>

#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "internal.h"

namespace substitute
{

std::recursive_mutex mutex;
static thread_local cudaError_t last_error = cudaSuccess;
static cudaError_t fault_error = cudaSuccess;
static char fault_text[1024];
static bool quiet;
static uint64_t calls_until_failure;
static int failure;

static void on_bad_address(int signal, siginfo_t *info, void *)
{
    if (in_kernel()) {
        fault(cudaErrorIllegalAddress, "%s: access to %s", kernel_position().c_str(),
              info->si_code > 0 && info->si_addr ? describe_address(info->si_addr).c_str()
                                                 : "a null, wild or misaligned pointer");
        abandon_kernel();
    }
    if (is_device_address(info->si_addr))
        fprintf(stderr, "substitute: host code touches %s\n", describe_address(info->si_addr).c_str());
    /* The faulting instruction runs again and ends the program in the usual way. */
    std::signal(signal, SIG_DFL);
}

#if defined(__SANITIZE_ADDRESS__)
static void on_report(const char *)
{
    if (in_kernel())
        fprintf(stderr, "substitute: %s: bad access\n", kernel_position().c_str());
}
#endif

static void install_handlers()
{
#if defined(__SANITIZE_ADDRESS__)
    __asan_set_error_report_callback(on_report);
#endif
    struct sigaction action = {};
    action.sa_sigaction = on_bad_address;
    action.sa_flags = SA_SIGINFO | SA_NODEFER; /* the handler of a kernel's fault never returns */
    sigaction(SIGSEGV, &action, nullptr);
    sigaction(SIGBUS, &action, nullptr);
}

Entry::Entry() : guard(mutex), error(cudaSuccess)
{
    static bool installed = (install_handlers(), true);
    (void)installed;
    counters.calls++;
    if (calls_until_failure && --calls_until_failure == 0)
        error = result((cudaError_t)failure);
    else if (fault_error)
        error = result(fault_error);
}

cudaError_t result(cudaError_t error)
{
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

void fault(cudaError_t error, const char *format, ...)
{
    char text[sizeof fault_text];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (!quiet)
        fprintf(stderr, "substitute: %s\n", text);
    if (fault_error)
        return; /* what follows a fault is its consequence */
    fault_error = error;
    memcpy(fault_text, text, sizeof text);
}

bool faulty()
{
    return fault_error != cudaSuccess;
}

} // namespace substitute

using namespace substitute;

extern "C" {

const char *substitute_fault(void)
{
    return fault_text;
}

void substitute_recover(void)
{
    std::lock_guard<std::recursive_mutex> guard(mutex);
    forget_everything();
    fault_error = last_error = cudaSuccess;
    fault_text[0] = '\0';
}

void substitute_set_quiet(int on)
{
    quiet = on;
}

void substitute_fail_call(uint64_t n, int error)
{
    std::lock_guard<std::recursive_mutex> guard(mutex);
    calls_until_failure = n;
    failure = error;
}

cudaError_t cudaGetLastError(void)
{
    std::lock_guard<std::recursive_mutex> guard(mutex);
    cudaError_t error = fault_error ? fault_error : last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    std::lock_guard<std::recursive_mutex> guard(mutex);
    return fault_error ? fault_error : last_error;
}

const char *cudaGetErrorName(cudaError_t error)
{
    switch (error) {
#define E(code, value, text)                                                                                           \
    case code:                                                                                                         \
        return #code;
        SUBSTITUTE_ERRORS(E)
#undef E
    }
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
#define E(code, value, text)                                                                                           \
    case code:                                                                                                         \
        return text;
        SUBSTITUTE_ERRORS(E)
#undef E
    }
    return "unrecognized error code";
}

} // extern "C"
