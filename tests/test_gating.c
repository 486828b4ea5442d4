/* The gate's arithmetic: which weights there are, softmax and sigmoid against long double, extreme logits, ties, hard
 * gates, and the gradient by finite differences. */
#include <math.h>

#include "base/philox.h"
#include "check.h"
#include "model/gating.h"

static uint32_t drawn;

static float draw(void)
{
    float normal[2];
    dd_draw_normals(6, DD_DRAW_DATA, 0, drawn++, 2, normal);
    return normal[0];
}

static void check_counts(void)
{
    for (int experts = 1; experts <= DD_MAX_EXPERTS; experts++) {
        int learned = experts == 1 ? 0 : experts == 2 ? 1 : experts;
        CHECK(dd_gates(experts, DD_GATE_LEARNED) == learned, "%d experts", experts);
        CHECK(dd_gates(experts, DD_GATE_HARD) == learned, "%d experts, hard", experts);
        CHECK(dd_gates(experts, DD_GATE_FIXED) == 0, "%d experts, fixed", experts);
    }
}

/* All weights in long double; of two experts from one logit. */
static void known(int experts, int gates, const long double *logit, long double *weight)
{
    long double sum = 0, most = gates == 1 ? fmaxl(logit[0], 0) : logit[0];
    for (int k = 1; k < gates; k++)
        most = fmaxl(most, logit[k]);
    for (int k = 0; k < experts; k++)
        sum += weight[k] = expl((k < gates ? logit[k] : 0) - most);
    for (int k = 0; k < experts; k++)
        weight[k] /= sum;
}

static void check_soft(void)
{
    static const float scales[] = {.01f, 1, 10, 60};
    for (int experts = 2; experts <= DD_MAX_EXPERTS; experts++) {
        int gates = dd_gates(experts, DD_GATE_LEARNED);
        double worst = 0, sums = 0;
        for (int n = 0; n < 400; n++) {
            float logit[DD_MAX_EXPERTS], weight[DD_MAX_EXPERTS];
            long double precise[DD_MAX_EXPERTS], wanted[DD_MAX_EXPERTS], sum = 0;
            for (int k = 0; k < gates; k++)
                precise[k] = logit[k] = scales[n % 4] * draw();
            dd_gate_soft(experts, gates, logit, weight);
            known(experts, gates, precise, wanted);
            for (int k = 0; k < experts; k++) {
                worst = fmax(worst, fabs((double)(weight[k] - wanted[k])));
                sum += weight[k];
            }
            sums = fmax(sums, fabs((double)(sum - 1)));
        }
        CHECK(worst < 3e-7, "%d experts: %g", experts, worst);
        CHECK(sums < 3e-7, "%d experts' weights sum to 1 +- %g", experts, sums);
    }
    for (int experts = 1; experts <= DD_MAX_EXPERTS; experts++) {
        float weight[DD_MAX_EXPERTS];
        dd_gate_soft(experts, 0, NULL, weight);
        for (int k = 0; k < experts; k++)
            CHECK(weight[k] == 1.f / (float)experts, "%g of %d", (double)weight[k], experts);
    }
}

/* Beyond the range of an exponential, weights are 0 and 1, and only NaN makes NaN. */
static void check_extremes(void)
{
    static const float values[] = {-1e38f, -1000, -120, 0, 120, 1000, 1e38f};
    for (int experts = 2; experts <= DD_MAX_EXPERTS; experts++) {
        int gates = dd_gates(experts, DD_GATE_LEARNED);
        for (int low = 0; low < 7; low++)
            for (int high = 0; high < 7; high++) {
                float logit[DD_MAX_EXPERTS], weight[DD_MAX_EXPERTS];
                long double precise[DD_MAX_EXPERTS], wanted[DD_MAX_EXPERTS];
                for (int k = 0; k < gates; k++)
                    precise[k] = logit[k] = k == gates - 1 ? values[high] : values[low];
                dd_gate_soft(experts, gates, logit, weight);
                known(experts, gates, precise, wanted);
                for (int k = 0; k < experts; k++)
                    CHECK(fabs((double)(weight[k] - wanted[k])) < 1e-7, "%d experts, logits %g and %g: weight %d is %g",
                          experts, (double)values[low], (double)values[high], k + 1, (double)weight[k]);
            }
        for (int broken = 0; broken < gates; broken++) {
            float logit[DD_MAX_EXPERTS] = {0}, weight[DD_MAX_EXPERTS];
            logit[broken] = NAN;
            dd_gate_soft(experts, gates, logit, weight);
            for (int hard = 0; hard < 2; hard++, dd_gate_use(DD_GATE_HARD, experts, weight))
                for (int k = 0; k < experts; k++)
                    CHECK(isnan(weight[k]), "%d experts, logit %d is NaN, hard %d: weight %d is %g", experts,
                          broken + 1, hard, k + 1, (double)weight[k]);
        }
    }
}

