/* What the store's files share: HDF5 with errors kept, dimension scales and text as every reader likes it.
 *
 *     dd_output out;
 *     dd_h5_file f;
 *     DD_TRY(dd_output_open(&out, "points.h5"));
 *     dd_h5_create_output(&f, &out, H5F_LIBVER_V18);
 *     dd_h5_group(&f, "/samples");
 *     dd_h5_dataset(&f, &(dd_h5_spec){.name = "/samples/x", ...}, x);
 *     return dd_output_close(&out, dd_h5_close(&f));
 *
 * Writing functions do nothing once one has failed; dd_h5_close returns the first failure. HDF5's own
 * reason is part of the message.
 */
#ifndef DD_H5_H
#define DD_H5_H

#include <hdf5.h>

#include "base/error.h"
#include "base/files.h"

/* Switch off HDF5's printing of its error stack. */
void dd_h5_quiet(void);

/* dd_fail with the innermost reason of HDF5's error stack behind the message. */
dd_status dd_h5_fail(dd_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Open for reading; DD_ERR_IO says whether the file is missing, unreadable, no HDF5, or damaged. A log that
 * is being written, or was left by a killed writer, opens too. */
DD_CHECKED dd_status dd_h5_open(const char *path, hid_t *file);

typedef struct dd_h5_file { /* must not move while it is open */
    hid_t id;
    const char *path;
    dd_status status;
    int error; /* errno of the first failed write (hdf5/h5_driver.h) */
} dd_h5_file;

/* Create, replacing what is there, in the newest format. */
void dd_h5_create(dd_h5_file *f, const char *path);
/* Create an output (files.h), which must be closed after this file; messages name its target. format: H5F_LIBVER_V18
 * for what users keep, which every HDF5 from 1.8 on reads; H5F_LIBVER_LATEST for SWMR, which works in no other. */
void dd_h5_create_output(dd_h5_file *f, const dd_output *out, H5F_libver_t format);
/* Open a file that is complete but for appended rows as the writer of HDF5's "single writer, multiple readers". */
void dd_h5_open_swmr(dd_h5_file *f, const char *path);
/* Open an output to change it, into which a file was copied: a write that fails leaves it damaged. */
void dd_h5_edit(dd_h5_file *f, const dd_output *out);
/* Remove a group or dataset if it is there. */
void dd_h5_remove(dd_h5_file *f, const char *name);
/* Record a failure (with HDF5's or the disk's reason) unless there is one. */
void dd_h5_check(dd_h5_file *f, int ok, const char *what);
void dd_h5_flush(dd_h5_file *f);
DD_CHECKED dd_status dd_h5_close(dd_h5_file *f);

void dd_h5_group(dd_h5_file *f, const char *name);

enum { DD_H5_RANK = 5 };

/* A dataset. Rank 0 (scalar) to DD_H5_RANK; one of rank 1 and more is chunked and checksummed. */
typedef struct dd_h5_spec {
    const char *name;
    hid_t type;
    int rank;
    hsize_t size[DD_H5_RANK];
    hsize_t chunk[DD_H5_RANK];         /* 0: the whole extent */
    int grows;                         /* the first dimension is unlimited */
    const char *dimension[DD_H5_RANK]; /* its dimension scales; NULL for a scale itself */
    const char *units, *long_name;
    const void *fill; /* fill value, also as _FillValue; NULL: none */
} dd_h5_spec;

/* data NULL: nothing written yet; a scalar needs its value. A spec without dimensions and of rank 1 becomes a dimension
 * scale. */
void dd_h5_dataset(dd_h5_file *f, const dd_h5_spec *spec, const void *data);

/* Dimension scales of whole numbers (int32): value [n]; 0, 1, ..., n - 1; */
void dd_h5_whole_scale(dd_h5_file *f, const char *name, hsize_t n, const int *value, const char *long_name);
void dd_h5_index_scale(dd_h5_file *f, const char *name, hsize_t n, const char *long_name);
/* 1, ..., n, the numbers of experts. */
void dd_h5_expert_scale(dd_h5_file *f, const char *name, hsize_t n);

/* A scalar dataset of ASCII text of fixed length, not empty: Octave reads no text of variable length. */
void dd_h5_text(dd_h5_file *f, const char *name, const char *text, const char *long_name);

/* Attributes of the object `at` ("/" for the file). */
void dd_h5_text_attribute(dd_h5_file *f, const char *at, const char *name, const char *value);
void dd_h5_integer_attribute(dd_h5_file *f, const char *at, const char *name, unsigned long long value);

/* Reading; `path` is for messages. Sizes are [rank]. Text of attributes is cut to `size` bytes with its NUL and safe
 * for a terminal (dd_clean_line); "exact" leaves control characters in it, for names and paths that are checked or
 * opened. */
DD_CHECKED dd_status dd_h5_read_text_attribute(hid_t file, const char *path, const char *name, char *out, size_t size);
DD_CHECKED dd_status dd_h5_read_exact_attribute(hid_t file, const char *path, const char *name, char *out, size_t size);
DD_CHECKED dd_status dd_h5_read_integer_attribute(hid_t file, const char *path, const char *name,
                                                  unsigned long long *out);
char *dd_h5_read_text(hid_t file, const char *name); /* malloc'ed; NULL if it is not there */
DD_CHECKED dd_status dd_h5_read_double(hid_t file, const char *path, const char *name, double *out); /* a scalar */
DD_CHECKED dd_status dd_h5_size(hid_t file, const char *path, const char *name, int rank, hsize_t size[DD_H5_RANK]);
/* A whole float32 dataset; DD_ERR_IO also when its size is another. */
DD_CHECKED dd_status dd_h5_read_floats(hid_t file, const char *path, const char *name, int rank, const hsize_t *size,
                                       float *out);

#endif
