/* SPDX-License-Identifier: MIT */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include <shipopt/ledger.h>

#include "base/error.h"
#include "runtime/reactor.h"
#include "store/backend.h"

/*
 * The purchase ledger: the rows that make sure that a label is bought once.
 *
 * One row per purchase: (tenant, provider, account, mode, order key, piece, purpose, generation). lib/purchase decides; here
 * are the rows and the transitions they allow, each a compare-and-set on state and fencing token, each durable before its
 * callback runs:
 *
 *   planned → created → buying → bought → documented → void requested → voided | void refused
 *      └───────────────→ ↑ │↑
 *                        │ ├┴→ in doubt → bought
 *                        │ └─→ failed        created again: the newest purchase is proven not done
 *                        └──── created       (also where a person looked and found nothing bought); in doubt again where the
 *                                            carrier says that the shipment has postage
 *   planned, created ⇄ held; a new generation opens only after voided, or by explicit request
 *
 * The count. `sent` counts the purchases of the shipment in the row, `unproven` those of them that are not proven to have
 * bought nothing. LEDGER_OP_BUY adds one to both before the request is sent. A proof about the newest purchase
 * (LEDGER_OP_PROVE, or `proven` of LEDGER_OP_FAIL and LEDGER_OP_DOUBT) takes one from `unproven`. Nothing else lowers it, apart from
 * the label itself and a person, whose "nothing was bought" leaves one. `exists_seen` withdraws a proof: with postage at the
 * carrier one of the purchases may have bought it. The ledger enforces what follows from it:
 *   - a row with an unproven purchase is never planned again, created again, held or failed: its shipment stays;
 *   - a shipment is sent at most LEDGER_SENDS_MAX times, never again once `exists_seen` or `needs_person` is set;
 *   - a shipment id belongs to one row of a provider, account and mode (LEDGER_OUTCOME_SHARED otherwise). Rows that an earlier version
 *     wrote may share one: a person says whose the label is.
 * `needs_person` is cleared by the label or by a person, by nothing else.
 *
 * Asynchronous: a `struct ledger_request` is embedded in its owner, filled, and submitted from any thread; its `done` runs
 * on the reactor thread named in it. The store runs requests of many callers in one transaction (group commit), in the
 * order of submission; a request that fails by its own rules does not undo its neighbours.
 *
 * Leases: a claim takes the row for `lease_ms` of the database's clock and a fresh fencing token; only the holder of the
 * current token may change the row, also when its lease has expired, until another claim or a release. A live lease gives
 * LEDGER_OUTCOME_BUSY, except to a claim that brings the current token; an expired one is taken over. A lease further ahead than
 * LEDGER_LEASE_MAX_MS was written by a wrong clock and is none; a take-over also moves a `buying` time in the future to now.
 * Tokens start at a random number and count up, so that no two rows share one. Rows in bought, documented, voided and
 * void refused need no lease: a claim returns them as they are, with token 0, and DOCUMENT and VOID compare the state alone.
 *
 * A claim never compares content: the row comes back with its fingerprint and request, and the caller decides whether it
 * replaces the plan (LEDGER_OP_PLAN) or reports a conflict. Generation 0 claims the newest one and makes generation 1 where there is
 * none; a number claims that one and makes it if it follows the newest and that one is over (its label bought, refunded or proven
 * not bought, or a person found nothing bought): that is the explicit request.
 *
 * Money: LEDGER_OP_BUY reserves `amount` and the insurance `fee` in the spend limit (tenant, budget, currency) in the
 * transaction that writes buying. LEDGER_OP_FAIL and LEDGER_OP_PROVE release it when no purchase is unproven. LEDGER_OP_BOUGHT turns
 * it into spend: `paid` (the amount where `paid` is 0, as an unknown price must not loosen the limit) and `fee`. A purchase
 * that is tried again keeps its reservation and pays only the difference. While an earlier one is unproven, a repeat at a
 * lower price gives nothing back, and a repeat without a budget stays in the budget of the first. `ceiling` and `approved` are in
 * `approved_currency`; they stay through LEDGER_OP_PLAN with `keep_approval`.
 *
 * Bounds: key texts 1 to LEDGER_KEY_MAX bytes, other texts LEDGER_TEXT_MAX; a longer `result` or label is not kept (the purchase
 * is what counts). Everything must be UTF-8. Lease 1 ms to a day. SHIPOPT_EINVAL, SHIPOPT_ETOOLARGE, SHIPOPT_EENCODING otherwise.
 */
