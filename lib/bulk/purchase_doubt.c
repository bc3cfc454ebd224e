/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/random.h"
#include "bulk/purchase_steps.h"

/*
 * A purchase whose outcome is not known: read back until it is.
 *
 * Schedule: the first read-back at once, then with delays that double from READ_BACK_FIRST_US to READ_BACK_MOST_US, with jitter; the
 * one that settles it is put just behind the settle time. Bounded by READ_BACKS_MAX and the item's deadline; then the item
 * is reported in doubt, and the row stays for the next run or a person.
 */
#define READ_BACK_FIRST_US 250000
#define READ_BACK_MOST_US 15000000
#define READ_BACK_SETTLED_US 20000
#define READ_BACKS_MAX 64

static void park_until_next(struct purchase *purchase)
{
	int64_t now_us = clock_now_us();
	int64_t delay_us = MIN(READ_BACK_MOST_US, (int64_t)READ_BACK_FIRST_US << MIN(purchase->read_backs, 8U));
	/* Half fixed, half jitter: many purchases that failed together must not come back together. */
	delay_us = delay_us / 2 + (int64_t)random_below(&purchase->random, (uint64_t)delay_us / 2 + 1);
	if (now_us < purchase->settle_due_us)
		delay_us = MIN(delay_us, purchase->settle_due_us - now_us + READ_BACK_SETTLED_US);
	purchase_park(purchase, delay_us, purchase_read_back);
}

static void wait_for_next(struct purchase *purchase)
{
	if (++purchase->read_backs > READ_BACKS_MAX)
		purchase_end(purchase, SHIPOPT_EINDOUBT, TAKE(purchase->item->error));
	else
		park_until_next(purchase);
}

/* The last thing known about it goes with the item, should its time run out. */
static void remember(struct purchase *purchase, shipopt_error *error)
{
	if (!error)
		return;
	shipopt_error_unref(purchase->item->error);
	purchase->item->error = error;
}

void purchase_doubt(struct purchase *purchase, shipopt_error *reason)
{
	remember(purchase, reason);
	if (purchase->row.state == LEDGER_IN_DOUBT) {
		wait_for_next(purchase);
		return;
	}
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_DOUBT);
	request->reason = reason ? shipopt_error_message(reason) : "the outcome of the purchase is not known";
	purchase_submit(purchase, wait_for_next);
}

/* Nothing was bought: that the lease was kept while waiting, and that the settle time had passed before the read was begun,
 * makes it proof. */
static void settle(struct purchase *purchase)
{
	if (purchase->is_canceled)
		purchase_end(purchase, SHIPOPT_EINDOUBT, TAKE(purchase->item->error));
	else
		purchase_buy(purchase);
}

static void answered(struct exchange *exchange)
{
	struct purchase *purchase = purchase_of(exchange);
	shipopt_error *error = purchase_take_answer(purchase);
	int status = exchange->status;
	int postage = status == 0 ? purchase->rules->carrier->provider->has_postage(
					    purchase->shipment, purchase->row.shipment_id)
				  : 0;
	if (status == 0 && postage == 1) {
		shipopt_error_unref(error);
		purchase_record_bought(purchase);
	} else if (status == 0 && postage == 0 && purchase->read_started_us >= purchase->settle_due_us) {
		shipopt_error_unref(error);
		settle(purchase);
	} else if (status == SHIPOPT_EAUTH || status == SHIPOPT_ECANCELED) {
		purchase_blame(purchase, status);
		remember(purchase, error);
		purchase_end(purchase, SHIPOPT_EINDOUBT, TAKE(purchase->item->error));
	} else {
		purchase_doubt(purchase, error);
	}
}

static void read_shipment(struct purchase *purchase)
{
	if (purchase->is_canceled) {
		purchase_end(purchase, SHIPOPT_EINDOUBT, TAKE(purchase->item->error));
		return;
	}
	struct call *call = purchase_new_call(purchase);
	int r = purchase->rules->carrier->provider->retrieve_shipment(call, purchase->row.shipment_id);
	if (r < 0) {
		purchase_end(purchase, SHIPOPT_EINDOUBT, NULL);
		return;
	}
	call->class = LANE_READ_BACK;
	purchase->read_started_us = clock_now_us();
	purchase_call(purchase, STAGE_CALL, answered);
}

void purchase_read_back(struct purchase *purchase)
{
	int64_t left_us = purchase->lease_until_us - clock_now_us();
	if (left_us > purchase->rules->lease_ms * 1000 / 2) {
		read_shipment(purchase);
		return;
	}
	purchase_ledger(purchase, LEDGER_RENEW);
	purchase_submit(purchase, read_shipment);
}
