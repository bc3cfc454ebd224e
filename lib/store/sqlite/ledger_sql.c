/* SPDX-License-Identifier: MIT */
#include "store/sqlite/ledger_sql.h"

#include <string.h>

#include "base/random.h"
#include "base/text.h"
#include "store/sqlite/budget.h"

#define BIT(state) (1u << (state))
#define TOKEN_START_MAX (INT64_MAX >> 1) /* leaves as many to count up */

/* --- rows --- */

static int copy_row(sqlite3_stmt *statement, struct ledger_row *row)
{
	const struct {
		enum row_column column;
		char **text;
	} texts[] = {{ROW_FINGERPRINT, &row->fingerprint}, {ROW_REQUEST, &row->request}, {ROW_SHIPMENT_ID, &row->shipment_id},
		{ROW_RATE_ID, &row->rate_id}, {ROW_CARRIER, &row->carrier}, {ROW_SERVICE, &row->service},
		{ROW_CURRENCY, &row->currency}, {ROW_TRACKING_CODE, &row->tracking_code},
		{ROW_LABEL_URL, &row->label_url}, {ROW_BUDGET, &row->budget}, {ROW_REASON, &row->reason},
		{ROW_RESULT, &row->result}};
	const struct {
		enum row_column column;
		int64_t *number;
	} numbers[] = {{ROW_ID, &row->id}, {ROW_GENERATION, &row->generation}, {ROW_AMOUNT, &row->amount},
		{ROW_CEILING, &row->ceiling}, {ROW_BUYING_AT, &row->buying_at_ms},
		{ROW_FIRST_BUYING_AT, &row->first_buying_at_ms}, {ROW_ATTEMPTS, &row->attempts}, {ROW_PAID, &row->paid},
		{ROW_LEASE_UNTIL, &row->lease_until_ms}, {ROW_NOW, &row->now_ms}};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (column_copy(statement, (int)texts[i].column, texts[i].text) < 0)
			return SHIPOPT_ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		*numbers[i].number = sqlite3_column_int64(statement, (int)numbers[i].column);
	row->state = sqlite3_column_int(statement, ROW_STATE);
	return 0;
}

/* Steps a statement that returns one row of ROW columns and takes that row over. */
static int take_row(struct database *database, sqlite3_stmt *statement, struct ledger_request *request,
	int64_t *ret_token, shipopt_error **ret_error)
{
	int r = database_step(database, statement, ret_error);
	if (r == 0)
		return error_set(ret_error, SHIPOPT_EINTERNAL, "%s: a ledger row changed under the writer", database->path);
	if (r < 0)
		return r;
	r = copy_row(statement, &request->row);
	if (ret_token)
		*ret_token = sqlite3_column_int64(statement, ROW_TOKEN);
	if (r < 0)
		return r;
	/* RETURNING hands rows out after all changes were made; the second step ends the statement. */
	r = database_step(database, statement, ret_error);
	return MIN(r, 0);
}

static int read_row(
	struct database *database, struct ledger_request *request, int64_t id, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = database_statement(database, SQL_READ, &statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, id);
	return take_row(database, statement, request, NULL, ret_error);
}

/* The row stays as it is; the caller sees it. */
static int answer(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	int outcome, shipopt_error **ret_error)
{
	int r = read_row(database, request, found->id, ret_error);
	if (r == 0)
		request->status = outcome;
	return r;
}

/* --- finding --- */

static void bind_key(sqlite3_stmt *statement, const struct ledger_key *key)
{
	bind_text(statement, 1, key->tenant);
	bind_text(statement, 2, key->provider);
	bind_text(statement, 3, key->account);
	bind_text(statement, 4, key->mode);
	bind_text(statement, 5, key->order_key);
	sqlite3_bind_int64(statement, 6, key->piece);
	bind_text(statement, 7, key->purpose);
}

static void read_found(sqlite3_stmt *statement, struct ledger_found *found)
{
	*found = (struct ledger_found){
		.id = sqlite3_column_int64(statement, FIND_ID),
		.generation = sqlite3_column_int64(statement, FIND_GENERATION),
		.state = sqlite3_column_int(statement, FIND_STATE),
		.token = sqlite3_column_int64(statement, FIND_TOKEN),
		.lease_until_ms = sqlite3_column_int64(statement, FIND_LEASE_UNTIL),
		.now_ms = sqlite3_column_int64(statement, FIND_NOW),
		.held_from = sqlite3_column_int(statement, FIND_HELD_FROM),
		.sent = sqlite3_column_int64(statement, FIND_SENT),
		.shipment_id = column_text(statement, FIND_SHIPMENT_ID),
		.amount = sqlite3_column_int64(statement, FIND_AMOUNT),
		.currency = column_text(statement, FIND_CURRENCY),
		.budget = column_text(statement, FIND_BUDGET),
		.reserved = sqlite3_column_int64(statement, FIND_RESERVED),
	};
}

