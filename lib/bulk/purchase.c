/* SPDX-License-Identifier: MIT */
#include "bulk/purchase.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "bulk/purchase_steps.h"
#include "record/record.h"

#define CLAIMS_MAX 32             /* a row that keeps changing hands or state under us */
#define BUSY_POLL_US 500000       /* another holder's lease is looked at this often at least */
#define LEDGER_RETRIES_MAX 5      /* of the one write that says "bought" */
#define LEDGER_RETRY_US 200000

struct purchase *purchase_of(struct exchange *exchange)
{
	return CONTAINER_OF(exchange, struct purchase, exchange);
}

/* ---- the end ----------------------------------------------------------------------------------------------- */

static void finish(struct purchase *purchase)
{
	purchase->stage = STAGE_IDLE;
	purchase->item->status = purchase->end_status;
	if (purchase->end_error) {
		shipopt_error_unref(purchase->item->error);
		purchase->item->error = TAKE(purchase->end_error);
	}
	purchase->done(purchase);
}

static void released(struct ledger_request *request)
{
	struct purchase *purchase = CONTAINER_OF(request, struct purchase, ledger);
	ledger_row_done(&request->row);
	shipopt_error_unref(TAKE(request->error));
	finish(purchase);
}

void purchase_end(struct purchase *purchase, int status, shipopt_error *error)
{
	purchase->end_status = status;
	shipopt_error_unref(purchase->end_error);
	purchase->end_error = error;
	if (!purchase->holds_lease) {
		finish(purchase);
		return;
	}
	/* A lease that could not be given up ends by itself: the outcome does not matter. */
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_RELEASE);
	purchase->holds_lease = false;
	purchase->stage = STAGE_LEDGER;
	request->done = released;
	ledger_submit(purchase->rules->store, request);
}

int purchase_blame(struct purchase *purchase, int status)
{
	enum blame blame = purchase->exchange.blame;
	if (blame == BLAME_ACCOUNT || blame == BLAME_CONFIGURATION) {
		purchase->blame = blame;
		purchase->blame_status = blame_status(blame, purchase->exchange.http_status);
	}
	return status;
}

/* ---- the ledger -------------------------------------------------------------------------------------------- */

struct ledger_request *purchase_ledger(struct purchase *purchase, enum ledger_operation operation)
{
	const struct purchase_rules *rules = purchase->rules;
	purchase->ledger = (struct ledger_request){
		.operation = operation,
		.key = {.provider = rules->carrier->provider->name,
			.account = settings_text(&rules->carrier->settings, CARRIER_ACCOUNT),
			.mode = rules->carrier->mode,
			.order_key = purchase->order->key,
			.piece = purchase->order->piece,
			.purpose = rules->purpose,
			.generation = operation == LEDGER_CLAIM ? 0 : purchase->row.generation},
		.token = purchase->token,
		.lease_ms = rules->lease_ms,
		.reactor = purchase->reactor,
	};
	return &purchase->ledger;
}

/* With our token, if we still hold the row. */
static void claim_again(struct purchase *purchase)
{
	if (++purchase->claims > CLAIMS_MAX) {
		shipopt_error *error = NULL;
		error_set(&error, SHIPOPT_EBUSY, "the order's ledger row keeps changing under us (%s)",
			ledger_state_name(purchase->row.state));
		purchase_end(purchase, SHIPOPT_EBUSY, error);
		return;
	}
	purchase_park(purchase, 0, purchase_claim);
}

/* A store that fails while money may have been spent must not look like an order that failed. */
static void store_failed(struct purchase *purchase, int status, shipopt_error *error)
{
	bool money = purchase->row.state == LEDGER_BUYING || purchase->row.state == LEDGER_IN_DOUBT;
	if (money && purchase->ledger.operation == LEDGER_BOUGHT_ && purchase->ledger_retries++ < LEDGER_RETRIES_MAX) {
		shipopt_error_unref(error);
		purchase_park(purchase, LEDGER_RETRY_US, purchase_record_bought);
		return;
	}
	purchase_end(purchase, money ? SHIPOPT_EINDOUBT : status, error);
}

