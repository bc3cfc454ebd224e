/* SPDX-License-Identifier: MIT */
#ifndef PURCHASE_PURCHASE_H
#define PURCHASE_PURCHASE_H

#include <shipopt/bulk.h>

#include "base/hash.h"
#include "base/random.h"
#include "purchase/choice.h"
#include "purchase/item.h"
#include "carrier/exchange.h"
#include "purchase/evidence.h"
#include "store/ledger.h"

/*
 * The purchase of one label: the state machine over a ledger row. The one place that spends money.
 *
 *   CLAIMING → FOUND ─ fresh, changed ─→ PLANNING → RATING → CHOOSING → ADMITTING → RESERVING → BUYING → RECORDING
 *                    ├ rated ─────────────────────────────────────────→ ↑            (durable)  │  ↑      (durable)
 *                    ├ open ────────────────────────→ LOOKING ←─────── DOUBTING ←───────────────┤  │
 *                    └ bought, held, other content     │ ↑ └ postage: RECORDING     not known   │  │ proven, again or
 *                                                      │ └─ WAITING_TO_LOOK                     │  │ at another rate:
 *                                                      └─ none, settled: ADMITTING              ├ PROVING
 *                                                                                               └ FAILING: proven
 *
 * `state` says what the purchase waits for. Whatever happens is an event. The table (state, event) → action in
 * purchase_table.c is the only place that decides what follows. evidence.h decides what an answer proves, and the
 * ledger decides what the row allows.
 *
 *   - First the lane admits the request to buy. Then `buying` becomes durable. Then the request is sent. So a row is
 *     `buying` only if a purchase was sent or is about to be sent. A run that buys writes the shipment, the rate and
 *     `buying` in one commit, so that a label costs three durable commits (claim, buying, bought).
 *   - The request is sent only while the lease certainly lasts: until the end of the lease, counted from before the
 *     lease was requested, less the time that a request may take. It is also sent within settle_ms /
 *     PURCHASE_SETTLE_SHARES after `buying`, so that the settle time counts from a moment close to the sending. Later
 *     than that it is not sent, and that proves that nothing was bought.
 *   - "No postage" is a proof only in a well-formed answer about that shipment, to a look-up that started after the
 *     settle time. The settle time is in the row, and counts from `buying` by the database's clock.
 *   - Nothing is sent unless rules, content and price allow it. A rate run never buys. An order whose content differs
 *     from its row is never bought. In both cases a shipment in doubt is still looked up, and recorded if it has a
 *     label.
 *   - A rate that an earlier run stored is kept. A run with rate_again rates the row's shipment again and replaces the
 *     rate and its approval, but only while no purchase is unproven.
 *   - While a purchase is unproven, the item ends as in doubt, whatever ended it (purchase_end()).
 *
 * A purchase lives on the carrier's reactor thread, embedded in its owner. `done` runs once, never inside
 * purchase_start(). While the purchase only waits for time to pass (the settle time, or another process's lease) it is
 * `parked`, and its owner may use its slot for another one.
 *
 * Files: purchase.c (start, cancel, events), purchase_table.c, purchase_ledger.c (requests to the ledger and their
 * outcomes), purchase_claim.c (where an earlier run left the row), purchase_rate.c (creates and rates shipments),
 * purchase_choose.c (which rate is bought), purchase_buy.c (admission, buying, the verdict), purchase_record.c (the
 * label), purchase_look_up.c, purchase_end.c (results), purchase_request.c (the content of the order), evidence.c,
 * choice.c, insurance.c.
 */

/* A purchase is sent within this part of settle_ms after `buying` was written, or not at all. */
#define PURCHASE_SETTLE_SHARES 6
/* A higher price in an answer is not believed. The price paid is then not known. */
#define PURCHASE_PAID_MAX INT64_C(1000000000000) /* 1,000,000 in millionths */
#define PURCHASE_NOTE_BYTES_MAX 1024
#define PURCHASE_FINGERPRINT_VERSION "2:"
#define PURCHASE_FINGERPRINT_SIZE (HASH_HEX_SIZE + 2)

