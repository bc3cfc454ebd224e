/* SPDX-License-Identifier: MIT */
#include "bulk/bulk.h"
#include "orders/order.h"
#include "runtime/request.h"
#include "runtime/runtime.h"

/* shipopt_bulk_purchase(): buys one order as a buy run does, as an operation of its own. */

struct purchase_op {
	shipopt_op op;
	shipopt_bulk *bulk;
	struct purchase_rules rules;
	struct purchase purchase;
	shipopt_item item;
	struct call_group group;
	struct runtime_member member;
	struct task start_task, cancel_task;
	bool is_started;
};

static void purchase_op_destroy(shipopt_op *op)
{
	struct purchase_op *self = CONTAINER_OF(op, struct purchase_op, op);
	if (self->is_started)
		purchase_clear(&self->purchase);
	item_done(&self->item);
	call_group_done(&self->group);
	shipopt_bulk_free(self->bulk);
}

static void purchase_cancel_on_reactor(struct task *task)
{
	struct purchase_op *self = CONTAINER_OF(task, struct purchase_op, cancel_task);
	purchase_cancel(&self->purchase);
	shipopt_op_unref(&self->op);
}

static void purchase_op_cancel(shipopt_op *op)
{
	struct purchase_op *self = CONTAINER_OF(op, struct purchase_op, op);
	shipopt_op_ref(op);
	reactor_post(self->bulk->carrier->reactor, &self->cancel_task);
}

static void purchase_member_cancel(struct runtime_member *member)
{
	shipopt_op_cancel(&CONTAINER_OF(member, struct purchase_op, member)->op);
}

static const struct op_class purchase_op_class = {sizeof(struct purchase_op), purchase_op_cancel, purchase_op_destroy,
	SHIPOPT_DOMAIN_PURCHASE};

static void purchase_done(struct purchase *purchase)
{
	struct purchase_op *self = CONTAINER_OF(purchase, struct purchase_op, purchase);
	int status = self->item.status;
	runtime_unregister(self->op.runtime, &self->member);
	self->op.record = TAKE(self->item.record);
	self->op.free_record = shipopt_record_free;
	self->op.value = status == 1;
	op_complete(&self->op, MIN(status, 0), TAKE(self->item.error));
}

static void purchase_parked(struct purchase *purchase, bool is_parked)
{
	/* A single purchase uses no slot. */
}

static void purchase_ask(struct purchase *purchase, shipopt_request *request)
{
	struct purchase_op *self = CONTAINER_OF(purchase, struct purchase_op, purchase);
	request_ask(request, &self->op, false, self->rules.choose, self->rules.choose_userdata);
}

static void purchase_start_on_reactor(struct task *task)
{
	struct purchase_op *self = CONTAINER_OF(task, struct purchase_op, start_task);
	shipopt_order *order = self->item.order;
	if (order->status == 0) {
		self->is_started = true;
		purchase_start(&self->purchase);
		return;
	}
	self->item.status = order->status;
	self->item.error = TAKE(order->error);
	purchase_done(&self->purchase);
}

static int purchase_op_init(struct purchase_op *self, shipopt_bulk *bulk, const shipopt_order *order)
{
	self->bulk = bulk_ref(bulk);
	self->item.amount = -1;
	self->item.domain = SHIPOPT_DOMAIN_PURCHASE;
	list_init(&self->member.node);
	call_group_init(&self->group, 1);
	int r = order_copy(order, &self->item.order);
	r = r < 0 ? r : order_adopt_service(self->item.order);
	if (r < 0)
		return r;
	bulk_rules(bulk, &self->rules);
	self->purchase.rules = &self->rules;
	self->purchase.order = self->item.order;
	self->purchase.item = &self->item;
	self->purchase.group = &self->group;
	self->purchase.deadline_us = bulk_item_deadline_us(bulk);
	self->purchase.done = purchase_done;
	self->purchase.parked = purchase_parked;
	self->purchase.ask = purchase_ask;
	self->start_task.run = purchase_start_on_reactor;
	self->cancel_task.run = purchase_cancel_on_reactor;
	self->member.cancel = purchase_member_cancel;
	return runtime_register(bulk->runtime, &self->member);
}

static int purchase_op_start(shipopt_bulk *bulk, const shipopt_order *order, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	shipopt_op *op;
	int r = op_new(&purchase_op_class, bulk->runtime, &bulk->delivery, done, userdata, ret_op, &op);
	if (r < 0)
		return r;
	r = purchase_op_init(CONTAINER_OF(op, struct purchase_op, op), bulk, order);
	if (r < 0) {
		op_abandon(op, ret_op != NULL);
		return r;
	}
	if (ret_op)
		*ret_op = op;
	reactor_post(bulk->carrier->reactor, &CONTAINER_OF(op, struct purchase_op, op)->start_task);
	return 0;
}

int shipopt_bulk_purchase(shipopt_bulk *bulk, const shipopt_order *order, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	shipopt_error *error = NULL;
	if (!bulk || !order)
		return SHIPOPT_EINVAL;
	int r = runtime_check(bulk->runtime);
	if (r < 0)
		return r;
	r = bulk_check_buys(bulk, &error);
	if (r < 0)
		return op_refuse(bulk->runtime, &bulk->delivery, done, userdata, ret_op, r, error);
	return purchase_op_start(bulk, order, done, userdata, ret_op);
}
