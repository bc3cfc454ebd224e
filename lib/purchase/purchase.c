/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_PURCHASE

#include "purchase/purchase.h"

#include "base/clock.h"
#include "base/memory.h"
#include "purchase/purchase_steps.h"

struct purchase *purchase_of(struct exchange *exchange)
{
	return CONTAINER_OF(exchange, struct purchase, exchange);
}

/* ---- events ------------------------------------------------------------------------------------------------ */

void purchase_on(struct purchase *purchase, enum purchase_event event)
{
	purchase_action action = purchase_rule(purchase->state, event);
	if (action) {
		action(purchase);
		return;
	}
	shipopt_error *error = NULL;
	int status = error_set(&error, SHIPOPT_EINTERNAL, "purchase: no rule for event %d while %s", (int)event,
		purchase_state_name(purchase->state));
	purchase_end(purchase, status, error);
}

void purchase_on_error(struct purchase *purchase, enum purchase_event event, int status, shipopt_error *error)
{
	shipopt_error_unref(purchase->event_error);
	purchase->event_status = status;
	purchase->event_error = error;
	purchase_on(purchase, event);
}

/* ---- waiting ----------------------------------------------------------------------------------------------- */

static void purchase_wait_is_over(struct timer *timer)
{
	struct purchase *purchase = CONTAINER_OF(timer, struct purchase, timer);
	purchase->parked(purchase, false);
	purchase_on(purchase,
		purchase->is_canceled || clock_now_us() >= purchase->deadline_us ? EVENT_LATE : EVENT_TIME);
}

void purchase_wait(struct purchase *purchase, enum purchase_state state, int64_t delay_us)
{
	int64_t due_us = MIN(clock_now_us() + delay_us, purchase->deadline_us);
	purchase->state = state;
	purchase->timer.fire = purchase_wait_is_over;
	purchase->parked(purchase, true);
	timer_start(purchase->reactor, &purchase->timer, purchase->is_canceled ? 0 : due_us);
}

/* ---- calls ------------------------------------------------------------------------------------------------- */

struct carrier_call *purchase_new_call(struct purchase *purchase)
{
	exchange_clear(&purchase->exchange);
	exchange_init(&purchase->exchange);
	purchase->exchange.group = purchase->group;
	purchase->exchange.patient = true;
	purchase->exchange.deadline_us = purchase->deadline_us;
	purchase->exchange.patience_us = purchase->deadline_us;
	return &purchase->exchange.call;
}

static void purchase_call_not_taken(struct task *task)
{
	struct purchase *purchase = CONTAINER_OF(task, struct purchase, start_task);
	purchase->exchange.done(&purchase->exchange);
}

void purchase_call(struct purchase *purchase, enum purchase_state state, void (*done)(struct exchange *exchange))
{
	purchase->exchange.done = done;
	purchase->state = state;
	int r = exchange_start(purchase->rules->carrier, &purchase->exchange);
	if (r < 0) {
		/* Nothing was sent. The exchange ends later, as any other does. */
		purchase->exchange.status = r;
		purchase->start_task.run = purchase_call_not_taken;
		reactor_post(purchase->reactor, &purchase->start_task);
	}
}

shipopt_error *purchase_take_answer(struct purchase *purchase)
{
	purchase->item->attempts += purchase->exchange.attempts;
	if (purchase->exchange.record) {
		shipopt_record_free(purchase->shipment);
		purchase->shipment = TAKE(purchase->exchange.record);
		purchase->rate_index = SIZE_MAX;
	}
	return TAKE(purchase->exchange.error);
}

void purchase_keep_doubt(struct purchase *purchase, shipopt_error *error, bool is_newer_better)
{
	if (!error)
		return;
	if (purchase->doubt && !is_newer_better) {
		shipopt_error_unref(error);
		return;
	}
	shipopt_error_unref(purchase->doubt);
	purchase->doubt = error;
}

/* ---- start and cancel -------------------------------------------------------------------------------------- */

static int purchase_prepare(struct purchase *purchase, shipopt_error **ret_error)
{
	shipopt_order *order = purchase->order;
	if (!order->shipment)
		return error_set(ret_error, SHIPOPT_EINVAL, "the order has no shipment");
	int r = 0;
	/* So that a person finds the order at the carrier by its key. */
	if (shipopt_record_state(order->shipment, SHIPOPT_SHIPMENT_REFERENCE) != SHIPOPT_FIELD_SET)
		r = shipopt_record_set_text(order->shipment, SHIPOPT_SHIPMENT_REFERENCE, order->key, NULL);
	r = r < 0 ? r : shipopt_record_check_shipment(order->shipment, ret_error);
	r = r < 0 ? r : purchase_request_fingerprint(order, purchase->fingerprint);
	r = r < 0 ? r : purchase_request_write(order, &purchase->request);
	return r < 0 ? r : purchase_write_rate_choice(purchase);
}

static void purchase_begin(struct task *task)
{
	struct purchase *purchase = CONTAINER_OF(task, struct purchase, start_task);
	shipopt_error *error = NULL;
	int r = purchase_prepare(purchase, &error);
	if (r < 0)
		purchase_end(purchase, r, error);
	else if (purchase->is_canceled)
		purchase_end(purchase, SHIPOPT_ECANCELED, NULL);
	else if (purchase->rules->store)
		purchase_claim(purchase);
	else
		purchase_create(purchase);
}

void purchase_start(struct purchase *purchase)
{
	purchase->reactor = purchase->rules->carrier->reactor;
	purchase->rate_index = SIZE_MAX;
	buffer_init(&purchase->note, PURCHASE_NOTE_BYTES_MAX);
	exchange_init(&purchase->exchange);
	random_init_system(&purchase->random);
	purchase->start_task.run = purchase_begin;
	reactor_post(purchase->reactor, &purchase->start_task);
}

void purchase_cancel(struct purchase *purchase)
{
	purchase->is_canceled = true;
	switch (purchase->state) {
	case PURCHASE_RATING:
	case PURCHASE_LOOKING:
	case PURCHASE_ADMITTING: exchange_cancel(&purchase->exchange); break;
	case PURCHASE_BUYING:
		/* On the wire it is not canceled: the answer says what was bought. */
		if (!exchange_is_on_wire(&purchase->exchange))
			exchange_cancel(&purchase->exchange);
		break;
	case PURCHASE_WAITING_FOR_LEASE:
	case PURCHASE_WAITING_FOR_RATE:
	case PURCHASE_WAITING_TO_LOOK:
	case PURCHASE_WAITING_FOR_STORE:
	case PURCHASE_CHOOSING: timer_start(purchase->reactor, &purchase->timer, 0); break;
	default: break; /* the ledger's answer comes soon, and every step looks at is_canceled */
	}
}

void purchase_clear(struct purchase *purchase)
{
	exchange_clear(&purchase->exchange);
	ledger_row_done(&purchase->row);
	shipopt_record_free(TAKE(purchase->shipment));
	shipopt_error_unref(TAKE(purchase->event_error));
	shipopt_error_unref(TAKE(purchase->end_error));
	shipopt_error_unref(TAKE(purchase->doubt));
	buffer_done(&purchase->note);
	mem_free(TAKE(purchase->request));
	mem_free(TAKE(purchase->rate_choice));
	mem_free(TAKE(purchase->rerate_id));
}
