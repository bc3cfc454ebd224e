/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_PURCHASE

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "purchase/purchase_steps.h"
#include "runtime/request.h"

/* Which rate is bought: the row's, the choice of the run's rule, or the host's choice. And whether its price is
 * allowed. */

#define RATE_CHOICE_BYTES_MAX 8192
#define MISSING_WAIT_FIRST_US 2000000
#define MISSING_WAIT_MAX_US 60000000

/* ---- the price --------------------------------------------------------------------------------------------- */

static int64_t purchase_grown(int64_t amount, int64_t percent)
{
	double more = (double)amount * (double)percent / 100.0;
	int64_t grown;
	return more >= 0x1p63 || __builtin_add_overflow(amount, (int64_t)more, &grown) ? INT64_MAX : grown;
}

/* The highest price that the order allows, including a fallback to another carrier; 0: no limit. */
static int64_t purchase_order_bound(const struct purchase *purchase)
{
	const struct purchase_rules *rules = purchase->rules;
	int64_t bound = purchase->order->max_rate;
	return rules->missing_carrier == MISSING_FALLBACK ? purchase_grown(bound, rules->fallback_percent) : bound;
}

/* The approved price in the row, unless the order has a new max_rate or the run replaces the stored rate; 0: none. */
static int64_t purchase_approved(const struct purchase *purchase)
{
	bool is_replaced = purchase->rerate == RERATE_REPLACE || purchase_request_max_rate_changed(purchase);
	return purchase->row.ceiling > 0 && !is_replaced ? purchase->row.ceiling : 0;
}

static const shipopt_record *purchase_chosen_rate(const struct purchase *purchase)
{
	return purchase->rate_index == SIZE_MAX
		? NULL
		: shipopt_record_item(purchase->shipment, SHIPOPT_SHIPMENT_RATES, purchase->rate_index);
}

static void purchase_hold_above(struct purchase *purchase, int64_t amount, const char *currency, int64_t ceiling,
	const char *ceiling_currency)
{
	char now[DECIMAL_TEXT_SIZE], approved[DECIMAL_TEXT_SIZE];
	shipopt_error *error = NULL;
	decimal_format(amount, 2, now);
	decimal_format(ceiling, 2, approved);
	error_set(&error, SHIPOPT_EHELD, "the price is %s %s now, above the approved %s %s: needs review", now,
		currency ? currency : "(no currency)", approved, ceiling_currency ? ceiling_currency : "(no currency)");
	purchase_fail(purchase, LEDGER_OP_HOLD, SHIPOPT_EHELD, error);
}

/* Amounts in different currencies are never compared. A price approved in another currency is not approved. */
static bool purchase_price_is_allowed(struct purchase *purchase, int64_t amount, const char *currency)
{
	int64_t approved = purchase_approved(purchase),
		bound = approved > 0 ? approved : purchase_order_bound(purchase);
	const char *bound_currency = approved > 0 ? purchase->row.approved_currency : purchase->rules->currency;
	if (bound <= 0 || (amount <= bound && text_equal(currency, bound_currency)))
		return true;
	purchase_hold_above(purchase, amount, currency, bound, bound_currency);
	return false;
}

/* ---- the chosen rate --------------------------------------------------------------------------------------- */

/* A rate run without a store: the rate is in the item alone. */
static void purchase_end_quoted(struct purchase *purchase, const shipopt_record *rate)
{
	struct ledger_row *row = &purchase->row;
	ledger_row_done(row);
	row->shipment_id = mem_copy_text(shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID));
	row->rate_id = mem_copy_text(shipopt_record_text(rate, SHIPOPT_RATE_ID));
	row->carrier = mem_copy_text(shipopt_record_text(rate, SHIPOPT_RATE_CARRIER));
	row->service = mem_copy_text(shipopt_record_text(rate, SHIPOPT_RATE_SERVICE));
	row->currency = mem_copy_text(shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY));
	row->amount = shipopt_record_number(rate, SHIPOPT_RATE_RATE, 0);
	bool is_whole = row->shipment_id && row->rate_id && row->carrier && row->service;
	int r = is_whole ? purchase_fill_item(purchase) : SHIPOPT_ENOMEM;
	purchase_end(purchase, r, NULL);
}

