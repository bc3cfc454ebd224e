/* SPDX-License-Identifier: MIT */
#include "store/ledger_rules.h"

#include <string.h>

#define BIT(state) (1u << (state))
#define PLANNED BIT(LEDGER_STATE_PLANNED)
#define CREATED BIT(LEDGER_STATE_CREATED)
#define BUYING BIT(LEDGER_STATE_BUYING)
#define IN_DOUBT BIT(LEDGER_STATE_IN_DOUBT)
#define BOUGHT BIT(LEDGER_STATE_BOUGHT)
#define DOCUMENTED BIT(LEDGER_STATE_DOCUMENTED)
#define FAILED BIT(LEDGER_STATE_FAILED)
#define HELD BIT(LEDGER_STATE_HELD)
#define VOIDED BIT(LEDGER_STATE_VOIDED)
#define VOID_REFUSED BIT(LEDGER_STATE_VOID_REFUSED)

bool ledger_needs_lease(int state)
{
	return !(BIT(state) & (BOUGHT | DOCUMENTED | VOIDED | VOID_REFUSED));
}

bool ledger_is_leased(const struct ledger_facts *facts)
{
	return facts->lease_until_ms > facts->now_ms && facts->lease_until_ms <= facts->now_ms + LEDGER_LEASE_MAX_MS;
}

/* The states that an operation may start from. */
static unsigned rules_states(const struct ledger_request *request)
{
	switch (request->operation) {
	case LEDGER_OP_PLAN: return PLANNED | CREATED | FAILED | HELD;
	case LEDGER_OP_CREATE:
	case LEDGER_OP_HOLD: return PLANNED | CREATED;
	case LEDGER_OP_BUY: return PLANNED | CREATED | BUYING | IN_DOUBT;
	case LEDGER_OP_PROVE: return BUYING;
	case LEDGER_OP_DOUBT: return BUYING | IN_DOUBT | (request->exists_seen ? CREATED : 0);
	case LEDGER_OP_BOUGHT: return CREATED | BUYING | IN_DOUBT | FAILED;
	case LEDGER_OP_FAIL: return PLANNED | CREATED | BUYING;
	case LEDGER_OP_REOPEN: return HELD | FAILED;
	case LEDGER_OP_RENEW:
	case LEDGER_OP_RELEASE: return ~0u;
	case LEDGER_OP_DOCUMENT: return BOUGHT;
	case LEDGER_OP_VOID:
		return request->state == LEDGER_STATE_VOID_REQUESTED ? BOUGHT | DOCUMENTED | VOID_REFUSED
								     : BIT(LEDGER_STATE_VOID_REQUESTED);
	case LEDGER_OP_CLAIM: break;
	}
	return 0;
}

static bool rules_allow_buy(const struct ledger_request *request, const struct ledger_facts *facts)
{
	bool may_send = facts->sent < LEDGER_SENDS_MAX && !facts->exists_seen && !facts->needs_person;
	if (!may_send)
		return false;
	if (facts->state == LEDGER_STATE_PLANNED)
		return request->shipment_id && request->rate_id;
	return facts->shipment_id && (!request->shipment_id || strcmp(request->shipment_id, facts->shipment_id) == 0);
}

static bool rules_are_proof_of_newest(const struct ledger_request *request, const struct ledger_facts *facts)
{
	return !request->proven || (facts->state == LEDGER_STATE_BUYING && facts->unproven > 0);
}

