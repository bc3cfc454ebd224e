/* SPDX-License-Identifier: MIT */
#include "bulk/run.h"

#include "base/clock.h"
#include "base/memory.h"

static const struct op_class run_class;

struct run *run_of(shipopt_op *op)
{
	return op && op->class == &run_class ? CONTAINER_OF(op, struct run, op) : NULL;
}

/* ---- the reader -------------------------------------------------------------------------------------------- */

/* On the side pool: files and host callbacks may block. */
static void reader_task(struct task *task)
{
	struct run *run = CONTAINER_OF(task, struct run, reader_task);
	struct run_batch *batch = &run->incoming;
	batch->count = 0;
	batch->status = SOURCE_ORDER;
	while (batch->count < RUN_BATCH && batch->status == SOURCE_ORDER) {
		batch->status = source_next(run->source, &batch->orders[batch->count], &batch->error);
		batch->count += batch->status == SOURCE_ORDER;
	}
	batch->expected = source_expected(run->source);
	reactor_post(run->reactor, &run->read_task);
}

static void batch_was_read(struct task *task)
{
	struct run *run = CONTAINER_OF(task, struct run, read_task);
	int status = run->incoming.status;
	run->is_reading = false;
	run->summary.read += (int64_t)run->incoming.count;
	run->summary.expected = run->incoming.expected;
	if (status == SOURCE_END || (status < 0 && status != SHIPOPT_EAGAIN))
		run->source_ended = true;
	if (status < 0 && status != SHIPOPT_EAGAIN)
		run_stop(run, status, TAKE(run->incoming.error));
	run_pump(run);
}

static void start_reader(struct run *run)
{
	if (run->is_reading || run->source_ended || run->incoming.count)
		return;
	if (run->incoming.status == SHIPOPT_EAGAIN && !run->is_woken)
		return;
	run->is_reading = true;
	run->is_woken = false;
	int r = runtime_submit_side(run->op.runtime, &run->reader_task, true);
	if (r < 0) {
		run->is_reading = false;
		run->source_ended = true;
		run_stop(run, r, NULL);
	}
}

/* The batch that was read takes the place of the one that is used up. */
static void take_incoming(struct run *run)
{
	if (run->is_reading || run->batch_next < run->batch.count || !run->incoming.count)
		return;
	run->batch = run->incoming;
	run->batch_next = 0;
	run->incoming.count = 0;
}

/* A push source has orders again. It wakes once for each time that it had none; the reference is for a wake that is on its way
 * while a cancel ends the run. */
static void source_woke(struct task *task)
{
	struct run *run = CONTAINER_OF(task, struct run, wake_task);
	run->is_woken = true;
	run_pump(run);
	shipopt_op_unref(&run->op);
}

static void wake_from_source(void *argument)
{
	struct run *run = argument;
	shipopt_op_ref(&run->op);
	reactor_post(run->reactor, &run->wake_task);
}

/* ---- admission --------------------------------------------------------------------------------------------- */

static bool reserve_slots(struct run *run, struct run_item *item)
{
	shipopt_queue *queue = run->op.delivery.queue;
	bool asks = run->kind == RUN_CALL || run->rules.choose;
	if (run->op.delivery.mode != SHIPOPT_DELIVERY_QUEUE)
		return true;
	if (queue_reserve(queue) < 0)
		return false;
	if (asks && queue_reserve(queue) < 0) {
		queue_unreserve(queue);
		return false;
	}
	item->has_slot = true;
	item->has_ask_slot = asks;
	return true;
}

static void start_item(struct run *run, struct run_item *item)
{
	run->batch_next++;
	run->active++;
	run->in_flight++;
	run->summary.in_flight = (int64_t)run->in_flight;
	list_push_back(&run->items, &item->node);
	run_item_start(item);
}

/* The next order becomes an item; false if there is no slot or memory for it now. */
static bool admit_one(struct run *run)
{
	shipopt_order *order = run->batch.orders[run->batch_next];
	struct run_item *item = run_item_new(run, order);
	if (item) {
		item->item.order->index = run->next_index;
		if (reserve_slots(run, item)) {
			run->next_index++;
			start_item(run, item);
			return true;
		}
		item->item.order = NULL; /* stays in the batch */
		run_item_free(item);
	}
	timer_start(run->reactor, &run->pump_timer, clock_now_us() + RUN_SLOT_RETRY_US);
	return false;
}

