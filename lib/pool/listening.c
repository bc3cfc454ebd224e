/* SPDX-License-Identifier: MIT */
#include "pool/listening.h"

#include <stdio.h>
#include <unistd.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "pool/libpq.h"
#include "pool/listener.h"

#define ANSWER_TIMEOUT_US INT64_C(10000000)

/* An idle session is what this one is for. Servers before version 14 do not have the setting. */
static const char check_sql[] = "SELECT pg_backend_pid(), (SELECT set_config(name, '0', false) FROM pg_settings "
				"WHERE name = 'idle_session_timeout');";

static void listening_update(struct listening *self);

static shipopt_pool *listening_pool_of(struct listening *self)
{
	return CONTAINER_OF(self, shipopt_pool, listening);
}

static shipopt_listener *listening_listener_at(struct list_node *node)
{
	return LIST_MEMBER(node, shipopt_listener, node);
}

/* ---- the end of a session -------------------------------------------------------------------------------------- */

static void listening_free_removed(struct listening *self)
{
	struct list_node *node;
	while ((node = list_pop_front(&self->removed)))
		mem_free(LIST_MEMBER(node, struct channel, node));
}

static void listening_hang_up(struct listening *self)
{
	watch_stop(&self->watch);
	if (self->fd >= 0)
		close(self->fd);
	self->fd = -1;
	timer_stop(&self->timer);
	if (self->pg)
		PQfinish(TAKE(self->pg));
	if (self->state != LISTENING_DIALING)
		self->state = LISTENING_OFF;
	self->is_checked = self->was_ready = false;
	shipopt_error_unref(TAKE(self->refusal_error));
	self->refusal = 0;
	listening_free_removed(self);
	LIST_FOREACH(node, &self->listeners)
		listener_reset(listening_listener_at(node));
}

static void listening_pause_begin(struct listening *self)
{
	shipopt_pool *pool = listening_pool_of(self);
	timer_start(pool->reactor, &self->timer, clock_now_us() + pool_backoff_us(pool, self->failures++));
}

/* It did not come to listening. Consumes `error`. */
static void listening_fail(struct listening *self, int status, shipopt_error *error)
{
	runtime_log(listening_pool_of(self)->runtime, SHIPOPT_LOG_WARNING, "pool: listening failed: %s",
		error ? shipopt_error_message(error) : shipopt_error_description(status));
	listening_hang_up(self);
	LIST_FOREACH(node, &self->listeners)
		listener_fail(listening_listener_at(node), status, error);
	shipopt_error_unref(error);
	listening_pause_begin(self);
}

static void listening_lose(struct listening *self, const char *reason)
{
	char text[2 * DIAL_MESSAGE_SIZE];
	shipopt_error *error = NULL;
	dial_describe_loss(&self->dial, self->pg, reason, text, sizeof(text));
	if (!self->was_ready) {
		error_set(&error, SHIPOPT_ENETWORK, "%s", text);
		listening_fail(self, SHIPOPT_ENETWORK, error);
		return;
	}
	pool_count(listening_pool_of(self), SHIPOPT_POOL_STAT_LISTEN_LOST, 1);
	runtime_log(listening_pool_of(self)->runtime, SHIPOPT_LOG_WARNING, "pool: the listening connection is lost: %s",
		text);
	listening_hang_up(self);
	listening_pause_begin(self);
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

/* "LISTEN "name";", quotes doubled. False when there is no room. */
static bool listening_append(char *sql, const char *verb, const char *name)
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
	if (used + length >= LISTENING_SQL_SIZE)
		return false;
	memcpy(sql + used, text, length + 1);
	return true;
}

static bool listening_is_wanted(struct listening *self, const char *name)
{
	LIST_FOREACH(node, &self->listeners)
		if (listener_wants(listening_listener_at(node), name))
			return true;
	return false;
}

static void listening_compose_unlisten(struct listening *self, char *sql)
{
	LIST_FOREACH(node, &self->removed) {
		struct channel *channel = LIST_MEMBER(node, struct channel, node);
		if (channel->state != CHANNEL_NEW && !listening_is_wanted(self, channel->name) &&
			!listening_append(sql, "UNLISTEN", channel->name))
			return;
		list_remove(node);
		mem_free(channel);
	}
}

static void listening_compose_listen(shipopt_listener *listener, char *sql)
{
	pthread_mutex_lock(&listener->lock);
	LIST_FOREACH(node, &listener->channels) {
		struct channel *channel = LIST_MEMBER(node, struct channel, node);
		if (channel->state == CHANNEL_NEW && listening_append(sql, "LISTEN", channel->name))
			channel->state = CHANNEL_ASKED;
	}
	pthread_mutex_unlock(&listener->lock);
}