/* What is approved with a price, unless the row has an approval: the order's max_rate, or the price and
 * ceiling_percent. A fallback may be above the order's max_rate. Then its own price is approved. */
static int64_t purchase_ceiling(const struct purchase *purchase, int64_t amount)
{
	int64_t approved = purchase_approved(purchase);
	int64_t bound = purchase->order->max_rate > 0 ? purchase->order->max_rate
						      : purchase_grown(amount, purchase->rules->ceiling_percent);
	/* 0 keeps the approval of the row, and is no ceiling. So a price of 0 approves the smallest amount. */
	return approved > 0 ? 0 : MAX(MAX(bound, amount), 1);
}

void purchase_fill_rate(const struct purchase *purchase, struct ledger_request *request)
{
	const shipopt_record *rate = purchase_chosen_rate(purchase);
	request->base_url = purchase->rules->carrier->base_url;
	request->shipment_id = purchase->row.shipment_id;
	request->currency = purchase->row.currency;
	request->amount = purchase->row.amount;
	request->ceiling = purchase_ceiling(purchase, request->amount);
	if (!rate)
		return;
	int64_t amount = shipopt_record_number(rate, SHIPOPT_RATE_RATE, 0);
	request->shipment_id = shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID);
	request->rate_id = shipopt_record_text(rate, SHIPOPT_RATE_ID);
	request->carrier = shipopt_record_text(rate, SHIPOPT_RATE_CARRIER);
	request->service = shipopt_record_text(rate, SHIPOPT_RATE_SERVICE);
	request->currency = shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY);
	request->amount = amount;
	request->ceiling = purchase_ceiling(purchase, amount);
	request->rate_choice = purchase->rerate == RERATE_EXPIRED ? NULL : purchase->rate_choice;
}

/* A run that buys goes on to the purchase, which writes the rate. A rate run writes it now. */
static void purchase_go_on_with_rate(struct purchase *purchase)
{
	if (!purchase->rules->rate_only) {
		purchase_admit(purchase);
		return;
	}
	purchase_fill_rate(purchase, purchase_ledger(purchase, LEDGER_OP_CREATE));
	purchase_submit(purchase, PURCHASE_KEEPING);
}

void purchase_use_rate(struct purchase *purchase)
{
	const shipopt_record *rate = purchase_chosen_rate(purchase);
	int64_t amount = shipopt_record_number(rate, SHIPOPT_RATE_RATE, -1);
	if (!rate || amount < 0 || text_is_empty(shipopt_record_text(rate, SHIPOPT_RATE_ID))) {
		shipopt_error *error = NULL;
		int status = error_set(&error, SHIPOPT_EINVAL,
			"rate %lld was chosen, which cannot be bought; there are %zu, counted from 0",
			(long long)purchase->event_value,
			shipopt_record_count(purchase->shipment, SHIPOPT_SHIPMENT_RATES));
		purchase_fail(purchase, LEDGER_OP_FAIL, status, error);
	} else if (purchase_price_is_allowed(purchase, amount, shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY))) {
		if (purchase->rules->store)
			purchase_go_on_with_rate(purchase);
		else
			purchase_end_quoted(purchase, rate);
	}
}

/* The row's rate, after an earlier run or a repeat, if its price is still within the bounds. */
void purchase_use_kept(struct purchase *purchase)
{
	purchase->rate_index = SIZE_MAX;
	if (purchase->rules->rate_only)
		purchase_end_already(purchase);
	else if (purchase_price_is_allowed(purchase, purchase->row.amount, purchase->row.currency))
		purchase_admit(purchase);
}

/* ---- the rule that chose ------------------------------------------------------------------------------------ */