/* 1 if there is one. `generation` 0: the newest. */
static int find(struct database *database, const struct ledger_key *key, int64_t generation,
	struct ledger_found *ret_found, sqlite3_stmt **ret_statement, shipopt_error **ret_error)
{
	int r = database_statement(database, generation ? SQL_FIND : SQL_FIND_NEWEST, ret_statement, ret_error);
	if (r < 0)
		return r;
	bind_key(*ret_statement, key);
	if (generation)
		sqlite3_bind_int64(*ret_statement, 8, generation);
	r = database_step(database, *ret_statement, ret_error);
	if (r == 1)
		read_found(*ret_statement, ret_found);
	return r;
}

int ledger_find_id(struct database *database, const char *tenant, int64_t id, struct ledger_found *ret_found,
	sqlite3_stmt **ret_statement, shipopt_error **ret_error)
{
	int r = database_statement(database, SQL_FIND_ID, ret_statement, ret_error);
	if (r < 0)
		return r;
	bind_text(*ret_statement, 1, tenant);
	sqlite3_bind_int64(*ret_statement, 2, id);
	r = database_step(database, *ret_statement, ret_error);
	if (r == 1)
		read_found(*ret_statement, ret_found);
	return r;
}

/* --- claims --- */

static int insert_row(
	struct database *database, struct ledger_request *request, int64_t generation, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int64_t token;
	int r = random_bytes(&token, sizeof(token));
	if (r < 0)
		return error_set(ret_error, r, "%s: no random numbers", database->path);
	token = (token & TOKEN_START_MAX) + 1;
	r = database_statement(database, SQL_INSERT, &statement, ret_error);
	if (r < 0)
		return r;
	bind_key(statement, &request->key);
	sqlite3_bind_int64(statement, 8, generation);
	bind_text(statement, 9, request->fingerprint);
	bind_text(statement, 10, request->request);
	sqlite3_bind_int64(statement, 11, request->lease_ms);
	bind_text(statement, 12, request->owner);
	sqlite3_bind_int64(statement, 13, token);
	r = take_row(database, statement, request, &request->claimed_token, ret_error);
	if (r == 0)
		request->created_row = true;
	return r;
}

static int lease_row(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = database_statement(database, SQL_LEASE, &statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, found->id);
	sqlite3_bind_int64(statement, 2, found->token);
	sqlite3_bind_int(statement, 3, found->state);
	sqlite3_bind_int64(statement, 4, request->lease_ms);
	bind_text(statement, 5, request->owner);
	sqlite3_bind_int(statement, 6, request->token == found->token);
	return take_row(database, statement, request, &request->claimed_token, ret_error);
}

/* No such generation: the first one is made for anybody, another only right behind the newest. */
static int claim_new(struct database *database, struct ledger_request *request, shipopt_error **ret_error)
{
	int64_t generation = request->key.generation, newest = 0;
	if (generation > 1) {
		struct ledger_found found;
		sqlite3_stmt *statement;
		int r = find(database, &request->key, 0, &found, &statement, ret_error);
		if (r < 0)
			return r;
		newest = r == 1 ? found.generation : 0;
		sqlite3_reset(statement);
	}
	if (generation > newest + 1) {
		request->status = error_set(&request->error, SHIPOPT_EINVAL,
			"ledger: generation %lld of order %s would leave a gap: the newest is %lld", (long long)generation,
			request->key.order_key, (long long)newest);
		return 0;
	}
	return insert_row(database, request, newest + 1, ret_error);
}

static int claim(struct database *database, struct ledger_request *request, shipopt_error **ret_error)
{
	const unsigned needs_no_lease =
		BIT(LEDGER_BOUGHT) | BIT(LEDGER_DOCUMENTED) | BIT(LEDGER_VOIDED) | BIT(LEDGER_VOID_REFUSED);
	struct ledger_found found;
	sqlite3_stmt *statement;
	int r = find(database, &request->key, request->key.generation, &found, &statement, ret_error);
	if (r < 0)
		return r;
	if (r == 0)
		return claim_new(database, request, ret_error);
	sqlite3_reset(statement);
	if (BIT(found.state) & needs_no_lease)
		return answer(database, request, &found, LEDGER_OK, ret_error);
	if (found.lease_until_ms > found.now_ms && request->token != found.token)
		return answer(database, request, &found, LEDGER_BUSY, ret_error);
	return lease_row(database, request, &found, ret_error);
}

/* --- transitions --- */

