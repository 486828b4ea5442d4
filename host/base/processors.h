/* How many threads of this process can run at the same time. */
#ifndef DD_PROCESSORS_H
#define DD_PROCESSORS_H

/* The processors of the affinity mask, or the quota of the control groups if that is less; at least 1. A quota of 2.5
 * processors counts as 2: threads that wait for each other would all wait for a third one that runs half of the time.
 */
int dd_processors(void);

/* The smallest quota of this process's control group and the groups above it, in processors; INFINITY without a quota.
 * Reads cpu.max (version 2) and cpu.cfs_quota_us (version 1). `root` is prepended to /proc and to the mount points: ""
 * outside of tests. */
double dd_processor_quota(const char *root);

#endif