int purchase_write_rate_choice(struct purchase *purchase)
{
	const struct purchase_rules *rules = purchase->rules;
	struct buffer text;
	buffer_init(&text, RATE_CHOICE_BYTES_MAX);
	if (rules->choose)
		buffer_append_text(&text, "the host");
	else if (rules->choice.rule == CHOICE_SERVICES)
		buffer_append_format(&text, "services %s", rules->choice.services);
	else
		buffer_append_text(&text, choice_rule_name(rules->choice.rule));
	purchase->rate_choice = buffer_take(&text);
	buffer_done(&text);
	return purchase->rate_choice ? 0 : SHIPOPT_ENOMEM;
}

bool purchase_note_stored_rate(const struct purchase *purchase, struct buffer *note)
{
	const char *stored = purchase->row.rate_choice;
	if (!stored || text_equal(stored, purchase->rate_choice))
		return false;
	buffer_append_format(note,
		"%sthe stored rate was kept: it was chosen by \"%s\", and this run's rate choice \"%s\" was not applied "
		"(bulk setting rate_again rates the order again)",
		note->length ? "; " : "", UNICODE_SHOWN(stored), UNICODE_SHOWN(purchase->rate_choice));
	return true;
}

/* ---- the host's choice ------------------------------------------------------------------------------------- */

static void purchase_answered(void *asker, int status, int64_t value, shipopt_error *error)
{
	struct purchase *purchase = asker;
	timer_stop(&purchase->timer);
	purchase->question = NULL;
	purchase->event_value = value;
	purchase->rate_index = value >= 0 ? (size_t)value : SIZE_MAX;
	purchase_on_error(purchase, status >= 0 ? EVENT_CHOSEN : EVENT_REFUSED, status, error);
}

static void purchase_question_late(struct timer *timer)
{
	purchase_on(CONTAINER_OF(timer, struct purchase, timer), EVENT_LATE);
}

/* The item's deadline or a cancel came before the host's answer, unless that is on its way. */
void purchase_drop_question(struct purchase *purchase)
{
	shipopt_error *error = NULL;
	int status = purchase->is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT;
	if (!request_drop(purchase->question))
		return;
	purchase->question = NULL;
	error_set(&error, status, "the host had not chosen a rate; nothing was bought");
	purchase_end(purchase, status, error);
}

static void purchase_ask_host(struct purchase *purchase)
{
	/* The cancel came while a worker parsed the rates. */
	if (purchase->is_canceled) {
		purchase_end(purchase, SHIPOPT_ECANCELED, NULL);
		return;
	}
	shipopt_record *shipment; /* a copy: the host may read it after the purchase has ended */
	int r = shipopt_record_copy(purchase->shipment, &shipment);
	if (r == 0) {
		r = request_new(purchase->order->key, NULL, purchase->reactor, purchase_answered, purchase,
			&purchase->question);
		if (r < 0)
			shipopt_record_free(shipment);
	}
	if (r < 0) {
		purchase_end(purchase, r, NULL);
		return;
	}
	request_own_record(purchase->question, shipment, shipopt_record_free);
	purchase->state = PURCHASE_CHOOSING;
	purchase->timer.fire = purchase_question_late;
	timer_start(purchase->reactor, &purchase->timer, purchase->deadline_us);
	purchase->ask(purchase, purchase->question);
}

/* ---- our own choice ---------------------------------------------------------------------------------------- */

static bool purchase_has_rate_of(const shipopt_record *shipment, const char *carrier)
{
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES); i++) {
		const shipopt_record *rate = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, i);
		if (text_equal_ignore_case(shipopt_record_text(rate, SHIPOPT_RATE_CARRIER), carrier))
			return true;
	}
	return false;
}

static void purchase_wait_for_carrier(struct purchase *purchase, shipopt_error *error)
{
	int64_t delay_us = MISSING_WAIT_FIRST_US << MIN(purchase->rate_waits, 5U);
	purchase->rate_waits++;
	shipopt_error_unref(purchase->item->error);
	purchase->item->error = error; /* the item's error if its deadline comes first */
	purchase_wait(purchase, PURCHASE_WAITING_FOR_RATE, MIN(delay_us, MISSING_WAIT_MAX_US));
}

