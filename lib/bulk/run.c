/* SPDX-License-Identifier: MIT */
#include "bulk/run.h"

#include "base/clock.h"
#include "base/memory.h"

/* ---- admission --------------------------------------------------------------------------------------------- */

static bool run_reserve_slots(shipopt_run *run, struct run_item *item)
{
	const struct delivery *delivery = &run->op.delivery;
	bool asks = item->item.order->status == 0 && (run->kind == RUN_CALL || run->rules.choose);
	if (run->is_canceled && run->is_closing)
		delivery_reserve_beyond(delivery);
	else if (delivery_reserve(delivery, 1) < 0)
		return false;
	item->has_slot = true;
	item->has_ask_slot = asks && delivery_reserve(delivery, 1) == 0;
	return item->has_ask_slot == asks; /* else run_item_free() gives the first one back */
}

static void run_start_item(shipopt_run *run, struct run_item *item)
{
	run->batch.next++;
	run->active++;
	run->in_flight++;
	run->summary.in_flight = (int64_t)run->in_flight;
	list_push_back(&run->items, &item->node);
	run_item_start(item);
}

/* The next order becomes an item; false if there is no slot or memory for it now. */
static bool run_admit(shipopt_run *run)
{
	shipopt_order *order = run->batch.orders[run->batch.next];
	struct run_item *item = run_item_new(run, order);
	if (item) {
		item->item.order->index = run->next_index;
		bool has_slots = run_reserve_slots(run, item);
		atomic_store(&run->op.needs_slot, !has_slots);
		if (has_slots) {
			run->next_index++;
			run_start_item(run, item);
			return true;
		}
		item->item.order = NULL; /* stays in the batch */
		run_item_free(item);
	}
	timer_start(run->reactor, &run->pump_timer, clock_now_us() + RUN_SLOT_RETRY_US);
	return false;
}

static bool run_may_admit(const shipopt_run *run)
{
	bool is_paused = run->is_paused && run->status == 0;
	return run->batch.next < run->batch.count && !is_paused && run->in_flight < run->max_in_flight &&
		run->settling < run->settling_max && run_outlet_has_room(run);
}

static void run_complete(shipopt_run *run)
{
	run->is_ending = true;
	timer_stop(&run->pump_timer);
	timer_stop(&run->progress_timer);
	runtime_unregister(run->op.runtime, &run->member);
	source_close(run->source);
	run->summary.ended_us = clock_now_us();
	run->summary.expected = run->summary.read;
	run->is_over = true;
	op_complete(&run->op, run->status, TAKE(run->error));
}

void run_pump(shipopt_run *run)
{
	if (run->is_ending)
		return;
	if (run->status < 0)
		run_intake_close(run);
	do {
		run_intake_draw(run);
	} while (run_may_admit(run) && run_admit(run));
	if (run->is_reading || !run->source_ended)
		return;
	/* The reader has ended and the intake is empty: the remaining orders are in the batch. */
	bool used_up = run->batch.next == run->batch.count;
	if (used_up && run->active == 0 && run_outlet_is_empty(run) && run_outlet_last_word(run))
		run_complete(run);
}

static void run_pump_again(struct timer *timer)
{
	run_pump(CONTAINER_OF(timer, shipopt_run, pump_timer));
}

/* ---- items ------------------------------------------------------------------------------------------------- */

void run_item_ended(struct run_item *item)
{
	shipopt_run *run = item->run;
	list_remove(&item->node);
	run->active--;
	if (item->is_parked)
		run_item_parked(item, false);
	run->in_flight--;
	run->summary.in_flight = (int64_t)run->in_flight;
	item->item.latency_us = clock_now_us() - item->item.started_us;
	summary_add(&run->summary, &item->item, run->kind == RUN_BUY);
	run_outlet_add(run, item);
	run_pump(run);
}

