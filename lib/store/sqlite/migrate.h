/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_MIGRATE_H
#define STORE_SQLITE_MIGRATE_H

#include "store/sqlite/database.h"

/*
 * The parts of migrations that read rows one by one, inside the migration's transaction.
 *
 * Version 1 could have several rows for one order or one shipment. The migration does not merge or delete rows. It
 * marks rows that contradict each other for a person (needs_person). `reason` names the other row and says what to do,
 * and no run buys or sends marked rows:
 *   - A key that is not spelled as keys are today gets today's spelling, in all its generations. If rows of another
 *     spelling have that key already, it keeps its own spelling, and both are marked.
 *   - A key that is not allowed today stays as it is. It is marked unless it has a label.
 *   - Of rows that share a shipment id, the first one keeps it (`duplicate`). All are marked.
 */
int migrate_version_1(struct database *database, shipopt_error **ret_error);

/* Gives the rows with a guessed mode the mode `mode`, in its own transaction. A guessed row keeps its mode if a row of
 * `mode` has the same key; then both are marked for a person. Rows that share a shipment afterwards are marked as
 * well. */
int migrate_confirm_mode(struct database *database, const char *mode, shipopt_error **ret_error);

#endif
