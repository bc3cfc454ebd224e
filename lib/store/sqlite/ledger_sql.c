/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/sqlite/ledger_sql.h"

#include "base/text.h"
#include "store/sqlite/budget.h"

/* --- transitions --- */

/* Runs a transition whose own parameters are `count` texts, from ?6 on. */
static int ledger_sql_move(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	enum statement which, const char *const *texts, int count, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	bool leases = request->operation == LEDGER_OP_RENEW || request->operation == LEDGER_OP_BUY;
	bool release = request->release || request->operation == LEDGER_OP_RELEASE;
	int r = ledger_move_statement(database, which, found, release, leases ? request->lease_ms : 0, &statement,
		ret_error);
	if (r < 0)
		return r;
	for (int i = 0; i < count; i++)
		bind_text(statement, 6 + i, texts[i]);
	return ledger_take_row(database, statement, request, NULL, ret_error);
}

static int ledger_sql_plan(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = ledger_move_statement(database, SQL_PLAN, found, request->release, 0, &statement, ret_error);
	if (r < 0)
		return r;
	bind_text(statement, 6, request->fingerprint);
	bind_text(statement, 7, request->request);
	sqlite3_bind_int(statement, 8, request->keep_approval);
	return ledger_take_row(database, statement, request, NULL, ret_error);
}

/* LEDGER_OUTCOME_SHARED if another row has the shipment, otherwise LEDGER_OUTCOME_OK. */
static int ledger_sql_check_shared(struct database *database, struct ledger_request *request,
	const struct ledger_found *found, const char *shipment_id, shipopt_error **ret_error)
{
	const struct ledger_key *key = &request->key;
	sqlite3_stmt *statement;
	int r = database_statement(database, SQL_FIND_SHIPMENT, &statement, ret_error);
	if (r < 0)
		return r;
	const char *const texts[] = {key->provider, key->account, key->mode, shipment_id};
	for (int i = 0; i < (int)ARRAY_SIZE(texts); i++)
		bind_text(statement, i + 1, texts[i]);
	sqlite3_bind_int64(statement, 5, found->id);
	r = database_step(database, statement, ret_error);
	if (r == 1)
		error_set(&request->error, SHIPOPT_EPROTOCOL,
			"shipment %.64s belongs to order \"%.200s\" (ledger row %lld): it is not taken for this order",
			shipment_id, column_text(statement, 1), (long long)sqlite3_column_int64(statement, 0));
	sqlite3_reset(statement);
	return r == 1 ? LEDGER_OUTCOME_SHARED : r;
}

/* The same for the shipment of the request. */
static int ledger_sql_check_shipment(struct database *database, struct ledger_request *request,
	const struct ledger_found *found, shipopt_error **ret_error)
{
	if (!request->shipment_id || text_equal(request->shipment_id, found->facts.shipment_id))
		return LEDGER_OUTCOME_OK;
	return ledger_sql_check_shared(database, request, found, request->shipment_id, ret_error);
}

static int ledger_sql_create(struct database *database, struct ledger_request *request,
	const struct ledger_found *found, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = ledger_sql_check_shipment(database, request, found, ret_error);
	if (r == LEDGER_OUTCOME_SHARED)
		return ledger_answer(database, request, found, LEDGER_OUTCOME_SHARED, ret_error);
	r = r < 0 ? r : ledger_move_statement(database, SQL_CREATE, found, request->release, 0, &statement, ret_error);
	if (r < 0)
		return r;
	const char *const texts[] = {request->shipment_id, request->rate_id, request->carrier, request->service,
		request->currency};
	for (int i = 0; i < (int)ARRAY_SIZE(texts); i++)
		bind_text(statement, 6 + i, texts[i]);
	sqlite3_bind_int64(statement, 11, request->amount);
	sqlite3_bind_int64(statement, 12, request->ceiling);
	bind_text(statement, 13, request->base_url);
	bind_text(statement, 14, request->rate_choice);
	return ledger_take_row(database, statement, request, NULL, ret_error);
}

static int ledger_sql_hold(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = ledger_sql_check_shipment(database, request, found, ret_error);
	if (r == LEDGER_OUTCOME_SHARED)
		return ledger_answer(database, request, found, LEDGER_OUTCOME_SHARED, ret_error);
	r = r < 0 ? r : ledger_move_statement(database, SQL_HOLD, found, request->release, 0, &statement, ret_error);
	if (r < 0)
		return r;
	bind_text(statement, 6, request->reason);
	bind_text(statement, 7, request->shipment_id);
	bind_text(statement, 8, request->base_url);
	sqlite3_bind_int(statement, 9, request->needs_person);
	return ledger_take_row(database, statement, request, NULL, ret_error);
}

/* What a purchase reserves, and in which budget. */
struct reservation {
	int64_t amount, limit; /* limit -1: keep the budget's */
	const char *name, *currency;
};

