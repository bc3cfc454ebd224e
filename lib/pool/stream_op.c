/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "pool/stream.h"
#include "pool/type.h"

/*
 * The reactor's side of a stream: single-row mode (in chunks where libpq has them) or COPY TO STDOUT, packed for the reader.
 */
#define ROWS_AT_ONCE 256
#define READS_AT_ONCE 8

struct stream_op {
	struct command command;
	shipopt_stream *stream; /* a reference */
	struct shipopt_query query;
	bool is_copy, is_copying, was_in_block;
	bool is_canceling;
	bool is_refused; /* `failure` is the server's word */
	int64_t rows;
	int failure;
	shipopt_error *error;
	struct stream_chunk *filling;
};

static struct connection *stream_connection_of(struct stream_op *self)
{
	return self->command.lease->connection;
}

/* ---- packing ------------------------------------------------------------------------------------------------- */

static bool stream_reserve(struct stream_chunk *chunk, size_t values, size_t bytes)
{
	if (chunk->value_count + values > chunk->value_room) {
		size_t room = MAX(chunk->value_count + values, MAX(chunk->value_room * 2, (size_t)256));
		struct packed_value *grown = mem_realloc(chunk->values, room * sizeof(*grown));
		if (!grown)
			return false;
		chunk->values = grown;
		chunk->value_room = room;
	}
	if (chunk->length + bytes > chunk->room) {
		size_t room = MAX(chunk->length + bytes, STREAM_CHUNK_BYTES + 4096);
		char *grown = mem_realloc(chunk->bytes, room);
		if (!grown)
			return false;
		chunk->bytes = grown;
		chunk->room = room;
	}
	return true;
}

static void stream_pack_value(struct stream_chunk *chunk, const char *bytes, int length)
{
	chunk->values[chunk->value_count++] =
		(struct packed_value){.offset = (uint32_t)chunk->length, .length = length};
	if (length < 0)
		return;
	memcpy(chunk->bytes + chunk->length, bytes, (size_t)length);
	chunk->bytes[chunk->length + (size_t)length] = '\0';
	chunk->length += (size_t)length + 1;
}

static void stream_publish(struct stream_op *self)
{
	shipopt_stream *stream = self->stream;
	struct stream_chunk *chunk = TAKE(self->filling);
	if (!chunk)
		return;
	pthread_mutex_lock(&stream->lock);
	if (stream->last)
		stream->last->next = chunk;
	else
		stream->first = chunk;
	stream->last = chunk;
	stream->waiting_bytes += chunk->length;
	pthread_cond_signal(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
}

static bool stream_chunk_for(struct stream_op *self, size_t values, size_t bytes)
{
	if (self->filling && self->filling->length + bytes > STREAM_CHUNK_BYTES)
		stream_publish(self);
	if (!self->filling)
		self->filling = mem_alloc_zero(sizeof(*self->filling));
	return self->filling && stream_reserve(self->filling, values, bytes);
}

static bool stream_pack_rows(struct stream_op *self, const PGresult *result)
{
	int columns = PQnfields(result);
	for (int row = 0; row < PQntuples(result); row++) {
		size_t bytes = 0;
		for (int i = 0; i < columns; i++)
			bytes += (size_t)PQgetlength(result, row, i) + 1;
		if (!stream_chunk_for(self, (size_t)columns, bytes))
			return false;
		for (int i = 0; i < columns; i++) {
			int length = PQgetlength(result, row, i);
			if (length == 0 && PQgetisnull(result, row, i))
				length = -1;
			stream_pack_value(self->filling, PQgetvalue(result, row, i), length);
		}
		self->filling->rows++;
		self->rows++;
	}
	return true;
}

/* COPY's own columns lie inside its lines. */
static PGresult *stream_describe_copy(const PGresult *result)
{
	bool is_binary = PQbinaryTuples(result);
	PGresAttDesc column = {.name = (char[]){"data"},
		.typid = is_binary ? TYPE_BYTEA : TYPE_TEXT,
		.format = is_binary,
		.typlen = -1,
		.atttypmod = -1};
	PGresult *description = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	if (description && PQsetResultAttrs(description, 1, &column))
		return description;
	PQclear(description);
	return NULL;
}

/* The columns are told by the first result. */
static bool stream_describe(struct stream_op *self, PGresult *result)
{
	shipopt_stream *stream = self->stream;
	if (stream->description)
		return true;
	PGresult *description = self->is_copy ? stream_describe_copy(result) : PQcopyResult(result, PG_COPYRES_ATTRS);
	pthread_mutex_lock(&stream->lock);
	stream->description = description;
	pthread_mutex_unlock(&stream->lock);
	return description != NULL;
}

/* ---- the flow ------------------------------------------------------------------------------------------------ */

static bool stream_is_abandoned(struct stream_op *self)
{
	return self->failure < 0 || atomic_load_explicit(&self->stream->is_abandoned, memory_order_acquire);
}

/* Stops reading when the reader is behind. */
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

static void stream_fail(struct stream_op *self, int status, shipopt_error *error)
{
	if (self->failure == 0) {
		self->failure = status;
		self->error = error;
	} else {
		shipopt_error_unref(error);
	}
}

static void stream_finish(struct stream_op *self)
{
	bool abandoned = stream_is_abandoned(self);
	if (self->failure < 0)
		stream_end(self, self->failure, TAKE(self->error));
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
	if (length < 0) { /* the end; PQgetResult() tells how it went */
		self->is_copying = false;
		return true;
	}
	if (!self->is_canceling && stream_chunk_for(self, 1, (size_t)length + 1)) {
		stream_pack_value(self->filling, bytes, length);
		self->filling->rows++;
		self->rows++;
	} else if (!self->is_canceling) {
		stream_fail(self, SHIPOPT_ENOMEM, NULL);
	}
	PQfreemem(bytes);
	return true;
}

static void stream_take_result(struct stream_op *self, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	shipopt_error *error = NULL;
	session_state_note(stream_connection_of(self), &self->query, result);
	if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
		int code = command_result_error(&self->command, result, &error);
		self->is_refused = self->is_refused || command_is_refusal(result);
		stream_fail(self, code, error);
	} else if (status == PGRES_COPY_OUT && self->is_copy) {
		self->is_copying = true;
		if (!stream_describe(self, result))
			stream_fail(self, SHIPOPT_ENOMEM, NULL);
	} else if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) {
		stream_fail(self, SHIPOPT_EINVAL, NULL);
		stream_connection_of(self)->is_broken =
			true; /* there is no way out of it but the end of the connection */
	} else if (!self->is_copy && !self->is_canceling) {
		if (!stream_describe(self, result) || !stream_pack_rows(self, result))
			stream_fail(self, SHIPOPT_ENOMEM, NULL);
	}
	PQclear(result);
}

