/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "pool/connection.h"

/*
 * Connecting, on a side thread, as name look-up, password files and the key derivation of SCRAM block.
 *
 * Each host has the whole connect timeout, TLS and authentication included. libpq's asynchronous connect has no call for "try
 * the next one", so after a host that is too slow it is begun again with the list of hosts turned by one. The thread looks
 * every CLOSING_LOOK_MS whether the pool is ending, so that a silent server does not hold up a close.
 */
#define CLOSING_LOOK_MS 50
#define HOST_LIST_SIZE 1024

static void keep_notice(void *argument, const PGresult *result)
{
	struct connection *connection = argument;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	/* Class 57P is the server's goodbye; a warning about a collation is of no use here. */
	if (!sqlstate || !message || strncmp(sqlstate, "57P", 3) != 0)
		return;
	snprintf(connection->notice, sizeof(connection->notice), "%s", message);
	snprintf(connection->notice_sqlstate, sizeof(connection->notice_sqlstate), "%s", sqlstate);
}

/* Waits for what libpq wants. False when the pool ends. */
static bool wait_socket(struct connection *connection, PostgresPollingStatusType wanted, int64_t until_us)
{
	struct pollfd entry = {.fd = PQsocket(connection->pg), .events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT};
	while (!atomic_load(&connection->pool->is_closing)) {
		int64_t left_ms = (until_us - clock_now_us()) / 1000;
		int r = poll(&entry, 1, (int)MAX(MIN(left_ms, CLOSING_LOOK_MS), 0));
		if (r > 0 || (r < 0 && errno != EINTR) || left_ms <= 0)
			return true;
	}
	return false;
}

struct host_watch {
	char host[128], port[16], address[64];
	int64_t until_us;
};

static void copy_text(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "");
}

/* A new deadline when libpq has gone on to another host or address. */
static void watch_host(struct host_watch *watch, PGconn *pg, int64_t timeout_us)
{
	const char *host = PQhost(pg), *port = PQport(pg), *address = PQhostaddr(pg);
	if (watch->until_us && strncmp(watch->host, host ? host : "", sizeof(watch->host) - 1) == 0 &&
		text_equal(watch->port, port ? port : "") && text_equal(watch->address, address ? address : ""))
		return;
	copy_text(watch->host, sizeof(watch->host), host);
	copy_text(watch->port, sizeof(watch->port), port);
	copy_text(watch->address, sizeof(watch->address), address);
	watch->until_us = clock_now_us() + timeout_us;
}

enum outcome { OUTCOME_CONNECTED, OUTCOME_FAILED, OUTCOME_SLOW };

static enum outcome run_connect(struct connection *connection)
{
	struct host_watch watch = {.until_us = 0};
	int64_t timeout_us = pool_setting(connection->pool, POOL_CONNECT_TIMEOUT_MS) * 1000;
	PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
	while (PQstatus(connection->pg) != CONNECTION_BAD) {
		watch_host(&watch, connection->pg, timeout_us);
		if (!wait_socket(connection, wanted, watch.until_us)) {
			copy_text(connection->connect_error, sizeof(connection->connect_error), "the pool is closing");
			return OUTCOME_FAILED;
		}
		if (clock_now_us() >= watch.until_us) {
			snprintf(connection->connect_error, sizeof(connection->connect_error),
				"%.127s port %.15s did not answer within connect_timeout_ms %lld", watch.host, watch.port,
				(long long)(timeout_us / 1000));
			return OUTCOME_SLOW;
		}
		wanted = PQconnectPoll(connection->pg);
		if (wanted == PGRES_POLLING_OK)
			return OUTCOME_CONNECTED;
		if (wanted == PGRES_POLLING_FAILED)
			break;
	}
	return OUTCOME_FAILED;
}

static size_t list_count(const char *list)
{
	size_t count = 1;
	for (; *list; list++)
		count += *list == ',';
	return count;
}

/* "a,b,c" turned by one is "b,c,a". */
static const char *turn_list(const char *list, size_t turns, char *text)
{
	const char *rest = list;
	if (strlen(list) >= HOST_LIST_SIZE)
		return list;
	for (size_t i = 0; i < turns; i++)
		rest = strchr(rest, ',') + 1;
	snprintf(text, HOST_LIST_SIZE, "%s%s%.*s", rest, rest > list ? "," : "", (int)(rest > list ? rest - list - 1 : 0), list);
	return text;
}

struct targets {
	const char *values[CONNINFO_KEYWORDS_MAX + 1];
	char texts[3][HOST_LIST_SIZE];
	size_t count; /* of hosts */
};

