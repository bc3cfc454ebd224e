/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_LEDGER_SQL_H
#define STORE_SQLITE_LEDGER_SQL_H

#include "store/sqlite/ledger_row_sql.h"

/*
 * The ledger's operations in SQL, each inside the writer's transaction.
 *
 * An operation finds its row, asks store/ledger_rules.h, and only then writes. So a refusal has nothing to undo and
 * needs no savepoint. The write repeats the comparison of state and token in its WHERE clause.
 */

/* Runs a request. 0: the request has its status, row and error. Negative: the database or memory failed. Then the
 * caller rolls the transaction back and clears the request (ledger_request_clear). */
int ledger_run(struct database *database, struct ledger_request *request, shipopt_error **ret_error);
/* Runs a claim (ledger_claim.c). */
int ledger_claim(struct database *database, struct ledger_request *request, shipopt_error **ret_error);

#endif
