/* SPDX-License-Identifier: MIT */
#include "purchase/purchase_steps.h"

/*
 * The purchase as a table: the action for an event that happens while the purchase waits in a state. An action starts
 * the next wait or ends the purchase. Pairs that are not listed cannot happen.
 */
static const struct {
	enum purchase_state state;
	enum purchase_event event;
	purchase_action action;
} purchase_rules_table[] = {
	{PURCHASE_CLAIMING, EVENT_DONE, purchase_find},
	{PURCHASE_CLAIMING, EVENT_BUSY, purchase_wait_for_lease},
	{PURCHASE_CLAIMING, EVENT_TAKEN, purchase_claim_again},
	{PURCHASE_CLAIMING, EVENT_STORE_FAILED, purchase_end_store_failed},

	{PURCHASE_WAITING_FOR_LEASE, EVENT_TIME, purchase_claim},
	{PURCHASE_WAITING_FOR_LEASE, EVENT_LATE, purchase_end_late},

	{PURCHASE_FOUND, EVENT_FRESH, purchase_create},
	{PURCHASE_FOUND, EVENT_CHANGED, purchase_plan},
	{PURCHASE_FOUND, EVENT_RATED, purchase_use_kept},
	{PURCHASE_FOUND, EVENT_RERATE, purchase_replace_rate},
	{PURCHASE_FOUND, EVENT_OPEN, purchase_look_up},
	{PURCHASE_FOUND, EVENT_HAS_LABEL, purchase_end_already},
	{PURCHASE_FOUND, EVENT_CONFLICT, purchase_end_conflict},
	{PURCHASE_FOUND, EVENT_HELD, purchase_end_held},
	{PURCHASE_FOUND, EVENT_CLOSED, purchase_end_closed},
	{PURCHASE_FOUND, EVENT_LATE, purchase_end_late},

	{PURCHASE_PLANNING, EVENT_DONE, purchase_create},
	{PURCHASE_PLANNING, EVENT_TAKEN, purchase_claim_again},
	{PURCHASE_PLANNING, EVENT_STORE_FAILED, purchase_end_store_failed},

	{PURCHASE_RATING, EVENT_RATED, purchase_choose},
	{PURCHASE_RATING, EVENT_REFUSED, purchase_refuse_order},
	{PURCHASE_RATING, EVENT_HELD, purchase_hold_shipment},
	{PURCHASE_RATING, EVENT_ONLY_READ, purchase_doubt},
	{PURCHASE_RATING, EVENT_TROUBLE, purchase_end_with_event},

	{PURCHASE_WAITING_FOR_RATE, EVENT_TIME, purchase_rerate},
	{PURCHASE_WAITING_FOR_RATE, EVENT_LATE, purchase_end_late},

	{PURCHASE_CHOOSING, EVENT_CHOSEN, purchase_use_rate},
	{PURCHASE_CHOOSING, EVENT_REFUSED, purchase_refuse_order},
	{PURCHASE_CHOOSING, EVENT_LATE, purchase_drop_question},

	{PURCHASE_KEEPING, EVENT_DONE, purchase_end_rated},
	{PURCHASE_KEEPING, EVENT_SHARED, purchase_end_with_event},
	{PURCHASE_KEEPING, EVENT_TAKEN, purchase_claim_again},
	{PURCHASE_KEEPING, EVENT_STORE_FAILED, purchase_end_store_failed},

	{PURCHASE_ADMITTING, EVENT_ADMITTED, purchase_reserve},
	{PURCHASE_ADMITTING, EVENT_TROUBLE, purchase_end_with_event},

	{PURCHASE_RESERVING, EVENT_DONE, purchase_send},
	{PURCHASE_RESERVING, EVENT_OVER_LIMIT, purchase_not_reserved},
	{PURCHASE_RESERVING, EVENT_SHARED, purchase_not_reserved},
	{PURCHASE_RESERVING, EVENT_TAKEN, purchase_reservation_taken},
	{PURCHASE_RESERVING, EVENT_STORE_FAILED, purchase_not_reserved},

	{PURCHASE_BUYING, EVENT_BOUGHT, purchase_record},
	{PURCHASE_BUYING, EVENT_FAILED, purchase_fail_proven},
	{PURCHASE_BUYING, EVENT_AGAIN, purchase_prove},
	{PURCHASE_BUYING, EVENT_RERATE, purchase_prove},
	{PURCHASE_BUYING, EVENT_LOOK_UP, purchase_doubt},
	{PURCHASE_BUYING, EVENT_ONLY_READ, purchase_doubt},
	{PURCHASE_BUYING, EVENT_PERSON, purchase_doubt},

	{PURCHASE_PROVING, EVENT_DONE, purchase_proved},
	{PURCHASE_PROVING, EVENT_TAKEN, purchase_claim_again},
	{PURCHASE_PROVING, EVENT_STORE_FAILED, purchase_end_store_failed},

	{PURCHASE_DOUBTING, EVENT_DONE, purchase_doubted},
	{PURCHASE_DOUBTING, EVENT_TAKEN, purchase_claim_again},
	{PURCHASE_DOUBTING, EVENT_STORE_FAILED, purchase_end_store_failed},

	{PURCHASE_WAITING_TO_LOOK, EVENT_TIME, purchase_look_up},
	{PURCHASE_WAITING_TO_LOOK, EVENT_LATE, purchase_end_in_doubt},

	{PURCHASE_RENEWING, EVENT_DONE, purchase_read},
	{PURCHASE_RENEWING, EVENT_TAKEN, purchase_claim_again},
	{PURCHASE_RENEWING, EVENT_STORE_FAILED, purchase_end_store_failed},

	{PURCHASE_LOOKING, EVENT_BOUGHT, purchase_record},
	{PURCHASE_LOOKING, EVENT_LOOK_UP, purchase_look_again},
	{PURCHASE_LOOKING, EVENT_ONLY_READ, purchase_look_again},
	{PURCHASE_LOOKING, EVENT_PERSON, purchase_ask_person},
	{PURCHASE_LOOKING, EVENT_AGAIN, purchase_send_again},
	{PURCHASE_LOOKING, EVENT_TROUBLE, purchase_end_in_doubt},

	{PURCHASE_RECORDING, EVENT_DONE, purchase_end_bought},
	{PURCHASE_RECORDING, EVENT_SHARED, purchase_end_with_event}, /* only rows of an earlier version */
	{PURCHASE_RECORDING, EVENT_TAKEN, purchase_claim_again},
	{PURCHASE_RECORDING, EVENT_STORE_FAILED, purchase_record_later},

	{PURCHASE_WAITING_FOR_STORE, EVENT_TIME, purchase_record},
	{PURCHASE_WAITING_FOR_STORE, EVENT_LATE, purchase_record},

	{PURCHASE_FAILING, EVENT_DONE, purchase_end_failed},
	{PURCHASE_FAILING, EVENT_SHARED, purchase_end_with_event},
	{PURCHASE_FAILING, EVENT_TAKEN, purchase_claim_again},
	{PURCHASE_FAILING, EVENT_STORE_FAILED, purchase_end_store_failed},

	/* A lease that could not be given up expires. */
	{PURCHASE_RELEASING, EVENT_DONE, purchase_finish},
	{PURCHASE_RELEASING, EVENT_TAKEN, purchase_finish},
	{PURCHASE_RELEASING, EVENT_STORE_FAILED, purchase_finish},
};

purchase_action purchase_rule(enum purchase_state state, enum purchase_event event)
{
	for (size_t i = 0; i < ARRAY_SIZE(purchase_rules_table); i++)
		if (purchase_rules_table[i].state == state && purchase_rules_table[i].event == event)
			return purchase_rules_table[i].action;
	return NULL;
}

const char *purchase_state_name(enum purchase_state state)
{
	static const char *const names[] = {"idle", "claiming", "found", "waiting for a lease", "planning", "rating",
		"waiting for a rate", "choosing", "keeping the rate", "waiting for admission", "reserving", "buying",
		"proving", "writing the doubt", "waiting to look it up", "renewing the lease", "looking it up",
		"recording the label", "waiting for the store", "failing", "releasing the lease"};
	return names[state];
}
