/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_CORES_H
#define RUNTIME_CORES_H

/*
 * How many cores this process may use: the size of its affinity mask, at most its cgroup's CPU quota rounded up. A
 * container with 64 cores in sight and a quota of 1.5 is a machine of two.
 *
 * The quota is read from cgroup v2 (cpu.max) or v1 (cpu.cfs_quota_us over cpu.cfs_period_us), for the process's own
 * group and every group above it that can be seen; the smallest counts. Anything that cannot be read limits nothing.
 */
int cores_usable(void); /* at least 1 */

/* The quota in whole cores, rounded up, or 0 for none, from a file such as /proc/self/cgroup and the place where the
 * cgroup file systems are mounted. */
int cores_quota(const char *groups_path, const char *mount_path);

#endif
