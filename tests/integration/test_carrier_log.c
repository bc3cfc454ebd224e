/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macro.h"
#include "base/memory.h"
#include "json/json.h"
#include "script_server.h"
#include "shipopt/shipopt.h"

/* What a client writes to the log, and how long its calls may take. */

#define KEY "EZTKthekeyofthistest"
#define WAIT_MS 60000
#define LINES_MAX 4096

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int count;
	int levels[LINES_MAX];
	char *lines[LINES_MAX];
} book = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static shipopt_runtime *runtime;
static shipopt_carrier *carrier;

static void on_log(void *userdata, int level, const char *line)
{
	pthread_mutex_lock(&book.lock);
	if (book.count < LINES_MAX) {
		book.levels[book.count] = level;
		book.lines[book.count++] = strdup(line);
	}
	pthread_cond_broadcast(&book.changed);
	pthread_mutex_unlock(&book.lock);
}

static int count_lines_locked(int level, const char *part)
{
	int count = 0;
	for (int i = 0; i < book.count; i++)
		count += book.levels[i] == level && strstr(book.lines[i], part) != NULL;
	return count;
}

static int count_lines(int level, const char *part)
{
	pthread_mutex_lock(&book.lock);
	int count = count_lines_locked(level, part);
	pthread_mutex_unlock(&book.lock);
	return count;
}

static void await_line(int level, const char *part)
{
	struct timespec due;
	clock_gettime(CLOCK_REALTIME, &due);
	due.tv_sec += WAIT_MS / 1000;
	pthread_mutex_lock(&book.lock);
	int r = 0;
	while (count_lines_locked(level, part) == 0 && r == 0)
		r = pthread_cond_timedwait(&book.changed, &book.lock, &due);
	pthread_mutex_unlock(&book.lock);
	if (r != 0)
		fail_msg("no line of level %d with \"%s\"", level, part);
}

static void open_carrier(const char *base_url, const char *const (*settings)[2])
{
	shipopt_runtime_config *runtime_config;
	shipopt_carrier_config *config;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_runtime_config_new(&runtime_config), 0);
	assert_int_equal(shipopt_runtime_config_set_log(runtime_config, on_log, NULL), 0);
	assert_int_equal(shipopt_runtime_config_set_int(runtime_config, SHIPOPT_RUNTIME_LOG_LEVEL, SHIPOPT_LOG_DEBUG),
		0);
	assert_int_equal(shipopt_runtime_new(runtime_config, &runtime, NULL), 0);
	shipopt_runtime_config_free(runtime_config);
	assert_int_equal(shipopt_carrier_config_new(&config), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, KEY), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, base_url), 0);
	for (; settings && (*settings)[0]; settings++)
		assert_int_equal(shipopt_carrier_config_set(config, (*settings)[0], (*settings)[1]), 0);
	if (shipopt_carrier_new(runtime, config, &carrier, &error) < 0)
		fail_msg("%s", shipopt_error_text(error));
	shipopt_carrier_config_free(config);
}

static void close_carrier(void)
{
	shipopt_carrier_free(carrier);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	for (int i = 0; i < book.count; i++) {
		if (strstr(book.lines[i], KEY))
			fail_msg("the key is in the log: %s", book.lines[i]);
		free(book.lines[i]);
	}
	book.count = 0;
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

/* A port on which nobody listens. */
static void refused_url(char *url, size_t size)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	close(fd);
	snprintf(url, size, "http://127.0.0.1:%d/v2", ntohs(address.sin_port));
}

/* --- a carrier that is not there --- */

static const char *const slow_retries[][2] = {{"attempts_max", "100"}, {"retry_base_ms", "60000"},
	{"retry_cap_ms", "60000"}, {NULL, NULL}};

