/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "pool/stream/stream_op.h"

#include "base/fault.h"
#include "base/memory.h"
#include "pool/query/arguments.h"

#define ROWS_AT_ONCE 256
#define READS_AT_ONCE 8

static struct connection *stream_connection_of(struct stream_op *self)
{
	return self->command.lease->connection;
}

static bool stream_is_abandoned(struct stream_op *self)
{
	return self->outcome.status < 0 || atomic_load_explicit(&self->stream->is_abandoned, memory_order_acquire);
}

/* Stops reading when the reader is slow. */
static bool stream_pause_if_full(struct stream_op *self)
{
	shipopt_stream *stream = self->stream;
	if (self->is_canceling)
		return false;
	pthread_mutex_lock(&stream->lock);
	bool is_full = stream->waiting_bytes >= stream->window && !stream->is_abandoned;
	stream->is_paused = is_full;
	pthread_mutex_unlock(&stream->lock);
	return is_full;
}

static void stream_end(struct stream_op *self, int status, shipopt_error *error)
{
	shipopt_stream *stream = self->stream;
	stream_publish(self);
	pthread_mutex_lock(&stream->lock);
	stream->is_over = true;
	stream->status = status;
	stream->op = NULL;
	pthread_cond_broadcast(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
	self->command.op.value = self->rows;
	if (stream_connection_of(self)->pg)
		command_end(&self->command, status, error);
}

static void stream_finish(struct stream_op *self)
{
	bool abandoned = stream_is_abandoned(self);
	if (self->outcome.status < 0)
		stream_end(self, self->outcome.status, TAKE(self->outcome.error));
	else
		stream_end(self, abandoned && self->is_canceling ? SHIPOPT_ECANCELED : 0, NULL);
}

/* False: wait for more. */
static bool stream_read_copy(struct stream_op *self)
{
	struct connection *connection = stream_connection_of(self);
	char *bytes = NULL;
	int length = PQgetCopyData(connection->pg, &bytes, 1);
	if (length == 0)
		return false;
	if (length < 0) { /* the end; PQgetResult() has the outcome */
		self->is_copying = false;
		return true;
	}
	if (!self->is_canceling && !stream_pack_line(self, bytes, length))
		outcome_fail(&self->outcome, SHIPOPT_ENOMEM, NULL);
	PQfreemem(bytes);
	return true;
}

/* The statement is a COPY of another kind. Only the end of the connection ends it, and then the server rolls it
 * back. */
static void stream_refuse_copy(struct stream_op *self)
{
	shipopt_error *error = NULL;
	error_set(&error, SHIPOPT_EINVAL, "the statement is a COPY of another kind than this call runs");
	outcome_fail(&self->outcome, SHIPOPT_EINVAL, error);
	self->outcome.is_settled = true;
	stream_connection_of(self)->is_broken = true;
}

static void stream_take_result(struct stream_op *self, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	session_state_note(stream_connection_of(self), &self->query, result);
	if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
		command_take_error(&self->command, &self->outcome, result, self->query.sql->text);
	} else if (status == PGRES_COPY_OUT && self->is_copy) {
		self->is_copying = true;
		if (!stream_describe(self, result))
			outcome_fail(&self->outcome, SHIPOPT_ENOMEM, NULL);
	} else if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) {
		stream_refuse_copy(self);
	} else if (!outcome_note_rollback(&self->outcome, &self->query, result) && !self->is_copy &&
		!self->is_canceling) {
		if (!stream_describe(self, result) || !stream_pack_rows(self, result))
			outcome_fail(&self->outcome, SHIPOPT_ENOMEM, NULL);
	}
	PQclear(result);
}

/* Reads again if more has arrived, a few times. So the reader is woken once for a chunk, not for each 16 KiB of libpq's
 * buffer. */
static bool stream_reads_on(struct stream_op *self, int *reads)
{
	struct connection *connection = stream_connection_of(self);
	if (connection->is_broken || ++*reads > READS_AT_ONCE || !connection_is_readable(connection))
		return false;
	if (!PQconsumeInput(connection->pg))
		connection->is_broken = true;
	return !connection->is_broken;
}

