/* The analysis layer measures what the gate and the experts of a finished run do.
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

/* Analyse the run at `path`, which is open in `stored`, on fresh points like `points`: for a generator they are drawn
 * from its held-out stream, for a file they are the file's points. DD_ERR_USAGE if the run has one expert. With a fixed
 * gate, the arrays that need stored weights are missing: the groups information/sampling_* and training, and the
 * weights of by_timestep and by_region/weight_sampling. The layer never trains and never changes the rest of the result
 * file. */
DD_CHECKED dd_status dd_analysis_create(const dd_loaded *stored, const char *path, const dd_points *points,
                                        dd_analysis *analysis);

#endif
