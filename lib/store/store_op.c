/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "store/ledger.h"
#include "store/store.h"

/*
 * The public asynchronous calls. Each is an operation around a `struct backend_query`, completed on a reactor, so that every
 * kind of delivery is possible.
 */
#define LIST_LIMIT_MAX 1000
#define TEXT_MAX_BYTES 4096

struct store_op {
	shipopt_op op;
	struct backend_query query;
	shipopt_store *store; /* a hold */
	struct reactor *reactor;
	char *tracking_code, *actor, *reason;
};

static void store_op_destroy(shipopt_op *op)
{
	struct store_op *self = CONTAINER_OF(op, struct store_op, op);
	mem_free(self->tracking_code);
	mem_free(self->actor);
	mem_free(self->reason);
	shipopt_store_free(self->store);
}

/* The back-end asks before it starts: enough for calls this short. */
static void store_op_cancel(shipopt_op *op)
{
}

static const struct op_class store_op_class = {sizeof(struct store_op), store_op_cancel, store_op_destroy,
	SHIPOPT_DOMAIN_STORE};

static bool store_query_is_canceled(const struct backend_query *query)
{
	return op_is_canceled(&CONTAINER_OF(query, struct store_op, query)->op);
}

static void store_complete_on_reactor(struct task *task)
{
	struct backend_work *work = CONTAINER_OF(task, struct backend_work, task);
	struct backend_query *query = CONTAINER_OF(work, struct backend_query, work);
	struct store_op *self = CONTAINER_OF(query, struct store_op, query);
	self->op.json = TAKE(query->json);
	self->op.value = query->value;
	op_complete(&self->op, query->status, TAKE(query->error));
}

static void store_query_done(struct backend_query *query)
{
	struct store_op *self = CONTAINER_OF(query, struct store_op, query);
	query->work.task.run = store_complete_on_reactor;
	reactor_post(self->reactor, &query->work.task);
}

/* What a call brings besides `done` and its like. Texts are copied. */
struct store_call {
	enum backend_kind kind;
	int state;
	int64_t row, after, limit;
	const char *tracking_code, *actor, *reason;
};

static int store_fill(struct store_op *self, shipopt_store *store, const struct store_call *call)
{
	self->store = store_ref(store);
	self->tracking_code = mem_copy_text(call->tracking_code);
	self->actor = mem_copy_text(call->actor);
	self->reason = mem_copy_text(call->reason);
	if ((call->tracking_code && !self->tracking_code) || (call->actor && !self->actor) ||
		(call->reason && !self->reason))
		return SHIPOPT_ENOMEM;
	self->query = (struct backend_query){
		.work.kind = call->kind,
		.tenant = store->tenant,
		.state = call->state,
		.row = call->row,
		.after = call->after,
		.limit = call->limit,
		.tracking_code = self->tracking_code,
		.actor = self->actor,
		.reason = self->reason,
		.is_canceled = store_query_is_canceled,
		.done = store_query_done,
	};
	return runtime_reactor(store->core->runtime, &self->reactor);
}

static int store_start(shipopt_store *store, const struct store_call *call, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	shipopt_op *op;
	struct store_core *core = store->core;
	int r = op_new(&store_op_class, core->runtime, &core->delivery, done, userdata, ret_op, &op);
	if (r < 0)
		return r;
	struct store_op *self = CONTAINER_OF(op, struct store_op, op);
	r = store_fill(self, store, call);
	if (r == 0) {
		shipopt_op *before = ret_op ? *ret_op : NULL;
		if (ret_op)
			*ret_op = op;
		r = core->backend->class->submit(core->backend, &self->query.work);
		if (r < 0 && ret_op)
			*ret_op = before;
	}
	if (r < 0)
		op_abandon(op, ret_op != NULL);
	return r;
}

int shipopt_store_ready(shipopt_store *store, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return store ? store_start(store, &(struct store_call){.kind = BACKEND_READY}, done, userdata, ret_op)
		     : SHIPOPT_EINVAL;
}

static bool store_is_state_or_all(int state)
{
	return (state >= 0 && state <= SHIPOPT_LEDGER_STATE_VOID_REFUSED) || state == SHIPOPT_LEDGER_NEEDS_PERSON;
}

int shipopt_ledger_list(shipopt_store *store, int state, int64_t after, int64_t limit, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	if (!store || !store_is_state_or_all(state) || after < 0 || limit < 1 || limit > LIST_LIMIT_MAX)
		return SHIPOPT_EINVAL;
	const struct store_call call = {.kind = BACKEND_LIST, .state = state, .after = after, .limit = limit};
	return store_start(store, &call, done, userdata, ret_op);
}

int shipopt_ledger_count(shipopt_store *store, int state, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	if (!store || !store_is_state_or_all(state))
		return SHIPOPT_EINVAL;
	return store_start(store, &(struct store_call){.kind = BACKEND_COUNT, .state = state}, done, userdata, ret_op);
}

static int store_check_text(const char *text, bool is_required)
{
	size_t length = text ? strlen(text) : 0;
	if (length > TEXT_MAX_BYTES || (is_required && length == 0))
		return SHIPOPT_EINVAL;
	return text_is_utf8(text ? text : "", length, NULL) ? 0 : SHIPOPT_EENCODING;
}

int shipopt_ledger_resolve(shipopt_store *store, int64_t row, int state, const char *tracking_code, const char *actor,
	const char *reason, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	if (!store || row < 1 ||
		(state != SHIPOPT_LEDGER_STATE_BOUGHT && state != SHIPOPT_LEDGER_STATE_FAILED &&
			state != SHIPOPT_LEDGER_STATE_PLANNED))
		return SHIPOPT_EINVAL;
	int r = store_check_text(tracking_code, state == SHIPOPT_LEDGER_STATE_BOUGHT);
	r = r < 0 ? r : store_check_text(actor, true);
	r = r < 0 ? r : store_check_text(reason, true);
	if (r < 0)
		return r;
	const struct store_call call = {.kind = BACKEND_RESOLVE,
		.state = state,
		.row = row,
		.tracking_code = tracking_code,
		.actor = actor,
		.reason = reason};
	return store_start(store, &call, done, userdata, ret_op);
}
