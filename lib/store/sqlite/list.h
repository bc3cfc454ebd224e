/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_LIST_H
#define STORE_SQLITE_LIST_H

#include "store/backend.h"
#include "store/sqlite/database.h"

/* Pages and counts of ledger rows, on a reader's connection. The answer is JSON of at most LIST_JSON_MAX bytes:
 * SHIPOPT_ETOOLARGE asks for fewer rows. */
#define LIST_JSON_MAX ((size_t)8 << 20)

int list_run(struct database *database, struct backend_query *query, shipopt_error **ret_error);
int count_run(struct database *database, struct backend_query *query, shipopt_error **ret_error);

#endif
