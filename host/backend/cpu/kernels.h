/* The CPU backend's inner loops. The sources (kernels.c,
 * kernels_wide.c) are compiled once per instruction set; at run time the program
 * takes the table of the best one that the processor has. docs/cpu-backend.md explains the design.
 *
 * Layout. Every matrix is stored in panels of 16 columns, with one cache line per row: element (r, c) of a matrix with
 * panel stride s is m[(c / 16) * s + 16 * r + c % 16]. Rows, columns and depths are multiples of 16. Padding contains
 * zeros (or finite numbers that are multiplied by zeros).
 *
 * Order. Each element of a product is one chain of fused multiply-adds over the depth, from first to last. It does not
 * depend on the tile, the thread or the instruction set; so the work may be divided among threads and batches anywhere.
 */
#ifndef DD_CPU_KERNELS_H
#define DD_CPU_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "backend/cpu/panel.h"
#include "config/config.h"

/* output = [residual +] input W^T + start, activated = act(output).
 * input (rows, depth), weight: panel p at weight + p * weight_panel, row k of it the weights of input k
 * to outputs 16 p .. 16 p + 15. */
typedef struct dd_forward_args {
    int rows, depth, panels;
    const float *input;
    size_t input_panel;
    const float *weight;
    size_t weight_panel;
    const float *start; /* the start of row r: row start_row[r] of this matrix (if NULL: row 0, a bias) */
    size_t start_panel;
    const int32_t *start_row;
    const float *residual; /* laid out like output; NULL: none */
    float *output;         /* before the activation */
    float *activated;      /* laid out like output; NULL: not needed */
    size_t output_panel;
    dd_activation activation;
} dd_forward_args;

/* output = (gradient W) * act'(hidden) [+ along], the gradient at a layer's input from that at its output. gradient
 * (rows, depth = outputs of the layer), transposed: panel p at transposed + p * transposed_panel, row k of it the
 * weights of inputs 16 p .. 16 p + 15 to output k. */
typedef struct dd_backward_args {
    int rows, depth, panels;
    const float *gradient;
    size_t gradient_panel;
    const float *transposed;
    size_t transposed_panel;
    const float *hidden; /* laid out like output: the layer's input before the activation */
    const float *along;  /* NULL: none; for a residual layer the gradient at its output */
    size_t along_panel;
    float *output;
    size_t output_panel;
    dd_activation activation;
} dd_backward_args;

/* weight gradient (inputs, outputs) = input^T gradient, laid out like the weights of dd_forward_args;
 * the sum runs over `depth` rows of input and gradient. */
typedef struct dd_weight_args {
    int inputs, panels, depth;
    const float *input;
    size_t input_panel;
    const float *gradient;
    size_t gradient_panel;
    float *output;
    size_t output_panel;
} dd_weight_args;

/* One pass of AdamW (Loshchilov & Hutter 2019, as torch.optim.AdamW) and the moving average. */
typedef struct dd_adamw_args {
    float scale; /* factor on the gradient: the clip */
    float decay; /* 1 - lr * weight_decay */
    float beta2;
    float one_minus_beta1, one_minus_beta2;
    float epsilon;
    float step_size;    /* lr / (1 - beta1^t) */
    float inverse_root; /* 1 / sqrt(1 - beta2^t) */
    float ema;          /* factor on (online - ema); 0: do not change the average */
} dd_adamw_args;

typedef struct dd_kernels {
    const char *name; /* "AVX-512" */
    void (*forward)(const dd_forward_args *args);
    void (*backward_input)(const dd_backward_args *args);
    void (*backward_weight)(const dd_weight_args *args);

    /* sum[0..15]: the sums of one panel's columns over rows, which is the bias gradient. */
    void (*column_sums)(const float *panel, int rows, float sum[DD_PANEL]);
    /* Sum of squares of count (a multiple of 16) numbers. */
    double (*square_sum)(const float *x, size_t count);
    void (*adamw)(const dd_adamw_args *args, size_t count, const float *gradient, float *online, float *moment1,
                  float *moment2, float *ema);
    /* A panel of weights (rows k of 16 outputs) into the transposed panels: element (k, o) to
     * output[(k / 16) * output_panel + 16 * o + k % 16]. rows a multiple of 16. */
    void (*transpose)(const float *panel, int rows, float *output, size_t output_panel);

    /* sine[i] = sin(x * frequency[i]), cosine[i] = cos of the same, i < count (a multiple of 16). The frequency is
     * the float64 sum of its two parts, and the angle is reduced without rounding the product. */
    void (*sine_cosine)(float x, const float *frequency, const float *frequency_low, int count, float *sine,
                        float *cosine);
    /* For each of rows [first, last): sum over j < n of d(p_i, p_j), and of its gradient at p_i (0 where p_i =
     * p_j). x, y padded to 16 with anything finite. */
    void (*distances)(dd_diversity_kind kind, float scale, const float *x, const float *y, int n, int first, int last,
                      float *distance, float *slope_x, float *slope_y);
    /* The same in any number of dimensions: coordinate c of p_i is p[c * stride + i], padded like x, and of the sum's
     * gradient slope[c * stride + i]. */
    void (*distances_wide)(dd_diversity_kind kind, float scale, const float *p, size_t stride, int dimensions, int n,
                           int first, int last, float *distance, float *slope);

    /* The same for vectors h with known inner products. gram (rows, n) in panels, square [n] = |h_j|^2. For each of
     * rows [first, last): distance[i] += sum over j of d(h_i, h_j). The row of gram becomes c_ij, where the gradient of
     * d at h_i is c_ij (h_i - h_j); slope[i] becomes their sum. Elements and rows after n become 0. Not for L1. */
    void (*gram_distances)(dd_diversity_kind kind, float scale, float *gram, size_t gram_panel, const float *square,
                           int n, int first, int last, float *distance, float *slope);
    /* product = factor (slope_i h_i - product) act'(hidden), h = act(hidden); all (rows, 16 panels), laid out alike. */
    void (*hidden_gradient)(float factor, const float *slope, const float *hidden, const float *active, int panels,
                            size_t panel, int first, int last, dd_activation activation, float *product);
} dd_kernels;

/* The best table that this processor can run. The environment variable DUALDIFF_ISA=plain|avx2|avx512 selects another
 * one. NULL if that name is unknown or not available. */
const dd_kernels *dd_kernels_select(void);

#endif
