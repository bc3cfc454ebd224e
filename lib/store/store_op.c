/* SPDX-License-Identifier: MIT */
#include "store/store_op.h"

#include "base/memory.h"
#include "store/ledger_page.h"

struct store_op {
	shipopt_op op;
	struct backend_query query;
	shipopt_store *store; /* a reference */
	struct reactor *reactor;
	char *tracking_code, *actor, *reason; /* of the query */
	shipopt_ledger_page *page;
};

static void store_op_destroy(shipopt_op *op)
{
	struct store_op *self = CONTAINER_OF(op, struct store_op, op);
	mem_free(self->tracking_code);
	mem_free(self->actor);
	mem_free(self->reason);
	ledger_page_free(self->page);
	shipopt_store_free(self->store);
}

/* The back-end asks before it starts a query. That is enough for calls this short. */
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
	self->op.value = query->value;
	op_complete(&self->op, query->status, TAKE(query->error));
}

/* On a thread of the back-end. */
static void store_query_done(struct backend_query *query)
{
	struct store_op *self = CONTAINER_OF(query, struct store_op, query);
	self->page = TAKE(query->page);
	if (self->page && query->status >= 0)
		query->status = ledger_page_write(self->page, &self->op.json);
	query->work.task.run = store_complete_on_reactor;
	reactor_post(self->reactor, &query->work.task);
}

static int store_op_fill(struct store_op *self, shipopt_store *store, const struct backend_query *query)
{
	self->store = store_ref(store);
	self->tracking_code = mem_copy_text(query->tracking_code);
	self->actor = mem_copy_text(query->actor);
	self->reason = mem_copy_text(query->reason);
	if ((query->tracking_code && !self->tracking_code) || (query->actor && !self->actor) ||
		(query->reason && !self->reason))
		return SHIPOPT_ENOMEM;
	self->query = (struct backend_query){
		.work.kind = query->work.kind,
		.tenant = store->tenant,
		.state = query->state,
		.row = query->row,
		.after = query->after,
		.limit = query->limit,
		.tracking_code = self->tracking_code,
		.actor = self->actor,
		.reason = self->reason,
		.is_canceled = store_query_is_canceled,
		.done = store_query_done,
	};
	return runtime_reactor(store->core->runtime, &self->reactor);
}

int store_op_start(shipopt_store *store, const struct backend_query *query, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	shipopt_op *op;
	struct store_core *core = store->core;
	int r = op_new(&store_op_class, core->runtime, &core->delivery, done, userdata, ret_op, &op);
	if (r < 0)
		return r;
	struct store_op *self = CONTAINER_OF(op, struct store_op, op);
	r = store_op_fill(self, store, query);
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

int store_op_refuse(shipopt_store *store, int status, shipopt_error *error, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	struct store_core *core = store->core;
	return op_refuse(core->runtime, &core->delivery, done, userdata, ret_op, status, error);
}

int shipopt_store_ready(shipopt_store *store, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	const struct backend_query query = {.work.kind = BACKEND_READY};
	return store ? store_op_start(store, &query, done, userdata, ret_op) : SHIPOPT_EINVAL;
}

const shipopt_ledger_page *shipopt_op_ledger_page(const shipopt_op *op)
{
	bool is_page = op && op->class == &store_op_class && shipopt_op_is_done(op) && shipopt_op_status(op) >= 0;
	return is_page ? CONTAINER_OF(op, const struct store_op, op)->page : NULL;
}
