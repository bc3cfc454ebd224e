/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_LIST_H
#define STORE_SQLITE_LIST_H

#include "store/backend.h"
#include "store/sqlite/database.h"

/* Reads pages of ledger rows and counts rows. The columns of the statements are in the order of
 * SHIPOPT_LEDGER_FIELD_…. */
int list_run(struct database *database, struct backend_query *query, shipopt_error **ret_error);
int count_run(struct database *database, struct backend_query *query, shipopt_error **ret_error);

#endif