static void ledger_outcome(struct purchase *purchase, int status, shipopt_error *error)
{
	int64_t lease_left_us = (purchase->row.lease_until_ms - purchase->row.now_ms) * 1000;
	switch (status) {
	case LEDGER_OK:
		purchase->after_ledger(purchase);
		break;
	case LEDGER_BUSY: /* its holder may be long dead: waited for until the item's own deadline */
		purchase_park(purchase, MAX(1000, MIN(lease_left_us, BUSY_POLL_US)), purchase_claim);
		break;
	case LEDGER_LOST:
	case LEDGER_REFUSED:
		purchase->holds_lease = purchase->holds_lease && status == LEDGER_REFUSED;
		claim_again(purchase);
		break;
	case LEDGER_OVER_LIMIT: {
		char limit[DECIMAL_TEXT_SIZE], amount[DECIMAL_TEXT_SIZE];
		decimal_format(purchase->rules->spend_limit, 2, limit);
		decimal_format(purchase->row.amount, 2, amount);
		error_set(&error, SHIPOPT_ELIMIT, "%s more would pass the spend limit %s %s of budget \"%s\"; nothing was bought",
			amount, limit, purchase->rules->currency, purchase->rules->budget);
		purchase_end(purchase, SHIPOPT_ELIMIT, error);
		break;
	}
	case SHIPOPT_EINDOUBT: /* the commit itself: look at the row before anything else */
		shipopt_error_unref(error);
		claim_again(purchase);
		break;
	default:
		store_failed(purchase, status, error);
	}
}

static void ledger_done(struct ledger_request *request)
{
	struct purchase *purchase = CONTAINER_OF(request, struct purchase, ledger);
	shipopt_error *error = TAKE(request->error);
	int status = request->status;
	bool leased = request->operation == LEDGER_CLAIM || request->operation == LEDGER_RENEW ||
		      request->operation == LEDGER_BUY;
	purchase->stage = STAGE_IDLE;
	if (status >= 0) {
		ledger_row_done(&purchase->row);
		purchase->row = request->row;
		memset(&request->row, 0, sizeof(request->row));
	}
	if (status == LEDGER_OK) {
		/* Counted from before it was asked for: never later than the database's own end. */
		if (leased)
			purchase->lease_until_us = purchase->ledger_sent_us + purchase->rules->lease_ms * 1000;
		if (request->operation == LEDGER_CLAIM)
			purchase->token = request->token;
		purchase->holds_lease = !request->release;
	}
	ledger_row_done(&request->row);
	ledger_outcome(purchase, status, error);
}

void purchase_submit(struct purchase *purchase, void (*then)(struct purchase *purchase))
{
	purchase->stage = STAGE_LEDGER;
	purchase->after_ledger = then;
	purchase->ledger_sent_us = clock_now_us();
	purchase->ledger.done = ledger_done;
	ledger_submit(purchase->rules->store, &purchase->ledger);
}

/* ---- waiting ----------------------------------------------------------------------------------------------- */

void purchase_deadline_passed(struct purchase *purchase)
{
	shipopt_error *error = TAKE(purchase->item->error);
	bool doubt = purchase->row.state == LEDGER_BUYING || purchase->row.state == LEDGER_IN_DOUBT;
	int status = doubt ? SHIPOPT_EINDOUBT : purchase->is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT;
	if (!purchase->holds_lease && purchase->is_claimed && !purchase->is_canceled) {
		shipopt_error_unref(TAKE(error));
		status = purchase->was_sent ? SHIPOPT_EINDOUBT : SHIPOPT_EBUSY;
		error_set(&error, status, "another process holds the order until its lease ends%s",
			purchase->was_sent ? "; a purchase was sent before" : "");
	}
	if (!error)
		error_set(&error, status, doubt ? "a purchase was sent and its outcome is not known yet" : "nothing was bought");
	purchase_end(purchase, status, error);
}

static void park_over(struct timer *timer)
{
	struct purchase *purchase = CONTAINER_OF(timer, struct purchase, timer);
	purchase->stage = STAGE_IDLE;
	purchase->parked(purchase, false);
	if (purchase->is_canceled || clock_now_us() >= purchase->deadline_us)
		purchase_deadline_passed(purchase);
	else
		purchase->after_park(purchase);
}

void purchase_park(struct purchase *purchase, int64_t delay_us, void (*then)(struct purchase *purchase))
{
	int64_t due_us = MIN(clock_now_us() + delay_us, purchase->deadline_us);
	purchase->stage = STAGE_PARKED;
	purchase->after_park = then;
	purchase->timer.fire = park_over;
	purchase->parked(purchase, true);
	timer_start(purchase->reactor, &purchase->timer, purchase->is_canceled ? 0 : due_us);
}

/* ---- calls ------------------------------------------------------------------------------------------------- */

struct call *purchase_new_call(struct purchase *purchase)
{
	exchange_clear(&purchase->exchange);
	exchange_init(&purchase->exchange);
	purchase->exchange.group = purchase->group;
	purchase->exchange.patient = true;
	purchase->exchange.deadline_us = purchase->deadline_us;
	purchase->exchange.patience_us = purchase->deadline_us;
	return &purchase->exchange.call;
}

