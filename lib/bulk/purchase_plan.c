/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "bulk/purchase_steps.h"
#include "runtime/request.h"

/* The free part of a purchase: a shipment is made (or rated again), and one of its rates is chosen and written down. */

#define MISSING_WAIT_FIRST_US 2000000
#define MISSING_WAIT_MOST_US 60000000

static void choose(struct purchase *purchase);

/* The order itself was refused, or no rate fits: proven that nothing was bought. Consumes `error`. */
static void failed(struct purchase *purchase)
{
	purchase->holds_lease = false; /* given up with the transition */
	purchase_end(purchase, purchase->end_status, TAKE(purchase->end_error));
}

static void fail(struct purchase *purchase, enum ledger_operation operation, int status, shipopt_error *error)
{
	bool has_failed = purchase->row.state == LEDGER_FAILED && operation == LEDGER_FAIL;
	if (!purchase->rules->store || has_failed) {
		purchase_end(purchase, status, error);
		return;
	}
	struct ledger_request *request = purchase_ledger(purchase, operation);
	purchase->end_status = status;
	purchase->end_error = error;
	request->reason = error ? shipopt_error_message(error) : shipopt_strerror(status);
	request->release = true;
	purchase_submit(purchase, failed);
}

/* ---- the chosen rate --------------------------------------------------------------------------------------- */

static const shipopt_record *chosen_rate(const struct purchase *purchase)
{
	return shipopt_record_item(purchase->shipment, SHIPOPT_SHIPMENT_RATES, purchase->rate_index);
}

static void created(struct purchase *purchase)
{
	if (purchase->is_canceled) {
		purchase_end(purchase, SHIPOPT_ECANCELED, NULL);
	} else if (purchase->rules->rate_only) {
		int r = purchase_fill_item(purchase);
		purchase_end(purchase, r, NULL);
	} else {
		purchase_buy(purchase);
	}
}

/* Rates that are not kept: the item is all there is. */
static void end_rated(struct purchase *purchase)
{
	const shipopt_record *rate = chosen_rate(purchase);
	struct ledger_row *row = &purchase->row;
	ledger_row_done(row);
	row->shipment_id = mem_copy_text(shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID));
	row->rate_id = mem_copy_text(shipopt_record_text(rate, SHIPOPT_RATE_ID));
	row->carrier = mem_copy_text(shipopt_record_text(rate, SHIPOPT_RATE_CARRIER));
	row->service = mem_copy_text(shipopt_record_text(rate, SHIPOPT_RATE_SERVICE));
	row->currency = mem_copy_text(shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY));
	row->amount = shipopt_record_number(rate, SHIPOPT_RATE_RATE, 0);
	bool whole = row->shipment_id && row->rate_id && row->carrier && row->service;
	int r = whole ? purchase_fill_item(purchase) : SHIPOPT_ENOMEM;
	purchase_end(purchase, r, NULL);
}

static int64_t grown(int64_t amount, int64_t percent)
{
	return amount + (int64_t)((double)amount * (double)percent / 100.0);
}

static int64_t ceiling_for(const struct purchase *purchase, int64_t amount)
{
	int64_t ceiling = grown(amount, purchase->rules->ceiling_percent);
	return purchase->order->max_rate > 0 ? purchase->order->max_rate : ceiling;
}

/* The most that the order itself allows for, a fallback to another carrier included; 0: anything. */
static int64_t price_bound(const struct purchase *purchase)
{
	const struct purchase_rules *rules = purchase->rules;
	int64_t bound = purchase->order->max_rate;
	return rules->missing_carrier == MISSING_FALLBACK ? grown(bound, rules->fallback_percent) : bound;
}

static void hold_above(struct purchase *purchase, int64_t amount, int64_t ceiling)
{
	char now[DECIMAL_TEXT_SIZE], approved[DECIMAL_TEXT_SIZE];
	shipopt_error *error = NULL;
	decimal_format(amount, 2, now);
	decimal_format(ceiling, 2, approved);
	error_set(&error, SHIPOPT_EHELD, "the price is %s now, above the approved %s: needs review", now, approved);
	fail(purchase, LEDGER_HOLD, SHIPOPT_EHELD, error);
}

