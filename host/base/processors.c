#define _GNU_SOURCE /* sched_getaffinity, CPU_ALLOC */
#include "base/processors.h"

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the affinity mask ---- */

/* A mask of a fixed size fails with EINVAL on a machine with more processors than it has bits. */
static int processors_of_mask(void)
{
    enum { FIRST = 1024, MOST = 1 << 20 };
    for (int most = FIRST; most <= MOST; most *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)most);
        if (!set)
            return 1;
        int failed = sched_getaffinity(0, CPU_ALLOC_SIZE((size_t)most), set);
        int again = failed && errno == EINVAL;
        int count = failed ? 1 : CPU_COUNT_S(CPU_ALLOC_SIZE((size_t)most), set);
        CPU_FREE(set);
        if (!again)
            return count;
    }
    return 1;
}

/* ---- the quota ---- */

enum { LINE = 4096 };

static FILE *open_under(const char *root, const char *path)
{
    char whole[2 * LINE];
    int length = snprintf(whole, sizeof whole, "%s%s", root, path);
    return length < (int)sizeof whole ? fopen(whole, "r") : NULL;
}

/* The first line of folder/name, without its end; 0 if there is none. */
static int first_line(const char *root, const char *folder, const char *name, char line[LINE])
{
    char path[2 * LINE];
    int length = snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = length < (int)sizeof path ? open_under(root, path) : NULL;
    int found = file && fgets(line, LINE, file);
    if (file)
        fclose(file);
    return found;
}

/* The quota that the files of one control group say. */
static double quota_of_group(const char *root, const char *group)
{
    char line[LINE];
    double quota = -1, period = 0;
    if (first_line(root, group, "cpu.max", line)) /* "max 100000" or "150000 100000" */
        sscanf(line, "%lf %lf", &quota, &period);
    else if (first_line(root, group, "cpu.cfs_quota_us", line) && sscanf(line, "%lf", &quota) == 1 &&
             first_line(root, group, "cpu.cfs_period_us", line))
        sscanf(line, "%lf", &period);
    return quota > 0 && period > 0 ? quota / period : INFINITY;
}

/* The smallest quota of mount + group and the groups above it, up to the mount point. */
static double quota_from_group_up(const char *root, const char *mount, const char *group)
{
    char path[2 * LINE];
    size_t top = strlen(mount);
    double quota = INFINITY;
    if (snprintf(path, sizeof path, "%s%s", mount, group) >= (int)sizeof path)
        return quota;
    for (;;) {
        quota = fmin(quota, quota_of_group(root, path));
        char *slash = strrchr(path, '/');
        if (!slash || (size_t)(slash - path) < top)
            return quota;
        *slash = '\0';
    }
}

/* Whether the comma-separated list has the word. */
static int has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += length)
        if ((at == list || at[-1] == ',') && strchr(",:\n", at[length]))
            return 1;
    return 0;
}

/* The group of this process in the hierarchy of version 2, or in that of version 1 with the cpu controller; 0 if there
 * is none. The lines of /proc/self/cgroup are "number:controllers:group". */
static int own_group(const char *root, int version, char group[LINE])
{
    char line[LINE];
    FILE *file = open_under(root, "/proc/self/cgroup");
    int found = 0;
    while (file && !found && fgets(line, LINE, file)) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        found = version == 2 ? !strncmp(line, "0:", 2) && !controllers[1] : has_word(controllers + 1, "cpu");
        path[strcspn(path, "\n")] = '\0';
        memcpy(group, path, strlen(path) + 1);
    }
    if (file)
        fclose(file);
    return found;
}

/* `group` as seen below a mount of the hierarchy's folder `mounted`: "" outside of it, where a container sees only its
 * own group, which is the mount point. */
static const char *below(const char *group, const char *mounted)
{
    size_t length = !strcmp(mounted, "/") ? 0 : strlen(mounted);
    int inside = !strncmp(group, mounted, length) && strncmp(group, "/..", 3);
    return inside && strcmp(group, "/") ? group + length : "";
}

/* A line of /proc/self/mountinfo: "id parent device mounted mount options ... - type source superoptions". */
static double quota_of_mount(const char *root, const char *line)
{
    char mounted[LINE], mount[LINE], type[LINE], options[LINE], group[LINE];
    const char *rest = strstr(line, " - ");
    if (!rest || sscanf(line, "%*s %*s %*s %4095s %4095s", mounted, mount) != 2 ||
        sscanf(rest, " - %4095s %*s %4095s", type, options) != 2)
        return INFINITY;
    int version = !strcmp(type, "cgroup2") ? 2 : !strcmp(type, "cgroup") && has_word(options, "cpu") ? 1 : 0;
    if (!version || !own_group(root, version, group))
        return INFINITY;
    return quota_from_group_up(root, mount, below(group, mounted));
}

double dd_processor_quota(const char *root)
{
    char line[LINE];
    double quota = INFINITY;
    FILE *file = open_under(root, "/proc/self/mountinfo");
    while (file && fgets(line, LINE, file))
        quota = fmin(quota, quota_of_mount(root, line));
    if (file)
        fclose(file);
    return quota;
}

int dd_processors(void)
{
    double quota = floor(dd_processor_quota(""));
    int mask = processors_of_mask();
    return quota < 1 ? 1 : quota < mask ? (int)quota : mask;
}
