/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "certificates.h"
#include "http/http.h"
#include "script_server.h"

#define AUTHORIZATION "Bearer EZTKsesame"
#define SECRET "sesame"
#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-ep-request-uuid: id-7\r\n\r\n"
#define OK OK_HEAD "{}"
#define TURN_US 2000000
#define PATIENCE_MS 60000 /* where a time limit is not what is looked at */
/* So many requests at once. */
#define FEW 16
#define HUNDREDS 258

/* "hello hello hello hello" through gzip */
static const char gzip_answer[] =
	"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 28\r\n\r\n"
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xcb\x48\xcd\xc9\xc9\x57\xc8\x40\x27\x01\xe3\x51\x3d\x8d\x17\x00\x00\x00";

/* What a proxy gets that is asked for http://target.invalid with the user below. */
#define PROXY_USER "me"
#define PROXY_PASSWORD "open " SECRET
#define PROXY_BASIC "bWU6b3BlbiBzZXNhbWU="
#define ECHO "{\"Bearer EZTKsesame\":\"\\u0045ZTKsesam%65\",\"RVpUS3Nlc2FtZTo=\":\"open sesame " PROXY_BASIC "\"}"
#define ECHO_LENGTH "95"
#define ECHO_BLANKED \
	"{\"Bearer **********\":\"*****************\",\"****************\":\"*********** ********************\"}"
#define ECHO_ANSWER                                                                                        \
	"HTTP/1.1 422 No\r\nx-ep-request-uuid: EZTKsesame/" PROXY_BASIC "\r\nContent-Length: " ECHO_LENGTH \
	"\r\n\r\n" ECHO

