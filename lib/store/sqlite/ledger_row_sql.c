/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/sqlite/ledger_row_sql.h"

#include <string.h>

/* --- rows --- */

static int ledger_row_sql_copy_row(sqlite3_stmt *statement, struct ledger_row *row)
{
	const struct {
		enum row_column column;
		char **text;
	} texts[] = {{ROW_FINGERPRINT, &row->fingerprint}, {ROW_REQUEST, &row->request},
		{ROW_SHIPMENT_ID, &row->shipment_id}, {ROW_RATE_ID, &row->rate_id}, {ROW_CARRIER, &row->carrier},
		{ROW_SERVICE, &row->service}, {ROW_CURRENCY, &row->currency}, {ROW_TRACKING_CODE, &row->tracking_code},
		{ROW_LABEL_URL, &row->label_url}, {ROW_BUDGET, &row->budget}, {ROW_REASON, &row->reason},
		{ROW_RESULT, &row->result}, {ROW_REFUSAL, &row->refusal}, {ROW_BASE_URL, &row->base_url},
		{ROW_APPROVED_CURRENCY, &row->approved_currency}, {ROW_RATE_CHOICE, &row->rate_choice}};
	const struct {
		enum row_column column;
		int64_t *number;
	} numbers[] = {{ROW_ID, &row->id}, {ROW_GENERATION, &row->generation}, {ROW_AMOUNT, &row->amount},
		{ROW_CEILING, &row->ceiling}, {ROW_BUYING_AT, &row->buying_at_ms},
		{ROW_FIRST_BUYING_AT, &row->first_buying_at_ms}, {ROW_ATTEMPTS, &row->attempts}, {ROW_PAID, &row->paid},
		{ROW_LEASE_UNTIL, &row->lease_until_ms}, {ROW_NOW, &row->now_ms}, {ROW_SENT, &row->sent},
		{ROW_UNPROVEN, &row->unproven}, {ROW_SETTLE, &row->settle_ms}, {ROW_EXISTS_SEEN, &row->exists_seen},
		{ROW_NEEDS_PERSON, &row->needs_person}, {ROW_APPROVED, &row->approved},
		{ROW_INSURANCE, &row->insurance}, {ROW_FEE, &row->fee}};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (column_copy(statement, (int)texts[i].column, texts[i].text) < 0)
			return SHIPOPT_ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		*numbers[i].number = sqlite3_column_int64(statement, (int)numbers[i].column);
	row->state = sqlite3_column_int(statement, ROW_STATE);
	/* A damaged file may have any number here, and times are added and multiplied. */
	row->buying_at_ms = MAX(row->buying_at_ms, 0);
	row->settle_ms = MAX(MIN(row->settle_ms, LEDGER_LEASE_MAX_MS), 0);
	return 0;
}

int ledger_take_row(struct database *database, sqlite3_stmt *statement, struct ledger_request *request,
	int64_t *ret_token, shipopt_error **ret_error)
{
	int r = database_step(database, statement, ret_error);
	if (r == 0)
		return error_set(ret_error, SHIPOPT_EINTERNAL, "%s: a ledger row changed under the writer",
			database->path);
	if (r < 0)
		return r;
	r = ledger_row_sql_copy_row(statement, &request->row);
	if (ret_token)
		*ret_token = sqlite3_column_int64(statement, ROW_TOKEN);
	if (r < 0)
		return r;
	/* RETURNING gives rows after all changes were made. The second step ends the statement. */
	r = database_step(database, statement, ret_error);
	return MIN(r, 0);
}

static int ledger_row_sql_read_row(struct database *database, struct ledger_request *request, int64_t id,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = database_statement(database, SQL_READ, &statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, id);
	return ledger_take_row(database, statement, request, NULL, ret_error);
}

int ledger_answer(struct database *database, struct ledger_request *request, const struct ledger_found *found,
	int outcome, shipopt_error **ret_error)
{
	int r = ledger_row_sql_read_row(database, request, found->id, ret_error);
	if (r == 0)
		request->status = outcome;
	return r;
}

/* --- finding --- */

void ledger_bind_key(sqlite3_stmt *statement, const struct ledger_key *key)
{
	bind_text(statement, 1, key->tenant);
	bind_text(statement, 2, key->provider);
	bind_text(statement, 3, key->account);
	bind_text(statement, 4, key->mode);
	bind_text(statement, 5, key->order_key);
	sqlite3_bind_int64(statement, 6, key->piece);
	bind_text(statement, 7, key->purpose);
}