/* The currency that the rates must have. An approved price stays in its own currency. */
static const char *purchase_wanted_currency(const struct purchase *purchase)
{
	const struct purchase_rules *rules = purchase->rules;
	if (purchase_approved(purchase) > 0)
		return purchase->row.approved_currency;
	return choice_currency(rules->choice.currency, purchase->order->max_rate, rules->spend_limit);
}

/* Another carrier within the price bound: above the order's max_rate or the wanted carrier's last seen rate by at most
 * fallback_percent. Without either there is no bound to keep to. */
static int purchase_fall_back(struct purchase *purchase, shipopt_error **ret_error)
{
	const struct purchase_rules *rules = purchase->rules;
	struct choice choice = rules->choice;
	const char *seen_currency = NULL;
	choice.currency = purchase_wanted_currency(purchase);
	int64_t base = purchase->order->max_rate;
	if (base <= 0)
		base = health_cheapest(&rules->carrier->health, purchase->order->carrier, choice.currency,
			&seen_currency);
	if (base < 0)
		return error_set(ret_error, SHIPOPT_ENORATE,
			"carrier \"%.64s\" has no rate now, and a fallback has no price bound: set max_rate",
			purchase->order->carrier);
	choice.currency = text_is_empty(choice.currency) ? seen_currency : choice.currency;
	choice.max_rate = purchase_grown(base, rules->fallback_percent);
	return choice_pick(&choice, purchase->shipment, &purchase->rate_index, ret_error);
}

static void purchase_choose_missing(struct purchase *purchase, int status, shipopt_error *error)
{
	const char *wanted = purchase->order->carrier;
	bool missing = status == SHIPOPT_ENORATE && !text_is_empty(wanted) &&
		!purchase_has_rate_of(purchase->shipment, wanted);
	if (missing && purchase->rules->missing_carrier == MISSING_WAIT) {
		purchase_wait_for_carrier(purchase, error);
		return;
	}
	if (missing && purchase->rules->missing_carrier == MISSING_FALLBACK) {
		shipopt_error_unref(TAKE(error));
		status = purchase_fall_back(purchase, &error);
		if (status == 0) {
			purchase_use_rate(purchase);
			return;
		}
	}
	if (status != SHIPOPT_ELIMIT) {
		purchase_fail(purchase, status == SHIPOPT_EHELD ? LEDGER_OP_HOLD : LEDGER_OP_FAIL, status, error);
		return;
	}
	/* A person decides about a price that is too high. The row is held, and the error gets that code. */
	shipopt_error *held = NULL;
	error_set(&held, SHIPOPT_EHELD, "%s: needs review",
		error ? shipopt_error_message(error) : "above the order's max_rate");
	shipopt_error_unref(error);
	purchase_fail(purchase, LEDGER_OP_HOLD, SHIPOPT_EHELD, held);
}

void purchase_choose(struct purchase *purchase)
{
	struct choice choice = purchase->rules->choice;
	shipopt_error *error = NULL;
	choice.carrier = purchase->order->carrier;
	choice.service = purchase->order->service;
	choice.max_rate = purchase->order->max_rate;
	choice.currency = purchase_wanted_currency(purchase);
	if (purchase->rerate == RERATE_EXPIRED) { /* after an expired rate: the same service again, at its new price */
		choice.rule = CHOICE_CHEAPEST;
		choice.carrier = purchase->row.carrier;
		choice.service = purchase->row.service;
		choice.max_rate = 0;
	} else if (purchase->rules->choose) {
		purchase_ask_host(purchase);
		return;
	}
	int r = choice_pick(&choice, purchase->shipment, &purchase->rate_index, &error);
	if (r == 0)
		purchase_use_rate(purchase);
	else
		purchase_choose_missing(purchase, r, error);
}
