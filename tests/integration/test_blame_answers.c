/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bulk_fixture.h"
#include "script_server.h"

/* Whole answers on the wire, and what becomes of calls and runs: carrier/blame.h and bulk/run_blame.h. */

#define QUICK "carrier.retry_base_ms=2 carrier.retry_cap_ms=10 "

static struct bulk_fixture fixture;
static struct script_server *server;
static char answer[512];

/* A carrier that gives `answer` to each of these paths. */
static void serve(const char *status_line, const char *headers, const char *body)
{
	static struct script scripts[5];
	static const char *const paths[] = {"/v2/trackers", "/v2/shipments", "/v2/trackers/trk_1",
		"/v2/shipments/shp_1/buy", "/v2/shipments/shp_1/refund"};
	snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status_line, headers,
		strlen(body), body);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		scripts[i] = (struct script){paths[i], {{SCRIPT_SEND, answer, 0, 0, 0}}};
	assert_int_equal(script_server_start(scripts, sizeof(paths) / sizeof(paths[0]), NULL, NULL, &server), 0);
}

static void open_at_server(const char *settings)
{
	char all[512];
	snprintf(all, sizeof(all), "carrier.base_url=http://127.0.0.1:%d/v2 " QUICK "%s", script_server_port(server),
		settings);
	fixture_open(&fixture, all);
}

static int set_up(void **state)
{
	fixture_start(&fixture, NULL);
	return 0;
}

static int tear_down(void **state)
{
	fixture_stop(&fixture);
	return mem_live_count() == 0 ? 0 : -1;
}

static void close_server(void)
{
	fixture_close(&fixture);
	script_server_stop(server);
}

