/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include <stdio.h>

#include "base/text.h"
#include "pool/listen/listen_connection.h"
#include "pool/listen/listener.h"
#include "pool/server/sqlstate.h"

/* What the server sends on the connection that listens: answers to LISTEN, and notifications. */

static void listen_answer_refuse(struct listen_connection *self, int status, shipopt_error *error)
{
	if (self->refusal == 0) {
		self->refusal = status;
		self->refusal_error = shipopt_error_ref(error);
	}
	shipopt_error_unref(error);
}

static void listen_answer_take_error(struct listen_connection *self, const PGresult *result)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char said[DIAL_MESSAGE_SIZE], message[DIAL_MESSAGE_SIZE + 32];
	conninfo_copy_said(self->conninfo, self->pg, primary ? primary : "no message", said, sizeof(said));
	snprintf(message, sizeof(message), "LISTEN was refused: %s", said);
	bool is_standby = sqlstate_is(sqlstate, SQLSTATE_READ_ONLY_TRANSACTION);
	struct error_detail detail = {.code = is_standby ? SHIPOPT_ESTATE : SHIPOPT_EDATABASE,
		.message = message,
		.sqlstate = sqlstate,
		.domain = ERROR_DOMAIN,
		.retry_after_ms = -1};
	listen_answer_refuse(self, detail.code, error_new_detail(&detail));
}

static void listen_answer_take_pid(struct listen_connection *self, const PGresult *result)
{
	int64_t pid = 0;
	shipopt_error *error = NULL;
	if (PQntuples(result) != 1 || PQnfields(result) < 1) {
		error_set(&error, SHIPOPT_EPROTOCOL,
			"the server answered the question for its process id with %d rows of %d columns",
			PQntuples(result), PQnfields(result));
		listen_answer_refuse(self, SHIPOPT_EPROTOCOL, error);
	} else if (text_parse_i64(PQgetvalue(result, 0, 0), &pid) < 0 || pid != PQbackendPID(self->pg)) {
		error_set(&error, SHIPOPT_EUNSUPPORTED,
			"the connection goes to a pooler, which may lose notifications: set listen_conninfo to the server itself");
		listen_answer_refuse(self, SHIPOPT_EUNSUPPORTED, error);
	}
	self->is_checked = true;
}

static void listen_answer_answered(struct listen_connection *self)
{
	timer_stop(&self->timer);
	self->state = LISTEN_READY;
	if (PQstatus(self->pg) == CONNECTION_BAD || (!self->is_checked && self->refusal == 0)) {
		listen_connection_lose(self, "LISTEN was not answered");
	} else if (self->refusal < 0) {
		listen_connection_fail(self, self->refusal, TAKE(self->refusal_error));
	} else {
		LIST_FOREACH(node, &self->listeners)
			listener_grant(listener_at(node));
		listen_connection_update(self);
	}
}

void listen_answer_take_all(struct listen_connection *self)
{
	while (self->state == LISTEN_ASKING && !PQisBusy(self->pg)) {
		PGresult *result = PQgetResult(self->pg);
		if (!result) {
			listen_answer_answered(self);
			return;
		}
		ExecStatusType status = PQresultStatus(result);
		if (status == PGRES_FATAL_ERROR)
			listen_answer_take_error(self, result);
		else if (status == PGRES_TUPLES_OK && !self->is_checked)
			listen_answer_take_pid(self, result);
		PQclear(result);
		if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT ||
			status == PGRES_COPY_BOTH) /* libpq would return it again and again */
			listen_connection_lose(self, "LISTEN was answered with a COPY");
	}
}

void listen_answer_take_notifications(struct listen_connection *self)
{
	PGnotify *notify;
	while (self->pg && (notify = PQnotifies(self->pg))) {
		pool_count(self->pool, SHIPOPT_POOL_STAT_NOTIFICATIONS, 1);
		LIST_FOREACH(node, &self->listeners)
			listener_notify(listener_at(node), notify->relname, notify->extra, notify->be_pid);
		PQfreemem(notify);
	}
}
