/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "base/fault.h"
#include "base/memory.h"
#include "pool/stream/copy.h"

/* The event loop's part of a COPY FROM STDIN. */

static struct connection *copy_connection_of(struct copy_op *self)
{
	return self->command.lease->connection;
}

static int copy_stop_status(const struct copy_op *self)
{
	return self->command.has_timed_out && !self->command.is_canceled ? SHIPOPT_ETIMEDOUT : SHIPOPT_ECANCELED;
}

/* ---- sending ------------------------------------------------------------------------------------------------- */

/* Takes the pieces that wait, and what the application has said about the end. */
static enum copy_input copy_take_pieces(struct copy_op *self)
{
	shipopt_copy *copy = self->copy;
	pthread_mutex_lock(&copy->lock);
	self->sending = copy->first;
	copy->first = copy->last = NULL;
	copy->waiting_bytes = 0;
	enum copy_input input = copy->input;
	bool signals = copy->is_room_wanted;
	copy->is_room_wanted = false;
	pthread_cond_broadcast(&copy->changed);
	pthread_mutex_unlock(&copy->lock);
	if (signals)
		ready_event_signal(&copy->ready);
	return input;
}

/* Gives the pieces to libpq as long as it keeps up. 1: all are given, 0: libpq has to send first, -1: the connection
 * has failed. */
static int copy_put_pieces(struct copy_op *self)
{
	PGconn *pg = copy_connection_of(self)->pg;
	while (self->sending) {
		int pending = PQflush(pg);
		if (pending != 0)
			return pending > 0 ? 0 : -1;
		struct copy_piece *piece = self->sending;
		/* 0 would mean that libpq has no memory for it; what it had before is sent already. */
		if (fault_point() || PQputCopyData(pg, piece->bytes, (int)piece->length) != 1)
			return -1;
		self->sending = piece->next;
		mem_free(piece);
	}
	return 1;
}

static bool copy_put_end(struct copy_op *self, bool gives_up)
{
	if (fault_point() || PQputCopyEnd(copy_connection_of(self)->pg, gives_up ? "the client gave up" : NULL) != 1)
		return false;
	if (gives_up)
		outcome_fail(&self->outcome, copy_stop_status(self), NULL);
	self->phase = COPY_ENDED;
	/* Nothing is committed before the end of the data was sent. */
	self->outcome.may_commit = !gives_up && !self->was_in_block;
	return true;
}

/* Sends what waits. False: the connection has failed. */
static bool copy_send(struct copy_op *self)
{
	while (self->phase == COPY_SENDING) {
		int r = copy_put_pieces(self);
		if (r <= 0)
			return r == 0;
		enum copy_input input = copy_take_pieces(self);
		if (self->sending)
			continue;
		if (input == COPY_INPUT_OPEN && !self->is_stopped)
			return true;
		if (!copy_put_end(self, input == COPY_INPUT_ABANDONED || self->is_stopped))
			return false;
	}
	return true;
}

/* ---- receiving ----------------------------------------------------------------------------------------------- */

/* Not a COPY from STDIN. libpq would return the same result again and again, so the connection has to end. */
static void copy_refuse(struct copy_op *self)
{
	shipopt_error *error = NULL;
	error_set(&error, SHIPOPT_EINVAL, "the statement is not a COPY from STDIN");
	outcome_fail(&self->outcome, SHIPOPT_EINVAL, error);
	self->outcome.is_settled = true;
}

static void copy_take_result(struct copy_op *self, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_COPY_IN) {
		self->phase = COPY_SENDING;
	} else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
		command_take_error(&self->command, &self->outcome, result, self->query.sql->text);
		self->phase = COPY_ENDED;
	} else if (status == PGRES_COMMAND_OK) {
		self->command.op.value = strtoll(PQcmdTuples(result), NULL, 10);
		self->phase = COPY_ENDED;
	} else {
		copy_refuse(self);
	}
	PQclear(result);
}

/* Reads answers. False: the command or the connection has ended. While pieces are sent the server says nothing but an
 * early error, which libpq reports after the end of the data. */
