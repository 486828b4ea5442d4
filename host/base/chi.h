/* The chi distribution: the length of a vector of independent standard normals. */
#ifndef DD_CHI_H
#define DD_CHI_H

/* The radius r with P(|z| > r) = tail, 0 < tail < 1, for z ~ N(0, I) of `degrees` dimensions; 0 if `degrees` is 0. To
 * about 1e-13 of r. */
double dd_chi_radius(int degrees, double tail);

#endif
