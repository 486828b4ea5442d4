/* Products of matrices in float32, of all members of all replicas at once.
 *
 * The order of summation is the same for every shape and every number of replicas, so that a result's bits depend on
 * its two factors alone. The numbers of a sum are dealt to four shares, eight neighbours to each in turn: number k
 * belongs to share k / 8 % 4. A share is one chain of fused multiply-adds in rising k, which begins at 0, and the
 * result is (share 0 + share 1) + (share 2 + share 3). What lies beyond the edge of a matrix counts as 0 and changes no
 * bit.
 *
 * A block computes a square tile of a result. It walks through k in stages of 32, which it keeps in shared memory; each
 * quarter of its threads sums one share. So four chains run at once even where a device has only a few blocks to do,
 * and a thread holds a chain for each of its 4 x 4 or 8 x 8 elements. */
#include "activation.cuh"
#include "tf32.cuh"

enum {
    STAGE = 32,                     /* numbers of the sum in shared memory */
    SHARES = 4,                     /* chains of a sum */
    SHARE = STAGE / SHARES,         /* numbers of a stage that belong to one share */
    SIDE = 8,                       /* a share's threads are SIDE x SIDE */
    THREADS = SHARES * SIDE * SIDE, /* of a block */
    SMALL_TILE = 32,
    LARGE_TILE = 64 /* elements along a side */
};

/* Part of a factor in shared memory: element (k, i) at [k][place(k, i)]. */
template <int TILE> struct stage {
    float left[STAGE][TILE], right[STAGE][TILE];
};

/* What is read or written together lies in different banks: four numbers that are neighbours in i, of eight k that are
 * four apart (keep); for tensor cores, eight neighbours in i of four in k. Four neighbours in i stay together. */
static __device__ inline int place(int k, int i)
{
    return i ^ (k & 28) ^ (k & 3) << 3;
}

static __device__ inline float4 none()
{
    return make_float4(0.f, 0.f, 0.f, 0.f);
}

/* Four neighbours in memory, of which the first `valid` are loaded; the others are 0. */
static __device__ inline float4 load_four(const float *at, int valid)
{
    if (valid >= 4 && ((size_t)at & 15) == 0)
        return *(const float4 *)at;
    float4 v = none();
    if (valid > 0)
        v.x = at[0];
    if (valid > 1)
        v.y = at[1];
    if (valid > 2)
        v.z = at[2];
    if (valid > 3)
        v.w = at[3];
    return v;
}

/* One factor as a block sees it: element (k, i) of its tile, i of `width` and k of `inner`. */
struct factor {
    const float *at;
    unsigned pitch;
    int width, inner;
};

/* This thread's part of stage `first` .. first + 31. ALONG: k runs along memory, else i does. Neighbouring threads read
 * neighbouring memory. */
template <int TILE, bool ALONG>
static __device__ inline void fetch(const factor &f, int first, float4 held[TILE / STAGE])
{
#pragma unroll
    for (int j = 0; j < TILE / STAGE; j++) {
        if (ALONG) {
            int k = first + 4 * (threadIdx.x % 8), i = threadIdx.x / 8 + STAGE * j;
            held[j] = i < f.width ? load_four(f.at + (size_t)i * f.pitch + k, f.inner - k) : none();
        } else {
            const int quads = TILE / 4;
            int k = first + threadIdx.x / quads + THREADS / quads * j, i = 4 * (threadIdx.x % quads);
            held[j] = k < f.inner ? load_four(f.at + (size_t)k * f.pitch + i, f.width - i) : none();
        }
    }
}

template <int TILE, bool ALONG> static __device__ inline void keep(const float4 held[TILE / STAGE], float (*tile)[TILE])
{
#pragma unroll
    for (int j = 0; j < TILE / STAGE; j++) {
        if (ALONG) {
            int k = 4 * (threadIdx.x % 8), i = threadIdx.x / 8 + STAGE * j;
            tile[k][place(k, i)] = held[j].x;
            tile[k + 1][place(k + 1, i)] = held[j].y;
            tile[k + 2][place(k + 2, i)] = held[j].z;
            tile[k + 3][place(k + 3, i)] = held[j].w;
        } else {
            const int quads = TILE / 4;
            int k = threadIdx.x / quads + THREADS / quads * j;
            *(float4 *)&tile[k][place(k, 4 * (threadIdx.x % quads))] = held[j];
        }
    }
}

