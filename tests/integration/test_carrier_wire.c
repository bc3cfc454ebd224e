/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "carrier/exchange.h"
#include "certificates.h"
#include "sandbox_process.h"
#include "script_server.h"

/* Calls of the carrier client over connections that misbehave, and over none. */

#define JSON_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define SHIPMENT JSON_HEAD "Content-Length: 44\r\n\r\n{\"id\":\"shp_1\",\"reference\":\"ours\",\"rates\":[]}"
#define TRACKER JSON_HEAD "Content-Length: 38\r\n\r\n{\"id\":\"trk_1\",\"tracking_code\":\"CODE1\"}"
#define CLOSING "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 14\r\n\r\n{\"id\":\"shp_2\"}"
#define DESCRIPTORS_MAX 512
#define STORM 40
#define WAIT_MS 60000

/* Each gives the same object, whichever was asked for. */
static const struct script scripts[] = {
	{"/v2/shipments/shp_1", {{SCRIPT_SEND, SHIPMENT}}},
	{"/v2/shipments/ours", {{SCRIPT_SEND, SHIPMENT}}},
	{"/v2/shipments/shp_9", {{SCRIPT_SEND, SHIPMENT}}},
	{"/v2/shipments/shp_1/rerate", {{SCRIPT_SEND, SHIPMENT}}},
	{"/v2/shipments/shp_9/rerate", {{SCRIPT_SEND, SHIPMENT}}},
	{"/v2/shipments/shp_1/refund", {{SCRIPT_SEND, SHIPMENT}}},
	{"/v2/shipments/shp_9/refund", {{SCRIPT_SEND, SHIPMENT}}},
	{"/v2/shipments/shp_1/buy", {{SCRIPT_SEND, SHIPMENT}}},
	{"/v2/shipments/shp_9/buy", {{SCRIPT_SEND, SHIPMENT}}},
	{"/v2/trackers/trk_1", {{SCRIPT_SEND, TRACKER}}},
	{"/v2/trackers/CODE1", {{SCRIPT_SEND, TRACKER}}},
	{"/v2/trackers/trk_9", {{SCRIPT_SEND, TRACKER}}},
	{"/v2/shipments/shp_2", {{SCRIPT_SEND, CLOSING}}},
};

static shipopt_runtime *runtime;
static shipopt_carrier *carrier;

static void open_carrier(const char *base_url, const char *attempts_max)
{
	shipopt_carrier_config *config;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	assert_int_equal(shipopt_carrier_config_new(&config), 0);
	assert_int_equal(shipopt_carrier_config_set(config, "api_key", "EZTKtest"), 0);
	assert_int_equal(shipopt_carrier_config_set(config, "base_url", base_url), 0);
	assert_int_equal(shipopt_carrier_config_set(config, "attempts_max", attempts_max), 0);
	assert_int_equal(shipopt_carrier_config_set(config, "breaker_window", "10"), 0);
	if (shipopt_carrier_new(runtime, config, &carrier, &error) < 0)
		fail_msg("%s", shipopt_error_message(error));
	shipopt_carrier_config_free(config);
}

