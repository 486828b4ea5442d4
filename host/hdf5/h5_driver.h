/* An HDF5 file driver for writing. It remembers a failed write and does not report it to HDF5.
 *
 * Reason: HDF5 (1.10 and later versions) uses freed memory when it closes a file that it could not write, so a full
 * disk would crash the program. With this driver HDF5 finishes normally, everything after the failure is discarded, and
 * the caller checks `error` and reports it.
 */
#ifndef DD_H5_DRIVER_H
#define DD_H5_DRIVER_H

#include <hdf5.h>

/* Properties to create or open a file for writing, to be closed by the caller. [oldest, newest]: the versions of HDF5
 * whose format may be used. *error gets the errno of the first failed write; it must live until the file is closed.
 * Negative: HDF5 is out of memory. */
hid_t dd_driver_access(H5F_libver_t oldest, H5F_libver_t newest, int *error);

#endif
