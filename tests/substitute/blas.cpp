/* cuBLAS on the CPU. Arguments that the real library refuses are refused with its code; what it would take
 * silently (matrices that leave their memory, outputs of a batch that overlap, inputs never written) is a fault
 * when the product runs.
 */
#include <cmath>
#include <cstring>
#include <set>

#if defined(SUBSTITUTE_CBLAS)
#include <cblas.h>
#endif

#include "internal.h"

#include "cublas_v2.h"

struct cublasContext {
    cudaStream_t stream;
    cublasPointerMode_t pointer_mode;
    cublasMath_t math;
};

namespace substitute
{

static std::set<cublasHandle_t> handles;

/* Column-major, rows x columns as stored; `count` of them, a stride apart. */
struct Matrix {
    float *data;
    int rows, columns, leading;
    long long stride;

    size_t span() const { return (size_t)leading * (size_t)(columns - 1) + (size_t)rows; }
    float *of(int item) const { return data + stride * item; }
};

struct Scalar {
    const float *pointer; /* on the device; NULL: value */
    float value;
};

struct Product : Operation {
    const char *name;
    cublasOperation_t transa, transb;
    int m, n, k, batch;
    Scalar alpha, beta;
    Matrix a, b, c;
    bool tf32;
    bool known_apart = false;

