/* The parts of an analysis. */
#ifndef DD_PARTS_H
#define DD_PARTS_H

#include "analysis/scene.h"

/* In the order of the file. */
DD_CHECKED dd_status dd_analyse_map(dd_scene *scene); /* map; of two coordinates */
DD_CHECKED dd_status
dd_analyse_points(dd_scene *scene); /* by_timestep, by_region, by_coordinate, information on fresh points; data */
DD_CHECKED dd_status
dd_analyse_sampling(dd_scene *scene); /* the same for the gates of the stored samples, if there are any */
DD_CHECKED dd_status dd_analyse_training(dd_scene *scene);   /* training; only for a learned gate */
DD_CHECKED dd_status dd_analyse_trajectory(dd_scene *scene); /* trajectory */

#endif
