/* What storing a run costs: training with everything written as `dualdiff train` writes it, and the finished file
 * alone.
 *
 *     storing *s;
 *     need(storing_open(ensemble, &run, &model, "/scratch", &s));
 *     need(storing_train(s, 1000, &seconds));        // trains, logs every step, checkpoints
 *     need(storing_result(s, &seconds));             // writes the whole result file
 *     storing_close(s);
 */
#ifndef DD_BENCH_STORING_H
#define DD_BENCH_STORING_H

#include "store/store.h"

typedef struct storing storing;

/* Files go to FOLDER/run.h5 and FOLDER/run.checkpoint. The ensemble has one replica; ensemble, run and model are borrowed.
 */
dd_status storing_open(dd_ensemble *ensemble, const dd_run *run, const dd_model *model, const char *folder, storing **out);
void storing_close(storing *s);

/* Go on training by `steps`, a multiple of dd_log_chunk: rows of every step to the log, a checkpoint every
 * training.checkpoint_every steps. After the last step of a run the log begins anew. seconds: spent in writing, which
 * on a backend that trains meanwhile is more than what it adds. */
dd_status storing_train(storing *s, int steps, double *seconds);

/* Seconds to write the result of a whole run, rows of its log included; what it holds is made up. */
dd_status storing_result(storing *s, double *seconds);

#endif
