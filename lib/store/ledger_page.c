/* SPDX-License-Identifier: MIT */
#include "store/ledger_page.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "store/ledger.h"

#define PAGE_ROWS_MAX 1000

enum field_kind { FIELD_TEXT, FIELD_NUMBER, FIELD_AMOUNT, FIELD_FLAG, FIELD_STATE };

static const struct {
	const char *name; /* of the JSON member */
	enum field_kind kind;
} ledger_page_fields[LEDGER_FIELD_COUNT] = {
	[SHIPOPT_LEDGER_FIELD_ROW] = {"row", FIELD_NUMBER},
	[SHIPOPT_LEDGER_FIELD_ORDER_KEY] = {"order_key", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_PIECE] = {"piece", FIELD_NUMBER},
	[SHIPOPT_LEDGER_FIELD_PURPOSE] = {"purpose", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_GENERATION] = {"generation", FIELD_NUMBER},
	[SHIPOPT_LEDGER_FIELD_STATE] = {"state", FIELD_STATE},
	[SHIPOPT_LEDGER_FIELD_PROVIDER] = {"provider", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_ACCOUNT] = {"account", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_MODE] = {"mode", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_MODE_GUESSED] = {"mode_guessed", FIELD_FLAG},
	[SHIPOPT_LEDGER_FIELD_BASE_URL] = {"base_url", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_SHIPMENT_ID] = {"shipment_id", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_CARRIER] = {"carrier", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_SERVICE] = {"service", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_AMOUNT] = {"amount", FIELD_AMOUNT},
	[SHIPOPT_LEDGER_FIELD_CURRENCY] = {"currency", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_INSURANCE] = {"insurance", FIELD_AMOUNT},
	[SHIPOPT_LEDGER_FIELD_FEE] = {"fee", FIELD_AMOUNT},
	[SHIPOPT_LEDGER_FIELD_APPROVED] = {"approved", FIELD_AMOUNT},
	[SHIPOPT_LEDGER_FIELD_APPROVED_CURRENCY] = {"approved_currency", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_CEILING] = {"ceiling", FIELD_AMOUNT},
	[SHIPOPT_LEDGER_FIELD_ATTEMPTS] = {"attempts", FIELD_NUMBER},
	[SHIPOPT_LEDGER_FIELD_SENT] = {"sent", FIELD_NUMBER},
	[SHIPOPT_LEDGER_FIELD_UNPROVEN] = {"unproven", FIELD_NUMBER},
	[SHIPOPT_LEDGER_FIELD_BUYING_AT_MS] = {"buying_at_ms", FIELD_NUMBER},
	[SHIPOPT_LEDGER_FIELD_EXISTS_SEEN] = {"exists_seen", FIELD_FLAG},
	[SHIPOPT_LEDGER_FIELD_NEEDS_PERSON] = {"needs_person", FIELD_FLAG},
	[SHIPOPT_LEDGER_FIELD_REASON] = {"reason", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_REFUSAL] = {"refusal", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_TRACKING_CODE] = {"tracking_code", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_LABEL_URL] = {"label_url", FIELD_TEXT},
	[SHIPOPT_LEDGER_FIELD_PAID] = {"paid", FIELD_AMOUNT},
	[SHIPOPT_LEDGER_FIELD_UPDATED_AT_MS] = {"updated_at_ms", FIELD_NUMBER},
};
_Static_assert(SHIPOPT_LEDGER_FIELD_UPDATED_AT_MS + 1 == LEDGER_FIELD_COUNT, "the table has every field");

/* --- making a page --- */

int ledger_page_new(shipopt_ledger_page **ret_page)
{
	shipopt_ledger_page *page = mem_alloc_zero(sizeof(*page));
	if (!page)
		return SHIPOPT_ENOMEM;
	buffer_init(&page->rows, PAGE_ROWS_MAX * sizeof(struct ledger_page_row));
	buffer_init(&page->texts, LEDGER_PAGE_TEXTS_MAX);
	*ret_page = page;
	return 0;
}

void ledger_page_free(shipopt_ledger_page *page)
{
	if (!page)
		return;
	buffer_done(&page->rows);
	buffer_done(&page->texts);
	mem_free(page);
}

