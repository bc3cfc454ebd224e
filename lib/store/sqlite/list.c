/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/sqlite/list.h"

#include "json/json.h"
#include "store/ledger.h"

static void list_member(struct json_writer *writer, const char *key, sqlite3_stmt *statement, enum list_column column)
{
	if (sqlite3_column_type(statement, (int)column) == SQLITE_INTEGER)
		json_member_i64(writer, key, sqlite3_column_int64(statement, (int)column));
	else
		json_member_text(writer, key, column_text(statement, (int)column));
}

static void list_money(struct json_writer *writer, const char *key, sqlite3_stmt *statement, enum list_column column)
{
	json_write_key(writer, key);
	json_write_decimal(writer, sqlite3_column_int64(statement, (int)column));
}

static void list_flag(struct json_writer *writer, const char *key, sqlite3_stmt *statement, enum list_column column)
{
	json_member_bool(writer, key, sqlite3_column_int(statement, (int)column) != 0);
}

static void list_write_row(struct json_writer *writer, sqlite3_stmt *statement)
{
	json_begin_object(writer);
	list_member(writer, "row", statement, LIST_ID);
	list_member(writer, "order_key", statement, LIST_ORDER_KEY);
	list_member(writer, "piece", statement, LIST_PIECE);
	list_member(writer, "purpose", statement, LIST_PURPOSE);
	list_member(writer, "generation", statement, LIST_GENERATION);
	json_member_text(writer, "state", ledger_state_name(sqlite3_column_int(statement, LIST_STATE)));
	list_member(writer, "shipment_id", statement, LIST_SHIPMENT_ID);
	list_member(writer, "carrier", statement, LIST_CARRIER);
	list_member(writer, "service", statement, LIST_SERVICE);
	list_money(writer, "amount", statement, LIST_AMOUNT);
	list_money(writer, "paid", statement, LIST_PAID);
	list_member(writer, "currency", statement, LIST_CURRENCY);
	list_member(writer, "tracking_code", statement, LIST_TRACKING_CODE);
	list_member(writer, "label_url", statement, LIST_LABEL_URL);
	list_member(writer, "attempts", statement, LIST_ATTEMPTS);
	list_member(writer, "reason", statement, LIST_REASON);
	list_member(writer, "updated_at_ms", statement, LIST_UPDATED_AT);
	list_member(writer, "sent", statement, LIST_SENT);
	list_member(writer, "unproven", statement, LIST_UNPROVEN);
	list_flag(writer, "needs_person", statement, LIST_NEEDS_PERSON);
	list_member(writer, "refusal", statement, LIST_REFUSAL);
	list_money(writer, "approved", statement, LIST_APPROVED);
	list_money(writer, "ceiling", statement, LIST_CEILING);
	list_money(writer, "insurance", statement, LIST_INSURANCE);
	list_money(writer, "fee", statement, LIST_FEE);
	list_member(writer, "approved_currency", statement, LIST_APPROVED_CURRENCY);
	list_member(writer, "buying_at_ms", statement, LIST_BUYING_AT);
	list_flag(writer, "exists_seen", statement, LIST_EXISTS_SEEN);
	list_member(writer, "provider", statement, LIST_PROVIDER);
	list_member(writer, "account", statement, LIST_ACCOUNT);
	list_member(writer, "mode", statement, LIST_MODE);
	list_flag(writer, "mode_guessed", statement, LIST_MODE_GUESSED);
	list_member(writer, "base_url", statement, LIST_BASE_URL);
	json_end_object(writer);
}

/* `all` is the first of three statements: all rows, those of a state, those that need a person. */
static int list_bind_page(struct database *database, const struct backend_query *query, enum statement all,
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
static int list_write_rows(struct database *database, struct backend_query *query, sqlite3_stmt *statement,
	struct json_writer *writer, shipopt_error **ret_error)
{
	int r;
	query->value = 0;
	while ((r = database_step(database, statement, ret_error)) == 1) {
		if (query->value == query->limit)
			return 1;
		list_write_row(writer, statement);
		query->value++;
	}
	return r;
}

static int list_finish_json(struct json_writer *writer, struct buffer *buffer, char **ret_json,
	shipopt_error **ret_error)
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
	int r = list_bind_page(database, query, SQL_LIST, &statement, ret_error);
	if (r < 0)
		return r;
	buffer_init(&buffer, LIST_JSON_MAX);
	json_writer_init(&writer, &buffer);
	json_begin_object(&writer);
	json_write_key(&writer, "rows");
	json_begin_array(&writer);
	r = list_write_rows(database, query, statement, &writer, ret_error);
	sqlite3_reset(statement);
	json_end_array(&writer);
	json_member_bool(&writer, "has_more", r == 1);
	json_end_object(&writer);
	if (r >= 0)
		r = list_finish_json(&writer, &buffer, &query->json, ret_error);
	buffer_done(&buffer);
	return r;
}

int count_run(struct database *database, struct backend_query *query, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = list_bind_page(database, query, SQL_COUNT, &statement, ret_error);
	r = r < 0 ? r : database_step(database, statement, ret_error);
	if (r < 0)
		return r;
	query->value = sqlite3_column_int64(statement, 0);
	sqlite3_reset(statement);
	return 0;
}
