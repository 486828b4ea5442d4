/* The parts of an analysis. */
#ifndef DD_PARTS_H
#define DD_PARTS_H

#include "analysis/scene.h"

/* In the order of the file. */
int dd_analyse_map(dd_scene *scene);        /* map */
int dd_analyse_points(dd_scene *scene);     /* by_timestep, by_region, information on fresh points; data */
int dd_analyse_sampling(dd_scene *scene);   /* the same of the stored samples' gates, where there are some */
int dd_analyse_training(dd_scene *scene);   /* training; of a learned gate */
int dd_analyse_trajectory(dd_scene *scene); /* trajectory */

#endif
