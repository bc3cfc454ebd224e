/* SPDX-License-Identifier: MIT */
#ifndef STORE_LEDGER_H
#define STORE_LEDGER_H

#include <shipopt/ledger.h>

#include "base/error.h"
#include "runtime/reactor.h"
#include "store/backend.h"

/*
 * The purchase ledger inside the library: requests to it, and the rules that every back-end enforces.
 *
 * <shipopt/ledger.h> describes the states and the fields of a row. The key of a row is (tenant, provider, account,
 * mode, order key, piece, purpose, generation). lib/purchase decides what to do with an order; the ledger decides what
 * a row allows. Each transition is a compare-and-set on the row's state and fencing token, and is durable before its
 * callback runs. LEDGER_OP_… lists the transitions.
 *
 * Requests. A `struct ledger_request` is embedded in its owner, filled in, and submitted from any thread. Its `done`
 * runs on the reactor that the request names. The store runs requests of many owners in one transaction (group commit),
 * in the order of submission. A request that the rules refuse does not undo the others.
 *
 * Unproven purchases. `sent` counts the purchases of the shipment in the row. `unproven` counts those that may have
 * bought a label. LEDGER_OP_BUY adds one to both before the request is sent. A proof that the newest purchase bought
 * nothing takes one from `unproven` (LEDGER_OP_PROVE, or `proven` of LEDGER_OP_FAIL and LEDGER_OP_DOUBT). Only the
 * label itself clears the count; a person's "nothing was bought" leaves one. `exists_seen` says that the shipment has
 * postage at the carrier: then one of the purchases may have bought it, whatever was proven before. From this follow
 * three rules:
 *   - While a purchase is unproven, the row keeps its shipment: it is never planned, created, failed or held.
 *   - A shipment is sent at most LEDGER_SENDS_MAX times, and never again once `exists_seen` or `needs_person` is set.
 *     Only the label or a person clears `needs_person`.
 *   - A shipment id belongs to one row of a provider, account and mode (LEDGER_OUTCOME_SHARED otherwise). Rows of an
 *     earlier version can share one; a person says whose the label is.
 *
 * Leases. A claim takes the row for `lease_ms` of the database's clock and gives a new fencing token. Only the holder
 * of the current token may change the row. An expired lease changes nothing by itself: it lets another claim take the
 * row over. A claim of a row with a live lease gets LEDGER_OUTCOME_BUSY, unless it brings the current token. A lease
 * that ends more than LEDGER_LEASE_MAX_MS ahead was written by a wrong clock and counts as expired. A claim also moves
 * a buying time that lies in the future to now. Tokens start at a random number and count up, so that no two rows share
 * one. Rows that are bought, documented, voided or void refused need no lease: a claim returns them as they are, with
 * token 0, and LEDGER_OP_DOCUMENT and LEDGER_OP_VOID compare the state alone.
 *
 * Claims. A claim does not compare content. The row comes back with its fingerprint and request, and the caller decides
 * whether to replace the plan (LEDGER_OP_PLAN) or to report a conflict. Generation 0 claims the newest generation, or
 * makes generation 1. A number claims that generation. It makes the generation if it follows the newest one and that
 * one is over: its label is bought or given back, or it is proven, or a person found, that nothing was bought.
 *
 * Money. LEDGER_OP_BUY reserves `amount` and the insurance `fee` in the spend limit (tenant, budget, currency), in the
 * same transaction. LEDGER_OP_FAIL and LEDGER_OP_PROVE release the reservation when no purchase is unproven.
 * LEDGER_OP_BOUGHT turns it into spend: `paid` (or the amount where the price paid is not known) and `fee`. A repeated
 * purchase pays only the difference. While an earlier purchase is unproven, a cheaper repeat gives nothing back, and a
 * repeat without a budget stays in the budget of the first. `ceiling` and `approved` are in `approved_currency`, and
 * survive LEDGER_OP_PLAN with `keep_approval`.
 *
 * Bounds. Key texts have 1 to LEDGER_KEY_MAX bytes, other texts at most LEDGER_TEXT_MAX. A longer `result` or label URL
 * is dropped, because recording the purchase matters more. All texts are UTF-8. A lease lasts 1 ms to a day. Other
 * requests fail with SHIPOPT_EINVAL, SHIPOPT_ETOOLARGE or SHIPOPT_EENCODING.
 */
#define LEDGER_SENDS_MAX 3
#define LEDGER_KEY_MAX 512
#define LEDGER_TEXT_MAX ((size_t)1 << 20)
#define LEDGER_RESULT_MAX ((size_t)256 << 10)
#define LEDGER_LEASE_MAX_MS 86400000

