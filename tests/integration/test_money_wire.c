/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macro.h"
#include "base/memory.h"
#include "bulk_fixture.h"
#include "json/json.h"
#include "money_carrier.h"

/*
 * The label is sold, and then the answer to the purchase is cut, malformed, a refusal, a gateway's or an odd JSON. Each
 * time one run and another over the same order: one label, never told as failed. The look-up shows the shipment as it
 * is, unless a test says otherwise.
 */
/* Nothing waits for the settle time here; the order's time ends a doubt. */
#define SETTINGS \
	"carrier.timeout_ms=2000 carrier.settle_ms=60000 bulk.lease_ms=5000 carrier.retry_base_ms=2 carrier.retry_cap_ms=20 "
#define IN_DOUBT_SOON "bulk.item_timeout_ms=1000"

static struct money_carrier *carrier;
static struct bulk_fixture fixture;

/* What the item said. */
static struct {
	int status;
	int64_t amount;
	char reason[512], tracking_code[64], label_url[64];
} seen;

static void keep_item(void *userdata, const shipopt_item *item)
{
	const char *reason = shipopt_error_message(shipopt_item_error(item)), *code = shipopt_item_tracking_code(item);
	const char *url = shipopt_item_label_url(item);
	seen.status = shipopt_item_status(item);
	seen.amount = shipopt_item_amount(item);
	snprintf(seen.reason, sizeof(seen.reason), "%s", reason ? reason : "");
	snprintf(seen.tracking_code, sizeof(seen.tracking_code), "%s", code ? code : "");
	snprintf(seen.label_url, sizeof(seen.label_url), "%.60s", url ? url : "");
}

/* One run over one order; what its item said is in `seen`. */
static void run(fixture_run_fn how, const char *settings)
{
	char all[512];
	struct fixture_result result;
	snprintf(all, sizeof(all), SETTINGS "carrier.base_url=http://127.0.0.1:%d/v2 %s", money_carrier_port(carrier),
		settings);
	memset(&seen, 0, sizeof(seen));
	fixture_open_handles(&fixture, all);
	assert_int_equal(shipopt_bulk_config_set_item(fixture.bulk_config, keep_item, NULL), 0);
	fixture_open_bulk(&fixture);
	fixture_run(&fixture, how, fixture_orders(1, "order"), &result);
	fixture_close(&fixture);
}

static void buy(const char *settings)
{
	run(shipopt_bulk_buy, settings);
}

/* A carrier and a ledger of their own for what follows. */
static void begin(const struct money_hooks *hooks)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -f '%s'/ship.db*", fixture.folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(money_carrier_start(hooks, &carrier), 0);
}

static struct money_books end(void)
{
	struct money_books books;
	money_carrier_books(carrier, &books);
	money_carrier_stop(carrier);
	assert_int_equal(books.doubles, 0);
	return books;
}

static int set_up(void **state)
{
	fixture_start(&fixture, NULL);
	return 0;
}

static int tear_down(void **state)
{
	fixture_stop(&fixture);
	json_stock_clear();
	return mem_live_count() == 0 ? 0 : -1;
}

/* ---- raw answers ------------------------------------------------------------------------------------------- */

