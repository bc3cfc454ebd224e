/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "bulk/run.h"
#include "runtime/request.h"

/* The kinds of items: the work on one order, by the kind of its run. Each embeds the common part first. */

static void run_item_finish(struct run_item *item, int status, shipopt_error *error)
{
	item->item.status = status;
	if (error) {
		shipopt_error_unref(item->item.error);
		item->item.error = error;
	}
	run_item_ended(item);
}

static int64_t run_item_deadline_us(const shipopt_run *run)
{
	return clock_now_us() + settings_number(&run->bulk->settings, BULK_ITEM_TIMEOUT_MS) * 1000;
}

/* To be called before an item that asked the carrier ends: its failure may end the run. */
static void run_item_judge(shipopt_run *run, const shipopt_item *item, int item_status, enum blame whose, int status)
{
	bool has_answered = run->bulk->carrier->answers != run->answers_before;
	if (item_status == 0)
		run_blame_success(&run->blame);
	if (item_status >= 0 || !run_blame_failure(&run->blame, item->order, whose, status, has_answered))
		return;
	shipopt_error *error = shipopt_error_ref(item->error);
	run_stop(run, status, has_answered || whose == BLAME_ACCOUNT ? error_prefix(error, RUN_BLAME_PREFIX) : error);
}

/* ---- buy and rate ------------------------------------------------------------------------------------------ */

struct buy_item {
	struct run_item common;
	struct purchase purchase;
};

static void run_item_buy_item_done(struct purchase *purchase)
{
	struct buy_item *self = CONTAINER_OF(purchase, struct buy_item, purchase);
	const shipopt_item *item = &self->common.item;
	run_item_judge(self->common.run, item, item->status, purchase->blame, purchase->blame_status);
	run_item_ended(&self->common);
}

static void run_item_buy_item_parked(struct purchase *purchase, bool is_parked)
{
	run_item_parked(&CONTAINER_OF(purchase, struct buy_item, purchase)->common, is_parked);
}

static void run_item_buy_item_ask(struct purchase *purchase, shipopt_request *request)
{
	struct run_item *item = &CONTAINER_OF(purchase, struct buy_item, purchase)->common;
	shipopt_run *run = item->run;
	bool has_slot = item->has_ask_slot;
	item->has_ask_slot = false; /* the question uses it up */
	request_ask(request, &run->op, has_slot, run->rules.choose, run->rules.choose_userdata);
}

static void run_item_buy_item_start(struct run_item *item)
{
	struct buy_item *self = CONTAINER_OF(item, struct buy_item, common);
	shipopt_run *run = item->run;
	self->purchase.rules = &run->rules;
	self->purchase.order = item->item.order;
	self->purchase.item = &item->item;
	self->purchase.group = &run->group;
	self->purchase.deadline_us = run_item_deadline_us(run);
	self->purchase.done = run_item_buy_item_done;
	self->purchase.parked = run_item_buy_item_parked;
	self->purchase.ask = run_item_buy_item_ask;
	purchase_start(&self->purchase);
}

static void run_item_buy_item_cancel(struct run_item *item)
{
	purchase_cancel(&CONTAINER_OF(item, struct buy_item, common)->purchase);
}

static void run_item_buy_item_clear(struct run_item *item)
{
	purchase_clear(&CONTAINER_OF(item, struct buy_item, common)->purchase);
}

/* ---- track and verify: one exchange ------------------------------------------------------------------------ */

struct exchange_item {
	struct run_item common;
	struct exchange exchange;
	struct task task;
	int status;
};

static void run_item_exchange_item_done(struct exchange *exchange)
{
	struct exchange_item *self = CONTAINER_OF(exchange, struct exchange_item, exchange);
	shipopt_run *run = self->common.run;
	shipopt_item *item = &self->common.item;
	item->attempts = exchange->attempts;
	item->record = TAKE(exchange->record);
	if (run->kind == RUN_TRACK && item->order->tracking_code)
		item->tracking_code = mem_copy_text(item->order->tracking_code);
	if (run->kind == RUN_TRACK && item->record)
		item->carrier = mem_copy_text(shipopt_record_text(item->record, SHIPOPT_TRACKER_CARRIER));
	item->error = TAKE(exchange->error);
	run_item_judge(run, item, exchange->status, exchange->blame, exchange->status);
	run_item_finish(&self->common, exchange->status, NULL);
}

static int run_item_exchange_item_write_call(struct exchange_item *self)
{
	shipopt_run *run = self->common.run;
	const shipopt_order *order = self->common.item.order;
	const struct provider *provider = run->bulk->carrier->provider;
	struct carrier_call *call = &self->exchange.call;
	if (run->kind == RUN_TRACK)
		return provider->create_tracker(call, order->tracking_code, order->carrier);
	const shipopt_record *address =
		order->shipment ? shipopt_record_child(order->shipment, SHIPOPT_SHIPMENT_TO_ADDRESS) : NULL;
	return address ? provider->create_address(call, address, SHIPOPT_VERIFY_STRICT) : SHIPOPT_EINVAL;
}

static void run_item_exchange_item_not_started(struct task *task)
{
	struct exchange_item *self = CONTAINER_OF(task, struct exchange_item, task);
	shipopt_error *error = NULL;
	bool track = self->common.run->kind == RUN_TRACK;
	if (self->status == SHIPOPT_EINVAL)
		error_set(&error, SHIPOPT_EINVAL,
			track ? "the order has no tracking code" : "the order has no to_address");
	run_item_finish(&self->common, self->status, error);
}

