/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "certificates.h"
#include "program.h"
#include "sandbox_process.h"
#include "script_server.h"
#include "store_v1.h"

/*
 * The program buy_labels as a user runs it, against the sandbox: its messages, its exit status, what the sandbox saw.
 * Programs and orders come from the environment: SHIPOPT_BUY_LABELS, SHIPOPT_ORDERS. Each test has a folder and a
 * sandbox of its own.
 */
#define HEADER PROGRAM_HEADER
#define ROW PROGRAM_ROW

static struct sandbox sandbox;
static struct program program;
static uint64_t live_before;

static int set_up(void **state)
{
	live_before = mem_live_count();
	program_init(&program);
	setenv("SHIPOPT_CARRIER_API_KEY", "EZTKtest", 1);
	return sandbox_start(&sandbox, NULL);
}

static int tear_down(void **state)
{
	int status = sandbox_stop(&sandbox);
	program_done(&program);
	return status == 0 && mem_live_count() == live_before ? 0 : -1;
}

/* At the sandbox, unless the arguments have a URL. */
static int buy(const char *orders, const char *arguments)
{
	char all[1024], url[160] = "";
	if (!strstr(arguments, "--carrier-url"))
		snprintf(url, sizeof(url), "--carrier-url %s/v2", sandbox.url);
	snprintf(all, sizeof(all), "%s %s", url, arguments);
	return program_buy(&program, orders, all);
}

static void write_file(const char *name, const char *content)
{
	program_write(&program, name, content);
}

static void assert_says(const char *text)
{
	program_assert_says(&program, text);
}

static void assert_nothing_was_sent(void)
{
	assert_says("nothing was sent to the carrier, nothing was bought");
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments"), 0);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 0);
}

static int64_t count_lines(const char *name, const char *part)
{
	return program_count_lines(&program, name, part);
}

static void orders_are_bought_and_a_second_run_buys_nothing(void **state)
{
	const char *orders = getenv("SHIPOPT_ORDERS");
	assert_int_equal(buy(orders, ""), 0);
	assert_says("\n300 bought, 0 already bought, 3 failed, 0 in doubt, 0 held\n");
	assert_says("line 302, order bad-country");
	assert_says("\"Atlantis\" is not a country");
	assert_says("line 303, order bad-weight");
	assert_says("weight must be above 0");
	assert_says("line 304, order bad-customs");
	assert_says("customs_info is required");
	assert_says("p99");
	assert_says("  spent: USPS ");
	assert_int_equal(count_lines("labels.csv", ",done,"), 300);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 300);
	assert_int_equal(buy(orders, ""), 0);
	assert_says("\n0 bought, 300 already bought, 3 failed, 0 in doubt, 0 held\n");
	assert_int_equal(count_lines("labels.csv", ",already,"), 300);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 300);
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments/buy"), 300);
	assert_int_equal(sandbox_duplicates(&sandbox), 0);
}

static void rates_are_chosen_first_and_bought_later(void **state)
{
	write_file("orders.csv", HEADER ROW("A-1", "US", "12") ROW("A-2", "US", "20"));
	assert_int_equal(buy("orders.csv", "--rates-only --service Express UPS/Ground"), 0);
	assert_says("\n0 bought, 2 rated, 0 already bought, 0 failed");
	assert_int_equal(sandbox_count(&sandbox, "labels"), 0);
	assert_int_equal(buy("orders.csv", ""), 0);
	assert_says("\n2 bought, 0 already bought, 0 failed");
	assert_int_equal(count_lines("labels.csv", ",USPS,Express,"), 2);
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments"), 2);
}

static void spend_limit_stops_the_rest(void **state)
{
	write_file("orders.csv", HEADER ROW("A-1", "US", "12") ROW("A-2", "US", "12"));
	assert_int_equal(buy("orders.csv", "--spend-limit 6.00 --max-in-flight 1"), 1);
	assert_says("\n1 bought, 0 already bought, 1 failed");
	assert_says("spend limit");
	assert_int_equal(sandbox_count(&sandbox, "labels"), 1);
	assert_int_equal(buy("orders.csv", "--spend-limit 100"), 0);
	assert_says("\n1 bought, 1 already bought, 0 failed");
}

