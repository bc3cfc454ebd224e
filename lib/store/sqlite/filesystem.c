/* SPDX-License-Identifier: MIT */
#include "store/sqlite/filesystem.h"

#include <errno.h>
#include <string.h>
#ifdef __linux__
#include <sys/vfs.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

#include "base/memory.h"

static unsigned long pretended_type;

void filesystem_pretend(unsigned long type)
{
	pretended_type = type;
}

static const struct {
	unsigned long type;
	const char *name;
} network_types[] = {
	{0x6969, "NFS"}, {0x517b, "SMB"}, {0xff534d42, "CIFS"}, {0xfe534d42, "SMB2"}, {0x5346414f, "AFS"},
	{0x6b414653, "AFS"}, {0x73757245, "Coda"}, {0x564c, "NCP"}, {0x01021997, "9P"}, {0x00c36400, "Ceph"},
	{0x0bd00bd0, "Lustre"}, {0x47504653, "GPFS"}, {0x01161970, "GFS2"}, {0x7461636f, "OCFS2"},
	{0x19830326, "BeeGFS"},
};

/* NULL for a local one. */
static const char *network_name(unsigned long type)
{
	for (size_t i = 0; i < ARRAY_SIZE(network_types); i++)
		if (network_types[i].type == type)
			return network_types[i].name;
	return NULL;
}

static const char *network_of(const struct statfs *status)
{
#ifdef __linux__
	return network_name((unsigned long)status->f_type & 0xffffffff);
#else
	return status->f_flags & MNT_LOCAL ? NULL : status->f_fstypename;
#endif
}

int filesystem_check(const char *path, shipopt_error **ret_error)
{
	const char *slash = strrchr(path, '/');
	char *folder = mem_copy_bytes(path, slash == path ? 1 : (size_t)(slash - path));
	if (!folder)
		return SHIPOPT_ENOMEM;
	struct statfs status = {0};
	/* The file may be a link to another file system; before it is made, its folder has to do. */
	int failure = statfs(path, &status) < 0 && statfs(folder, &status) < 0 ? errno : 0;
	mem_free(folder);
	if (failure)
		return error_set(ret_error, SHIPOPT_EDATABASE, "%s: its folder: %s", path, strerror(failure));
	const char *name = pretended_type ? network_name(pretended_type) : network_of(&status);
	if (name)
		return error_set(ret_error, SHIPOPT_EUNSUPPORTED,
			"%s is on a network file system (%s); the store needs a local disk", path, name);
	return 0;
}