static const struct script scripts[] = {
	{"/echo", {{SCRIPT_SEND, ECHO_ANSWER}}},
	{"http://target.invalid/echo", {{SCRIPT_SEND, ECHO_ANSWER}}},
	{"target.invalid:443", {{SCRIPT_SEND, "HTTP/1.1 407 " PROXY_BASIC "\r\nContent-Length: 0\r\n\r\n"}}},
	{"/ok", {{SCRIPT_SEND, OK}}},
	{"/drop", {{SCRIPT_CLOSE}}},
	{"/reset", {{SCRIPT_RESET}}},
	{"/hold", {{SCRIPT_HOLD}}},
	{"/late", {{SCRIPT_WAIT, .ms = 20}, {SCRIPT_SEND, OK}}},
	{"/few", {{SCRIPT_GATHER, .count = FEW}, {SCRIPT_SEND, OK}}},
	{"/hundreds", {{SCRIPT_GATHER, .count = HUNDREDS}, {SCRIPT_SEND, OK}}},
	{"/cut", {{SCRIPT_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":"}, {SCRIPT_CLOSE}}},
	{"/cut-head", {{SCRIPT_SEND, "HTTP/1.1 200 OK\r\nContent-Le"}, {SCRIPT_CLOSE}}},
	{"/cut-chunk",
		{{SCRIPT_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"ha"}, {SCRIPT_CLOSE}}},
	{"/garbage", {{SCRIPT_SEND, "SSH-2.0-OpenSSH_9.2\r\n"}, {SCRIPT_CLOSE}}},
	{"/bad-gzip", {{SCRIPT_SEND, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\noops"}}},
	{"/chunked",
		{{SCRIPT_SEND,
			"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n2\r\n1}\r\n0\r\n\r\n"}}},
	{"/gzip", {{SCRIPT_SEND, gzip_answer, sizeof(gzip_answer) - 1}}},
	{"/seconds", {{SCRIPT_SEND, "HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"}}},
	{"/date",
		{{SCRIPT_SEND,
			"HTTP/1.1 503 Busy\r\nretry-after: Fri, 01 Jan 2100 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"}}},
	{"/past",
		{{SCRIPT_SEND,
			"HTTP/1.1 429 Too Many\r\nRetry-After:Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n"}}},
	{"/nonsense", {{SCRIPT_SEND, "HTTP/1.1 429 Too Many\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n"}}},
	{"/moved", {{SCRIPT_SEND, "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n"}}},
	{"/interim",
		{{SCRIPT_SEND, "HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\nx-ep-request-uuid: early\r\n\r\n" OK}}},
	{"/empty", {{SCRIPT_SEND, "HTTP/1.1 204 No Content\r\n\r\n"}}},
};

static struct certificates certificates;
static struct script_server *plain, *secure;
static struct reactor *reactor;
static struct http_engine *engine;

struct exchange {
	struct http_request request;
	char url[256];
	int done;
};

static void on_done(struct http_request *request)
{
	CONTAINER_OF(request, struct exchange, request)->done++;
	/* What follows in this turn is a wait; the test has seen enough. */
	reactor_wake(reactor);
}

static void prepare(struct exchange *exchange, struct script_server *server, const char *method, const char *path,
	const char *body, bool send_once)
{
	*exchange = (struct exchange){.request = {.method = method,
					      .authorization = AUTHORIZATION,
					      .body = body,
					      .body_length = body ? strlen(body) : 0,
					      .send_once = send_once,
					      .timeout_ms = PATIENCE_MS,
					      .done = on_done}};
	snprintf(exchange->url, sizeof(exchange->url), "%s://localhost:%d%s", server == secure ? "https" : "http",
		script_server_port(server), path);
	exchange->request.url = exchange->url;
}

static void finish(struct exchange *exchange)
{
	while (!exchange->done)
		reactor_turn(reactor, TURN_US);
	assert_int_equal(exchange->done, 1);
	assert_null(exchange->request.transfer);
	const char *message = shipopt_error_message(exchange->request.error);
	assert_true((exchange->request.status == 0) == (message == NULL));
	if (message && strstr(message, SECRET))
		fail_msg("a credential in \"%s\"", message);
}

static void run(struct exchange *exchange)
{
	assert_int_equal(http_send(engine, &exchange->request), 0);
	assert_int_equal(exchange->done, 0);
	finish(exchange);
}

static void expect(struct exchange *exchange, int status, enum http_sent sent, const char *part)
{
	const char *message = shipopt_error_message(exchange->request.error);
	if (exchange->request.status != status || exchange->request.sent != sent ||
		(part && (!message || !strstr(message, part))))
		fail_msg("%s: status %s, sent %d, \"%s\"", exchange->url, shipopt_error_name(exchange->request.status),
			exchange->request.sent, message ? message : "");
	http_request_clear(&exchange->request);
}

static void engine_start(const struct http_options *options)
{
	shipopt_error *error = NULL;
	if (http_engine_new(reactor, options, &engine, &error) < 0)
		fail_msg("%s", shipopt_error_message(error));
}

/* --- a resolver that can be made to hang: stands in front of the system's, also for libcurl --- */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool hangs;
	unsigned waiting;
} resolver = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
	static int (*system_function)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	pthread_mutex_lock(&resolver.lock);
	if (!system_function)
		*(void **)&system_function = dlsym(RTLD_NEXT, "getaddrinfo");
	resolver.waiting += resolver.hangs;
	bool hung = resolver.hangs;
	while (resolver.hangs)
		pthread_cond_wait(&resolver.changed, &resolver.lock);
	pthread_mutex_unlock(&resolver.lock);
	return hung ? EAI_AGAIN : system_function(node, service, hints, ret_list);
}

static void resolver_hang(bool hangs)
{
	pthread_mutex_lock(&resolver.lock);
	resolver.hangs = hangs;
	resolver.waiting = 0;
	pthread_cond_broadcast(&resolver.changed);
	pthread_mutex_unlock(&resolver.lock);
}

static bool resolver_is_waited_for(void)
{
	pthread_mutex_lock(&resolver.lock);
	bool is = resolver.waiting > 0;
	pthread_mutex_unlock(&resolver.lock);
	return is;
}

static int set_up(void **state)
{
	const struct http_options options = {.ca_file = certificates.ca, .connect_timeout_ms = PATIENCE_MS};
	assert_int_equal(reactor_new(NULL, &reactor), 0);
	assert_int_equal(script_server_start(scripts, ARRAY_SIZE(scripts), NULL, NULL, &plain), 0);
	assert_int_equal(script_server_start(scripts, ARRAY_SIZE(scripts), certificates.good, certificates.key,
				 &secure),
		0);
	engine_start(&options);
	return 0;
}

static int tear_down(void **state)
{
	struct http_statistics statistics;
	http_engine_statistics(engine, &statistics);
	assert_int_equal(statistics.in_flight, 0);
	http_engine_free(engine);
	reactor_free(reactor);
	script_server_stop(plain);
	script_server_stop(secure);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

/* --- answers --- */

static void an_answer_is_read_whole_with_its_request_id(void **state)
{
	struct script_server *servers[] = {plain, secure};
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		struct exchange exchange;
		prepare(&exchange, servers[i], "GET", "/ok", NULL, false);
		run(&exchange);
		assert_int_equal(exchange.request.http_status, 200);
		assert_string_equal(buffer_text(&exchange.request.response), "{}");
		assert_string_equal(exchange.request.request_id, "id-7");
		assert_int_equal(exchange.request.retry_after_ms, -1);
		assert_true(exchange.request.duration_us > 0);
		expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	}
}

static void answers_may_be_chunked_compressed_or_empty(void **state)
{
	static const struct {
		const char *path, *body;
		int http_status;
	} cases[] = {{"/chunked", "{\"a\":1}", 201}, {"/gzip", "hello hello hello hello", 200}, {"/empty", "", 204}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct exchange exchange;
		prepare(&exchange, plain, "GET", cases[i].path, NULL, false);
		run(&exchange);
		assert_int_equal(exchange.request.http_status, cases[i].http_status);
		assert_string_equal(buffer_text(&exchange.request.response), cases[i].body);
		expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	}
}

static void retry_after_is_read_in_both_forms(void **state)
{
	static const struct {
		const char *path;
		int64_t ms;
	} cases[] = {{"/seconds", 3000}, {"/past", 0}, {"/nonsense", -1}, {"/interim", -1}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct exchange exchange;
		prepare(&exchange, plain, "GET", cases[i].path, NULL, false);
		run(&exchange);
		assert_int_equal(exchange.request.retry_after_ms, cases[i].ms);
		assert_string_not_equal(exchange.request.request_id, "early");
		expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	}
	struct exchange far;
	prepare(&far, plain, "GET", "/date", NULL, false);
	run(&far);
	assert_true(far.request.retry_after_ms > INT64_C(86400000));
	expect(&far, 0, HTTP_MAYBE_SENT, NULL);
}

static void check_echo(const struct exchange *exchange)
{
	assert_int_equal(exchange->request.status, 0);
	assert_int_equal(exchange->request.http_status, 422);
	assert_int_equal(exchange->request.response.length, strlen(ECHO_BLANKED));
	assert_string_equal(buffer_text(&exchange->request.response), ECHO_BLANKED);
	assert_string_equal(exchange->request.request_id, "**********/********************");
}

/* The engine of the proxy's user, on the plain server. */
static void start_behind_proxy(const char *scheme, int port)
{
	char proxy[128];
	const struct http_options options = {.ca_file = certificates.ca,
		.connect_timeout_ms = PATIENCE_MS,
		.proxy = proxy};
	snprintf(proxy, sizeof(proxy), "%s" PROXY_USER ":open%%20" SECRET "@127.0.0.1:%d", scheme, port);
	http_engine_free(engine);
	engine_start(&options);
}

static void credentials_that_come_back_are_blanked_in_body_and_headers(void **state)
{
	struct exchange exchange;
	struct secret_forms forms;
	char head[1024];
	secret_forms_init(&forms, SECRET_DATA_BYTES_MIN);
	assert_int_equal(secret_forms_add(&forms, "EZTKsesame"), 0);
	assert_int_equal(secret_forms_add_basic(&forms, "EZTKsesame", ""), 0);
	assert_int_equal(strlen(ECHO), atoi(ECHO_LENGTH));
	start_behind_proxy("", script_server_port(plain));
	prepare(&exchange, plain, "POST", "/echo", "{}", true);
	exchange.request.secrets = &forms;
	snprintf(exchange.url, sizeof(exchange.url), "http://target.invalid/echo");
	run(&exchange);
	check_echo(&exchange);
	http_request_clear(&exchange.request);
	script_server_last(plain, head, sizeof(head));
	assert_non_null(strstr(head, "Proxy-Authorization: Basic " PROXY_BASIC "\r\n"));
	secret_forms_done(&forms);
}

/* --- a tunnel: one thread for all of its connections, which come one after another --- */

static struct {
	int listener, port, target;
	atomic_uint connects;
} tunnel;

static void tunnel_relay(int client, int server)
{
	struct pollfd fds[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
	char bytes[4096];
	while (poll(fds, 2, -1) > 0) {
		for (int i = 0; i < 2; i++) {
			ssize_t length = fds[i].revents ? read(fds[i].fd, bytes, sizeof(bytes)) : -1;
			if (fds[i].revents && (length <= 0 || write(fds[!i].fd, bytes, (size_t)length) != length))
				return;
		}
	}
}

static int tunnel_dial(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void *tunnel_main(void *argument)
{
	static const char answer[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	int client;
	while ((client = accept(tunnel.listener, NULL, NULL)) >= 0) {
		char head[2048] = "";
		for (size_t length = 0; length < sizeof(head) - 1 && !strstr(head, "\r\n\r\n"); length++)
			if (read(client, head + length, 1) != 1)
				break;
		if (strncmp(head, "CONNECT ", 8) == 0 && write(client, answer, sizeof(answer) - 1) > 0) {
			int server = tunnel_dial(tunnel.target);
			tunnel.connects++;
			tunnel_relay(client, server);
			close(server);
		}
		close(client);
	}
	return NULL;
}

static pthread_t tunnel_start(int target)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	pthread_t thread;
	tunnel.connects = 0;
	tunnel.target = target;
	tunnel.listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(tunnel.listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(tunnel.listener, 8), 0);
	assert_int_equal(getsockname(tunnel.listener, (struct sockaddr *)&address, &size), 0);
	tunnel.port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&thread, NULL, tunnel_main, NULL), 0);
	return thread;
}

static void a_connection_through_a_tunnel_is_used_again(void **state)
{
	char proxy[64];
	const struct http_options options = {.ca_file = certificates.ca,
		.connect_timeout_ms = PATIENCE_MS,
		.proxy = proxy};
	pthread_t thread = tunnel_start(script_server_port(secure));
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", tunnel.port);
	http_engine_free(engine);
	engine_start(&options);
	for (int i = 0; i < 3; i++) {
		struct exchange exchange;
		prepare(&exchange, secure, "POST", "/ok", "{}", true);
		run(&exchange);
		assert_true(exchange.request.was_handed_over);
		expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	}
	assert_int_equal(tunnel.connects, 1);
	/* The last connection ends with the engine. */
	http_engine_free(engine);
	engine_start(&(struct http_options){.ca_file = certificates.ca});
	shutdown(tunnel.listener, SHUT_RDWR);
	pthread_join(thread, NULL);
	close(tunnel.listener);
}

/* Whatever goes wrong between libcurl and the proxy; finish() looks for the password. */
static void errors_of_a_proxy_do_not_name_its_password(void **state)
{
	static const struct {
		const char *scheme, *url, *part;
	} cases[] = {
		{"", "https://target.invalid/", "407"}, /* a tunnel is refused */
		{"http://", "http://target.invalid/none", "Empty reply"},
		{"http://", "https://none.invalid/", ""},
	};
	static const char *const schemes[] = {"", "http://", "https://", "socks4://", "socks4a://", "socks5://",
		"socks5h://"};
	for (size_t i = 0; i < ARRAY_SIZE(cases) + ARRAY_SIZE(schemes); i++) {
		struct exchange exchange;
		bool is_there = i < ARRAY_SIZE(cases);
		if (is_there)
			start_behind_proxy(cases[i].scheme, script_server_port(plain));
		else
			start_behind_proxy(schemes[i - ARRAY_SIZE(cases)], 1); /* where nobody listens */
		prepare(&exchange, plain, "POST", "/", "{}", true);
		snprintf(exchange.url, sizeof(exchange.url), "%s", is_there ? cases[i].url : "http://target.invalid/");
		run(&exchange);
		assert_true(exchange.request.status < 0);
		assert_non_null(
			strstr(shipopt_error_message(exchange.request.error), is_there ? cases[i].part : "127.0.0.1"));
		http_request_clear(&exchange.request);
	}
}

static void a_redirect_is_an_answer_and_not_followed(void **state)
{
	struct exchange exchange;
	prepare(&exchange, plain, "GET", "/moved", NULL, false);
	run(&exchange);
	assert_int_equal(exchange.request.http_status, 302);
	assert_int_equal(script_server_requests(plain, NULL), 1);
	expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
}

/* --- requests --- */

static void requests_carry_a_length_and_neither_expect_nor_chunks(void **state)
{
	static const struct {
		const char *method, *body, *length;
	} cases[] = {{"POST", "{\"a\":1}", "Content-Length: 7\r\n"}, {"POST", NULL, "Content-Length: 0\r\n"},
		{"PUT", "{}", "Content-Length: 2\r\n"}, {"PUT", NULL, "Content-Length: 0\r\n"},
		{"PATCH", "{}", "Content-Length: 2\r\n"}, {"DELETE", "{}", "Content-Length: 2\r\n"},
		{"DELETE", NULL, NULL}, {"GET", NULL, NULL}};
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct exchange exchange;
		char text[8192], line[64];
		const char *body = cases[i / 2].body;
		prepare(&exchange, plain, cases[i / 2].method, "/ok?x[]=1", body, i % 2);
		run(&exchange);
		script_server_last(plain, text, sizeof(text));
		snprintf(line, sizeof(line), "%s /ok?x[]=1 HTTP/1.1\r\n", cases[i / 2].method);
		assert_true(strncmp(text, line, strlen(line)) == 0);
		assert_non_null(strstr(text, "\r\nAuthorization: " AUTHORIZATION "\r\n"));
		assert_non_null(strstr(text, "\r\nUser-Agent: libshipopt/"));
		assert_non_null(strstr(text, "\r\nAccept-Encoding: "));
		assert_null(strstr(text, "Expect"));
		assert_null(strstr(text, "chunked"));
		assert_true(!!strstr(text, "Content-Type: application/json\r\n") == (body != NULL));
		assert_true(!!strstr(text, "Content-Length") == !!cases[i / 2].length);
		if (cases[i / 2].length)
			assert_non_null(strstr(text, cases[i / 2].length));
		assert_string_equal(strstr(text, "\r\n\r\n") + 4, body ? body : "");
		expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	}
}

