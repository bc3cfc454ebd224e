/* SPDX-License-Identifier: MIT */
#ifndef PURCHASE_PURCHASE_STEPS_H
#define PURCHASE_PURCHASE_STEPS_H

#include "purchase/purchase.h"

/* The parts of a purchase that its files share. The model is in purchase.h. */

enum purchase_event {
	/* the ledger */
	EVENT_DONE,  /* the transition is durable; the row was taken over */
	EVENT_BUSY,  /* another process holds the row */
	EVENT_TAKEN, /* the row changed: another holder has it */
	EVENT_OVER_LIMIT,
	EVENT_SHARED,       /* another order has the shipment */
	EVENT_STORE_FAILED, /* with status and error */
	/* what a claim found */
	EVENT_FRESH,   /* planned, as asked for */
	EVENT_CHANGED, /* to be planned with what is asked for now */
	EVENT_RATED,   /* created earlier; also an answer with rates */
	EVENT_OPEN,    /* something was sent, and its outcome is not known */
	EVENT_HAS_LABEL,
	EVENT_CONFLICT,
	EVENT_HELD,
	EVENT_CLOSED,
	/* calls and choices; with status and error */
	EVENT_REFUSED,
	EVENT_TROUBLE,
	EVENT_CHOSEN,
	EVENT_ADMITTED,
	/* evidence.h */
	EVENT_BOUGHT,
	EVENT_FAILED,
	EVENT_AGAIN,
	EVENT_RERATE,
	EVENT_LOOK_UP,
	EVENT_ONLY_READ,
	EVENT_PERSON,
	/* time */
	EVENT_TIME,
	EVENT_LATE, /* the item's deadline, or a cancel, while it waited */
	EVENT_COUNT
};

/* The only way to go on: runs the action of (state, event) in purchase_table.c. */
void purchase_on(struct purchase *purchase, enum purchase_event event);
/* The same with a status and an error for the action. Consumes `error`. */
void purchase_on_error(struct purchase *purchase, enum purchase_event event, int status, shipopt_error *error);

typedef void (*purchase_action)(struct purchase *purchase);
/* NULL where there is no rule. */
purchase_action purchase_rule(enum purchase_state state, enum purchase_event event);
const char *purchase_state_name(enum purchase_state state);
/* The reason where no answer gives one. */
#define PURCHASE_NOT_KNOWN "the outcome of the purchase is not known"
/* Whether money may have been spent: a purchase of the row's shipment is unproven. */
static inline bool purchase_is_open(const struct purchase *purchase)
{
	return purchase->row.unproven > 0;
}

/* ---- purchase.c ---- */
/* Waits in `state` for `delay_us`. Then comes EVENT_TIME, or EVENT_LATE if the item's deadline or a cancel came
 * first. */
void purchase_wait(struct purchase *purchase, enum purchase_state state, int64_t delay_us);
/* Prepares an exchange of this purchase for a new call. */
struct carrier_call *purchase_new_call(struct purchase *purchase);
/* Sends it and waits in `state`. `done` always runs later. */
void purchase_call(struct purchase *purchase, enum purchase_state state, void (*done)(struct exchange *exchange));
struct purchase *purchase_of(struct exchange *exchange);
/* Takes the record of the exchange as the shipment, and returns its error. */
shipopt_error *purchase_take_answer(struct purchase *purchase);
/* Keeps the reason why the outcome is not known. The first reason stays unless `is_newer_better`. Consumes `error`. */
void purchase_keep_doubt(struct purchase *purchase, shipopt_error *error, bool is_newer_better);

/* ---- purchase_ledger.c ---- */
/* Fills in the key, token and lease of the ledger request, and zeroes the rest. */
struct ledger_request *purchase_ledger(struct purchase *purchase, enum ledger_operation operation);
/* Converts the end of the row's settle time from the database's clock to ours. */
void purchase_take_settle_time(struct purchase *purchase);
/* Submits it and waits in `state`. */
void purchase_submit(struct purchase *purchase, enum purchase_state state);