void purchase_call(struct purchase *purchase, enum purchase_stage stage, void (*done)(struct exchange *exchange))
{
	purchase->exchange.done = done;
	purchase->stage = stage;
	int r = exchange_start(purchase->rules->carrier, &purchase->exchange);
	if (r < 0) {
		/* Not taken: nothing was sent. It comes back as an exchange that ended at once. */
		purchase->exchange.status = r;
		done(&purchase->exchange);
	}
}

shipopt_error *purchase_take_answer(struct purchase *purchase)
{
	purchase->stage = STAGE_IDLE;
	purchase->item->attempts += purchase->exchange.attempts;
	if (purchase->exchange.record) {
		shipopt_record_free(purchase->shipment);
		purchase->shipment = TAKE(purchase->exchange.record);
	}
	return TAKE(purchase->exchange.error);
}

/* ---- the item ---------------------------------------------------------------------------------------------- */

static int replace_text(char **slot, const char *text)
{
	char *copy = mem_copy_text(text);
	if (text && !copy)
		return SHIPOPT_ENOMEM;
	mem_free(*slot);
	*slot = copy;
	return 0;
}

int purchase_fill_item(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	shipopt_item *item = purchase->item;
	int r = replace_text(&item->shipment_id, row->shipment_id);
	r = r < 0 ? r : replace_text(&item->carrier, row->carrier);
	r = r < 0 ? r : replace_text(&item->service, row->service);
	r = r < 0 ? r : replace_text(&item->currency, row->currency);
	r = r < 0 ? r : replace_text(&item->tracking_code, row->tracking_code);
	r = r < 0 ? r : replace_text(&item->label_url, row->label_url);
	bool is_bought = row->state == LEDGER_BOUGHT || row->state == LEDGER_DOCUMENTED;
	item->amount = is_bought ? row->paid : row->rate_id ? row->amount : -1;
	if (!item->record)
		item->record = TAKE(purchase->shipment);
	if (r == 0 && !item->record && row->result)
		r = shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, row->result, strlen(row->result), &item->record, NULL);
	return r == SHIPOPT_EPARSE ? 0 : r;
}

/* ---- start and cancel -------------------------------------------------------------------------------------- */

static int prepare(struct purchase *purchase, shipopt_error **ret_error)
{
	shipopt_order *order = purchase->order;
	if (!order->shipment)
		return error_set(ret_error, SHIPOPT_EINVAL, "the order has no shipment");
	int r = 0;
	/* So that a person finds the order at the carrier by the name it has here. */
	if (shipopt_record_state(order->shipment, SHIPOPT_SHIPMENT_REFERENCE) != SHIPOPT_FIELD_SET)
		r = shipopt_record_set_text(order->shipment, SHIPOPT_SHIPMENT_REFERENCE, order->key);
	r = r < 0 ? r : shipopt_shipment_check(order->shipment, ret_error);
	r = r < 0 ? r : purchase_request_fingerprint(order, purchase->fingerprint);
	return r < 0 ? r : purchase_request_write(order, &purchase->request);
}

static void start(struct task *task)
{
	struct purchase *purchase = CONTAINER_OF(task, struct purchase, start_task);
	shipopt_error *error = NULL;
	int r = prepare(purchase, &error);
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
	exchange_init(&purchase->exchange);
	random_init_system(&purchase->random);
	purchase->start_task.run = start;
	reactor_post(purchase->reactor, &purchase->start_task);
}

void purchase_cancel(struct purchase *purchase)
{
	purchase->is_canceled = true;
	switch (purchase->stage) {
	case STAGE_CALL:
		exchange_cancel(&purchase->exchange);
		break;
	case STAGE_BUY:
		/* On the wire it is waited for: the answer says what was bought. */
		if (!exchange_is_on_wire(&purchase->exchange))
			exchange_cancel(&purchase->exchange);
		break;
	case STAGE_PARKED:
	case STAGE_HOST:
		timer_start(purchase->reactor, &purchase->timer, 0);
		break;
	default:
		break; /* the ledger's answer comes soon, and every step looks at is_canceled */
	}
}

void purchase_clear(struct purchase *purchase)
{
	exchange_clear(&purchase->exchange);
	ledger_row_done(&purchase->row);
	shipopt_record_free(TAKE(purchase->shipment));
	shipopt_error_unref(TAKE(purchase->end_error));
	mem_free(TAKE(purchase->request));
	mem_free(TAKE(purchase->approved_carrier));
	mem_free(TAKE(purchase->approved_service));
	mem_free(TAKE(purchase->rerate_id));
}