bool ledger_allows(const struct ledger_request *request, const struct ledger_facts *facts)
{
	if (!(rules_states(request) & BIT(facts->state)))
		return false;
	switch (request->operation) {
	case LEDGER_OP_PLAN:
	case LEDGER_OP_CREATE:
	case LEDGER_OP_HOLD: return facts->unproven == 0 && !facts->needs_person;
	case LEDGER_OP_BUY: return rules_allow_buy(request, facts);
	case LEDGER_OP_PROVE: return facts->unproven > 0;
	case LEDGER_OP_DOUBT:
		/* A proof that leaves nothing unproven leaves nothing in doubt. */
		return facts->sent > 0 && rules_are_proof_of_newest(request, facts) &&
			ledger_next_unproven(request, facts) > 0;
	case LEDGER_OP_BOUGHT: return facts->state != LEDGER_STATE_CREATED || facts->unproven > 0;
	case LEDGER_OP_FAIL:
		return rules_are_proof_of_newest(request, facts) && ledger_next_unproven(request, facts) == 0 &&
			!facts->needs_person;
	case LEDGER_OP_REOPEN:
		return !facts->needs_person &&
			(request->state == 0 ||
				request->state ==
					(facts->state == LEDGER_STATE_HELD ? facts->held_from : LEDGER_STATE_PLANNED));
	default: return true;
	}
}

int64_t ledger_next_unproven(const struct ledger_request *request, const struct ledger_facts *facts)
{
	switch (request->operation) {
	case LEDGER_OP_BUY: return facts->unproven + 1;
	case LEDGER_OP_PROVE: return facts->unproven - 1;
	case LEDGER_OP_DOUBT:
		/* Postage that exists counts for more than every proof: one of the purchases may have bought it. */
		return MAX(facts->unproven - request->proven, request->exists_seen ? 1 : 0);
	case LEDGER_OP_FAIL: return facts->unproven - request->proven;
	case LEDGER_OP_BOUGHT: return 0;
	default: return facts->unproven;
	}
}

int ledger_next_state(const struct ledger_request *request, const struct ledger_facts *facts)
{
	switch (request->operation) {
	case LEDGER_OP_PLAN: return LEDGER_STATE_PLANNED;
	case LEDGER_OP_CREATE: return LEDGER_STATE_CREATED;
	case LEDGER_OP_BUY: return LEDGER_STATE_BUYING;
	case LEDGER_OP_PROVE:
		return ledger_next_unproven(request, facts) > 0 ? LEDGER_STATE_IN_DOUBT : LEDGER_STATE_CREATED;
	case LEDGER_OP_DOUBT: return LEDGER_STATE_IN_DOUBT;
	case LEDGER_OP_BOUGHT: return LEDGER_STATE_BOUGHT;
	case LEDGER_OP_FAIL: return LEDGER_STATE_FAILED;
	case LEDGER_OP_HOLD: return LEDGER_STATE_HELD;
	case LEDGER_OP_REOPEN: return facts->state == LEDGER_STATE_HELD ? facts->held_from : LEDGER_STATE_PLANNED;
	case LEDGER_OP_DOCUMENT: return LEDGER_STATE_DOCUMENTED;
	case LEDGER_OP_VOID: return request->state;
	default: return facts->state;
	}
}

bool ledger_allows_next_generation(const struct ledger_facts *facts)
{
	unsigned from = BIT(facts->state);
	return from & (BOUGHT | DOCUMENTED | FAILED | VOIDED | VOID_REFUSED) || (from & CREATED && facts->unproven > 0);
}

int ledger_resolved_state(int target, const struct ledger_facts *facts)
{
	unsigned from = BIT(facts->state), unsent = facts->unproven == 0 ? PLANNED | CREATED : 0;
	unsigned ended = HELD | FAILED | (facts->needs_person ? unsent : 0);
	switch (target) {
	case LEDGER_STATE_BOUGHT:
		if (from & (ended | BUYING | IN_DOUBT) || (from & CREATED && facts->unproven > 0))
			return LEDGER_STATE_BOUGHT;
		return from & ~(PLANNED | CREATED) && facts->needs_person ? facts->state : 0;
	case LEDGER_STATE_FAILED:
		if (from & (BUYING | IN_DOUBT))
			return LEDGER_STATE_CREATED;
		return from & ended && (!(from & FAILED) || facts->needs_person) ? LEDGER_STATE_FAILED : 0;
	case LEDGER_STATE_PLANNED: return from & ended ? LEDGER_STATE_PLANNED : 0;
	default: return 0;
	}
}