/* Reads on where more has come meanwhile, a few times: the reader is woken once for a chunk, not for each 16 KiB of libpq's buffer. */
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
		if (connection->is_broken) /* a COPY of another kind: libpq would give the same result for ever */
			break;
	}
	stream_publish(self);
	if (connection->is_broken || !connection_flush(connection))
		connection_lose(connection, "the connection failed during a stream");
}

/* The reader has made room, or gone. */
static void stream_resume(struct task *task)
{
	shipopt_stream *stream = CONTAINER_OF(task, shipopt_stream, resume_task);
	pthread_mutex_lock(&stream->lock);
	stream->is_resuming = false;
	struct stream_op *self = stream->op;
	pthread_mutex_unlock(&stream->lock);
	if (self && self->command.is_running && stream_connection_of(self)->command == &self->command)
		stream_progress(&self->command);
	stream_unref(stream);
}

static int stream_start(struct command *command)
{
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	struct connection *connection = stream_connection_of(self);
	const struct shipopt_query *query = &self->query;
	const char **values = NULL;
	int *lengths = NULL, *formats = NULL, ok;
	Oid *types = NULL;
	if (query->count) {
		values = mem_alloc_array(query->count, sizeof(*values) + 2 * sizeof(int) + sizeof(Oid));
		if (!values)
			return SHIPOPT_ENOMEM;
		lengths = (int *)(void *)(values + query->count);
		formats = lengths + query->count;
		types = (Oid *)(formats + query->count);
	}
	for (size_t i = 0; i < query->count; i++) {
		const struct parameter *parameter = &query->parameters[i];
		values[i] = parameter->offset == SIZE_MAX ? NULL : query->bytes + parameter->offset;
		lengths[i] = (int)parameter->length;
		formats[i] = parameter->format;
		types[i] = parameter->type;
	}
	self->was_in_block = PQtransactionStatus(connection->pg) != PQTRANS_IDLE;
	ok = !fault_point() &&
		PQsendQueryParams(connection->pg, query->sql->text, (int)query->count, types, values, lengths, formats,
			query->is_binary);
	mem_free(values);
	if (!ok)
		return SHIPOPT_ENOMEM;
	if ((!self->is_copy && !libpq_set_rows_mode(connection->pg, ROWS_AT_ONCE)) || !connection_flush(connection))
		connection_lose(connection, "a stream could not be sent");
	return 0;
}

