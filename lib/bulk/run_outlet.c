/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/memory.h"
#include "bulk/run.h"
#include "bulk/sink.h"

/*
 * The way of ended items out of a run; see run.h.
 *
 * Items that have ended wait in `ended`. One batch at a time is `outgoing`: it passes a scheduler thread when there is a sink to
 * write or when callbacks run there, else the end of the reactor's turn. Back on the reactor, inline callbacks run, and what was
 * not handed to the host's queue is freed. In the queue's case each item is freed when its event is released.
 */
static void run_outlet_send_batch(shipopt_run *run);

static bool run_outlet_is_queued(const shipopt_run *run)
{
	return delivery_is_queued(&run->op.delivery);
}

static bool run_outlet_uses_worker(const shipopt_run *run)
{
	return !delivery_is_queued(&run->op.delivery) && !delivery_is_inline(&run->op.delivery);
}

static void run_outlet_call_item(shipopt_run *run, struct run_item *item)
{
	if (run->bulk->callbacks.item && runtime_may_call_host(run->op.runtime))
		run->bulk->callbacks.item(run->bulk->callbacks.item_userdata, &item->item);
}

static void run_outlet_call_progress(shipopt_run *run)
{
	if (run->bulk->callbacks.progress && runtime_may_call_host(run->op.runtime))
		run->bulk->callbacks.progress(run->bulk->callbacks.progress_userdata, run);
}

/* ---- the host's queue -------------------------------------------------------------------------------------- */

static void run_outlet_item_entry_run(struct queue_entry *entry)
{
	struct run_item *item = CONTAINER_OF(entry, struct run_item, entry);
	run_outlet_call_item(item->run, item);
}

static void run_outlet_item_entry_finish(struct queue_entry *entry)
{
	struct run_item *item = CONTAINER_OF(entry, struct run_item, entry);
	shipopt_run *run = item->run;
	item->has_slot = false; /* freed by the queue */
	run_item_free(item);
	shipopt_op_unref(&run->op);
}

static void run_outlet_push_item(shipopt_run *run, struct run_item *item)
{
	item->entry.event = (shipopt_event){
		.userdata = (uint64_t)(uintptr_t)run->op.userdata,
		.op = &run->op,
		.status = item->item.status,
		.kind = SHIPOPT_EVENT_ITEM,
		.value = (uint64_t)(uintptr_t)&item->item,
	};
	item->entry.has_callback = run->bulk->callbacks.item != NULL;
	item->entry.run = run_outlet_item_entry_run;
	item->entry.finish = run_outlet_item_entry_finish;
	shipopt_op_ref(&run->op);
	deliver(&run->op.delivery, run->op.runtime, run->reactor, &item->entry);
}

static void run_outlet_progress_entry_run(struct queue_entry *entry)
{
	run_outlet_call_progress(CONTAINER_OF(entry, shipopt_run, progress_entry));
}

static void run_outlet_progress_entry_finish(struct queue_entry *entry)
{
	shipopt_run *run = CONTAINER_OF(entry, shipopt_run, progress_entry);
	run->progress_queued = false;
	shipopt_op_unref(&run->op);
}

/* A report that finds no slot, or the one before still unread, is left out: the next says more. */
static void run_outlet_push_progress(shipopt_run *run)
{
	if (run->progress_queued || delivery_reserve(&run->op.delivery, 1) < 0)
		return;
	run->progress_queued = true;
	run->progress_entry.event = (shipopt_event){.userdata = (uint64_t)(uintptr_t)run->op.userdata,
		.op = &run->op,
		.kind = SHIPOPT_EVENT_PROGRESS};
	run->progress_entry.has_callback = run->bulk->callbacks.progress != NULL;
	run->progress_entry.run = run_outlet_progress_entry_run;
	run->progress_entry.finish = run_outlet_progress_entry_finish;
	shipopt_op_ref(&run->op);
	deliver(&run->op.delivery, run->op.runtime, run->reactor, &run->progress_entry);
}

/* ---- the batch --------------------------------------------------------------------------------------------- */

static void run_outlet_write_sink(shipopt_run *run)
{
	if (!run->sink)
		return;
	LIST_FOREACH(node, &run->outgoing) {
		struct run_item *item = LIST_MEMBER(node, struct run_item, node);
		if (run->sink_status == 0 && runtime_may_call_host(run->op.runtime))
			run->sink_status = sink_write(run->sink, &item->item, &run->sink_error);
	}
	/* What is delivered is also on its way to the file: a killed program leaves no half told batch behind. */
	if (run->sink_status == 0 && runtime_may_call_host(run->op.runtime))
		run->sink_status = sink_flush(run->sink, &run->sink_error);
}