static void assert_says(const char *message, const char *part)
{
	if (!message || !strstr(message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, message ? message : "");
}

/* Waits, checks the status and one part of the message, and drops the operation. */
static void expect(int taken, shipopt_op *op, int status, const char *part)
{
	assert_int_equal(taken, 0);
	int r = shipopt_op_wait(op, -1);
	const char *message = shipopt_error_message(shipopt_op_error(op));
	if (r != status)
		fail_msg("%s instead of %s: %s", shipopt_error_name(r), shipopt_error_name(status),
			message ? message : "");
	assert_says(message, part);
	shipopt_op_unref(op);
}

static void what_passes_is_repeated_where_that_is_safe(void **state)
{
	static const char *const lines[] = {"408 Timeout", "409 Conflict", "423 Locked", "425 Too Early"};
	static const int statuses[] = {SHIPOPT_ETIMEDOUT, SHIPOPT_EBUSY, SHIPOPT_EBUSY, SHIPOPT_EBUSY};
	for (size_t i = 0; i < 4; i++) {
		shipopt_op *op;
		char words[64];
		serve(lines[i], "",
			"{\"error\":{\"code\":\"IN_FLIGHT\",\"message\":\"A duplicate request is in flight\"}}");
		open_at_server("carrier.attempts_max=3");
		snprintf(words, sizeof(words), "HTTP %.3s IN_FLIGHT: A duplicate request is in flight", lines[i]);
		int r = shipopt_carrier_tracker_create(fixture.carrier, "EZ1", NULL, NULL, NULL, &op);
		expect(r, op, statuses[i], words);
		r = shipopt_carrier_tracker_retrieve(fixture.carrier, "trk_1", NULL, NULL, &op);
		expect(r, op, statuses[i], words);
		assert_int_equal(script_server_requests(server, "/v2/trackers"), 3);
		assert_int_equal(script_server_requests(server, "/v2/trackers/trk_1"), 3);
		/* Not safe to repeat; the outcome of a purchase is not known by it. */
		r = shipopt_carrier_shipment_refund(fixture.carrier, "shp_1", NULL, NULL, &op);
		expect(r, op, i == 0 ? SHIPOPT_EINDOUBT : SHIPOPT_EBUSY, words);
		r = shipopt_carrier_shipment_buy(fixture.carrier, "shp_1", "rate_1", -1, NULL, NULL, &op);
		expect(r, op, SHIPOPT_EINDOUBT, words);
		assert_int_equal(script_server_requests(server, "/v2/shipments/shp_1/refund"), 1);
		assert_int_equal(script_server_requests(server, "/v2/shipments/shp_1/buy"), 1);
		close_server();
	}
}

static void a_retry_after_of_a_conflict_is_waited_for(void **state)
{
	shipopt_op *op;
	serve("409 Conflict", "Retry-After: 1\r\n", "");
	open_at_server("carrier.attempts_max=2");
	int64_t begun_us = clock_now_us();
	int r = shipopt_carrier_tracker_create(fixture.carrier, "EZ1", NULL, NULL, NULL, &op);
	expect(r, op, SHIPOPT_EBUSY, "HTTP 409");
	assert_true(clock_now_us() - begun_us >= 1000000);
	assert_int_equal(script_server_requests(server, "/v2/trackers"), 2);
	close_server();
}

static void a_gateways_refusal_of_a_purchase_proves_nothing(void **state)
{
	static const char *const lines[] = {"404 Not Found", "403 Forbidden", "405 Not Allowed", "422 Unprocessable",
		"402 Payment"};
	static const char *const bodies[] = {"{\"code\":\"NO_ROUTE\"}", "<html></html>", "",
		"{\"error\":\"Bad request\"}"};
	for (size_t i = 0; i < 5; i++) {
		for (size_t j = 0; j < 4; j++) {
			shipopt_op *op;
			serve(lines[i], "", bodies[j]);
			open_at_server("");
			int r = shipopt_carrier_shipment_buy(fixture.carrier, "shp_1", "rate_1", -1, NULL, NULL, &op);
			expect(r, op, SHIPOPT_EINDOUBT, "POST /shipments/shp_1/buy: HTTP 4");
			close_server();
		}
	}
	shipopt_op *op;
	serve("422 Unprocessable", "", "{\"error\":{\"code\":\"SHIPMENT.POSTAGE.FAILURE\",\"message\":\"no\"}}");
	open_at_server("");
	int r = shipopt_carrier_shipment_buy(fixture.carrier, "shp_1", "rate_1", -1, NULL, NULL, &op);
	expect(r, op, SHIPOPT_EREFUSED, "SHIPMENT.POSTAGE.FAILURE: no");
	close_server();
}

static void a_redirect_is_named_and_not_followed(void **state)
{
	shipopt_op *op;
	serve("301 Moved Permanently", "Location: /v2/shipments\r\n", "");
	open_at_server("");
	int r = shipopt_carrier_tracker_create(fixture.carrier, "EZ1", NULL, NULL, NULL, &op);
	expect(r, op, SHIPOPT_EPROTOCOL,
		"POST /trackers: HTTP 301; it redirects to \"/v2/shipments\", which is not followed; is the base URL");
	r = shipopt_carrier_call(fixture.carrier, "GET", "/trackers", NULL, NULL, NULL, NULL, &op);
	expect(r, op, SHIPOPT_EPROTOCOL, "it redirects to \"/v2/shipments\"");
	assert_int_equal(script_server_requests(server, NULL), 2);
	close_server();
}

static void a_far_retry_after_ends_the_wait_at_once_in_every_form(void **state)
{
	char date[96];
	time_t in_two_days = time(NULL) + 2 * 86400;
	strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime(&in_two_days));
	const char *const forms[] = {"Retry-After: 86400\r\n", "Retry-After: 99999999999\r\n", date,
		"Retry-After: Fri, 31 Dec 2094 23:59:59 GMT\r\n"};
	const int64_t least_ms[] = {86400000, INT64_C(3155760000000), INT64_C(172700000), INT64_C(2000000000000)};
	for (size_t i = 0; i < 4; i++) {
		shipopt_op *op;
		serve("429 Too Many Requests", forms[i],
			"{\"error\":{\"code\":\"RATE_LIMITED\",\"message\":\"slow down\"}}");
		open_at_server("");
		int r = shipopt_carrier_tracker_create(fixture.carrier, "EZ1", NULL, NULL, NULL, &op);
		assert_int_equal(r, 0);
		assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ERATELIMIT);
		const shipopt_error *error = shipopt_op_error(op);
		assert_says(shipopt_error_message(error),
			"POST /trackers: HTTP 429 RATE_LIMITED: slow down; the carrier asks to wait until 2");
		assert_says(shipopt_error_message(error), "; that is longer than the 600 s that this call has left");
		assert_true(shipopt_error_retry_after_ms(error) >= least_ms[i]);
		assert_int_equal(shipopt_error_http_status(error), 429);
		assert_string_equal(shipopt_error_carrier_code(error), "RATE_LIMITED");
		shipopt_op_unref(op);
		/* The next one is not even sent, and says why. */
		r = shipopt_carrier_tracker_create(fixture.carrier, "EZ2", NULL, NULL, NULL, &op);
		expect(r, op, SHIPOPT_ERATELIMIT,
			"nothing was sent; another call failed: POST /trackers: HTTP 429 RATE_LIMITED: slow down");
		assert_int_equal(script_server_requests(server, NULL), 1);
		close_server();
	}
}

