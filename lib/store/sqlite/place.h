/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_PLACE_H
#define STORE_SQLITE_PLACE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/*
 * Where the files of an open database lie, and whether they are still there.
 *
 * A database in use is three files: the file itself, its write-ahead log (-wal) and the shared memory of
 * all who use it (-shm). A commit is on disk in the log; what another program, or this one after a crash,
 * finds there depends on the names. SQLite opens the three once and works on, whatever becomes of the
 * names. So device and inode of each are remembered as opened, and compared with what the names lead to. If
 * the store was opened through a symbolic link, the link is a fourth name: SQLite resolves it and keeps the
 * log beside the real file.
 *
 * SQLite makes -wal and -shm at the first read and removes them when the last connection of any program
 * closes; while one is open they stay. So a missing one means that somebody removed it, and a new
 * connection that finds one missing while another program has the file open must not make a new one.
 *
 * This costs one stat(2) for each name. The files are never opened here: closing one would drop SQLite's
 * locks.
 */
struct place_file {
	const char *path;
	dev_t device;
	ino_t inode;
};

#define PLACE_FILES_MAX 4

/* All zero: nothing is looked at, as for a VFS of the tests that has no files. */
struct place {
	struct place_file files[PLACE_FILES_MAX]; /* the file, -wal, -shm, and the given name if it is another one */
	size_t count;                             /* of those that are remembered */
	char *shm_path;
};

/* After the file was opened, before the first read. `path` is borrowed, and what the handle says of its
 * names. Refuses a file that the store cannot use (filesystem_check_file): SHIPOPT_EUNSUPPORTED. */
int place_find(struct place *place, sqlite3 *handle, const char *path, shipopt_error **ret_error);
void place_forget(struct place *place);
/* Whether both -wal and -shm have their names. */
bool place_has_log(const struct place *place);
/* Remembers the files as they are now. SHIPOPT_EDATABASE: one is missing. */
int place_remember(struct place *place, sqlite3 *handle, shipopt_error **ret_error);
/* Whether all are what they were, and the file still has one name: SHIPOPT_EDATABASE says which is not. */
int place_check(const struct place *place, shipopt_error **ret_error);
/* After a failed check: the file is where it was, and there is no -wal beside it, not even a new one. */
bool place_lost_log_only(const struct place *place);

#endif
