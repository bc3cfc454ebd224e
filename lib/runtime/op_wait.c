/* SPDX-License-Identifier: MIT */
#include "runtime/op.h"
#include "runtime/runtime_private.h"

/* Waiting for one operation. With a queue, the thread that waits dispatches it (queue_wait()); else it sleeps on the
 * operation's own condition. */

static bool op_is_delivered(void *argument)
{
	shipopt_op *op = argument;
	return atomic_load(&op->state) & OP_DELIVERED;
}

static bool op_sleep(shipopt_op *op, int64_t timeout_ms)
{
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = true;
	atomic_fetch_or(&op->state, OP_WAITED);
	pthread_mutex_lock(&op->wait_lock);
	while (!op_is_delivered(op) && in_time)
		in_time = condition_wait(&op->delivered, &op->wait_lock, deadline);
	pthread_mutex_unlock(&op->wait_lock);
	return op_is_delivered(op);
}

int shipopt_op_wait(shipopt_op *op, int64_t timeout_ms)
{
	if (!op)
		return SHIPOPT_EINVAL;
	if (runtime_is_forked(op->runtime))
		return SHIPOPT_EFORKED;
	if (runtime_is_library_thread() || delivery_is_dispatching(&op->delivery))
		return SHIPOPT_EDEADLK;
	int r;
	if (delivery_is_queued(&op->delivery))
		r = queue_wait(op->delivery.queue, op, timeout_ms);
	else if (op->runtime->is_simulated)
		r = runtime_simulate(op->runtime, op_is_delivered, op, timeout_ms);
	else
		r = op_is_delivered(op) || op_sleep(op, timeout_ms);
	if (r > 0)
		return op->status;
	if (r < 0)
		return r;
	return timeout_ms < 0 ? SHIPOPT_EDEADLK
			      : SHIPOPT_ETIMEDOUT; /* without a limit: a simulation that stands still */
}
