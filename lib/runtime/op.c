/* SPDX-License-Identifier: MIT */
#include "runtime/op.h"

#include <sched.h>

#include "base/memory.h"
#include "runtime/runtime_private.h"

enum { /* bits of `state` */
	OP_CANCEL_ASKED = 1,
	OP_CANCELING = 2, /* the class's cancel runs */
	OP_COMPLETED = 4, /* results are readable */
	OP_DELIVERED = 8  /* `done` has returned */
};

/* The operation whose cancel runs on this thread, and whether it was completed by that. */
static _Thread_local struct {
	shipopt_op *op;
	bool completed;
} canceling;

/* --- life --- */

static void op_free(shipopt_op *op)
{
	shipopt_runtime *runtime = op->runtime;
	shipopt_queue *queue = op->delivery.queue;
	if (op->class->destroy)
		op->class->destroy(op);
	shipopt_error_unref(op->error);
	if (op->record && op->free_record)
		op->free_record(op->record);
	mem_free(op->json);
	mem_free(op);
	queue_unref(queue);
	runtime_unref(runtime);
}

static bool op_uses_queue(const shipopt_op *op)
{
	return op->delivery.mode == SHIPOPT_DELIVERY_QUEUE;
}

shipopt_op *shipopt_op_ref(shipopt_op *op)
{
	if (op)
		reference_take(&op->reference);
	return op;
}

void shipopt_op_unref(shipopt_op *op)
{
	if (op && !runtime_is_forked(op->runtime) && reference_drop(&op->reference))
		op_free(op);
}

/* --- delivery --- */

static void op_mark_delivered(shipopt_op *op)
{
	atomic_fetch_or(&op->state, OP_DELIVERED);
	if (op_uses_queue(op))
		queue_notify(op->delivery.queue);
	else if (atomic_load(&op->runtime->waiters) > 0)
		runtime_notify(op->runtime);
}

static void op_run_done(shipopt_op *op)
{
	if (op->done && (op->done_is_own || runtime_may_call_host(op->runtime)))
		op->done(op->userdata, op);
	op_mark_delivered(op);
}

static void op_deliver_here(shipopt_op *op)
{
	op_run_done(op);
	runtime_release(op->runtime);
	shipopt_op_unref(op);
}

static void op_task_run(struct task *task)
{
	op_deliver_here(CONTAINER_OF(task, shipopt_op, entry.task));
}

static void op_entry_run(struct queue_entry *entry)
{
	op_run_done(CONTAINER_OF(entry, shipopt_op, entry));
}

static void op_entry_taken(struct queue_entry *entry)
{
	op_mark_delivered(CONTAINER_OF(entry, shipopt_op, entry));
}

static void op_entry_finish(struct queue_entry *entry)
{
	shipopt_op_unref(CONTAINER_OF(entry, shipopt_op, entry));
}

static void op_push(shipopt_op *op, shipopt_runtime *runtime)
{
	op->entry.event =
		(shipopt_event){.op = op, .status = op->status, .kind = SHIPOPT_EVENT_OP, .value = (uint64_t)op->value};
	queue_push(op->delivery.queue, &op->entry);
	runtime_release(runtime);
}

static void op_deliver(shipopt_op *op)
{
	if (op->delivery.mode == SHIPOPT_DELIVERY_INLINE) {
		op_deliver_here(op);
		return;
	}
	/* Once handed over, the operation and its hold on the runtime may be gone before the call returns. */
	shipopt_runtime *runtime = runtime_ref(op->runtime);
	if (op_uses_queue(op))
		op_push(op, runtime);
	else
		runtime_submit_task(runtime, &op->entry.task);
	runtime_unref(runtime);
}

void op_complete(shipopt_op *op, int status, shipopt_error *error)
{
	op->status = status;
	op->error = error;
	int before = atomic_fetch_or(&op->state, OP_COMPLETED);
	ASSERT(!(before & OP_COMPLETED));
	if (before & OP_CANCELING) {
		bool is_here = canceling.op == op;
		canceling.completed = canceling.completed || is_here;
		if (is_here || op->delivery.mode != SHIPOPT_DELIVERY_INLINE)
			return; /* whoever cancels delivers when that is over */
		while (atomic_load(&op->state) & OP_CANCELING)
			sched_yield();
	}
	op_deliver(op);
}

/* --- birth --- */

int op_new(const struct op_class *class, shipopt_runtime *runtime, const struct delivery *delivery,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_caller, shipopt_op **ret_op)
{
	ASSERT(class->size >= sizeof(shipopt_op));
	bool has_queue = delivery->mode == SHIPOPT_DELIVERY_QUEUE;
	int r = runtime_admit(runtime);
	if (r < 0)
		return r;
	r = delivery->mode == SHIPOPT_DELIVERY_INLINE ? 0 : runtime_start_workers(runtime);
	if (r == 0 && has_queue)
		r = queue_reserve(delivery->queue);
	shipopt_op *op = r == 0 ? mem_alloc_zero(class->size) : NULL;
	if (!op) {
		if (r == 0 && has_queue)
			queue_unreserve(delivery->queue);
		runtime_release(runtime);
		return r < 0 ? r : SHIPOPT_ENOMEM;
	}
	reference_init(&op->reference);
	if (ret_caller)
		reference_take(&op->reference);
	op->class = class;
	op->runtime = runtime_ref(runtime);
	op->delivery.mode = delivery->mode;
	op->delivery.queue = has_queue ? queue_ref(delivery->queue) : NULL;
	op->done = done;
	op->userdata = userdata;
	op->entry.has_callback = done != NULL;
	op->entry.run = op_entry_run;
	op->entry.taken = op_entry_taken;
	op->entry.finish = op_entry_finish;
	op->entry.task.run = op_task_run;
	list_init(&op->entry.node);
	*ret_op = op;
	return 0;
}