static void a_call_to_a_refused_port_is_logged_while_it_is_retried(void **state)
{
	char url[64], line[160];
	shipopt_op *op;
	refused_url(url, sizeof(url));
	open_carrier(url, slow_retries);
	assert_int_equal(shipopt_carrier_tracker_create(carrier, "EZ1000000001", NULL, NULL, NULL, &op), 0);
	snprintf(line, sizeof(line), "carrier: no connection: POST %s/trackers: ", url);
	await_line(SHIPOPT_LOG_WARNING, line);
	await_line(SHIPOPT_LOG_DEBUG, "carrier: POST /trackers: SHIPOPT_ECONNECT in ");
	assert_false(shipopt_op_is_done(op));
	shipopt_op_cancel(op);
	/* Nothing was sent. */
	assert_int_equal(shipopt_op_wait(op, WAIT_MS), SHIPOPT_ECANCELED);
	shipopt_op_unref(op);
	close_carrier();
}

static void a_run_to_a_refused_port_is_logged_while_it_waits(void **state)
{
	char url[64];
	shipopt_bulk *bulk;
	shipopt_order *order;
	shipopt_source *source;
	shipopt_run *run;
	refused_url(url, sizeof(url));
	open_carrier(url, slow_retries);
	assert_int_equal(shipopt_bulk_new(runtime, carrier, NULL, NULL, &bulk, NULL), 0);
	assert_int_equal(shipopt_order_new("order-1", &order, NULL), 0);
	static const char *const columns[][2] = {{"to_name", "A"}, {"to_street1", "1 A St"}, {"to_city", "Boston"},
		{"to_state", "MA"}, {"to_zip", "02114"}, {"to_country", "US"}, {"from_name", "B"},
		{"from_street1", "2 B St"}, {"from_city", "Boston"}, {"from_state", "MA"}, {"from_zip", "02115"},
		{"from_country", "US"}, {"weight_oz", "10"}};
	shipopt_record *shipment;
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		assert_int_equal(shipopt_record_set_column(shipment, columns[i][0], columns[i][1], NULL), 0);
	assert_int_equal(shipopt_order_set_shipment(order, shipment, NULL), 0);
	assert_int_equal(shipopt_source_new_array(&order, 1, &source, NULL), 0);
	assert_int_equal(shipopt_bulk_rate(bulk, source, NULL, NULL, NULL, &run), 0);
	await_line(SHIPOPT_LOG_WARNING, "carrier: no connection: POST ");
	assert_false(shipopt_op_is_done(shipopt_run_op(run)));
	shipopt_op_cancel(shipopt_run_op(run));
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), WAIT_MS), SHIPOPT_ECANCELED);
	shipopt_run_unref(run);
	shipopt_bulk_free(bulk);
	close_carrier();
}

/* --- requests --- */

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-ep-request-uuid: request-7\r\n"
#define TRACKER                                                                                               \
	HEAD "Set-Cookie: session=abc\r\nX-Echo: Bearer " KEY "\r\nX-Token: t0\r\nContent-Length: 38\r\n\r\n" \
	     "{\"id\":\"trk_1\",\"tracking_code\":\"CODE1\"}"

static const struct script scripts[] = {
	{"/v2/trackers/trk_1", {{SCRIPT_SEND, TRACKER}}},
	{"/v2/silent", {{.action = SCRIPT_HOLD}}},
};