static int ledger_sql_reserve(struct database *database, struct ledger_request *request,
	const struct ledger_found *found, struct reservation *wanted, shipopt_error **ret_error)
{
	const char *tenant = request->key.tenant;
	bool same = text_equal(wanted->name, found->budget) && text_equal(wanted->currency, found->currency);
	int64_t before = same ? found->reserved : 0;
	struct budget budget;
	/* An earlier purchase at a higher price may have bought: it keeps its reservation. */
	if (found->facts.unproven > 0 && text_equal(wanted->currency, found->currency))
		wanted->amount = MAX(wanted->amount, found->reserved);
	int r = budget_read(database, &budget, tenant, wanted->name, wanted->currency, ret_error);
	if (r < 0)
		return r;
	if (wanted->name && budget_is_over(&budget, wanted->amount - before, wanted->limit)) {
		request->budget_more = wanted->amount - before;
		request->budget_used = budget_used(&budget);
		return LEDGER_OUTCOME_OVER_LIMIT;
	}
	if (!same)
		r = budget_settle(database, tenant, found->budget, found->currency, found->reserved, 0, ret_error);
	budget.reserved = MAX(budget.reserved - before, 0) + wanted->amount;
	return r < 0 ? r : budget_write(database, &budget, wanted->limit, ret_error);
}

static int ledger_sql_write_buying(struct database *database, struct ledger_request *request,
	const struct ledger_found *found, const struct reservation *wanted, int64_t amount, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = ledger_move_statement(database, SQL_BUY, found, request->release, request->lease_ms, &statement,
		ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 6, amount);
	bind_text(statement, 7, wanted->currency);
	bind_text(statement, 8, wanted->name);
	sqlite3_bind_int64(statement, 9, wanted->name ? wanted->amount : 0);
	sqlite3_bind_int64(statement, 10, request->ceiling);
	const char *const texts[] = {request->shipment_id, request->rate_id, request->carrier, request->service,
		request->request};
	for (int i = 0; i < (int)ARRAY_SIZE(texts); i++)
		bind_text(statement, 11 + i, texts[i]);
	sqlite3_bind_int64(statement, 16, request->insurance);
	sqlite3_bind_int64(statement, 17, request->fee);
	sqlite3_bind_int64(statement, 18, request->settle_ms);
	bind_text(statement, 19, request->base_url);
	bind_text(statement, 20, request->rate_choice);
	return ledger_take_row(database, statement, request, NULL, ret_error);
}

static int ledger_sql_buy(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	int64_t amount = request->amount ? request->amount : found->amount;
	/* An unproven purchase may have bought a label. Its reservation stays in its budget, even if this one has no
	 * limit. */
	bool keeps = !request->budget && found->facts.unproven > 0;
	struct reservation wanted = {.name = keeps ? found->budget : request->budget,
		.limit = keeps ? -1 : request->budget_limit,
		.currency = request->currency ? request->currency : found->currency};
	if (__builtin_add_overflow(amount, request->fee, &wanted.amount))
		wanted.amount = INT64_MAX;
	if (wanted.name && !wanted.currency) {
		request->status = error_set(&request->error, SHIPOPT_EINVAL,
			"ledger: budget %s: the purchase of order %s has no currency", wanted.name,
			request->key.order_key);
		return 0;
	}
	/* Rows of version 1 can share a shipment, so the row's own is checked too. */
	const char *shipment_id = request->shipment_id ? request->shipment_id : found->facts.shipment_id;
	int r = ledger_sql_check_shared(database, request, found, shipment_id, ret_error);
	r = r == LEDGER_OUTCOME_OK ? ledger_sql_reserve(database, request, found, &wanted, ret_error) : r;
	if (r == LEDGER_OUTCOME_OVER_LIMIT || r == LEDGER_OUTCOME_SHARED)
		return ledger_answer(database, request, found, r, ret_error);
	return r < 0 ? r : ledger_sql_write_buying(database, request, found, &wanted, amount, ret_error);
}

static int ledger_sql_prove(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	int r = 0;
	if (ledger_next_unproven(request, &found->facts) == 0)
		r = budget_settle(database, request->key.tenant, found->budget, found->currency, found->reserved, 0,
			ret_error);
	return r < 0 ? r : ledger_sql_move(database, request, found, SQL_PROVE, &request->reason, 1, ret_error);
}

static int ledger_sql_doubt(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = ledger_move_statement(database, SQL_DOUBT, found, request->release, 0, &statement, ret_error);
	if (r < 0)
		return r;
	bind_text(statement, 6, request->reason);
	bind_text(statement, 7, request->refusal);
	sqlite3_bind_int(statement, 8, request->proven);
	sqlite3_bind_int(statement, 9, request->exists_seen);
	sqlite3_bind_int(statement, 10, request->needs_person);
	return ledger_take_row(database, statement, request, NULL, ret_error);
}

