/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "pool/stream/stream_op.h"

/* The public calls that run a stream. */

static void stream_destroy(shipopt_op *op)
{
	struct stream_op *self = CONTAINER_OF(op, struct stream_op, command.op);
	if (self->stream) { /* also when it never got to a connection */
		pthread_mutex_lock(&self->stream->lock);
		self->stream->op = NULL;
		pthread_mutex_unlock(&self->stream->lock);
	}
	stream_chunk_free(self->filling);
	shipopt_error_unref(self->outcome.error);
	query_done(&self->query);
	stream_unref(self->stream);
	command_destroy(&self->command);
}

static const struct op_class stream_op_class = {sizeof(struct stream_op), command_cancel, stream_destroy,
	SHIPOPT_DOMAIN_DATABASE};

/* A READY event on its way keeps the stream, and the operation that it names. */
static void stream_hold(void *object)
{
	shipopt_stream *stream = object;
	reference_take(&stream->reference);
	shipopt_op_ref(stream->ready.entry.event.op);
}

static void stream_drop(void *object)
{
	shipopt_stream *stream = object;
	shipopt_op *op = stream->ready.entry.event.op;
	stream_unref(stream);
	shipopt_op_unref(op);
}

static int stream_init_ready(shipopt_stream *stream, shipopt_op *op)
{
	shipopt_event event = {.userdata = (uint64_t)(uintptr_t)op->userdata,
		.op = op,
		.value = (uint64_t)(uintptr_t)stream};
	int r = ready_event_init(&stream->ready, op->delivery.queue, &event);
	ready_event_set_object(&stream->ready, stream, stream_hold, stream_drop);
	return r;
}

static int stream_new(struct stream_op *self, bool has_ready, shipopt_stream **ret_stream)
{
	shipopt_pool *pool = self->command.pool;
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
	int r = has_ready ? stream_init_ready(stream, &self->command.op) : 0;
	if (r < 0)
		stream_unref(stream);
	else
		*ret_stream = stream;
	return r;
}

static int stream_run(shipopt_pool *pool, shipopt_lease *lease, const shipopt_query *query, bool is_copy,
	bool has_ready, shipopt_stream **ret_stream, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	struct command *command;
	shipopt_stream *stream = NULL;
	int r = command_new(&stream_op_class, &stream_class, pool, lease, NULL, done, userdata, ret_op, &command);
	if (r < 0)
		return r;
	struct stream_op *self = CONTAINER_OF(command, struct stream_op, command);
	self->is_copy = is_copy;
	command->timeout_ms = query->timeout_ms;
	r = query_copy(&self->query, query);
	r = r < 0 ? r : stream_new(self, has_ready, &stream);
	if (r == 0) {
		reference_take(&stream->reference);
		self->stream = stream;
		*ret_stream = stream;
	}
	return command_submit(command, r, ret_op);
}

/* The arguments are wrong: there is no stream, and the operation fails. */
static int stream_refuse(shipopt_pool *pool, shipopt_stream **ret_stream, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op, int status, shipopt_error *error)
{
	int r = op_refuse(pool->runtime, &pool->delivery, done, userdata, ret_op, status, error);
	if (r == 0)
		*ret_stream = NULL;
	return r;
}

int stream_run_query(shipopt_pool *pool, shipopt_lease *lease, const shipopt_query *query, bool has_ready,
	shipopt_stream **ret_stream, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	shipopt_error *error = NULL;
	if (!query || !ret_stream)
		return SHIPOPT_EINVAL;
	int r = query_check(query, &error);
	if (r < 0)
		return stream_refuse(pool, ret_stream, done, userdata, ret_op, r, error);
	return stream_run(pool, lease, query, false, has_ready, ret_stream, done, userdata, ret_op);
}

int shipopt_pool_stream(shipopt_pool *pool, const shipopt_query *query, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return pool ? stream_run_query(pool, NULL, query, true, ret_stream, done, userdata, ret_op) : SHIPOPT_EINVAL;
}

int shipopt_lease_stream(shipopt_lease *lease, const shipopt_query *query, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return lease ? stream_run_query(lease->pool, lease, query, true, ret_stream, done, userdata, ret_op)
		     : SHIPOPT_EINVAL;
}

int shipopt_lease_copy_out(shipopt_lease *lease, const char *sql, shipopt_stream **ret_stream, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	struct shipopt_query query;
	shipopt_error *error = NULL;
	if (!lease || !sql || !ret_stream)
		return SHIPOPT_EINVAL;
	int r = query_init_copy(&query, sql, SQL_COPY_OUT, &error);
	if (r == SHIPOPT_ENOMEM)
		return r;
	if (r < 0)
		return stream_refuse(lease->pool, ret_stream, done, userdata, ret_op, r, error);
	r = stream_run(lease->pool, lease, &query, true, true, ret_stream, done, userdata, ret_op);
	query_done(&query);
	return r;
}
