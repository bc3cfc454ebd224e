/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/sqlite/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/vfs.h>
#else
#include <sys/mount.h>
#include <sys/param.h>
#endif

#include "base/memory.h"

#define OVERLAYFS_TYPE 0x794c7630UL

static unsigned long pretended_type;

void filesystem_pretend(unsigned long type)
{
	pretended_type = type;
}

static const struct {
	unsigned long type;
	const char *name;
} network_types[] = {
	{0x6969, "NFS"},
	{0x517b, "SMB"},
	{0xff534d42, "CIFS"},
	{0xfe534d42, "SMB2"},
	{0x5346414f, "AFS"},
	{0x6b414653, "AFS"},
	{0x73757245, "Coda"},
	{0x564c, "NCP"},
	{0x01021997, "9P"},
	{0x00c36400, "Ceph"},
	{0x0bd00bd0, "Lustre"},
	{0x47504653, "GPFS"},
	{0x01161970, "GFS2"},
	{0x7461636f, "OCFS2"},
	{0x19830326, "BeeGFS"},
};

/* NULL for a local one. */
static const char *filesystem_network_name(unsigned long type)
{
	for (size_t i = 0; i < ARRAY_SIZE(network_types); i++)
		if (network_types[i].type == type)
			return network_types[i].name;
	return NULL;
}

static const char *filesystem_network_of(const struct statfs *status)
{
#ifdef __linux__
	return filesystem_network_name((unsigned long)status->f_type & 0xffffffff);
#else
	return status->f_flags & MNT_LOCAL ? NULL : status->f_fstypename;
#endif
}

/* To be freed; NULL when out of memory. */
static char *filesystem_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	return mem_copy_bytes(path, slash == path ? 1 : (size_t)(slash - path));
}

int filesystem_check(const char *path, shipopt_error **ret_error)
{
	char *folder = filesystem_folder_of(path);
	if (!folder)
		return SHIPOPT_ENOMEM;
	struct statfs status = {0};
	struct stat file;
	/* The file may be a link to another file system; before it is made, its folder has to do. */
	int failure = statfs(path, &status) < 0 && statfs(folder, &status) < 0 ? errno : 0;
	/* SQLite would say that there is no such file. */
	int refusal = failure == 0 && lstat(path, &file) < 0 && access(folder, W_OK) < 0 ? errno : 0;
	mem_free(folder);
	if (failure)
		return error_set(ret_error, SHIPOPT_EDATABASE, "%s: its folder: %s", path, strerror(failure));
	if (refusal)
		return error_set(ret_error, SHIPOPT_EDATABASE, "%s cannot be made in its folder: %s", path,
			strerror(refusal));
	const char *name = pretended_type ? filesystem_network_name(pretended_type) : filesystem_network_of(&status);
	if (name)
		return error_set(ret_error, SHIPOPT_EUNSUPPORTED,
			"%s is on a network file system (%s); the store needs a local disk", path, name);
	return 0;
}

/* --- the file --- */

/* False: the system does not say. */
static bool filesystem_mount_id(const char *path, uint64_t *ret_id)
{
#ifdef STATX_MNT_ID
	struct statx status;
	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID, &status) == 0 && status.stx_mask & STATX_MNT_ID) {
		*ret_id = status.stx_mnt_id;
		return true;
	}
#endif
	return false;
}

static bool filesystem_is_on_other_device(const char *path, const char *folder)
{
	struct stat file, around;
	if (stat(path, &file) < 0 || stat(folder, &around) < 0 || file.st_dev == around.st_dev)
		return false;
#ifdef __linux__
	/* A file of an overlay may have the device of its layer. */
	struct statfs status;
	return statfs(path, &status) < 0 || (unsigned long)status.f_type != OVERLAYFS_TYPE;
#else
	return true;
#endif
}

static bool filesystem_is_mounted_alone(const char *path, const char *folder)
{
	uint64_t file, around;
	if (filesystem_mount_id(path, &file) && filesystem_mount_id(folder, &around))
		return file != around;
	return filesystem_is_on_other_device(path, folder);
}

int filesystem_check_file(const char *path, shipopt_error **ret_error)
{
	struct stat status;
	if (stat(path, &status) < 0)
		return error_set(ret_error, SHIPOPT_EDATABASE, "%s: %s", path, strerror(errno));
	if (status.st_nlink > 1)
		return error_set(ret_error, SHIPOPT_EUNSUPPORTED,
			"%s has %llu names (hard links); each would have a log of its own, and labels could be bought "
			"twice. Remove the other names (find -samefile shows them), or copy the file",
			path, (unsigned long long)status.st_nlink);
	char *folder = filesystem_folder_of(path);
	if (!folder)
		return SHIPOPT_ENOMEM;
	bool is_alone = filesystem_is_mounted_alone(path, folder);
	mem_free(folder);
	if (is_alone)
		return error_set(ret_error, SHIPOPT_EUNSUPPORTED,
			"%s is mounted by itself; its log would lie outside of the mount, where others do not see it, "
			"and labels could be bought twice. Mount the folder, not the file",
			path);
	return 0;
}
