/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_FILESYSTEM_H
#define STORE_SQLITE_FILESYSTEM_H

#include "base/error.h"

/*
 * Which folders and files the store refuses.
 *
 * It refuses folders on network file systems. SQLite's write-ahead log needs memory that all users of the file share,
 * and locks that hold. A server that loses an acknowledged write could lead to a second label. The type number of
 * statfs(2) (Linux, <linux/magic.h>) or the mount's "local" flag (BSD, macOS) tells such file systems. FUSE is allowed,
 * because its type does not say where the data is.
 *
 * It refuses files that are in two places. SQLite finds the log of a file by its name ("ship.db-wal"), so the log is in
 * the folder where the file was opened:
 *   - A file with several hard links has a log beside each name. A process that uses one name does not see what
 *     processes with the other name bought.
 *   - A file that is a mount point (docker -v /srv/ship.db:/data/ship.db) has its log outside of the mount, for example
 *     in a container's layer. Other processes do not see that log, and it is lost with the container.
 * The mount id of statx(2) tells such a file: it differs from that of its folder (Linux 5.8). Elsewhere the device
 * number is used, which only tells a file that comes from another file system.
 */

/* Checks the folder of a file. `path` is absolute. SHIPOPT_EUNSUPPORTED names the file system. SHIPOPT_EDATABASE: the
 * folder is missing, or the file cannot be created in it. */
int filesystem_check(const char *path, shipopt_error **ret_error);

/* Checks a file that exists. `path` is absolute and no symbolic link. SHIPOPT_EUNSUPPORTED says what is wrong and what
 * to do. */
int filesystem_check_file(const char *path, shipopt_error **ret_error);

/* For tests: sets the type that statfs gives; 0 asks the system again. Call it before threads start. */
void filesystem_pretend(unsigned long type);

#endif
