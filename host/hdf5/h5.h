/* HDF5 for the files of this program: functions that remember the first error, write dimension scales, and write text
 * that every reader understands. It knows nothing of runs: what a file contains is decided by store/ and analysis/.
 *
 *     dd_output out;
 *     dd_h5_file f;
 *     DD_TRY(dd_output_open(&out, "points.h5"));
 *     dd_h5_create_output(&f, &out, H5F_LIBVER_V18);
 *     dd_h5_group(&f, "/samples");
 *     dd_h5_dataset(&f, &(dd_h5_spec){.name = "/samples/x", ...}, x);
 *     return dd_output_close(&out, dd_h5_close(&f));
 *
 * Writing functions do nothing once one has failed; dd_h5_close returns the first failure. HDF5's own reason is part of
 * the message.
 */
#ifndef DD_H5_H
#define DD_H5_H

#include <hdf5.h>
#include <stdbool.h>

#include "base/error.h"
#include "base/files.h"

/* Stop HDF5 from printing its error stack. */
void dd_h5_quiet(void);

/* dd_fail with the innermost reason of HDF5's error stack at the end of the message. */
dd_status dd_h5_fail(dd_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Open for reading. DD_ERR_IO says whether the file is missing, unreadable, not HDF5, or damaged. A log that a run is
 * writing, or that a killed writer left, can be opened, too. */
DD_CHECKED dd_status dd_h5_open(const char *path, hid_t *file);

typedef struct dd_h5_file { /* the struct must not be copied or moved while it is open */
    hid_t id;
    const char *path;
    dd_status status;
    int error; /* errno of the first failed write (hdf5/h5_driver.h) */
} dd_h5_file;

/* Create a file in the newest format; an existing file is replaced. */
void dd_h5_create(dd_h5_file *f, const char *path);
/* Create an output (files.h), which must be closed after this file; messages name its target. format: H5F_LIBVER_V18
 * for files that users keep: every HDF5 from 1.8 on can read them. H5F_LIBVER_LATEST for SWMR, which needs it. */
void dd_h5_create_output(dd_h5_file *f, const dd_output *out, H5F_libver_t format);
/* Open a file as the writer of HDF5's "single writer, multiple readers" (SWMR). Everything except rows to append must
 * already be in the file. */
void dd_h5_open_swmr(dd_h5_file *f, const char *path);
/* Open an output into which a file was copied, to change it. A failed write leaves it damaged. */
void dd_h5_edit(dd_h5_file *f, const dd_output *out);
/* Remove a group or dataset if it exists. */
void dd_h5_remove(dd_h5_file *f, const char *name);
/* Record a failure (with HDF5's or the disk's reason), unless one was recorded before. */
void dd_h5_check(dd_h5_file *f, bool ok, const char *what);
void dd_h5_flush(dd_h5_file *f);
DD_CHECKED dd_status dd_h5_close(dd_h5_file *f);

void dd_h5_group(dd_h5_file *f, const char *name);

enum { DD_H5_RANK = 5 };

/* A dataset of rank 0 (scalar) to DD_H5_RANK. From rank 1 on it is chunked and has checksums. */
typedef struct dd_h5_spec {
    const char *name;
    hid_t type;
    int rank;
    hsize_t size[DD_H5_RANK];
    hsize_t chunk[DD_H5_RANK];         /* 0: the whole extent */
    bool grows;                        /* the first dimension is unlimited */
    const char *dimension[DD_H5_RANK]; /* its dimension scales; NULL for a scale itself */
    const char *units, *long_name;
    const void *fill; /* fill value, also as _FillValue; NULL: none */
} dd_h5_spec;

/* Create a dataset and write `data`; with data NULL (not for a scalar) nothing is written yet. A spec of rank 1 without
 * dimensions becomes a dimension scale. */
void dd_h5_dataset(dd_h5_file *f, const dd_h5_spec *spec, const void *data);

/* Dimension scales of whole numbers (int32): value [n]; 0, 1, ..., n - 1; */
void dd_h5_whole_scale(dd_h5_file *f, const char *name, hsize_t n, const int *value, const char *long_name);
void dd_h5_index_scale(dd_h5_file *f, const char *name, hsize_t n, const char *long_name);
/* 1, ..., n, the numbers of experts. */
void dd_h5_expert_scale(dd_h5_file *f, const char *name, hsize_t n);

/* A scalar dataset of ASCII text, not empty. The text has a fixed length, because Octave cannot read variable
 * length. */
void dd_h5_text(dd_h5_file *f, const char *name, const char *text, const char *long_name);

/* Attributes of the object `at` ("/" for the file). */
void dd_h5_text_attribute(dd_h5_file *f, const char *at, const char *name, const char *value);
void dd_h5_integer_attribute(dd_h5_file *f, const char *at, const char *name, unsigned long long value);
/* A list of at most DD_H5_NAMES texts: the i-th begins `stride` bytes after the one before. */
enum { DD_H5_NAMES = 128 };
void dd_h5_names_attribute(dd_h5_file *f, const char *at, const char *name, const char *first, size_t stride,
                           int count);

/* Reading; `path` is for messages. Sizes are [rank]. The text of an attribute is shortened to `size` bytes with its NUL
 * and made safe for a terminal (dd_clean_line). "exact" keeps control characters, for names and paths that the program
 * checks or opens. */
DD_CHECKED dd_status dd_h5_read_text_attribute(hid_t file, const char *path, const char *name, char *out, size_t size);
DD_CHECKED dd_status dd_h5_read_exact_attribute(hid_t file, const char *path, const char *name, char *out, size_t size);
DD_CHECKED dd_status dd_h5_read_integer_attribute(hid_t file, const char *path, const char *name,
                                                  unsigned long long *out);
/* The same list; each text is shortened to `stride` bytes with its NUL, and made safe for a terminal. DD_ERR_IO also
 * when there are not `count` texts. */
DD_CHECKED dd_status dd_h5_read_names_attribute(hid_t file, const char *path, const char *at, const char *name,
                                                char *first, size_t stride, int count);
char *dd_h5_read_text(hid_t file, const char *name); /* malloc'ed; NULL if it is not there */
DD_CHECKED dd_status dd_h5_read_double(hid_t file, const char *path, const char *name, double *out); /* a scalar */
DD_CHECKED dd_status dd_h5_size(hid_t file, const char *path, const char *name, int rank, hsize_t size[DD_H5_RANK]);
/* A whole float32 dataset; DD_ERR_IO also when its size is not the expected one. */
DD_CHECKED dd_status dd_h5_read_floats(hid_t file, const char *path, const char *name, int rank, const hsize_t *size,
                                       float *out);
/* The same in float64. */
DD_CHECKED dd_status dd_h5_read_doubles(hid_t file, const char *path, const char *name, int rank, const hsize_t *size,
                                        double *out);

#endif