static void a_large_body_goes_through_once_and_whole(void **state)
{
	size_t length = 200000;
	char *body = malloc(length + 1), text[64];
	memset(body, 'b', length);
	body[length] = '\0';
	for (int i = 0; i < 2; i++) {
		struct exchange exchange;
		prepare(&exchange, i ? secure : plain, "POST", "/ok", body, true);
		run(&exchange);
		script_server_last(i ? secure : plain, text, sizeof(text));
		assert_true(strncmp(text, "POST /ok", 8) == 0);
		expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	}
	free(body);
}

static void what_cannot_be_sent_is_refused_at_once(void **state)
{
	struct exchange exchange;
	prepare(&exchange, plain, "BREW", "/ok", NULL, false);
	assert_int_equal(http_send(engine, &exchange.request), SHIPOPT_EINVAL);
	exchange.request.method = NULL;
	assert_int_equal(http_send(engine, &exchange.request), SHIPOPT_EINVAL);
	prepare(&exchange, plain, "GET", "/ok", "{}", false);
	assert_int_equal(http_send(engine, &exchange.request), SHIPOPT_EINVAL);
	prepare(&exchange, plain, "GET", "/ok", NULL, false);
	exchange.request.authorization = "Bearer x\r\nX-Evil: 1";
	assert_int_equal(http_send(engine, &exchange.request), SHIPOPT_EINVAL);
	exchange.request.authorization = NULL;
	exchange.request.url = "ftp://localhost/";
	assert_int_equal(http_send(engine, &exchange.request), SHIPOPT_EINVAL);
	http_cancel(&exchange.request);
	assert_int_equal(exchange.done, 0);
}

