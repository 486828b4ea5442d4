/* The number of processors: the quota of control groups, from folders that look like a system's, and the mask. */
#define _GNU_SOURCE
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/processors.h"
#include "check.h"

static char root[] = "/tmp/dualdiff_processors_XXXXXX";

/* Write a file under the root, and its folders. */
static void put(const char *path, const char *content)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = strchr(whole + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(whole, 0777);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    CHECK(file, "%s", whole);
    fputs(content, file);
    fclose(file);
}

static void begin(const char *mounts, const char *groups)
{
    char command[512];
    snprintf(command, sizeof command, "rm -rf %s/sys %s/proc", root, root);
    CHECK(!system(command), "%s", command);
    put("/proc/self/mountinfo", mounts);
    put("/proc/self/cgroup", groups);
}

static const char version_2[] = "22 1 0:20 / /proc rw - proc proc rw\n"
                                "30 1 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

static void test_version_2(void)
{
    begin(version_2, "0::/user.slice/job\n");
    CHECK(isinf(dd_processor_quota(root)), "a quota of %g", dd_processor_quota(root));
    put("/sys/fs/cgroup/user.slice/job/cpu.max", "max 100000\n");
    CHECK(isinf(dd_processor_quota(root)), "a quota of %g", dd_processor_quota(root));
    put("/sys/fs/cgroup/user.slice/job/cpu.max", "250000 100000\n");
    CHECK(dd_processor_quota(root) == 2.5, "it is %g", dd_processor_quota(root));
    put("/sys/fs/cgroup/user.slice/cpu.max", "50000 100000\n");
    CHECK(dd_processor_quota(root) == .5, "it is %g", dd_processor_quota(root));
}

/* In a container the group is "/", or seen from outside, and the mount point is the group itself. */
static void test_container(void)
{
    static const char *const groups[] = {"0::/\n", "0::/../../other\n"};
    for (int i = 0; i < 2; i++) {
        begin(version_2, groups[i]);
        put("/sys/fs/cgroup/cpu.max", "150000 50000\n");
        CHECK(dd_processor_quota(root) == 3, "it is %g", dd_processor_quota(root));
    }
}

static void test_version_1(void)
{
    begin("33 32 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
          "34 32 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
          "5:cpuset:/docker/abc\n4:cpu,cpuacct:/docker/abc/job\n0::/\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n");
    put("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    CHECK(dd_processor_quota(root) == 4, "it is %g", dd_processor_quota(root));
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "100000\n");
    CHECK(dd_processor_quota(root) == 4, "it is %g", dd_processor_quota(root));
    put("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "150000\n");
    CHECK(dd_processor_quota(root) == 1.5, "it is %g", dd_processor_quota(root));
}

static void test_nothing_there(void)
{
    CHECK(isinf(dd_processor_quota("/nowhere")), "a quota of %g", dd_processor_quota("/nowhere"));
    begin("no mount\n30 1 0:26 / /sys/fs/cgroup rw - cgroup2\n", "nothing\n");
    CHECK(isinf(dd_processor_quota(root)), "a quota of %g", dd_processor_quota(root));
}

static void test_mask(void)
{
    cpu_set_t old, one;
    CHECK(!sched_getaffinity(0, sizeof old, &old), "no mask");
    int all = dd_processors();
    CHECK(all >= 1 && all <= CPU_COUNT(&old), "%d of %d", all, CPU_COUNT(&old));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &old))
            CPU_SET(i, &one);
    CHECK(!sched_setaffinity(0, sizeof one, &one), "the mask cannot be set");
    CHECK(dd_processors() == 1, "%d", dd_processors());
    CHECK(!sched_setaffinity(0, sizeof old, &old), "the mask cannot be set");
}

int main(void)
{
    CHECK(mkdtemp(root), "%s", root);
    test_version_2();
    test_container();
    test_version_1();
    test_nothing_there();
    test_mask();
    char command[512];
    snprintf(command, sizeof command, "rm -rf %s", root);
    CHECK(!system(command), "%s", command);
    return check_report();
}
