/* SPDX-License-Identifier: MIT */
#ifndef TESTS_COMMIT_VFS_H
#define TESTS_COMMIT_VFS_H

/*
 * A moment within a COMMIT: the default VFS of SQLite under another name, which calls a function when the
 * write-ahead log is synced. The frames of the commit are written then, and BEGIN is long over.
 *
 * For database_set_vfs(). The function runs on the thread that commits.
 */
#define COMMIT_VFS_NAME "commit"

void commit_vfs_register(void);
/* `hook` is called in the `number`-th sync of a log from now on, from 1, and not again; NULL: never. */
void commit_vfs_arm(int number, void (*hook)(void *argument), void *argument);

#endif