/* --- sent once --- */

/* A kept-alive connection to `server` exists; the next request on it is read and then answered with nothing. */
static void send_once_and_lose(struct script_server *server, const char *method, const char *body, const char *path)
{
	struct exchange exchange;
	unsigned before = script_server_requests(server, path);
	prepare(&exchange, server, "GET", "/ok", NULL, false);
	run(&exchange);
	expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	unsigned connections = script_server_connections(server);
	prepare(&exchange, server, method, path, body, true);
	run(&exchange);
	expect(&exchange, SHIPOPT_ENETWORK, HTTP_MAYBE_SENT, "sent once, not repeated");
	/* Without a body it took a fresh connection. With one it took the kept-alive one; libcurl opens another before
	 * it finds that it cannot rewind the body, and nothing is sent on it. */
	assert_true(script_server_connections(server) <= connections + 1);
	assert_int_equal(script_server_requests(server, path), before + 1);
}

static void a_purchase_is_on_the_wire_once_when_its_connection_dies(void **state)
{
	static const struct {
		const char *method, *body;
	} cases[] = {{"POST", "{\"rate\":1}"}, {"POST", NULL}, {"PUT", "{\"rate\":1}"}, {"PUT", NULL},
		{"PATCH", "{\"rate\":1}"}, {"PATCH", NULL}, {"DELETE", "{\"rate\":1}"}, {"DELETE", NULL}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		send_once_and_lose(plain, cases[i].method, cases[i].body, "/drop");
		send_once_and_lose(secure, cases[i].method, cases[i].body, "/drop");
		send_once_and_lose(plain, cases[i].method, cases[i].body, "/reset");
	}
	/* Nothing more arrives later either. */
	struct exchange exchange;
	prepare(&exchange, plain, "GET", "/late", NULL, false);
	run(&exchange);
	assert_int_equal(script_server_requests(plain, "/drop"), ARRAY_SIZE(cases));
	expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
}

