/* SPDX-License-Identifier: MIT */
#include "server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <shipopt/error.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/memory.h"
#include "exchange.h"

#define BACKLOG 1024
#define DRIP_US 50000
/* For the head of a request; cleared for each, so that more costs time. */
#define CONNECTION_MEMORY 8192

struct server {
	struct sandbox sandbox;
	struct MHD_Daemon *daemon;
	struct list_node suspended; /* exchanges; under the sandbox's lock */
	bool is_stopping;           /* under the sandbox's lock */
};

static struct server *server_of(struct exchange *exchange)
{
	return CONTAINER_OF(exchange->sandbox, struct server, sandbox);
}

static void resume(struct delay *delay)
{
	struct exchange *exchange = CONTAINER_OF(delay, struct exchange, delay);
	struct sandbox *sandbox = exchange->sandbox;
	if (exchange->stage == EXCHANGE_WAITING && !exchange_finish(exchange))
		exchange->draw.fate = FATE_LOST_ANSWER;
	pthread_mutex_lock(&sandbox->lock);
	list_remove(&exchange->node);
	pthread_mutex_unlock(&sandbox->lock);
	/* From here on it is libmicrohttpd's thread that holds the exchange. */
	MHD_resume_connection(exchange->connection);
}

/* The server ends: what waits is woken, to be closed without its work. */
static void drop(struct delay *delay)
{
	(void)delay;
}

/* Hands the exchange to the delay thread. False: not suspended, the server ends or memory is short. */
static bool suspend(struct exchange *exchange, int64_t after_us)
{
	struct server *server = server_of(exchange);
	bool is_added = false;
	exchange->delay.run = resume;
	exchange->delay.drop = drop;
	pthread_mutex_lock(&server->sandbox.lock);
	if (!server->is_stopping) {
		MHD_suspend_connection(exchange->connection);
		list_push_back(&server->suspended, &exchange->node);
		is_added = delays_add(server->sandbox.delays, &exchange->delay, after_us) == 0;
		if (!is_added) {
			list_remove(&exchange->node);
			MHD_resume_connection(exchange->connection);
		}
	}
	pthread_mutex_unlock(&server->sandbox.lock);
	return is_added;
}