static void close_carrier(void)
{
	shipopt_carrier_free(carrier);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void open_scripted(struct script_server **ret_server, const char *attempts_max)
{
	char url[64];
	assert_int_equal(script_server_start(scripts, ARRAY_SIZE(scripts), NULL, NULL, ret_server), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v2", script_server_port(*ret_server));
	open_carrier(url, attempts_max);
}

static int64_t stat_of(int stat)
{
	int64_t value;
	assert_int_equal(shipopt_carrier_stat(carrier, stat, &value), 0);
	return value;
}

/* --- whose answer it is --- */

enum typed { RETRIEVE, RERATE, REFUND, BUY, TRACKER_RETRIEVE };

static int start_typed(enum typed what, const char *id, shipopt_op **ret_op)
{
	switch (what) {
	case RETRIEVE: return shipopt_carrier_shipment_retrieve(carrier, id, NULL, NULL, ret_op);
	case RERATE: return shipopt_carrier_shipment_rerate(carrier, id, NULL, NULL, ret_op);
	case REFUND: return shipopt_carrier_shipment_refund(carrier, id, NULL, NULL, ret_op);
	case BUY: return shipopt_carrier_shipment_buy(carrier, id, "rate_1", -1, NULL, NULL, ret_op);
	default: return shipopt_carrier_tracker_retrieve(carrier, id, NULL, NULL, ret_op);
	}
}

static void an_answer_about_another_object_is_refused_and_both_are_named(void **state)
{
	static const struct {
		enum typed what;
		const char *id, *other;
		int status; /* with the other */
	} cases[] = {{RETRIEVE, "shp_1", "shp_9", SHIPOPT_EPROTOCOL}, {RETRIEVE, "ours", "shp_9", SHIPOPT_EPROTOCOL},
		{RERATE, "shp_1", "shp_9", SHIPOPT_EPROTOCOL}, {REFUND, "shp_1", "shp_9", SHIPOPT_EINDOUBT},
		{BUY, "shp_1", "shp_9", SHIPOPT_EINDOUBT}, {TRACKER_RETRIEVE, "trk_1", "trk_9", SHIPOPT_EPROTOCOL},
		{TRACKER_RETRIEVE, "CODE1", "trk_9", SHIPOPT_EPROTOCOL}};
	struct script_server *server;
	open_scripted(&server, "1");
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		bool is_other = i % 2;
		const char *asked = is_other ? cases[i / 2].other : cases[i / 2].id;
		shipopt_op *op;
		assert_int_equal(start_typed(cases[i / 2].what, asked, &op), 0);
		int status = shipopt_op_wait(op, WAIT_MS);
		const char *message = shipopt_error_message(shipopt_op_error(op));
		if (status != (is_other ? cases[i / 2].status : 0))
			fail_msg("%s: %s, %s", asked, shipopt_error_name(status), message);
		assert_int_equal(shipopt_op_record(op) == NULL, is_other);
		assert_int_equal(shipopt_op_json(op) == NULL, is_other);
		if (is_other) {
			assert_non_null(strstr(message, "_1\", while"));
			assert_non_null(strstr(message, cases[i / 2].other));
		}
		shipopt_op_unref(op);
	}
	close_carrier();
	script_server_stop(server);
}

/* Writes into the connection between the head and the body of a request: stands in front of the system's, also for
 * libcurl. */
static struct {
	atomic_int port; /* of the peer; 0: nothing happens */
	int peer_fd;
	const char *bytes;
} injection;

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	static ssize_t (*system_function)(int, const void *, size_t, int);
	if (!system_function)
		*(void **)&system_function = dlsym(RTLD_NEXT, "send");
	ssize_t sent = system_function(fd, bytes, length, flags);
	struct sockaddr_in peer = {0};
	socklen_t size = sizeof(peer);
	int port = atomic_load(&injection.port);
	if (port == 0 || getpeername(fd, (struct sockaddr *)&peer, &size) < 0 || ntohs(peer.sin_port) != port)
		return sent;
	struct pollfd entry = {.fd = fd, .events = POLLIN};
	atomic_store(&injection.port, 0);
	ssize_t injected = system_function(injection.peer_fd, injection.bytes, strlen(injection.bytes), MSG_NOSIGNAL);
	if (injected < 0 || poll(&entry, 1, WAIT_MS) != 1)
		abort();
	return sent;
}