/* Sums in float32: a thread has a chain for each of its elements. */
template <int TILE> struct chains {
    enum { BLOCKS = 2 }; /* that fit a multiprocessor, by their registers */
    float of[TILE / SIDE][TILE / SIDE];
};

/* Add this thread's share of a stage. */
template <int TILE> static __device__ inline void multiply(const stage<TILE> &s, chains<TILE> &sum)
{
    int share = threadIdx.x / (SIDE * SIDE), row = threadIdx.x / SIDE % SIDE, column = threadIdx.x % SIDE;
#pragma unroll(TILE == SMALL_TILE ? 4 : 1)
    for (int step = 0; step < SHARE; step++) {
        int k = share * SHARE + step;
        float4 left[TILE / STAGE], right[TILE / STAGE];
#pragma unroll
        for (int h = 0; h < TILE / STAGE; h++) {
            left[h] = *(const float4 *)&s.left[k][STAGE * h + place(k, 4 * row)];
            right[h] = *(const float4 *)&s.right[k][STAGE * h + place(k, 4 * column)];
        }
#pragma unroll
        for (int i = 0; i < TILE / SIDE; i++) {
            float l = (&left[i / 4].x)[i % 4];
#pragma unroll
            for (int j = 0; j < TILE / SIDE; j++)
                sum.of[i][j] = __fmaf_rn(l, (&right[j / 4].x)[j % 4], sum.of[i][j]);
        }
    }
}

/* Rows 32 h .. of the tile, as this thread has summed them, into the share's part. */
template <int TILE> static __device__ inline void put_rows(const chains<TILE> &sum, int h, float (*part)[TILE])
{
    int row = 4 * (threadIdx.x / SIDE % SIDE), column = 4 * (threadIdx.x % SIDE);
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int c = 0; c < TILE / STAGE; c++) {
            const float *s = &sum.of[4 * h + i][4 * c];
            *(float4 *)&part[row + i][STAGE * c + column] = make_float4(s[0], s[1], s[2], s[3]);
        }
}

/* Sums on tensor cores (tf32.cuh): one of a share's two warps has the upper half of every 32 rows, the other the lower
 * half. A share's eight numbers of a stage are one step of a tensor core. */
template <int TILE> struct fragments {
    enum { BLOCKS = TILE == SMALL_TILE ? 2 : 1 };
    float of[TILE / STAGE][TILE / 8][4];
};

template <int TILE> static __device__ inline void multiply(const stage<TILE> &s, fragments<TILE> &sum)
{
    int share = threadIdx.x / (SIDE * SIDE), half = 16 * (threadIdx.x / 32 % 2);
    int group = threadIdx.x % 32 / 4, k = share * SHARE + threadIdx.x % 4;
    dd_tf32_a a[TILE / STAGE];
#pragma unroll
    for (int h = 0; h < TILE / STAGE; h++) {
        int row = STAGE * h + half + group;
        a[h] = dd_tf32_split_a(s.left[k][place(k, row)], s.left[k][place(k, row + 8)], s.left[k + 4][place(k + 4, row)],
                               s.left[k + 4][place(k + 4, row + 8)]);
    }
#pragma unroll
    for (int c = 0; c < TILE / 8; c++) {
        int column = 8 * c + group;
        dd_tf32_b b = dd_tf32_split_b(s.right[k][place(k, column)], s.right[k + 4][place(k + 4, column)]);
#pragma unroll
        for (int h = 0; h < TILE / STAGE; h++)
            dd_tf32_multiply(sum.of[h][c], &a[h], &b);
    }
}

template <int TILE> static __device__ inline void put_rows(const fragments<TILE> &sum, int h, float (*part)[TILE])
{
    int row = 16 * (threadIdx.x / 32 % 2) + threadIdx.x % 32 / 4, column = 2 * (threadIdx.x % 4);
#pragma unroll
    for (int c = 0; c < TILE / 8; c++)
#pragma unroll
        for (int lower = 0; lower < 2; lower++)
            *(float2 *)&part[row + 8 * lower][8 * c + column] =
                make_float2(sum.of[h][c][2 * lower], sum.of[h][c][2 * lower + 1]);
}

