/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_PLACE_H
#define STORE_SQLITE_PLACE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Where the files of an open database are, and whether they are still there.
 *
 * A database in use has three files: the file itself, its write-ahead log (-wal), and memory that all processes share
 * (-shm). A commit is in the log on disk. Another program, or this one after a crash, finds it by the file names.
 * SQLite opens the three files once, and goes on using them if their names disappear. So the device and inode of each
 * file are remembered, and compared with those of the files that have the names now. If the store was opened through a
 * symbolic link, the link is a fourth name: SQLite resolves it and keeps the log beside the real file.
 *
 * SQLite creates -wal and -shm at the first read, and removes them when the last connection of any program closes. So
 * while a connection is open, a missing file was deleted. A new connection that finds one missing while another program
 * has the file open must not create it.
 *
 * A check costs one stat(2) for each name. The files are never opened here, because closing one would drop SQLite's
 * locks.
 */
struct place_file {
	const char *path;
	dev_t device;
	ino_t inode;
};

#define PLACE_FILES_MAX 4

/* All zero: nothing is checked. A VFS of the tests has no files. */
struct place {
	struct place_file files[PLACE_FILES_MAX]; /* the file, -wal, -shm, and the given name if it is another one */
	size_t count;                             /* of those that are remembered */
	char *shm_path;
};

/* Finds the names, after the file was opened and before the first read. Borrows `path` and the names in the handle.
 * Refuses a file that the store cannot use (filesystem_check_file) with SHIPOPT_EUNSUPPORTED. */
int place_find(struct place *place, sqlite3 *handle, const char *path, shipopt_error **ret_error);
void place_forget(struct place *place);
/* Whether both -wal and -shm have their names. */
bool place_has_log(const struct place *place);
/* Remembers the files as they are now. SHIPOPT_EDATABASE: one is missing. */
int place_remember(struct place *place, sqlite3 *handle, shipopt_error **ret_error);
/* Checks that all files are the remembered ones, and that the file has one name. SHIPOPT_EDATABASE names the wrong
 * one. */
int place_check(const struct place *place, shipopt_error **ret_error);
/* After a failed check: whether the file is still in its place and there is no -wal, not even a new one. */
bool place_lost_log_only(const struct place *place);

#endif
