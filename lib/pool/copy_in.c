/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "pool/command.h"
#include "pool/query.h"
#include "runtime/thread.h"

/*
 * COPY … FROM STDIN: the host writes pieces, the reactor hands them to libpq.
 *
 * Pieces wait in a list under `lock`, at most `window` bytes of them. The reactor takes all that wait, gives them to libpq as
 * long as that has sent what it had before, and goes on when the socket has room. A finish, or its absence when the handle
 * is freed, is a mark behind the last piece. References: the host's handle and the operation's.
 */
struct piece {
	struct piece *next;
	size_t length;
	char bytes[];
};

struct copy_op;

struct shipopt_copy {
	struct reference reference;
	shipopt_pool *pool; /* a reference */
	size_t window;

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	struct piece *first, *last;
	size_t waiting_bytes;
	bool is_finished, is_abandoned, is_over, is_posted;
	struct task wake_task;
	struct copy_op *op; /* NULL once the command has ended; the reactor's */
};

struct copy_op {
	struct command command;
	shipopt_copy *copy; /* a reference */
	struct shipopt_query query;
	bool is_copying, is_ended, was_in_block;
	bool is_stopped; /* canceled, or its deadline passed */
	bool is_other;   /* another kind of statement after all */
	struct piece *sending;
	int failure;
	shipopt_error *error;
};

static struct connection *copy_connection_of(struct copy_op *self)
{
	return self->command.lease->connection;
}

static void copy_unref(shipopt_copy *copy)
{
	if (!copy || !reference_drop(&copy->reference))
		return;
	while (copy->first) {
		struct piece *piece = copy->first;
		copy->first = piece->next;
		mem_free(piece);
	}
	pthread_cond_destroy(&copy->changed);
	pthread_mutex_destroy(&copy->lock);
	shipopt_pool *pool = copy->pool;
	mem_free(copy);
	pool_unref(pool);
}

/* ---- the reactor's side -------------------------------------------------------------------------------------- */

static void copy_free_pieces(struct piece *piece)
{
	while (piece) {
		struct piece *next = piece->next;
		mem_free(piece);
		piece = next;
	}
}

/* What waits now, and what comes behind it. */
static bool copy_take_pieces(struct copy_op *self, bool *ret_is_last, bool *ret_is_abandoned)
{
	shipopt_copy *copy = self->copy;
	pthread_mutex_lock(&copy->lock);
	self->sending = copy->first;
	copy->first = copy->last = NULL;
	copy->waiting_bytes = 0;
	*ret_is_last = copy->is_finished || copy->is_abandoned;
	*ret_is_abandoned = copy->is_abandoned && !copy->is_finished;
	pthread_cond_broadcast(&copy->changed);
	pthread_mutex_unlock(&copy->lock);
	return self->sending != NULL;
}

/* Hands over what waits while libpq keeps up. False: the connection has failed. */
static bool copy_send_pieces(struct copy_op *self)
{
	PGconn *pg = copy_connection_of(self)->pg;
	bool is_last = false, is_abandoned = false;
	while (!self->is_ended) {
		while (self->sending) {
			int pending = PQflush(pg);
			if (pending != 0)
				return pending > 0;
			struct piece *piece = self->sending;
			/* 0: it was not taken, for want of memory; what libpq had before is sent. */
			if (fault_point() || PQputCopyData(pg, piece->bytes, (int)piece->length) != 1)
				return false;
			self->sending = piece->next;
			mem_free(piece);
		}
		if (copy_take_pieces(self, &is_last, &is_abandoned))
			continue;
		if (!is_last && !self->is_stopped)
			return true;
		const char *reason = is_abandoned || self->is_stopped ? "the client gave up" : NULL;
		if (fault_point() || PQputCopyEnd(pg, reason) != 1)
			return false;
		if (reason && self->failure == 0)
			self->failure = self->command.has_timed_out && !self->command.is_canceled ? SHIPOPT_ETIMEDOUT
												  : SHIPOPT_ECANCELED;
		self->is_ended = true;
	}
	return true;
}

static void copy_end(struct copy_op *self, int status, shipopt_error *error)
{
	command_end(&self->command, status, error);
}