static void key_comes_from_a_file(void **state)
{
	char arguments[256];
	unsetenv("SHIPOPT_CARRIER_API_KEY");
	write_file("orders.csv", HEADER ROW("A-1", "US", "12"));
	write_file("key", "EZTKfile\n");
	snprintf(arguments, sizeof(arguments), "--api-key-file %s/key", program.folder);
	assert_int_equal(buy("orders.csv", arguments), 0);
	assert_says("\n1 bought");
	write_file("key", "\n");
	assert_int_equal(buy("orders.csv", arguments), 1);
	assert_says("/key: it is empty");
	snprintf(arguments, sizeof(arguments), "--api-key-file %s/nothing", program.folder);
	assert_int_equal(buy("orders.csv", arguments), 1);
	assert_says("/nothing: No such file");
}

static void empty_or_no_key_is_named_and_nothing_is_sent(void **state)
{
	write_file("orders.csv", HEADER ROW("A-1", "US", "12"));
	setenv("SHIPOPT_CARRIER_API_KEY", "", 1);
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("SHIPOPT_CARRIER_API_KEY");
	assert_nothing_was_sent();
	unsetenv("SHIPOPT_CARRIER_API_KEY");
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("api_key");
	assert_nothing_was_sent();
}

static void refused_key_stops_the_run_and_is_not_printed(void **state)
{
	setenv("SHIPOPT_CARRIER_API_KEY", "WRONGsecret", 1);
	/* A key that does not say what it is for needs the mode. */
	assert_int_equal(buy(getenv("SHIPOPT_ORDERS"), ""), 1);
	assert_says("carrier setting mode");
	setenv("SHIPOPT_CARRIER_MODE", "test", 1);
	assert_int_equal(buy(getenv("SHIPOPT_ORDERS"), ""), 1);
	unsetenv("SHIPOPT_CARRIER_MODE");
	assert_says("cannot work with the carrier");
	assert_says("401");
	assert_null(strstr(program.output, "WRONGsecret"));
	unsetenv("SHIPOPT_CARRIER_MODE");
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments"), 0);
}

static void bad_usage_is_told(void **state)
{
	char command[1024];
	snprintf(command, sizeof(command), "'%s' --help", getenv("SHIPOPT_BUY_LABELS"));
	assert_int_equal(program_shell(&program, command), 0);
	assert_says("usage: buy_labels");
	snprintf(command, sizeof(command), "'%s' --orders x 2>&1", getenv("SHIPOPT_BUY_LABELS"));
	assert_int_equal(program_shell(&program, command), 2);
	assert_says("--orders, --store and --out are required");
	assert_int_equal(buy("orders.csv", "--key EZTKsecret"), 2);
	assert_says("unknown option --key");
	assert_int_equal(buy("orders.csv", "--spend-limit"), 2);
	assert_says("--spend-limit needs a value");
}

static void bad_numbers_are_told(void **state)
{
	write_file("orders.csv", HEADER ROW("A-1", "US", "12"));
	assert_int_equal(buy("orders.csv", "--spend-limit much"), 1);
	assert_says("spend_limit");
	assert_nothing_was_sent();
	assert_int_equal(buy("orders.csv", "--max-in-flight 5000"), 1);
	assert_says("max_in_flight");
	assert_says("4096");
	assert_nothing_was_sent();
}

