/* Measures the cost of storing a run: training while everything is written as `dualdiff train` writes it, and writing
 * only the finished file.
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

/* Files go to FOLDER/run.h5 and FOLDER/run.checkpoint. The ensemble has one replica; ensemble, run and model are
 * borrowed.
 */
dd_status storing_open(dd_ensemble *ensemble, const dd_run *run, const dd_model *model, const char *folder,
                       storing **out);
void storing_close(storing *s);

/* Train `steps` more steps, a multiple of dd_log_chunk, and write rows of every step to the log and a checkpoint every
 * training.checkpoint_every steps. After the last step of a run a new log begins. seconds: time spent in writing. If
 * the backend trains at the same time, this is more than the time that writing adds. */
dd_status storing_train(storing *s, int steps, double *seconds);

/* Seconds to write the result of a whole run with the rows of its log. The values are invented. */
dd_status storing_result(storing *s, double *seconds);

#endif
