/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/sqlite/resolve.h"

#include "store/sqlite/budget.h"
#include "store/sqlite/ledger_row_sql.h"

/* The state that results; 0: refused, and the query says why. */
static int resolve_state(struct backend_query *query, const struct ledger_found *found)
{
	long long row = (long long)query->row;
	const struct ledger_facts *facts = &found->facts;
	int state = ledger_resolved_state(query->state, facts);
	if (!state) {
		query->status = error_set(&query->error, SHIPOPT_ESTATE, "ledger row %lld is %s and cannot become %s",
			row, ledger_state_name(facts->state), ledger_state_name(query->state));
	} else if (ledger_is_leased(facts)) {
		query->status = error_set(&query->error, SHIPOPT_EBUSY,
			"ledger row %lld is leased to a process for another %lld ms; resolve it when the run has ended",
			row, (long long)(facts->lease_until_ms - facts->now_ms));
		state = 0;
	}
	return state;
}

static int resolve_write_transition(struct database *database, const struct backend_query *query,
	const struct ledger_found *found, int state, bool is_new, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	enum statement which = state == LEDGER_STATE_FAILED ? SQL_FAIL
		: state == LEDGER_STATE_CREATED             ? SQL_UNBUY
		: state == LEDGER_STATE_PLANNED             ? SQL_REPLAN
		: is_new                                    ? SQL_BOUGHT
							    : SQL_CONFIRM;
	/* Giving the lease up ends the token of an earlier holder. */
	int r = ledger_move_statement(database, which, found, true, 0, &statement, ret_error);
	if (r < 0)
		return r;
	if (which == SQL_BOUGHT) {
		bind_text(statement, 6, query->tracking_code);
		sqlite3_bind_int64(statement, 8, 0);
		bind_text(statement, 10, query->reason);
		sqlite3_bind_int64(statement, 11, found->fee);
	} else if (which != SQL_REPLAN) {
		bind_text(statement, 6, query->reason);
	}
	if (which == SQL_CONFIRM)
		bind_text(statement, 7, query->tracking_code);
	r = database_step(database, statement, ret_error);
	if (r == 0)
		return error_set(ret_error, SHIPOPT_EINTERNAL, "%s: a ledger row changed under the writer",
			database->path);
	return r < 0 ? r : MIN(database_step(database, statement, ret_error), 0);
}

static int resolve_write_audit(struct database *database, const struct backend_query *query, int old_state,
	int new_state, shipopt_error **ret_error)
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
	sqlite3_bind_int(statement, 6, new_state);
	bind_text(statement, 7, query->tracking_code);
	return database_step(database, statement, ret_error);
}

/* What the label counts as: the price paid is not known. */
static int64_t resolve_spent(const struct ledger_found *found)
{
	int64_t cost;
	return __builtin_add_overflow(found->amount, found->fee, &cost) ? INT64_MAX : MAX(found->reserved, cost);
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
	int state = resolve_state(query, &found);
	if (state) {
		bool is_new = state == LEDGER_STATE_BOUGHT && found.facts.state != LEDGER_STATE_BOUGHT;
		int64_t spent = is_new ? resolve_spent(&found) : 0;
		query->value = state;
		r = budget_settle(database, query->tenant, found.budget, found.currency, found.reserved, spent,
			ret_error);
		r = r < 0 ? r : resolve_write_transition(database, query, &found, state, is_new, ret_error);
		r = r < 0 ? r : resolve_write_audit(database, query, found.facts.state, state, ret_error);
	}
	sqlite3_reset(statement);
	return MIN(r, 0);
}