static enum money_answer http_10(const struct money_request *request)
{
	char head[96];
	snprintf(head, sizeof(head), "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(request->json));
	money_send_text(request->fd, head);
	money_send_text(request->fd, request->json);
	return MONEY_CLOSE;
}

static enum money_answer no_length(const struct money_request *request)
{
	money_send_text(request->fd, "HTTP/1.0 200 OK\r\n\r\n");
	money_send_text(request->fd, request->json);
	return MONEY_CLOSE;
}

static enum money_answer no_length_cut(const struct money_request *request)
{
	money_send_text(request->fd, "HTTP/1.0 200 OK\r\n\r\n");
	money_send(request->fd, request->json, strlen(request->json) - 40);
	return MONEY_CLOSE;
}

static enum money_answer interim_answers(const struct money_request *request)
{
	money_send_text(request->fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n");
	return MONEY_USUAL;
}

static enum money_answer send_with_length(const struct money_request *request, const char *lengths)
{
	money_send_text(request->fd, "HTTP/1.1 200 OK\r\n");
	money_send_text(request->fd, lengths);
	money_send_text(request->fd, "\r\n");
	money_send_text(request->fd, request->json);
	return MONEY_CLOSE;
}

static enum money_answer length_too_short(const struct money_request *request)
{
	return send_with_length(request, "Content-Length: 5\r\n");
}

static enum money_answer length_too_long(const struct money_request *request)
{
	return send_with_length(request, "Content-Length: 99999\r\n");
}

static enum money_answer two_lengths(const struct money_request *request)
{
	return send_with_length(request, "Content-Length: 9999\r\nContent-Length: 3\r\n");
}

static enum money_answer negative_length(const struct money_request *request)
{
	return send_with_length(request, "Content-Length: -1\r\n");
}

static enum money_answer chunks_cut(const struct money_request *request)
{
	char size[32];
	money_send_text(request->fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	snprintf(size, sizeof(size), "%zx\r\n", strlen(request->json));
	money_send_text(request->fd, size);
	money_send_text(request->fd, request->json);
	money_send_text(request->fd, "\r\n");
	return MONEY_CLOSE;
}

static enum money_answer not_gzip(const struct money_request *request)
{
	money_send_answer(request->fd, "200 OK", "Content-Encoding: gzip\r\n", request->json);
	return MONEY_KEEP;
}

static enum money_answer redirect(const struct money_request *request)
{
	money_send_answer(request->fd, "302 Found", "Location: http://127.0.0.1:9/\r\n", "");
	return MONEY_KEEP;
}

static enum money_answer no_content(const struct money_request *request)
{
	money_send_text(request->fd, "HTTP/1.1 204 No Content\r\n\r\n");
	return MONEY_KEEP;
}

static enum money_answer empty(const struct money_request *request)
{
	money_send_answer(request->fd, "200 OK", "", "");
	return MONEY_KEEP;
}

static enum money_answer cut_off(const struct money_request *request)
{
	return MONEY_CLOSE;
}

static enum money_answer header_flood(const struct money_request *request)
{
	char line[1024];
	memset(line, 'y', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	money_send_text(request->fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 2000; i++)
		money_send(request->fd, line, sizeof(line));
	return MONEY_CLOSE;
}

/* Nothing more, until the client gives up. */
static enum money_answer half_an_answer(const struct money_request *request)
{
	char byte;
	money_send_text(request->fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{");
	return recv(request->fd, &byte, 1, 0) == 0 ? MONEY_CLOSE : MONEY_KEEP;
}

#define STATUS(name, line, body)                                           \
	static enum money_answer name(const struct money_request *request) \
	{                                                                  \
		money_send_answer(request->fd, line, "", body);            \
		return MONEY_KEEP;                                         \
	}
STATUS(unauthorized, "401 X", "{\"error\":{\"code\":\"UNAUTHORIZED\",\"message\":\"who\"}}")
STATUS(proxy_authentication, "407 X", "{\"error\":{\"code\":\"PROXY\",\"message\":\"who\"}}")
STATUS(too_early, "425 X", "{\"error\":{\"code\":\"TOO_EARLY\",\"message\":\"x\"}}")
STATUS(client_closed, "499 X", "{\"error\":{\"code\":\"CLIENT_CLOSED\",\"message\":\"x\"}}")
STATUS(no_route, "404 X", "{\"code\":\"NO_ROUTE\",\"message\":\"gateway\"}")
STATUS(gateways_not_found, "404 X", "{\"code\":\"NOT_FOUND\",\"message\":\"gateway\"}")
STATUS(too_many, "429 X", "{\"error\":{\"code\":\"RATE_LIMITED\",\"message\":\"x\"}}")
STATUS(too_many_unlisted, "429 X", "{\"error\":{\"code\":\"SLOW_DOWN\",\"message\":\"x\"}}")
STATUS(conflict, "409 X", "{\"error\":{\"code\":\"CONFLICT\",\"message\":\"in flight\"}}")
STATUS(unprocessable, "422 X", "{\"error\":{\"code\":\"PAYMENT.BAD\",\"message\":\"x\"}}")
STATUS(without_code, "422 X", "{\"error\":\"Missing or invalid element\"}")
STATUS(gateway_time_out, "504 X", "<html>504</html>")
STATUS(status_999, "999 X", "{\"error\":{\"code\":\"X\",\"message\":\"x\"}}")

static void a_purchase_whose_answer_says_anything_else_is_one_label(void **state)
{
	/* `first`: the item of the first run; the second finds the label bought, or looks it up. `buys`: requests in
	 * both. */
	static const struct {
		const char *name;
		money_hook hook;
		int first;
		unsigned buys;
	} cases[] = {
		{"HTTP/1.0", http_10, 0, 1},
		{"no length", no_length, 0, 1},
		{"no length, cut", no_length_cut, 0, 1},
		{"100 and 103 first", interim_answers, 0, 1},
		{"length too short", length_too_short, 0, 1},
		{"length too long", length_too_long, 0, 1},
		{"two lengths", two_lengths, 0, 1},
		{"negative length", negative_length, 0, 1},
		{"chunks cut", chunks_cut, 0, 1},
		{"not gzip", not_gzip, 0, 1},
		{"302", redirect, 0, 1},
		{"204", no_content, 0, 1},
		{"empty", empty, 0, 1},
		{"cut off", cut_off, 0, 1},
		{"header flood", header_flood, 0, 1},
		{"half an answer", half_an_answer, 0, 1},
		{"407", proxy_authentication, 0, 1},
		{"425", too_early, 0, 1},
		{"499", client_closed, 0, 1},
		{"404 by a gateway", no_route, 0, 1},
		{"404 by a gateway, with the API's code", gateways_not_found, 0, 1},
		{"409", conflict, 0, 1},
		{"422 with a code that is not listed", unprocessable, 0, 1},
		{"422 without a code", without_code, 0, 1},
		{"504", gateway_time_out, 0, 1},
		{"999", status_999, 0, 1},
		{"429 with a code that is not listed", too_many_unlisted, 0, 1},
		/* Believed, and the same shipment is sent again: EXISTS. */
		{"429", too_many, 0, 2},
		{"401", unauthorized, SHIPOPT_EAUTH, 2},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		begin(&(struct money_hooks){.first_buy = cases[i].hook});
		buy("");
		if (seen.status != cases[i].first)
			fail_msg("%s: the first run says %d: %s", cases[i].name, seen.status, seen.reason);
		buy("");
		if (seen.status != (cases[i].first == 0 ? SHIPOPT_ALREADY : 0) ||
			strcmp(seen.tracking_code, "94001") != 0)
			fail_msg("%s: the second run says %d: %s", cases[i].name, seen.status, seen.reason);
		struct money_books books = end();
		if (books.labels != 1 || books.buys != cases[i].buys || books.creations != 1)
			fail_msg("%s: %u labels, %u purchases, %u shipments", cases[i].name, books.labels, books.buys,
				books.creations);
	}
}

/* Behind the answer to the creation comes another, which nobody asked for. */
static enum money_answer answered_too_often(const struct money_request *request)
{
	money_send_answer(request->fd, "201 Created", "", request->json);
	money_send_error(request->fd, "422 X", "PAYMENT_REQUIRED");
	return MONEY_KEEP;
}

static void an_answer_too_many_is_not_the_purchases(void **state)
{
	begin(&(struct money_hooks){.create = answered_too_often});
	buy("");
	assert_int_equal(seen.status, 0);
	struct money_books books = end();
	assert_int_equal(books.labels, 1);
	assert_int_equal(books.buys, 1);
}

/* ---- odd shipments ----------------------------------------------------------------------------------------- */

static const struct odd {
	const char *name, *body;
	int status;
	const char *reason, *tracking_code, *label_url;
} * odd;
#define HEAD "{\"id\":\"shp_1\",\"object\":\"Shipment\",\"reference\":\"order-0\",\"rates\":[],"
#define RATE(rate)                                       \
	"\"selected_rate\":{\"id\":\"r\",\"rate\":" rate \
	",\"currency\":\"USD\",\"carrier\":\"USPS\",\"service\":\"Priority\"}"
#define LABEL(label) "\"postage_label\":" label
#define CODE(code) "\"tracking_code\":" code
#define LABEL_1 LABEL("{\"id\":\"pl\",\"label_url\":\"http://x/l.png\"}")
#define CODE_1 CODE("\"9400X\"")
#define GOOD HEAD RATE("\"5.00\"") "," LABEL_1 "," CODE_1 ",\"messages\":[]}"
#define NOT_CHARGED "does not say what was charged: counted as the chosen rate"
#define NO_LABEL "the answer has no label document; fetch it with GET /shipments/shp_1"

static enum money_answer send_odd(const struct money_request *request)
{
	money_send_answer(request->fd, "200 OK", "", odd->body);
	return MONEY_KEEP;
}

static const struct odd bought[] = {
	{"rate is a number", HEAD RATE("5.0") "," LABEL_1 "," CODE_1 "}", 0, "", "9400X", "http://x/l.png"},
	{"rate is negative", HEAD RATE("\"-1.00\"") "," LABEL_1 "," CODE_1 "}", 0, NOT_CHARGED, "9400X",
		"http://x/l.png"},
	{"rate is no number", HEAD RATE("\"NaN\"") "," LABEL_1 "," CODE_1 "}", 0, NOT_CHARGED, "9400X",
		"http://x/l.png"},
	{"rate is absurd", HEAD RATE("\"9999999999999999999999\"") "," LABEL_1 "," CODE_1 "}", 0, NOT_CHARGED, "9400X",
		"http://x/l.png"},
	{"rate is large", HEAD RATE("\"2000000.00\"") "," LABEL_1 "," CODE_1 "}", 0, NOT_CHARGED, "9400X",
		"http://x/l.png"},
	{"rate has a comma", HEAD RATE("\"5,00\"") "," LABEL_1 "," CODE_1 "}", 0, "", "9400X", "http://x/l.png"},
	{"no rate", HEAD LABEL_1 "," CODE_1 "}", 0, NOT_CHARGED, "9400X", "http://x/l.png"},
	{"label is a text", HEAD RATE("\"5.00\"") "," LABEL("\"http://x/l.png\"") "," CODE_1 "}", 0, NO_LABEL, "9400X",
		""},
	{"label is a list", HEAD RATE("\"5.00\"") "," LABEL("[{\"label_url\":\"http://x\"}]") "," CODE_1 "}", 0,
		NO_LABEL, "9400X", ""},
	{"label is empty", HEAD RATE("\"5.00\"") "," LABEL("{}") "," CODE_1 "}", 0, NO_LABEL, "9400X", ""},
	{"no label", HEAD RATE("\"5.00\"") "," LABEL("null") "," CODE_1 "}", 0, NO_LABEL, "9400X", ""},
	{"no tracking code", HEAD RATE("\"5.00\"") "," LABEL_1 "," CODE("null") "}", 0, "", "", "http://x/l.png"},
	{"two ids, ours first", "{\"id\":\"shp_1\",\"id\":\"shp_9\"," RATE("\"5.00\"") "," LABEL_1 "," CODE_1 "}", 0,
		"", "9400X", "http://x/l.png"},
	{"byte order mark", "\xef\xbb\xbf" GOOD, 0, "", "9400X", "http://x/l.png"},
	{"messages is a text", HEAD RATE("\"5.00\"") "," LABEL_1 "," CODE_1 ",\"messages\":\"none\"}", 0, "", "9400X",
		"http://x/l.png"},
	{"rates is null", "{\"id\":\"shp_1\",\"rates\":null," RATE("\"5.00\"") "," LABEL_1 "," CODE_1 "}", 0, "",
		"9400X", "http://x/l.png"},
	{"other types",
		HEAD RATE("\"5.00\"") "," LABEL_1 "," CODE_1
				      ",\"created_at\":12345,\"is_return\":\"false\",\"options\":\"x\"}",
		0, "", "9400X", "http://x/l.png"},
};

static const struct odd unclear[] = {
	{"tracking code is a large number", HEAD RATE("\"5.00\"") "," LABEL_1 "," CODE("9400123456789012345678") "}",
		SHIPOPT_EINDOUBT, "it begins \"{"},
	{"rate out of range", HEAD RATE("1e400") "," LABEL_1 "," CODE_1 "}", SHIPOPT_EINDOUBT, "it begins \"{"},
	{"NaN", HEAD RATE("NaN") "," LABEL_1 "," CODE_1 "}", SHIPOPT_EINDOUBT, "it begins \"{"},
	{"neither label nor tracking code", HEAD RATE("\"5.00\"") "," LABEL("null") "," CODE("null") "}",
		SHIPOPT_EINDOUBT, "the answer shows neither a tracking code nor a label"},
	{"two ids, ours second", "{\"id\":\"shp_9\",\"id\":\"shp_1\"," RATE("\"5.00\"") "," LABEL_1 "," CODE_1 "}",
		SHIPOPT_EINDOUBT, "it is about \"shp_9\", while \"shp_1\" was asked for"},
	{"another id", "{\"id\":\"shp_9\"," RATE("\"5.00\"") "," LABEL_1 "," CODE_1 "}", SHIPOPT_EINDOUBT,
		"it is about \"shp_9\""},
	{"id is a number", "{\"id\":1," RATE("\"5.00\"") "," LABEL_1 "," CODE_1 "}", SHIPOPT_EINDOUBT,
		"the answer is not that shipment"},
	{"no id", "{" RATE("\"5.00\"") "," LABEL_1 "," CODE_1 "}", SHIPOPT_EINDOUBT, "the answer is not that shipment"},
	{"wrapped", "{\"shipment\":" GOOD "}", SHIPOPT_EINDOUBT, "the answer is not that shipment"},
	{"in a list", "[" GOOD "]", SHIPOPT_EINDOUBT, "the answer is not what was asked for"},
	{"more behind it", GOOD "garbage", SHIPOPT_EINDOUBT, "it begins \"{"},
	{"half a character", HEAD LABEL_1 "," CODE("\"\\ud800\"") "}", SHIPOPT_EINDOUBT, "it begins \"{"},
	{"not UTF-8", HEAD LABEL_1 "," CODE("\"\xff\"") "}", SHIPOPT_EINDOUBT, "it begins \"{"},
};

static void an_odd_shipment_that_shows_the_label_is_bought_with_a_note(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(bought); i++) {
		odd = &bought[i];
		begin(&(struct money_hooks){.first_buy = send_odd});
		for (int again = 0; again < 2; again++) {
			buy("");
			if (seen.status != (again ? SHIPOPT_ALREADY : 0) || !strstr(seen.reason, odd->reason) ||
				(!*odd->reason && *seen.reason) || seen.amount != 5000000 ||
				strcmp(seen.tracking_code, odd->tracking_code) != 0 ||
				strcmp(seen.label_url, odd->label_url) != 0)
				fail_msg("%s, run %d: %d \"%s\" %s %s %lld", odd->name, again, seen.status, seen.reason,
					seen.tracking_code, seen.label_url, (long long)seen.amount);
		}
		struct money_books books = end();
		assert_int_equal(books.labels, 1);
		assert_int_equal(books.buys, 1);
	}
}

static void an_answer_that_does_not_show_the_label_stays_in_doubt_until_a_look_up_does(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(unclear); i++) {
		odd = &unclear[i];
		begin(&(struct money_hooks){.first_buy = send_odd, .look_up = send_odd});
		buy(IN_DOUBT_SOON);
		if (seen.status != SHIPOPT_EINDOUBT || !strstr(seen.reason, odd->reason))
			fail_msg("%s: %d \"%s\"", odd->name, seen.status, seen.reason);
		assert_string_equal(seen.tracking_code, "");
		money_carrier_set(carrier, NULL);
		buy("");
		if (seen.status != 0 || strcmp(seen.tracking_code, "94001") != 0)
			fail_msg("%s, then a good look-up: %d \"%s\"", odd->name, seen.status, seen.reason);
		struct money_books books = end();
		if (books.labels != 1 || books.buys != 1)
			fail_msg("%s: %u labels, %u purchases", odd->name, books.labels, books.buys);
	}
}

/* ---- a replica that lags ----------------------------------------------------------------------------------- */

static enum money_answer show_no_label(const struct money_request *request)
{
	money_send_answer(request->fd, "200 OK", "",
		HEAD "\"selected_rate\":null,\"postage_label\":null,\"tracking_code\":null}");
	return MONEY_KEEP;
}

/* As if the purchase had been sent a day ago: its settle time is over. */
static void let_a_day_pass(void)
{
	sqlite3 *database;
	assert_int_equal(sqlite3_open(strchr(fixture.store_url, ':') + 1, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, "update ledger set buying_at_ms = buying_at_ms - 86400000", NULL, NULL,
				 NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_changes(database), 1);
	sqlite3_close(database);
}

static void a_rate_run_looks_up_what_is_in_doubt_and_buys_nothing(void **state)
{
	begin(&(struct money_hooks){.first_buy = cut_off, .look_up = show_no_label});
	buy(IN_DOUBT_SOON);
	assert_int_equal(seen.status, SHIPOPT_EINDOUBT);
	let_a_day_pass();
	run(shipopt_bulk_rate, "");
	assert_int_equal(seen.status, SHIPOPT_EINDOUBT);
	money_carrier_set(carrier, NULL);
	run(shipopt_bulk_rate, "");
	assert_int_equal(seen.status, SHIPOPT_ALREADY);
	assert_string_equal(seen.tracking_code, "94001");
	struct money_books books = end();
	assert_int_equal(books.buys, 1);
	assert_int_equal(books.labels, 1);
	assert_int_equal(books.creations, 1);
}

#define MONEY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MONEY_TEST(a_purchase_whose_answer_says_anything_else_is_one_label),
		MONEY_TEST(an_answer_too_many_is_not_the_purchases),
		MONEY_TEST(an_odd_shipment_that_shows_the_label_is_bought_with_a_note),
		MONEY_TEST(an_answer_that_does_not_show_the_label_stays_in_doubt_until_a_look_up_does),
		MONEY_TEST(a_rate_run_looks_up_what_is_in_doubt_and_buys_nothing),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("money on the wire", tests, NULL, NULL);
}
