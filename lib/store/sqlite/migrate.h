/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_MIGRATE_H
#define STORE_SQLITE_MIGRATE_H

#include "store/sqlite/database.h"

/*
 * The parts of migrations that read rows one by one, inside the migration's transaction.
 *
 * From version 1, where a run could make several rows of what is one order or one shipment. Nothing is merged and nothing
 * is forgotten; rows that contradict each other are marked for a person (needs_person) and no run buys or sends them again:
 *   - a key that is not spelled as keys are today gets today's spelling; where that makes two rows equal, both are marked and
 *     the younger one keeps its old spelling;
 *   - of rows that share a shipment id the first keeps it for itself, all are marked.
 */
int migrate_version_1(struct database *database, shipopt_error **ret_error);

/* Gives the rows whose mode was guessed the mode `mode`. One that would then equal another row keeps its mode and is marked for a
 * person. In a transaction of its own. */
int migrate_confirm_mode(struct database *database, const char *mode, shipopt_error **ret_error);

#endif
