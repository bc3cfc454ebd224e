/* SPDX-License-Identifier: MIT */
#ifndef STORE_LEDGER_RULES_H
#define STORE_LEDGER_RULES_H

#include "store/ledger.h"

/*
 * The rules of store/ledger.h as pure functions, for every back-end: whether a row allows an operation, and which state it
 * leads to. A back-end finds the row, asks here, and only then writes.
 */
struct ledger_facts {
	int state, held_from;
	int64_t sent, unproven, exists_seen, needs_person;
	const char *shipment_id;
	int64_t lease_until_ms, now_ms;
};

/* A row that nobody needs to lease: the purchase is over. */
bool ledger_needs_lease(int state);
/* Whether somebody's lease holds the row now. */
bool ledger_is_leased(const struct ledger_facts *facts);
bool ledger_allows(const struct ledger_request *request, const struct ledger_facts *facts);
/* Only for an operation that is allowed. */
int ledger_next_state(const struct ledger_request *request, const struct ledger_facts *facts);
/* The purchases that are not proven after it. */
int64_t ledger_next_unproven(const struct ledger_request *request, const struct ledger_facts *facts);

/* Whether another generation may follow the row: its label is bought, refunded or proven not bought, or a person has found nothing
 * bought. Of any other the outcome is open, or it needs no other one. */
bool ledger_allows_next_generation(const struct ledger_facts *facts);

/* What a person may decide about a row: whether it may become `target` (SHIPOPT_LEDGER_STATE_BOUGHT, _FAILED, _PLANNED), and the state
 * that results, 0 if it may not. The table is in <shipopt/store.h>. */
int ledger_resolved_state(int target, const struct ledger_facts *facts);

#endif
