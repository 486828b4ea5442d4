/* The parts of an analysis. */
#ifndef DD_PARTS_H
#define DD_PARTS_H

#include "analysis/scene.h"

/* In the order of the file. */
DD_CHECKED dd_status dd_analyse_map(dd_scene *scene);    /* map */
DD_CHECKED dd_status dd_analyse_points(dd_scene *scene); /* by_timestep, by_region, information on fresh points; data */
DD_CHECKED dd_status
dd_analyse_sampling(dd_scene *scene); /* the same of the stored samples' gates, where there are some */
DD_CHECKED dd_status dd_analyse_training(dd_scene *scene);   /* training; of a learned gate */
DD_CHECKED dd_status dd_analyse_trajectory(dd_scene *scene); /* trajectory */

#endif
