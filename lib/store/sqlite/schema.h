/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_SCHEMA_H
#define STORE_SQLITE_SCHEMA_H

#include "store/sqlite/database.h"

/*
 * The schema and its versions.
 *
 * `PRAGMA application_id` says that the file is the library's. `PRAGMA user_version` is the number of migrations that
 * the file has had. A migration is a list of statements, and a function where SQL alone is not enough (migrate.h). All
 * missing migrations run in one BEGIN IMMEDIATE transaction: of two processes that open a new file at once, one
 * migrates it and the other finds it done. A released migration never changes. A file of a version above SCHEMA_VERSION
 * is refused, and so is a database of another program that is not empty.
 *
 *   1   ledger, budgets, audit
 *   2   The row of a purchase has everything that decides about it. Shipment ids are unique, and an account has one
 *       tenant. Rows of version 1 get normalised keys. They are marked where a person must look: keys that became
 *       equal, shipments that two rows share, and modes that were guessed from the API key.
 *   3   The rule that chose the stored rate. An index for all rows that a person must settle.
 */
#define SCHEMA_APPLICATION_ID 0x53484f50 /* "SHOP" */
#define SCHEMA_VERSION 3

/* Checks the version, and changes nothing. SHIPOPT_EDATABASE for a file of another program or of a newer library. */
int schema_check(struct database *database, shipopt_error **ret_error);
int schema_migrate(struct database *database, shipopt_error **ret_error);

#endif