/* ---- actions: purchase_claim.c ---- */
void purchase_claim(struct purchase *purchase);
void purchase_claim_again(struct purchase *purchase);
void purchase_wait_for_lease(struct purchase *purchase);
void purchase_find(struct purchase *purchase);
void purchase_plan(struct purchase *purchase);
/* ---- purchase_rate.c ---- */
void purchase_create(struct purchase *purchase);
void purchase_rerate(struct purchase *purchase);
void purchase_replace_rate(struct purchase *purchase);
void purchase_refuse_order(struct purchase *purchase);
/* ---- purchase_choose.c ---- */
void purchase_choose(struct purchase *purchase);
void purchase_use_rate(struct purchase *purchase);
void purchase_use_kept(struct purchase *purchase);
void purchase_drop_question(struct purchase *purchase);
/* Makes the text that says by which rule this run chooses. SHIPOPT_ENOMEM. */
int purchase_write_rate_choice(struct purchase *purchase);
/* Whether another rule than this run's chose the row's rate. If so, appends a sentence that says it. */
bool purchase_note_stored_rate(const struct purchase *purchase, struct buffer *note);
/* Fills the chosen rate, or the row's, and the approval into a ledger request. */
void purchase_fill_rate(const struct purchase *purchase, struct ledger_request *request);
/* ---- purchase_buy.c ---- */
void purchase_admit(struct purchase *purchase);
void purchase_reserve(struct purchase *purchase);
void purchase_send(struct purchase *purchase);
void purchase_not_reserved(struct purchase *purchase);
void purchase_reservation_taken(struct purchase *purchase);
void purchase_prove(struct purchase *purchase);
void purchase_proved(struct purchase *purchase);
void purchase_fail_proven(struct purchase *purchase);
/* ---- purchase_record.c ---- */
void purchase_record(struct purchase *purchase);
void purchase_record_later(struct purchase *purchase);

/* ---- purchase_look_up.c ---- */
void purchase_doubt(struct purchase *purchase);
void purchase_doubted(struct purchase *purchase);
void purchase_look_up(struct purchase *purchase);
void purchase_read(struct purchase *purchase);
void purchase_look_again(struct purchase *purchase);
void purchase_ask_person(struct purchase *purchase);
void purchase_send_again(struct purchase *purchase);
/* ---- purchase_end.c ---- */
/* Ends with this result, or as in doubt while a purchase is unproven. Gives the lease up first if it is held. Consumes
 * `error`. */
void purchase_end(struct purchase *purchase, int status, shipopt_error *error);
/* Holds the order for a person, because its shipment came with a label. */
void purchase_hold_shipment(struct purchase *purchase);
/* Fails or holds the order with this result; ends as in doubt while a purchase is unproven. Consumes `error`. */
void purchase_fail(struct purchase *purchase, enum ledger_operation operation, int status, shipopt_error *error);
/* Notes whether the account is to blame for a failed exchange. Returns `status`. */
int purchase_blame(struct purchase *purchase, int status);
/* Copies the label of the row and the shipment into the item. SHIPOPT_ENOMEM. */
int purchase_fill_item(struct purchase *purchase);
void purchase_end_with_event(struct purchase *purchase);
void purchase_end_failed(struct purchase *purchase);
void purchase_end_late(struct purchase *purchase);
void purchase_end_in_doubt(struct purchase *purchase);
void purchase_end_already(struct purchase *purchase);
void purchase_end_conflict(struct purchase *purchase);
void purchase_end_held(struct purchase *purchase);
void purchase_end_closed(struct purchase *purchase);
void purchase_end_rated(struct purchase *purchase);
void purchase_end_bought(struct purchase *purchase);
void purchase_end_store_failed(struct purchase *purchase);
void purchase_finish(struct purchase *purchase);

/* ---- purchase_request.c ---- */
int purchase_request_write(const shipopt_order *order, char **ret_request);
int purchase_request_fingerprint(const shipopt_order *order, char ret_fingerprint[PURCHASE_FINGERPRINT_SIZE]);
/* Compares the order with the row: whether the content is the same, which fields differ, and whether max_rate differs,
 * which is not part of the fingerprint. */
bool purchase_request_is_same(const struct purchase *purchase);
void purchase_request_differences(const struct purchase *purchase, struct buffer *names);
bool purchase_request_max_rate_changed(const struct purchase *purchase);

#endif
