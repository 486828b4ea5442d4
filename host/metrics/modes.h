/* Which modes of a known distribution the samples found, and how many samples are outside its support.
 *
 *     dd_modes m;
 *     DD_TRY(dd_modes_measure(&truth, x, n, &m));
 *
 * A sample belongs to the region that dd_truth_region returns, and is good, off or between (dd_standing): in the plane
 *   good   within 3 standard deviations of a mode's centre or of a curve; inside a disc or a box,
 *   off    beyond 6 standard deviations; more than .02 outside a disc or a box.
 * Three standard deviations are the convention of the field (Srivastava et al. 2017, VEEGAN, section 4.1; a normal
 * distribution in the plane has 98.9 % of its mass there). In other dimensions, the radius that has 98.9 % takes their
 * place.
 */
#ifndef DD_MODES_H
#define DD_MODES_H

#include "base/error.h"
#include "data/truth.h"

typedef struct dd_modes {
    double modes;           /* number of regions if the truth is countable; else NaN */
    double captured;        /* modes with at least a fifth of the good samples that their share would give; NaN if not
                               countable */
    double high_quality;    /* good samples / samples */
    double off_support;     /* off samples / samples */
    double total_variation; /* 1/2 sum |share of samples - true share| over modes or cells and the outside */
} dd_modes;

/* Total variation. If countable: over the modes and one more cell for the samples that are off the support; its true
 * share is 0. Else: over DD_CELLS x DD_CELLS equal cells of the support's bounding box and one more cell for everything
 * outside it. Of an embedded plane: over cells of that plane; samples that are off in the directions outside of it
 * count as outside the box. The box reaches 3 standard deviations beyond the outermost atoms; a cell's true share is
 * the integral of the atoms over it, exactly (normal distribution functions, overlaps of intervals). */
enum { DD_CELLS = 16 };

/* Samples x (n, D) of the truth's dimensions, n >= 1, finite. DD_ERR_MEMORY. */
DD_CHECKED dd_status dd_modes_measure(const dd_truth *truth, const float *x, uint32_t n, dd_modes *modes);

#endif