static void without_send_once_libcurl_repeats_which_is_why_it_exists(void **state)
{
	struct exchange exchange;
	prepare(&exchange, plain, "GET", "/ok", NULL, false);
	run(&exchange);
	expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	prepare(&exchange, plain, "POST", "/drop", "{}", false);
	run(&exchange);
	assert_int_equal(script_server_requests(plain, "/drop"), 2);
	expect(&exchange, SHIPOPT_ENETWORK, HTTP_MAYBE_SENT, "may have reached the server");
}

/* --- failures --- */

static void broken_answers_are_told_apart(void **state)
{
	static const struct {
		const char *path;
		int status;
	} cases[] = {{"/drop", SHIPOPT_ENETWORK}, {"/reset", SHIPOPT_ENETWORK}, {"/cut", SHIPOPT_ENETWORK},
		{"/cut-head", SHIPOPT_ENETWORK}, {"/cut-chunk", SHIPOPT_ENETWORK}, {"/garbage", SHIPOPT_EPROTOCOL},
		{"/bad-gzip", SHIPOPT_EPROTOCOL}};
	for (size_t i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		struct exchange exchange;
		prepare(&exchange, i % 2 ? secure : plain, "POST", cases[i / 2].path, "{}", true);
		run(&exchange);
		assert_int_equal(exchange.request.response.length, 0);
		expect(&exchange, cases[i / 2].status, HTTP_MAYBE_SENT, "outcome is not known");
	}
}

static void a_cut_head_without_the_end_of_its_lines_is_not_an_answer(void **state)
{
	struct exchange exchange;
	prepare(&exchange, plain, "POST", "/cut-head", "{}", true);
	run(&exchange);
	assert_true(exchange.request.status < 0);
	http_request_clear(&exchange.request);
}

static void an_answer_beyond_its_limit_is_refused(void **state)
{
	static const char *const paths[] = {"/ok", "/chunked", "/gzip"};
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct exchange exchange;
		prepare(&exchange, plain, "GET", paths[i], NULL, false);
		exchange.request.response_limit = 1;
		run(&exchange);
		expect(&exchange, SHIPOPT_ETOOLARGE, HTTP_MAYBE_SENT, "limit of 1 bytes");
		/* The limit itself is allowed. */
		prepare(&exchange, plain, "GET", paths[i], NULL, false);
		exchange.request.response_limit = i == 2 ? 28 : i == 1 ? 7 : 2;
		run(&exchange);
		expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	}
}

static void a_refused_connection_sent_nothing(void **state)
{
	/* Bound, and nobody listens. */
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	struct exchange exchange;
	prepare(&exchange, plain, "POST", "/ok", "{}", true);
	snprintf(exchange.url, sizeof(exchange.url), "http://127.0.0.1:%d/v2/x?key=%s", ntohs(address.sin_port),
		SECRET);
	run(&exchange);
	expect(&exchange, SHIPOPT_ECONNECT, HTTP_NOT_SENT, "nothing was sent");
	close(fd);
}

static void an_unknown_host_sent_nothing(void **state)
{
	struct exchange exchange;
	prepare(&exchange, plain, "POST", "/ok", "{}", true);
	snprintf(exchange.url, sizeof(exchange.url), "http://nowhere.invalid/");
	run(&exchange);
	expect(&exchange, SHIPOPT_ECONNECT, HTTP_NOT_SENT, "nowhere.invalid");
}

/* The connection is taken by the system, but nobody answers the handshake. */
static void a_connect_timeout_sent_nothing(void **state)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	http_engine_free(engine);
	engine_start(&(struct http_options){.ca_file = certificates.ca, .connect_timeout_ms = 50});
	struct exchange exchange;
	prepare(&exchange, secure, "POST", "/ok", "{}", true);
	snprintf(exchange.url, sizeof(exchange.url), "https://127.0.0.1:%d/", ntohs(address.sin_port));
	run(&exchange);
	expect(&exchange, SHIPOPT_ECONNECT, HTTP_NOT_SENT, "nothing was sent");
	/* The total one, still while connecting. */
	exchange.done = 0;
	exchange.request.timeout_ms = 20;
	run(&exchange);
	expect(&exchange, SHIPOPT_ECONNECT, HTTP_NOT_SENT, "nothing was sent");
	close(fd);
}