/* Rows of version 1 can share a shipment. A person says whose label it is. */
static int ledger_sql_bought(struct database *database, struct ledger_request *request,
	const struct ledger_found *found, shipopt_error **ret_error)
{
	int64_t spent = 0;
	int r = found->facts.shipment_id
		? ledger_sql_check_shared(database, request, found, found->facts.shipment_id, ret_error)
		: LEDGER_OUTCOME_OK;
	if (r == LEDGER_OUTCOME_SHARED)
		return ledger_answer(database, request, found, LEDGER_OUTCOME_SHARED, ret_error);
	if (r < 0)
		return r;
	if (__builtin_add_overflow(request->paid ? request->paid : found->amount, request->fee, &spent))
		spent = INT64_MAX;
	r = budget_settle(database, request->key.tenant, found->budget, found->currency, found->reserved, spent,
		ret_error);
	if (r < 0)
		return r;
	sqlite3_stmt *statement;
	r = ledger_move_statement(database, SQL_BOUGHT, found, request->release, 0, &statement, ret_error);
	if (r < 0)
		return r;
	bind_text(statement, 6, request->tracking_code);
	bind_text(statement, 7, request->label_url);
	sqlite3_bind_int64(statement, 8, request->paid);
	bind_text(statement, 9, request->result);
	bind_text(statement, 10, request->reason);
	sqlite3_bind_int64(statement, 11, request->fee);
	return ledger_take_row(database, statement, request, NULL, ret_error);
}

static int ledger_sql_fail(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	int r = budget_settle(database, request->key.tenant, found->budget, found->currency, found->reserved, 0,
		ret_error);
	return r < 0 ? r : ledger_sql_move(database, request, found, SQL_FAIL, &request->reason, 1, ret_error);
}

static int ledger_sql_void_row(struct database *database, struct ledger_request *request,
	const struct ledger_found *found, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = ledger_move_statement(database, SQL_VOID, found, request->release, 0, &statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int(statement, 6, request->state);
	bind_text(statement, 7, request->reason);
	return ledger_take_row(database, statement, request, NULL, ret_error);
}

static int ledger_sql_reopen(struct database *database, struct ledger_request *request,
	const struct ledger_found *found, shipopt_error **ret_error)
{
	enum statement which = found->facts.state == LEDGER_STATE_HELD ? SQL_UNHOLD : SQL_REPLAN;
	return ledger_sql_move(database, request, found, which, NULL, 0, ret_error);
}

/* --- running --- */

static int ledger_sql_apply(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	switch (request->operation) {
	case LEDGER_OP_PLAN: return ledger_sql_plan(database, request, found, ret_error);
	case LEDGER_OP_CREATE: return ledger_sql_create(database, request, found, ret_error);
	case LEDGER_OP_BUY: return ledger_sql_buy(database, request, found, ret_error);
	case LEDGER_OP_PROVE: return ledger_sql_prove(database, request, found, ret_error);
	case LEDGER_OP_DOUBT: return ledger_sql_doubt(database, request, found, ret_error);
	case LEDGER_OP_BOUGHT: return ledger_sql_bought(database, request, found, ret_error);
	case LEDGER_OP_FAIL: return ledger_sql_fail(database, request, found, ret_error);
	case LEDGER_OP_HOLD: return ledger_sql_hold(database, request, found, ret_error);
	case LEDGER_OP_REOPEN: return ledger_sql_reopen(database, request, found, ret_error);
	case LEDGER_OP_RENEW:
	case LEDGER_OP_RELEASE: return ledger_sql_move(database, request, found, SQL_RENEW, NULL, 0, ret_error);
	case LEDGER_OP_DOCUMENT: return ledger_sql_move(database, request, found, SQL_DOCUMENT, NULL, 0, ret_error);
	case LEDGER_OP_VOID: return ledger_sql_void_row(database, request, found, ret_error);
	case LEDGER_OP_CLAIM: break;
	}
	return SHIPOPT_EINTERNAL;
}

static int ledger_sql_transition(struct database *database, struct ledger_request *request, shipopt_error **ret_error)
{
	struct ledger_found found;
	sqlite3_stmt *statement;
	bool needs_token = request->operation != LEDGER_OP_DOCUMENT && request->operation != LEDGER_OP_VOID;
	int r = ledger_find(database, &request->key, request->key.generation, &found, &statement, ret_error);
	if (r < 0)
		return r;
	if (r == 0) {
		request->status =
			error_set(&request->error, SHIPOPT_ENOTFOUND, "ledger: no row for order %s, piece %lld",
				request->key.order_key, (long long)request->key.piece);
		return 0;
	}
	if (needs_token && request->token != found.token)
		r = ledger_answer(database, request, &found, LEDGER_OUTCOME_LOST, ret_error);
	else if (!ledger_allows(request, &found.facts))
		r = ledger_answer(database, request, &found, LEDGER_OUTCOME_REFUSED, ret_error);
	else
		r = ledger_sql_apply(database, request, &found, ret_error);
	sqlite3_reset(statement);
	return r;
}

int ledger_run(struct database *database, struct ledger_request *request, shipopt_error **ret_error)
{
	return request->operation == LEDGER_OP_CLAIM ? ledger_claim(database, request, ret_error)
						     : ledger_sql_transition(database, request, ret_error);
}