/* What the session lacks. "" when it is as wanted. */
static void listening_compose(struct listening *self, char *sql)
{
	snprintf(sql, LISTENING_SQL_SIZE, "%s", self->is_checked ? "" : check_sql);
	listening_compose_unlisten(self, sql);
	LIST_FOREACH(node, &self->listeners)
		listening_compose_listen(listening_listener_at(node), sql);
}

static bool listening_flush(struct listening *self)
{
	int r = PQflush(self->pg);
	return r >= 0 && watch_change(&self->watch, REACTOR_READ | (r ? REACTOR_WRITE : 0u)) == 0;
}

static void listening_ask(struct listening *self)
{
	char sql[LISTENING_SQL_SIZE];
	listening_compose(self, sql);
	if (sql[0] == '\0') {
		self->failures = 0;
		self->was_ready = true;
		LIST_FOREACH(node, &self->listeners)
			listener_settle(listening_listener_at(node));
		return;
	}
	self->state = LISTENING_ASKING;
	timer_start(listening_pool_of(self)->reactor, &self->timer, clock_now_us() + ANSWER_TIMEOUT_US);
	if (fault_point() || !PQsendQuery(self->pg, sql) || !listening_flush(self))
		listening_lose(self, "LISTEN could not be sent");
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

static void listening_refuse(struct listening *self, int status, shipopt_error *error)
{
	if (self->refusal == 0) {
		self->refusal = status;
		self->refusal_error = shipopt_error_ref(error);
	}
	shipopt_error_unref(error);
}

static void listening_take_error(struct listening *self, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char said[DIAL_MESSAGE_SIZE], message[DIAL_MESSAGE_SIZE + 32];
	conninfo_copy_said(self->conninfo, self->pg, primary ? primary : "no message", said, sizeof(said));
	snprintf(message, sizeof(message), "LISTEN was refused: %s", said);
	bool is_standby = text_equal(sqlstate, "25006");
	struct error_detail detail = {.code = is_standby ? SHIPOPT_ESTATE : SHIPOPT_EDATABASE,
		.message = message,
		.sqlstate = sqlstate,
		.retry_after_ms = -1};
	listening_refuse(self, detail.code, error_new_detail(&detail));
}

static void listening_take_pid(struct listening *self, const PGresult *result)
{
	int64_t pid = 0;
	shipopt_error *error = NULL;
	if (PQntuples(result) != 1 || PQnfields(result) < 1) {
		error_set(&error, SHIPOPT_EPROTOCOL,
			"the server was asked for the process id of its backend and told %d rows of %d columns",
			PQntuples(result), PQnfields(result));
		listening_refuse(self, SHIPOPT_EPROTOCOL, error);
	} else if (text_parse_i64(PQgetvalue(result, 0, 0), &pid) < 0 || pid != PQbackendPID(self->pg)) {
		error_set(&error, SHIPOPT_EUNSUPPORTED,
			"a pooler answers for the server, and notifications could be lost in it: the setting listen_conninfo must name the "
			"server itself");
		listening_refuse(self, SHIPOPT_EUNSUPPORTED, error);
	}
	self->is_checked = true;
}

static void listening_answered(struct listening *self)
{
	timer_stop(&self->timer);
	self->state = LISTENING_READY;
	if (PQstatus(self->pg) == CONNECTION_BAD || (!self->is_checked && self->refusal == 0)) {
		listening_lose(self, "LISTEN was not answered");
	} else if (self->refusal < 0) {
		listening_fail(self, self->refusal, TAKE(self->refusal_error));
	} else {
		LIST_FOREACH(node, &self->listeners)
			listener_grant(listening_listener_at(node));
		listening_update(self);
	}
}

static void listening_take_answers(struct listening *self)
{
	while (self->state == LISTENING_ASKING && !PQisBusy(self->pg)) {
		PGresult *result = PQgetResult(self->pg);
		if (!result) {
			listening_answered(self);
			return;
		}
		ExecStatusType status = PQresultStatus(result);
		if (status == PGRES_FATAL_ERROR)
			listening_take_error(self, result);
		else if (status == PGRES_TUPLES_OK && !self->is_checked)
			listening_take_pid(self, result);
		PQclear(result);
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
			status == PGRES_COPY_BOTH) /* it would be told for ever */
			listening_lose(self, "LISTEN was answered with a COPY");
	}
}

static void listening_take_notifications(struct listening *self)
{
	PGnotify *notify;
	while (self->pg && (notify = PQnotifies(self->pg))) {
		pool_count(listening_pool_of(self), SHIPOPT_POOL_STAT_NOTIFICATIONS, 1);
		LIST_FOREACH(node, &self->listeners)
			listener_notify(listening_listener_at(node), notify->relname, notify->extra, notify->be_pid);
		PQfreemem(notify);
	}
}

