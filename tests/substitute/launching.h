/* For the tests of the substitute runtime: launching in few words, and running a fault in a separate process. */
#ifndef SUBSTITUTE_LAUNCHING_H
#define SUBSTITUTE_LAUNCHING_H

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "cublas_v2.h"
#include "cuda_runtime.h"
#include "substitute.h"

static int checks_done, checks_failed;

static inline int check_report()
{
    printf("%d checks, %d failed\n", checks_done, checks_failed);
    return checks_failed || !checks_done;
}

#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        checks_done++;                                                                                                 \
        if (!(condition)) {                                                                                            \
            if (++checks_failed > 20)                                                                                  \
                exit(check_report());                                                                                  \
            fprintf(stderr, "%s:%d: failed: %s: ", __FILE__, __LINE__, #condition);                                    \
            fprintf(stderr, __VA_ARGS__);                                                                              \
            fputc('\n', stderr);                                                                                       \
        }                                                                                                              \
    } while (0)

#define CHECK_CUDA(call)                                                                                               \
    do {                                                                                                               \
        cudaError_t error_ = (call);                                                                                   \
        CHECK(error_ == cudaSuccess, "%s: %s", cudaGetErrorName(error_), substitute_fault());                          \
    } while (0)

template <typename... P, typename... A>
static cudaError_t launch(dim3 grid, dim3 block, cudaStream_t stream, void (*kernel)(P...), A... arguments)
{
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}

/* The same, but the kernel may begin before what it follows has ended. */
template <typename... P, typename... A>
static cudaError_t launch_early(dim3 grid, dim3 block, cudaStream_t stream, void (*kernel)(P...), A... arguments)
{
    cudaLaunchAttribute early = {};
    early.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    early.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.stream = stream;
    config.attrs = &early;
    config.numAttrs = 1;
    return cudaLaunchKernelEx(&config, kernel, arguments...);
}

/* Device memory for n numbers, with the given content if any. */
template <typename T> static T *device_array(size_t n, const T *content = nullptr)
{
    T *array;
    CHECK_CUDA(cudaMalloc(&array, n * sizeof(T)));
    if (content)
        CHECK_CUDA(cudaMemcpy(array, content, n * sizeof(T), cudaMemcpyHostToDevice));
    return array;
}

template <typename T> static std::vector<T> fetch(const T *array, size_t n)
{
    std::vector<T> values(n);
    CHECK_CUDA(cudaMemcpy(values.data(), array, n * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
}

/* Run function in a child; what it printed on standard error, and how it ended. */
static inline std::string run_apart(void (*function)(), int *status)
{
    int ends[2];
    if (pipe(ends))
        abort();
    fflush(nullptr);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 2);
        close(ends[0]);
        close(ends[1]);
        function();
        _exit(*substitute_fault() ? 3 : 0);
    }
    close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;)
        text.append(buffer, (size_t)n);
    close(ends[0]);
    waitpid(child, status, 0);
    return text;
}

/* The function must fail, and say one of the two texts. */
static inline void expect_fault(const char *name, void (*function)(), const char *text, const char *or_text = nullptr)
{
    int status;
    std::string said = run_apart(function, &status);
    bool says = said.find(text) != std::string::npos || (or_text && said.find(or_text) != std::string::npos);
    CHECK(status != 0, "%s: nothing was found", name);
    CHECK(says, "%s: expected '%s' in:\n%s", name, text, said.c_str());
    std::string first = said.substr(0, said.find('\n'));
    printf("%-28s %s\n", name, first.c_str());
}

static inline void expect_none(const char *name, void (*function)())
{
    int status;
    std::string said = run_apart(function, &status);
    CHECK(status == 0, "%s: a fault was found where none is:\n%s", name, said.c_str());
}

#endif
