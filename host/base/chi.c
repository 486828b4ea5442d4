#include "base/chi.h"

#include <math.h>

/* P(|z| > r) = Q(degrees / 2, r^2 / 2), the regularised upper incomplete gamma function, from
 * Q(a + 1, x) = Q(a, x) + x^a exp(-x) / Gamma(a + 1), Q(1/2, x) = erfc(sqrt(x)), Q(1, x) = exp(-x): Abramowitz &
 * Stegun, 6.5.21. All terms are positive, so nothing cancels. */
static double tail_beyond(int degrees, double r)
{
    double x = .5 * r * r, a = degrees % 2 ? .5 : 1.;
    int terms = (degrees - 1) / 2; /* from a up to degrees / 2 */
    double sum = degrees % 2 ? erfc(sqrt(x)) : exp(-x);
    double term = pow(x, a) * exp(-x) / tgamma(a + 1.);
    for (int i = 0; i < terms; i++) {
        sum += term;
        term *= x / (a + i + 1.);
    }
    return sum;
}

double dd_chi_radius(int degrees, double tail)
{
    double low = 0., high = 1.;
    if (degrees < 1)
        return 0.;
    while (tail_beyond(degrees, high) > tail)
        high *= 2.;
    for (int i = 0; i < 60; i++) {
        double middle = .5 * (low + high);
        if (tail_beyond(degrees, middle) > tail)
            low = middle;
        else
            high = middle;
    }
    return .5 * (low + high);
}