static void check_hard(void)
{
    for (int experts = 1; experts <= DD_MAX_EXPERTS; experts++)
        for (int best = 0; best < experts; best++)
            for (int second = best; second < experts; second++) { /* equal to the best; the first counts */
                float weight[DD_MAX_EXPERTS];
                for (int k = 0; k < experts; k++)
                    weight[k] = k == best || k == second ? .3f : .01f * (float)k;
                float soft[DD_MAX_EXPERTS];
                for (int k = 0; k < experts; k++)
                    soft[k] = weight[k];
                dd_gate_use(DD_GATE_LEARNED, experts, weight);
                dd_gate_use(DD_GATE_FIXED, experts, weight);
                int kept = 1, right = 1;
                for (int k = 0; k < experts; k++)
                    kept = kept && weight[k] == soft[k];
                CHECK(kept, "only a hard gate changes weights");
                dd_gate_use(DD_GATE_HARD, experts, weight);
                for (int k = 0; k < experts; k++)
                    right = right && weight[k] == (k == best ? 1.f : 0.f);
                CHECK(right, "%d experts, best %d and %d", experts, best + 1, second + 1);
            }
    /* Equal logits are equal weights: the first expert has all. */
    for (int experts = 2; experts <= DD_MAX_EXPERTS; experts++) {
        float logit[DD_MAX_EXPERTS] = {0}, weight[DD_MAX_EXPERTS];
        dd_gate_soft(experts, dd_gates(experts, DD_GATE_HARD), logit, weight);
        dd_gate_use(DD_GATE_HARD, experts, weight);
        CHECK(weight[0] == 1.f && weight[experts - 1] == 0.f, "%d equal experts", experts);
    }
}

static void check_unfold(void)
{
    static const float stored[8] = {0, 1, .25f, .5f, .125f, .75f, 0, 0};
    float weight[16];
    dd_gate_unfold(2, 1, stored, 3, weight);
    static const float two[6] = {0, 1, 1, 0, .25f, .75f};
    for (int i = 0; i < 6; i++)
        CHECK(weight[i] == two[i], "%d: %g", i, (double)weight[i]);
    dd_gate_unfold(4, 4, stored, 2, weight);
    for (int i = 0; i < 8; i++)
        CHECK(weight[i] == stored[i], "%d: %g", i, (double)weight[i]);
}

static long double product(int dimensions, const float *p, const float *q)
{
    long double sum = 0;
    for (int c = 0; c < dimensions; c++)
        sum += (long double)p[c] * q[c];
    return sum;
}

/* Of p . sum_k weight_k expert_k. */
static void check_gradient(int dimensions)
{
    enum { MOST = 7 };
    for (int experts = 2; experts <= DD_MAX_EXPERTS; experts++) {
        int gates = dd_gates(experts, DD_GATE_LEARNED);
        double worst = 0;
        for (int n = 0; n < 100; n++) {
            float logit[DD_MAX_EXPERTS], expert[MOST * DD_MAX_EXPERTS], soft[DD_MAX_EXPERTS], gradient[DD_MAX_EXPERTS];
            float p[MOST];
            long double moved[DD_MAX_EXPERTS], weight[DD_MAX_EXPERTS];
            for (int c = 0; c < dimensions; c++)
                p[c] = draw();
            for (int k = 0; k < dimensions * experts; k++)
                expert[k] = draw();
            for (int k = 0; k < gates; k++)
                moved[k] = logit[k] = 2 * draw();
            dd_gate_soft(experts, gates, logit, soft);
            dd_gate_gradient(gates, soft, expert, p, dimensions, gradient);
            for (int k = 0; k < gates; k++) {
                const long double h = 1e-6l;
                long double difference = 0;
                for (int side = 1; side >= -1; side -= 2) {
                    moved[k] = logit[k] + side * h;
                    known(experts, gates, moved, weight);
                    for (int j = 0; j < experts; j++)
                        difference += side * weight[j] * product(dimensions, p, expert + j * dimensions) / (2 * h);
                }
                moved[k] = logit[k];
                worst = fmax(worst, fabs((double)(gradient[k] - difference)));
            }
        }
        CHECK(worst < 1e-6 * dimensions, "%d experts, %d dimensions: %g", experts, dimensions, worst);
    }
}

int main(void)
{
    check_counts();
    check_soft();
    check_extremes();
    check_hard();
    check_unfold();
    check_gradient(1);
    check_gradient(2);
    check_gradient(7);
    return check_report();
}