/* All stages: a stage is fetched while the one before is multiplied. */
template <int TILE, bool LEFT_ALONG, bool RIGHT_ALONG, typename SUMS>
static __device__ inline void sum_shares(const factor &left, const factor &right, stage<TILE> stages[2], SUMS &sum)
{
    float4 held_left[TILE / STAGE], held_right[TILE / STAGE];
    fetch<TILE, LEFT_ALONG>(left, 0, held_left);
    fetch<TILE, RIGHT_ALONG>(right, 0, held_right);
    for (int first = 0, turn = 0; first < left.inner; first += STAGE, turn ^= 1) {
        stage<TILE> &s = stages[turn];
        keep<TILE, LEFT_ALONG>(held_left, s.left);
        keep<TILE, RIGHT_ALONG>(held_right, s.right);
        __syncthreads(); /* the next stage is another one, so one barrier a stage is enough */
        if (first + STAGE < left.inner) {
            fetch<TILE, LEFT_ALONG>(left, first + STAGE, held_left);
            fetch<TILE, RIGHT_ALONG>(right, first + STAGE, held_right);
        }
        multiply(s, sum);
    }
}

/* Where a block's tile is. */
struct tile_place {
    const dd_cuda_product *product;
    int member, row, column; /* the first */
};

template <int TILE> static __device__ inline int blocks_of(const dd_cuda_product &p)
{
    return p.members * ((p.rows + TILE - 1) / TILE) * ((p.columns + TILE - 1) / TILE);
}

template <int TILE> static __device__ inline tile_place find_tile(const dd_cuda_products &p)
{
    int block = blockIdx.x, i = 0;
    for (; i + 1 < p.count && block >= blocks_of<TILE>(p.product[i]); i++)
        block -= blocks_of<TILE>(p.product[i]);
    const dd_cuda_product &own = p.product[i];
    int across = (own.columns + TILE - 1) / TILE, down = (own.rows + TILE - 1) / TILE;
    tile_place t = {&own, block / (across * down), block / across % down * TILE, block % across * TILE};
    return t;
}

static __device__ inline factor factor_of(const dd_cuda_operand &o, int member, int first, int width, int inner,
                                          bool along)
{
    factor f = {o.at + blockIdx.y * o.replica + member * o.member + first * (along ? o.pitch : 1), (unsigned)o.pitch,
                width - first, inner};
    return f;
}

static __device__ inline void store_four(float *at, int valid, float4 v)
{
    if (valid >= 4 && ((size_t)at & 15) == 0) {
        *(float4 *)at = v;
        return;
    }
    if (valid > 0)
        at[0] = v.x;
    if (valid > 1)
        at[1] = v.y;
    if (valid > 2)
        at[2] = v.z;
    if (valid > 3)
        at[3] = v.w;
}

