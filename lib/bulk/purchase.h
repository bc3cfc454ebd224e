/* SPDX-License-Identifier: MIT */
#ifndef BULK_PURCHASE_H
#define BULK_PURCHASE_H

#include <shipopt/bulk.h>

#include "base/hash.h"
#include "base/random.h"
#include "bulk/choice.h"
#include "bulk/item.h"
#include "carrier/exchange.h"
#include "store/ledger.h"

/*
 * The purchase of one label: the state machine over a ledger row. The one place that spends money.
 *
 *   claim ─ new or planned ──→ create shipment → choose rate → created → buying → POST buy ─ bought
 *      │                                           │ (rate only: ends here)            ├─ refused (proven) → failed
 *      ├─ created ─────────────────────────────────┴──────────→ buying                 ├─ exists → read back
 *      ├─ buying, in doubt ───────────────────────────────────────→ read back ←────────┴─ unknown → in doubt
 *      ├─ bought: nothing to do                                      │ postage: bought
 *      └─ leased by another: wait, claim again                       │ none, before settling: wait, read back again
 *                                                                    └ none, after settling: buying again, same shipment id
 *
 * Every arrow into `created` and `buying` is durable in the ledger before the call it guards is sent. A purchase call is
 * sent only while the lease surely lives: its deadline is the lease's, counted from before it was asked for, less the time
 * that a request may take. "No postage" counts only if the read was begun after settle_ms since `buying` was written,
 * by the database's clock, and was a well-formed answer about that shipment.
 *
 * Lives on the carrier's reactor thread, embedded in its owner. `done` runs once, never from inside purchase_start(). While it
 * waits for nothing but time (settling, another's lease) it is `parked`, which its owner is told, as it then needs no slot.
 *
 * Files: purchase.c (start, ledger, waiting, end), purchase_request.c (what is asked for), purchase_claim.c, purchase_plan.c (create,
 * choose), purchase_buy.c (buy, verdict), purchase_doubt.c (read back, settle).
 */

/* A purchase is put on the wire within this part of settle_ms after `buying` was written, or not at all: so that what settle_ms
 * allows for (the request's own time and the carrier's limit) is counted from a moment close to the sending. */
#define PURCHASE_SETTLE_SHARES 6

struct purchase_rules { /* of a run; constant while purchases run */
	shipopt_carrier *carrier;
	shipopt_store *store; /* NULL: rates only, not kept */
	struct choice choice; /* rule and services; the order's wishes are added */
	shipopt_request_fn choose;
	void *choose_userdata;
	enum { MISSING_FAIL, MISSING_WAIT, MISSING_FALLBACK } missing_carrier;
	int64_t fallback_percent, ceiling_percent;
	int64_t lease_ms, settle_ms, timeout_ms;
	const char *purpose, *budget, *currency;
	int64_t spend_limit; /* 0: none */
	bool rate_only;
};

enum purchase_stage { /* what a cancel or a deadline may do */
	STAGE_IDLE,
	STAGE_LEDGER,  /* waits for the ledger */
	STAGE_CALL,    /* waits for the carrier, nothing bought by it */
	STAGE_BUY,     /* waits for the answer to a purchase */
	STAGE_HOST,    /* waits for the host's choice of a rate */
	STAGE_PARKED   /* waits for time */
};

struct purchase {
	/* the owner's */
	const struct purchase_rules *rules;
	shipopt_order *order; /* its shipment gets the key as reference if it has none */
	struct lane_group *group;
	int64_t deadline_us; /* a result by then */
	void (*done)(struct purchase *purchase);
	void (*parked)(struct purchase *purchase, bool is_parked);
	void (*ask)(struct purchase *purchase, shipopt_request *request); /* hands the rate choice to the host */

	/* the result: into the owner's item */
	shipopt_item *item;
	enum blame blame; /* ACCOUNT or CONFIGURATION: it may be no fault of the order's; blame_status says how it was refused */
	int blame_status;

	/* its own */
	enum purchase_stage stage;
	bool is_canceled, holds_lease, is_claimed, was_sent;
	struct ledger_row row;
	int64_t token;
	char fingerprint[HASH_HEX_SIZE];
	char *request;
	struct ledger_request ledger;
	void (*after_ledger)(struct purchase *purchase);
	struct exchange exchange;
	shipopt_record *shipment; /* as last answered */
	size_t rate_index;
	int64_t lease_until_us, ledger_sent_us, settle_due_us, read_started_us;
	unsigned read_backs, claims, ledger_retries, missing_waits;
	char *approved_carrier, *approved_service; /* what was chosen before its rate expired */
	char *rerate_id; /* the shipment that is rated again; NULL while one is made */
	int64_t approved_ceiling;                  /* 0: nothing approved yet */
	struct random random;
	int end_status;
	shipopt_error *end_error;
	struct timer timer;
	void (*after_park)(struct purchase *purchase);
	struct reactor *reactor;
	struct purchase_question *question;
	struct task start_task;
};

/* `item` must be zeroed, with amount -1. Reactor thread. */
void purchase_start(struct purchase *purchase);
/* Ends it as early as money allows. Reactor thread; `done` comes later. */
void purchase_cancel(struct purchase *purchase);
/* Frees what it holds. Not while it runs. */
void purchase_clear(struct purchase *purchase);

#endif
