/* Measures one thread's part of the FMA peak; compiled once per instruction set. */
#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX2__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif

#define CONCAT_(a, b) a##b
#define CONCAT(a, b) CONCAT_(a, b)

typedef float vf __attribute__((vector_size(4 * LANES)));

/* Enough independent chains to hide the latency of two units, few enough for 16 registers. */
enum { CHAINS = 12 };

double CONCAT(dd_peak_flops_, DD_ISA)(long rounds, float *sink);

/* Does rounds * CHAINS * LANES multiply-adds and returns the operations, two each. */
double CONCAT(dd_peak_flops_, DD_ISA)(long rounds, float *sink)
{
    vf factor = .999f + (vf){0}, term = 1e-3f + (vf){0};
    vf c0 = term, c1 = 2 * term, c2 = 3 * term, c3 = 4 * term, c4 = 5 * term, c5 = 6 * term, c6 = 7 * term,
       c7 = 8 * term, c8 = 9 * term, c9 = 10 * term, c10 = 11 * term, c11 = 12 * term;
    for (long i = 0; i < rounds; i++) {
        c0 = c0 * factor + term;
        c1 = c1 * factor + term;
        c2 = c2 * factor + term;
        c3 = c3 * factor + term;
        c4 = c4 * factor + term;
        c5 = c5 * factor + term;
        c6 = c6 * factor + term;
        c7 = c7 * factor + term;
        c8 = c8 * factor + term;
        c9 = c9 * factor + term;
        c10 = c10 * factor + term;
        c11 = c11 * factor + term;
    }
    vf sum = c0 + c1 + c2 + c3 + c4 + c5 + c6 + c7 + c8 + c9 + c10 + c11;
    *sink = sum[0];
    return 2. * (double)rounds * CHAINS * LANES;
}
