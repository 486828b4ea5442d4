#include "oracle/oracle_box.h"

#include <math.h>

static const double log_root_2pi = 0.918938533204672741780;

/* (1 - Phi(v)) / phi(v) for v >= 0: from erfc, and for large v, where exp and erfc overflow, by Laplace's continued
 * fraction. */
static double mills(double v)
{
    enum { TERMS = 40 };
    if (v < 4.)
        return 1.25331413731550025121 * exp(.5 * v * v) * erfc(v * 0.70710678118654752440);
    double tail = v;
    for (int k = TERMS; k > 0; k--)
        tail = v + k / tail;
    return 1. / tail;
}

double dd_interval(double x, double centre, double half, double signal, double noise, double *mean_noise)
{
    /* The noise that leads from the interval's upper and lower end to x is middle -+ width / 2. */
    double middle = (x - signal * centre) / noise, width = 2. * signal * half / noise;
    double sign = middle < 0. ? -1. : 1.;
    middle *= sign;
    double low = middle - .5 * width, high = middle + .5 * width, share = width * middle;
    double log_mass, mean; /* of e in [low, high], divided by width */
    if (width < 1e-3 && share < 1e-3) {
        /* Taylor's series in the width: next term width^4 (middle^4 + ...) / 1920. */
        double square = width * width / 24.;
        log_mass = -.5 * middle * middle - log_root_2pi + log1p(square * (middle * middle - 1.));
        mean = middle * (1. - 2. * square);
    } else if (low < 0.) {
        double mass = .5 * (erf(high * 0.70710678118654752440) - erf(low * 0.70710678118654752440));
        log_mass = log(mass / width);
        mean = (exp(-.5 * low * low) - exp(-.5 * high * high)) * exp(-log_root_2pi) / mass;
    } else {
        double mass = mills(low) - mills(high) * exp(-share); /* over phi(low) */
        log_mass = -.5 * low * low - log_root_2pi + log(mass / width);
        mean = -expm1(-share) / mass;
    }
    *mean_noise = sign * mean;
    return log_mass - log(noise);
}