void run_item_parked(struct run_item *item, bool is_parked)
{
	shipopt_run *run = item->run;
	if (item->is_parked == is_parked)
		return;
	item->is_parked = is_parked;
	run->in_flight += is_parked ? (size_t)-1 : 1;
	run->settling += is_parked ? 1 : (size_t)-1;
	run->summary.in_flight = (int64_t)run->in_flight;
	run->summary.settling = (int64_t)run->settling;
	if (is_parked)
		run_pump(run);
}

void run_stop(shipopt_run *run, int status, shipopt_error *error)
{
	if (run->status < 0) {
		shipopt_error_unref(error);
		return;
	}
	run->status = status;
	run->error = error;
}

/* ---- control ----------------------------------------------------------------------------------------------- */

static void run_cancel_on_reactor(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, cancel_task);
	if (!run->is_ending && !run->is_canceled) {
		run->is_canceled = true;
		run_stop(run, SHIPOPT_ECANCELED, NULL);
		source_close(run->source);
		LIST_FOREACH(node, &run->items) {
			struct run_item *item = LIST_MEMBER(node, struct run_item, node);
			item->cancel(item);
		}
		run_pump(run);
	}
	shipopt_op_unref(&run->op);
}

static void run_cancel(shipopt_op *op)
{
	shipopt_run *run = CONTAINER_OF(op, shipopt_run, op);
	shipopt_op_ref(op);
	reactor_post(run->reactor, &run->cancel_task);
}

static void run_member_cancel(struct runtime_member *member)
{
	shipopt_run *run = CONTAINER_OF(member, shipopt_run, member);
	run->is_closing = true;
	shipopt_op_cancel(&run->op);
}

static void run_pause_on_reactor(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, pause_task);
	run->pause_posted = false;
	run->is_paused = run->wants_pause;
	run_pump(run);
	shipopt_op_unref(&run->op);
}

static int run_set_pause(shipopt_run *run, bool pause)
{
	if (!run)
		return SHIPOPT_EINVAL;
	int r = runtime_check(run->op.runtime);
	if (r < 0)
		return r;
	if (run->is_over)
		return SHIPOPT_ESTATE;
	if (run->wants_pause == pause)
		return 0;
	run->wants_pause = pause;
	/* A task that was posted before and has not run yet applies the newest value. */
	bool idle = false;
	if (atomic_compare_exchange_strong(&run->pause_posted, &idle, true)) {
		shipopt_op_ref(&run->op);
		reactor_post(run->reactor, &run->pause_task);
	}
	return 0;
}

int shipopt_run_pause(shipopt_run *run)
{
	return run_set_pause(run, true);
}

int shipopt_run_resume(shipopt_run *run)
{
	return run_set_pause(run, false);
}

/* ---- readers ------------------------------------------------------------------------------------------------ */

shipopt_op *shipopt_run_op(shipopt_run *run)
{
	return run ? &run->op : NULL;
}

shipopt_run *shipopt_run_ref(shipopt_run *run)
{
	shipopt_op_ref(shipopt_run_op(run));
	return run;
}

void shipopt_run_unref(shipopt_run *run)
{
	shipopt_op_unref(shipopt_run_op(run));
}

int shipopt_run_stat(shipopt_run *run, int stat, int64_t *ret_value)
{
	return run && ret_value ? summary_stat(&run->summary, stat, ret_value) : SHIPOPT_EINVAL;
}

int shipopt_run_problem(shipopt_run *run, shipopt_error **ret_problem)
{
	return run && ret_problem ? summary_problem(&run->summary, ret_problem) : SHIPOPT_EINVAL;
}

int shipopt_run_spend(shipopt_run *run, size_t index, const char **ret_carrier, const char **ret_currency,
	int64_t *ret_labels, int64_t *ret_amount)
{
	if (!run || !ret_carrier || !ret_currency || !ret_labels || !ret_amount)
		return SHIPOPT_EINVAL;
	return summary_spend(&run->summary, index, ret_carrier, ret_currency, ret_labels, ret_amount);
}

