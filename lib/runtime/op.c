/* SPDX-License-Identifier: MIT */
#include "runtime/op.h"

#include <sched.h>

#include "base/memory.h"
#include "runtime/runtime_private.h"

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
	pthread_cond_destroy(&op->delivered);
	pthread_mutex_destroy(&op->wait_lock);
	mem_free(op);
	queue_unref(queue);
	runtime_unref(runtime);
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

/* Whoever waits has set OP_WAITED before it looks at the state, with the lock held; so it sees the state or is
 * woken. */
static void op_mark_delivered(shipopt_op *op)
{
	int before = atomic_fetch_or(&op->state, OP_DELIVERED);
	if (delivery_is_queued(&op->delivery)) {
		queue_notify(op->delivery.queue);
	} else if (before & OP_WAITED) {
		pthread_mutex_lock(&op->wait_lock);
		pthread_mutex_unlock(&op->wait_lock);
		pthread_cond_broadcast(&op->delivered);
	}
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

static void op_push(shipopt_op *op)
{
	shipopt_runtime *runtime = op->runtime;
	op->entry.event = (shipopt_event){.userdata = (uint64_t)(uintptr_t)op->userdata,
		.op = op,
		.status = op->status,
		.kind = SHIPOPT_EVENT_OP,
		.value = (uint64_t)op->value};
	queue_push(op->delivery.queue, &op->entry);
	runtime_release(runtime);
}

bool op_needs_reactor(const shipopt_op *op)
{
	return delivery_is_inline(&op->delivery) && op->done;
}

/* Without a callback there is nothing to run, and no thread is needed for it: waiters wake up here. */
static void op_deliver(shipopt_op *op)
{
	if (!delivery_is_queued(&op->delivery) && (!op->done || op_needs_reactor(op))) {
		op_deliver_here(op);
		return;
	}
	/* Once handed over, the operation and its hold on the runtime may be gone before the call returns. */
	shipopt_runtime *runtime = runtime_ref(op->runtime);
	if (delivery_is_queued(&op->delivery))
		op_push(op);
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
		if (is_here || !op_needs_reactor(op))
			return; /* whoever cancels delivers when that is over */
		while (atomic_load(&op->state) & OP_CANCELING)
			sched_yield();
	}
	op_deliver(op);
}

/* --- birth --- */

static int op_admit(shipopt_runtime *runtime, const struct delivery *delivery)
{
	int r = runtime_admit(runtime);
	if (r < 0)
		return r;
	r = delivery_is_inline(delivery) ? 0 : runtime_start_workers(runtime);
	r = r < 0 ? r : delivery_admit(delivery, 1);
	if (r < 0)
		runtime_release(runtime);
	return r;
}

static shipopt_op *op_make(const struct op_class *class)
{
	shipopt_op *op = mem_alloc_zero(class->size);
	if (op && condition_init(&op->delivered) < 0) {
		mem_free(op);
		return NULL;
	}
	if (!op)
		return NULL;
	pthread_mutex_init(&op->wait_lock, NULL);
	reference_init(&op->reference);
	op->class = class;
	op->entry.run = op_entry_run;
	op->entry.taken = op_entry_taken;
	op->entry.finish = op_entry_finish;
	op->entry.task.run = op_task_run;
	list_init(&op->entry.node);
	return op;
}

int op_new(const struct op_class *class, shipopt_runtime *runtime, const struct delivery *delivery,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_caller, shipopt_op **ret_op)
{
	ASSERT(class->size >= sizeof(shipopt_op));
	int r = op_admit(runtime, delivery);
	if (r < 0)
		return r;
	shipopt_op *op = op_make(class);
	if (!op) {
		delivery_unreserve(delivery, 1);
		runtime_release(runtime);
		return SHIPOPT_ENOMEM;
	}
	if (ret_caller)
		reference_take(&op->reference);
	op->runtime = runtime_ref(runtime);
	op->delivery = *delivery;
	op->delivery.queue = delivery_is_queued(delivery) ? queue_ref(delivery->queue) : NULL;
	op->done = done;
	op->userdata = userdata;
	op->entry.has_callback = done != NULL;
	*ret_op = op;
	return 0;
}

void op_abandon(shipopt_op *op, bool has_caller)
{
	delivery_unreserve(&op->delivery, 1);
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
	if (completed || ((state & OP_COMPLETED) && !op_needs_reactor(op)))
		op_deliver(op);
	return 0;
}