static void run_outlet_deliver(shipopt_run *run)
{
	LIST_FOREACH(node, &run->outgoing) {
		struct run_item *item = LIST_MEMBER(node, struct run_item, node);
		run_outlet_call_item(run, item);
	}
	if (run->progress_out)
		run_outlet_call_progress(run);
}

/* Scheduler thread. */
static void outlet_task(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, outlet_task);
	run_outlet_write_sink(run);
	if (run_outlet_uses_worker(run))
		run_outlet_deliver(run);
	reactor_post(run->reactor, &run->outlet_back_task);
}

static void run_outlet_hand_on(shipopt_run *run)
{
	struct list_node *node;
	while ((node = list_pop_front(&run->outgoing))) {
		struct run_item *item = LIST_MEMBER(node, struct run_item, node);
		run->undelivered--;
		if (run_outlet_is_queued(run))
			run_outlet_push_item(run, item);
		else
			run_item_free(item);
	}
	if (run->progress_out && run_outlet_is_queued(run))
		run_outlet_push_progress(run);
	run->progress_out = false;
}

/* Reactor thread. */
static void outlet_back(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, outlet_back_task);
	if (delivery_is_inline(&run->op.delivery))
		run_outlet_deliver(run);
	run_outlet_hand_on(run);
	run->outlet_is_out = false;
	if (run->sink_status < 0)
		run_stop(run, run->sink_status, TAKE(run->sink_error));
	run_outlet_send_batch(run);
	run_pump(run);
}

static void run_outlet_send_batch(shipopt_run *run)
{
	if (run->outlet_is_out || (list_is_empty(&run->ended) && !run->progress_due))
		return;
	list_splice_back(&run->outgoing, &run->ended);
	run->progress_out = run->progress_due;
	run->progress_due = false;
	run->outlet_is_out = true;
	if (run->sink || run_outlet_uses_worker(run))
		runtime_submit_task(run->op.runtime, &run->outlet_task);
	else
		reactor_at_turn_end(run->reactor, &run->outlet_back_task);
}

/* ---- order and room ---------------------------------------------------------------------------------------- */

bool run_outlet_has_room(const shipopt_run *run)
{
	if (run->undelivered >= RUN_UNDELIVERED_MAX)
		return false;
	return !run->window || run->next_index < run->next_delivered + run->window_size;
}

bool run_outlet_is_empty(const shipopt_run *run)
{
	return run->undelivered == 0 && !run->outlet_is_out;
}

void run_outlet_add(shipopt_run *run, struct run_item *item)
{
	run->undelivered++;
	if (!run->window) {
		list_push_back(&run->ended, &item->node);
	} else {
		run->window[item->item.order->index % run->window_size] = item;
		struct run_item **next;
		while (*(next = &run->window[run->next_delivered % run->window_size])) {
			list_push_back(&run->ended, &(*next)->node);
			*next = NULL;
			run->next_delivered++;
		}
	}
	run_outlet_send_batch(run);
}

bool run_outlet_last_word(shipopt_run *run)
{
	if (!run->bulk->callbacks.progress || run->last_word_said)
		return true;
	run->last_word_said = true;
	run->progress_due = true;
	timer_stop(&run->progress_timer);
	run_outlet_send_batch(run);
	return false;
}

static void run_outlet_progress_is_due(struct timer *timer)
{
	shipopt_run *run = CONTAINER_OF(timer, shipopt_run, progress_timer);
	run->progress_due = true;
	timer_start(run->reactor, timer,
		clock_now_us() + settings_number(&run->bulk->settings, BULK_PROGRESS_MS) * 1000);
	run_outlet_send_batch(run);
}

int run_outlet_init(shipopt_run *run)
{
	list_init(&run->ended);
	list_init(&run->outgoing);
	run->outlet_task.run = outlet_task;
	run->outlet_back_task.run = outlet_back;
	run->progress_timer.fire = run_outlet_progress_is_due;
	if (run->sink)
		sink_use(run->sink, run->op.runtime);
	if (!settings_number(&run->bulk->settings, BULK_IN_ORDER))
		return 0;
	run->window_size = (size_t)settings_number(&run->bulk->settings, BULK_ORDER_WINDOW);
	run->window = mem_alloc_array(run->window_size, sizeof(*run->window));
	return run->window ? 0 : SHIPOPT_ENOMEM;
}

void run_outlet_done(shipopt_run *run)
{
	mem_free(run->window);
	shipopt_error_unref(run->sink_error);
}
