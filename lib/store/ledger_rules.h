/* SPDX-License-Identifier: MIT */
#ifndef STORE_LEDGER_RULES_H
#define STORE_LEDGER_RULES_H

#include "store/ledger.h"

/*
 * The rules of store/ledger.h as pure functions, for every back-end: whether a row allows an operation, and to which
 * state it leads. A back-end finds the row, asks here, and only then writes.
 */
struct ledger_facts {
	int state, held_from;
	int64_t sent, unproven, exists_seen, needs_person;
	const char *shipment_id;
	int64_t lease_until_ms, now_ms;
};

/* Whether a claim leases the row. False once the purchase is over. */
bool ledger_needs_lease(int state);
/* Whether a live lease holds the row now. */
bool ledger_is_leased(const struct ledger_facts *facts);
bool ledger_allows(const struct ledger_request *request, const struct ledger_facts *facts);
/* Only for an operation that is allowed. */
int ledger_next_state(const struct ledger_request *request, const struct ledger_facts *facts);
/* How many purchases are unproven after it. */
int64_t ledger_next_unproven(const struct ledger_request *request, const struct ledger_facts *facts);

/* Whether another generation may follow the row: its label is bought or given back, or it is proven, or a person found,
 * that nothing was bought. */
bool ledger_allows_next_generation(const struct ledger_facts *facts);

/* The state that results when a person settles the row as `target` (bought, failed or planned); 0 if the row does not
 * allow it. The table is in <shipopt/ledger.h>. */
int ledger_resolved_state(int target, const struct ledger_facts *facts);

#endif