static bool may_admit(const struct run *run)
{
	bool is_paused = run->is_paused && run->status == 0;
	return run->batch_next < run->batch.count && !is_paused && run->in_flight < run->max_in_flight &&
	       run->settling < run->settling_max && run_outlet_has_room(run);
}

static void refuse_orders(struct run_batch *batch, size_t begin)
{
	for (size_t i = begin; i < batch->count; i++)
		if (batch->orders[i]->status == 0)
			batch->orders[i]->status = error_set(&batch->orders[i]->error, SHIPOPT_ECANCELED,
				"the run ended before this order; nothing was sent");
}

/* Orders that were read and will not be begun still get their result: whoever gave them is told of each. */
static void refuse_rest(struct run *run)
{
	refuse_orders(&run->batch, run->batch_next);
	refuse_orders(&run->incoming, 0);
	run->source_ended = true;
}

static void complete(struct run *run)
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

void run_pump(struct run *run)
{
	if (run->is_ending)
		return;
	if (run->status < 0 && !run->is_reading)
		refuse_rest(run);
	do {
		take_incoming(run);
		start_reader(run);
	} while (may_admit(run) && admit_one(run));
	if (run->is_reading || !run->source_ended)
		return;
	bool used_up = !run->incoming.count && run->batch_next == run->batch.count;
	if (used_up && run->active == 0 && run_outlet_is_empty(run) && run_outlet_last_word(run))
		complete(run);
}

static void pump_again(struct timer *timer)
{
	run_pump(CONTAINER_OF(timer, struct run, pump_timer));
}

/* ---- items ------------------------------------------------------------------------------------------------- */