enum ledger_state {
	LEDGER_STATE_PLANNED = SHIPOPT_LEDGER_STATE_PLANNED,
	LEDGER_STATE_CREATED = SHIPOPT_LEDGER_STATE_CREATED,
	LEDGER_STATE_BUYING = SHIPOPT_LEDGER_STATE_BUYING,
	LEDGER_STATE_IN_DOUBT = SHIPOPT_LEDGER_STATE_IN_DOUBT,
	LEDGER_STATE_BOUGHT = SHIPOPT_LEDGER_STATE_BOUGHT,
	LEDGER_STATE_DOCUMENTED = SHIPOPT_LEDGER_STATE_DOCUMENTED,
	LEDGER_STATE_FAILED = SHIPOPT_LEDGER_STATE_FAILED,
	LEDGER_STATE_HELD = SHIPOPT_LEDGER_STATE_HELD,
	LEDGER_STATE_VOID_REQUESTED = SHIPOPT_LEDGER_STATE_VOID_REQUESTED,
	LEDGER_STATE_VOIDED = SHIPOPT_LEDGER_STATE_VOIDED,
	LEDGER_STATE_VOID_REFUSED = SHIPOPT_LEDGER_STATE_VOID_REFUSED
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

/* A row as it was read. It owns its texts; NULL where the database has null. */
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

/* From which state to which an operation leads, and the members of the request that it reads. */
enum ledger_operation {
	/* Finds or makes the row, and leases it. */
	LEDGER_OP_CLAIM = 1,
	/* planned, created, failed, held → planned, with other content (fingerprint, request). Drops the shipment. */
	LEDGER_OP_PLAN,
	/* planned, created → created: shipment_id and the rate. The shipment is the row's, rated again, or a new one. A
	 * `ceiling` replaces the approval. */
	LEDGER_OP_CREATE,
	/* planned, created, buying, in doubt → buying. From planned it brings the shipment; later a `shipment_id` must
	 * be the row's. A `rate_id` replaces the rate, a `ceiling` the approval, a `request` the stored one. Reserves
	 * `amount` (0: the row's) and `fee`, and writes the buying time and `settle_ms`. */
	LEDGER_OP_BUY,
	/* buying → created, or in doubt while an earlier purchase is unproven. The newest purchase bought nothing. */
	LEDGER_OP_PROVE,
	/* buying, in doubt → in doubt: reason, `proven`, `exists_seen`, `needs_person`, `refusal` (the first one
	 * stays). With `exists_seen` also from created, if its shipment was sent: at least one purchase is unproven
	 * then. */
	LEDGER_OP_DOUBT,
	/* buying, in doubt, failed, created with an unproven purchase → bought: tracking_code, label_url, paid, fee,
	 * result, and reason (a note). Turns the reservation into spend. */
	LEDGER_OP_BOUGHT,
	/* planned, created, buying → failed: reason. It is proven that nothing was bought. Releases the reservation. */
	LEDGER_OP_FAIL,
	/* planned, created → held: reason. shipment_id, base_url and `needs_person` where the carrier made a label
	 * unasked. */
	LEDGER_OP_HOLD,
	/* held → planned or created, as it was; failed → planned, without its shipment. `state` is 0, or the state that
	 * must result. */
	LEDGER_OP_REOPEN,
	/* Extends the lease, and changes nothing else. */
	LEDGER_OP_RENEW,
	/* Gives the lease up, and changes nothing else. */
	LEDGER_OP_RELEASE,
	/* bought → documented */
	LEDGER_OP_DOCUMENT,
	/* bought, documented, void refused → void requested → voided, void refused. `state` says which. */
	LEDGER_OP_VOID
};

/* The outcomes of a request that is no error. Nothing was changed unless the outcome is OK. */
enum ledger_outcome {
	LEDGER_OUTCOME_OK = 0,
	LEDGER_OUTCOME_BUSY = 1,       /* a claim: another holder's lease is live; the row has lease_until_ms */
	LEDGER_OUTCOME_LOST = 2,       /* the fencing token is not current any more: another holder took over */
	LEDGER_OUTCOME_REFUSED = 3,    /* the row's state does not allow it; the row is filled in */
	LEDGER_OUTCOME_OVER_LIMIT = 4, /* LEDGER_OP_BUY: the purchase would pass the budget's limit */
	LEDGER_OUTCOME_SHARED = 5      /* CREATE, BUY, BOUGHT, HOLD: another row has the shipment id */
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
 * Submits a request, from any thread. It never fails by itself: an error is the request's status in `done`, which runs
 * later on the request's reactor. SHIPOPT_EAGAIN: the queue is full. The caller keeps a reference to the store until
 * `done` runs.
 *
 * After the runtime's close has stopped the store, the reactor may be gone. Then `done` runs inside this call, on the
 * calling thread, with SHIPOPT_ESHUTDOWN.
 */
void ledger_submit(shipopt_store *store, struct ledger_request *request);

/* Checks the request against the bounds above, and fills in the tenant. */
int ledger_request_check(struct ledger_request *request, const char *tenant, shipopt_error **ret_error);
/* Clears the members that an attempt wrote, so that the request can be tried again. */
void ledger_request_clear(struct ledger_request *request);

#endif
