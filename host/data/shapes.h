/* Drawings made of points, other than the Datasaurus (dino.h): the further shapes of the Python package data-morph-ai
 * 0.4.1, data/starter_shapes/ (MIT licence, copyright (c) 2017 jmatejka, 2023 Stefanie Molin), one file in shapes/ for
 * each table.
 *
 * A table's coordinates are scaled by x -> 4 (x - middle) / half: the middle of the drawing's range on each axis is 0,
 * half its longer side becomes 4, and its proportions stay. Each was rounded to a thousandth, a twelfth of the noise
 * that the generator adds. A point that occurs twice in the package's file is twice in the table.
 */
#ifndef DD_SHAPES_H
#define DD_SHAPES_H

typedef struct dd_shape {
    int points;
    const short (*point)[2]; /* thousandths, [points] */
} dd_shape;

/* The dino's noise, whose standard deviation there is .0111 and .0125. */
static const double dd_shape_sigma[2] = {.012, .012};

#endif
