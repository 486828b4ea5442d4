#include "hdf5/h5_driver.h"

#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

typedef struct driver_info {
    int *error;
} driver_info;

typedef struct driver_file {
    H5FD_t head; /* HDF5's part; must be first */
    int descriptor;
    int *error;
    haddr_t end_allocated; /* HDF5's end of the file */
    haddr_t end;           /* end of the data that was written, or would have been written */
    dev_t device;
    ino_t inode;
} driver_file;

static void *copy_info(const void *info)
{
    driver_info *copy = malloc(sizeof *copy);
    if (copy)
        memcpy(copy, info, sizeof *copy);
    return copy;
}

static herr_t free_info(void *info)
{
    free(info);
    return 0;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t maxaddr)
{
    (void)maxaddr;
    int mode = (flags & H5F_ACC_RDWR ? O_RDWR : O_RDONLY) | O_CLOEXEC;
    mode |= (flags & H5F_ACC_CREAT ? O_CREAT : 0) | (flags & H5F_ACC_TRUNC ? O_TRUNC : 0);
    mode |= flags & H5F_ACC_EXCL ? O_EXCL : 0;
    const driver_info *info = H5Pget_driver_info(access);
    driver_file *f = calloc(1, sizeof *f);
    int descriptor = f ? open(name, mode, 0666) : -1;
    struct stat status;
    if (descriptor < 0 || fstat(descriptor, &status)) {
        H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_FILE, H5E_CANTOPENFILE, "%s",
                 strerror(f ? errno : ENOMEM));
        if (descriptor >= 0)
            close(descriptor);
        free(f);
        return NULL;
    }
    f->descriptor = descriptor;
    f->error = info->error;
    f->end = (haddr_t)status.st_size;
    f->device = status.st_dev;
    f->inode = status.st_ino;
    return &f->head;
}

static herr_t driver_close(H5FD_t *file)
{
    driver_file *f = (driver_file *)file;
    if (close(f->descriptor) && !*f->error)
        *f->error = errno;
    free(f);
    return 0;
}

/* Whether both are the same file, so that HDF5 does not open it twice. */
static int driver_compare(const H5FD_t *a, const H5FD_t *b)
{
    const driver_file *f = (const driver_file *)a, *g = (const driver_file *)b;
    if (f->device != g->device)
        return f->device < g->device ? -1 : 1;
    return (f->inode > g->inode) - (f->inode < g->inode);
}

static herr_t driver_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_SUPPORTS_SWMR_IO | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t driver_get_end_allocated(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)file)->end_allocated;
}

static herr_t driver_set_end_allocated(H5FD_t *file, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    ((driver_file *)file)->end_allocated = end;
    return 0;
}

static haddr_t driver_get_end(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const driver_file *)file)->end;
}

static herr_t driver_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t size, void *buffer)
{
    (void)type, (void)transfer;
    const driver_file *f = (const driver_file *)file;
    char *to = buffer;
    while (size) {
        ssize_t n = pread(f->descriptor, to, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_IO, H5E_READERROR, "%s",
                     strerror(errno));
            return -1;
        }
        if (n == 0) { /* after the end HDF5 expects zeros */
            memset(to, 0, size);
            break;
        }
        to += n;
        at += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static herr_t driver_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t size, const void *buffer)
{
    (void)type, (void)transfer;
    driver_file *f = (driver_file *)file;
    const char *from = buffer;
    if (at + size > f->end)
        f->end = at + size;
    while (size && !*f->error) {
        ssize_t n = pwrite(f->descriptor, from, size, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            *f->error = n < 0 ? errno : ENOSPC;
            break;
        }
        from += n;
        at += (haddr_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static herr_t driver_truncate(H5FD_t *file, hid_t transfer, hbool_t closing)
{
    (void)transfer, (void)closing;
    driver_file *f = (driver_file *)file;
    if (f->end != f->end_allocated && !*f->error && ftruncate(f->descriptor, (off_t)f->end_allocated))
        *f->error = errno;
    f->end = f->end_allocated;
    return 0;
}

/* HDF5 marks a file that is open for writing only if a driver has these two functions. Readers need the mark: it says
 * that the file must be opened for SWMR. On a file system without locks they succeed, because runs have their own
 * lock. */
static herr_t driver_lock(H5FD_t *file, hbool_t exclusive)
{
    if (!flock(((driver_file *)file)->descriptor, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) ||
        dd_lock_is_missing(errno))
        return 0;
    H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_FILE, H5E_CANTOPENFILE,
             "another program has it open");
    return -1;
}

static herr_t driver_unlock(H5FD_t *file)
{
    flock(((driver_file *)file)->descriptor, LOCK_UN);
    return 0;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)400, /* of the range for unregistered drivers; not stored in files */
#endif
    .name = "dualdiff",
    .maxaddr = ((haddr_t)1 << 62) - 1,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(driver_info),
    .fapl_copy = copy_info,
    .fapl_free = free_info,
    .open = driver_open,
    .close = driver_close,
    .cmp = driver_compare,
    .query = driver_query,
    .get_eoa = driver_get_end_allocated,
    .set_eoa = driver_set_end_allocated,
    .get_eof = driver_get_end,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .lock = driver_lock,
    .unlock = driver_unlock,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t dd_driver_access(H5F_libver_t oldest, H5F_libver_t newest, int *error)
{
    static hid_t registered = -1;
    if (registered < 0)
        registered = H5FDregister(&driver);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    driver_info info = {error};
    if (H5Pset_driver(access, registered, &info) < 0 || H5Pset_libver_bounds(access, oldest, newest) < 0) {
        H5Pclose(access);
        return -1;
    }
    return access;
}
