/* What the gate and the experts of a finished run do.
 *
 *     dd_analysis analysis;
 *     DD_TRY(dd_analysis_create(&stored, "runs/run_1/dino/seed_0.h5", &points, &analysis));
 *     DD_TRY(dd_analysis_write("runs/run_1/dino/seed_0.h5", &stored, &analysis));       // its group /analysis
 *     dd_analysis_free(&analysis);
 */
#ifndef DD_ANALYSIS_H
#define DD_ANALYSIS_H

#include "analysis/analysis_arrays.h"
#include "run/loaded_run.h"

/* Analyse the run that is open in `stored` and lies at `path` on fresh points like `points`: a generator's are drawn
 * from its held-out stream, a file's are used as they are. DD_ERR_USAGE when the run has one expert. Experts under
 * a fixed gate lack what is read from stored weights: groups information/sampling_* and training, and the weights of
 * by_timestep and by_region/weight_sampling. */
DD_CHECKED dd_status dd_analysis_create(const dd_loaded *stored, const char *path, const dd_points *points,
                                        dd_analysis *analysis);

#endif
