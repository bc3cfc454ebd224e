/* SPDX-License-Identifier: MIT */
#include "store/sqlite/list.h"

#include "store/ledger_page.h"

/* `all` is the first of three statements: all rows, those of a state, those that a person must settle. */
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

static int list_add_row(shipopt_ledger_page *page, sqlite3_stmt *statement)
{
	struct ledger_page_row row;
	int r = 0;
	for (int field = 0; r == 0 && field < LEDGER_FIELD_COUNT; field++) {
		if (ledger_page_is_text(field))
			r = ledger_page_set_text(page, &row, field, column_text(statement, field));
		else
			row.values[field] = sqlite3_column_int64(statement, field);
	}
	return r < 0 ? r : ledger_page_add_row(page, &row);
}

static int list_read_rows(struct database *database, const struct backend_query *query, sqlite3_stmt *statement,
	shipopt_ledger_page *page, shipopt_error **ret_error)
{
	int r;
	while ((r = database_step(database, statement, ret_error)) == 1) {
		page->has_more = shipopt_ledger_page_count(page) == (size_t)query->limit || ledger_page_is_full(page);
		if (page->has_more)
			return 0;
		r = list_add_row(page, statement);
		if (r < 0)
			return r;
	}
	return r;
}

int list_run(struct database *database, struct backend_query *query, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	shipopt_ledger_page *page;
	int r = list_bind_page(database, query, SQL_LIST, &statement, ret_error);
	r = r < 0 ? r : ledger_page_new(&page);
	if (r < 0)
		return r;
	r = list_read_rows(database, query, statement, page, ret_error);
	sqlite3_reset(statement);
	if (r < 0) {
		ledger_page_free(page);
		return r;
	}
	query->page = page;
	query->value = (int64_t)shipopt_ledger_page_count(page);
	return 0;
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
