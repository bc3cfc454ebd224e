/* SPDX-License-Identifier: MIT */
#include "store/sqlite/list.h"

#include "json/json.h"
#include "store/ledger.h"

static void member(struct json_writer *writer, const char *key, sqlite3_stmt *statement, enum list_column column)
{
	if (sqlite3_column_type(statement, (int)column) == SQLITE_INTEGER)
		json_member_i64(writer, key, sqlite3_column_int64(statement, (int)column));
	else
		json_member_text(writer, key, column_text(statement, (int)column));
}

static void money(struct json_writer *writer, const char *key, sqlite3_stmt *statement, enum list_column column)
{
	json_write_key(writer, key);
	json_write_decimal(writer, sqlite3_column_int64(statement, (int)column));
}

static void flag(struct json_writer *writer, const char *key, sqlite3_stmt *statement, enum list_column column)
{
	json_member_bool(writer, key, sqlite3_column_int(statement, (int)column) != 0);
}

static void write_row(struct json_writer *writer, sqlite3_stmt *statement)
{
	json_begin_object(writer);
	member(writer, "row", statement, LIST_ID);
	member(writer, "order_key", statement, LIST_ORDER_KEY);
	member(writer, "piece", statement, LIST_PIECE);
	member(writer, "purpose", statement, LIST_PURPOSE);
	member(writer, "generation", statement, LIST_GENERATION);
	json_member_text(writer, "state", ledger_state_name(sqlite3_column_int(statement, LIST_STATE)));
	member(writer, "shipment_id", statement, LIST_SHIPMENT_ID);
	member(writer, "carrier", statement, LIST_CARRIER);
	member(writer, "service", statement, LIST_SERVICE);
	money(writer, "amount", statement, LIST_AMOUNT);
	money(writer, "paid", statement, LIST_PAID);
	member(writer, "currency", statement, LIST_CURRENCY);
	member(writer, "tracking_code", statement, LIST_TRACKING_CODE);
	member(writer, "label_url", statement, LIST_LABEL_URL);
	member(writer, "attempts", statement, LIST_ATTEMPTS);
	member(writer, "reason", statement, LIST_REASON);
	member(writer, "updated_at_ms", statement, LIST_UPDATED_AT);
	member(writer, "sent", statement, LIST_SENT);
	member(writer, "unproven", statement, LIST_UNPROVEN);
	flag(writer, "needs_person", statement, LIST_NEEDS_PERSON);
	member(writer, "refusal", statement, LIST_REFUSAL);
	money(writer, "approved", statement, LIST_APPROVED);
	money(writer, "ceiling", statement, LIST_CEILING);
	money(writer, "insurance", statement, LIST_INSURANCE);
	money(writer, "fee", statement, LIST_FEE);
	member(writer, "approved_currency", statement, LIST_APPROVED_CURRENCY);
	member(writer, "buying_at_ms", statement, LIST_BUYING_AT);
	flag(writer, "exists_seen", statement, LIST_EXISTS_SEEN);
	member(writer, "provider", statement, LIST_PROVIDER);
	member(writer, "account", statement, LIST_ACCOUNT);
	member(writer, "mode", statement, LIST_MODE);
	flag(writer, "mode_guessed", statement, LIST_MODE_GUESSED);
	member(writer, "base_url", statement, LIST_BASE_URL);
	json_end_object(writer);
}

/* `all` is the first of three statements: all rows, those of a state, those that need a person. */
static int bind_page(struct database *database, const struct backend_query *query, enum statement all,
	sqlite3_stmt **ret_statement, shipopt_error **ret_error)
{
	enum statement which = all + (query->state == SHIPOPT_LEDGER_NEEDS_PERSON ? 2 : query->state != 0);
	int r = database_statement(database, which, ret_statement, ret_error);
	if (r < 0)
		return r;
	bind_text(*ret_statement, 1, query->tenant);
	sqlite3_bind_int64(*ret_statement, 2, query->after);
	sqlite3_bind_int64(*ret_statement, 3, query->limit + 1);
	sqlite3_bind_int(*ret_statement, 4, query->state);
	return 0;
}

/* Writes up to query->limit rows; 1 if there are more. */
static int write_rows(struct database *database, struct backend_query *query, sqlite3_stmt *statement,
	struct json_writer *writer, shipopt_error **ret_error)
{
	int r;
	query->value = 0;
	while ((r = database_step(database, statement, ret_error)) == 1) {
		if (query->value == query->limit)
			return 1;
		write_row(writer, statement);
		query->value++;
	}
	return r;
}

static int finish_json(struct json_writer *writer, struct buffer *buffer, char **ret_json, shipopt_error **ret_error)
{
	int r = json_writer_finish(writer);
	if (r == SHIPOPT_ETOOLARGE)
		return error_set(ret_error, r, "ledger: the page has more than %zu bytes: ask for fewer rows",
			LIST_JSON_MAX);
	if (r < 0)
		return r;
	char *json = buffer_take(buffer);
	if (!json)
		return SHIPOPT_ENOMEM;
	*ret_json = json;
	return 0;
}

int list_run(struct database *database, struct backend_query *query, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	struct buffer buffer;
	struct json_writer writer;
	int r = bind_page(database, query, SQL_LIST, &statement, ret_error);
	if (r < 0)
		return r;
	buffer_init(&buffer, LIST_JSON_MAX);
	json_writer_init(&writer, &buffer);
	json_begin_object(&writer);
	json_write_key(&writer, "rows");
	json_begin_array(&writer);
	r = write_rows(database, query, statement, &writer, ret_error);
	sqlite3_reset(statement);
	json_end_array(&writer);
	json_member_bool(&writer, "has_more", r == 1);
	json_end_object(&writer);
	if (r >= 0)
		r = finish_json(&writer, &buffer, &query->json, ret_error);
	buffer_done(&buffer);
	return r;
}

int count_run(struct database *database, struct backend_query *query, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = bind_page(database, query, SQL_COUNT, &statement, ret_error);
	r = r < 0 ? r : database_step(database, statement, ret_error);
	if (r < 0)
		return r;
	query->value = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return 0;
}
