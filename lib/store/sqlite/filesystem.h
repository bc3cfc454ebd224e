/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_FILESYSTEM_H
#define STORE_SQLITE_FILESYSTEM_H

#include "base/error.h"

/*
 * Places where the store cannot keep its promise.
 *
 * Refuses folders on network file systems: SQLite's write-ahead log needs memory shared by all who use the
 * file, and locks that hold, and a ledger on a server that forgets an acknowledged write could buy twice.
 * Known by the type number of statfs(2) (Linux, <linux/magic.h>) or by the mount's "local" flag (BSD,
 * macOS). FUSE is let through: it says nothing about what lies behind it.
 *
 * Refuses files that have two places. SQLite finds the log of a file by its name ("ship.db-wal"), so the
 * log lies in the folder where the file was opened:
 * - a file with several hard links has a log beside each name, and who uses one name does not see what
 *   others bought;
 * - a file that is mounted by itself (docker -v /srv/ship.db:/data/ship.db) has its log outside of the
 *   mount, in a container's layer for one: others do not see it, and it is gone with the container.
 * A mount is known by the mount id of statx(2), which for such a file differs from its folder's (Linux 5.8);
 * elsewhere by a different device, which shows a file that comes from another file system only.
 */

/* `path` is absolute; its folder is looked at. SHIPOPT_EUNSUPPORTED names the file system,
 * SHIPOPT_EDATABASE a folder that is not there, or where the file cannot be made. */
int filesystem_check(const char *path, shipopt_error **ret_error);

/* `path` is absolute, without a link at its end; the file is there. SHIPOPT_EUNSUPPORTED says what is wrong
 * and what to do. */
int filesystem_check_file(const char *path, shipopt_error **ret_error);

/* For tests: what statfs says, instead of asking it; 0 asks again. Set it before threads start. */
void filesystem_pretend(unsigned long type);

#endif