struct purchase_rules { /* of a run; constant while purchases run */
	shipopt_carrier *carrier;
	shipopt_store *store; /* NULL: rates only, not kept */
	struct choice choice; /* rule and services; the order's wishes are added */
	bool rate_again;      /* a stored rate is replaced */
	shipopt_request_fn choose;
	void *choose_userdata;
	enum { MISSING_FAIL, MISSING_WAIT, MISSING_FALLBACK } missing_carrier;
	int64_t fallback_percent, ceiling_percent;
	int64_t lease_ms, settle_ms, timeout_ms;
	const char *purpose, *budget, *currency;
	int64_t spend_limit;                              /* 0: none */
	int64_t insurance_fee_percent, insurance_fee_min; /* millionths */
	const char *insurance_currency;
	bool rate_only;
};

enum purchase_state { /* what it waits for */
	PURCHASE_IDLE,
	PURCHASE_CLAIMING,
	PURCHASE_FOUND, /* nothing: the row is being looked at */
	PURCHASE_WAITING_FOR_LEASE,
	PURCHASE_PLANNING,
	PURCHASE_RATING,
	PURCHASE_WAITING_FOR_RATE,
	PURCHASE_CHOOSING,
	PURCHASE_KEEPING, /* a rate, to be bought later */
	PURCHASE_ADMITTING,
	PURCHASE_RESERVING,
	PURCHASE_BUYING,
	PURCHASE_PROVING,
	PURCHASE_DOUBTING,
	PURCHASE_WAITING_TO_LOOK,
	PURCHASE_RENEWING,
	PURCHASE_LOOKING,
	PURCHASE_RECORDING,
	PURCHASE_WAITING_FOR_STORE,
	PURCHASE_FAILING,
	PURCHASE_RELEASING
};

/* Why the row's shipment is rated again. */
enum purchase_rerate {
	RERATE_NONE,
	RERATE_EXPIRED, /* its rate expired: the approved carrier and service again */
	RERATE_REPLACE  /* the run replaces the stored choice and its approved price */
};

struct purchase {
	/* the owner's */
	const struct purchase_rules *rules;
	shipopt_order *order; /* its shipment gets the key as reference if it has none */
	struct call_group *group;
	int64_t deadline_us; /* a result by then */
	void (*done)(struct purchase *purchase);
	void (*parked)(struct purchase *purchase, bool is_parked);
	void (*ask)(struct purchase *purchase, shipopt_request *request); /* hands the rate choice to the host */

	/* the result: into the owner's item */
	shipopt_item *item;
	enum blame
		blame; /* ACCOUNT or CONFIGURATION: perhaps not the order's fault; blame_status is the status of the refusal */
	int blame_status;

	/* its own */
	enum purchase_state state;
	bool is_canceled, holds_lease;
	bool is_other; /* the row is open, with other content than the order's */
	enum purchase_rerate rerate;
	struct ledger_row row;
	int64_t token;
	char fingerprint[PURCHASE_FINGERPRINT_SIZE];
	char *request;
	char *rate_choice; /* the rule of the run, as the row keeps it */
	struct ledger_request ledger;
	struct exchange exchange;
	shipopt_record *shipment; /* as last answered */
	size_t rate_index;        /* of the rate to buy in `shipment`; SIZE_MAX: the row's */
	int64_t lease_until_us, ledger_sent_us, settle_due_us, look_up_began_us;
	unsigned look_ups, claims, store_retries, rate_waits;
	char *rerate_id; /* the shipment that is rated again; NULL while one is made */
	struct random random;
	struct buffer note;   /* on the label that was bought */
	shipopt_error *doubt; /* why the outcome is not known, or the refusal */
	int event_status;     /* what came with an event */
	shipopt_error *event_error;
	int64_t event_value;
	enum evidence evidence; /* of the newest purchase */
	int end_status;
	shipopt_error *end_error;
	struct timer timer;
	struct reactor *reactor;
	shipopt_request *question; /* until its answer is taken, or it is dropped */
	struct task start_task;
};

/* Starts a purchase. `item` must be zeroed, with amount -1. Reactor thread. */
void purchase_start(struct purchase *purchase);
/* Ends it as early as money allows. Reactor thread. `done` runs later. */
void purchase_cancel(struct purchase *purchase);
/* Frees what it owns. Not while it runs. */
void purchase_clear(struct purchase *purchase);

#endif