/* Whether the numbers are ones that this library writes. */
static bool ledger_row_sql_found_is_sound(sqlite3_stmt *statement)
{
	int64_t state = sqlite3_column_int64(statement, FIND_STATE), sent = sqlite3_column_int64(statement, FIND_SENT);
	int64_t held_from = sqlite3_column_int64(statement, FIND_HELD_FROM);
	int64_t unproven = sqlite3_column_int64(statement, FIND_UNPROVEN);
	return state >= LEDGER_STATE_PLANNED && state <= LEDGER_STATE_VOID_REFUSED && held_from >= 0 &&
		held_from <= LEDGER_STATE_CREATED && unproven >= 0 && unproven <= sent &&
		(unproven == 0 || sqlite3_column_text(statement, FIND_SHIPMENT_ID));
}

/* SHIPOPT_EDATABASE for a row that this library does not write: the file is damaged. */
static int ledger_row_sql_read_found(struct database *database, sqlite3_stmt *statement, struct ledger_found *found,
	shipopt_error **ret_error)
{
	*found = (struct ledger_found){
		.id = sqlite3_column_int64(statement, FIND_ID),
		.generation = sqlite3_column_int64(statement, FIND_GENERATION),
		.token = sqlite3_column_int64(statement, FIND_TOKEN),
		.amount = sqlite3_column_int64(statement, FIND_AMOUNT),
		.currency = column_text(statement, FIND_CURRENCY),
		.budget = column_text(statement, FIND_BUDGET),
		.reserved = sqlite3_column_int64(statement, FIND_RESERVED),
		.fee = sqlite3_column_int64(statement, FIND_FEE),
		.facts = {.state = sqlite3_column_int(statement, FIND_STATE),
			.held_from = sqlite3_column_int(statement, FIND_HELD_FROM),
			.sent = sqlite3_column_int64(statement, FIND_SENT),
			.unproven = sqlite3_column_int64(statement, FIND_UNPROVEN),
			.exists_seen = sqlite3_column_int64(statement, FIND_EXISTS_SEEN),
			.needs_person = sqlite3_column_int64(statement, FIND_NEEDS_PERSON),
			.shipment_id = column_text(statement, FIND_SHIPMENT_ID),
			.lease_until_ms = sqlite3_column_int64(statement, FIND_LEASE_UNTIL),
			.now_ms = sqlite3_column_int64(statement, FIND_NOW)},
	};
	if (ledger_row_sql_found_is_sound(statement))
		return 1;
	return error_set(ret_error, SHIPOPT_EDATABASE,
		"%s: ledger row %lld (state %lld, %lld sent, %lld unproven) was not written by this library: the file is damaged, "
		"restore it from a backup",
		database->path, (long long)found->id, (long long)sqlite3_column_int64(statement, FIND_STATE),
		(long long)found->facts.sent, (long long)found->facts.unproven);
}

int ledger_find(struct database *database, const struct ledger_key *key, int64_t generation,
	struct ledger_found *ret_found, sqlite3_stmt **ret_statement, shipopt_error **ret_error)
{
	int r = database_statement(database, generation ? SQL_FIND : SQL_FIND_NEWEST, ret_statement, ret_error);
	if (r < 0)
		return r;
	ledger_bind_key(*ret_statement, key);
	if (generation)
		sqlite3_bind_int64(*ret_statement, 8, generation);
	r = database_step(database, *ret_statement, ret_error);
	return r == 1 ? ledger_row_sql_read_found(database, *ret_statement, ret_found, ret_error) : r;
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
	return r == 1 ? ledger_row_sql_read_found(database, *ret_statement, ret_found, ret_error) : r;
}

int ledger_move_statement(struct database *database, enum statement which, const struct ledger_found *found,
	bool release, int64_t lease_ms, sqlite3_stmt **ret_statement, shipopt_error **ret_error)
{
	int r = database_statement(database, which, ret_statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int64(*ret_statement, 1, found->id);
	sqlite3_bind_int64(*ret_statement, 2, found->token);
	sqlite3_bind_int(*ret_statement, 3, found->facts.state);
	sqlite3_bind_int(*ret_statement, 4, release);
	sqlite3_bind_int64(*ret_statement, 5, lease_ms);
	return 0;
}
