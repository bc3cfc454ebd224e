/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/memory.h"
#include "bulk/run.h"
#include "bulk/sink.h"

static void run_delivery_send(shipopt_run *run);

static bool run_delivery_is_queued(const shipopt_run *run)
{
	return delivery_is_queued(&run->op.delivery);
}

static bool run_delivery_uses_worker(const shipopt_run *run)
{
	return !delivery_is_queued(&run->op.delivery) && !delivery_is_inline(&run->op.delivery);
}

static void run_delivery_call_item(struct run_item *item)
{
	const struct bulk_callbacks *callbacks = &item->run->bulk->callbacks;
	if (callbacks->item && runtime_may_call_host(item->run->op.runtime))
		callbacks->item(callbacks->item_userdata, &item->item);
}

static void run_delivery_call_progress(shipopt_run *run)
{
	const struct bulk_callbacks *callbacks = &run->bulk->callbacks;
	if (callbacks->progress && runtime_may_call_host(run->op.runtime))
		callbacks->progress(callbacks->progress_userdata, run);
}

/* ---- the application's queue ----------------------------------------------------------------------------------- */

static void run_delivery_item_run(struct queue_entry *entry)
{
	run_delivery_call_item(CONTAINER_OF(entry, struct run_item, entry));
}

static void run_delivery_item_finish(struct queue_entry *entry)
{
	struct run_item *item = CONTAINER_OF(entry, struct run_item, entry);
	shipopt_run *run = item->run;
	item->has_slot = false; /* the queue has freed it */
	run_item_free(item);
	shipopt_op_unref(&run->op);
}

static void run_delivery_push_item(struct run_item *item)
{
	shipopt_run *run = item->run;
	item->entry.event = (shipopt_event){
		.userdata = (uint64_t)(uintptr_t)run->op.userdata,
		.op = &run->op,
		.status = item->item.status,
		.kind = SHIPOPT_EVENT_ITEM,
		.value = (uint64_t)(uintptr_t)&item->item,
	};
	item->entry.has_callback = run->bulk->callbacks.item != NULL;
	item->entry.run = run_delivery_item_run;
	item->entry.finish = run_delivery_item_finish;
	shipopt_op_ref(&run->op);
	deliver(&run->op.delivery, run->op.runtime, run->reactor, &item->entry);
}

static void run_delivery_progress_run(struct queue_entry *entry)
{
	run_delivery_call_progress(CONTAINER_OF(entry, shipopt_run, delivery.progress_entry));
}

static void run_delivery_progress_finish(struct queue_entry *entry)
{
	shipopt_run *run = CONTAINER_OF(entry, shipopt_run, delivery.progress_entry);
	run->delivery.progress_is_queued = false;
	shipopt_op_unref(&run->op);
}

/* A report is left out if there is no free slot or if the one before was not read yet: the next one says more. */
static void run_delivery_push_progress(shipopt_run *run)
{
	struct queue_entry *entry = &run->delivery.progress_entry;
	if (run->delivery.progress_is_queued || delivery_reserve(&run->op.delivery, 1) < 0)
		return;
	run->delivery.progress_is_queued = true;
	entry->event = (shipopt_event){
		.userdata = (uint64_t)(uintptr_t)run->op.userdata,
		.op = &run->op,
		.kind = SHIPOPT_EVENT_PROGRESS,
	};
	entry->has_callback = run->bulk->callbacks.progress != NULL;
	entry->run = run_delivery_progress_run;
	entry->finish = run_delivery_progress_finish;
	shipopt_op_ref(&run->op);
	deliver(&run->op.delivery, run->op.runtime, run->reactor, entry);
}

/* ---- the batch --------------------------------------------------------------------------------------------------- */

static bool run_delivery_may_write(const shipopt_run *run)
{
	return run->delivery.sink && run->delivery.sink_status == 0 && runtime_may_call_host(run->op.runtime);
}

/* Each batch is handed to the system as a whole: a program that is killed leaves no half written line. */
static void run_delivery_write(shipopt_run *run)
{
	struct run_delivery *delivery = &run->delivery;
	LIST_FOREACH(node, &delivery->outgoing) {
		struct run_item *item = LIST_MEMBER(node, struct run_item, node);
		if (run_delivery_may_write(run))
			delivery->sink_status = sink_write(delivery->sink, &item->item, &delivery->sink_error);
	}
	if (run_delivery_may_write(run))
		delivery->sink_status = sink_flush(delivery->sink, &delivery->sink_error);
}

static void run_delivery_call_back(shipopt_run *run)
{
	LIST_FOREACH(node, &run->delivery.outgoing)
		run_delivery_call_item(LIST_MEMBER(node, struct run_item, node));
	if (run->delivery.progress_is_out)
		run_delivery_call_progress(run);
}

/* Scheduler worker. */
static void run_delivery_out(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, delivery.out_task);
	run_delivery_write(run);
	if (run_delivery_uses_worker(run))
		run_delivery_call_back(run);
	reactor_post(run->reactor, &run->delivery.back_task);
}