static void copy_take_result(struct copy_op *self, PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	shipopt_error *error = NULL;
	if (status == PGRES_COPY_IN) {
		self->is_copying = true;
	} else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
		int code = command_result_error(&self->command, result, &error);
		/* That the client gave up is said by the server too. */
		if (self->failure == 0) {
			self->failure = code;
			self->error = error;
		} else {
			shipopt_error_unref(error);
		}
		self->is_copying = false;
	} else if (status == PGRES_COMMAND_OK) {
		self->command.op.value = strtoll(PQcmdTuples(result), NULL, 10);
		self->is_copying = false;
	} else {
		self->is_other = true; /* not a COPY FROM STDIN: libpq would give the same result for ever */
	}
	PQclear(result);
}

static void copy_progress(struct command *command)
{
	struct copy_op *self = CONTAINER_OF(command, struct copy_op, command);
	struct connection *connection = copy_connection_of(self);
	/* While pieces are sent there is nothing to read but an early error, which ends the copy. */
	while (connection->is_broken || !self->is_copying || self->is_ended || !PQisBusy(connection->pg)) {
		if (!connection->is_broken && PQisBusy(connection->pg))
			break;
		if (self->is_copying && !self->is_ended && !connection->is_broken)
			break;
		PGresult *result = PQgetResult(connection->pg);
		if (!result || PQstatus(connection->pg) == CONNECTION_BAD) {
			PQclear(result);
			if (connection->is_broken || PQstatus(connection->pg) == CONNECTION_BAD) {
				connection_lose(connection, "the connection failed during a COPY");
				return;
			}
			copy_end(self, self->failure, TAKE(self->error));
			return;
		}
		copy_take_result(self, result);
		if (self->is_other) {
			connection_lose(connection, "the statement is not a COPY from STDIN");
			return;
		}
		if (self->is_copying)
			break;
	}
	bool is_good;
	int pending;
	do { /* room that came between the two is not told by the socket again, nor is the end of one that libpq has closed */
		is_good = (!self->is_copying || copy_send_pieces(self)) && !connection->is_broken &&
			connection_flush(connection);
		pending = is_good && self->is_copying && self->sending ? PQflush(connection->pg) : 1;
	} while (pending == 0);
	if (!is_good || pending < 0)
		connection_lose(connection, "the connection failed during a COPY");
}

static void copy_wake(struct task *task)
{
	shipopt_copy *copy = CONTAINER_OF(task, shipopt_copy, wake_task);
	pthread_mutex_lock(&copy->lock);
	copy->is_posted = false;
	struct copy_op *self = copy->op;
	pthread_mutex_unlock(&copy->lock);
	if (self && self->command.is_running && copy_connection_of(self)->command == &self->command)
		copy_progress(&self->command);
	copy_unref(copy);
}

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

/* Nothing is committed before the end of the data was sent. */
static int copy_loss(struct command *command)
{
	struct copy_op *self = CONTAINER_OF(command, struct copy_op, command);
	if (self->is_other)
		return SHIPOPT_EINVAL;
	return self->is_ended && self->failure == 0 && !self->was_in_block ? SHIPOPT_EINDOUBT : SHIPOPT_ENETWORK;
}

/* While pieces are sent the protocol's own way to give up is used; a request when the server is at work on the rest, or does not
 * come to read that, as it may wait for a lock. */
