/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/memory.h"
#include "money_carrier.h"
#include "program.h"
#include "sandbox_process.h"

/*
 * buy_labels as a user runs it, with a carrier that misbehaves: what it sells, what the program says, what its files
 * hold. The carrier has no trackers, so the program's read before the first order is refused each time.
 */
#define KEY "EZTKsecretsecret"
#define ADDRESS \
	"{\"name\":\"A\",\"street1\":\"1 Science Park\",\"city\":\"Boston\",\"state\":\"MA\",\"zip\":\"02114\",\"country\":\"US\"}"
#define SHIPMENT_WITH(members)                                             \
	"{" members "\"to_address\":" ADDRESS ",\"from_address\":" ADDRESS \
	",\"parcel\":{\"length\":6,\"width\":6,\"height\":5,\"weight\":30.5}}"
#define SHIPMENT SHIPMENT_WITH("")
#define ORDER(members) "{" members ",\"shipment\":" SHIPMENT "}\n"

static struct program program;
static struct money_carrier *carrier;

static const char *const settings[][2] = {
	{"SHIPOPT_CARRIER_API_KEY", KEY},
	{"SHIPOPT_CARRIER_TIMEOUT_MS", "2000"},
	{"SHIPOPT_CARRIER_SETTLE_MS", "60000"},
	{"SHIPOPT_CARRIER_RETRY_BASE_MS", "2"},
	{"SHIPOPT_CARRIER_RETRY_CAP_MS", "20"},
	{"SHIPOPT_BULK_LEASE_MS", "5000"},
	{"SHIPOPT_BULK_ITEM_TIMEOUT_MS", "6000"},
};

static int set_up(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		setenv(settings[i][0], settings[i][1], 1);
	program_init(&program);
	program_write(&program, "orders.csv", PROGRAM_HEADER PROGRAM_ROW("o1", "US", "12"));
	return money_carrier_start(NULL, &carrier);
}

static int tear_down(void **state)
{
	struct money_books books;
	money_carrier_books(carrier, &books);
	money_carrier_stop(carrier);
	program_done(&program);
	assert_int_equal(books.doubles, 0);
	return 0;
}

static int buy(const char *orders, const char *arguments)
{
	char all[512];
	snprintf(all, sizeof(all), "--carrier-url http://127.0.0.1:%d/v2 %s", money_carrier_port(carrier), arguments);
	return program_buy(&program, orders, all);
}

static void assert_says(const char *text)
{
	program_assert_says(&program, text);
}

static void assert_books(unsigned labels, unsigned buys)
{
	struct money_books books;
	money_carrier_books(carrier, &books);
	assert_int_equal(books.labels, labels);
	assert_int_equal(books.buys, buys);
}

static void change_ledger(const char *sql)
{
	char path[256];
	sqlite3 *database;
	snprintf(path, sizeof(path), "%s/ship.db", program.folder);
	assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_changes(database), 1);
	sqlite3_close(database);
}

/* ---- rates only -------------------------------------------------------------------------------------------- */

static enum money_answer cut_off(const struct money_request *request)
{
	return MONEY_CLOSE;
}

/* A replica that has not heard of the purchase. */
static enum money_answer show_no_label(const struct money_request *request)
{
	money_send_answer(request->fd, "200 OK", "",
		"{\"id\":\"shp_1\",\"object\":\"Shipment\",\"rates\":[],\"selected_rate\":null,"
		"\"postage_label\":null,\"tracking_code\":null,\"messages\":[]}");
	return MONEY_KEEP;
}

static void rates_only_buys_nothing_of_what_is_in_doubt(void **state)
{
	money_carrier_set(carrier, &(struct money_hooks){.first_buy = cut_off, .look_up = show_no_label});
	setenv("SHIPOPT_BULK_ITEM_TIMEOUT_MS", "1000", 1);
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("0 bought, 0 already bought, 0 failed, 1 in doubt");
	change_ledger("update ledger set buying_at_ms = buying_at_ms - 86400000");
	assert_int_equal(buy("orders.csv", "--rates-only"), 1);
	assert_says("0 bought, 0 rated, 0 already bought, 0 failed, 1 in doubt");
	assert_says("lost before an answer came");
	assert_books(1, 1);
}