    cudaGraphNodeType type() const override { return cudaGraphNodeTypeKernel; }
    uint32_t runs_since() const override { return 0; } /* what it touches is not noted: all memory counts */
    void run() override;
    bool holds(const char *letter, const Matrix &matrix, bool read) const;
    bool apart();
};

/* All of the matrices lie in one allocation, and what is read was written before. */
bool Product::holds(const char *letter, const Matrix &x, bool read) const
{
    const float *first = x.data, *last = x.data;
    if (x.stride < 0)
        first = x.of(batch - 1);
    else
        last = x.of(batch - 1);
    std::string why;
    if (!device_range(first, (size_t)((const char *)(last + x.span()) - (const char *)first), true, &why)) {
        fault(cudaErrorIllegalAddress, "%s: matrix %s (%d x %d, leading dimension %d, stride %lld, batch of %d): %s",
              name, letter, x.rows, x.columns, x.leading, x.stride, batch, why.c_str());
        return false;
    }
    for (int item = 0; read && item < (x.stride ? batch : 1); item++)
        for (int column = 0; column < x.columns; column++) {
            const uint32_t *word = reinterpret_cast<const uint32_t *>(x.of(item) + (size_t)column * x.leading);
            bool poisoned = false;
            for (int row = 0; row < x.rows; row++)
                poisoned |= word[row] == poison_word;
            if (poisoned) {
                fault(cudaErrorUnknown,
                      "%s: matrix %s (%d x %d, leading dimension %d, stride %lld, batch of %d): "
                      "column %d of item %d holds numbers that were never written",
                      name, letter, x.rows, x.columns, x.leading, x.stride, batch, column, item);
                return false;
            }
        }
    return true;
}

/* Outputs overlap neither each other nor the inputs. Items may lie between each other's rows, and so may inputs
 * and outputs; so where the ranges overlap, every number is looked at. */
bool Product::apart()
{
    auto range = [&](const Matrix &x) {
        const float *low = x.stride < 0 ? x.of(batch - 1) : x.data, *high = x.stride < 0 ? x.data : x.of(batch - 1);
        return std::pair<const float *, const float *>(low, high + x.span());
    };
    auto [low, high] = range(c);
    auto meets = [&](const Matrix &x) { return range(x).first < high && low < range(x).second; };
    bool output_folds = batch > 1 && std::llabs(c.stride) < (long long)c.span();
    if (known_apart || (!output_folds && !meets(a) && !meets(b)))
        return true;
    std::vector<bool> written((size_t)(high - low));
    auto visit = [&](const Matrix &x, auto function) {
        for (int item = 0; item < batch; item++)
            for (int column = 0; column < x.columns; column++)
                for (int row = 0; row < x.rows; row++) {
                    const float *number = x.of(item) + (size_t)column * x.leading + row;
                    if (number >= low && number < high && !function((size_t)(number - low)))
                        return false;
                }
        return true;
    };
    auto write = [&](size_t at) { return written[at] ? false : (written[at] = true); };
    auto read = [&](size_t at) { return !written[at]; };
    if (!visit(c, write))
        fault(cudaErrorUnknown, "%s: the outputs of the batch overlap (%d x %d, leading dimension %d, stride %lld)",
              name, c.rows, c.columns, c.leading, c.stride);
    else if (!visit(a, read) || !visit(b, read))
        fault(cudaErrorUnknown, "%s: the output overlaps an input", name);
    return known_apart = !faulty();
}

static float scalar(const Scalar &s)
{
    return s.pointer ? *s.pointer : s.value;
}

static std::vector<float> rounded(const Matrix &x, int item)
{
    std::vector<float> copy(x.span());
    for (int column = 0; column < x.columns; column++)
        for (int row = 0; row < x.rows; row++) {
            size_t at = (size_t)column * x.leading + row;
            copy[at] = __uint_as_float(round_tf32(x.of(item)[at]));
        }
    return copy;
}

static void multiply(const Product &p, float alpha, const float *a, const float *b, float beta, float *c)
{
#if defined(SUBSTITUTE_CBLAS)
    cblas_sgemm(CblasColMajor, p.transa == CUBLAS_OP_N ? CblasNoTrans : CblasTrans,
                p.transb == CUBLAS_OP_N ? CblasNoTrans : CblasTrans, p.m, p.n, p.k, alpha, a, p.a.leading, b,
                p.b.leading, beta, c, p.c.leading);
#else
    /* One column of C at a time, as a sum of columns of op(A): its inner loop is the compiler's to vectorise. */
    std::vector<float> op_a;
    size_t lda = p.a.leading;
    if (p.transa != CUBLAS_OP_N) {
        op_a.resize((size_t)p.m * p.k);
        for (int i = 0; i < p.m; i++)
            for (int l = 0; l < p.k; l++)
                op_a[(size_t)l * p.m + i] = a[(size_t)i * lda + l];
        a = op_a.data();
        lda = p.m;
    }
    std::vector<float> sum(p.m);
    for (int j = 0; j < p.n; j++) {
        std::fill(sum.begin(), sum.end(), 0.f);
        for (int l = 0; l < p.k; l++) {
            float factor = p.transb == CUBLAS_OP_N ? b[(size_t)j * p.b.leading + l] : b[(size_t)l * p.b.leading + j];
            const float *column = a + l * lda;
            for (int i = 0; i < p.m; i++)
                sum[i] += factor * column[i];
        }
        float *out = c + (size_t)j * p.c.leading;
        for (int i = 0; i < p.m; i++)
            out[i] = beta == 0.f ? alpha * sum[i] : alpha * sum[i] + beta * out[i];
    }
#endif
}

void Product::run()
{
    for (const Scalar *s : {&alpha, &beta}) {
        std::string why;
        if (s->pointer && !device_range(s->pointer, sizeof(float), true, &why)) {
            fault(cudaErrorIllegalAddress, "%s: alpha or beta: %s", name, why.c_str());
            return;
        }
    }
    float factor = scalar(alpha), keep = scalar(beta);
    if (std::isnan(factor) || std::isnan(keep)) {
        fault(cudaErrorUnknown, "%s: alpha or beta is NaN", name);
        return;
    }
    bool reads = factor != 0.f && k > 0;
    if ((reads && (!holds("A", a, true) || !holds("B", b, true))) || !holds("C", c, keep != 0.f) || (reads && !apart()))
        return;
    for (int item = 0; item < batch; item++) {
        if (tf32) {
            std::vector<float> ra = rounded(a, item), rb = rounded(b, item);
            multiply(*this, factor, ra.data(), rb.data(), keep, c.of(item));
        } else {
            multiply(*this, factor, a.of(item), b.of(item), keep, c.of(item));
        }
        for (int column = 0; column < c.columns; column++)
            note_write(c.of(item) + (size_t)column * c.leading, (size_t)c.rows * sizeof(float));
    }
    counters.blas_calls++;
    counters.blas_flops += 2ull * m * n * k * batch;
}

/* What the API's lock, a test's wish for a failure or a fault say. */
static cublasStatus_t status_of(cudaError_t error)
{
    switch (error) {
    case cudaSuccess:
        return CUBLAS_STATUS_SUCCESS;
    case cudaErrorMemoryAllocation:
        return CUBLAS_STATUS_ALLOC_FAILED;
    case cudaErrorNoDevice:
        return CUBLAS_STATUS_NOT_INITIALIZED;
    default:
        return CUBLAS_STATUS_EXECUTION_FAILED;
    }
}

static bool is_operation(cublasOperation_t operation)
{
    return operation == CUBLAS_OP_N || operation == CUBLAS_OP_T || operation == CUBLAS_OP_C;
}

struct Arguments {
    const char *name;
    cublasOperation_t transa, transb;
    int m, n, k;
    const float *alpha, *beta;
    Matrix a, b, c; /* data, leading and stride */
    int batch;
    bool tf32;
};

static cublasStatus_t product(cublasHandle_t handle, const Arguments &x)
{
    Entry entry;
    if (entry.error)
        return status_of(entry.error);
    if (!handles.count(handle))
        return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!is_operation(x.transa) || !is_operation(x.transb) || x.m < 0 || x.n < 0 || x.k < 0 || x.batch < 0 ||
        x.a.leading < max(1, x.transa == CUBLAS_OP_N ? x.m : x.k) ||
        x.b.leading < max(1, x.transb == CUBLAS_OP_N ? x.k : x.n) || x.c.leading < max(1, x.m))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (x.m == 0 || x.n == 0 || x.batch == 0)
        return CUBLAS_STATUS_SUCCESS;
    if (!x.alpha || !x.beta || !x.a.data || !x.b.data || !x.c.data)
        return CUBLAS_STATUS_INVALID_VALUE;
    auto work = std::make_shared<Product>();
    work->name = x.name;
    work->transa = x.transa;
    work->transb = x.transb;
    work->m = x.m;
    work->n = x.n;
    work->k = x.k;
    work->batch = x.batch;
    work->a = x.a;
    work->b = x.b;
    work->c = x.c;
    work->a.rows = x.transa == CUBLAS_OP_N ? x.m : x.k;
    work->a.columns = x.transa == CUBLAS_OP_N ? x.k : x.m;
    work->b.rows = x.transb == CUBLAS_OP_N ? x.k : x.n;
    work->b.columns = x.transb == CUBLAS_OP_N ? x.n : x.k;
    work->c.rows = x.m;
    work->c.columns = x.n;
    work->tf32 = x.tf32 || handle->math == CUBLAS_TF32_TENSOR_OP_MATH;
    if (handle->pointer_mode == CUBLAS_POINTER_MODE_HOST) {
        if (is_device_address(x.alpha) || is_device_address(x.beta))
            return CUBLAS_STATUS_INVALID_VALUE; /* the real library would crash */
        work->alpha = {nullptr, *x.alpha};
        work->beta = {nullptr, *x.beta};
    } else {
        work->alpha = {x.alpha, 0};
        work->beta = {x.beta, 0};
    }
    return status_of(submit(handle->stream, work));
}