static void a_timeout_after_sending_leaves_the_outcome_open(void **state)
{
	struct exchange exchange;
	prepare(&exchange, secure, "GET", "/ok", NULL, false); /* whose connection is there to be used again */
	run(&exchange);
	expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	prepare(&exchange, secure, "POST", "/hold", "{}", true);
	exchange.request.timeout_ms = 1000;
	run(&exchange);
	assert_true(exchange.request.duration_us >= 990000);
	assert_int_equal(script_server_requests(secure, "/hold"), 1);
	expect(&exchange, SHIPOPT_ETIMEDOUT, HTTP_MAYBE_SENT, "outcome is not known");
}

/* --- certificates --- */

static void expect_tls(const char *certificate, const char *ca, const char *part)
{
	struct script_server *server;
	assert_int_equal(script_server_start(scripts, ARRAY_SIZE(scripts), certificate, certificates.key, &server), 0);
	http_engine_free(engine);
	engine_start(&(struct http_options){.ca_file = ca});
	struct exchange exchange;
	prepare(&exchange, secure, "POST", "/ok", "{}", true);
	snprintf(exchange.url, sizeof(exchange.url), "https://127.0.0.1:%d/ok", script_server_port(server));
	run(&exchange);
	assert_int_equal(script_server_requests(server, NULL), 0);
	expect(&exchange, SHIPOPT_ETLS, HTTP_NOT_SENT, part);
	script_server_stop(server);
}

static void a_bad_certificate_is_named_and_nothing_is_sent(void **state)
{
	expect_tls(certificates.expired, certificates.ca, "certificate has expired");
	expect_tls(certificates.wrong_name, certificates.ca, "127.0.0.1'");
	expect_tls(certificates.good, certificates.other_ca, "unable to get local issuer certificate");
}

static void a_server_without_tls_is_sent_nothing(void **state)
{
	http_engine_free(engine);
	engine_start(&(struct http_options){.ca_file = certificates.ca, .connect_timeout_ms = 100});
	struct exchange exchange;
	prepare(&exchange, secure, "POST", "/ok", "{}", true);
	snprintf(exchange.url, sizeof(exchange.url), "https://127.0.0.1:%d/ok", script_server_port(plain));
	run(&exchange);
	assert_true(exchange.request.status == SHIPOPT_ETLS || exchange.request.status == SHIPOPT_ECONNECT);
	assert_int_equal(exchange.request.sent, HTTP_NOT_SENT);
	http_request_clear(&exchange.request);
}

static int64_t thread_cpu_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void append_file(FILE *to, const char *path)
{
	char bytes[4096];
	size_t length;
	FILE *from = fopen(path, "r");
	while (from && (length = fread(bytes, 1, sizeof(bytes), from)) > 0)
		assert_int_equal(fwrite(bytes, 1, length, to), length);
	if (from)
		fclose(from);
}

/* The system's bundle, where there is one, with the test authority behind it, as an operator would have it. */
static void write_large_bundle(char *path, size_t size)
{
	snprintf(path, size, "%s/bundle.pem", certificates.folder);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	append_file(file, "/etc/ssl/certs/ca-certificates.crt");
	append_file(file, certificates.ca);
	assert_int_equal(fclose(file), 0);
}

#define CONNECTS 12

static void a_second_verified_connection_costs_little(void **state)
{
	char path[256];
	write_large_bundle(path, sizeof(path));
	http_engine_free(engine);
	int64_t parse_us = -thread_cpu_us();
	engine_start(&(struct http_options){.ca_file = path});
	parse_us += thread_cpu_us();
	int64_t best_us = INT64_MAX;
	for (int i = 0; i < CONNECTS; i++) {
		struct exchange exchange;
		/* An empty body that may be sent once takes a fresh connection. */
		prepare(&exchange, secure, "POST", "/ok", NULL, true);
		int64_t before_us = thread_cpu_us();
		run(&exchange);
		if (i > 0)
			best_us = MIN(best_us, thread_cpu_us() - before_us);
		expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	}
	assert_int_equal(script_server_connections(secure), CONNECTS);
	struct http_statistics statistics;
	http_engine_statistics(engine, &statistics);
	print_message("bundle: %d us CPU; second verified connection: %d us; store %s\n", (int)parse_us, (int)best_us,
		statistics.certificate_cache_shared ? "shared" : "of libcurl");
	/* 2 ms on a machine that parses the bundle in 20; a busy or instrumented one is given its share more. */
	assert_true(best_us < 2000 * MAX(parse_us / 20000, 1));
	unlink(path);
}

static void a_missing_bundle_is_an_error_that_names_the_place(void **state)
{
	static const char *const files[] = {"/nonexistent/ca.pem", "/dev/null"};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct http_engine *none = NULL;
		shipopt_error *error = NULL;
		assert_int_equal(http_engine_new(reactor, &(struct http_options){.ca_file = files[i]}, &none, &error),
			SHIPOPT_ETLS);
		assert_null(none);
		assert_non_null(strstr(shipopt_error_message(error), files[i]));
		shipopt_error_unref(error);
		error = NULL;
		setenv("SSL_CERT_FILE", files[i], 1);
		assert_int_equal(http_engine_new(reactor, &(struct http_options){0}, &none, &error), SHIPOPT_ETLS);
		unsetenv("SSL_CERT_FILE");
		assert_non_null(strstr(shipopt_error_message(error), "SSL_CERT_FILE"));
		shipopt_error_unref(error);
	}
}