static void one_call_shipments_are_rated_and_bought_once(void **state)
{
	struct sandbox sandbox;
	char url[160], arguments[256];
	const char *orders = ORDER("\"order_key\":\"a\"") "{\"order_key\":\"b\",\"shipment\":" SHIPMENT_WITH(
		"\"service\":\"Priority\",\"carrier\":\"USPS\",") "}\n";
	program_write(&program, "one.jsonl", orders);
	assert_int_equal(sandbox_start(&sandbox, NULL), 0);
	snprintf(url, sizeof(url), "--carrier-url %s/v2", sandbox.url);
	snprintf(arguments, sizeof(arguments), "%s --rates-only --spend-limit 0.01", url);
	assert_int_equal(program_buy(&program, "one.jsonl", arguments), 0);
	assert_says("0 bought, 2 rated");
	assert_int_equal(sandbox_count(&sandbox, "labels"), 0);
	snprintf(arguments, sizeof(arguments), "%s --spend-limit 60", url);
	assert_int_equal(program_buy(&program, "one.jsonl", arguments), 0);
	assert_says("2 bought");
	assert_int_equal(sandbox_count(&sandbox, "labels"), 2);
	assert_int_equal(sandbox_count(&sandbox, "spending_creations"), 0);
	assert_int_equal(sandbox_stop(&sandbox), 0);
}

/* ---- the credential ---------------------------------------------------------------------------------------- */

static enum money_answer echo_the_head(const struct money_request *request)
{
	char body[1280], head[512];
	size_t length = 0;
	const char *from = strstr(request->head, "Authorization:");
	while (from && *from >= ' ' && length < sizeof(head) - 1)
		head[length++] = *from++;
	head[length] = '\0';
	assert_non_null(strstr(head, KEY));
	snprintf(body, sizeof(body), "{\"error\":{\"code\":\"BAD\",\"message\":\"you sent %s\",\"errors\":[\"%s\"]}}",
		head, head);
	money_send_answer(request->fd, "422 Unprocessable", "", body);
	return MONEY_KEEP;
}

static void assert_no_key_in(const char *name)
{
	char command[512];
	snprintf(command, sizeof(command), "grep -c secretsecret '%s/%s'", program.folder, name);
	assert_int_equal(program_shell(&program, command), 1); /* grep: none */
}

static void a_credential_that_the_carrier_repeats_is_nowhere(void **state)
{
	static const struct money_hooks hooks[] = {{.create = echo_the_head}, {.first_buy = echo_the_head}};
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++) {
		money_carrier_set(carrier, &hooks[i]);
		buy("orders.csv", "");
		if (i == 0)
			assert_says("you sent Authorization: Bearer ***");
		assert_null(strstr(program.output, "secretsecret"));
		assert_no_key_in("labels.csv");
		assert_no_key_in("ship.db");
	}
}

static void a_key_that_does_not_say_its_mode_needs_the_setting(void **state)
{
	setenv("SHIPOPT_CARRIER_API_KEY", "sk_live_1", 1);
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("carrier setting mode: the API key does not say whether it is for test or production");
	assert_books(0, 0);
	setenv("SHIPOPT_CARRIER_MODE", "test", 1);
	assert_int_equal(buy("orders.csv", ""), 0);
	assert_says("1 bought");
	setenv("SHIPOPT_CARRIER_API_KEY", "EZTK1", 1);
	unsetenv("SHIPOPT_CARRIER_MODE");
	assert_int_equal(buy("orders.csv", ""), 0);
	assert_says("0 bought, 1 already bought");
	setenv("SHIPOPT_CARRIER_API_KEY", "EZAK1", 1);
	setenv("SHIPOPT_CARRIER_MODE", "test", 1);
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("carrier setting mode");
	unsetenv("SHIPOPT_CARRIER_MODE");
	assert_books(1, 1);
}