void op_abandon(shipopt_op *op, bool has_caller)
{
	if (op_uses_queue(op))
		queue_unreserve(op->delivery.queue);
	runtime_release(op->runtime);
	if (has_caller)
		shipopt_op_unref(op);
	shipopt_op_unref(op);
}

/* --- cancel --- */

bool op_is_canceled(const shipopt_op *op)
{
	return atomic_load(&op->state) & OP_CANCEL_ASKED;
}

int shipopt_op_cancel(shipopt_op *op)
{
	if (!op)
		return SHIPOPT_EINVAL;
	if (runtime_is_forked(op->runtime))
		return SHIPOPT_EFORKED;
	int state = atomic_load(&op->state);
	do {
		if (state & (OP_CANCEL_ASKED | OP_COMPLETED))
			return 0;
	} while (!atomic_compare_exchange_weak(&op->state, &state, state | OP_CANCEL_ASKED | OP_CANCELING));
	bool completed = false;
	if (op->class->cancel) {
		__typeof__(canceling) outer = canceling;
		canceling.op = op;
		canceling.completed = false;
		op->class->cancel(op);
		completed = canceling.completed;
		canceling = outer;
	}
	state = atomic_fetch_and(&op->state, ~OP_CANCELING);
	if (completed || ((state & OP_COMPLETED) && op->delivery.mode != SHIPOPT_DELIVERY_INLINE))
		op_deliver(op);
	return 0;
}

/* --- waiting --- */

static bool op_is_delivered(void *argument)
{
	shipopt_op *op = argument;
	return atomic_load(&op->state) & OP_DELIVERED;
}

static bool op_wait_delivered(shipopt_op *op, int64_t timeout_ms)
{
	shipopt_runtime *runtime = op->runtime;
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = true;
	atomic_fetch_add(&runtime->waiters, 1);
	pthread_mutex_lock(&runtime->lock);
	while (!op_is_delivered(op) && in_time)
		in_time = condition_wait(&runtime->changed, &runtime->lock, deadline);
	pthread_mutex_unlock(&runtime->lock);
	atomic_fetch_sub(&runtime->waiters, 1);
	return op_is_delivered(op);
}

int shipopt_op_wait(shipopt_op *op, int64_t timeout_ms)
{
	if (!op)
		return SHIPOPT_EINVAL;
	if (runtime_is_forked(op->runtime))
		return SHIPOPT_EFORKED;
	if (runtime_is_library_thread() || (op_uses_queue(op) && queue_is_dispatching(op->delivery.queue)))
		return SHIPOPT_EDEADLK;
	bool is_over;
	if (op_uses_queue(op))
		is_over = queue_wait(op->delivery.queue, &op->entry, op_is_delivered, op, timeout_ms);
	else if (op->runtime->is_simulated)
		is_over = runtime_simulate(op->runtime, op_is_delivered, op, timeout_ms);
	else
		is_over = op_wait_delivered(op, timeout_ms);
	if (is_over)
		return op->status;
	return timeout_ms < 0 ? SHIPOPT_EDEADLK : SHIPOPT_ETIMEDOUT; /* without end: a simulation that stands still */
}

/* --- results --- */

int shipopt_op_is_done(const shipopt_op *op)
{
	return op && (atomic_load(&op->state) & OP_COMPLETED) ? 1 : 0;
}

int shipopt_op_status(const shipopt_op *op)
{
	if (!op)
		return SHIPOPT_EINVAL;
	return shipopt_op_is_done(op) ? op->status : SHIPOPT_EAGAIN;
}

const shipopt_error *shipopt_op_error(const shipopt_op *op)
{
	if (!shipopt_op_is_done(op))
		return NULL;
	return op->error || op->status >= 0 ? op->error : error_of(op->class->domain, op->status);
}

const struct shipopt_record *shipopt_op_record(const shipopt_op *op)
{
	return shipopt_op_is_done(op) ? op->record : NULL;
}

const char *shipopt_op_json(const shipopt_op *op)
{
	return shipopt_op_is_done(op) ? op->json : NULL;
}

int64_t shipopt_op_value(const shipopt_op *op)
{
	return shipopt_op_is_done(op) ? op->value : 0;
}

int shipopt_op_is_cached(const shipopt_op *op)
{
	return shipopt_op_is_done(op) && op->is_cached ? 1 : 0;
}