static void missing_orders_file_is_named_and_makes_no_store(void **state)
{
	char path[256];
	assert_int_equal(buy("nothing.csv", ""), 1);
	assert_says("cannot read the orders");
	assert_says("nothing.csv");
	assert_says("No such file");
	assert_nothing_was_sent();
	snprintf(path, sizeof(path), "%s/ship.db", program.folder);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void wrong_header_is_named(void **state)
{
	write_file("orders.csv", "order_key,to_street,weight_oz\nA-1,x,1\n");
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("cannot read the orders");
	assert_says("\"to_street\"");
	assert_nothing_was_sent();
	write_file("orders.csv", "to_name,weight_oz\nx,1\n");
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("order_key");
	assert_nothing_was_sent();
	write_file("orders.csv", "");
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("cannot read the orders");
	assert_nothing_was_sent();
}

static void text_that_is_not_utf8_fails_its_row_only(void **state)
{
	write_file("orders.csv",
		HEADER ROW("A-1", "US", "12") "A-2,Caf\xe9,1 Science Park,Boston,MA,02114,US,N,476 5th Ave,"
					      "New York,NY,10018,US,5\n" ROW("A-3", "US", "12"));
	assert_int_equal(buy("orders.csv", ""), 0);
	assert_says("\n2 bought, 0 already bought, 1 failed");
	assert_says("line 3");
	assert_says("UTF-8");
	write_file("orders.csv", "order_key,\xff\xfe\nA-1,x\n");
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("UTF-8");
}

static void line_of_100_megabytes_fails_alone(void **state)
{
	char path[256];
	static char chunk[1 << 20];
	memset(chunk, 'a', sizeof(chunk));
	snprintf(path, sizeof(path), "%s/orders.csv", program.folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(HEADER ROW("A-1", "US", "12"), file);
	for (int i = 0; i < 100; i++)
		assert_int_equal(fwrite(chunk, 1, sizeof(chunk), file), sizeof(chunk));
	fputs("\n" ROW("A-3", "US", "12"), file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(buy("orders.csv", ""), 0);
	assert_says("\n2 bought, 0 already bought, 1 failed");
	assert_says("line 3");
	assert_says("1048576");
}

/* The key is taken back while the run is on: 401 from then on. */
static void key_that_is_refused_later_stops_the_run(void **state)
{
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"error-rate\": {\"401\": 1}, \"fault-paths\": \"buy\"}"), 0);
	assert_int_equal(buy(getenv("SHIPOPT_ORDERS"), ""), 1);
	assert_says("the run ended early: 5 orders in a row met the same refusal: POST /shipments/");
	assert_says("HTTP 401");
	assert_says("Check the API key");
	assert_says("\n0 bought");
	assert_true(sandbox_requests(&sandbox, "POST /shipments") < 250);
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"error-rate\": {\"401\": 0}}"), 0);
	assert_int_equal(buy(getenv("SHIPOPT_ORDERS"), ""), 0);
	assert_says("\n300 bought, 0 already bought, 3 failed");
}

static void wrong_url_is_named(void **state)
{
	write_file("orders.csv", HEADER ROW("A-1", "US", "12"));
	assert_int_equal(buy("orders.csv", "--carrier-url gopher://example.com"), 1);
	assert_says("cannot start: ");
	assert_says("must begin with https:// or http://");
	assert_nothing_was_sent();
	assert_int_equal(buy("orders.csv", "--carrier-url http://shipopt.invalid/v2"), 1);
	assert_true(strstr(program.output, "Could not resolve host: shipopt.invalid") ||
		strstr(program.output, "Resolving timed out"));
	assert_says("nothing was bought");
}

static void refused_connection_ends_the_run(void **state)
{
	assert_int_equal(buy(getenv("SHIPOPT_ORDERS"), "--carrier-url http://127.0.0.1:1/v2"), 1);
	assert_says("cannot work with the carrier");
	assert_says("127.0.0.1");
	assert_says("no order was sent to the carrier, nothing was bought");
	/* The same command with a good URL goes on. */
	assert_int_equal(buy(getenv("SHIPOPT_ORDERS"), ""), 0);
	assert_says("\n300 bought, 0 already bought, 3 failed");
}

static void a_carrier_that_keeps_failing_is_shown_while_the_run_waits(void **state)
{
	write_file("orders.csv", HEADER ROW("A-1", "US", "12"));
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"error-rate\": {\"503\": 1}, \"retry-after\": \"1\"}"), 0);
	setenv("SHIPOPT_BULK_ITEM_TIMEOUT_MS", "3000", 1);
	assert_int_equal(buy("orders.csv", ""), 1);
	unsetenv("SHIPOPT_BULK_ITEM_TIMEOUT_MS");
	assert_says("last problem: POST /shipments: HTTP 503");
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"error-rate\": {\"503\": 0}}"), 0);
}

