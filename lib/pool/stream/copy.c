/* SPDX-License-Identifier: MIT */
#include "pool/stream/copy.h"

#include <string.h>

#include "base/memory.h"

/* ---- life ---------------------------------------------------------------------------------------------------- */

void copy_free_pieces(struct copy_piece *piece)
{
	while (piece) {
		struct copy_piece *next = piece->next;
		mem_free(piece);
		piece = next;
	}
}

void copy_unref(shipopt_copy *copy)
{
	if (!copy || !reference_drop(&copy->reference))
		return;
	copy_free_pieces(copy->first);
	ready_event_done(&copy->ready);
	pthread_cond_destroy(&copy->changed);
	pthread_mutex_destroy(&copy->lock);
	shipopt_pool *pool = copy->pool;
	mem_free(copy);
	pool_unref(pool);
}

static void copy_destroy(shipopt_op *op)
{
	struct copy_op *self = CONTAINER_OF(op, struct copy_op, command.op);
	copy_free_pieces(self->sending);
	shipopt_error_unref(self->outcome.error);
	query_done(&self->query);
	copy_unref(self->copy);
	command_destroy(&self->command);
}

static const struct op_class copy_op_class = {sizeof(struct copy_op), command_cancel, copy_destroy,
	SHIPOPT_DOMAIN_DATABASE};

/* ---- public -------------------------------------------------------------------------------------------------- */

/* A READY event on its way keeps the COPY, and the operation that it names. */
static void copy_hold(void *object)
{
	shipopt_copy *copy = object;
	reference_take(&copy->reference);
	shipopt_op_ref(copy->ready.entry.event.op);
}

static void copy_drop(void *object)
{
	shipopt_copy *copy = object;
	shipopt_op *op = copy->ready.entry.event.op;
	copy_unref(copy);
	shipopt_op_unref(op);
}

static int copy_init_ready(shipopt_copy *copy, shipopt_op *op)
{
	shipopt_event event = {.userdata = (uint64_t)(uintptr_t)op->userdata,
		.op = op,
		.value = (uint64_t)(uintptr_t)copy};
	int r = ready_event_init(&copy->ready, op->delivery.queue, &event);
	ready_event_set_object(&copy->ready, copy, copy_hold, copy_drop);
	return r;
}

static int copy_new(struct copy_op *self, shipopt_copy **ret_copy)
{
	shipopt_pool *pool = self->command.pool;
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
	int r = copy_init_ready(copy, &self->command.op);
	if (r < 0)
		copy_unref(copy);
	else
		*ret_copy = copy;
	return r;
}

int shipopt_lease_copy_in(shipopt_lease *lease, const char *sql, shipopt_copy **ret_copy, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	struct command *command;
	struct shipopt_query query;
	shipopt_copy *copy;
	shipopt_error *error = NULL;
	if (!lease || !sql || !ret_copy)
		return SHIPOPT_EINVAL;
	int r = query_init_copy(&query, sql, SQL_COPY_IN, &error);
	if (r == SHIPOPT_ENOMEM)
		return r;
	if (r < 0) { /* there is no COPY, and the operation fails */
		r = op_refuse(lease->pool->runtime, &lease->pool->delivery, done, userdata, ret_op, r, error);
		*ret_copy = r == 0 ? NULL : *ret_copy;
		return r;
	}
	r = command_new(&copy_op_class, &copy_class, NULL, lease, NULL, done, userdata, ret_op, &command);
	if (r < 0) {
		query_done(&query);
		return r;
	}
	struct copy_op *self = CONTAINER_OF(command, struct copy_op, command);
	self->query = query;
	r = copy_new(self, &copy);
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

/* When the event loop has ended, the operation has ended too, and nothing takes what was written. */
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
		if (copy->is_over || copy->input == COPY_INPUT_FINISHED)
			return SHIPOPT_ESTATE;
		if (copy->waiting_bytes + length <= copy->window)
			return 0;
		if (!in_time) {
			copy->is_room_wanted = true;
			return timeout_ms == 0 ? SHIPOPT_EAGAIN : SHIPOPT_ETIMEDOUT;
		}
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
	struct copy_piece *piece = mem_alloc(sizeof(*piece) + length);
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
	int r = copy->is_over || copy->input == COPY_INPUT_FINISHED ? SHIPOPT_ESTATE : 0;
	if (r == 0)
		copy->input = is_finish ? COPY_INPUT_FINISHED : COPY_INPUT_ABANDONED;
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
