/* SPDX-License-Identifier: MIT */
#ifndef STORE_LEDGER_PAGE_H
#define STORE_LEDGER_PAGE_H

#include <shipopt/ledger.h>

#include "base/buffer.h"
#include "json/json.h"

/*
 * A page of ledger rows, as shipopt_ledger_list() returns it.
 *
 * A back-end makes an empty page and adds one row after the other: for each field, in the order of
 * SHIPOPT_LEDGER_FIELD_…, a number or a text. Numbers are kept in the row itself. Texts are kept one behind another in
 * `texts`, and the row has their offset. After that the page never changes.
 *
 * The table of fields (ledger_page.c) is the only place that knows the name and the kind of each field. The getters and
 * the JSON form both follow it.
 */
#define LEDGER_FIELD_COUNT 33
/* A page is full after the row that makes its texts longer than this. */
#define LEDGER_PAGE_TEXTS_FULL ((size_t)4 << 20)
/* Enough for a full page and one more row of texts as long as the ledger takes them. */
#define LEDGER_PAGE_TEXTS_MAX ((size_t)16 << 20)
/* Six bytes of JSON for each byte of text, and the members' names. */
#define LEDGER_PAGE_JSON_MAX ((size_t)128 << 20)

struct shipopt_ledger_page {
	bool has_more;
	struct buffer rows;  /* of int64_t[LEDGER_FIELD_COUNT]; a text as its offset + 1, 0 for none */
	struct buffer texts; /* each ends with NUL */
};

/* An empty page. SHIPOPT_ENOMEM. */
int ledger_page_new(shipopt_ledger_page **ret_page);
void ledger_page_free(shipopt_ledger_page *page);

/* One row while it is being added. */
struct ledger_page_row {
	int64_t values[LEDGER_FIELD_COUNT];
};
/* True if the table says that the field is a text. */
bool ledger_page_is_text(int field);
/* Adds a text (NULL: none) to the page, for this field of a row that is added later. SHIPOPT_ENOMEM,
 * SHIPOPT_ETOOLARGE. */
int ledger_page_set_text(shipopt_ledger_page *page, struct ledger_page_row *row, int field, const char *text);
int ledger_page_add_row(shipopt_ledger_page *page, const struct ledger_page_row *row);
/* True if no row is to be added any more, though the page has fewer than were asked for. */
bool ledger_page_is_full(const shipopt_ledger_page *page);

/* Writes one row as a JSON object, or the whole page. */
void ledger_page_write_row(const shipopt_ledger_page *page, size_t index, struct json_writer *writer);
int ledger_page_write(const shipopt_ledger_page *page, char **ret_json);

#endif