/* ---- labels that are large --------------------------------------------------------------------------------- */

static size_t url_length;

static enum money_answer send_large_label(const struct money_request *request)
{
	static char body[1400000];
	size_t length = (size_t)snprintf(body, sizeof(body),
		"{\"id\":\"shp_1\",\"object\":\"Shipment\",\"rates\":[],\"selected_rate\":"
		"{\"id\":\"rate_1\",\"rate\":\"5.00\",\"currency\":\"USD\"},\"tracking_code\":\"94001\",\"postage_label\":"
		"{\"id\":\"pl_1\",\"label_url\":\"data:application/pdf;base64,");
	memset(body + length, 'A', url_length);
	snprintf(body + length + url_length, sizeof(body) - length - url_length, "\"}}");
	money_send_answer(request->fd, "200 OK", "", body);
	return MONEY_KEEP;
}

static void a_large_label_is_kept_or_said_to_be_missing(void **state)
{
	static const size_t lengths[] = {70000, 1300000};
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		program_done(&program);
		money_carrier_stop(carrier);
		set_up(NULL);
		url_length = lengths[i];
		money_carrier_set(carrier, &(struct money_hooks){.first_buy = send_large_label});
		for (int again = 0; again < 2; again++) {
			assert_int_equal(buy("orders.csv", ""), 0);
			assert_says(again ? "0 bought, 1 already bought" : "1 bought, 0 already bought");
			assert_int_equal(program_count_lines(&program, "labels.csv",
						 "data:application/pdf;base64,AAAA"),
				i == 0);
			assert_int_equal(program_count_lines(&program, "labels.csv",
						 "bytes is not kept in the ledger (1048576 at most); "
						 "fetch it with GET /shipments/shp_1"),
				i == 1);
		}
		assert_books(1, 1);
	}
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

static void order_keys_have_one_spelling(void **state)
{
	static const char *const keys[] = {"\"a\"", "\"a \"", "\" a\"", "\"a\\u00a0\"", "\"\\ufeffa\"", "\"a\\u200b\"",
		"\"a\",\"max_rate\":\"9.99\"", "\"A\"", "\"p\",\"piece\":2", "\"p\",\"piece\":\"2\"", "\"\\u00e9\"",
		"\"e\\u0301\"", "1001", "\"1001\"", "1001.0", "\"a\\u0000b\"", "\"a\\nb\"", "\"a\\tb\"", "\"\"",
		"\"a\",\"piece\":0", "\"d1\",\"order_key\":\"d2\"", "\"../etc\"", "\"a'b\""};
	static char lines[ARRAY_SIZE(keys) * 512];
	size_t length = 0;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		length += (size_t)snprintf(lines + length, sizeof(lines) - length, ORDER("\"order_key\":%s"), keys[i]);
	program_write(&program, "keys.jsonl", lines);
	assert_int_equal(buy("keys.jsonl", ""), 0);
	/* a, A, p, é, 1001, ../etc, a'b */
	assert_says("7 bought, 9 already bought, 7 failed, 0 in doubt, 0 held");
	assert_books(7, 7);
	assert_int_equal(program_count_lines(&program, "labels.csv", "1001.0 is not a text or a plain integer"), 1);
	assert_int_equal(program_count_lines(&program, "labels.csv", "has \\u000a at offset 1"), 1);
	program_write(&program, "orders.csv",
		PROGRAM_HEADER PROGRAM_ROW("b", "US", "12") PROGRAM_ROW("b ", "US", "12")
			PROGRAM_ROW("\"b\n\"", "US", "12") PROGRAM_ROW("\xc2\xa0"
								       "b",
				"US", "12") PROGRAM_ROW("b\xe2\x80\x8b", "US", "12"));
	assert_int_equal(buy("orders.csv", ""), 0);
	assert_says("1 bought, 4 already bought, 0 failed");
	assert_books(8, 8);
}

/* ---- time -------------------------------------------------------------------------------------------------- */

static const char *retry_after;

