/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "pool/listen/listen_connection.h"

#include <stdio.h>
#include <unistd.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "pool/server/libpq.h"
#include "pool/listen/listener.h"

#define ANSWER_TIMEOUT_US INT64_C(10000000)

/* This session is idle most of the time, so the timeout of idle sessions is switched off. Servers before version 14 do
 * not have it. */
static const char check_sql[] = "SELECT pg_backend_pid(), (SELECT set_config(name, '0', false) FROM pg_settings "
				"WHERE name = 'idle_session_timeout');";

/* ---- the end of a session -------------------------------------------------------------------------------------- */

static void listen_connection_free_removed(struct listen_connection *self)
{
	struct list_node *node;
	while ((node = list_pop_front(&self->removed)))
		mem_free(LIST_MEMBER(node, struct listen_channel, node));
}

static void listen_connection_hang_up(struct listen_connection *self)
{
	watch_stop(&self->watch);
	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
	timer_stop(&self->timer);
	if (self->pg)
		PQfinish(TAKE(self->pg));
	if (self->state != LISTEN_DIALING)
		self->state = LISTEN_OFF;
	self->is_checked = self->was_ready = false;
	shipopt_error_unref(TAKE(self->refusal_error));
	self->refusal = 0;
	listen_connection_free_removed(self);
	LIST_FOREACH(node, &self->listeners)
		listener_reset(listener_at(node));
}

static void listen_connection_pause_begin(struct listen_connection *self)
{
	shipopt_pool *pool = self->pool;
	timer_start(pool->reactor, &self->timer, clock_now_us() + pool_backoff_us(pool, self->failures++));
}

void listen_connection_fail(struct listen_connection *self, int status, shipopt_error *error)
{
	runtime_log(self->pool->runtime, SHIPOPT_LOG_WARNING, "pool: LISTEN failed: %s",
		error ? shipopt_error_message(error) : shipopt_error_description(status));
	listen_connection_hang_up(self);
	LIST_FOREACH(node, &self->listeners)
		listener_fail(listener_at(node), status, error);
	shipopt_error_unref(error);
	listen_connection_pause_begin(self);
}