static void use_rate(struct purchase *purchase)
{
	const shipopt_record *rate = chosen_rate(purchase);
	int64_t amount = shipopt_record_number(rate, SHIPOPT_RATE_RATE, -1);
	if (!rate || amount < 0 || text_is_empty(shipopt_record_text(rate, SHIPOPT_RATE_ID))) {
		shipopt_error *error = NULL;
		int status = error_set(&error, SHIPOPT_EINVAL,
			"rate %lld was chosen, which cannot be bought; there are %zu, counted from 0",
			(long long)purchase->rate_index, shipopt_record_count(purchase->shipment, SHIPOPT_SHIPMENT_RATES));
		fail(purchase, LEDGER_FAIL, status, error);
		return;
	}
	if (purchase->rules->store && purchase->row.state == LEDGER_FAILED) { /* by an expired rate */
		purchase_ledger(purchase, LEDGER_REOPEN)->state = LEDGER_PLANNED;
		purchase_submit(purchase, use_rate);
		return;
	}
	int64_t approved = purchase->approved_ceiling;
	int64_t bound = approved > 0 ? approved : price_bound(purchase);
	if (bound > 0 && amount > bound) { /* also what the host chose */
		hold_above(purchase, amount, bound);
		return;
	}
	if (!purchase->rules->store) {
		end_rated(purchase);
		return;
	}
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_CREATE);
	request->shipment_id = shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID);
	request->rate_id = shipopt_record_text(rate, SHIPOPT_RATE_ID);
	request->carrier = shipopt_record_text(rate, SHIPOPT_RATE_CARRIER);
	request->service = shipopt_record_text(rate, SHIPOPT_RATE_SERVICE);
	request->currency = shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY);
	request->amount = amount;
	/* A fallback within its bound may be above the order's max_rate: then its own price is what was approved. */
	request->ceiling = approved > 0 ? approved : MAX(ceiling_for(purchase, amount), amount);
	purchase_submit(purchase, created);
}

void purchase_buy_created(struct purchase *purchase)
{
	int64_t bound = price_bound(purchase);
	if (bound > 0 && purchase->row.amount > bound)
		hold_above(purchase, purchase->row.amount, bound);
	else
		purchase_buy(purchase);
}

/* ---- the host's choice ------------------------------------------------------------------------------------- */

/* A question under way. The purchase may end before the answer comes: then `purchase` is NULL and the answer is nobody's. */
struct purchase_question {
	struct purchase *purchase; /* reactor thread only */
	struct reactor *reactor;
	struct task task;
	shipopt_record *shipment; /* of its own: the host may read it after the purchase has ended */
	int status;
	int64_t value;
	shipopt_error *error;
};

static void answered(struct task *task)
{
	struct purchase_question *question = CONTAINER_OF(task, struct purchase_question, task);
	struct purchase *purchase = question->purchase;
	int status = question->status;
	shipopt_error *error = TAKE(question->error);
	size_t index = question->value >= 0 ? (size_t)question->value : SIZE_MAX;
	shipopt_record_free(question->shipment);
	mem_free(question);
	if (!purchase) {
		shipopt_error_unref(error);
		return;
	}
	timer_stop(&purchase->timer);
	purchase->question = NULL;
	purchase->stage = STAGE_IDLE;
	purchase->rate_index = index;
	if (status >= 0)
		use_rate(purchase);
	else
		fail(purchase, status == SHIPOPT_EHELD ? LEDGER_HOLD : LEDGER_FAIL, status, error);
}

/* On the host's thread. */
static void question_answered(void *userdata, int status, int64_t value, shipopt_error *error)
{
	struct purchase_question *question = userdata;
	question->status = status;
	question->value = value;
	question->error = error;
	reactor_post(question->reactor, &question->task);
}

static void host_too_late(struct timer *timer)
{
	struct purchase *purchase = CONTAINER_OF(timer, struct purchase, timer);
	shipopt_error *error = NULL;
	int status = purchase->is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT;
	purchase->question->purchase = NULL;
	purchase->question = NULL;
	error_set(&error, status, "the host had not chosen a rate; nothing was bought");
	purchase_end(purchase, status, error);
}

