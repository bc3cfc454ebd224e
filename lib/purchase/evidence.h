/* SPDX-License-Identifier: MIT */
#ifndef PURCHASE_EVIDENCE_H
#define PURCHASE_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "carrier/provider.h"

/*
 * The rule of evidence: what an answer proves about a purchase, and what may follow. Pure functions.
 *
 * An answer counts only if it answers this request: the whole request was handed over before the final answer started.
 * A refusal counts only inside the API's own error envelope. It is a proof only if its HTTP status and code are on the
 * provider's list. Everything rests on one assumption: a listed refusal is honest about its own request.
 *
 *   what came back for a purchase                                       evidence    proof that it bought nothing
 *   nothing of the request can have reached the server                  UNSENT      yes
 *   2xx that shows this shipment with postage                           BOUGHT      (it bought)
 *   envelope, listed: the shipment has postage already                  EXISTS      no
 *   envelope, listed: refused                                           REFUSED     yes
 *   envelope, listed: the rate is not valid any more                    EXPIRED     yes
 *   envelope, 429, listed                                               LIMITED     yes
 *   envelope, listed: the credential is refused                         DENIED      yes
 *   envelope, 400, 401, 402, 403, 404 or 422, code unlisted or missing  UNLISTED    no
 *   anything else: no answer, an answer before the request was whole,
 *   a gateway's body, 5xx, 408, 409, a code that says "not known"       UNKNOWN     no
 *
 * The row counts the purchases of its shipment, `sent`, and those not proven to have bought nothing, `unproven`; both
 * include the newest. `left` is `unproven` after the proof, if there is one.
 *
 *   evidence           left = 0                            left > 0
 *   BOUGHT             BOUGHT                              BOUGHT
 *   EXISTS             ONLY_READ                           ONLY_READ
 *   REFUSED            FAILED                              PERSON
 *   EXPIRED            RERATE, FAILED after three sends    RERATE, PERSON after three sends
 *   LIMITED, UNSENT,
 *   DENIED             AGAIN, FAILED after three sends     LOOK_UP
 *   UNLISTED           (never 0)                           LOOK_UP, PERSON if it was a repeat
 *   UNKNOWN            (never 0)                           LOOK_UP
 *
 *   a look-up says        ends as
 *   postage               BOUGHT
 *   no postage            Before the settle time: LOOK_UP again. After it: ONLY_READ after EXISTS; PERSON if the row is
 *                         marked, after an unlisted refusal, or after three sends; otherwise AGAIN
 *   nothing               LOOK_UP again
 *
 * DENIED ends the item, because no repeat within the run helps. It leaves the same shipment to the next run, up to
 * three sends: a refused credential is no reason for another shipment.
 *
 * AGAIN sends the same shipment id once more. Only FAILED leads to another shipment: then no purchase of this one is
 * unproven. A look-up alone never leads there, because a stale replica may have answered it.
 */
#define EVIDENCE_SENDS_MAX 3

enum evidence {
	EVIDENCE_UNKNOWN,
	EVIDENCE_BOUGHT,
	EVIDENCE_EXISTS,
	EVIDENCE_REFUSED,
	EVIDENCE_EXPIRED,
	EVIDENCE_LIMITED,
	EVIDENCE_DENIED,
	EVIDENCE_UNSENT,
	EVIDENCE_UNLISTED,
	EVIDENCE_COUNT
};

/* What came back for a purchase. */
struct evidence_answer {
	bool was_sent;           /* something of the request may have reached the server */
	bool was_handed_over;    /* the whole request had left before the final answer began */
	int http_status;         /* 0: no whole answer came */
	bool is_envelope;        /* the body is the API's error envelope */
	enum provider_word word; /* of the envelope */
	bool shows_label;        /* a record of this very shipment, with postage */
};

enum evidence evidence_of_purchase(const struct evidence_answer *answer);
/* Whether the evidence proves that the newest purchase bought nothing and never will. */
bool evidence_is_proof(enum evidence evidence);

/* What the row says. */
struct evidence_row {
	int64_t sent, unproven;
	bool exists_seen, needs_person;
	bool was_refused; /* an unlisted refusal is kept */
};

enum evidence_next {
	NEXT_LOOK_UP, /* wait, look the shipment up */
	NEXT_BOUGHT,
	NEXT_FAILED,    /* proven: another shipment may be bought */
	NEXT_AGAIN,     /* send the same shipment again */
	NEXT_RERATE,    /* rate the same shipment again, then send it */
	NEXT_ONLY_READ, /* it has postage: look it up until it shows */
	NEXT_PERSON     /* a person decides; it is not sent again */
};

enum evidence_next evidence_after_purchase(const struct evidence_row *row, enum evidence evidence);

enum evidence_look_up {
	LOOK_UP_NOTHING, /* no answer about this shipment */
	LOOK_UP_POSTAGE,
	LOOK_UP_NO_POSTAGE
};

/* What follows a look-up. `is_settled`: it started after the row's settle time, which counts from the newest
 * `buying`. */
enum evidence_next evidence_after_look_up(const struct evidence_row *row, enum evidence_look_up look_up,
	bool is_settled);

#endif