static struct script_server *open_scripted(const char *const (*settings)[2])
{
	struct script_server *server;
	char url[64];
	assert_int_equal(script_server_start(scripts, ARRAY_SIZE(scripts), NULL, NULL, &server), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v2", script_server_port(server));
	open_carrier(url, settings);
	return server;
}

static void each_request_is_a_line_and_headers_are_traced_on_demand(void **state)
{
	static const char *const traced[][2] = {{"trace", "1"}, {NULL, NULL}};
	for (int is_traced = 0; is_traced < 2; is_traced++) {
		shipopt_op *op;
		struct script_server *server = open_scripted(is_traced ? traced : NULL);
		assert_int_equal(shipopt_carrier_tracker_retrieve(carrier, "trk_1", NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, WAIT_MS), 0);
		shipopt_op_unref(op);
		await_line(SHIPOPT_LOG_DEBUG, "carrier: GET /trackers/trk_1: HTTP 200 in ");
		assert_int_equal(count_lines(SHIPOPT_LOG_DEBUG, " ms, request id request-7"), 1);
		static const char *const lines[] = {"carrier: trace 1 > GET /v2/trackers/trk_1 HTTP/1.1",
			"carrier: trace 1 > Authorization: ***", "carrier: trace 1 < HTTP/1.1 200 OK",
			"carrier: trace 1 < Set-Cookie: ***", "carrier: trace 1 < X-Token: ***",
			"carrier: trace 1 < X-Echo: Bearer ********************",
			"carrier: trace 1 = request body 0 bytes, answer body 38 bytes, "};
		for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
			if (count_lines(SHIPOPT_LOG_DEBUG, lines[i]) != is_traced)
				fail_msg("%d times \"%s\"", count_lines(SHIPOPT_LOG_DEBUG, lines[i]), lines[i]);
		assert_int_equal(count_lines(SHIPOPT_LOG_DEBUG, "session=abc") + count_lines(SHIPOPT_LOG_DEBUG, "t0"),
			0);
		assert_int_equal(count_lines(SHIPOPT_LOG_WARNING, ""), 0);
		close_carrier();
		script_server_stop(server);
	}
}

/* --- time --- */

/* A call that is never answered: how long it takes to its end. */
static int64_t time_call(const shipopt_call_config *config)
{
	shipopt_op *op;
	int64_t begun_us = clock_now_us();
	assert_int_equal(shipopt_carrier_call(carrier, "GET", "/silent", NULL, config, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, WAIT_MS), SHIPOPT_ETIMEDOUT);
	shipopt_op_unref(op);
	return (clock_now_us() - begun_us) / 1000;
}

static void timeout_ms_bounds_one_request_and_call_timeout_ms_the_whole_call(void **state)
{
	static const char *const requests[][2] = {{"timeout_ms", "200"}, {"attempts_max", "3"}, {"retry_base_ms", "1"},
		{NULL, NULL}};
	static const char *const calls[][2] = {{"timeout_ms", "200"}, {"attempts_max", "100"}, {"retry_base_ms", "1"},
		{"breaker_window", "1000"}, {"call_timeout_ms", "700"}, {NULL, NULL}};
	shipopt_call_config *config;
	struct script_server *server = open_scripted(requests);
	int64_t took_ms = time_call(NULL);
	assert_true(took_ms >= 595);
	assert_int_equal(script_server_requests(server, "/v2/silent"), 3);
	await_line(SHIPOPT_LOG_WARNING, "carrier: answer lost: GET ");
	/* One call with a limit of its own. */
	assert_int_equal(shipopt_call_config_new(&config), 0);
	assert_int_equal(shipopt_call_config_set_int(config, SHIPOPT_CALL_CALL_TIMEOUT_MS, 100), 0);
	took_ms = time_call(config);
	assert_true(took_ms >= 95);
	assert_int_equal(script_server_requests(server, "/v2/silent"), 4);
	shipopt_call_config_free(config);
	close_carrier();
	script_server_stop(server);
	/* All calls of a client. */
	server = open_scripted(calls);
	took_ms = time_call(NULL);
	assert_true(took_ms >= 695);
	unsigned sent = script_server_requests(server, "/v2/silent");
	assert_true(sent >= 2 && sent <= 5);
	close_carrier();
	script_server_stop(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_to_a_refused_port_is_logged_while_it_is_retried),
		cmocka_unit_test(a_run_to_a_refused_port_is_logged_while_it_waits),
		cmocka_unit_test(each_request_is_a_line_and_headers_are_traced_on_demand),
		cmocka_unit_test(timeout_ms_bounds_one_request_and_call_timeout_ms_the_whole_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
