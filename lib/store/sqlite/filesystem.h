/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_FILESYSTEM_H
#define STORE_SQLITE_FILESYSTEM_H

#include "base/error.h"

/*
 * Refuses folders on network file systems: SQLite's write-ahead log needs memory shared by all who use the file, and locks
 * that hold, and a ledger on a server that forgets an acknowledged write could buy twice. Known by the type number
 * of statfs(2) (Linux, <linux/magic.h>) or by the mount's "local" flag (BSD, macOS). FUSE is let through: it says nothing
 * about what lies behind it.
 */

/* `path` is absolute; its folder is looked at. SHIPOPT_EUNSUPPORTED names the file system, SHIPOPT_EDATABASE a folder that
 * is not there. */
int filesystem_check(const char *path, shipopt_error **ret_error);

/* For tests: what statfs says, instead of asking it; 0 asks again. Set it before threads start. */
void filesystem_pretend(unsigned long type);

#endif