static bool copy_receive(struct copy_op *self)
{
	struct connection *connection = copy_connection_of(self);
	while (connection->is_broken || (self->phase != COPY_SENDING && !PQisBusy(connection->pg))) {
		PGresult *result = PQgetResult(connection->pg);
		bool is_bad = connection->is_broken || PQstatus(connection->pg) == CONNECTION_BAD;
		if (!result && !is_bad) {
			command_end(&self->command, self->outcome.status, TAKE(self->outcome.error));
			return false;
		}
		if (result && PQstatus(connection->pg) != CONNECTION_BAD)
			copy_take_result(self, result);
		else
			PQclear(result);
		if (self->outcome.is_settled)
			connection_lose(connection, "the statement is not a COPY from STDIN");
		else if (!result || PQstatus(connection->pg) == CONNECTION_BAD)
			connection_lose(connection, "the connection failed during a COPY");
		else if (self->phase == COPY_SENDING)
			return true; /* until the end is sent libpq returns this result again and again */
		else
			continue;
		return false;
	}
	return true;
}

static void copy_progress(struct command *command)
{
	struct copy_op *self = CONTAINER_OF(command, struct copy_op, command);
	struct connection *connection = copy_connection_of(self);
	bool is_good;
	int pending;
	if (!copy_receive(self))
		return;
	do { /* the socket does not report again room that came between the two, nor the end that libpq has seen */
		is_good = copy_send(self) && !connection->is_broken && connection_flush(connection);
		pending = is_good && self->phase == COPY_SENDING && self->sending ? PQflush(connection->pg) : 1;
	} while (pending == 0);
	if (!is_good || pending < 0)
		connection_lose(connection, "the connection failed during a COPY");
}

void copy_wake(struct task *task)
{
	shipopt_copy *copy = CONTAINER_OF(task, shipopt_copy, wake_task);
	pthread_mutex_lock(&copy->lock);
	copy->is_posted = false;
	struct copy_op *self = copy->op;
	pthread_mutex_unlock(&copy->lock);
	if (self && self->command.state == COMMAND_RUNNING)
		copy_progress(&self->command);
	copy_unref(copy);
}

/* ---- as a command -------------------------------------------------------------------------------------------- */

static int copy_start(struct command *command)
{
	struct copy_op *self = CONTAINER_OF(command, struct copy_op, command);
	struct connection *connection = copy_connection_of(self);
	self->was_in_block = PQtransactionStatus(connection->pg) != PQTRANS_IDLE;
	if (fault_point() || !PQsendQueryParams(connection->pg, self->query.sql->text, 0, NULL, NULL, NULL, NULL, 0))
		return SHIPOPT_ENOMEM;
	if (!connection_flush(connection))
		connection_lose(connection, "a COPY could not be sent");
	return 0;
}

static struct outcome *copy_loss(struct command *command)
{
	return &CONTAINER_OF(command, struct copy_op, command)->outcome;
}

/* While pieces are sent the protocol's own way to give up is used. A cancel request follows if the server does not read
 * it, for example because it waits for a lock. In other phases the request is sent at once. */
static bool copy_canceled(struct command *command)
{
	struct copy_op *self = CONTAINER_OF(command, struct copy_op, command);
	self->is_stopped = true;
	if (self->phase != COPY_SENDING)
		return false;
	outcome_fail(&self->outcome, copy_stop_status(self), NULL);
	copy_free_pieces(TAKE(self->sending));
	connection_cancel_later(copy_connection_of(self));
	copy_progress(command);
	return true;
}

static void copy_ended(struct command *command, int status)
{
	shipopt_copy *copy = CONTAINER_OF(command, struct copy_op, command)->copy;
	pthread_mutex_lock(&copy->lock);
	copy->is_over = true;
	copy->op = NULL;
	pthread_cond_broadcast(&copy->changed);
	pthread_mutex_unlock(&copy->lock);
}

static const char *copy_sql(struct command *command)
{
	return CONTAINER_OF(command, struct copy_op, command)->query.sql->text;
}

const struct command_class copy_class = {.start = copy_start,
	.progress = copy_progress,
	.loss = copy_loss,
	.canceled = copy_canceled,
	.sql = copy_sql,
	.ended = copy_ended};