#define LEDGER_SENDS_MAX 3
#define LEDGER_KEY_MAX 512
#define LEDGER_TEXT_MAX ((size_t)1 << 20)
#define LEDGER_RESULT_MAX ((size_t)256 << 10)
#define LEDGER_LEASE_MAX_MS 86400000

enum ledger_state {
	LEDGER_STATE_PLANNED = 1,
	LEDGER_STATE_CREATED = 2,
	LEDGER_STATE_BUYING = 3,
	LEDGER_STATE_IN_DOUBT = 4,
	LEDGER_STATE_BOUGHT = 5,
	LEDGER_STATE_DOCUMENTED = 6,
	LEDGER_STATE_FAILED = 7,
	LEDGER_STATE_HELD = 8,
	LEDGER_STATE_VOID_REQUESTED = 9,
	LEDGER_STATE_VOIDED = 10,
	LEDGER_STATE_VOID_REFUSED = 11
};
const char *ledger_state_name(int state);

struct ledger_key {
	const char *tenant;                    /* NULL: the store view's; another one's is refused */
	const char *provider, *account, *mode; /* mode: test, production */
	const char *order_key;
	int64_t piece;       /* from 1 */
	const char *purpose; /* outbound, return, replacement */
	int64_t generation;  /* 0: the newest (claim only, which writes the number here); else from 1 */
};

/* A row as read; texts are owned by the row, NULL when null in the database. */
struct ledger_row {
	int64_t id; /* 0: not filled */
	int64_t generation;
	int state;
	char *fingerprint; /* of the normalised request */
	char *request;     /* its JSON, for telling differences */
	char *shipment_id;
	char *rate_id, *carrier, *service, *currency;
	int64_t amount;   /* of the chosen rate, millionths */
	int64_t ceiling;  /* most that was approved, 0: none */
	int64_t approved; /* the price at which it was approved */
	char *approved_currency;
	int64_t insurance;    /* value to insure with the purchase, 0: none */
	int64_t fee;          /* what the insurance costs, reserved with the amount */
	int64_t buying_at_ms; /* database clock, when `buying` was last written; 0: never */
	int64_t first_buying_at_ms;
	int64_t attempts;     /* purchases sent or about to be, of all shipments */
	int64_t sent;         /* of these, of the shipment in the row */
	int64_t unproven;     /* of these, not proven to have bought nothing */
	int64_t settle_ms;    /* the largest under which one of them was sent */
	int64_t exists_seen;  /* 1: the carrier said that the shipment has postage */
	int64_t needs_person; /* 1: only a person can settle it; `reason` says why */
	char *refusal;        /* the carrier's first refusal of it that proves nothing */
	char *base_url;       /* of the carrier that has the shipment; NULL without one */
	char *rate_choice;    /* the rule that chose the rate; NULL: not known */
	char *tracking_code, *label_url;
	int64_t paid; /* millionths, what the carrier charged */
	char *budget; /* name of the spend limit that counts this purchase */
	char *reason; /* why failed, held or in doubt */
	int64_t lease_until_ms;
	int64_t now_ms; /* database clock at the read */
	char *result;   /* JSON of the bought shipment, bounded to 256 KiB */
};
void ledger_row_done(struct ledger_row *row);

enum ledger_operation {
	LEDGER_OP_CLAIM = 1, /* find or make the row and lease it */
	LEDGER_OP_PLAN, /* planned, created, failed, held → planned with new content (fingerprint, request); clears the shipment */
	LEDGER_OP_CREATE, /* planned, created → created: shipment_id, rate. A re-rate (same shipment id) or a new shipment. A `ceiling`
	                     replaces the approval */
	LEDGER_OP_BUY, /* planned, created, buying, in doubt → buying. From planned it brings the shipment; otherwise a
	                     `shipment_id` that differs is refused. A `rate_id` replaces the rate, a `ceiling` the approval, a
	                     `request` the stored one. Reserves `amount` (0: the row's) and `fee`, writes buying_at and settle_ms */
	LEDGER_OP_PROVE, /* buying → created, or in doubt while an earlier purchase is unproven: the newest one bought nothing */
	LEDGER_OP_DOUBT, /* buying, in doubt → in doubt: reason; `proven`, `exists_seen`, `needs_person`, `refusal` (the first stays).
	                     With `exists_seen` also from created, if its shipment was sent: it leaves at least one unproven */
	LEDGER_OP_BOUGHT, /* buying, in doubt, failed, created with an unproven purchase → bought: tracking_code, label_url, paid, fee,
	                     result, reason (a note); turns the reservation into spend */
	LEDGER_OP_FAIL, /* planned, created, buying → failed (proven): reason; releases the reservation */
	LEDGER_OP_HOLD, /* planned, created → held: reason; shipment_id, base_url and `needs_person` of a label nobody asked for */
	LEDGER_OP_REOPEN, /* held → planned or created, as it was; failed → planned, without its shipment. `state` 0, or the target
	                     that must come out */
	LEDGER_OP_RENEW,    /* extends the lease, no other change */
	LEDGER_OP_RELEASE,  /* gives the lease up, no other change */
	LEDGER_OP_DOCUMENT, /* bought → documented */
	LEDGER_OP_VOID /* bought, documented, void refused → void requested → voided, void refused: `state` says which */
};