static __device__ inline float4 add(float4 a, float4 b)
{
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

/* The first of a matrix's elements that belong to this member. */
template <typename M> static __device__ inline auto member_of(const M &m, int member) -> decltype(m.at)
{
    return m.at + blockIdx.y * m.replica + member * m.member;
}

/* Four neighbours of row `row` from column `column` on; 0 where there is no matrix. */
static __device__ inline float4 load_from(const dd_cuda_operand &o, int member, int row, int column, int valid)
{
    return o.at ? load_four(member_of(o, member) + (size_t)row * o.pitch + column, valid) : none();
}

/* What the layer does with four elements of the product. */
static __device__ inline void finish(const dd_cuda_product &p, dd_activation kind, int member, int row, int column,
                                     float4 v)
{
    int valid = p.columns - column;
    size_t at = (size_t)row * p.result.pitch + column;
    float4 along = load_from(p.along, member, row, column, valid);
    if (p.before.at)
        v = add(load_from(p.before, member, row, column, valid), v);
    if (p.bias.at)
        v = add(v, load_from(p.bias, member, 0, column, valid));
    if (p.hidden.at) {
        float4 h = load_from(p.hidden, member, row, column, valid);
        v.x = __fmaf_rn(dd_activation_slope(kind, h.x), v.x, along.x);
        v.y = __fmaf_rn(dd_activation_slope(kind, h.y), v.y, along.y);
        v.z = __fmaf_rn(dd_activation_slope(kind, h.z), v.z, along.z);
        v.w = __fmaf_rn(dd_activation_slope(kind, h.w), v.w, along.w);
    } else if (p.along.at) {
        v = add(v, along);
    }
    store_four(member_of(p.result, member) + at, valid, v);
    if (p.active.at) {
        float4 a =
            make_float4(dd_activate(kind, v.x), dd_activate(kind, v.y), dd_activate(kind, v.z), dd_activate(kind, v.w));
        store_four(member_of(p.active, member) + (size_t)row * p.active.pitch + column, valid, a);
    }
}

/* Add the shares of 32 rows of the tile at a time, in shared memory, and finish the elements. */
template <int TILE, typename SUMS>
static __device__ inline void store_tile(const tile_place &t, dd_activation kind, const SUMS &sum,
                                         float (*part)[STAGE][TILE])
{
    int share = threadIdx.x / (SIDE * SIDE), row = threadIdx.x / 8, column = 4 * (threadIdx.x % 8);
#pragma unroll
    for (int h = 0; h < TILE / STAGE; h++) {
        __syncthreads(); /* the stages and the rows before are read */
        put_rows(sum, h, part[share]);
        __syncthreads();
        int to_row = t.row + STAGE * h + row;
        if (to_row >= t.product->rows)
            continue;
#pragma unroll 1
        for (int c = 0; c < TILE; c += STAGE) {
            float4 four[SHARES];
#pragma unroll
            for (int s = 0; s < SHARES; s++)
                four[s] = *(const float4 *)&part[s][row][c + column];
            finish(*t.product, kind, t.member, to_row, t.column + c + column,
                   add(add(four[0], four[1]), add(four[2], four[3])));
        }
    }
}

/* Grid (tiles of all members of all products, R). */
template <int TILE, bool LEFT_ALONG, bool RIGHT_ALONG, typename SUMS>
static __global__ void __launch_bounds__(THREADS, SUMS::BLOCKS) product_kernel(const dd_cuda_products p)
{
    dd_grid_begin();
    __shared__ __align__(16) union {
        stage<TILE> stages[2];
        float part[SHARES][STAGE][TILE];
    } shared;
    tile_place t = find_tile<TILE>(p);
    const dd_cuda_product &own = *t.product;
    factor left = factor_of(own.left, t.member, t.row, own.rows, own.inner, LEFT_ALONG);
    factor right = factor_of(own.right, t.member, t.column, own.columns, own.inner, RIGHT_ALONG);
    SUMS sum = {};
    sum_shares<TILE, LEFT_ALONG, RIGHT_ALONG>(left, right, shared.stages, sum);
    store_tile<TILE>(t, p.kind, sum, shared.part);
}

static size_t count_blocks(const dd_cuda_products *p, int tile)
{
    size_t blocks = 0;
    for (int i = 0; i < p->count; i++)
        blocks += (size_t)p->product[i].members * (size_t)((p->product[i].rows + tile - 1) / tile) *
                  (size_t)((p->product[i].columns + tile - 1) / tile);
    return blocks;
}

template <int TILE, typename SUMS>
static dd_status launch(dd_cuda_form form, const dd_cuda_products *p, cudaStream_t stream)
{
    dim3 grid((unsigned)count_blocks(p, TILE), (unsigned)p->replicas), block(THREADS);
    switch (form) {
    case DD_CUDA_FORWARD:
        return DD_LAUNCH((product_kernel<TILE, true, true, SUMS>), grid, block, stream, *p);
    case DD_CUDA_INPUT_GRADIENT:
        return DD_LAUNCH((product_kernel<TILE, true, false, SUMS>), grid, block, stream, *p);
    case DD_CUDA_WEIGHT_GRADIENT:
        return DD_LAUNCH((product_kernel<TILE, false, false, SUMS>), grid, block, stream, *p);
    }
    return dd_fail(DD_ERR_INTERNAL, "product %d", (int)form);
}

/* Large tiles load half as much for each product, small ones are enough blocks to fill a device with one replica. */
extern "C" dd_status dd_cuda_launch_products(dd_cuda_form form, const dd_cuda_products *p, int processors,
                                             cudaStream_t stream)
{
    bool large = count_blocks(p, LARGE_TILE) * (size_t)p->replicas >= 2 * (size_t)processors;
    if (p->tensor_cores)
        return large ? launch<LARGE_TILE, fragments<LARGE_TILE>>(form, p, stream)
                     : launch<SMALL_TILE, fragments<SMALL_TILE>>(form, p, stream);
    return large ? launch<LARGE_TILE, chains<LARGE_TILE>>(form, p, stream)
                 : launch<SMALL_TILE, chains<SMALL_TILE>>(form, p, stream);
}
