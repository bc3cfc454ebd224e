/* SPDX-License-Identifier: MIT */
#include "runtime/cores.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

#define PATH_SIZE 1024
#define CPUS_MAX 65536

/* The first line of a file, without its end. */
static bool cores_read_line(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");
	bool ok = file && fgets(line, size, file);
	if (file)
		fclose(file);
	if (ok)
		line[strcspn(line, "\n")] = '\0';
	return ok;
}

static int cores_quota_cores(long long quota, long long period)
{
	if (quota <= 0 || period <= 0)
		return 0;
	return (int)MIN((quota + period - 1) / period, (long long)CPUS_MAX);
}

static int cores_read_v2(const char *folder)
{
	char path[PATH_SIZE + 32], line[128];
	long long quota, period;
	snprintf(path, sizeof(path), "%s/cpu.max", folder);
	if (!cores_read_line(path, line, sizeof(line)) || sscanf(line, "%lld %lld", &quota, &period) != 2)
		return 0; /* also "max 100000": no limit */
	return cores_quota_cores(quota, period);
}

static int cores_read_v1(const char *folder)
{
	char path[PATH_SIZE + 32], line[128];
	long long quota, period;
	snprintf(path, sizeof(path), "%s/cpu.cfs_quota_us", folder);
	if (!cores_read_line(path, line, sizeof(line)) || sscanf(line, "%lld", &quota) != 1)
		return 0;
	snprintf(path, sizeof(path), "%s/cpu.cfs_period_us", folder);
	if (!cores_read_line(path, line, sizeof(line)) || sscanf(line, "%lld", &period) != 1)
		return 0;
	return cores_quota_cores(quota, period);
}

static int cores_smaller_limit(int a, int b)
{
	return a == 0 || b == 0 ? MAX(a, b) : MIN(a, b);
}

/* From the group up to the mount point, which is the group itself where a container sees only its own part. */
static int cores_walk_up(const char *mount, const char *group, int (*read_folder)(const char *folder))
{
	char folder[PATH_SIZE];
	int limit = 0;
	int length = snprintf(folder, sizeof(folder), "%s%s", mount, group);
	if (length < 0 || (size_t)length >= sizeof(folder))
		return read_folder(mount);
	size_t mount_length = strlen(mount);
	for (;;) {
		size_t end = strlen(folder);
		while (end > mount_length && folder[end - 1] == '/')
			folder[--end] = '\0';
		limit = cores_smaller_limit(limit, read_folder(folder));
		if (end <= mount_length)
			return limit;
		*strrchr(folder, '/') = '\0';
	}
}

/* Whether a comma-separated list of controllers has the one named "cpu". */
static bool cores_names_cpu(const char *controllers)
{
	for (const char *name = controllers; name; name = strchr(name, ',') ? strchr(name, ',') + 1 : NULL)
		if (strcspn(name, ",") == 3 && strncmp(name, "cpu", 3) == 0)
			return true;
	return false;
}

/* One line, "hierarchy:controllers:group". */
static int cores_line_quota(char *line, const char *mount)
{
	char folder[PATH_SIZE];
	char *controllers = strchr(line, ':');
	char *group = controllers ? strchr(controllers + 1, ':') : NULL;
	if (!group)
		return 0;
	*controllers++ = '\0';
	*group++ = '\0';
	if (strcmp(line, "0") == 0 && *controllers == '\0')
		return cores_walk_up(mount, group, cores_read_v2);
	if (!cores_names_cpu(controllers))
		return 0;
	snprintf(folder, sizeof(folder), "%s/cpu", mount);
	int limit = cores_walk_up(folder, group, cores_read_v1);
	snprintf(folder, sizeof(folder), "%s/%s", mount, controllers);
	return cores_smaller_limit(limit, cores_walk_up(folder, group, cores_read_v1));
}

int cores_quota(const char *groups_path, const char *mount_path)
{
	char line[PATH_SIZE];
	int limit = 0;
	FILE *file = fopen(groups_path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		limit = cores_smaller_limit(limit, cores_line_quota(line, mount_path));
	}
	if (file)
		fclose(file);
	return limit;
}

static int cores_affinity_count(void)
{
#ifdef __linux__
	/* The kernel refuses a mask smaller than its own, so it grows until it is taken. */
	for (int cpus = 1024; cpus <= CPUS_MAX; cpus *= 4) {
		cpu_set_t *set = CPU_ALLOC((size_t)cpus);
		if (!set)
			break;
		size_t size = CPU_ALLOC_SIZE((size_t)cpus);
		int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : 0;
		CPU_FREE(set);
		if (count > 0)
			return count;
	}
#endif
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (int)MIN(online, (long)CPUS_MAX) : 1;
}

int cores_usable(void)
{
	return MAX(cores_smaller_limit(cores_affinity_count(), cores_quota("/proc/self/cgroup", "/sys/fs/cgroup")), 1);
}
