/* The part of the diversity loss of the experts' last hidden layers that is between two products of matrices. It turns
 * the inner products of all pairs of a batch's rows into factors; the product of the factors with the rows is the
 * loss's gradient at the rows.
 */
#include "distance.cuh"
#include "launch.h"
#include "reduce.cuh"

/* Copies the squared lengths out of the products, because the blocks of the next kernel overwrite products that other
 * blocks need. One thread per row; grid (rows / 256, R, M). */
static __global__ void diagonal_kernel(const dd_cuda_diversity d)
{
    dd_grid_begin();
    int row = blockIdx.x * DD_BLOCK + threadIdx.x;
    size_t member = (size_t)blockIdx.y * d.members + blockIdx.z;
    if (row < d.rows)
        d.length[member * d.rows + row] = d.gram[(member * d.rows + row) * d.rows + row];
}

/* With n rows h of each of M members, f = weight * 2 / (n^2 M), and c_ij (h_i - h_j) the gradient of d at h_i: the
 * loss's gradient at h_i is f sum_j c_ij h_j - f (sum_j c_ij) h_i. So the factors are f c_ij, and on the diagonal minus
 * their sum. Equal rows have distance 0, because their inner products and squared lengths are the same sums. A warp
 * handles row i of all members; grid (rows / 8, R). */
static __global__ void hidden_diversity_kernel(const dd_cuda_diversity d)
{
    dd_grid_begin();
    int r = blockIdx.y, row = blockIdx.x * DD_WARPS + threadIdx.x / DD_WARP, lane = threadIdx.x % DD_WARP;
    if (row >= d.rows)
        return;
    int n = d.count[r], others = row < n ? n : 0;
    double weight = d.replica[r].diversity_weight * d.recipe[d.counter[r].row].diversity;
    float factor = (float)(weight * 2. / ((double)n * n * d.members));
    float inverse = 1.f / (d.scale * d.scale), distance = 0.f;
    for (int m = 0; m < d.members; m++) {
        size_t member = (size_t)r * d.members + m;
        const float *square = d.length + member * d.rows;
        float *gram = d.gram + (member * d.rows + row) * d.rows;
        float own = square[row], sum = 0.f;
        for (int j = lane; j < d.rows; j += DD_WARP) {
            if (j == row)
                continue;
            float pull = 0.f;
            if (j < others) {
                float apart = own + square[j] - 2.f * gram[j];
                distance += dd_square_distance(d.kind, inverse, apart < 0.f ? 0.f : apart, &pull);
                pull *= factor;
            }
            gram[j] = pull;
            sum += pull;
        }
        sum = dd_warp_sum(sum);
        if (lane == 0)
            gram[row] = -sum;
    }
    distance = dd_warp_sum(distance);
    if (lane == 0)
        d.distance[(size_t)r * d.rows + row] = distance / (float)d.members;
}

extern "C" dd_status dd_cuda_launch_hidden_diversity(const dd_cuda_diversity *args, cudaStream_t stream)
{
    unsigned rows = (unsigned)args->rows, replicas = (unsigned)args->replicas;
    dim3 diagonal((rows + DD_BLOCK - 1) / DD_BLOCK, replicas, (unsigned)args->members);
    DD_TRY(DD_LAUNCH(diagonal_kernel, diagonal, dim3(DD_BLOCK), stream, *args));
    dim3 grid((rows + DD_WARPS - 1) / DD_WARPS, replicas);
    return DD_LAUNCH(hidden_diversity_kernel, grid, dim3(DD_BLOCK), stream, *args);
}
