/* SPDX-License-Identifier: MIT */
#include "purchase/evidence.h"

#include "base/macro.h"
#include "store/ledger.h"

_Static_assert(EVIDENCE_SENDS_MAX == LEDGER_SENDS_MAX,
	"the ledger enforces the bound that the rule of evidence counts on");

static bool evidence_is_refusal_status(int http_status)
{
	static const int statuses[] = {400, 401, 402, 403, 404, 422};
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (http_status == statuses[i])
			return true;
	return false;
}

static enum evidence evidence_of_envelope(const struct evidence_answer *answer)
{
	switch (answer->word) {
	case WORD_EXISTS: return EVIDENCE_EXISTS;
	case WORD_REFUSED: return EVIDENCE_REFUSED;
	case WORD_EXPIRED: return EVIDENCE_EXPIRED;
	case WORD_LIMITED: return EVIDENCE_LIMITED;
	case WORD_DENIED: return EVIDENCE_DENIED;
	case WORD_UNKNOWN: return EVIDENCE_UNKNOWN;
	case WORD_UNLISTED: break;
	}
	return evidence_is_refusal_status(answer->http_status) ? EVIDENCE_UNLISTED : EVIDENCE_UNKNOWN;
}

enum evidence evidence_of_purchase(const struct evidence_answer *answer)
{
	if (!answer->was_sent)
		return EVIDENCE_UNSENT;
	if (!answer->was_handed_over || answer->http_status == 0)
		return EVIDENCE_UNKNOWN;
	if (answer->http_status >= 200 && answer->http_status < 300)
		return answer->shows_label ? EVIDENCE_BOUGHT : EVIDENCE_UNKNOWN;
	return answer->is_envelope ? evidence_of_envelope(answer) : EVIDENCE_UNKNOWN;
}

bool evidence_is_proof(enum evidence evidence)
{
	return evidence == EVIDENCE_REFUSED || evidence == EVIDENCE_EXPIRED || evidence == EVIDENCE_LIMITED ||
		evidence == EVIDENCE_DENIED || evidence == EVIDENCE_UNSENT;
}

enum evidence_next evidence_after_purchase(const struct evidence_row *row, enum evidence evidence)
{
	bool is_last = row->sent >= EVIDENCE_SENDS_MAX;
	bool is_proven = row->unproven - evidence_is_proof(evidence) <= 0;
	switch (evidence) {
	case EVIDENCE_BOUGHT: return NEXT_BOUGHT;
	case EVIDENCE_EXISTS: return NEXT_ONLY_READ;
	case EVIDENCE_REFUSED: return is_proven ? NEXT_FAILED : NEXT_PERSON;
	case EVIDENCE_EXPIRED: return !is_last ? NEXT_RERATE : is_proven ? NEXT_FAILED : NEXT_PERSON;
	case EVIDENCE_LIMITED:
	case EVIDENCE_DENIED:
	case EVIDENCE_UNSENT: return !is_proven ? NEXT_LOOK_UP : is_last ? NEXT_FAILED : NEXT_AGAIN;
	case EVIDENCE_UNLISTED: return row->sent > 1 ? NEXT_PERSON : NEXT_LOOK_UP;
	case EVIDENCE_UNKNOWN:
	case EVIDENCE_COUNT: break;
	}
	return NEXT_LOOK_UP;
}

enum evidence_next evidence_after_look_up(const struct evidence_row *row, enum evidence_look_up look_up,
	bool is_settled)
{
	if (look_up == LOOK_UP_POSTAGE)
		return NEXT_BOUGHT;
	if (look_up == LOOK_UP_NOTHING || !is_settled)
		return NEXT_LOOK_UP;
	if (row->exists_seen)
		return NEXT_ONLY_READ;
	return row->needs_person || row->was_refused || row->sent >= EVIDENCE_SENDS_MAX ? NEXT_PERSON : NEXT_AGAIN;
}