int ledger_move_statement(struct database *database, enum statement which, const struct ledger_found *found, bool release,
	int64_t lease_ms, sqlite3_stmt **ret_statement, shipopt_error **ret_error)
{
	int r = database_statement(database, which, ret_statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int64(*ret_statement, 1, found->id);
	sqlite3_bind_int64(*ret_statement, 2, found->token);
	sqlite3_bind_int(*ret_statement, 3, found->state);
	sqlite3_bind_int(*ret_statement, 4, release);
	sqlite3_bind_int64(*ret_statement, 5, lease_ms);
	return 0;
}

/* A transition whose own parameters are up to `count` texts from ?6 on. */
static int move(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	enum statement which, const char *const *texts, int count, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	bool leases = request->operation == LEDGER_RENEW || request->operation == LEDGER_BUY;
	bool release = request->release || request->operation == LEDGER_RELEASE;
	int r = ledger_move_statement(
		database, which, found, release, leases ? request->lease_ms : 0, &statement, ret_error);
	if (r < 0)
		return r;
	for (int i = 0; i < count; i++)
		bind_text(statement, 6 + i, texts[i]);
	return take_row(database, statement, request, NULL, ret_error);
}

static int create(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = ledger_move_statement(database, SQL_CREATE, found, request->release, 0, &statement, ret_error);
	if (r < 0)
		return r;
	const char *const texts[] = {
		request->shipment_id, request->rate_id, request->carrier, request->service, request->currency};
	for (int i = 0; i < (int)ARRAY_SIZE(texts); i++)
		bind_text(statement, 6 + i, texts[i]);
	sqlite3_bind_int64(statement, 11, request->amount);
	sqlite3_bind_int64(statement, 12, request->ceiling);
	return take_row(database, statement, request, NULL, ret_error);
}

/* What a purchase will reserve, and where. */
struct reservation {
	int64_t amount;
	const char *name, *currency;
};

static int reserve(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	const struct reservation *wanted, shipopt_error **ret_error)
{
	const char *tenant = request->key.tenant;
	bool same = text_equal(wanted->name, found->budget) && text_equal(wanted->currency, found->currency);
	int64_t before = same ? found->reserved : 0;
	struct budget budget;
	int r = budget_read(database, &budget, tenant, wanted->name, wanted->currency, ret_error);
	if (r < 0)
		return r;
	if (wanted->name && budget_is_over(&budget, wanted->amount - before, request->budget_limit))
		return LEDGER_OVER_LIMIT;
	if (!same)
		r = budget_settle(database, tenant, found->budget, found->currency, found->reserved, 0, ret_error);
	budget.reserved = MAX(budget.reserved - before, 0) + wanted->amount;
	return r < 0 ? r : budget_write(database, &budget, request->budget_limit, ret_error);
}

static int buy(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	struct reservation wanted = {.amount = request->amount ? request->amount : found->amount,
		.name = request->budget, .currency = request->currency ? request->currency : found->currency};
	if (wanted.name && !wanted.currency) {
		request->status = error_set(&request->error, SHIPOPT_EINVAL,
			"ledger: budget %s: the purchase of order %s has no currency", wanted.name, request->key.order_key);
		return 0;
	}
	int r = reserve(database, request, found, &wanted, ret_error);
	if (r == LEDGER_OVER_LIMIT)
		return answer(database, request, found, LEDGER_OVER_LIMIT, ret_error);
	if (r < 0)
		return r;
	sqlite3_stmt *statement;
	r = ledger_move_statement(
		database, SQL_BUY, found, request->release, request->lease_ms, &statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 6, wanted.amount);
	bind_text(statement, 7, wanted.currency);
	bind_text(statement, 8, wanted.name);
	sqlite3_bind_int64(statement, 9, wanted.name ? wanted.amount : 0);
	sqlite3_bind_int64(statement, 10, request->ceiling);
	return take_row(database, statement, request, NULL, ret_error);
}

static int bought(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	int64_t spent = request->paid ? request->paid : found->amount;
	int r = budget_settle(database, request->key.tenant, found->budget, found->currency, found->reserved, spent, ret_error);
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
	return take_row(database, statement, request, NULL, ret_error);
}

static int fail(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	int r = budget_settle(database, request->key.tenant, found->budget, found->currency, found->reserved, 0, ret_error);
	return r < 0 ? r : move(database, request, found, SQL_FAIL, &request->reason, 1, ret_error);
}

static int void_row(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = ledger_move_statement(database, SQL_VOID, found, request->release, 0, &statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int(statement, 6, request->state);
	bind_text(statement, 7, request->reason);
	return take_row(database, statement, request, NULL, ret_error);
}

static int reopen(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	enum statement which = found->state == LEDGER_HELD ? SQL_UNHOLD : SQL_REPLAN;
	return move(database, request, found, which, NULL, 0, ret_error);
}

/* --- rules --- */

/* The states that an operation may start from. */
static unsigned allowed_states(const struct ledger_request *request)
{
	const unsigned planned = BIT(LEDGER_PLANNED), created = BIT(LEDGER_CREATED), buying = BIT(LEDGER_BUYING),
		       in_doubt = BIT(LEDGER_IN_DOUBT), failed = BIT(LEDGER_FAILED), held = BIT(LEDGER_HELD),
		       has_label = BIT(LEDGER_BOUGHT) | BIT(LEDGER_DOCUMENTED) | BIT(LEDGER_VOID_REFUSED);
	switch (request->operation) {
	case LEDGER_PLAN:
		return planned | created | failed | held;
	case LEDGER_CREATE:
		return planned | created;
	case LEDGER_BUY:
		return created | buying | in_doubt;
	case LEDGER_DOUBT:
		return buying;
	case LEDGER_BOUGHT_:
		return buying | in_doubt | failed;
	case LEDGER_FAIL:
		return planned | created | buying | in_doubt;
	case LEDGER_HOLD:
		return planned | created;
	case LEDGER_REOPEN:
		return held | failed;
	case LEDGER_RENEW:
	case LEDGER_RELEASE:
		return ~0u;
	case LEDGER_DOCUMENT:
		return BIT(LEDGER_BOUGHT);
	case LEDGER_VOID:
		return request->state == LEDGER_VOID_REQUESTED ? has_label : BIT(LEDGER_VOID_REQUESTED);
	case LEDGER_CLAIM:
		break;
	}
	return 0;
}

static bool is_allowed(const struct ledger_request *request, const struct ledger_found *found)
{
	if (!(allowed_states(request) & BIT(found->state)))
		return false;
	switch (request->operation) {
	case LEDGER_PLAN:
	case LEDGER_CREATE:
		return found->sent == 0;
	case LEDGER_BUY:
		return found->shipment_id &&
			(!request->shipment_id || strcmp(request->shipment_id, found->shipment_id) == 0);
	case LEDGER_REOPEN:
		return request->state == 0 ||
			request->state == (found->state == LEDGER_HELD ? found->held_from : LEDGER_PLANNED);
	default:
		return true;
	}
}

static int apply(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	switch (request->operation) {
	case LEDGER_PLAN:
		return move(database, request, found, SQL_PLAN, (const char *[]){request->fingerprint, request->request}, 2,
			ret_error);
	case LEDGER_CREATE:
		return create(database, request, found, ret_error);
	case LEDGER_BUY:
		return buy(database, request, found, ret_error);
	case LEDGER_DOUBT:
		return move(database, request, found, SQL_DOUBT, &request->reason, 1, ret_error);
	case LEDGER_BOUGHT_:
		return bought(database, request, found, ret_error);
	case LEDGER_FAIL:
		return fail(database, request, found, ret_error);
	case LEDGER_HOLD:
		return move(database, request, found, SQL_HOLD, &request->reason, 1, ret_error);
	case LEDGER_REOPEN:
		return reopen(database, request, found, ret_error);
	case LEDGER_RENEW:
	case LEDGER_RELEASE:
		return move(database, request, found, SQL_RENEW, NULL, 0, ret_error);
	case LEDGER_DOCUMENT:
		return move(database, request, found, SQL_DOCUMENT, NULL, 0, ret_error);
	case LEDGER_VOID:
		return void_row(database, request, found, ret_error);
	case LEDGER_CLAIM:
		break;
	}
	return SHIPOPT_EINTERNAL;
}

static int transition(struct database *database, struct ledger_request *request, shipopt_error **ret_error)
{
	struct ledger_found found;
	sqlite3_stmt *statement;
	bool needs_token = request->operation != LEDGER_DOCUMENT && request->operation != LEDGER_VOID;
	int r = find(database, &request->key, request->key.generation, &found, &statement, ret_error);
	if (r < 0)
		return r;
	if (r == 0) {
		request->status = error_set(&request->error, SHIPOPT_ENOTFOUND, "ledger: no row for order %s, piece %lld",
			request->key.order_key, (long long)request->key.piece);
		return 0;
	}
	if (needs_token && request->token != found.token)
		r = answer(database, request, &found, LEDGER_LOST, ret_error);
	else if (!is_allowed(request, &found))
		r = answer(database, request, &found, LEDGER_REFUSED, ret_error);
	else
		r = apply(database, request, &found, ret_error);
	sqlite3_reset(statement);
	return r;
}

int ledger_run(struct database *database, struct ledger_request *request, shipopt_error **ret_error)
{
	return request->operation == LEDGER_CLAIM ? claim(database, request, ret_error)
						  : transition(database, request, ret_error);
}