static void ask_host(struct purchase *purchase)
{
	shipopt_request *request = NULL;
	struct purchase_question *question = mem_alloc_zero(sizeof(*question));
	int r = question ? shipopt_record_copy(purchase->shipment, &question->shipment) : SHIPOPT_ENOMEM;
	r = r < 0 ? r : request_new(purchase->order->key, question->shipment, question_answered, question, &request);
	if (r < 0) {
		shipopt_record_free(question ? question->shipment : NULL);
		mem_free(question);
		purchase_end(purchase, r, NULL);
		return;
	}
	question->purchase = purchase;
	question->reactor = purchase->reactor;
	question->task.run = answered;
	purchase->question = question;
	purchase->stage = STAGE_HOST;
	purchase->timer.fire = host_too_late;
	timer_start(purchase->reactor, &purchase->timer, purchase->deadline_us);
	purchase->ask(purchase, request);
}

/* ---- our own choice ---------------------------------------------------------------------------------------- */

static bool has_rate_of(const shipopt_record *shipment, const char *carrier)
{
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES); i++) {
		const shipopt_record *rate = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, i);
		if (text_equal_ignore_case(shipopt_record_text(rate, SHIPOPT_RATE_CARRIER), carrier))
			return true;
	}
	return false;
}

static void wait_for_carrier(struct purchase *purchase, shipopt_error *error)
{
	int64_t delay_us = MISSING_WAIT_FIRST_US << MIN(purchase->missing_waits, 5U);
	purchase->missing_waits++;
	shipopt_error_unref(purchase->item->error);
	purchase->item->error = error; /* what the item says if its deadline comes first */
	purchase_park(purchase, MIN(delay_us, MISSING_WAIT_MOST_US), purchase_rerate);
}

/* Another carrier within the price bound: above the order's max_rate or the wanted carrier's last seen rate by at most
 * fallback_percent. Without either there is no bound to keep to. */
static int fall_back(struct purchase *purchase, shipopt_error **ret_error)
{
	const struct purchase_rules *rules = purchase->rules;
	const struct health_carrier *seen = health_find(&rules->carrier->health, purchase->order->carrier);
	int64_t base = purchase->order->max_rate > 0 ? purchase->order->max_rate : seen ? seen->cheapest : -1;
	if (base < 0)
		return error_set(ret_error, SHIPOPT_ENORATE,
			"carrier \"%.64s\" has no rate now, and a fallback has no price bound: set max_rate",
			purchase->order->carrier);
	struct choice choice = rules->choice;
	choice.max_rate = grown(base, rules->fallback_percent);
	return choice_pick(&choice, purchase->shipment, &purchase->rate_index, ret_error);
}

static void choose_missing(struct purchase *purchase, int status, shipopt_error *error)
{
	const char *wanted = purchase->order->carrier;
	bool missing = status == SHIPOPT_ENORATE && !text_is_empty(wanted) && !has_rate_of(purchase->shipment, wanted);
	if (missing && purchase->rules->missing_carrier == MISSING_WAIT) {
		wait_for_carrier(purchase, error);
		return;
	}
	if (missing && purchase->rules->missing_carrier == MISSING_FALLBACK) {
		shipopt_error_unref(TAKE(error));
		status = fall_back(purchase, &error);
		if (status == 0) {
			use_rate(purchase);
			return;
		}
	}
	if (status != SHIPOPT_ELIMIT) {
		fail(purchase, LEDGER_FAIL, status, error);
		return;
	}
	/* Too dear is for a person to judge: held, and the error says the same code. */
	shipopt_error *held = NULL;
	error_set(&held, SHIPOPT_EHELD, "%s: needs review", error ? shipopt_error_message(error) : "above the order's max_rate");
	shipopt_error_unref(error);
	fail(purchase, LEDGER_HOLD, SHIPOPT_EHELD, held);
}

static void choose(struct purchase *purchase)
{
	struct choice choice = purchase->rules->choice;
	shipopt_error *error = NULL;
	choice.carrier = purchase->order->carrier;
	choice.service = purchase->order->service;
	choice.max_rate = purchase->order->max_rate;
	if (purchase->approved_service) { /* after an expired rate: the same service again, at what it costs now */
		choice.rule = CHOICE_CHEAPEST;
		choice.carrier = purchase->approved_carrier;
		choice.service = purchase->approved_service;
		choice.max_rate = 0;
	} else if (purchase->rules->choose) {
		ask_host(purchase);
		return;
	}
	int r = choice_pick(&choice, purchase->shipment, &purchase->rate_index, &error);
	if (r == 0)
		use_rate(purchase);
	else
		choose_missing(purchase, r, error);
}