/* Outcomes beside 0 and errors. */
enum ledger_outcome {
	LEDGER_OUTCOME_OK = 0,
	LEDGER_OUTCOME_BUSY = 1, /* claim: another holder's lease is live; row has lease_until_ms */
	LEDGER_OUTCOME_LOST =
		2, /* the fencing token is not current any more: another holder took over; nothing was changed */
	LEDGER_OUTCOME_REFUSED = 3,    /* the row's state does not allow it; row is filled */
	LEDGER_OUTCOME_OVER_LIMIT = 4, /* LEDGER_OP_BUY: the budget's limit would be passed; nothing was changed */
	LEDGER_OUTCOME_SHARED =
		5 /* LEDGER_OP_CREATE, _BUY, _BOUGHT_, _HOLD: another row has the shipment id; nothing was changed */
};

struct ledger_request {
	/* the caller's; texts are borrowed until `done` */
	enum ledger_operation operation;
	struct ledger_key key;
	int64_t token;     /* fencing token; written by a claim that does not fail. Claim: 0, or the one held */
	int64_t lease_ms;  /* claim, renew, buy */
	const char *owner; /* claim: who, for people to read */
	const char *fingerprint, *request; /* claim (new row), plan, buy (request) */
	const char *base_url;              /* create, buy; claim: where a shipment has none */
	const char *shipment_id, *rate_id, *carrier, *service, *currency; /* create, buy */
	const char *rate_choice;                                          /* create, buy: with a rate_id */
	int64_t amount, ceiling;                                          /* create, buy */
	int64_t insurance, fee;                                           /* buy; bought: the fee charged */
	int64_t settle_ms;                                                /* buy */
	bool keep_approval;                                               /* plan: the same content as before */
	bool proven;                    /* fail, doubt: the newest purchase is proven to have bought nothing */
	bool exists_seen, needs_person; /* doubt; needs_person also hold */
	const char *refusal;            /* doubt */
	const char *budget;             /* buy: name of the spend limit, NULL: none */
	int64_t budget_limit; /* buy: its limit in `currency`, millionths, 0: counted without a limit; kept with the budget */
	const char *tracking_code, *label_url, *result; /* bought */
	int64_t paid;
	const char *reason; /* doubt, prove, fail, hold, void, bought */
	int state;          /* void, reopen: the target */
	bool release;       /* also give up the lease in the same transition */
	struct reactor *reactor;
	void (*done)(struct ledger_request *request); /* on that reactor */

	/* the store's */
	int status; /* ledger_outcome or SHIPOPT_E… (SHIPOPT_EDATABASE, SHIPOPT_EINDOUBT: commit in doubt, read again) */
	shipopt_error *error;             /* owned by the caller from `done` on */
	struct ledger_row row;            /* as it is after the operation; owned by the caller from `done` on */
	bool created_row;                 /* claim: the row is new */
	int64_t claimed_token;            /* claim: written to `token` once durable */
	int64_t budget_more, budget_used; /* buy, over the limit: what it would add, and what is reserved and spent */
	struct backend_work work;
};

/*
 * Any thread; never fails: what is wrong comes back in `done`, later, on the request's reactor. The caller holds the store
 * until then. SHIPOPT_EAGAIN: the queue is full.
 *
 * Once the runtime's close has stopped the store (after the last operation has ended) nothing is taken any more and the
 * reactor may be gone: then `done` runs with SHIPOPT_ESHUTDOWN inside this very call, on the calling thread.
 */
void ledger_submit(shipopt_store *store, struct ledger_request *request);

/* Checks the request against the bounds above. Also fills in the tenant. */
int ledger_request_check(struct ledger_request *request, const char *tenant, shipopt_error **ret_error);
/* Forgets what an attempt wrote into the store's part, so that it can be tried again. */
void ledger_request_clear(struct ledger_request *request);

#endif
