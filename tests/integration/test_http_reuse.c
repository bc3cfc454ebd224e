/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "certificates.h"
#include "http/http.h"
#include "script_server.h"

/* Kept-alive connections: what may wait on them, when an answer is the request's own, and what they cost in
 * descriptors. */

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
#define OK OK_HEAD "{}"
#define STALE "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstale"
#define TIMEOUT "HTTP/1.1 408 Request Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#define PATIENCE_MS 60000
#define DESCRIPTORS_MAX 512
#define SEQUENCE 50
#define LARGE_BYTES ((size_t)16 << 20) /* more than the buffers of two sockets */

/* What comes after GATHER comes once a second connection has asked for the same. */
static const struct script scripts[] = {
	{"/ok", {{SCRIPT_SEND, OK}}},
	{"/interim", {{SCRIPT_SEND, "HTTP/1.1 103 Early Hints\r\n\r\n" OK}}},
	{"/second", {{SCRIPT_SEND, OK}, {SCRIPT_GATHER, .count = 2}, {SCRIPT_SEND, STALE}}},
	{"/timeout", {{SCRIPT_SEND, OK}, {SCRIPT_GATHER, .count = 2}, {SCRIPT_SEND, TIMEOUT}, {SCRIPT_CLOSE}}},
	{"/half", {{SCRIPT_SEND, OK}, {SCRIPT_GATHER, .count = 2}, {SCRIPT_SEND, "H"}}},
	{"/close", {{SCRIPT_SEND, OK}, {SCRIPT_GATHER, .count = 2}, {SCRIPT_CLOSE}}},
	{"/reset", {{SCRIPT_SEND, OK}, {SCRIPT_GATHER, .count = 2}, {SCRIPT_RESET}}},
	{"/ticket", {{SCRIPT_SEND, OK}, {SCRIPT_GATHER, .count = 2}, {SCRIPT_TICKET}}},
	{"/record", {{SCRIPT_SEND, OK_HEAD}, {SCRIPT_SEND, "{}" STALE}}},
};

static struct certificates certificates;
static struct script_server *plain, *secure;
static struct reactor *reactor;
static struct http_engine *engine, *other;

struct exchange {
	struct http_request request;
	char url[128];
	int done;
};

static void on_done(struct http_request *request)
{
	CONTAINER_OF(request, struct exchange, request)->done++;
	reactor_wake(reactor);
}

static void prepare(struct exchange *exchange, struct script_server *server, const char *path, const char *body)
{
	*exchange = (struct exchange){.request = {.method = body ? "POST" : "GET",
					      .body = body,
					      .body_length = body ? strlen(body) : 0,
					      .send_once = body != NULL,
					      .timeout_ms = PATIENCE_MS,
					      .done = on_done}};
	snprintf(exchange->url, sizeof(exchange->url), "%s://127.0.0.1:%d%s", server == secure ? "https" : "http",
		script_server_port(server), path);
	exchange->request.url = exchange->url;
}

static void run(struct http_engine *by, struct exchange *exchange)
{
	assert_int_equal(http_send(by, &exchange->request), 0);
	while (!exchange->done)
		reactor_turn(reactor, -1);
}

static void expect_ok(struct exchange *exchange)
{
	const char *message = shipopt_error_message(exchange->request.error);
	if (exchange->request.status != 0 || exchange->request.http_status != 200 ||
		strcmp(buffer_text(&exchange->request.response), "{}") != 0 || !exchange->request.was_handed_over)
		fail_msg("%s: %s, HTTP %d, \"%s\", %s", exchange->url, shipopt_error_name(exchange->request.status),
			exchange->request.http_status, buffer_text(&exchange->request.response),
			message ? message : "");
	assert_int_equal(exchange->request.sent, HTTP_MAYBE_SENT);
	http_request_clear(&exchange->request);
}

static void run_ok(struct http_engine *by, struct script_server *server, const char *path, const char *body)
{
	struct exchange exchange;
	prepare(&exchange, server, path, body);
	run(by, &exchange);
	expect_ok(&exchange);
}

static uint64_t unclean_count(void)
{
	struct http_statistics statistics;
	http_engine_statistics(engine, &statistics);
	return statistics.connections_unclean;
}

/* The next of our sockets that is connected to the port, or -1. */
static int next_socket(int fd, int port)
{
	while (++fd < DESCRIPTORS_MAX) {
		struct sockaddr_in peer = {0};
		socklen_t size = sizeof(peer);
		if (getpeername(fd, (struct sockaddr *)&peer, &size) == 0 && ntohs(peer.sin_port) == port)
			return fd;
	}
	return -1;
}