/* ---- the shipment ------------------------------------------------------------------------------------------ */

/* The carrier's word on the order itself, as against trouble on the way. */
static bool is_refusal(int status)
{
	return status == SHIPOPT_EREFUSED || status == SHIPOPT_ENOTFOUND;
}

/* An API may cut a long reference. */
#define REFERENCE_CUT_MIN 24

static bool is_our_reference(const char *given, const char *wanted)
{
	return text_equal(given, wanted) ||
	       (wanted && strlen(given) >= REFERENCE_CUT_MIN && text_has_prefix(wanted, given));
}

/* An answer that was mixed up on its way would make this order pay for another one's shipment: what was asked for again must have
 * its id, what was made anew the reference that it was given (an API that gives none back cannot be checked). */
static int check_shipment(const struct purchase *purchase, shipopt_error **ret_error)
{
	const char *id = shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID);
	const char *wanted = shipopt_record_text(purchase->order->shipment, SHIPOPT_SHIPMENT_REFERENCE);
	const char *given = shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_REFERENCE);
	if (text_is_empty(id))
		return error_set(ret_error, SHIPOPT_EPROTOCOL, "the carrier's answer has no shipment id");
	if (purchase->rerate_id && !text_equal(id, purchase->rerate_id))
		return error_set(ret_error, SHIPOPT_EPROTOCOL, "the carrier answered about shipment %.64s instead of %.64s", id,
			purchase->rerate_id);
	if (!purchase->rerate_id && !text_is_empty(given) && !is_our_reference(given, wanted))
		return error_set(ret_error, SHIPOPT_EPROTOCOL,
			"the carrier answered about a shipment with reference \"%.64s\" instead of \"%.64s\"", given,
			wanted ? wanted : "");
	return 0;
}

/* The answer to a re-rate has rates alone, which say whose they are. */
static int name_rerated(struct purchase *purchase)
{
	if (!purchase->rerate_id || shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID))
		return 0;
	const shipopt_record *rate = shipopt_record_item(purchase->shipment, SHIPOPT_SHIPMENT_RATES, 0);
	const char *id = rate ? shipopt_record_text(rate, SHIPOPT_RATE_SHIPMENT_ID) : NULL;
	return shipopt_record_set_text(purchase->shipment, SHIPOPT_SHIPMENT_ID, id ? id : purchase->rerate_id);
}

static void rated(struct exchange *exchange)
{
	struct purchase *purchase = purchase_of(exchange);
	shipopt_error *error = purchase_take_answer(purchase);
	int status = exchange->status;
	if (status == 0)
		status = name_rerated(purchase);
	if (status == 0)
		status = check_shipment(purchase, &error);
	if (status == 0) {
		shipopt_error_unref(TAKE(purchase->item->error));
		health_observe_shipment(&purchase->rules->carrier->health, purchase->shipment);
		choose(purchase);
	} else if (is_refusal(status)) {
		fail(purchase, LEDGER_FAIL, status, error);
	} else {
		/* The row stays planned: the next run goes on from here. */
		purchase_end(purchase, purchase_blame(purchase, status), error);
	}
}

void purchase_create(struct purchase *purchase)
{
	if (purchase->is_canceled) {
		purchase_end(purchase, SHIPOPT_ECANCELED, NULL);
		return;
	}
	mem_free(TAKE(purchase->rerate_id));
	struct call *call = purchase_new_call(purchase);
	int r = purchase->rules->carrier->provider->create_shipment(call, purchase->order->shipment);
	if (r < 0) {
		purchase_end(purchase, r, NULL);
		return;
	}
	call->repeat = REPEAT_ALWAYS; /* at worst a second shipment that is never paid for */
	purchase_call(purchase, STAGE_CALL, rated);
}

void purchase_rerate(struct purchase *purchase)
{
	if (!purchase->rerate_id)
		purchase->rerate_id = mem_copy_text(shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID));
	struct call *call = purchase_new_call(purchase);
	int r = purchase->rerate_id ? purchase->rules->carrier->provider->rerate_shipment(call, purchase->rerate_id)
				    : SHIPOPT_ENOMEM;
	if (r < 0)
		purchase_end(purchase, r, NULL);
	else
		purchase_call(purchase, STAGE_CALL, rated);
}
