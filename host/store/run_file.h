/* What the three kinds of file share: the header and parameters. */
#ifndef DD_RUN_FILE_H
#define DD_RUN_FILE_H

#include "hdf5/h5.h"
#include "store/store.h"

/* Root attributes, /config, and /data with coordinate, shift and scale. */
void dd_write_header(dd_h5_file *f, const dd_run *run, dd_file_kind kind);

/* The attribute `dimensions`, /data/coordinate with the columns' names, /data/shift and /data/scale. Files of older
 * programs have none of these: their points have the columns x1 and x2 and are not scaled. DD_ERR_IO when they do not
 * agree, or when a scale is none. */
void dd_write_columns(dd_h5_file *f, const dd_columns *columns);
DD_CHECKED dd_status dd_read_columns(hid_t file, const char *path, dd_columns *columns);

/* One vector as a group of tensors <parent>/<group>/<tensor name>, with dimension scales in <parent>, which
 * are made with the first vector under it. */
void dd_write_parameters(dd_h5_file *f, const dd_model *model, const char *parent, const char *group,
                         const float *values);
DD_CHECKED dd_status dd_read_parameters(hid_t file, const char *path, const dd_model *model, const char *group,
                                        float *values);

/* /model/features: the directions of the Fourier features (dd_model_features) of a run's seed. Other embeddings have
 * none, and nothing is written. */
void dd_write_features(dd_h5_file *f, const dd_model *model, uint64_t seed);

/* Create everything in a log, empty: /train and /gate/train. */
void dd_write_log_layout(dd_h5_file *f, const dd_run *run, const dd_model *model);
/* Copy the rows of steps 0..steps-1 from the log or result at `from`, block by block. Rows that cannot be read are
 * filled (NaN; timesteps -1) and counted in *loss; if loss is NULL, they are DD_ERR_IO. */
void dd_copy_log_rows(hid_t from, const char *from_path, dd_h5_file *f, const dd_run *run, const dd_model *model,
                      int steps, dd_log_loss *loss);

#endif
