/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_RUN
#include "bulk/run.h"

#include "base/clock.h"
#include "base/memory.h"

/* ---- the end of a run -------------------------------------------------------------------------------------------- */

/* A cancel that came when every order was finished changed nothing. */
static bool run_was_finished(const shipopt_run *run)
{
	const struct summary *summary = &run->summary;
	return run->reader.has_all && summary->canceled == 0 && summary->in_doubt == 0;
}

/* Says how far a canceled run came. */
static void run_explain_cancel(shipopt_run *run)
{
	const struct summary *summary = &run->summary;
	long long read = (long long)summary->read, canceled = (long long)summary->canceled,
		  in_doubt = (long long)summary->in_doubt;
	error_set(&run->error, SHIPOPT_ECANCELED,
		"the run was canceled: of %lld orders that it had read, %lld were finished, %lld in doubt, %lld not started or canceled",
		read, read - canceled - in_doubt, in_doubt, canceled);
}

static void run_complete(shipopt_run *run)
{
	if (run->status == SHIPOPT_ECANCELED && run_was_finished(run))
		run->status = 0;
	if (run->status == SHIPOPT_ECANCELED && !run->error)
		run_explain_cancel(run);
	run->state = RUN_DONE;
	timer_stop(&run->pump_timer);
	run_reach_stop(run);
	run_delivery_stop(run);
	runtime_unregister(run->op.runtime, &run->member);
	if (run->reader.source)
		source_close(run->reader.source);
	run->summary.ended_us = clock_now_us();
	run->summary.expected = run->summary.read;
	op_complete(&run->op, run->status, TAKE(run->error));
}

void run_stop(shipopt_run *run, int status, shipopt_error *error)
{
	if (run->state >= RUN_STOPPING) {
		shipopt_error_unref(error);
		return;
	}
	run->state = RUN_STOPPING;
	run->status = status;
	run->error = error;
}

void run_cancel_items(shipopt_run *run)
{
	if (run->state >= RUN_CANCELED)
		return;
	run->state = RUN_CANCELED;
	if (run->reader.source)
		source_close(run->reader.source);
	LIST_FOREACH(node, &run->items)
		run_item_cancel(LIST_MEMBER(node, struct run_item, node));
}

/* ---- the pump ---------------------------------------------------------------------------------------------------- */

