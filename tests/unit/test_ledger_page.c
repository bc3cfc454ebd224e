/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "json/json.h"
#include "store/ledger_page.h"
#include "store/sqlite/statements.h"
#include "store_fixture.h"

/* Reading the ledger: pages, their fields and their JSON, and what the calls say about a wrong argument. */

static struct store_fixture fixture;

static int setup(void **state)
{
	clock_set_virtual(true);
	store_fixture_init(&fixture, NULL);
	return 0;
}

static int teardown(void **state)
{
	store_fixture_done(&fixture);
	json_stock_clear();
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static void sql(const char *text)
{
	sqlite3 *handle;
	char *message = NULL;
	assert_int_equal(sqlite3_open(fixture.path, &handle), SQLITE_OK);
	sqlite3_busy_timeout(handle, 10000);
	if (sqlite3_exec(handle, text, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s", message);
	sqlite3_close(handle);
}

/* A claimed row, and what else is done with it. Returns its id. */
static int64_t make_row(const char *order_key, const struct ledger_request *steps, size_t count)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, order_key, 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	int64_t token = request.token, id = request.row.id;
	fixture_forget(&request);
	for (size_t i = 0; i < count; i++) {
		struct ledger_request step = steps[i], base = fixture_request(step.operation, order_key, token);
		step.key = base.key;
		step.token = token;
		step.shipment_id = step.shipment_id ? step.shipment_id : base.shipment_id;
		step.release = i == count - 1;
		assert_int_equal(fixture_run(&fixture, fixture.store, &step), LEDGER_OUTCOME_OK);
		fixture_forget(&step);
	}
	return id;
}

#define STEPS(...) \
	(const struct ledger_request[]){__VA_ARGS__}, ARRAY_SIZE(((const struct ledger_request[]){__VA_ARGS__}))
#define CREATED                                                                                                 \
	{                                                                                                       \
		.operation = LEDGER_OP_CREATE, .rate_id = "rate_1", .carrier = "USPS", .service = "Priority",   \
		.amount = 5650000, .currency = "USD", .ceiling = 6000001, .base_url = "https://carrier.example" \
	}
#define BUYING                                                                                         \
	{                                                                                              \
		.operation = LEDGER_OP_BUY, .insurance = 100000000, .fee = 1000000, .settle_ms = 1000, \
		.budget = "all", .budget_limit = 100000000                                             \
	}

static int64_t make_bought(const char *order_key)
{
	return make_row(order_key,
		STEPS(CREATED, BUYING,
			{.operation = LEDGER_OP_BOUGHT,
				.tracking_code = "9400",
				.label_url = "https://carrier.example/label.pdf",
				.paid = 5650000,
				.fee = 1000000,
				.reason = "a note"}));
}

/* The operation of a list that went well. */
static shipopt_op *list(shipopt_store *store, int which, int64_t after, int64_t limit)
{
	shipopt_op *op;
	assert_int_equal(shipopt_ledger_list(store, which, after, limit, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), shipopt_ledger_page_count(shipopt_op_ledger_page(op)));
	return op;
}

static int64_t count(shipopt_store *store, int which)
{
	shipopt_op *op;
	assert_int_equal(shipopt_ledger_count(store, which, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	int64_t value = shipopt_op_value(op);
	assert_null(shipopt_op_ledger_page(op));
	shipopt_op_unref(op);
	return value;
}

/* ---- fields ------------------------------------------------------------------------------------------------ */

#define TEXT(page, field) shipopt_ledger_page_text(page, 0, SHIPOPT_LEDGER_FIELD_##field)
#define NUMBER(page, field) shipopt_ledger_page_number(page, 0, SHIPOPT_LEDGER_FIELD_##field)

static void a_purchase_is_read_field_by_field(void **state)
{
	int64_t row = make_bought("1001");
	shipopt_op *op = list(fixture.store, SHIPOPT_LEDGER_STATE_BOUGHT, 0, 10);
	const shipopt_ledger_page *page = shipopt_op_ledger_page(op);
	assert_int_equal(shipopt_ledger_page_count(page), 1);
	assert_int_equal(shipopt_ledger_page_has_more(page), 0);
	assert_int_equal(NUMBER(page, ROW), row);
	assert_string_equal(TEXT(page, ORDER_KEY), "1001");
	assert_int_equal(NUMBER(page, PIECE), 1);
	assert_string_equal(TEXT(page, PURPOSE), "outbound");
	assert_int_equal(NUMBER(page, GENERATION), 1);
	assert_int_equal(NUMBER(page, STATE), SHIPOPT_LEDGER_STATE_BOUGHT);
	assert_string_equal(TEXT(page, STATE), "bought");
	assert_string_equal(TEXT(page, PROVIDER), "easypost");
	assert_string_equal(TEXT(page, ACCOUNT), "default");
	assert_string_equal(TEXT(page, MODE), "test");
	assert_int_equal(NUMBER(page, MODE_GUESSED), 0);
	assert_string_equal(TEXT(page, BASE_URL), "https://carrier.example");
	assert_string_equal(TEXT(page, SHIPMENT_ID), "shp_1001");
	assert_string_equal(TEXT(page, CARRIER), "USPS");
	assert_string_equal(TEXT(page, SERVICE), "Priority");
	assert_int_equal(NUMBER(page, AMOUNT), 5650000);
	assert_string_equal(TEXT(page, CURRENCY), "USD");
	assert_int_equal(NUMBER(page, INSURANCE), 100000000);
	assert_int_equal(NUMBER(page, FEE), 1000000);
	assert_int_equal(NUMBER(page, APPROVED), 5650000);
	assert_string_equal(TEXT(page, APPROVED_CURRENCY), "USD");
	assert_int_equal(NUMBER(page, CEILING), 6000001);
	assert_int_equal(NUMBER(page, ATTEMPTS), 1);
	assert_int_equal(NUMBER(page, SENT), 1);
	assert_int_equal(NUMBER(page, UNPROVEN), 0);
	assert_int_equal(NUMBER(page, BUYING_AT_MS), clock_wall_ms());
	assert_int_equal(NUMBER(page, EXISTS_SEEN), 0);
	assert_int_equal(NUMBER(page, NEEDS_PERSON), 0);
	assert_string_equal(TEXT(page, REASON), "a note");
	assert_null(TEXT(page, REFUSAL));
	assert_string_equal(TEXT(page, TRACKING_CODE), "9400");
	assert_string_equal(TEXT(page, LABEL_URL), "https://carrier.example/label.pdf");
	assert_int_equal(NUMBER(page, PAID), 5650000);
	assert_int_equal(NUMBER(page, UPDATED_AT_MS), clock_wall_ms());
	shipopt_op_unref(op);
}

static void amounts_are_texts_in_json_and_empty_fields_are_null(void **state)
{
	char expected[2048];
	int64_t row = make_bought("1001");
	shipopt_op *op = list(fixture.store, 0, 0, 1);
	snprintf(expected, sizeof(expected),
		"{\"rows\":[{\"row\":%lld,\"order_key\":\"1001\",\"piece\":1,\"purpose\":\"outbound\",\"generation\":1,"
		"\"state\":\"bought\",\"provider\":\"easypost\",\"account\":\"default\",\"mode\":\"test\",\"mode_guessed\":false,"
		"\"base_url\":\"https://carrier.example\",\"shipment_id\":\"shp_1001\",\"carrier\":\"USPS\",\"service\":\"Priority\","
		"\"amount\":\"5.65\",\"currency\":\"USD\",\"insurance\":\"100.00\",\"fee\":\"1.00\",\"approved\":\"5.65\","
		"\"approved_currency\":\"USD\",\"ceiling\":\"6.000001\",\"attempts\":1,\"sent\":1,\"unproven\":0,"
		"\"buying_at_ms\":%lld,\"exists_seen\":false,\"needs_person\":false,\"reason\":\"a note\",\"refusal\":null,"
		"\"tracking_code\":\"9400\",\"label_url\":\"https://carrier.example/label.pdf\",\"paid\":\"5.65\","
		"\"updated_at_ms\":%lld}],\"has_more\":false}",
		(long long)row, (long long)clock_wall_ms(), (long long)clock_wall_ms());
	assert_string_equal(shipopt_op_json(op), expected);
	shipopt_op_unref(op);
}

static void what_is_out_of_range_or_of_the_other_kind_gives_null_or_0(void **state)
{
	make_bought("1001");
	shipopt_op *op = list(fixture.store, 0, 0, 1);
	const shipopt_ledger_page *page = shipopt_op_ledger_page(op);
	assert_null(shipopt_ledger_page_text(page, 1, SHIPOPT_LEDGER_FIELD_ORDER_KEY));
	assert_null(shipopt_ledger_page_text(page, 0, LEDGER_FIELD_COUNT));
	assert_null(shipopt_ledger_page_text(page, 0, -1));
	assert_null(TEXT(page, AMOUNT));
	assert_int_equal(shipopt_ledger_page_number(page, 1, SHIPOPT_LEDGER_FIELD_ROW), 0);
	assert_int_equal(shipopt_ledger_page_number(page, 0, LEDGER_FIELD_COUNT), 0);
	assert_int_equal(NUMBER(page, ORDER_KEY), 0);
	assert_int_equal(shipopt_ledger_page_count(NULL), 0);
	assert_int_equal(shipopt_ledger_page_has_more(NULL), 0);
	assert_null(shipopt_ledger_page_text(NULL, 0, SHIPOPT_LEDGER_FIELD_ORDER_KEY));
	assert_int_equal(shipopt_ledger_page_number(NULL, 0, SHIPOPT_LEDGER_FIELD_ROW), 0);
	assert_null(shipopt_op_ledger_page(NULL));
	shipopt_op_unref(op);
}

/* ---- pages ------------------------------------------------------------------------------------------------- */

static void rows_are_read_page_by_page_after_the_last_row_of_the_page_before(void **state)
{
	int64_t after = 0;
	char key[16];
	for (int i = 0; i < 7; i++) {
		snprintf(key, sizeof(key), "o-%d", i);
		make_row(key, STEPS(CREATED));
	}
	for (int first = 0; first < 7; first += 3) {
		shipopt_op *op = list(fixture.store, SHIPOPT_LEDGER_STATE_CREATED, after, 3);
		const shipopt_ledger_page *page = shipopt_op_ledger_page(op);
		size_t rows = shipopt_ledger_page_count(page);
		assert_int_equal(rows, MIN(3, 7 - first));
		assert_int_equal(shipopt_ledger_page_has_more(page), first < 6);
		for (size_t i = 0; i < rows; i++) {
			snprintf(key, sizeof(key), "o-%d", first + (int)i);
			assert_string_equal(shipopt_ledger_page_text(page, i, SHIPOPT_LEDGER_FIELD_ORDER_KEY), key);
		}
		after = shipopt_ledger_page_number(page, rows - 1, SHIPOPT_LEDGER_FIELD_ROW);
		shipopt_op_unref(op);
	}
	shipopt_op *op = list(fixture.store, 0, after, 3);
	assert_int_equal(shipopt_ledger_page_count(shipopt_op_ledger_page(op)), 0);
	assert_string_equal(shipopt_op_json(op), "{\"rows\":[],\"has_more\":false}");
	shipopt_op_unref(op);
}

static void a_tenant_sees_its_own_rows_alone(void **state)
{
	shipopt_store *other;
	make_row("1001", STEPS(CREATED));
	assert_int_equal(shipopt_store_view(fixture.store, "other", &other, NULL), 0);
	assert_int_equal(count(other, 0), 0);
	shipopt_op *op = list(other, 0, 0, 10);
	assert_int_equal(shipopt_op_value(op), 0);
	shipopt_op_unref(op);
	shipopt_store_free(other);
	assert_int_equal(count(fixture.store, 0), 1);
	assert_int_equal(count(fixture.store, SHIPOPT_LEDGER_STATE_CREATED), 1);
	assert_int_equal(count(fixture.store, SHIPOPT_LEDGER_STATE_HELD), 0);
}

/* Texts as long as the ledger takes them, each byte six in JSON. */
static void a_page_of_huge_texts_ends_early_and_loses_nothing(void **state)
{
	int64_t after = 0;
	size_t rows = 0, pages = 0;
	char key[16], *text = malloc(LEDGER_TEXT_MAX + 1);
	memset(text, '\x01', LEDGER_TEXT_MAX);
	text[LEDGER_TEXT_MAX] = '\0';
	for (int i = 0; i < 8; i++) {
		snprintf(key, sizeof(key), "o-%d", i);
		make_row(key, STEPS({.operation = LEDGER_OP_HOLD, .reason = text, .base_url = text}));
	}
	for (bool more = true; more; pages++) {
		shipopt_op *op = list(fixture.store, 0, after, 1000);
		const shipopt_ledger_page *page = shipopt_op_ledger_page(op);
		size_t here = shipopt_ledger_page_count(page);
		assert_true(here > 0 && strlen(shipopt_op_json(op)) > here * 6 * LEDGER_TEXT_MAX);
		assert_int_equal(strlen(shipopt_ledger_page_text(page, here - 1, SHIPOPT_LEDGER_FIELD_REASON)),
			LEDGER_TEXT_MAX);
		after = shipopt_ledger_page_number(page, here - 1, SHIPOPT_LEDGER_FIELD_ROW);
		more = shipopt_ledger_page_has_more(page);
		rows += here;
		shipopt_op_unref(op);
	}
	assert_int_equal(rows, 8);
	assert_true(pages > 1);
	free(text);
}

/* ---- for a person ------------------------------------------------------------------------------------------ */

/* Of these, no run sends the shipment again. */
static void marked_rows_and_rows_whose_label_never_shows_are_listed_for_a_person(void **state)
{
	int64_t rows[2];
	make_bought("bought");
	make_row("open", STEPS(CREATED, BUYING, {.operation = LEDGER_OP_DOUBT, .reason = "lost"}));
	rows[0] = make_row("marked",
		STEPS(CREATED, {.operation = LEDGER_OP_BUY},
			{.operation = LEDGER_OP_DOUBT, .reason = "refused", .refusal = "no", .needs_person = true}));
	rows[1] = make_row("exists",
		STEPS(CREATED, {.operation = LEDGER_OP_BUY},
			{.operation = LEDGER_OP_DOUBT, .reason = "exists", .exists_seen = true}));
	assert_int_equal(count(fixture.store, SHIPOPT_LEDGER_NEEDS_PERSON), 2);
	shipopt_op *op = list(fixture.store, SHIPOPT_LEDGER_NEEDS_PERSON, 0, 10);
	const shipopt_ledger_page *page = shipopt_op_ledger_page(op);
	assert_int_equal(shipopt_ledger_page_count(page), 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(shipopt_ledger_page_number(page, i, SHIPOPT_LEDGER_FIELD_ROW), rows[i]);
		assert_int_equal(shipopt_ledger_page_number(page, i, SHIPOPT_LEDGER_FIELD_NEEDS_PERSON), 1);
		assert_int_equal(shipopt_ledger_page_number(page, i, SHIPOPT_LEDGER_FIELD_EXISTS_SEEN), i);
	}
	assert_string_equal(shipopt_ledger_page_text(page, 0, SHIPOPT_LEDGER_FIELD_REFUSAL), "no");
	shipopt_op_unref(op);
	op = list(fixture.store, SHIPOPT_LEDGER_NEEDS_PERSON, rows[0], 10);
	assert_int_equal(shipopt_op_value(op), 1);
	shipopt_op_unref(op);
}

static void rows_for_a_person_are_found_by_an_index(void **state)
{
	sqlite3 *handle;
	sqlite3_stmt *statement;
	char text[4096];
	shipopt_op_unref(list(fixture.store, 0, 0, 1));
	assert_int_equal(sqlite3_open(fixture.path, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_create_function(handle, "wall_ms", 0, SQLITE_UTF8, NULL, NULL, NULL, NULL), SQLITE_OK);
	snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s", statement_texts[SQL_LIST_PERSON]);
	assert_int_equal(sqlite3_prepare_v2(handle, text, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	const char *plan = (const char *)sqlite3_column_text(statement, 3);
	if (!strstr(plan, "ledger_person"))
		fail_msg("%s", plan);
	sqlite3_finalize(statement);
	sqlite3_close(handle);
}

/* ---- wrong arguments --------------------------------------------------------------------------------------- */

/* The call returns 0, and the operation says what is wrong. */
static void assert_refused(int r, shipopt_op *op, int status, const char *words)
{
	assert_int_equal(r, 0);
	assert_int_equal(shipopt_op_wait(op, -1), status);
	const shipopt_error *error = shipopt_op_error(op);
	assert_int_equal(shipopt_error_code(error), status);
	assert_int_equal(shipopt_error_domain(error), SHIPOPT_DOMAIN_STORE);
	assert_string_equal(shipopt_error_message(error), words);
	assert_null(shipopt_op_ledger_page(op));
	shipopt_op_unref(op);
}

static void a_wrong_argument_fails_the_operation_and_is_named_with_its_bounds(void **state)
{
	shipopt_op *op;
	char text[4098];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	shipopt_store *store = fixture.store;
	int r = shipopt_ledger_list(store, 12, 0, 1, NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EINVAL,
		"argument state: 12 is not a state (1 to 11), 0 or SHIPOPT_LEDGER_NEEDS_PERSON");
	r = shipopt_ledger_list(store, 0, -1, 1, NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EINVAL, "argument after: -1 is not within 0 and 9223372036854775807");
	r = shipopt_ledger_list(store, 0, 0, 1001, NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EINVAL, "argument limit: 1001 is not within 1 and 1000");
	r = shipopt_ledger_count(store, -1, NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EINVAL,
		"argument state: -1 is not a state (1 to 11), 0 or SHIPOPT_LEDGER_NEEDS_PERSON");
	r = shipopt_ledger_resolve(store, 0, SHIPOPT_LEDGER_STATE_FAILED, NULL, "kim", "looked", NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EINVAL, "argument row: 0 is not within 1 and 9223372036854775807");
	r = shipopt_ledger_resolve(store, 1, SHIPOPT_LEDGER_STATE_HELD, NULL, "kim", "looked", NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EINVAL, "argument state: 8 (held) is not bought, failed or planned");
	r = shipopt_ledger_resolve(store, 1, SHIPOPT_LEDGER_STATE_BOUGHT, NULL, "kim", "looked", NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EINVAL, "argument tracking_code is missing: 1 to 4096 bytes");
	r = shipopt_ledger_resolve(store, 1, SHIPOPT_LEDGER_STATE_FAILED, NULL, "", "looked", NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EINVAL, "argument actor is missing: 1 to 4096 bytes");
	r = shipopt_ledger_resolve(store, 1, SHIPOPT_LEDGER_STATE_FAILED, NULL, "kim", text, NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EINVAL, "argument reason has 4097 bytes, more than 4096");
	r = shipopt_ledger_resolve(store, 1, SHIPOPT_LEDGER_STATE_FAILED, NULL, "k\xff", "looked", NULL, NULL, &op);
	assert_refused(r, op, SHIPOPT_EENCODING, "argument actor is not UTF-8 at byte 1");
	/* Nobody can read about it here. */
	assert_int_equal(shipopt_ledger_list(store, 12, 0, 1, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_ledger_list(NULL, 0, 0, 1, NULL, NULL, &op), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_ledger_count(NULL, 0, NULL, NULL, &op), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_ledger_resolve(NULL, 1, SHIPOPT_LEDGER_STATE_FAILED, NULL, "k", "l", NULL, NULL, &op),
		SHIPOPT_EINVAL);
}

static void a_view_says_what_is_wrong_with_its_tenant(void **state)
{
	static const struct {
		const char *tenant;
		int status;
		const char *says;
	} cases[] = {
		{"", SHIPOPT_EINVAL, "argument tenant has 0 bytes, not 1 to 64"},
		{"0123456789012345678901234567890123456789012345678901234567890123x", SHIPOPT_EINVAL,
			"argument tenant has 65 bytes, not 1 to 64"},
		{"ten\xff", SHIPOPT_EENCODING, "argument tenant is not UTF-8 at byte 3"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_store *view = NULL;
		shipopt_error *error = NULL;
		assert_int_equal(shipopt_store_view(fixture.store, cases[i].tenant, &view, &error), cases[i].status);
		assert_string_equal(shipopt_error_message(error), cases[i].says);
		assert_null(view);
		shipopt_error_unref(error);
	}
}

static void an_empty_text_is_not_a_missing_one(void **state)
{
	make_bought("1001");
	sql("UPDATE ledger SET reason = NULL, label_url = ''");
	shipopt_op *op = list(fixture.store, 0, 0, 1);
	assert_null(TEXT(shipopt_op_ledger_page(op), REASON));
	assert_string_equal(TEXT(shipopt_op_ledger_page(op), LABEL_URL), "");
	shipopt_op_unref(op);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_purchase_is_read_field_by_field),
		TEST(amounts_are_texts_in_json_and_empty_fields_are_null),
		TEST(what_is_out_of_range_or_of_the_other_kind_gives_null_or_0),
		TEST(rows_are_read_page_by_page_after_the_last_row_of_the_page_before),
		TEST(a_tenant_sees_its_own_rows_alone),
		TEST(a_page_of_huge_texts_ends_early_and_loses_nothing),
		TEST(marked_rows_and_rows_whose_label_never_shows_are_listed_for_a_person),
		TEST(rows_for_a_person_are_found_by_an_index),
		TEST(a_wrong_argument_fails_the_operation_and_is_named_with_its_bounds),
		TEST(a_view_says_what_is_wrong_with_its_tenant),
		TEST(an_empty_text_is_not_a_missing_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
