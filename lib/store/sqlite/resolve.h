/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_RESOLVE_H
#define STORE_SQLITE_RESOLVE_H

#include "store/backend.h"
#include "store/sqlite/database.h"

/* Settles a row for a person: the transition and its line in the audit table, in the writer's transaction. Returns 0
 * when query->status and query->error are the outcome, and a negative code when the transaction must be rolled back. */
int resolve_run(struct database *database, struct backend_query *query, shipopt_error **ret_error);

#endif
