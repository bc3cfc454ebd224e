/* SPDX-License-Identifier: MIT */
#include "runtime/ask.h"

#include "base/memory.h"
#include "runtime/runtime.h"

struct ask {
	struct queue_entry entry;
	struct task task;
	shipopt_op *op;
	shipopt_request_fn function;
	void *userdata;
	shipopt_request *request;
};

static void ask_free(struct ask *ask)
{
	shipopt_op *op = ask->op;
	mem_free(ask);
	shipopt_op_unref(op);
}

static void ask_call(struct ask *ask)
{
	if (runtime_may_call_host(ask->op->runtime))
		ask->function(ask->userdata, ask->request);
	else
		shipopt_request_fail(ask->request, SHIPOPT_ESHUTDOWN, "the runtime is closed; the host was not asked");
}

static void ask_task(struct task *task)
{
	struct ask *ask = CONTAINER_OF(task, struct ask, task);
	ask_call(ask);
	ask_free(ask);
}

static void ask_entry_run(struct queue_entry *entry)
{
	struct ask *ask = CONTAINER_OF(entry, struct ask, entry);
	if (ask->function)
		ask_call(ask);
	else
		shipopt_request_fail(ask->request, SHIPOPT_ESTATE,
			"the queue was dispatched, but nobody is there to ask");
}

static void ask_entry_finish(struct queue_entry *entry)
{
	ask_free(CONTAINER_OF(entry, struct ask, entry));
}

void ask_host(shipopt_op *op, struct reactor *reactor, bool has_slot, shipopt_request_fn function, void *userdata,
	shipopt_request *request)
{
	bool is_queued = op->delivery.mode == DELIVERY_QUEUE;
	int r = is_queued && !has_slot ? queue_reserve(op->delivery.queue) : 0;
	struct ask *ask = r < 0 ? NULL : mem_alloc_zero(sizeof(*ask));
	if (!ask) {
		if (is_queued && r == 0)
			queue_unreserve(op->delivery.queue);
		shipopt_request_fail(request, r < 0 ? r : SHIPOPT_ENOMEM, NULL);
		return;
	}
	*ask = (struct ask){.op = shipopt_op_ref(op), .function = function, .userdata = userdata, .request = request};
	ask->task.run = ask_task;
	if (is_queued) {
		ask->entry.has_callback = function != NULL;
		ask->entry.run = ask_entry_run;
		ask->entry.finish = ask_entry_finish;
		ask->entry.event =
			(shipopt_event){.op = op, .kind = SHIPOPT_EVENT_REQUEST, .value = (uint64_t)(uintptr_t)request};
		queue_push(op->delivery.queue, &ask->entry);
	} else if (op->delivery.mode == DELIVERY_INLINE) {
		reactor_post(reactor, &ask->task);
	} else {
		runtime_submit_task(op->runtime, &ask->task);
	}
}