/* With SO_LINGER 0 and libmicrohttpd's turbo mode, which leaves out shutdown(), close() sends a reset. */
static void make_close_a_reset(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	if (info)
		setsockopt(info->connect_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static ssize_t read_half(void *userdata, uint64_t position, char *out, size_t max)
{
	struct exchange *exchange = userdata;
	size_t half = exchange->answer.body.length / 2, at = (size_t)position;
	if (at >= half)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	size_t length = MIN(max, half - at);
	memcpy(out, exchange->answer.body.data + at, length);
	return (ssize_t)length;
}

static ssize_t read_drip(void *userdata, uint64_t position, char *out, size_t max)
{
	struct exchange *exchange = userdata;
	int64_t now_us = clock_now_us(), wait_us = exchange->drip_at_us - now_us;
	if (wait_us > 0)
		return suspend(exchange, wait_us) ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
	pthread_mutex_lock(&exchange->sandbox->lock);
	int64_t bytes = exchange->sandbox->faults.slow_bytes_per_second * DRIP_US / 1000000;
	pthread_mutex_unlock(&exchange->sandbox->lock);
	size_t length = MIN(max, exchange->answer.body.length - (size_t)position);
	length = MIN(length, (size_t)MAX(bytes, 1));
	memcpy(out, exchange->answer.body.data + position, length);
	exchange->drip_at_us = now_us + DRIP_US;
	return (ssize_t)length;
}

static struct MHD_Response *make_response(struct exchange *exchange)
{
	struct buffer *body = &exchange->answer.body;
	if (exchange->draw.fate == FATE_TRUNCATE && body->length > 1)
		return MHD_create_response_from_callback(body->length, 4096, read_half, exchange, NULL);
	if (exchange->draw.fate == FATE_SLOW_BODY && body->length > 1)
		return MHD_create_response_from_callback(body->length, 4096, read_drip, exchange, NULL);
	return MHD_create_response_from_buffer(body->length, (void *)(uintptr_t)buffer_text(body),
		MHD_RESPMEM_PERSISTENT);
}

static void add_headers(struct exchange *exchange, struct MHD_Response *response)
{
	struct sandbox *sandbox = exchange->sandbox;
	const struct answer *answer = &exchange->answer;
	char text[64];
	pthread_mutex_lock(&sandbox->lock);
	unsigned long long high = random_u64(&sandbox->random), low = random_u64(&sandbox->random);
	pthread_mutex_unlock(&sandbox->lock);
	snprintf(text, sizeof(text), "%016llx%016llx", high, low);
	MHD_add_response_header(response, "x-ep-request-uuid", text);
	snprintf(text, sizeof(text), "%.6f", (double)(clock_now_us() - exchange->started_us) / 1e6);
	MHD_add_response_header(response, "x-runtime", text);
	MHD_add_response_header(response, "cache-control", "private, no-cache, no-store");
	MHD_add_response_header(response, "content-type", answer->content_type);
	if (answer->location[0])
		MHD_add_response_header(response, "location", answer->location);
	if (answer->retry_after[0])
		MHD_add_response_header(response, "retry-after", answer->retry_after);
}

static enum MHD_Result send_answer(struct exchange *exchange)
{
	struct MHD_Response *response = make_response(exchange);
	if (!response)
		return MHD_NO;
	add_headers(exchange, response);
	enum MHD_Result result = MHD_queue_response(exchange->connection, (unsigned)exchange->answer.status, response);
	MHD_destroy_response(response);
	return result;
}

/* The whole request is there. MHD_NO closes the connection without a byte. */
static enum MHD_Result begin(struct exchange *exchange)
{
	switch (exchange_begin(exchange)) {
	case VERDICT_WAIT:
		exchange->stage = EXCHANGE_WAITING;
		return suspend(exchange, exchange->draw.latency_us) ? MHD_YES : MHD_NO;
	case VERDICT_RESET: make_close_a_reset(exchange->connection); return MHD_NO;
	case VERDICT_DROP: return MHD_NO;
	case VERDICT_ANSWER: break;
	}
	return exchange_finish(exchange) ? send_answer(exchange) : MHD_NO;
}

static struct exchange *open_exchange(struct server *server, struct MHD_Connection *connection, const char *path,
	const char *method)
{
	struct exchange *exchange = exchange_new(&server->sandbox, connection, method, path);
	if (!exchange)
		return NULL;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	const char *coding = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Transfer-Encoding");
	if (info) {
		uintptr_t *served = (uintptr_t *)&info->socket_context;
		exchange->is_kept_alive = *served > 0;
		++*served;
	}
	exchange->is_refused = coding && strcasecmp(coding, "identity") != 0;
	return exchange;
}

static enum MHD_Result on_request(void *userdata, struct MHD_Connection *connection, const char *path,
	const char *method, const char *version, const char *upload, size_t *upload_size, void **state)
{
	struct exchange *exchange = *state;
	if (!exchange) {
		*state = open_exchange(userdata, connection, path, method);
		return *state ? MHD_YES : MHD_NO;
	}
	if (*upload_size > 0) {
		if (buffer_append(&exchange->body, upload, *upload_size) < 0)
			exchange->is_too_large = true;
		*upload_size = 0;
		return MHD_YES;
	}
	if (exchange->stage == EXCHANGE_READING)
		return begin(exchange);
	if (exchange->stage == EXCHANGE_WAITING || exchange->draw.fate == FATE_LOST_ANSWER)
		return MHD_NO; /* woken by the server's end, or an answer to lose */
	return send_answer(exchange);
}

static void on_completed(void *userdata, struct MHD_Connection *connection, void **state,
	enum MHD_RequestTerminationCode code)
{
	exchange_free(*state);
	*state = NULL;
}

static void on_connection(void *userdata, struct MHD_Connection *connection, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct server *server = userdata;
	if (code != MHD_CONNECTION_NOTIFY_STARTED)
		return;
	pthread_mutex_lock(&server->sandbox.lock);
	server->sandbox.counts.connections++;
	pthread_mutex_unlock(&server->sandbox.lock);
}

static bool listen_on(struct server *server, const struct server_options *options)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(options->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct MHD_OptionItem tls[] = {{MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key},
		{MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->certificate}, {MHD_OPTION_END, 0, NULL}};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;
	if (options->certificate)
		flags |= MHD_USE_TLS;
	else
		tls[0].option = MHD_OPTION_END;
	server->daemon = MHD_start_daemon(flags, options->port, NULL, NULL, on_request, server, MHD_OPTION_SOCK_ADDR,
		&address, MHD_OPTION_CONNECTION_LIMIT, (unsigned)SERVER_CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
		MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)BACKLOG, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
		MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	const union MHD_DaemonInfo *info =
		server->daemon ? MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT) : NULL;
	if (info)
		snprintf(server->sandbox.base_url, sizeof(server->sandbox.base_url), "%s://127.0.0.1:%u",
			options->certificate ? "https" : "http", (unsigned)info->port);
	return info != NULL;
}

static void sandbox_init(struct sandbox *sandbox, const struct server_options *options)
{
	static void (*const free_object[OBJECT_KINDS])(struct object * object) = {address_free, parcel_free,
		customs_item_free, customs_info_free, shipment_free, tracker_free};
	pthread_mutex_init(&sandbox->lock, NULL);
	random_init(&sandbox->random, options->seed);
	sandbox->faults = options->faults;
	sandbox->tokens = options->faults.requests_per_second;
	sandbox->tokens_at_us = clock_now_us();
	sandbox->registry.seed = options->seed;
	memcpy(sandbox->registry.free_object, free_object, sizeof(free_object));
}

int server_start(const struct server_options *options, struct server **ret_server)
{
	struct server *server = mem_alloc_zero(sizeof(*server));
	if (!server)
		return SHIPOPT_ENOMEM;
	sandbox_init(&server->sandbox, options);
	list_init(&server->suspended);
	int r = delays_start(&server->sandbox.delays);
	/* Requests may come before the URL is known: their work waits for the lock. */
	pthread_mutex_lock(&server->sandbox.lock);
	if (r == 0 && !listen_on(server, options))
		r = SHIPOPT_EIO;
	pthread_mutex_unlock(&server->sandbox.lock);
	if (r < 0) {
		server_stop(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

const char *server_url(const struct server *server)
{
	return server->sandbox.base_url;
}

void server_stop(struct server *server)
{
	if (!server)
		return;
	pthread_mutex_lock(&server->sandbox.lock);
	server->is_stopping = true;
	pthread_mutex_unlock(&server->sandbox.lock);
	delays_stop(server->sandbox.delays);
	LIST_FOREACH(node, &server->suspended) {
		struct exchange *exchange = LIST_MEMBER(node, struct exchange, node);
		list_remove(node);
		MHD_resume_connection(exchange->connection);
	}
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	table_done(&server->sandbox.trackers_by_code);
	registry_clear(&server->sandbox.registry);
	counts_clear(&server->sandbox.counts);
	pthread_mutex_destroy(&server->sandbox.lock);
	mem_free(server);
}