/* ---- birth and death --------------------------------------------------------------------------------------- */

static void run_destroy(shipopt_op *op)
{
	shipopt_run *run = CONTAINER_OF(op, shipopt_run, op);
	run_outlet_done(run);
	source_unref(run->source);
	run_intake_done(run);
	shipopt_error_unref(run->error);
	summary_done(&run->summary);
	call_group_done(&run->group);
	shipopt_bulk_free(run->bulk);
}

static const struct op_class run_class = {sizeof(shipopt_run), run_cancel, run_destroy, SHIPOPT_DOMAIN_RUN};

static void run_start_on_reactor(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, start_task);
	if (run->bulk->carrier)
		run->answers_before = run->bulk->carrier->answers;
	if (run->bulk->callbacks.progress)
		timer_start(run->reactor, &run->progress_timer,
			clock_now_us() + settings_number(&run->bulk->settings, BULK_PROGRESS_MS) * 1000);
	run_pump(run);
}

static size_t run_default_in_flight(enum run_kind kind)
{
	return kind == RUN_TRACK ? 32 : 16;
}

static void run_init(shipopt_run *run, shipopt_bulk *bulk, enum run_kind kind, shipopt_sink *sink)
{
	size_t wanted = (size_t)settings_number(&bulk->settings, BULK_MAX_IN_FLIGHT);
	run->bulk = bulk_ref(bulk);
	run->kind = kind;
	run->sink = sink;
	run->max_in_flight = wanted ? wanted : run_default_in_flight(kind);
	run->settling_max = (size_t)settings_number(&bulk->settings, BULK_SETTLING_MAX);
	list_init(&run->items);
	call_group_init(&run->group, 1);
	summary_init(&run->summary);
	bulk_rules(bulk, &run->rules);
	run->rules.rate_only = kind == RUN_RATE;
	run->start_task.run = run_start_on_reactor;
	run->cancel_task.run = run_cancel_on_reactor;
	run->pause_task.run = run_pause_on_reactor;
	run_intake_init(run);
	run->pump_timer.fire = run_pump_again;
	run->member.cancel = run_member_cancel;
	list_init(&run->member.node);
}

static int run_reactor(shipopt_bulk *bulk, shipopt_run *run)
{
	if (bulk->carrier) {
		run->reactor = bulk->carrier->reactor;
		return 0;
	}
	return runtime_reactor(bulk->runtime, &run->reactor);
}

int run_new(shipopt_bulk *bulk, enum run_kind kind, shipopt_source *source, shipopt_sink *sink, shipopt_request_fn call,
	void *call_userdata, shipopt_done_fn done, void *userdata, shipopt_run **ret_run)
{
	shipopt_op *op, *caller;
	int r = runtime_check(bulk->runtime);
	if (r == 0 && delivery_slots(&bulk->delivery) < RUN_SLOTS_MIN + (kind == RUN_CALL))
		r = SHIPOPT_EINVAL;
	r = r < 0 ? r
		  : op_new(&run_class, bulk->runtime, &bulk->delivery, done, userdata, ret_run ? &caller : NULL, &op);
	if (r < 0)
		return r;
	shipopt_run *run = CONTAINER_OF(op, shipopt_run, op);
	run_init(run, bulk, kind, sink);
	run->call = call;
	run->call_userdata = call_userdata;
	r = run_reactor(bulk, run);
	r = r < 0 ? r : run_outlet_init(run);
	r = r < 0 ? r : runtime_register(bulk->runtime, &run->member);
	r = r < 0 ? r : source_take(source);
	if (r < 0) {
		runtime_unregister(bulk->runtime, &run->member);
		op_abandon(op, ret_run != NULL);
		return r;
	}
	run_intake_open(run, source);
	if (ret_run)
		*ret_run = run;
	reactor_post(run->reactor, &run->start_task);
	return 0;
}
