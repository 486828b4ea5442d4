#include "peak.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"

double dd_peak_flops_plain(long rounds, float *sink);
#if defined(__x86_64__)
double dd_peak_flops_avx2(long rounds, float *sink);
double dd_peak_flops_avx512(long rounds, float *sink);
#endif

typedef double (*flops_function)(long rounds, float *sink);

static flops_function widest(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return dd_peak_flops_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return dd_peak_flops_avx2;
#endif
    return dd_peak_flops_plain;
}

enum { MOST_THREADS = 256, ARRAY = 1 << 24 };

typedef struct share {
    pthread_t thread;
    double work; /* operations or bytes done */
    float sink;
    float *array; /* three of ARRAY floats; NULL: measure operations */
} share;

static void *run(void *argument)
{
    share *s = argument;
    if (!s->array) {
        s->work = widest()(4000000, &s->sink);
        return NULL;
    }
    float *a = s->array, *b = a + ARRAY, *c = b + ARRAY;
    for (int pass = 0; pass < 3; pass++)
        for (long i = 0; i < ARRAY; i++)
            a[i] = b[i] + .5f * c[i];
    s->sink = a[ARRAY / 2];
    s->work = 3. * ARRAY * 12;
    return NULL;
}

static double measure(int threads, int bandwidth)
{
    share *s = calloc(MOST_THREADS, sizeof *s);
    double work = 0;
    if (!s || threads > MOST_THREADS)
        return 0;
    for (int i = 0; i < threads && bandwidth; i++) {
        s[i].array = malloc(3 * (size_t)ARRAY * sizeof *s[i].array);
        for (long j = 0; j < 3L * ARRAY && s[i].array; j++)
            s[i].array[j] = 1;
    }
    double began = dd_now();
    for (int i = 1; i < threads; i++)
        pthread_create(&s[i].thread, NULL, run, &s[i]);
    run(&s[0]);
    for (int i = 1; i < threads; i++)
        pthread_join(s[i].thread, NULL);
    double elapsed = dd_now() - began;
    for (int i = 0; i < threads; i++) {
        work += s[i].work;
        free(s[i].array);
    }
    free(s);
    return 1e-9 * work / elapsed;
}

double dd_peak_gflops(int threads)
{
    return measure(threads, 0);
}
double dd_peak_bandwidth(int threads)
{
    return measure(threads, 1);
}
