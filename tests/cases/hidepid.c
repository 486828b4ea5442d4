/* As /proc mounted with hidepid=2 shows it to another user: of processes other than this one there is nothing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int hidden(const char *path)
{
    long pid;
    return sscanf(path, "/proc/%ld/", &pid) == 1 && pid != (long)getpid();
}

FILE *fopen(const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
    if (!hidden(path))
        return real(path, mode);
    errno = ENOENT;
    return NULL;
}

FILE *fopen64(const char *path, const char *mode)
{
    return fopen(path, mode);
}
