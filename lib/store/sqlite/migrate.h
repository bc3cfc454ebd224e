/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_MIGRATE_H
#define STORE_SQLITE_MIGRATE_H

#include "store/sqlite/database.h"

/*
 * The parts of migrations that read rows one by one, inside the migration's transaction.
 *
 * From version 1, where a run could make several rows of what is one order or one shipment. Nothing is merged and nothing
 * is forgotten; rows that contradict each other are marked for a person (needs_person), `reason` names the other row and what
 * to do, and no run buys or sends them again:
 *   - a key that is not spelled as keys are today gets today's spelling, in all its generations. Where rows of another spelling
 *     have that key already, it keeps its own, and both are marked;
 *   - a key that is not allowed today stays as it is, and is marked unless there is a label;
 *   - of rows that share a shipment id the first keeps it for itself (`duplicate`), all are marked.
 */
int migrate_version_1(struct database *database, shipopt_error **ret_error);

/* Gives the rows whose mode was guessed the mode `mode`. Where rows of that mode have the same key, the guessed ones keep their
 * mode, and all of them are marked for a person, as are rows that then share a shipment. In a transaction of its own. */
int migrate_confirm_mode(struct database *database, const char *mode, shipopt_error **ret_error);

#endif
