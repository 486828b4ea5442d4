/* Points from a user's file; dataset.h says which kinds. */
#ifndef DD_DATASET_FILE_H
#define DD_DATASET_FILE_H

#include "dataset.h"

/* Read `path` into points->xy and points->n. */
int dd_points_read(const char *path, dd_points *points);

/* In FILE.h5:/path/in/file the part behind the colon; NULL where the name is no such. */
const char *dd_points_hdf5_path(const char *name);

#endif