static enum money_answer limit_the_first(const struct money_request *request)
{
	char header[128];
	if (request->number > 1)
		return MONEY_USUAL;
	snprintf(header, sizeof(header), "Retry-After: %s\r\n", retry_after);
	money_send_answer(request->fd, "429 Too Many Requests", header,
		"{\"error\":{\"code\":\"RATE_LIMITED\",\"message\":\"slow\"}}");
	return MONEY_KEEP;
}

static void a_retry_after_is_waited_for_or_ends_the_order_at_once(void **state)
{
	static const struct {
		const char *value, *says;
	} cases[] = {
		{"1", "\n1 bought"},
		{"-5", "\n1 bought"},
		{"1.5", "\n1 bought"},
		{"Sun, 06 Nov 1994 08:49:37 GMT", "\n1 bought"},
		{"99999999999", "that is longer than the"},
		{"Sun, 06 Nov 2094 08:49:37 GMT", "the carrier asks to wait until 2094-11-06 08:49:37 UTC"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		program_done(&program);
		money_carrier_stop(carrier);
		set_up(NULL);
		setenv("SHIPOPT_BULK_ITEM_TIMEOUT_MS", "60000", 1);
		retry_after = cases[i].value;
		money_carrier_set(carrier, &(struct money_hooks){.create = limit_the_first});
		assert_int_equal(buy("orders.csv", ""), cases[i].says[0] != '\n');
		assert_says(cases[i].says);
		assert_books(cases[i].says[0] == '\n', cases[i].says[0] == '\n');
	}
}

/* Sold, and no answer until the client has gone. */
static enum money_answer never_answer(const struct money_request *request)
{
	char byte;
	return recv(request->fd, &byte, 1, 0) == 0 ? MONEY_CLOSE : MONEY_KEEP;
}

static void a_program_killed_while_the_clock_was_ten_years_ahead_leaves_no_lock(void **state)
{
	char url[96], orders[160], store[160], out[160];
	int status;
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v2", money_carrier_port(carrier));
	snprintf(orders, sizeof(orders), "%s/orders.csv", program.folder);
	snprintf(store, sizeof(store), "sqlite:%s/ship.db", program.folder);
	snprintf(out, sizeof(out), "%s/labels.csv", program.folder);
	money_carrier_set(carrier, &(struct money_hooks){.first_buy = never_answer});
	setenv("SHIPOPT_CARRIER_TIMEOUT_MS", "10000", 1);
	setenv("SHIPOPT_BULK_LEASE_MS", "20000", 1);
	pid_t child = fork();
	if (child == 0) {
		execl(getenv("SHIPOPT_BUY_LABELS"), "buy_labels", "--orders", orders, "--store", store, "--out", out,
			"--carrier-url", url, (char *)NULL);
		_exit(127);
	}
	assert_true(child > 0);
	money_carrier_await_labels(carrier, 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	/* What its clock would have written. */
	change_ledger(
		"update ledger set lease_until_ms = lease_until_ms + 315360000000, buying_at_ms = buying_at_ms + 315360000000");
	assert_int_equal(buy("orders.csv", ""), 0);
	assert_says("\n1 bought, 0 already bought, 0 failed, 0 in doubt");
	assert_books(1, 1);
}

#define MONEY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MONEY_TEST(rates_only_buys_nothing_of_what_is_in_doubt),
		MONEY_TEST(one_call_shipments_are_rated_and_bought_once),
		MONEY_TEST(a_credential_that_the_carrier_repeats_is_nowhere),
		MONEY_TEST(a_key_that_does_not_say_its_mode_needs_the_setting),
		MONEY_TEST(a_large_label_is_kept_or_said_to_be_missing),
		MONEY_TEST(order_keys_have_one_spelling),
		MONEY_TEST(a_retry_after_is_waited_for_or_ends_the_order_at_once),
		MONEY_TEST(a_program_killed_while_the_clock_was_ten_years_ahead_leaves_no_lock),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("money, the program", tests, NULL, NULL);
}