static void stream_progress(struct command *command)
{
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	struct connection *connection = stream_connection_of(self);
	for (int steps = 0, reads = 0;; steps++) {
		if (stream_is_abandoned(self) && !self->is_canceling && !connection->is_broken) {
			self->is_canceling = true;
			if (!connection_cancel(connection))
				return;
		}
		if (steps % 64 == 0 && stream_pause_if_full(self)) {
			watch_stop(&connection->watch);
			return;
		}
		if (self->is_copying) {
			if (!stream_read_copy(self) && !stream_reads_on(self, &reads))
				break;
			continue;
		}
		if (!connection->is_broken && PQisBusy(connection->pg)) {
			if (!stream_reads_on(self, &reads))
				break;
			continue;
		}
		PGresult *result = PQgetResult(connection->pg);
		if (!result && PQstatus(connection->pg) != CONNECTION_BAD && !connection->is_broken) {
			stream_finish(self);
			return;
		}
		if (!result || PQstatus(connection->pg) == CONNECTION_BAD) {
			PQclear(result);
			connection->is_broken = true;
			break;
		}
		stream_take_result(self, result);
		if (connection->is_broken) /* a COPY of another kind: libpq would return the same result again */
			break;
	}
	stream_publish(self);
	if (connection->is_broken || !connection_flush(connection))
		connection_lose(connection, "the connection failed during a stream");
}

void stream_resume(struct task *task)
{
	shipopt_stream *stream = CONTAINER_OF(task, shipopt_stream, resume_task);
	pthread_mutex_lock(&stream->lock);
	stream->is_resuming = false;
	struct stream_op *self = stream->op;
	pthread_mutex_unlock(&stream->lock);
	if (self && self->command.state == COMMAND_RUNNING)
		stream_progress(&self->command);
	stream_unref(stream);
}

static int stream_start(struct command *command)
{
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	struct connection *connection = stream_connection_of(self);
	const struct shipopt_query *query = &self->query;
	struct query_arguments arguments;
	bool is_in_block = PQtransactionStatus(connection->pg) != PQTRANS_IDLE;
	if (!arguments_init(&arguments, query))
		return SHIPOPT_ENOMEM;
	bool ok = !fault_point() &&
		PQsendQueryParams(connection->pg, query->sql->text, (int)query->count, arguments.types,
			arguments.values, arguments.lengths, arguments.formats, query->is_binary);
	arguments_done(&arguments);
	if (!ok)
		return SHIPOPT_ENOMEM;
	self->outcome.may_commit = !self->is_copy && outcome_can_commit(query, is_in_block);
	if ((!self->is_copy && !libpq_set_rows_mode(connection->pg, ROWS_AT_ONCE)) || !connection_flush(connection))
		connection_lose(connection, "a stream could not be sent");
	return 0;
}

static struct outcome *stream_loss(struct command *command)
{
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	int failure = self->outcome.status;
	stream_end(self, failure < 0 ? failure : outcome_of_loss(&self->outcome), NULL);
	return &self->outcome;
}

/* The answers of a canceled stream are read to their end, also if it was paused. */
static bool stream_canceled(struct command *command)
{
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	outcome_fail(&self->outcome, command->is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT, NULL);
	stream_progress(command);
	return true;
}

static const char *stream_sql(struct command *command)
{
	return CONTAINER_OF(command, struct stream_op, command)->query.sql->text;
}

/* The command has ended, perhaps without having run. Wakes the reader. */
static void stream_failed(struct command *command, int status)
{
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	pthread_mutex_lock(&self->stream->lock);
	if (!self->stream->is_over) {
		self->stream->is_over = true;
		self->stream->status = status;
	}
	self->stream->op = NULL;
	pthread_cond_broadcast(&self->stream->changed);
	pthread_mutex_unlock(&self->stream->lock);
}

const struct command_class stream_class = {.start = stream_start,
	.progress = stream_progress,
	.loss = stream_loss,
	.canceled = stream_canceled,
	.sql = stream_sql,
	.ended = stream_failed};