static void a_run_does_not_wait_for_a_pause_of_hours(void **state)
{
	struct fixture_result result;
	serve("503 Unavailable", "Retry-After: 64800\r\n", "Maintenance");
	open_at_server("");
	fixture_buy(&fixture, fixture_orders(100, "order"), &result);
	assert_int_equal(result.status, 0);
	assert_int_equal(result.failed, 100);
	assert_true(result.elapsed_ms < 60000);
	assert_true(script_server_requests(server, NULL) <= 16);
	close_server();
}

static void a_base_url_without_the_version_ends_the_run_at_once(void **state)
{
	struct fixture_result result;
	char settings[256];
	snprintf(settings, sizeof(settings), "carrier.base_url=%s " QUICK, fixture.sandbox.url);
	fixture_open(&fixture, settings);
	fixture_buy(&fixture, fixture_orders(300, "order"), &result);
	assert_int_equal(result.status, SHIPOPT_EPROTOCOL);
	assert_says(result.message, "POST /shipments: HTTP 404");
	assert_says(result.message, "is the base URL right? http://127.0.0.1:");
	assert_true(result.failed > 0 && result.failed <= 16);
	assert_true(result.requests <= 16);
	fixture_close(&fixture);
	/* With the right one every order is bought: none was marked as failed for good. */
	fixture_open(&fixture, QUICK);
	fixture_buy(&fixture, fixture_orders(20, "order"), &result);
	assert_int_equal(result.done, 20);
	assert_int_equal(fixture_compare(&fixture), 0);
}

static void what_is_not_the_api_ends_a_run_and_is_quoted(void **state)
{
	static const char *const lines[] = {"200 OK", "301 Moved", "405 Not Allowed", "407 Proxy", "410 Gone",
		"404 Not Found"};
	static const fixture_run_fn runs[] = {shipopt_bulk_buy, shipopt_bulk_track};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (size_t j = 0; j < 2; j++) {
			struct fixture_result result;
			shipopt_order *orders[100];
			shipopt_source *source;
			serve(lines[i], "", "<html>Sign in</html>");
			open_at_server("");
			for (size_t k = 0; k < 100; k++) {
				orders[k] = fixture_order("order", k);
				assert_int_equal(shipopt_order_set_tracking_code(orders[k], "EZ1", NULL), 0);
			}
			assert_int_equal(shipopt_source_new_array(orders, 100, &source, NULL), 0);
			fixture_run(&fixture, runs[j], source, &result);
			if (result.status != SHIPOPT_EPROTOCOL)
				fail_msg("HTTP %s: the run ended as %s: %s", lines[i],
					shipopt_error_name(result.status), result.message);
			assert_says(result.message, "begins \"<html>Sign in</html>\"");
			assert_true(result.failed <= 32);
			assert_true(script_server_requests(server, NULL) <= 4 * 32);
			close_server();
		}
	}
}

static void a_refused_account_ends_a_run_after_five_orders(void **state)
{
	static const char *const lines[] = {"403 Forbidden", "402 Payment Required", "401 Unauthorized"};
	for (size_t i = 0; i < 3; i++) {
		struct fixture_result result;
		serve(lines[i], "", "{\"error\":{\"code\":\"SOME.CODE\",\"message\":\"not this one\"}}");
		open_at_server("bulk.max_in_flight=1");
		fixture_buy(&fixture, fixture_orders(4, "order"), &result);
		assert_int_equal(result.status, 0);
		assert_int_equal(result.failed, 4);
		fixture_buy(&fixture, fixture_orders(100, "order"), &result);
		assert_int_equal(result.status, i == 1 ? SHIPOPT_EPAYMENT : SHIPOPT_EAUTH);
		assert_says(result.message, "5 orders in a row met the same refusal: POST /shipments: HTTP 40");
		assert_says(result.message, "SOME.CODE: not this one");
		assert_int_equal(result.failed, 5);
		assert_true(result.canceled >= 59);
		close_server();
	}
}

#define BLAME_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BLAME_TEST(what_passes_is_repeated_where_that_is_safe),
		BLAME_TEST(a_retry_after_of_a_conflict_is_waited_for),
		BLAME_TEST(a_gateways_refusal_of_a_purchase_proves_nothing),
		BLAME_TEST(a_redirect_is_named_and_not_followed),
		BLAME_TEST(a_far_retry_after_ends_the_wait_at_once_in_every_form),
		BLAME_TEST(a_run_does_not_wait_for_a_pause_of_hours),
		BLAME_TEST(a_base_url_without_the_version_ends_the_run_at_once),
		BLAME_TEST(what_is_not_the_api_ends_a_run_and_is_quoted),
		BLAME_TEST(a_refused_account_ends_a_run_after_five_orders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
