/* SPDX-License-Identifier: MIT */
#include "store/sqlite/resolve.h"

#include "store/sqlite/budget.h"
#include "store/sqlite/ledger_sql.h"

static bool is_allowed(int from, int to)
{
	switch (to) {
	case LEDGER_BOUGHT:
		return from == LEDGER_IN_DOUBT || from == LEDGER_HELD || from == LEDGER_FAILED;
	case LEDGER_FAILED:
		return from == LEDGER_IN_DOUBT || from == LEDGER_HELD;
	case LEDGER_PLANNED:
		return from == LEDGER_HELD || from == LEDGER_FAILED;
	default:
		return false;
	}
}

/* Positive: go on. */
static int check(struct backend_query *query, const struct ledger_found *found)
{
	long long row = (long long)query->row;
	if (!is_allowed(found->state, query->state)) {
		query->status = error_set(&query->error, SHIPOPT_ESTATE, "ledger row %lld is %s and cannot become %s", row,
			ledger_state_name(found->state), ledger_state_name(query->state));
		return 0;
	}
	if (found->lease_until_ms > found->now_ms) {
		query->status = error_set(&query->error, SHIPOPT_EBUSY,
			"ledger row %lld is leased to a process for another %lld ms", row,
			(long long)(found->lease_until_ms - found->now_ms));
		return 0;
	}
	return 1;
}

static int write_transition(struct database *database, const struct backend_query *query,
	const struct ledger_found *found, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	enum statement which = query->state == LEDGER_BOUGHT ? SQL_BOUGHT
		: query->state == LEDGER_FAILED		     ? SQL_FAIL
							     : SQL_REPLAN;
	/* Giving the lease up makes the token of whoever held the row before invalid. */
	int r = ledger_move_statement(database, which, found, true, 0, &statement, ret_error);
	if (r < 0)
		return r;
	if (which == SQL_BOUGHT) {
		bind_text(statement, 6, query->tracking_code);
		sqlite3_bind_int64(statement, 8, 0);
		bind_text(statement, 10, query->reason);
	} else if (which == SQL_FAIL) {
		bind_text(statement, 6, query->reason);
	}
	r = database_step(database, statement, ret_error);
	if (r == 0)
		return error_set(ret_error, SHIPOPT_EINTERNAL, "%s: a ledger row changed under the writer", database->path);
	return r < 0 ? r : MIN(database_step(database, statement, ret_error), 0);
}

static int write_audit(struct database *database, const struct backend_query *query, int old_state,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = database_statement(database, SQL_AUDIT, &statement, ret_error);
	if (r < 0)
		return r;
	bind_text(statement, 1, query->tenant);
	sqlite3_bind_int64(statement, 2, query->row);
	bind_text(statement, 3, query->actor);
	bind_text(statement, 4, query->reason);
	sqlite3_bind_int(statement, 5, old_state);
	sqlite3_bind_int(statement, 6, query->state);
	bind_text(statement, 7, query->tracking_code);
	return database_step(database, statement, ret_error);
}

int resolve_run(struct database *database, struct backend_query *query, shipopt_error **ret_error)
{
	struct ledger_found found;
	sqlite3_stmt *statement;
	int r = ledger_find_id(database, query->tenant, query->row, &found, &statement, ret_error);
	if (r < 0)
		return r;
	if (r == 0) {
		query->status = error_set(&query->error, SHIPOPT_ENOTFOUND, "no ledger row %lld of this tenant",
			(long long)query->row);
		return 0;
	}
	r = check(query, &found);
	if (r > 0) {
		int64_t spent = query->state == LEDGER_BOUGHT ? found.amount : 0;
		r = budget_settle(
			database, query->tenant, found.budget, found.currency, found.reserved, spent, ret_error);
		r = r < 0 ? r : write_transition(database, query, &found, ret_error);
		r = r < 0 ? r : write_audit(database, query, found.state, ret_error);
	}
	sqlite3_reset(statement);
	return MIN(r, 0);
}