void run_item_ended(struct run_item *item)
{
	struct run *run = item->run;
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
	struct run *run = item->run;
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

void run_stop(struct run *run, int status, shipopt_error *error)
{
	if (run->status < 0) {
		shipopt_error_unref(error);
		return;
	}
	run->status = status;
	run->error = error;
}

/* ---- control ----------------------------------------------------------------------------------------------- */

static void cancel_on_reactor(struct task *task)
{
	struct run *run = CONTAINER_OF(task, struct run, cancel_task);
	if (!run->is_ending && !run->is_canceled) {
		run->is_canceled = true;
		run_stop(run, SHIPOPT_ECANCELED, NULL);
		source_close(run->source);
		LIST_FOREACH(node, &run->items) {
			struct run_item *item = LIST_MEMBER(node, struct run_item, node);
			item->cancel(item);
		}
		/* A push source that waits for its host will not wake any more. */
		if (!run->is_reading)
			run->source_ended = true;
		run_pump(run);
	}
	shipopt_op_unref(&run->op);
}

static void run_cancel(shipopt_op *op)
{
	struct run *run = CONTAINER_OF(op, struct run, op);
	shipopt_op_ref(op);
	reactor_post(run->reactor, &run->cancel_task);
}

static void member_cancel(struct runtime_member *member)
{
	shipopt_op_cancel(&CONTAINER_OF(member, struct run, member)->op);
}

static void pause_on_reactor(struct task *task)
{
	struct run *run = CONTAINER_OF(task, struct run, pause_task);
	run->pause_posted = false;
	run->is_paused = run->wants_pause;
	run_pump(run);
	shipopt_op_unref(&run->op);
}

static int set_pause(shipopt_op *op, bool pause)
{
	struct run *run = run_of(op);
	if (!run)
		return SHIPOPT_EINVAL;
	int r = runtime_check(op->runtime);
	if (r < 0)
		return r;
	if (run->is_over)
		return SHIPOPT_ESTATE;
	if (run->wants_pause == pause)
		return 0;
	run->wants_pause = pause;
	/* The task may still be on its way from the last time: it then takes the newest wish along. */
	bool idle = false;
	if (atomic_compare_exchange_strong(&run->pause_posted, &idle, true)) {
		shipopt_op_ref(op);
		reactor_post(run->reactor, &run->pause_task);
	}
	return 0;
}

int shipopt_run_pause(shipopt_op *run)
{
	return set_pause(run, true);
}

int shipopt_run_resume(shipopt_op *run)
{
	return set_pause(run, false);
}

int shipopt_run_stat(shipopt_op *op, int stat, int64_t *ret_value)
{
	struct run *run = run_of(op);
	return run && ret_value ? summary_stat(&run->summary, stat, ret_value) : SHIPOPT_EINVAL;
}

int shipopt_run_spend(shipopt_op *op, size_t index, const char **ret_carrier, const char **ret_currency,
	int64_t *ret_labels, int64_t *ret_amount)
{
	struct run *run = run_of(op);
	if (!run || !ret_carrier || !ret_currency || !ret_labels || !ret_amount)
		return SHIPOPT_EINVAL;
	return summary_spend(&run->summary, index, ret_carrier, ret_currency, ret_labels, ret_amount);
}

/* ---- birth and death --------------------------------------------------------------------------------------- */

static void run_destroy(shipopt_op *op)
{
	struct run *run = CONTAINER_OF(op, struct run, op);
	run_outlet_done(run);
	source_unref(run->source);
	shipopt_error_unref(run->incoming.error);
	shipopt_error_unref(run->error);
	summary_done(&run->summary);
	shipopt_bulk_free(run->bulk);
}

static const struct op_class run_class = {sizeof(struct run), run_cancel, run_destroy};

static void start_on_reactor(struct task *task)
{
	struct run *run = CONTAINER_OF(task, struct run, start_task);
	if (run->bulk->carrier)
		run->answers_before = run->bulk->carrier->answers;
	if (run->bulk->callbacks.progress)
		timer_start(run->reactor, &run->progress_timer,
			clock_now_us() + settings_number(&run->bulk->settings, BULK_PROGRESS_MS) * 1000);
	run_pump(run);
}

static size_t default_in_flight(enum run_kind kind)
{
	return kind == RUN_TRACK ? 32 : 16;
}

static void run_init(struct run *run, shipopt_bulk *bulk, enum run_kind kind, shipopt_sink *sink)
{
	size_t wanted = (size_t)settings_number(&bulk->settings, BULK_MAX_IN_FLIGHT);
	run->bulk = bulk_ref(bulk);
	run->kind = kind;
	run->sink = sink;
	run->max_in_flight = wanted ? wanted : default_in_flight(kind);
	run->settling_max = (size_t)settings_number(&bulk->settings, BULK_SETTLING_MAX);
	list_init(&run->items);
	lane_group_init(&run->group, 1);
	summary_init(&run->summary);
	bulk_rules(bulk, &run->rules);
	run->rules.rate_only = kind == RUN_RATE;
	run->start_task.run = start_on_reactor;
	run->cancel_task.run = cancel_on_reactor;
	run->pause_task.run = pause_on_reactor;
	run->reader_task.run = reader_task;
	run->read_task.run = batch_was_read;
	run->wake_task.run = source_woke;
	run->pump_timer.fire = pump_again;
	run->member.cancel = member_cancel;
	list_init(&run->member.node);
}

static int run_reactor(shipopt_bulk *bulk, struct run *run)
{
	if (bulk->carrier) {
		run->reactor = bulk->carrier->reactor;
		return 0;
	}
	return runtime_reactor(bulk->runtime, &run->reactor);
}

int run_new(shipopt_bulk *bulk, enum run_kind kind, shipopt_source *source, shipopt_sink *sink, shipopt_request_fn call,
	void *call_userdata, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	shipopt_op *op;
	int r = runtime_check(bulk->runtime);
	if (r == 0 && bulk->delivery.mode == SHIPOPT_DELIVERY_QUEUE &&
		queue_slots(bulk->delivery.queue) < RUN_SLOTS_MIN + (kind == RUN_CALL))
		r = SHIPOPT_EINVAL;
	r = r < 0 ? r : op_new(&run_class, bulk->runtime, &bulk->delivery, done, userdata, ret_op, &op);
	if (r < 0)
		return r;
	struct run *run = CONTAINER_OF(op, struct run, op);
	run_init(run, bulk, kind, sink);
	run->call = call;
	run->call_userdata = call_userdata;
	r = run_reactor(bulk, run);
	r = r < 0 ? r : run_outlet_init(run);
	r = r < 0 ? r : runtime_register(bulk->runtime, &run->member);
	r = r < 0 ? r : source_take(source);
	if (r < 0) {
		runtime_unregister(bulk->runtime, &run->member);
		op_abandon(op, ret_op != NULL);
		return r;
	}
	run->source = source;
	source_set_wake(source, wake_from_source, run);
	if (ret_op)
		*ret_op = op;
	reactor_post(run->reactor, &run->start_task);
	return 0;
}
