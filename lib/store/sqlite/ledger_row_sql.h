/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_LEDGER_ROW_SQL_H
#define STORE_SQLITE_LEDGER_ROW_SQL_H

#include "store/ledger_rules.h"
#include "store/sqlite/database.h"

/* Ledger rows in SQL: how they are found and read, and the parameters that all transitions share (statements.h). */

/* A row as it was found. The texts live until the find statement is reset. */
struct ledger_found {
	int64_t id, generation, token, amount, reserved, fee;
	struct ledger_facts facts;
	const char *currency, *budget;
};

/* Binds a key to ?1 to ?7. */
void ledger_bind_key(sqlite3_stmt *statement, const struct ledger_key *key);
/* Finds a row; returns 1 if it exists. `generation` 0 means the newest. The caller resets the statement. */
int ledger_find(struct database *database, const struct ledger_key *key, int64_t generation,
	struct ledger_found *ret_found, sqlite3_stmt **ret_statement, shipopt_error **ret_error);
int ledger_find_id(struct database *database, const char *tenant, int64_t id, struct ledger_found *ret_found,
	sqlite3_stmt **ret_statement, shipopt_error **ret_error);
/* Steps a statement that returns one row in the order of enum row_column, and copies that row. `ret_token` may be
 * NULL. */
int ledger_take_row(struct database *database, sqlite3_stmt *statement, struct ledger_request *request,
	int64_t *ret_token, shipopt_error **ret_error);
/* Leaves the row as it is, and gives it to the requester with this outcome. */
int ledger_answer(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	int outcome, shipopt_error **ret_error);
/* Prepares a transition: binds ?1 to ?5. */
int ledger_move_statement(struct database *database, enum statement which, const struct ledger_found *found,
	bool release, int64_t lease_ms, sqlite3_stmt **ret_statement, shipopt_error **ret_error);

#endif