static void the_bundle_of_the_environment_is_used_without_a_setting(void **state)
{
	http_engine_free(engine);
	setenv("SSL_CERT_FILE", certificates.ca, 1);
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	engine_start(&(struct http_options){0});
	unsetenv("SSL_CERT_FILE");
	struct exchange exchange;
	prepare(&exchange, secure, "GET", "/ok", NULL, false);
	run(&exchange);
	unsetenv("https_proxy");
	expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
}

/* --- cancel --- */

static void a_cancel_before_sending_sent_nothing(void **state)
{
	struct exchange exchange;
	prepare(&exchange, secure, "POST", "/ok", "{}", true);
	assert_int_equal(http_send(engine, &exchange.request), 0);
	http_cancel(&exchange.request);
	http_cancel(&exchange.request);
	assert_int_equal(exchange.done, 0);
	finish(&exchange);
	expect(&exchange, SHIPOPT_ECANCELED, HTTP_NOT_SENT, "nothing was sent");
	assert_int_equal(script_server_requests(secure, NULL), 0);
	http_cancel(&exchange.request);
}

static void turn_until_seen(struct script_server *server, const char *path, unsigned count)
{
	while (script_server_requests(server, path) < count)
		reactor_turn(reactor, 1000);
}

static void a_name_that_is_not_resolved_holds_up_nobody(void **state)
{
	struct exchange canceled, late, other;
	resolver_hang(true);
	prepare(&canceled, plain, "POST", "/ok", "{}", true);
	snprintf(canceled.url, sizeof(canceled.url), "http://slow.example/");
	assert_int_equal(http_send(engine, &canceled.request), 0);
	while (!resolver_is_waited_for())
		reactor_turn(reactor, 1000);
	http_cancel(&canceled.request);
	finish(&canceled);
	expect(&canceled, SHIPOPT_ECANCELED, HTTP_NOT_SENT, "canceled");
	prepare(&late, plain, "POST", "/ok", "{}", true);
	late.request.timeout_ms = 20;
	snprintf(late.url, sizeof(late.url), "http://slow.example/");
	run(&late);
	expect(&late, SHIPOPT_ECONNECT, HTTP_NOT_SENT, "nothing was sent");
	/* An address needs no look-up. */
	prepare(&other, plain, "GET", "/ok", NULL, false);
	snprintf(other.url, sizeof(other.url), "http://127.0.0.1:%d/ok", script_server_port(plain));
	run(&other);
	expect(&other, 0, HTTP_MAYBE_SENT, NULL);
	resolver_hang(false);
}

static void a_cancel_after_sending_leaves_the_outcome_open(void **state)
{
	struct exchange exchange;
	prepare(&exchange, secure, "POST", "/hold", "{}", true);
	assert_int_equal(http_send(engine, &exchange.request), 0);
	turn_until_seen(secure, "/hold", 1);
	http_cancel(&exchange.request);
	assert_int_equal(exchange.done, 0);
	finish(&exchange);
	expect(&exchange, SHIPOPT_ECANCELED, HTTP_MAYBE_SENT, "outcome is not known");
}

static struct exchange chained;

static void on_done_then_chain(struct http_request *request)
{
	on_done(request);
	/* Everything is allowed inside `done`: send another, cancel others. */
	assert_int_equal(http_send(engine, &chained.request), 0);
	assert_int_equal(chained.done, 0);
}

static void a_done_callback_may_send_again(void **state)
{
	struct exchange exchange;
	prepare(&exchange, plain, "GET", "/ok", NULL, false);
	prepare(&chained, plain, "GET", "/gzip", NULL, false);
	exchange.request.done = on_done_then_chain;
	run(&exchange);
	finish(&chained);
	expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
	expect(&chained, 0, HTTP_MAYBE_SENT, NULL);
	/* The same struct, again. */
	prepare(&exchange, plain, "GET", "/ok", NULL, false);
	run(&exchange);
	expect(&exchange, 0, HTTP_MAYBE_SENT, NULL);
}

/* --- many --- */

#define MANY 300

static void many_requests_run_in_parallel_over_three_multis(void **state)
{
	static struct exchange many[MANY];
	struct http_statistics statistics;
	for (int i = 0; i < MANY; i++) {
		prepare(&many[i], i % 2 ? plain : secure, "POST", "/late", "{}", i % 3 == 0);
		assert_int_equal(http_send(engine, &many[i].request), 0);
	}
	http_engine_statistics(engine, &statistics);
	assert_int_equal(statistics.in_flight, MANY);
	for (int i = 0; i < MANY; i++) {
		finish(&many[i]);
		expect(&many[i], 0, HTTP_MAYBE_SENT, NULL);
	}
	http_engine_statistics(engine, &statistics);
	assert_int_equal(statistics.in_flight, 0);
	assert_int_equal(statistics.requests, MANY);
	assert_int_equal(statistics.connections_opened + statistics.connections_reused, MANY);
	assert_int_equal(script_server_requests(plain, "/late") + script_server_requests(secure, "/late"), MANY);
	assert_true(statistics.bytes_sent > MANY * 100 && statistics.bytes_received > MANY * 50);
}