static unsigned count_sockets(int port)
{
	unsigned count = 0;
	for (int fd = -1; (fd = next_socket(fd, port)) >= 0;)
		count++;
	return count;
}

/* Until something waits on all connections to the server. libcurl is not called meanwhile, and takes nothing. */
static void await_input(struct script_server *server)
{
	for (int fd = -1; (fd = next_socket(fd, script_server_port(server))) >= 0;) {
		struct pollfd entry = {.fd = fd, .events = POLLIN};
		assert_int_equal(poll(&entry, 1, PATIENCE_MS), 1);
	}
}

static void start_engines(void)
{
	const struct http_options options = {.ca_file = certificates.ca, .connect_timeout_ms = PATIENCE_MS};
	assert_int_equal(http_engine_new(reactor, &options, &engine, NULL), 0);
	assert_int_equal(http_engine_new(reactor, &options, &other, NULL), 0);
}

static void stop_engines(void)
{
	http_engine_free(engine);
	http_engine_free(other);
}

static int set_up(void **state)
{
	assert_int_equal(reactor_new(NULL, &reactor), 0);
	assert_int_equal(script_server_start(scripts, ARRAY_SIZE(scripts), NULL, NULL, &plain), 0);
	assert_int_equal(script_server_start(scripts, ARRAY_SIZE(scripts), certificates.good, certificates.key,
				 &secure),
		0);
	start_engines();
	return 0;
}

static int tear_down(void **state)
{
	stop_engines();
	reactor_free(reactor);
	script_server_stop(plain);
	script_server_stop(secure);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

/* --- what waits on an idle connection --- */

/* After the good answer to `path` something comes on the idle connection; the next request is not touched by it. */
static void expect_next_is_ok(struct script_server *server, const char *path, const char *body)
{
	stop_engines();
	start_engines();
	unsigned connections = script_server_connections(server), requests = script_server_requests(server, "/ok");
	run_ok(engine, server, path, NULL);
	run_ok(other, server, path, NULL); /* that is two */
	await_input(server);
	run_ok(engine, server, "/ok", body);
	assert_int_equal(script_server_connections(server), connections + 3);
	assert_int_equal(script_server_requests(server, "/ok"), requests + 1);
	/* The fresh connection is as good as any. */
	run_ok(engine, server, "/ok", body);
	assert_int_equal(script_server_connections(server), connections + 3);
	assert_true(unclean_count() <= 1);
}

static void what_waits_on_an_idle_connection_is_not_the_next_answer(void **state)
{
	static const char *const paths[] = {"/second", "/timeout", "/half", "/close", "/reset"};
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		expect_next_is_ok(plain, paths[i], NULL);
		expect_next_is_ok(plain, paths[i], "{\"rate\":1}");
		expect_next_is_ok(secure, paths[i], NULL);
		expect_next_is_ok(secure, paths[i], "{\"rate\":1}");
	}
}

/* Then nothing waits on the socket: OpenSSL has it. */
static void what_waits_inside_a_tls_record_is_not_the_next_answer(void **state)
{
	run_ok(engine, secure, "/record", NULL);
	run_ok(engine, secure, "/ok", "{\"rate\":1}");
	assert_int_equal(script_server_connections(secure), 2);
	assert_int_equal(script_server_requests(secure, "/ok"), 1);
}

static void a_cancel_while_the_connection_is_replaced_sent_nothing(void **state)
{
	struct exchange exchange;
	run_ok(engine, plain, "/second", NULL);
	run_ok(other, plain, "/second", NULL);
	await_input(plain);
	prepare(&exchange, plain, "/ok", "{}");
	assert_int_equal(http_send(engine, &exchange.request), 0);
	while (unclean_count() == 0)
		reactor_turn(reactor, 0);
	http_cancel(&exchange.request);
	while (!exchange.done)
		reactor_turn(reactor, -1);
	assert_int_equal(exchange.request.status, SHIPOPT_ECANCELED);
	assert_int_equal(exchange.request.sent, HTTP_NOT_SENT);
	http_request_clear(&exchange.request);
	assert_int_equal(script_server_requests(plain, "/ok"), 0);
}

static void session_tickets_cost_no_connection_unless_they_come_late(void **state)
{
	/* Those of the handshake come with the first answer. */
	for (int i = 0; i < SEQUENCE; i++)
		run_ok(engine, secure, "/ok", i % 2 ? "{}" : NULL);
	assert_int_equal(script_server_connections(secure), 1);
	assert_int_equal(unclean_count(), 0);
	expect_next_is_ok(secure, "/ticket", "{}");
}

