/* The same products as product.cu by cuBLAS, without what a layer does with them.
 *
 * cuBLAS is column-major: it reads a row-major matrix (rows, columns) as its transpose with `columns` as the leading
 * dimension. With points in rows and weights [out][in]:
 *   forward            Y (B, out) = X W^T      Y' = W'^T X'
 *   gradient at input  X (B, in)  = Y W        X' = W' Y'
 *   weight gradient    W (out, in) = Y^T X     W' = X' Y'^T
 */
#include "launch.h"

/* Replicas x members are one batch: they lie a constant stride apart. */
static long long stride_of(size_t replica, size_t member, int members)
{
    return (long long)(members > 1 ? member : replica);
}

extern "C" dd_status dd_cuda_blas_product(dd_cuda_form form, const dd_cuda_product *p, int replicas, bool tf32,
                                          cublasHandle_t blas)
{
    const float one = 1.f, before = p->before.at ? 1.f : 0.f;
    cublasOperation_t left = form == DD_CUDA_WEIGHT_GRADIENT ? CUBLAS_OP_T : CUBLAS_OP_N;
    cublasOperation_t right = form == DD_CUDA_FORWARD ? CUBLAS_OP_T : CUBLAS_OP_N;
    const dd_cuda_operand *a = &p->right, *b = &p->left;
    const dd_cuda_matrix *c = &p->result;
    DD_CUBLAS(cublasGemmStridedBatchedEx(
        blas, right, left, p->columns, p->rows, p->inner, &one, a->at, CUDA_R_32F, (int)a->pitch,
        stride_of(a->replica, a->member, p->members), b->at, CUDA_R_32F, (int)b->pitch,
        stride_of(b->replica, b->member, p->members), &before, c->at, CUDA_R_32F, (int)c->pitch,
        stride_of(c->replica, c->member, p->members), replicas * p->members,
        tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT));
    return DD_OK;
}