static bool run_reserve_slots(shipopt_run *run, struct run_item *item)
{
	const struct delivery *delivery = &run->op.delivery;
	bool asks = item->item.order->status == 0 && (run->kind == RUN_CALL || run->rules.choose);
	if (run->state == RUN_CANCELED && run->is_closing)
		delivery_reserve_beyond(delivery);
	else if (delivery_reserve(delivery, 1) < 0)
		return false;
	item->has_slot = true;
	item->has_ask_slot = asks && delivery_reserve(delivery, 1) == 0;
	return item->has_ask_slot == asks; /* otherwise run_item_free() gives the first one back */
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

/* Starts an item for the next order. False if there is no slot or memory for it now: the pump tries again later. */
static bool run_admit(shipopt_run *run)
{
	struct run_item *item = run_item_new(run, run->batch.orders[run->batch.next]);
	if (item) {
		item->item.order->index = run->next_index;
		bool has_slots = run_reserve_slots(run, item);
		run->op.needs_slot = !has_slots;
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
	return run->batch.next < run->batch.count && run->state != RUN_PAUSED && run->in_flight < run->max_in_flight &&
		run->settling < run->settling_max && run_delivery_has_room(run);
}

static bool run_has_nothing_left(const shipopt_run *run)
{
	/* The reader has stored nothing any more: the orders that are left are in the batch. */
	return run->reader.state == READER_ENDED && run->batch.next == run->batch.count && run->active == 0 &&
		run_delivery_is_empty(run);
}

void run_pump(shipopt_run *run)
{
	if (run->state == RUN_DONE)
		return;
	if (run->state >= RUN_STOPPING)
		run_reader_close(run);
	do {
		run_reader_draw(run);
	} while (run_may_admit(run) && run_admit(run));
	if (run_has_nothing_left(run) && run_delivery_reports_end(run))
		run_complete(run);
}

static void run_pump_again(struct timer *timer)
{
	run_pump(CONTAINER_OF(timer, shipopt_run, pump_timer));
}

/* ---- items ------------------------------------------------------------------------------------------------------- */

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
	run_delivery_add(run, item);
	run_pump(run);
}

void run_item_parked(struct run_item *item, bool is_parked)
{
	shipopt_run *run = item->run;
	if (item->is_parked == is_parked)
		return;
	item->is_parked = is_parked;
	if (is_parked) {
		run->in_flight--;
		run->settling++;
	} else {
		run->in_flight++;
		run->settling--;
	}
	run->summary.in_flight = (int64_t)run->in_flight;
	run->summary.settling = (int64_t)run->settling;
	if (is_parked)
		run_pump(run);
}

/* The refusal of the API, or the connection, is to blame for more than this order. */
static bool run_must_stop(shipopt_run *run, const shipopt_item *item, enum blame whose, int status, bool has_answered)
{
	if (item->status == SHIPOPT_ETLS && run->group.answers == 0)
		return true;
	return run_blame_failure(&run->blame, item->order, whose, status, has_answered);
}

void run_judge(shipopt_run *run, const shipopt_item *item, enum blame whose, int status)
{
	bool has_answered = run->bulk->carrier->answers != run->answers_before;
	if (item->status == 0)
		run_blame_success(&run->blame);
	if (item->status >= 0 || !run_must_stop(run, item, whose, status, has_answered))
		return;
	shipopt_error *error = shipopt_error_ref(item->error);
	if (has_answered || whose == BLAME_ACCOUNT)
		error = error_prefix(error, RUN_BLAME_PREFIX);
	run_stop(run, item->status == SHIPOPT_ETLS ? item->status : status, error_move(error, SHIPOPT_DOMAIN_RUN));
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static void run_destroy(shipopt_op *op)
{
	shipopt_run *run = CONTAINER_OF(op, shipopt_run, op);
	ready_event_done(&run->room);
	run_delivery_done(run);
	run_reader_done(run);
	shipopt_error_unref(run->error);
	call_group_done(&run->group);
	summary_done(&run->summary);
	shipopt_bulk_free(run->bulk);
}

static const struct op_class run_class = {sizeof(shipopt_run), run_cancel, run_destroy, SHIPOPT_DOMAIN_RUN};

static void run_start_on_reactor(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, start_task);
	if (run->state == RUN_STOPPING) { /* refused */
		run_complete(run);
		return;
	}
	if (run->bulk->carrier)
		run->answers_before = run->bulk->carrier->answers;
	run_delivery_start(run);
	run_reach_start(run);
	run_pump(run);
}

static size_t run_default_in_flight(enum run_kind kind)
{
	return kind == RUN_TRACK ? 32 : 16;
}

static void run_init(shipopt_run *run, shipopt_bulk *bulk, const struct run_request *request)
{
	size_t wanted = (size_t)settings_number(&bulk->settings, BULK_MAX_IN_FLIGHT);
	run->bulk = bulk_ref(bulk);
	run->kind = request->kind;
	run->call = request->call;
	run->call_userdata = request->call_userdata;
	run->max_in_flight = wanted ? wanted : run_default_in_flight(run->kind);
	run->settling_max = (size_t)settings_number(&bulk->settings, BULK_SETTLING_MAX);
	list_init(&run->items);
	call_group_init(&run->group, 1);
	summary_init(&run->summary);
	bulk_rules(bulk, &run->rules);
	run->rules.rate_only = run->kind == RUN_RATE;
	run->start_task.run = run_start_on_reactor;
	run_reader_init(run);
	run->pump_timer.fire = run_pump_again;
	run_control_init(run);
}

static int run_find_reactor(shipopt_bulk *bulk, shipopt_run *run)
{
	if (bulk->carrier) {
		run->reactor = bulk->carrier->reactor;
		return 0;
	}
	return runtime_reactor(bulk->runtime, &run->reactor);
}

static void run_hold(void *object)
{
	shipopt_op_ref(object);
}

static void run_drop(void *object)
{
	shipopt_op_unref(object);
}

/* Prepares the READY event of a push source. */
static int run_init_room(shipopt_run *run, const struct run_request *request)
{
	shipopt_event event = {.userdata = (uint64_t)(uintptr_t)request->userdata,
		.op = &run->op,
		.value = (uint64_t)(uintptr_t)request->source};
	if (!request->source->class->keeps_host || !delivery_is_queued(&run->op.delivery))
		return 0;
	int r = ready_event_init(&run->room, run->op.delivery.queue, &event);
	ready_event_set_object(&run->room, &run->op, run_hold, run_drop);
	return r;
}

static void run_check_slots(shipopt_run *run)
{
	size_t slots = delivery_slots(&run->op.delivery);
	size_t needed = RUN_SLOTS_MIN + (run->kind == RUN_CALL) + run->room.has_slot;
	shipopt_error *error = NULL;
	if (slots >= needed)
		return;
	error_set(&error, SHIPOPT_EINVAL, "bulk: the queue has %zu slots, this run needs at least %zu", slots, needed);
	run_stop(run, SHIPOPT_EINVAL, error);
}

/* Takes the source. If another run has taken it, this run is refused. */
static void run_take_source(shipopt_run *run, const struct run_request *request)
{
	if (source_take(request->source) == 0)
		run_reader_open(run, request->source);
	else
		run_stop(run, SHIPOPT_ESTATE,
			error_new(SHIPOPT_ESTATE, "another run has taken the source: a source serves one run"));
}

/* Whether anybody can learn why a run is refused. */
static bool run_has_reader(const shipopt_bulk *bulk, const struct run_request *request, shipopt_run **ret_run)
{
	return request->done || ret_run || delivery_is_queued(&bulk->delivery);
}

static int run_make(shipopt_bulk *bulk, const struct run_request *request, shipopt_run **ret_run)
{
	shipopt_op *op, *caller;
	int r = op_new(&run_class, bulk->runtime, &bulk->delivery, request->done, request->userdata,
		ret_run ? &caller : NULL, &op);
	if (r < 0)
		return r;
	shipopt_run *run = CONTAINER_OF(op, shipopt_run, op);
	run_init(run, bulk, request);
	r = run_find_reactor(bulk, run);
	r = r < 0 ? r : run_delivery_init(run, request->sink);
	r = r < 0 ? r : run_init_room(run, request);
	r = r < 0 ? r : runtime_register(bulk->runtime, &run->member);
	if (r < 0) {
		op_abandon(op, ret_run != NULL);
		return r;
	}
	if (request->status < 0)
		run_stop(run, request->status, shipopt_error_ref(request->error));
	run_check_slots(run);
	run_take_source(run, request);
	if (ret_run)
		*ret_run = run;
	reactor_post(run->reactor, &run->start_task);
	return 0;
}

int run_new(shipopt_bulk *bulk, const struct run_request *request, shipopt_run **ret_run)
{
	int r = runtime_check(bulk->runtime);
	if (r == 0 && request->status < 0 && !run_has_reader(bulk, request, ret_run))
		r = request->status;
	r = r < 0 ? r : run_make(bulk, request, ret_run);
	shipopt_error_unref(request->error);
	return r;
}