static void an_answer_that_came_before_the_purchase_was_sent_decides_nothing(void **state)
{
	static const char *const early[] = {SHIPMENT,
		"HTTP/1.1 422 No\r\nContent-Length: 45\r\n\r\n{\"error\":{\"code\":\"SHIPMENT.POSTAGE.FAILURE\"}}",
		"HTTP/1.1 429 No\r\nContent-Length: 33\r\n\r\n{\"error\":{\"code\":\"RATE_LIMITED\"}}"};
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	char url[64];
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(listener, 4), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v2", ntohs(address.sin_port));
	for (size_t i = 0; i < ARRAY_SIZE(early); i++) {
		shipopt_op *op;
		open_carrier(url, "4");
		assert_int_equal(shipopt_carrier_shipment_retrieve(carrier, "shp_1", NULL, NULL, &op), 0);
		injection.peer_fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		injection.bytes = early[i];
		assert_int_equal(send(injection.peer_fd, SHIPMENT, strlen(SHIPMENT), MSG_NOSIGNAL), strlen(SHIPMENT));
		assert_int_equal(shipopt_op_wait(op, WAIT_MS), 0);
		shipopt_op_unref(op);
		atomic_store(&injection.port, ntohs(address.sin_port));
		assert_int_equal(shipopt_carrier_shipment_buy(carrier, "shp_1", "rate_1", -1, NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, WAIT_MS), SHIPOPT_EINDOUBT);
		assert_int_equal(atomic_load(&injection.port), 0);
		assert_null(shipopt_op_record(op));
		assert_null(shipopt_error_carrier_code(shipopt_op_error(op)));
		assert_non_null(
			strstr(shipopt_error_message(shipopt_op_error(op)), "before the request was sent whole"));
		shipopt_op_unref(op);
		close_carrier();
		close(injection.peer_fd);
	}
	close(listener);
}

/* The sandbox's TLS is GnuTLS, whose session tickets also come with the handshake. */
static void the_connection_to_another_tls_library_is_kept(void **state)
{
	struct certificates certificates;
	struct sandbox sandbox;
	char url[128];
	assert_int_equal(certificates_make(&certificates), 0);
	const char *options[] = {"--tls", certificates.good, certificates.key, NULL};
	assert_int_equal(sandbox_start(&sandbox, options), 0);
	snprintf(url, sizeof(url), "%s/v2", sandbox.url);
	setenv("SSL_CERT_FILE", certificates.ca, 1);
	open_carrier(url, "1");
	unsetenv("SSL_CERT_FILE");
	for (int i = 0; i < STORM; i++) {
		shipopt_op *op;
		assert_int_equal(shipopt_carrier_shipment_retrieve(carrier, "shp_none", NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, WAIT_MS), SHIPOPT_ENOTFOUND);
		shipopt_op_unref(op);
	}
	assert_int_equal(stat_of(SHIPOPT_CARRIER_STAT_CONNECTIONS_OPENED), 1);
	close_carrier();
	assert_int_equal(sandbox_stop(&sandbox), 0);
	certificates_remove(&certificates);
}

/* --- no descriptors --- */