/* --- whose answer it is --- */

/* A peer that the test plays itself, over its own end of the connection. */
struct peer {
	int listener, fd, port;
};

static void peer_open(struct peer *peer)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	*peer = (struct peer){.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .fd = -1};
	assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(peer->listener, 4), 0);
	assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &size), 0);
	peer->port = ntohs(address.sin_port);
}

static void peer_accept(struct peer *peer)
{
	while ((peer->fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
		reactor_turn(reactor, 1000);
}

static void peer_send(struct peer *peer, const char *bytes)
{
	assert_int_equal(send(peer->fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

static void peer_close(struct peer *peer)
{
	close(peer->fd);
	close(peer->listener);
}

static void prepare_peer(struct exchange *exchange, struct peer *peer, const char *body)
{
	prepare(exchange, plain, "/", body);
	snprintf(exchange->url, sizeof(exchange->url), "http://127.0.0.1:%d/", peer->port);
}

/* Between the head and the body of a request: stands in front of the system's, also for libcurl. */
static struct {
	struct peer *peer; /* NULL: nothing happens */
	const char *bytes;
} injection;

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	static ssize_t (*system_function)(int, const void *, size_t, int);
	if (!system_function)
		*(void **)&system_function = dlsym(RTLD_NEXT, "send");
	ssize_t sent = system_function(fd, bytes, length, flags);
	struct peer *peer = injection.peer;
	if (!peer || next_socket(fd - 1, peer->port) != fd)
		return sent;
	struct pollfd entry = {.fd = fd, .events = POLLIN};
	injection.peer = NULL;
	ssize_t injected = system_function(peer->fd, injection.bytes, strlen(injection.bytes), MSG_NOSIGNAL);
	if (injected < 0 || poll(&entry, 1, PATIENCE_MS) != 1)
		abort();
	return sent;
}

static void an_answer_to_a_whole_request_says_so(void **state)
{
	run_ok(engine, plain, "/ok", NULL);
	run_ok(engine, plain, "/ok", "{\"rate\":1}");
	run_ok(engine, secure, "/interim", "{\"rate\":1}");
	run_ok(engine, secure, "/interim", NULL);
	struct exchange exchange;
	prepare(&exchange, secure, "/ok", "{\"rate\":1}");
	exchange.request.send_once = false; /* then head and body leave together */
	run(engine, &exchange);
	expect_ok(&exchange);
}

static void an_answer_that_begins_before_the_body_was_sent_says_so(void **state)
{
	struct exchange exchange;
	struct peer peer;
	char *body = malloc(LARGE_BYTES + 1);
	memset(body, 'b', LARGE_BYTES);
	body[LARGE_BYTES] = '\0';
	peer_open(&peer);
	prepare_peer(&exchange, &peer, body);
	assert_int_equal(http_send(engine, &exchange.request), 0);
	peer_accept(&peer);
	peer_send(&peer, "HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\n{}"); /* and it reads nothing */
	while (!exchange.done)
		reactor_turn(reactor, -1);
	assert_int_equal(exchange.request.status, 0);
	assert_int_equal(exchange.request.http_status, 422);
	assert_int_equal(exchange.request.sent, HTTP_MAYBE_SENT);
	assert_false(exchange.request.was_handed_over);
	http_request_clear(&exchange.request);
	peer_close(&peer);
	free(body);
}

/* The connection was clean when it was examined. */
static void an_answer_that_comes_between_head_and_body_says_so(void **state)
{
	static const char *const early[] = {STALE, "HTTP/1.1 422 No\r\nContent-Length: 2\r\n\r\n{}"};
	for (size_t i = 0; i < ARRAY_SIZE(early); i++) {
		struct exchange exchange;
		struct peer peer;
		peer_open(&peer);
		prepare_peer(&exchange, &peer, NULL);
		assert_int_equal(http_send(engine, &exchange.request), 0);
		peer_accept(&peer);
		peer_send(&peer, OK);
		while (!exchange.done)
			reactor_turn(reactor, -1);
		expect_ok(&exchange);
		prepare_peer(&exchange, &peer, "{\"rate\":1}");
		injection.bytes = early[i];
		injection.peer = &peer;
		run(engine, &exchange);
		assert_null(injection.peer);
		assert_int_equal(exchange.request.status, 0);
		assert_false(exchange.request.was_handed_over);
		http_request_clear(&exchange.request);
		/* The true answer, should it come, meets no other request: the connection is closed. */
		assert_int_equal(count_sockets(peer.port), 0);
		peer_close(&peer);
	}
}

static void a_header_line_beyond_the_limit_is_too_large(void **state)
{
	struct script_server *server;
	struct exchange exchange;
	static const char head[] = "HTTP/1.1 200 OK\r\nX-Long: ";
	size_t length = 110000;
	char *bytes = malloc(length + 1);
	memset(bytes, 'x', length);
	memcpy(bytes, head, sizeof(head) - 1);
	memcpy(bytes + length - 4, "\r\n\r\n", 5);
	const struct script script = {"/line", {{SCRIPT_SEND, bytes}}};
	assert_int_equal(script_server_start(&script, 1, NULL, NULL, &server), 0);
	prepare(&exchange, server, "/line", "{}");
	run(engine, &exchange);
	assert_int_equal(exchange.request.status, SHIPOPT_ETOOLARGE);
	assert_int_equal(exchange.request.sent, HTTP_MAYBE_SENT);
	http_request_clear(&exchange.request);
	script_server_stop(server);
	free(bytes);
}

/* --- descriptors --- */

#ifdef __linux__
static void a_child_process_inherits_no_connection(void **state)
{
	char line[512], socket_name[64];
	unsigned lines = 0;
	run_ok(engine, plain, "/ok", NULL);
	run_ok(engine, secure, "/ok", NULL);
	struct stat status[2];
	assert_int_equal(fstat(next_socket(-1, script_server_port(plain)), &status[0]), 0);
	assert_int_equal(fstat(next_socket(-1, script_server_port(secure)), &status[1]), 0);
	FILE *child = popen("ls -l /proc/self/fd", "r");
	assert_non_null(child);
	while (fgets(line, sizeof(line), child)) {
		lines++;
		for (size_t i = 0; i < ARRAY_SIZE(status); i++) {
			snprintf(socket_name, sizeof(socket_name), "socket:[%llu]",
				(unsigned long long)status[i].st_ino);
			assert_null(strstr(line, socket_name));
		}
	}
	assert_int_equal(pclose(child), 0);
	assert_true(lines > 2);
}
#endif

/* Takes all descriptors; `fds` are given back by release_descriptors(). */
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

static void without_descriptors_nothing_is_sent_and_the_reason_is_told(void **state)
{
	static const char *const urls[] = {"http://127.0.0.1:%d/ok", "http://localhost:%d/ok",
		"http://carrier.invalid:%d/ok"};
	int fds[DESCRIPTORS_MAX];
	size_t count;
	run_ok(other, secure, "/ok", NULL);
	run_ok(engine, secure, "/ok", NULL); /* whose connection is kept */
	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		struct exchange exchange;
		prepare(&exchange, plain, "/ok", "{}");
		snprintf(exchange.url, sizeof(exchange.url), urls[i], script_server_port(plain));
		count = take_descriptors(fds);
		run(engine, &exchange);
		release_descriptors(fds, count);
		assert_int_equal(exchange.request.status, SHIPOPT_EIO);
		assert_int_equal(exchange.request.sent, HTTP_NOT_SENT);
		assert_non_null(
			strstr(shipopt_error_message(exchange.request.error), "Too many open files; raise the limit"));
		http_request_clear(&exchange.request);
	}
	assert_int_equal(script_server_requests(plain, NULL), 0);
	/* Connections that are there are used. */
	count = take_descriptors(fds);
	run_ok(engine, secure, "/ok", "{}");
	release_descriptors(fds, count);
	run_ok(engine, plain, "/ok", "{}");
}

static int group_set_up(void **state)
{
	struct rlimit limit;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = DESCRIPTORS_MAX / 2;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return certificates_make(&certificates);
}

static int group_tear_down(void **state)
{
	certificates_remove(&certificates);
	return 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_waits_on_an_idle_connection_is_not_the_next_answer),
		TEST(what_waits_inside_a_tls_record_is_not_the_next_answer),
		TEST(a_cancel_while_the_connection_is_replaced_sent_nothing),
		TEST(session_tickets_cost_no_connection_unless_they_come_late),
		TEST(an_answer_to_a_whole_request_says_so),
		TEST(an_answer_that_begins_before_the_body_was_sent_says_so),
		TEST(an_answer_that_comes_between_head_and_body_says_so),
		TEST(a_header_line_beyond_the_limit_is_too_large),
#ifdef __linux__
		TEST(a_child_process_inherits_no_connection),
#endif
		TEST(without_descriptors_nothing_is_sent_and_the_reason_is_told),
	};
	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