static void base_url_without_the_version_is_named(void **state)
{
	char arguments[128];
	snprintf(arguments, sizeof(arguments), "--carrier-url %s", sandbox.url);
	assert_int_equal(buy(getenv("SHIPOPT_ORDERS"), arguments), 1);
	/* The read before is answered in the API's words, as by a carrier without trackers; the first order ends the
	 * run. */
	assert_says("POST /shipments: HTTP 404 NOT_FOUND");
	assert_says("is the base URL right?");
	assert_says("it must contain the version, as in https://api.easypost.com/v2");
	assert_says("\n0 bought");
	assert_says(" not begun");
	assert_int_equal(sandbox_count(&sandbox, "labels"), 0);
}

/* The read before the first order is answered like this; nothing is waited for, and no order is sent. */
static void assert_not_reached(const char *answer, const char *const *words)
{
	struct script scripts[] = {{"/v2/trackers", {{SCRIPT_SEND, answer, 0, 0, 0}, {SCRIPT_CLOSE, NULL, 0, 0, 0}}}};
	struct script_server *server;
	char arguments[128];
	assert_int_equal(script_server_start(scripts, 1, NULL, NULL, &server), 0);
	snprintf(arguments, sizeof(arguments), "--carrier-url http://127.0.0.1:%d/v2", script_server_port(server));
	write_file("orders.csv", HEADER ROW("A-1", "US", "12"));
	assert_int_equal(buy("orders.csv", arguments), 1);
	assert_says("cannot work with the carrier: GET /trackers?page_size=1: HTTP ");
	assert_says("no order was sent to the carrier, nothing was bought");
	for (size_t i = 0; words[i]; i++)
		assert_says(words[i]);
	assert_int_equal(script_server_requests(server, NULL), script_server_requests(server, "/v2/trackers"));
	assert_true(script_server_requests(server, NULL) <= 4);
	script_server_stop(server);
}

static void what_is_not_the_api_or_asks_for_hours_is_told_at_once(void **state)
{
	assert_not_reached("HTTP/1.1 200 OK\r\nContent-Length: 18\r\nContent-Type: text/html\r\n\r\n<html>Login</html>",
		(const char *const[]){"not JSON, it begins \"<html>Login</html>\"", "is the base URL right?", NULL});
	assert_not_reached(
		"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://api.example/v2/trackers\r\nContent-Length: 0\r\n\r\n",
		(const char *const[]){"it redirects to \"https://api.example/v2/trackers\", which is not followed",
			NULL});
	assert_not_reached("HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}",
		(const char *const[]){"HTTP 410", "is the base URL right?", NULL});
	assert_not_reached("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
		(const char *const[]){"check the setting proxy", NULL});
	assert_not_reached("HTTP/1.1 503 Unavailable\r\nRetry-After: 64800\r\nContent-Length: 11\r\n\r\nMaintenance",
		(const char *const[]){"HTTP 503", "Maintenance", "the carrier asks to wait until ", " UTC (64800 s)",
			NULL});
	assert_not_reached("HTTP/1.1 429 Too Many\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n",
		(const char *const[]){"HTTP 429", " UTC (86400 s)", NULL});
}

static void orders_that_failed_by_no_fault_of_their_own_make_exit_status_1(void **state)
{
	static const char *const statuses[] = {"402", "403", "409", "405"};
	write_file("orders.csv", HEADER ROW("A-1", "US", "12") ROW("A-2", "US", "12"));
	setenv("SHIPOPT_BULK_ITEM_TIMEOUT_MS", "1500", 1);
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		char faults[80];
		snprintf(faults, sizeof(faults),
			"{\"reset\": true, \"error-rate\": {\"%s\": 1}, \"fault-paths\": \"buy\"}", statuses[i]);
		assert_int_equal(sandbox_set_faults(&sandbox, faults), 0);
		if (buy("orders.csv", "") != 1)
			fail_msg("HTTP %s: %s", statuses[i], program.output);
		assert_int_equal(sandbox_count(&sandbox, "labels"), 0);
	}
	unsetenv("SHIPOPT_BULK_ITEM_TIMEOUT_MS");
}

