/* A library to preload that makes one call of the C library fail, or kills the process right before it:
 *
 *     FAULT_KIND=alloc|close|write|sync|rename|open|any   which calls count; any: all except alloc
 *     FAULT_AT=17                                          the 17th of them; 0: none
 *     FAULT_MODE=once|on|kill|torn                         that one fails, it and all after it, the process is killed
 *                                                          before it, or at a page's end within a write, where the
 *                                                          kernel looks for signals
 *     FAULT_COUNT=FILE                                     the number of calls is written there at the end
 *
 * faults.py builds and uses it. It does not affect programs that the first one starts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum { ALLOC = 1, CLOSE = 2, WRITE = 4, SYNC = 8, RENAME = 16, OPEN = 32, REMOVE = 64, ANY = 126 };

static int counted, mode; /* mode: first letter but for "on", which is 'n' */
static long at, calls;
static const char *count_file;
static pid_t owner;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void)
{
    static const struct {
        const char *name;
        int kind;
    } kinds[] = {{"alloc", ALLOC},   {"close", CLOSE}, {"write", WRITE}, {"sync", SYNC},
                 {"rename", RENAME}, {"open", OPEN},   {"any", ANY}};
    const char *kind = getenv("FAULT_KIND"), *when = getenv("FAULT_AT"), *how = getenv("FAULT_MODE");
    count_file = getenv("FAULT_COUNT");
    at = when ? atol(when) : 0;
    mode = !how ? 'o' : !strcmp(how, "on") ? 'n' : *how;
    unsetenv("LD_PRELOAD");
    owner = getpid();
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kind, kinds[i].name))
            counted = kinds[i].kind;
    calls = 0;
}

__attribute__((destructor)) static void end(void)
{
    counted = 0;
    FILE *out = count_file && owner == getpid() ? fopen(count_file, "w") : NULL;
    if (out) {
        fprintf(out, "%ld\n", calls);
        fclose(out);
    }
}

/* Whether this call is to fail. */
static int struck(int kind)
{
    if (!(counted & kind))
        return 0;
    long number = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    if (number == at && mode == 'k')
        kill(getpid(), SIGKILL);
    return number == at || (mode == 'n' && at && number > at);
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

void *malloc(size_t size)
{
    return struck(ALLOC) ? (errno = ENOMEM, NULL) : __libc_malloc(size);
}
void *calloc(size_t n, size_t size)
{
    return struck(ALLOC) ? (errno = ENOMEM, NULL) : __libc_calloc(n, size);
}
void *realloc(void *old, size_t size)
{
    return struck(ALLOC) ? (errno = ENOMEM, NULL) : __libc_realloc(old, size);
}

/* ---- files ---- */

int close(int descriptor)
{
    int result = REAL(close)(descriptor); /* the file is closed even if this fails */
    return struck(CLOSE) ? fail(EIO) : result;
}

int fclose(FILE *file)
{
    int result = REAL(fclose)(file);
    return struck(CLOSE) ? fail(EIO) : result;
}

/* How much of a write at `place` there is when a kill meets it halfway: up to the end of a page, none for a small one.
 */
static size_t torn(off_t place, size_t size)
{
    enum { PAGE = 4096 };
    off_t end = (place + (off_t)size / 2) / PAGE * PAGE;
    return end > place ? (size_t)(end - place) : 0;
}

ssize_t write(int descriptor, const void *data, size_t size)
{
    if (descriptor <= 2 || !struck(WRITE))
        return REAL(write)(descriptor, data, size);
    if (mode == 't' && REAL(write)(descriptor, data, torn(lseek(descriptor, 0, SEEK_CUR), size)) >= 0)
        kill(getpid(), SIGKILL);
    return fail(ENOSPC);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t place)
{
    if (!struck(WRITE))
        return REAL(pwrite)(descriptor, data, size, place);
    if (mode == 't' && REAL(pwrite)(descriptor, data, torn(place, size), place) >= 0)
        kill(getpid(), SIGKILL);
    return fail(ENOSPC);
}

int ftruncate(int descriptor, off_t size)
{
    return struck(WRITE) ? fail(EIO) : REAL(ftruncate)(descriptor, size);
}

int fsync(int descriptor)
{
    return struck(SYNC) ? fail(EIO) : REAL(fsync)(descriptor);
}

int rename(const char *from, const char *to)
{
    return struck(RENAME) ? fail(EIO) : REAL(rename)(from, to);
}

int unlink(const char *path)
{
    return struck(REMOVE) ? fail(EIO) : REAL(unlink)(path);
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t permissions = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return struck(OPEN) ? fail(EMFILE) : REAL(open)(path, flags, permissions);
}

FILE *fopen(const char *path, const char *how)
{
    return struck(OPEN) ? (errno = EMFILE, NULL) : REAL(fopen)(path, how);
}