void listen_connection_lose(struct listen_connection *self, const char *reason)
{
	char text[2 * DIAL_MESSAGE_SIZE];
	shipopt_error *error = NULL;
	dial_describe_loss(&self->dial, self->pg, reason, text, sizeof(text));
	if (!self->was_ready) {
		error_set(&error, SHIPOPT_ENETWORK, "%s", text);
		listen_connection_fail(self, SHIPOPT_ENETWORK, error);
		return;
	}
	pool_count(self->pool, SHIPOPT_POOL_STAT_LISTEN_LOST, 1);
	runtime_log(self->pool->runtime, SHIPOPT_LOG_WARNING, "pool: the listening connection is lost: %s", text);
	listen_connection_hang_up(self);
	listen_connection_pause_begin(self);
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

/* Appends LISTEN "name"; with quotes doubled. False if there is no room. */
static bool listen_connection_append(char *sql, const char *verb, const char *name)
{
	char text[16 + 2 * CHANNEL_NAME_SIZE];
	size_t length = (size_t)snprintf(text, sizeof(text), "%s \"", verb), used = strlen(sql);
	for (; *name; name++) {
		text[length++] = *name;
		if (*name == '"')
			text[length++] = '"';
	}
	memcpy(text + length, "\";", 3);
	length += 2;
	if (used + length >= LISTEN_SQL_SIZE)
		return false;
	memcpy(sql + used, text, length + 1);
	return true;
}

static bool listen_connection_is_wanted(struct listen_connection *self, const char *name)
{
	LIST_FOREACH(node, &self->listeners)
		if (listener_wants(listener_at(node), name))
			return true;
	return false;
}

static void listen_connection_compose_unlisten(struct listen_connection *self, char *sql)
{
	LIST_FOREACH(node, &self->removed) {
		struct listen_channel *channel = LIST_MEMBER(node, struct listen_channel, node);
		if (channel->state != CHANNEL_NEW && !listen_connection_is_wanted(self, channel->name) &&
			!listen_connection_append(sql, "UNLISTEN", channel->name))
			return;
		list_remove(node);
		mem_free(channel);
	}
}

static void listen_connection_compose_listen(shipopt_listener *listener, char *sql)
{
	pthread_mutex_lock(&listener->lock);
	LIST_FOREACH(node, &listener->channels) {
		struct listen_channel *channel = LIST_MEMBER(node, struct listen_channel, node);
		if (channel->state == CHANNEL_NEW && listen_connection_append(sql, "LISTEN", channel->name))
			channel->state = CHANNEL_ASKED;
	}
	pthread_mutex_unlock(&listener->lock);
}

/* Writes what the session lacks. "" if it lacks nothing. */
static void listen_connection_compose(struct listen_connection *self, char *sql)
{
	snprintf(sql, LISTEN_SQL_SIZE, "%s", self->is_checked ? "" : check_sql);
	listen_connection_compose_unlisten(self, sql);
	LIST_FOREACH(node, &self->listeners)
		listen_connection_compose_listen(listener_at(node), sql);
}

static bool listen_connection_flush(struct listen_connection *self)
{
	int r = PQflush(self->pg);
	return r >= 0 && watch_change(&self->watch, REACTOR_READ | (r ? REACTOR_WRITE : 0u)) == 0;
}

static void listen_connection_ask(struct listen_connection *self)
{
	char sql[LISTEN_SQL_SIZE];
	listen_connection_compose(self, sql);
	if (sql[0] == '\0') {
		self->failures = 0;
		self->was_ready = true;
		LIST_FOREACH(node, &self->listeners)
			listener_settle(listener_at(node));
		return;
	}
	self->state = LISTEN_ASKING;
	timer_start(self->pool->reactor, &self->timer, clock_now_us() + ANSWER_TIMEOUT_US);
	if (fault_point() || !PQsendQuery(self->pg, sql) || !listen_connection_flush(self))
		listen_connection_lose(self, "LISTEN could not be sent");
}

/* ---- events --------------------------------------------------------------------------------------------------- */

static void listen_connection_on_ready(struct watch *watch, unsigned events)
{
	struct listen_connection *self = CONTAINER_OF(watch, struct listen_connection, watch);
	bool is_broken = (events & (REACTOR_READ | REACTOR_ERROR)) && !PQconsumeInput(self->pg);
	if ((events & REACTOR_WRITE) && !listen_connection_flush(self))
		is_broken = true;
	/* What arrived before the end is delivered before it. */
	if (self->state == LISTEN_ASKING)
		listen_answer_take_all(self);
	listen_answer_take_notifications(self);
	if (self->pg && (is_broken || PQstatus(self->pg) == CONNECTION_BAD))
		listen_connection_lose(self, "the server closed the connection");
}

/* ---- dialing --------------------------------------------------------------------------------------------------- */

static void listen_connection_start_session(struct listen_connection *self)
{
	shipopt_pool *pool = self->pool;
	pool_count(pool, SHIPOPT_POOL_STAT_LISTEN_CONNECTS, 1);
	self->state = LISTEN_READY;
	self->watch.ready = listen_connection_on_ready;
	self->fd = libpq_duplicate_socket(self->pg);
	if (self->fd < 0 || PQsetnonblocking(self->pg, 1) != 0 ||
		watch_start(pool->reactor, &self->watch, self->fd, REACTOR_READ) < 0)
		listen_connection_lose(self, "the socket cannot be watched");
	else
		listen_connection_update(self);
}

static void listen_connection_dialed_on_reactor(struct task *task)
{
	struct listen_connection *self = CONTAINER_OF(task, struct listen_connection, dial_task);
	shipopt_pool *pool = self->pool;
	self->state = LISTEN_OFF;
	self->pg = TAKE(self->dial.pg);
	if (pool_is_stopped(pool) || list_is_empty(&self->listeners)) {
		listen_connection_hang_up(self);
	} else if (self->pg) {
		listen_connection_start_session(self);
	} else {
		shipopt_error *error = NULL;
		const struct dial_failure *failure = &self->dial.failure;
		error_set_detail(&error,
			&(struct error_detail){.code = failure->status,
				.message = failure->message,
				.sqlstate = failure->sqlstate[0] ? failure->sqlstate : NULL,
				.domain = ERROR_DOMAIN,
				.retry_after_ms = -1});
		listen_connection_fail(self, failure->status, error);
	}
	pool_unref(pool);
}

static void listen_connection_dial_on_side(struct task *task)
{
	struct listen_connection *self = CONTAINER_OF(task, struct listen_connection, dial_task);
	dial_run(&self->dial);
	task->run = listen_connection_dialed_on_reactor;
	reactor_post(self->pool->reactor, task);
}

static void listen_connection_dial(struct listen_connection *self)
{
	shipopt_pool *pool = pool_ref(self->pool);
	self->conninfo = pool->listen_conninfo.options ? &pool->listen_conninfo : &pool->conninfo;
	pool_dial_init(pool, self->conninfo, &self->dial);
	self->state = LISTEN_DIALING;
	self->dial_task.run = listen_connection_dial_on_side;
	int r = runtime_submit_side(pool->runtime, &self->dial_task, true);
	if (r < 0) {
		self->state = LISTEN_OFF;
		listen_connection_fail(self, r, NULL);
		pool_unref(pool);
	}
}

/* ---- what is wanted -------------------------------------------------------------------------------------------- */

void listen_connection_update(struct listen_connection *self)
{
	if (list_is_empty(&self->listeners) || pool_is_stopped(self->pool))
		listen_connection_hang_up(self);
	else if (self->state == LISTEN_READY)
		listen_connection_ask(self);
	else if (self->state == LISTEN_OFF && !timer_is_started(&self->timer))
		listen_connection_dial(self);
}

static void listen_connection_timer_fire(struct timer *timer)
{
	struct listen_connection *self = CONTAINER_OF(timer, struct listen_connection, timer);
	if (self->state == LISTEN_ASKING)
		listen_connection_lose(self, "LISTEN was not answered in time");
	else
		listen_connection_update(self);
}

void listen_connection_attach(struct listen_connection *self, shipopt_listener *listener)
{
	if (!list_is_linked(&listener->node)) {
		reference_take(&listener->reference);
		list_push_back(&self->listeners, &listener->node);
	}
	listen_connection_update(self);
}

void listen_connection_detach(struct listen_connection *self, shipopt_listener *listener, int status)
{
	bool was_attached = list_is_linked(&listener->node);
	list_remove(&listener->node);
	pthread_mutex_lock(&listener->lock);
	list_splice_back(&self->removed, &listener->channels);
	listener->channel_count = 0;
	pthread_mutex_unlock(&listener->lock);
	listener_end(listener, status);
	listen_connection_update(self);
	if (was_attached)
		listener_unref(listener);
}

void listen_connection_stop(struct listen_connection *self)
{
	struct list_node *node;
	while ((node = list_first(&self->listeners)))
		listen_connection_detach(self, listener_at(node), SHIPOPT_ESHUTDOWN);
	listen_connection_update(self);
}

struct listen_connection *listen_connection_new(shipopt_pool *pool)
{
	struct listen_connection *self = mem_alloc_zero(sizeof(*self));
	if (!self)
		return NULL;
	self->pool = pool;
	list_init(&self->listeners);
	list_init(&self->removed);
	self->fd = -1;
	self->timer.fire = listen_connection_timer_fire;
	return self;
}

void listen_connection_free(struct listen_connection *self)
{
	mem_free(self);
}