template <typename Set> static cublasStatus_t configure(cublasHandle_t handle, bool valid, Set set)
{
    Entry entry;
    if (entry.error)
        return status_of(entry.error);
    if (!handles.count(handle))
        return CUBLAS_STATUS_NOT_INITIALIZED;
    if (!valid)
        return CUBLAS_STATUS_INVALID_VALUE;
    set();
    return CUBLAS_STATUS_SUCCESS;
}

} // namespace substitute

using namespace substitute;

extern "C" {

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    Entry entry;
    if (entry.error)
        return status_of(entry.error);
    if (!handle)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (devices < 1 || forbid_in_capture(nullptr))
        return CUBLAS_STATUS_NOT_INITIALIZED;
#if defined(SUBSTITUTE_CBLAS)
    openblas_set_num_threads(1); /* the same sums on every machine; and waiting threads spin */
#endif
    *handle = new cublasContext{};
    handles.insert(*handle);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    Entry entry;
    if (!handles.erase(handle))
        return CUBLAS_STATUS_NOT_INITIALIZED;
    delete handle;
    return status_of(entry.error);
}

cublasStatus_t cublasGetVersion(cublasHandle_t handle, int *version)
{
    return configure(handle, version, [&] { *version = 130000; });
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    return configure(handle, true, [&] { handle->stream = stream; });
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t handle, void *workspace, size_t size)
{
    std::string why;
    return configure(handle, size == 0 || device_range(workspace, size, false, &why), [] {});
}

cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode)
{
    return configure(handle, (unsigned)mode <= CUBLAS_POINTER_MODE_DEVICE, [&] { handle->pointer_mode = mode; });
}

cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode)
{
    return configure(handle, (unsigned)mode <= CUBLAS_ATOMICS_ALLOWED, [] {});
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    bool valid = mode == CUBLAS_DEFAULT_MATH || mode == CUBLAS_PEDANTIC_MATH || mode == CUBLAS_TF32_TENSOR_OP_MATH;
    return configure(handle, valid, [&] { handle->math = mode; });
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t *mode)
{
    return configure(handle, mode, [&] { *mode = handle->math; });
}

#define STATUSES(S)                                                                                                    \
    S(CUBLAS_STATUS_SUCCESS, "success")                                                                                \
    S(CUBLAS_STATUS_NOT_INITIALIZED, "the library was not initialized")                                                \
    S(CUBLAS_STATUS_ALLOC_FAILED, "the resource allocation failed")                                                    \
    S(CUBLAS_STATUS_INVALID_VALUE, "an unsupported value or parameter was passed to the function")                     \
    S(CUBLAS_STATUS_ARCH_MISMATCH, "the requested feature is absent from the device architecture")                     \
    S(CUBLAS_STATUS_MAPPING_ERROR, "an access to the GPU memory space failed")                                         \
    S(CUBLAS_STATUS_EXECUTION_FAILED, "the function failed to launch on the GPU")                                      \
    S(CUBLAS_STATUS_INTERNAL_ERROR, "an internal operation failed")                                                    \
    S(CUBLAS_STATUS_NOT_SUPPORTED, "the functionality is not supported")

const char *cublasGetStatusName(cublasStatus_t status)
{
    switch (status) {
#define S(code, text)                                                                                                  \
    case code:                                                                                                         \
        return #code;
        STATUSES(S)
#undef S
    }
    return "unknown status";
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    switch (status) {
#define S(code, text)                                                                                                  \
    case code:                                                                                                         \
        return text;
        STATUSES(S)
#undef S
    }
    return "unknown status";
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                                         int m, int n, int k, const float *alpha, const float *a, int lda,
                                         long long stride_a, const float *b, int ldb, long long stride_b,
                                         const float *beta, float *c, int ldc, long long stride_c, int batch)
{
    return product(handle, {"cublasSgemmStridedBatched",
                            transa,
                            transb,
                            m,
                            n,
                            k,
                            alpha,
                            beta,
                            {const_cast<float *>(a), 0, 0, lda, stride_a},
                            {const_cast<float *>(b), 0, 0, ldb, stride_b},
                            {c, 0, 0, ldc, stride_c},
                            batch,
                            false});
}

cublasStatus_t cublasSgemm(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m, int n,
                           int k, const float *alpha, const float *a, int lda, const float *b, int ldb,
                           const float *beta, float *c, int ldc)
{
    return product(handle, {"cublasSgemm",
                            transa,
                            transb,
                            m,
                            n,
                            k,
                            alpha,
                            beta,
                            {const_cast<float *>(a), 0, 0, lda, 0},
                            {const_cast<float *>(b), 0, 0, ldb, 0},
                            {c, 0, 0, ldc, 0},
                            1,
                            false});
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                                          int m, int n, int k, const void *alpha, const void *a, cudaDataType type_a,
                                          int lda, long long stride_a, const void *b, cudaDataType type_b, int ldb,
                                          long long stride_b, const void *beta, void *c, cudaDataType type_c, int ldc,
                                          long long stride_c, int batch, cublasComputeType_t compute,
                                          cublasGemmAlgo_t algorithm)
{
    bool computes = compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_PEDANTIC ||
                    compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    if (type_a != CUDA_R_32F || type_b != CUDA_R_32F || type_c != CUDA_R_32F || !computes ||
        algorithm != CUBLAS_GEMM_DEFAULT)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    auto matrix = [](const void *data, int leading, long long stride) {
        return Matrix{static_cast<float *>(const_cast<void *>(data)), 0, 0, leading, stride};
    };
    return product(handle, {"cublasGemmStridedBatchedEx", transa, transb, m, n, k, static_cast<const float *>(alpha),
                            static_cast<const float *>(beta), matrix(a, lda, stride_a), matrix(b, ldb, stride_b),
                            matrix(c, ldc, stride_c), batch, compute == CUBLAS_COMPUTE_32F_FAST_TF32});
}

} // extern "C"