static void run_item_exchange_item_start(struct run_item *item)
{
	struct exchange_item *self = CONTAINER_OF(item, struct exchange_item, common);
	exchange_init(&self->exchange);
	self->exchange.group = &item->run->group;
	self->exchange.patient = true;
	self->exchange.deadline_us = run_item_deadline_us(item->run);
	self->exchange.done = run_item_exchange_item_done;
	self->status = run_item_exchange_item_write_call(self);
	if (self->status == 0)
		self->status = exchange_start(item->run->bulk->carrier, &self->exchange);
	if (self->status < 0) {
		self->task.run = run_item_exchange_item_not_started;
		reactor_post(item->run->reactor, &self->task);
	}
}

static void run_item_exchange_item_cancel(struct run_item *item)
{
	exchange_cancel(&CONTAINER_OF(item, struct exchange_item, common)->exchange);
}

static void run_item_exchange_item_clear(struct run_item *item)
{
	exchange_clear(&CONTAINER_OF(item, struct exchange_item, common)->exchange);
}

/* ---- host calls -------------------------------------------------------------------------------------------- */

struct host_item {
	struct run_item common;
	struct task task;
	int status;
};

static void run_item_host_item_answered(void *asker, int status, int64_t value, shipopt_error *error)
{
	struct host_item *self = asker;
	self->common.item.value = value;
	run_item_finish(&self->common, MIN(status, 0), error);
}

static void run_item_host_item_not_asked(struct task *task)
{
	struct host_item *self = CONTAINER_OF(task, struct host_item, task);
	run_item_finish(&self->common, self->status, NULL);
}

static void run_item_host_item_start(struct run_item *item)
{
	struct host_item *self = CONTAINER_OF(item, struct host_item, common);
	shipopt_run *run = item->run;
	shipopt_request *request;
	self->status = request_new(item->item.order->key, item->item.order->shipment, run->reactor,
		run_item_host_item_answered, self, &request);
	if (self->status < 0) {
		self->task.run = run_item_host_item_not_asked;
		reactor_post(run->reactor, &self->task);
		return;
	}
	item->item.attempts = 1;
	bool has_slot = item->has_ask_slot;
	item->has_ask_slot = false; /* the question uses it up */
	request_ask(request, &run->op, has_slot, run->call, run->call_userdata);
}

/* The host works on it: its answer is waited for. */
static void run_item_host_item_cancel(struct run_item *item)
{
}

static void run_item_host_item_clear(struct run_item *item)
{
}

/* ---- common ------------------------------------------------------------------------------------------------ */

static const struct {
	size_t size;
	void (*start)(struct run_item *item);
	void (*cancel)(struct run_item *item);
	void (*clear)(struct run_item *item);
} kinds[] = {
	[RUN_BUY] = {sizeof(struct buy_item), run_item_buy_item_start, run_item_buy_item_cancel,
		run_item_buy_item_clear},
	[RUN_RATE] = {sizeof(struct buy_item), run_item_buy_item_start, run_item_buy_item_cancel,
		run_item_buy_item_clear},
	[RUN_TRACK] = {sizeof(struct exchange_item), run_item_exchange_item_start, run_item_exchange_item_cancel,
		run_item_exchange_item_clear},
	[RUN_VERIFY] = {sizeof(struct exchange_item), run_item_exchange_item_start, run_item_exchange_item_cancel,
		run_item_exchange_item_clear},
	[RUN_CALL] = {sizeof(struct host_item), run_item_host_item_start, run_item_host_item_cancel,
		run_item_host_item_clear},
};

/* A row that could not be read ends in a turn of its own, so that admission is not re-entered. */
struct bad_item {
	struct run_item common;
	struct task task;
};

static void run_item_bad_item_done(struct task *task)
{
	struct bad_item *self = CONTAINER_OF(task, struct bad_item, task);
	shipopt_order *order = self->common.item.order;
	run_item_finish(&self->common, order->status, TAKE(order->error));
}

static void run_item_bad_item_cancel(struct run_item *item)
{
}

static void run_item_bad_item_clear(struct run_item *item)
{
}

struct run_item *run_item_new(shipopt_run *run, shipopt_order *order)
{
	if ((run->kind == RUN_BUY || run->kind == RUN_RATE) && order_take_wishes(order) < 0)
		return NULL;
	size_t size = order->status < 0 ? sizeof(struct bad_item) : kinds[run->kind].size;
	struct run_item *item = mem_alloc_zero(size);
	if (!item)
		return NULL;
	item->run = run;
	item->item.order = order;
	item->item.amount = -1;
	item->item.started_us = clock_now_us();
	item->cancel = order->status < 0 ? run_item_bad_item_cancel : kinds[run->kind].cancel;
	item->clear = run_item_bad_item_clear; /* until it is started */
	list_init(&item->node);
	return item;
}

void run_item_start(struct run_item *item)
{
	if (item->item.order->status < 0) {
		struct bad_item *bad = CONTAINER_OF(item, struct bad_item, common);
		bad->task.run = run_item_bad_item_done;
		reactor_post(item->run->reactor, &bad->task);
		return;
	}
	item->clear = kinds[item->run->kind].clear;
	kinds[item->run->kind].start(item);
}

void run_item_free(struct run_item *item)
{
	item->clear(item);
	if (item->has_ask_slot)
		delivery_unreserve(&item->run->op.delivery, 1);
	if (item->has_slot)
		delivery_unreserve(&item->run->op.delivery, 1);
	item_done(&item->item);
	mem_free(item);
}
