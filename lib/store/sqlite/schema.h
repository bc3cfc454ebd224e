/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_SCHEMA_H
#define STORE_SQLITE_SCHEMA_H

#include "store/sqlite/database.h"

/*
 * The schema and its versions.
 *
 * `PRAGMA user_version` is the number of migrations a file has seen, `PRAGMA application_id` says that it is ours. Each
 * migration is a list of statements and, where SQL alone cannot do it, a function (migrate.h); all that are missing run in one
 * BEGIN IMMEDIATE transaction, so that of two processes which open a new file at once one migrates and the other finds it
 * done. A migration that was released is never changed. A file with a higher version than SCHEMA_VERSION is refused, and so is
 * a database that is not ours and not empty.
 *
 *   1   ledger, budgets, audit
 *   2   a purchase keeps all that decides about it in its row; unique shipments; one tenant for each account. Rows of version 1
 *       get normalised keys, and are marked where a person must look: keys that became equal, shipments that two rows share, and
 *       modes that were guessed from the API key
 *   3   the rule that chose the stored rate; an index for all rows that a person must settle
 */
#define SCHEMA_APPLICATION_ID 0x53484f50 /* "SHOP" */
#define SCHEMA_VERSION 3

/* SHIPOPT_EDATABASE if the file is another program's or of a newer library. Changes nothing. */
int schema_check(struct database *database, shipopt_error **ret_error);
int schema_migrate(struct database *database, shipopt_error **ret_error);

#endif
