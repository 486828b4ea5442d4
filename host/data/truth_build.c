/* Adding regions and atoms to a distribution. */
#include "data/truth_build.h"

#include <math.h>
#include <stdlib.h>

/* Make room for one more element of `size` bytes after `count`. Returns the list, or NULL when memory is out. */
static void *grow(void *list, int count, int *room, size_t size)
{
    if (count < *room)
        return list;
    int more = *room ? 2 * *room : 32;
    void *longer = realloc(list, (size_t)more * size);
    if (longer)
        *room = more;
    return longer;
}

void dd_build_region(dd_truth_builder *b, dd_region_kind kind, const double centre[2], const double size[2],
                     double share)
{
    dd_truth *t = b->truth;
    dd_region *longer = b->failed ? NULL : grow(t->region, t->regions, &b->region_room, sizeof *longer);
    if (!longer) {
        b->failed = 1;
        return;
    }
    t->region = longer;
    t->region[t->regions++] = (dd_region){
        .kind = kind, .centre = {centre[0], centre[1]}, .size = {size[0], size[1]}, .share = share, .atom = t->atoms};
}

void dd_build_atom(dd_truth_builder *b, const double centre[2], const double sigma[2], const double half[2],
                   double weight)
{
    dd_truth *t = b->truth;
    dd_atom *longer = b->failed ? NULL : grow(t->atom, t->atoms, &b->atom_room, sizeof *longer);
    if (!longer) {
        b->failed = 1;
        return;
    }
    t->atom = longer;
    t->atom[t->atoms++] = (dd_atom){{centre[0], centre[1]}, {sigma[0], sigma[1]}, {half[0], half[1]}, weight};
    t->region[t->regions - 1].atoms++;
}

/* Newton's iteration on the Legendre polynomial P_n, from Tricomi's estimate of its roots. */
void dd_gauss_legendre(int n, double node[DD_MOST_NODES], double weight[DD_MOST_NODES])
{
    for (int i = 0; i < n; i++) {
        double x = -cos(M_PI * (i + .75) / (n + .5)), slope = 1.;
        for (int iteration = 0; iteration < 8; iteration++) {
            double p = 1., before = 0.;
            for (int k = 1; k <= n; k++) {
                double next = ((2. * k - 1.) * x * p - (k - 1.) * before) / k;
                before = p;
                p = next;
            }
            slope = n * (x * p - before) / (x * x - 1.);
            x -= p / slope;
        }
        node[i] = x;
        weight[i] = 2. / ((1. - x * x) * slope * slope);
    }
}