static void a_bounded_number_of_connections_is_kept(void **state)
{
	http_engine_free(engine);
	engine_start(&(struct http_options){.ca_file = certificates.ca, .connections_max = 2});
	static struct exchange many[FEW];
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
			prepare(&many[i], plain, "GET", "/few", NULL, false);
			assert_int_equal(http_send(engine, &many[i].request), 0);
		}
		for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
			finish(&many[i]);
			expect(&many[i], 0, HTTP_MAYBE_SENT, NULL);
		}
	}
	/* At most two of the first round were still there. */
	assert_true(script_server_connections(plain) >= 2 * FEW - 2);
}

static void with_hundreds_in_flight_every_connection_is_kept(void **state)
{
	static struct exchange many[HUNDREDS];
	http_engine_free(engine);
	engine_start(&(struct http_options){.ca_file = certificates.ca, .connections_max = HUNDREDS});
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < HUNDREDS; i++) {
			prepare(&many[i], plain, "GET", "/hundreds", NULL, false);
			assert_int_equal(http_send(engine, &many[i].request), 0);
		}
		for (size_t i = 0; i < HUNDREDS; i++) {
			finish(&many[i]);
			expect(&many[i], 0, HTTP_MAYBE_SENT, NULL);
		}
	}
	assert_int_equal(script_server_connections(plain), HUNDREDS);
}

/* --- faults --- */

#ifdef SHIPOPT_FAULTS
static void one_engine_and_three_requests(void)
{
	struct http_options options = {.ca_file = certificates.ca, .proxy = ""};
	if (http_engine_new(reactor, &options, &engine, NULL) < 0)
		return;
	struct exchange exchanges[3];
	bool taken[3];
	for (int i = 0; i < 3; i++) {
		prepare(&exchanges[i], i % 2 ? secure : plain, i ? "POST" : "GET", i == 2 ? "/drop" : "/chunked",
			i ? "{\"a\":1}" : NULL, i == 2);
		taken[i] = http_send(engine, &exchanges[i].request) == 0;
	}
	for (int i = 0; i < 3; i++) {
		while (taken[i] && !exchanges[i].done)
			reactor_turn(reactor, TURN_US);
		if (taken[i] && i == 2)
			assert_true(exchanges[i].request.status < 0);
		http_request_clear(&exchanges[i].request);
	}
	http_engine_free(engine);
}

static void every_failing_call_is_survived_and_nothing_leaks(void **state)
{
	http_engine_free(engine);
	uint64_t live = mem_live_count();
	long point = 0;
	bool fired = true;
	for (; fired; point++) {
		fault_arm(point);
		one_engine_and_three_requests();
		fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(mem_live_count(), live);
	}
	print_message("%ld points failed in turn\n", point - 1);
	assert_true(point > 50);
	engine_start(&(struct http_options){.ca_file = certificates.ca});
}
#endif

static int group_set_up(void **state)
{
	return certificates_make(&certificates);
}

static int group_tear_down(void **state)
{
	certificates_remove(&certificates);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_answer_is_read_whole_with_its_request_id),
		TEST(answers_may_be_chunked_compressed_or_empty),
		TEST(retry_after_is_read_in_both_forms),
		TEST(credentials_that_come_back_are_blanked_in_body_and_headers),
		TEST(errors_of_a_proxy_do_not_name_its_password),
		TEST(a_connection_through_a_tunnel_is_used_again),
		TEST(a_redirect_is_an_answer_and_not_followed),
		TEST(requests_carry_a_length_and_neither_expect_nor_chunks),
		TEST(a_large_body_goes_through_once_and_whole),
		TEST(what_cannot_be_sent_is_refused_at_once),
		TEST(a_purchase_is_on_the_wire_once_when_its_connection_dies),
		TEST(without_send_once_libcurl_repeats_which_is_why_it_exists),
		TEST(broken_answers_are_told_apart),
		TEST(a_cut_head_without_the_end_of_its_lines_is_not_an_answer),
		TEST(an_answer_beyond_its_limit_is_refused),
		TEST(a_refused_connection_sent_nothing),
		TEST(an_unknown_host_sent_nothing),
		TEST(a_connect_timeout_sent_nothing),
		TEST(a_timeout_after_sending_leaves_the_outcome_open),
		TEST(a_bad_certificate_is_named_and_nothing_is_sent),
		TEST(a_server_without_tls_is_sent_nothing),
		TEST(a_second_verified_connection_costs_little),
		TEST(a_missing_bundle_is_an_error_that_names_the_place),
		TEST(the_bundle_of_the_environment_is_used_without_a_setting),
		TEST(a_cancel_before_sending_sent_nothing),
		TEST(a_name_that_is_not_resolved_holds_up_nobody),
		TEST(a_cancel_after_sending_leaves_the_outcome_open),
		TEST(a_done_callback_may_send_again),
		TEST(many_requests_run_in_parallel_over_three_multis),
		TEST(a_bounded_number_of_connections_is_kept),
		TEST(with_hundreds_in_flight_every_connection_is_kept),
#ifdef SHIPOPT_FAULTS
		TEST(every_failing_call_is_survived_and_nothing_leaks),
#endif
	};
	return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
