/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_LEDGER_SQL_H
#define STORE_SQLITE_LEDGER_SQL_H

#include "store/ledger.h"
#include "store/sqlite/database.h"

/*
 * The ledger's operations in SQL, each inside the writer's transaction.
 *
 * An operation first finds its row, then looks whether the rules of store/ledger.h allow it, and only then writes. So a refusal leaves
 * nothing to undo and needs no savepoint. The write repeats the comparison of state and token in its WHERE clause.
 */

/* What the rules look at. Texts live until the find statement is reset. */
struct ledger_found {
	int64_t id, generation, token, lease_until_ms, now_ms, sent, amount, reserved;
	int state, held_from;
	const char *shipment_id, *currency, *budget;
};

/* 0: the request has its status, row and error. Negative: the database or memory failed in the middle; the transaction must be
 * rolled back, and the request cleared (ledger_request_clear). */
int ledger_run(struct database *database, struct ledger_request *request, shipopt_error **ret_error);

/* For resolve.c: the row by id, 1 if there is one; the statement is SQL_FIND_ID, to be reset by the caller. */
int ledger_find_id(struct database *database, const char *tenant, int64_t id, struct ledger_found *ret_found,
	sqlite3_stmt **ret_statement, shipopt_error **ret_error);
/* A transition with the parameters ?1 to ?5 bound. */
int ledger_move_statement(struct database *database, enum statement which, const struct ledger_found *found, bool release,
	int64_t lease_ms, sqlite3_stmt **ret_statement, shipopt_error **ret_error);

#endif