static bool copy_canceled(struct command *command)
{
	struct copy_op *self = CONTAINER_OF(command, struct copy_op, command);
	self->is_stopped = true;
	if (!self->is_copying || self->is_ended)
		return false;
	self->failure = command->is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT;
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

static void copy_destroy(shipopt_op *op)
{
	struct copy_op *self = CONTAINER_OF(op, struct copy_op, command.op);
	copy_free_pieces(self->sending);
	shipopt_error_unref(self->error);
	query_done(&self->query);
	copy_unref(self->copy);
	command_destroy(&self->command);
}

static const struct op_class copy_op_class = {sizeof(struct copy_op), command_cancel, copy_destroy,
	SHIPOPT_DOMAIN_DATABASE};
static const struct command_class copy_class = {.start = copy_start,
	.progress = copy_progress,
	.loss = copy_loss,
	.canceled = copy_canceled,
	.sql = copy_sql,
	.ended = copy_ended};

/* ---- public -------------------------------------------------------------------------------------------------- */

static int copy_new(shipopt_pool *pool, struct copy_op *self, shipopt_copy **ret_copy)
{
	shipopt_copy *copy = mem_alloc_zero(sizeof(*copy));
	if (!copy || condition_init(&copy->changed) < 0) {
		mem_free(copy);
		return SHIPOPT_ENOMEM;
	}
	pthread_mutex_init(&copy->lock, NULL);
	reference_init(&copy->reference);
	copy->pool = pool_ref(pool);
	copy->window = (size_t)pool_setting(pool, POOL_STREAM_BYTES);
	copy->wake_task.run = copy_wake;
	copy->op = self;
	*ret_copy = copy;
	return 0;
}

int shipopt_lease_copy_in(shipopt_lease *lease, const char *sql, shipopt_copy **ret_copy, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	struct command *command;
	shipopt_copy *copy;
	if (!lease || !sql || !ret_copy)
		return SHIPOPT_EINVAL;
	int r = command_new(&copy_op_class, &copy_class, NULL, lease, done, userdata, ret_op, &command);
	if (r < 0)
		return r;
	struct copy_op *self = CONTAINER_OF(command, struct copy_op, command);
	r = query_init(&self->query, sql);
	if (r == 0 && !(self->query.sql->marks & SQL_COPY_IN))
		r = SHIPOPT_EINVAL;
	r = r < 0 ? r : copy_new(command->pool, self, &copy);
	if (r == 0) {
		reference_take(&copy->reference);
		self->copy = copy;
		*ret_copy = copy;
	}
	return command_submit(command, r, ret_op);
}

/* With the lock held. */
static bool copy_wants_wake(shipopt_copy *copy)
{
	if (copy->is_posted || copy->is_over)
		return false;
	copy->is_posted = true;
	reference_take(&copy->reference);
	return true;
}

/* When there is no reactor any more the operation is over too, and nobody takes what was written. */
static void copy_post_wake(shipopt_copy *copy)
{
	if (!reactor_post_threaded(copy->pool->reactor, &copy->wake_task))
		copy_unref(copy);
}

static int copy_wait_room(shipopt_copy *copy, size_t length, int64_t timeout_ms)
{
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = timeout_ms != 0;
	for (;;) {
		if (copy->is_over || copy->is_finished)
			return SHIPOPT_ESTATE;
		if (copy->waiting_bytes + length <= copy->window)
			return 0;
		if (!in_time)
			return timeout_ms == 0 ? SHIPOPT_EAGAIN : SHIPOPT_ETIMEDOUT;
		if (runtime_is_library_thread())
			return SHIPOPT_EDEADLK;
		in_time = condition_wait(&copy->changed, &copy->lock, deadline);
	}
}

int shipopt_copy_write(shipopt_copy *copy, const void *bytes, size_t length, int64_t timeout_ms)
{
	if (!copy || (!bytes && length))
		return SHIPOPT_EINVAL;
	if (length > copy->window)
		return SHIPOPT_ETOOLARGE;
	if (runtime_is_forked(copy->pool->runtime))
		return SHIPOPT_EFORKED;
	struct piece *piece = mem_alloc(sizeof(*piece) + length);
	if (!piece)
		return SHIPOPT_ENOMEM;
	piece->next = NULL;
	piece->length = length;
	if (length)
		memcpy(piece->bytes, bytes, length);
	pthread_mutex_lock(&copy->lock);
	int r = copy_wait_room(copy, length, timeout_ms);
	bool wakes = r == 0 && copy_wants_wake(copy);
	if (r == 0) {
		if (copy->last)
			copy->last->next = piece;
		else
			copy->first = piece;
		copy->last = piece;
		copy->waiting_bytes += length;
	}
	pthread_mutex_unlock(&copy->lock);
	if (wakes)
		copy_post_wake(copy);
	if (r < 0)
		mem_free(piece);
	return r;
}

static int copy_end_copy(shipopt_copy *copy, bool is_finish)
{
	pthread_mutex_lock(&copy->lock);
	int r = copy->is_over || copy->is_finished ? SHIPOPT_ESTATE : 0;
	if (is_finish && r == 0)
		copy->is_finished = true;
	else if (!is_finish)
		copy->is_abandoned = true;
	bool wakes = r == 0 && copy_wants_wake(copy);
	pthread_mutex_unlock(&copy->lock);
	if (wakes)
		copy_post_wake(copy);
	return r;
}

int shipopt_copy_finish(shipopt_copy *copy)
{
	if (!copy)
		return SHIPOPT_EINVAL;
	return runtime_is_forked(copy->pool->runtime) ? SHIPOPT_EFORKED : copy_end_copy(copy, true);
}

void shipopt_copy_free(shipopt_copy *copy)
{
	if (!copy || runtime_is_forked(copy->pool->runtime))
		return;
	copy_end_copy(copy, false);
	copy_unref(copy);
}