static void expired_certificate_is_refused(void **state)
{
	struct certificates certificates;
	struct sandbox tls;
	char arguments[128];
	write_file("orders.csv", HEADER ROW("A-1", "US", "12"));
	assert_int_equal(certificates_make(&certificates), 0);
	const char *options[] = {"--tls", certificates.expired, certificates.key, NULL};
	assert_int_equal(sandbox_start(&tls, options), 0);
	setenv("SHIPOPT_CARRIER_CA_FILE", certificates.ca, 1);
	snprintf(arguments, sizeof(arguments), "--carrier-url %s/v2", tls.url);
	assert_int_equal(buy("orders.csv", arguments), 1);
	unsetenv("SHIPOPT_CARRIER_CA_FILE");
	assert_says("expired");
	assert_says("nothing was bought");
	assert_int_equal(sandbox_stop(&tls), 0);
	certificates_remove(&certificates);
}

static void store_that_is_none_is_refused(void **state)
{
	write_file("orders.csv", HEADER ROW("A-1", "US", "12"));
	write_file("ship.db",
		"this is no database, but long enough to be looked at as one; this is no database, this is none\n");
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("cannot start: ");
	assert_nothing_was_sent();
}

static void results_that_cannot_be_written_stop_it(void **state)
{
	char command[1024];
	write_file("orders.csv", HEADER ROW("A-1", "US", "12"));
	snprintf(command, sizeof(command),
		"'%s' --orders '%s/orders.csv' --store 'sqlite:%s/ship.db' --out '%s/no/labels.csv'"
		" --carrier-url %s/v2 2>&1",
		getenv("SHIPOPT_BUY_LABELS"), program.folder, program.folder, program.folder, sandbox.url);
	assert_int_equal(program_shell(&program, command), 1);
	assert_says("cannot write the results");
	assert_nothing_was_sent();
}

/* The program starts, its first purchase reaches the sandbox, then comes the signal. */
static void store_of_an_earlier_version_wants_its_mode_confirmed_by_the_environment(void **state)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/ship.db", program.folder);
	store_v1_make(path, NULL, NULL);
	write_file("orders.csv", HEADER ROW("new-1", "US", "8"));
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("confirm_mode=test");
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments"), 0);
	setenv("SHIPOPT_STORE_CONFIRM_MODE", "maybe", 1);
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("\"maybe\" is not test or production");
	/* A key that says nothing of its mode. */
	setenv("SHIPOPT_STORE_CONFIRM_MODE", "production", 1);
	setenv("SHIPOPT_CARRIER_API_KEY", "EZsomekey", 1);
	assert_int_equal(buy("orders.csv", ""), 1);
	assert_says("carrier setting mode");
	assert_nothing_was_sent();
	setenv("SHIPOPT_CARRIER_MODE", "production", 1);
	assert_int_equal(buy("orders.csv", ""), 1);
	unsetenv("SHIPOPT_STORE_CONFIRM_MODE");
	unsetenv("SHIPOPT_CARRIER_MODE");
	assert_says("\n1 bought, 0 already bought, 0 failed, 0 in doubt, 0 held\n");
	assert_says("7 ledger rows wait for a person");
	assert_int_equal(store_v1_number(path, "SELECT count(*) FROM ledger WHERE mode = 'production'"),
		STORE_V1_ROWS + 1);
}