bool ledger_page_is_text(int field)
{
	return ledger_page_fields[field].kind == FIELD_TEXT;
}

int ledger_page_set_text(shipopt_ledger_page *page, struct ledger_page_row *row, int field, const char *text)
{
	row->values[field] = text ? (int64_t)page->texts.length + 1 : 0;
	return text ? buffer_append(&page->texts, text, strlen(text) + 1) : 0;
}

int ledger_page_add_row(shipopt_ledger_page *page, const struct ledger_page_row *row)
{
	return buffer_append(&page->rows, row, sizeof(*row));
}

bool ledger_page_is_full(const shipopt_ledger_page *page)
{
	return page->texts.length > LEDGER_PAGE_TEXTS_FULL;
}

/* --- getters --- */

/* NULL if the index or the field is out of range. */
static const int64_t *ledger_page_value(const shipopt_ledger_page *page, size_t index, int field)
{
	if (index >= shipopt_ledger_page_count(page) || field < 0 || field >= LEDGER_FIELD_COUNT)
		return NULL;
	return &((const struct ledger_page_row *)(const void *)page->rows.data)[index].values[field];
}

size_t shipopt_ledger_page_count(const shipopt_ledger_page *page)
{
	return page ? page->rows.length / sizeof(struct ledger_page_row) : 0;
}

int shipopt_ledger_page_has_more(const shipopt_ledger_page *page)
{
	return page && page->has_more;
}

const char *shipopt_ledger_page_text(const shipopt_ledger_page *page, size_t index, int field)
{
	const int64_t *value = ledger_page_value(page, index, field);
	if (!value)
		return NULL;
	if (ledger_page_fields[field].kind == FIELD_STATE)
		return ledger_state_name((int)*value);
	return ledger_page_is_text(field) && *value > 0 ? page->texts.data + *value - 1 : NULL;
}

int64_t shipopt_ledger_page_number(const shipopt_ledger_page *page, size_t index, int field)
{
	const int64_t *value = ledger_page_value(page, index, field);
	return value && !ledger_page_is_text(field) ? *value : 0;
}

/* --- JSON --- */

static void ledger_page_write_field(const shipopt_ledger_page *page, size_t index, int field,
	struct json_writer *writer)
{
	const char *name = ledger_page_fields[field].name;
	int64_t number = shipopt_ledger_page_number(page, index, field);
	char amount[DECIMAL_TEXT_SIZE];
	switch (ledger_page_fields[field].kind) {
	case FIELD_TEXT:
	case FIELD_STATE: json_member_text(writer, name, shipopt_ledger_page_text(page, index, field)); break;
	case FIELD_NUMBER: json_member_i64(writer, name, number); break;
	case FIELD_FLAG: json_member_bool(writer, name, number != 0); break;
	case FIELD_AMOUNT:
		decimal_format(number, 2, amount);
		json_member_text(writer, name, amount);
		break;
	}
}

void ledger_page_write_row(const shipopt_ledger_page *page, size_t index, struct json_writer *writer)
{
	json_begin_object(writer);
	for (int field = 0; field < LEDGER_FIELD_COUNT; field++)
		ledger_page_write_field(page, index, field, writer);
	json_end_object(writer);
}

int ledger_page_write(const shipopt_ledger_page *page, char **ret_json)
{
	struct buffer buffer;
	struct json_writer writer;
	buffer_init(&buffer, LEDGER_PAGE_JSON_MAX);
	json_writer_init(&writer, &buffer);
	json_begin_object(&writer);
	json_write_key(&writer, "rows");
	json_begin_array(&writer);
	for (size_t i = 0; i < shipopt_ledger_page_count(page); i++)
		ledger_page_write_row(page, i, &writer);
	json_end_array(&writer);
	json_member_bool(&writer, "has_more", page->has_more);
	json_end_object(&writer);
	int r = json_writer_finish(&writer);
	char *json = r < 0 ? NULL : buffer_take(&buffer);
	buffer_done(&buffer);
	if (r == 0 && !json)
		r = SHIPOPT_ENOMEM;
	if (r == 0)
		*ret_json = json;
	return r;
}