static int stream_loss(struct command *command)
{
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	int status =
		self->was_in_block || self->is_copy || self->query.is_read_only ? SHIPOPT_ENETWORK : SHIPOPT_EINDOUBT;
	if (self->failure == SHIPOPT_EINVAL) /* the statement itself was wrong: nothing of it is in doubt */
		status = SHIPOPT_EINVAL;
	stream_end(self, self->failure < 0 ? self->failure : status, NULL);
	if (!self->is_refused)
		return status;
	command->status = self->failure; /* rolled back, whatever becomes of the connection */
	command->error = TAKE(self->error);
	return command->status;
}

/* A paused stream has to be read to its end for the cancel to have one. */
static bool stream_canceled(struct command *command)
{
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	stream_fail(self, command->is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT, NULL);
	stream_progress(command);
	return true;
}

static const char *stream_sql(struct command *command)
{
	return CONTAINER_OF(command, struct stream_op, command)->query.sql->text;
}

static void stream_destroy(shipopt_op *op)
{
	struct stream_op *self = CONTAINER_OF(op, struct stream_op, command.op);
	if (self->stream) { /* also when it never got to a connection */
		pthread_mutex_lock(&self->stream->lock);
		self->stream->op = NULL;
		pthread_mutex_unlock(&self->stream->lock);
	}
	stream_chunk_free(self->filling);
	shipopt_error_unref(self->error);
	query_done(&self->query);
	stream_unref(self->stream);
	command_destroy(&self->command);
}

/* The command ended without having run: the reader must hear of it. */
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

static const struct op_class stream_op_class = {sizeof(struct stream_op), command_cancel, stream_destroy,
	SHIPOPT_DOMAIN_DATABASE};
static const struct command_class stream_class = {.start = stream_start,
	.progress = stream_progress,
	.loss = stream_loss,
	.canceled = stream_canceled,
	.sql = stream_sql,
	.ended = stream_failed};

/* ---- public -------------------------------------------------------------------------------------------------- */

static int stream_new(shipopt_pool *pool, struct stream_op *self, shipopt_stream **ret_stream)
{
	shipopt_stream *stream = mem_alloc_zero(sizeof(*stream));
	if (!stream || condition_init(&stream->changed) < 0) {
		mem_free(stream);
		return SHIPOPT_ENOMEM;
	}
	pthread_mutex_init(&stream->lock, NULL);
	reference_init(&stream->reference);
	stream->pool = pool_ref(pool);
	stream->window = (size_t)pool_setting(pool, POOL_STREAM_BYTES);
	stream->resume_task.run = stream_resume;
	stream->op = self;
	*ret_stream = stream;
	return 0;
}

static int stream_run_stream(shipopt_pool *pool, shipopt_lease *lease, const shipopt_query *query, bool is_copy,
	shipopt_stream **ret_stream, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	struct command *command;
	shipopt_stream *stream = NULL;
	int r = command_new(&stream_op_class, &stream_class, pool, lease, done, userdata, ret_op, &command);
	if (r < 0)
		return r;
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	self->is_copy = is_copy;
	command->timeout_ms = query->timeout_ms;
	r = query_copy(&self->query, query);
	r = r < 0 ? r : stream_new(command->pool, self, &stream);
	if (r == 0) {
		reference_take(&stream->reference);
		self->stream = stream;
		*ret_stream = stream;
	}
	return command_submit(command, r, ret_op);
}

int shipopt_pool_stream(shipopt_pool *pool, const shipopt_query *query, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return pool && query && ret_stream
		? stream_run_stream(pool, NULL, query, false, ret_stream, done, userdata, ret_op)
		: SHIPOPT_EINVAL;
}

int shipopt_lease_stream(shipopt_lease *lease, const shipopt_query *query, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return lease && query && ret_stream
		? stream_run_stream(NULL, lease, query, false, ret_stream, done, userdata, ret_op)
		: SHIPOPT_EINVAL;
}

int shipopt_lease_copy_out(shipopt_lease *lease, const char *sql, shipopt_stream **ret_stream, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	struct shipopt_query query;
	if (!lease || !sql || !ret_stream)
		return SHIPOPT_EINVAL;
	int r = query_init(&query, sql);
	if (r < 0)
		return r;
	r = query.sql->marks & SQL_COPY_OUT
		? stream_run_stream(NULL, lease, &query, true, ret_stream, done, userdata, ret_op)
		: SHIPOPT_EINVAL;
	query_done(&query);
	return r;
}