static size_t take_descriptors(int *fds)
{
	size_t count = 0;
	while ((fds[count] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
		assert_true(++count < DESCRIPTORS_MAX);
	assert_int_equal(errno, EMFILE);
	return count;
}

static void release_descriptors(int *fds, size_t count)
{
	while (count > 0)
		close(fds[--count]);
}

static void a_lack_of_descriptors_is_not_held_against_the_carrier(void **state)
{
	int fds[DESCRIPTORS_MAX];
	shipopt_op *ops[STORM];
	struct sandbox sandbox;
	char url[128];
	size_t done = 0;
	assert_int_equal(sandbox_start(&sandbox, NULL), 0);
	snprintf(url, sizeof(url), "%s/v2", sandbox.url);
	open_carrier(url, "3");
	assert_int_equal(shipopt_carrier_shipment_retrieve(carrier, "shp_none", NULL, NULL, &ops[0]), 0);
	assert_int_equal(shipopt_op_wait(ops[0], WAIT_MS), SHIPOPT_ENOTFOUND);
	shipopt_op_unref(ops[0]);
	int64_t limit = stat_of(SHIPOPT_CARRIER_STAT_LIMIT);
	size_t count = take_descriptors(fds);
	for (size_t i = 0; i < STORM; i++)
		assert_int_equal(shipopt_carrier_shipment_retrieve(carrier, "shp_none", NULL, NULL, &ops[i]), 0);
	for (size_t i = 0; i < STORM; i++) {
		int status = shipopt_op_wait(ops[i], WAIT_MS);
		const char *message = shipopt_error_message(shipopt_op_error(ops[i]));
		if (status != SHIPOPT_ENOTFOUND && (status != SHIPOPT_EIO || !strstr(message, "Too many open files")))
			fail_msg("%s: %s", shipopt_error_name(status), message);
		done += status == SHIPOPT_ENOTFOUND;
		shipopt_op_unref(ops[i]);
	}
	release_descriptors(fds, count);
	assert_true(done > 0); /* over the one connection there is */
	assert_int_equal(stat_of(SHIPOPT_CARRIER_STAT_BREAKER_OPENED), 0);
	assert_true(stat_of(SHIPOPT_CARRIER_STAT_LIMIT) >= limit);
	close_carrier();
	assert_int_equal(sandbox_stop(&sandbox), 0);
}

static struct exchange patient;
static sem_t patient_done;

static void on_patient_done(struct exchange *exchange)
{
	sem_post(&patient_done);
}

static void start_patient(void *argument)
{
	exchange_init(&patient);
	assert_int_equal(carrier->provider->retrieve_shipment(&patient.call, "shp_1"), 0);
	patient.done = on_patient_done;
	patient.patient = true;
	patient.deadline_us = clock_now_us() + *(const int64_t *)argument;
	assert_int_equal(exchange_start(carrier, &patient), 0);
}

static void the_patient_wait_for_a_descriptor_until_their_deadline(void **state)
{
	int fds[DESCRIPTORS_MAX];
	int64_t long_us = (int64_t)WAIT_MS * 1000, short_us = 300000;
	struct script_server *server;
	shipopt_op *op;
	open_scripted(&server, "1");
	assert_int_equal(sem_init(&patient_done, 0, 0), 0);
	assert_int_equal(shipopt_carrier_shipment_retrieve(carrier, "shp_2", NULL, NULL, &op),
		0); /* the connection is not kept */
	assert_int_equal(shipopt_op_wait(op, WAIT_MS), 0);
	shipopt_op_unref(op);
	size_t count = take_descriptors(fds);

	runtime_call(carrier->reactor, start_patient, &short_us);
	sem_wait(&patient_done);
	assert_int_equal(patient.status, SHIPOPT_EIO);
	assert_false(patient.maybe_sent);
	assert_true(patient.attempts > 1);
	assert_non_null(strstr(shipopt_error_message(patient.error), "Too many open files; raise the limit"));
	exchange_clear(&patient);

	int64_t retries = stat_of(SHIPOPT_CARRIER_STAT_RETRIES);
	runtime_call(carrier->reactor, start_patient, &long_us);
	while (stat_of(SHIPOPT_CARRIER_STAT_RETRIES) < retries + 2)
		sched_yield();
	release_descriptors(fds, count);
	sem_wait(&patient_done);
	assert_int_equal(patient.status, 0);
	assert_true(patient.was_handed_over);
	exchange_clear(&patient);
	sem_destroy(&patient_done);
	close_carrier();
	script_server_stop(server);
}

static int group_set_up(void **state)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = DESCRIPTORS_MAX / 2;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_about_another_object_is_refused_and_both_are_named),
		cmocka_unit_test(an_answer_that_came_before_the_purchase_was_sent_decides_nothing),
		cmocka_unit_test(the_connection_to_another_tls_library_is_kept),
		cmocka_unit_test(a_lack_of_descriptors_is_not_held_against_the_carrier),
		cmocka_unit_test(the_patient_wait_for_a_descriptor_until_their_deadline),
	};
	return cmocka_run_group_tests(tests, group_set_up, NULL);
}
