/* SPDX-License-Identifier: MIT */
#include "commit_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stddef.h>

static struct {
	pthread_mutex_t lock;
	int syncs_left;
	void (*hook)(void *argument);
	void *argument;
} commit = {.lock = PTHREAD_MUTEX_INITIALIZER};
static sqlite3_vfs commit_vfs;
static sqlite3_io_methods log_methods; /* those of the default VFS, which has one set for logs */
static const sqlite3_io_methods *real_methods;

static int log_sync(sqlite3_file *file, int flags)
{
	pthread_mutex_lock(&commit.lock);
	void (*hook)(void *argument) = commit.syncs_left > 0 && --commit.syncs_left == 0 ? commit.hook : NULL;
	pthread_mutex_unlock(&commit.lock);
	if (hook)
		hook(commit.argument);
	return real_methods->xSync(file, flags);
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	sqlite3_vfs *real = vfs->pAppData;
	int code = real->xOpen(real, name, file, flags, ret_flags);
	if (code != SQLITE_OK || !(flags & SQLITE_OPEN_WAL))
		return code;
	pthread_mutex_lock(&commit.lock);
	if (!real_methods) {
		real_methods = file->pMethods;
		log_methods = *real_methods;
		log_methods.xSync = log_sync;
	}
	pthread_mutex_unlock(&commit.lock);
	file->pMethods = &log_methods;
	return code;
}

void commit_vfs_register(void)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	commit_vfs = *real;
	commit_vfs.zName = COMMIT_VFS_NAME;
	commit_vfs.pAppData = real;
	commit_vfs.xOpen = vfs_open;
	sqlite3_vfs_register(&commit_vfs, 0);
}

void commit_vfs_arm(int number, void (*hook)(void *argument), void *argument)
{
	pthread_mutex_lock(&commit.lock);
	commit.syncs_left = hook ? number : 0;
	commit.hook = hook;
	commit.argument = argument;
	pthread_mutex_unlock(&commit.lock);
}