static void turn_hosts(const struct conninfo *conninfo, size_t turns, struct targets *targets)
{
	size_t used = 0;
	targets->count = 1;
	for (size_t i = 0; i < conninfo->count; i++) {
		const char *keyword = conninfo->keywords[i], *value = conninfo->values[i];
		targets->values[i] = value;
		if (!text_equal(keyword, "host") && !text_equal(keyword, "hostaddr") && !text_equal(keyword, "port"))
			continue;
		size_t count = list_count(value);
		targets->count = MAX(targets->count, count);
		if (count > 1 && turns > 0 && turns < count)
			targets->values[i] = turn_list(value, turns, targets->texts[used++]);
	}
	targets->values[conninfo->count] = NULL;
}

static bool connect_some(struct connection *connection)
{
	const struct conninfo *conninfo = &connection->pool->conninfo;
	struct targets targets = {.count = 1};
	for (size_t turns = 0; turns < targets.count; turns++) {
		turn_hosts(conninfo, turns, &targets);
		if (!fault_point())
			connection->pg = PQconnectStartParams(conninfo->keywords, targets.values, 0);
		if (!connection->pg)
			return false;
		PQsetNoticeReceiver(connection->pg, keep_notice, connection);
		enum outcome outcome = run_connect(connection);
		if (outcome != OUTCOME_SLOW)
			return outcome == OUTCOME_CONNECTED;
		if (turns + 1 < targets.count)
			PQfinish(TAKE(connection->pg));
	}
	return false;
}

static void take_connect_error(struct connection *connection)
{
	if (connection->connect_error[0])
		return;
	if (connection->pg)
		connection_error_text(connection, connection->connect_error, sizeof(connection->connect_error));
	if (!connection->connect_error[0])
		copy_text(connection->connect_error, sizeof(connection->connect_error), "out of memory");
}

static void connected_on_reactor(struct task *task)
{
	struct connection *connection = CONTAINER_OF(task, struct connection, connect_task);
	shipopt_pool *pool = connection->pool;
	pthread_mutex_lock(&pool->lock);
	pool->connecting--;
	pthread_mutex_unlock(&pool->lock);
	pool->replacing -= connection->is_replacement;
	if (connection->pg && !pool->is_torn_down) {
		histogram_add(pool->connect_histogram, connection->connect_us);
		pool_count(pool, SHIPOPT_POOL_STAT_CONNECTS, 1);
		pool->connect_failures = 0;
		pool->retire_due += connection->is_replacement;
		connection_start(connection);
	} else {
		char message[POOL_MESSAGE_SIZE];
		memcpy(message, connection->connect_error, sizeof(message));
		connection_close(connection);
		pool_note_connect_failure(pool, message);
	}
	pool_unref(pool);
}

static void connect_on_side(struct task *task)
{
	struct connection *connection = CONTAINER_OF(task, struct connection, connect_task);
	int64_t begun_us = clock_now_us();
	if (!connect_some(connection)) {
		take_connect_error(connection);
		PQfinish(TAKE(connection->pg));
	}
	connection->connect_us = clock_now_us() - begun_us;
	task->run = connected_on_reactor;
	reactor_post(connection->pool->reactor, task);
}

int connection_connect(shipopt_pool *pool, bool is_replacement)
{
	struct connection *connection = mem_alloc_zero(sizeof(*connection));
	if (!connection)
		return SHIPOPT_ENOMEM;
	connection->pool = pool_ref(pool);
	connection->state = CONNECTION_CONNECTING;
	connection->is_replacement = is_replacement;
	connection->fd = -1;
	list_init(&connection->idle_node);
	list_init(&connection->commands);
	statements_init(&connection->statements, (size_t)pool_setting(pool, POOL_STATEMENTS_MAX));
	connection->connect_task.run = connect_on_side;
	connection->timer.fire = connection_timer_fire;
	list_push_back(&pool->connections, &connection->node);
	pthread_mutex_lock(&pool->lock);
	pool->total++;
	pool->connecting++;
	connection->generation = pool->generation;
	pthread_mutex_unlock(&pool->lock);
	pool->replacing += is_replacement;
	int r = runtime_submit_side(pool->runtime, &connection->connect_task, true);
	if (r == 0)
		return 0;
	pthread_mutex_lock(&pool->lock);
	pool->connecting--;
	pthread_mutex_unlock(&pool->lock);
	pool->replacing -= is_replacement;
	connection_close(connection);
	pool_unref(pool);
	return r;
}