static void interrupt_ends_in_a_summary_and_the_next_run_goes_on(void **state)
{
	char printed[160], store[160], out[160], url[160];
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"latency-ms\": \"30\"}"), 0);
	snprintf(printed, sizeof(printed), "%s/output", program.folder);
	snprintf(store, sizeof(store), "sqlite:%s/ship.db", program.folder);
	snprintf(out, sizeof(out), "%s/labels.csv", program.folder);
	snprintf(url, sizeof(url), "%s/v2", sandbox.url);
	pid_t child = fork();
	if (child == 0) {
		if (!freopen(printed, "w", stdout) || dup2(STDOUT_FILENO, STDERR_FILENO) < 0)
			_exit(126);
		execl(getenv("SHIPOPT_BUY_LABELS"), "buy_labels", "--orders", getenv("SHIPOPT_ORDERS"), "--store",
			store, "--out", out, "--carrier-url", url, "--max-in-flight", "4", (char *)NULL);
		_exit(127);
	}
	assert_true(child > 0);
	while (sandbox_count(&sandbox, "labels") < 5)
		assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
	assert_int_equal(kill(child, SIGINT), 0);
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_int_equal(count_lines("output", "interrupted; run the same command again"), 1);
	assert_int_equal(count_lines("output", " bought, 0 already bought,"), 1);
	int64_t labels = sandbox_count(&sandbox, "labels");
	assert_true(labels >= 5 && labels < 300);
	assert_int_equal(count_lines("labels.csv", ",done,"), labels);
	assert_int_equal(buy(getenv("SHIPOPT_ORDERS"), "--max-in-flight 64"), 0);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 300);
	assert_int_equal(sandbox_duplicates(&sandbox), 0);
}

static void lost_answers_are_told_as_in_doubt_and_settled_by_the_next_run(void **state)
{
	write_file("orders.csv", HEADER ROW("A-1", "US", "12") ROW("A-2", "US", "12"));
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"late-effect\": \"1:5\", \"fault-paths\": \"buy\"}"), 0);
	setenv("SHIPOPT_BULK_ITEM_TIMEOUT_MS", "2000", 1);
	int status = buy("orders.csv", "");
	unsetenv("SHIPOPT_BULK_ITEM_TIMEOUT_MS");
	assert_int_equal(status, 1);
	assert_says("0 bought, 0 already bought, 0 failed, 2 in doubt");
	assert_says("run the same command again later");
	assert_int_equal(buy("orders.csv", ""), 0);
	assert_says("2 bought, 0 already bought, 0 failed, 0 in doubt");
	assert_int_equal(sandbox_count(&sandbox, "labels"), 2);
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments/buy"), 2);
}

#define PROGRAM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROGRAM_TEST(orders_are_bought_and_a_second_run_buys_nothing),
		PROGRAM_TEST(rates_are_chosen_first_and_bought_later),
		PROGRAM_TEST(spend_limit_stops_the_rest),
		PROGRAM_TEST(key_comes_from_a_file),
		PROGRAM_TEST(empty_or_no_key_is_named_and_nothing_is_sent),
		PROGRAM_TEST(refused_key_stops_the_run_and_is_not_printed),
		PROGRAM_TEST(bad_usage_is_told),
		PROGRAM_TEST(bad_numbers_are_told),
		PROGRAM_TEST(missing_orders_file_is_named_and_makes_no_store),
		PROGRAM_TEST(wrong_header_is_named),
		PROGRAM_TEST(text_that_is_not_utf8_fails_its_row_only),
		PROGRAM_TEST(line_of_100_megabytes_fails_alone),
		PROGRAM_TEST(key_that_is_refused_later_stops_the_run),
		PROGRAM_TEST(wrong_url_is_named),
		PROGRAM_TEST(refused_connection_ends_the_run),
		PROGRAM_TEST(a_carrier_that_keeps_failing_is_shown_while_the_run_waits),
		PROGRAM_TEST(base_url_without_the_version_is_named),
		PROGRAM_TEST(what_is_not_the_api_or_asks_for_hours_is_told_at_once),
		PROGRAM_TEST(orders_that_failed_by_no_fault_of_their_own_make_exit_status_1),
		PROGRAM_TEST(expired_certificate_is_refused),
		PROGRAM_TEST(store_that_is_none_is_refused),
		PROGRAM_TEST(store_of_an_earlier_version_wants_its_mode_confirmed_by_the_environment),
		PROGRAM_TEST(results_that_cannot_be_written_stop_it),
		PROGRAM_TEST(interrupt_ends_in_a_summary_and_the_next_run_goes_on),
		PROGRAM_TEST(lost_answers_are_told_as_in_doubt_and_settled_by_the_next_run),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