static void listening_on_ready(struct watch *watch, unsigned events)
{
	struct listening *self = CONTAINER_OF(watch, struct listening, watch);
	bool is_broken = (events & (REACTOR_READ | REACTOR_ERROR)) && !PQconsumeInput(self->pg);
	if ((events & REACTOR_WRITE) && !listening_flush(self))
		is_broken = true;
	/* What came before the end is told before it. */
	if (self->state == LISTENING_ASKING)
		listening_take_answers(self);
	listening_take_notifications(self);
	if (self->pg && (is_broken || PQstatus(self->pg) == CONNECTION_BAD))
		listening_lose(self, "the server closed the connection");
}

/* ---- dialing --------------------------------------------------------------------------------------------------- */

static void listening_start_session(struct listening *self)
{
	shipopt_pool *pool = listening_pool_of(self);
	pool_count(pool, SHIPOPT_POOL_STAT_LISTEN_CONNECTS, 1);
	self->state = LISTENING_READY;
	self->watch.ready = listening_on_ready;
	self->fd = libpq_duplicate_socket(self->pg);
	if (self->fd < 0 || PQsetnonblocking(self->pg, 1) != 0 ||
		watch_start(pool->reactor, &self->watch, self->fd, REACTOR_READ) < 0)
		listening_lose(self, "the socket cannot be watched");
	else
		listening_update(self);
}

static void listening_dialed_on_reactor(struct task *task)
{
	struct listening *self = CONTAINER_OF(task, struct listening, dial_task);
	shipopt_pool *pool = listening_pool_of(self);
	self->state = LISTENING_OFF;
	self->pg = TAKE(self->dial.pg);
	if (pool->is_torn_down || list_is_empty(&self->listeners)) {
		listening_hang_up(self);
	} else if (self->pg) {
		listening_start_session(self);
	} else {
		shipopt_error *error = NULL;
		error_set(&error, SHIPOPT_ENETWORK, "%s", self->dial.error);
		listening_fail(self, SHIPOPT_ENETWORK, error);
	}
	pool_unref(pool);
}

static void listening_dial_on_side(struct task *task)
{
	struct listening *self = CONTAINER_OF(task, struct listening, dial_task);
	dial_run(&self->dial);
	task->run = listening_dialed_on_reactor;
	reactor_post(listening_pool_of(self)->reactor, task);
}

static void listening_dial(struct listening *self)
{
	shipopt_pool *pool = pool_ref(listening_pool_of(self));
	pool_dial_init(pool, self->conninfo, &self->dial);
	self->state = LISTENING_DIALING;
	self->dial_task.run = listening_dial_on_side;
	int r = runtime_submit_side(pool->runtime, &self->dial_task, true);
	if (r < 0) {
		self->state = LISTENING_OFF;
		listening_fail(self, r, NULL);
		pool_unref(pool);
	}
}

/* ---- what is wanted -------------------------------------------------------------------------------------------- */

static void listening_update(struct listening *self)
{
	if (list_is_empty(&self->listeners) || listening_pool_of(self)->is_torn_down)
		listening_hang_up(self);
	else if (self->state == LISTENING_READY)
		listening_ask(self);
	else if (self->state == LISTENING_OFF && !timer_is_started(&self->timer))
		listening_dial(self);
}

static void listening_timer_fire(struct timer *timer)
{
	struct listening *self = CONTAINER_OF(timer, struct listening, timer);
	if (self->state == LISTENING_ASKING)
		listening_lose(self, "LISTEN was not answered in time");
	else
		listening_update(self);
}

void listening_attach(struct listening *self, shipopt_listener *listener)
{
	if (!list_is_linked(&listener->node)) {
		reference_take(&listener->reference);
		list_push_back(&self->listeners, &listener->node);
	}
	listening_update(self);
}

void listening_detach(struct listening *self, shipopt_listener *listener, int status)
{
	bool was_attached = list_is_linked(&listener->node);
	list_remove(&listener->node);
	pthread_mutex_lock(&listener->lock);
	list_splice_back(&self->removed, &listener->channels);
	listener->channel_count = 0;
	pthread_mutex_unlock(&listener->lock);
	listener_end(listener, status);
	listening_update(self);
	if (was_attached)
		listener_unref(listener);
}

void listening_stop(struct listening *self)
{
	struct list_node *node;
	while ((node = list_first(&self->listeners)))
		listening_detach(self, listening_listener_at(node), SHIPOPT_ESHUTDOWN);
	listening_update(self);
}

void listening_init(struct listening *self)
{
	list_init(&self->listeners);
	list_init(&self->removed);
	self->fd = -1;
	self->timer.fire = listening_timer_fire;
}