static void run_delivery_release(shipopt_run *run)
{
	struct run_delivery *delivery = &run->delivery;
	struct list_node *node;
	while ((node = list_pop_front(&delivery->outgoing))) {
		struct run_item *item = LIST_MEMBER(node, struct run_item, node);
		delivery->undelivered--;
		if (run_delivery_is_queued(run))
			run_delivery_push_item(item);
		else
			run_item_free(item);
	}
	if (delivery->progress_is_out && run_delivery_is_queued(run))
		run_delivery_push_progress(run);
	delivery->progress_is_out = false;
}

/* Reactor. */
static void run_delivery_back(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, delivery.back_task);
	struct run_delivery *delivery = &run->delivery;
	if (delivery_is_inline(&run->op.delivery))
		run_delivery_call_back(run);
	run_delivery_release(run);
	delivery->is_out = false;
	if (delivery->sink_status < 0)
		run_stop(run, delivery->sink_status, error_move(TAKE(delivery->sink_error), SHIPOPT_DOMAIN_RUN));
	run_delivery_send(run);
	run_pump(run);
}

/* Sends a batch, unless one is on its way. */
static void run_delivery_send(shipopt_run *run)
{
	struct run_delivery *delivery = &run->delivery;
	if (delivery->is_out || (list_is_empty(&delivery->ended) && !delivery->progress_is_due))
		return;
	list_splice_back(&delivery->outgoing, &delivery->ended);
	delivery->progress_is_out = delivery->progress_is_due;
	delivery->progress_is_due = false;
	delivery->is_out = true;
	if (delivery->sink || run_delivery_uses_worker(run))
		runtime_submit_task(run->op.runtime, &delivery->out_task);
	else
		reactor_at_turn_end(run->reactor, &delivery->back_task);
}

/* ---- order and room ---------------------------------------------------------------------------------------------- */

bool run_delivery_has_room(const shipopt_run *run)
{
	const struct run_delivery *delivery = &run->delivery;
	if (delivery->undelivered >= DELIVERY_ITEMS_MAX)
		return false;
	return !delivery->window || run->next_index < delivery->next_index + delivery->window_size;
}

bool run_delivery_is_empty(const shipopt_run *run)
{
	return run->delivery.undelivered == 0 && !run->delivery.is_out;
}

/* Moves the items that are next in the order of the input out of the window. */
static void run_delivery_advance(struct run_delivery *delivery)
{
	struct run_item **next;
	while (*(next = &delivery->window[delivery->next_index % delivery->window_size])) {
		list_push_back(&delivery->ended, &(*next)->node);
		*next = NULL;
		delivery->next_index++;
	}
}

void run_delivery_add(shipopt_run *run, struct run_item *item)
{
	struct run_delivery *delivery = &run->delivery;
	delivery->undelivered++;
	if (delivery->window) {
		delivery->window[item->item.order->index % delivery->window_size] = item;
		run_delivery_advance(delivery);
	} else {
		list_push_back(&delivery->ended, &item->node);
	}
	run_delivery_send(run);
}

/* ---- progress reports -------------------------------------------------------------------------------------------- */

static void run_delivery_plan_progress(shipopt_run *run)
{
	int64_t period_us = settings_number(&run->bulk->settings, BULK_PROGRESS_MS) * 1000;
	timer_start(run->reactor, &run->delivery.progress_timer, clock_now_us() + period_us);
}

static void run_delivery_progress_due(struct timer *timer)
{
	shipopt_run *run = CONTAINER_OF(timer, shipopt_run, delivery.progress_timer);
	run->delivery.progress_is_due = true;
	run_delivery_plan_progress(run);
	run_delivery_send(run);
}

bool run_delivery_reports_end(shipopt_run *run)
{
	struct run_delivery *delivery = &run->delivery;
	if (!run->bulk->callbacks.progress || delivery->has_last_progress)
		return true;
	delivery->has_last_progress = true;
	delivery->progress_is_due = true;
	timer_stop(&delivery->progress_timer);
	run_delivery_send(run);
	return false;
}

/* ---- life
 * ---------------------------------------------------------------------------------------------------------- */

int run_delivery_init(shipopt_run *run, shipopt_sink *sink)
{
	struct run_delivery *delivery = &run->delivery;
	list_init(&delivery->ended);
	list_init(&delivery->outgoing);
	delivery->out_task.run = run_delivery_out;
	delivery->back_task.run = run_delivery_back;
	delivery->progress_timer.fire = run_delivery_progress_due;
	delivery->sink = sink;
	if (!settings_number(&run->bulk->settings, BULK_IN_ORDER))
		return 0;
	delivery->window_size = (size_t)settings_number(&run->bulk->settings, BULK_ORDER_WINDOW);
	delivery->window = mem_alloc_array(delivery->window_size, sizeof(*delivery->window));
	return delivery->window ? 0 : SHIPOPT_ENOMEM;
}

void run_delivery_start(shipopt_run *run)
{
	if (run->delivery.sink)
		sink_use(run->delivery.sink, run->op.runtime);
	if (run->bulk->callbacks.progress)
		run_delivery_plan_progress(run);
}

void run_delivery_stop(shipopt_run *run)
{
	timer_stop(&run->delivery.progress_timer);
}

void run_delivery_done(shipopt_run *run)
{
	mem_free(run->delivery.window);
	shipopt_error_unref(run->delivery.sink_error);
}
