/* SPDX-License-Identifier: MIT */
#include "runtime/request.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "runtime/delivery.h"
#include "runtime/runtime.h"

enum request_state { REQUEST_OPEN, REQUEST_ANSWERED, REQUEST_DROPPED };

struct shipopt_request {
	struct reference reference; /* of the answer, and of the delivery while that lasts */
	atomic_int state;           /* enum request_state */
	char *key;                  /* NUL-terminated, or NULL */
	size_t key_length;
	const struct shipopt_record *record;
	struct shipopt_record *own_record; /* the same, if it is ours */
	void (*free_record)(struct shipopt_record *record);

	/* the question */
	struct queue_entry entry;
	shipopt_runtime *runtime; /* borrowed: the asker has it while the request is open */
	shipopt_op *op;           /* a reference while the delivery lasts; NULL without an operation */
	shipopt_request_fn function;
	void *userdata;

	/* the answer */
	struct task task;
	struct reactor *reactor;
	request_answered_fn answered;
	void *asker;
	int status;
	int64_t value;
	shipopt_error *error;
};

/* --- life --- */

static void request_unref(shipopt_request *request)
{
	if (!reference_drop(&request->reference))
		return;
	if (request->own_record)
		request->free_record(request->own_record);
	mem_free(request->key);
	mem_free(request);
}

int request_new_bytes(const void *key, size_t key_length, struct reactor *reactor, request_answered_fn answered,
	void *asker, shipopt_request **ret_request)
{
	shipopt_request *request = mem_alloc_zero(sizeof(*request));
	char *copy = key ? mem_copy_bytes(key, key_length) : NULL;
	if (!request || (key && !copy)) {
		mem_free(copy);
		mem_free(request);
		return SHIPOPT_ENOMEM;
	}
	reference_init(&request->reference);
	request->key = copy;
	request->key_length = key_length;
	request->reactor = reactor;
	request->answered = answered;
	request->asker = asker;
	*ret_request = request;
	return 0;
}

int request_new(const char *key, const struct shipopt_record *record, struct reactor *reactor,
	request_answered_fn answered, void *asker, shipopt_request **ret_request)
{
	int r = request_new_bytes(key, key ? strlen(key) : 0, reactor, answered, asker, ret_request);
	if (r == 0)
		(*ret_request)->record = record;
	return r;
}

void request_own_record(shipopt_request *request, struct shipopt_record *record,
	void (*free_record)(struct shipopt_record *record))
{
	request->record = request->own_record = record;
	request->free_record = free_record;
}

void request_free(shipopt_request *request)
{
	if (request)
		request_unref(request);
}

void *request_asker(const shipopt_request *request, request_answered_fn answered)
{
	return request && request->answered == answered ? request->asker : NULL;
}

/* --- the question --- */

static void request_call(shipopt_request *request)
{
	if (!request->function)
		shipopt_request_fail(request, SHIPOPT_ESTATE,
			"the queue was dispatched, and no callback was set to answer this request");
	else if (runtime_may_call_host(request->runtime))
		request->function(request->userdata, request);
	else
		shipopt_request_fail(request, SHIPOPT_ESHUTDOWN, "the runtime is closed; the callback did not run");
}

static void request_entry_run(struct queue_entry *entry)
{
	request_call(CONTAINER_OF(entry, shipopt_request, entry));
}

static void request_entry_finish(struct queue_entry *entry)
{
	shipopt_request *request = CONTAINER_OF(entry, shipopt_request, entry);
	shipopt_op *op = request->op;
	request_unref(request);
	shipopt_op_unref(op);
}

static void request_prepare(shipopt_request *request, shipopt_runtime *runtime, shipopt_request_fn function,
	void *userdata, void *event_userdata)
{
	reference_take(&request->reference);
	request->runtime = runtime;
	request->function = function;
	request->userdata = userdata;
	request->entry.has_callback = function != NULL;
	request->entry.run = request_entry_run;
	request->entry.finish = request_entry_finish;
	request->entry.event = (shipopt_event){.userdata = (uint64_t)(uintptr_t)event_userdata,
		.op = request->op,
		.kind = SHIPOPT_EVENT_REQUEST,
		.value = (uint64_t)(uintptr_t)request};
}

void request_ask(shipopt_request *request, shipopt_op *op, bool has_slot, shipopt_request_fn function, void *userdata)
{
	request->runtime = op->runtime;
	if (!has_slot && delivery_reserve(&op->delivery, 1) < 0) {
		shipopt_request_fail(request, SHIPOPT_EAGAIN, "the queue has no free slot for this request");
		return;
	}
	request->op = shipopt_op_ref(op);
	request_prepare(request, op->runtime, function, userdata, op->userdata);
	deliver(&op->delivery, op->runtime, request->reactor, &request->entry);
}

void request_ask_queue(shipopt_request *request, shipopt_queue *queue, shipopt_request_fn function, void *userdata)
{
	request_prepare(request, queue_runtime(queue), function, userdata, userdata);
	queue_push(queue, &request->entry);
}

/* --- the answer --- */

/* False if the other side was first. */
static bool request_settle(shipopt_request *request, int state)
{
	int open = REQUEST_OPEN;
	return atomic_compare_exchange_strong(&request->state, &open, state);
}

bool request_drop(shipopt_request *request)
{
	return request_settle(request, REQUEST_DROPPED);
}

static void request_take_answer(struct task *task)
{
	shipopt_request *request = CONTAINER_OF(task, shipopt_request, task);
	request->answered(request->asker, request->status, request->value, TAKE(request->error));
	request_unref(request);
}

static void request_answer(shipopt_request *request, int status, int64_t value, shipopt_error *error)
{
	request->status = status;
	request->value = value;
	request->error = error;
	request->task.run = request_take_answer;
	if (!request_settle(request, REQUEST_ANSWERED)) {
		shipopt_error_unref(TAKE(request->error));
		request_unref(request);
	} else if (!request->reactor || !runtime_post(request->runtime, request->reactor, &request->task)) {
		request_take_answer(&request->task);
	}
}

void shipopt_request_complete(shipopt_request *request, int64_t value)
{
	if (request)
		request_answer(request, 0, value, NULL);
}

void shipopt_request_fail(shipopt_request *request, int code, const char *message)
{
	if (!request)
		return;
	if (code >= 0)
		code = SHIPOPT_EINVAL;
	request_answer(request, code, 0, error_new(code, message ? message : shipopt_error_description(code)));
}

const struct shipopt_record *shipopt_request_record(const shipopt_request *request)
{
	return request ? request->record : NULL;
}

const char *shipopt_request_key(const shipopt_request *request)
{
	return request ? request->key : NULL;
}

size_t shipopt_request_key_length(const shipopt_request *request)
{
	return request ? request->key_length : 0;
}
