/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_H
#define LANE_LANE_H

#include "base/error.h"
#include "base/list.h"
#include "base/random.h"
#include "lane/lane_breaker.h"
#include "runtime/reactor.h"

/*
 * A lane: who may send to one (host, credential), and when.
 *
 * Callers enter with a ticket, are called back when they may send, and leave with what came of it. Everything is on one
 * reactor thread; nothing allocates.
 *
 * Order: four admission classes with priority (read-back, buy, read, create), FIFO inside; inside a class the runs (groups)
 * take turns, in proportion to their weights. Aging: a ticket that waited LANE_AGING_MS counts as one class higher, once per
 * such time, so that no class starves; of two that count the same the older goes first. Waiting tickets stand in queues by
 * class and endpoint class, so that finding the next one costs the same however many wait.
 *
 * What holds a ticket back, in this order: the breaker (open: nobody; half open: a few probes), a pause of the lane, a pause of
 * its endpoint class (429: until Retry-After), the endpoint class's token bucket, the limit on requests on the wire. A ticket
 * that is held back by its own endpoint class does not hold back others.
 *
 * The limit: additive increase, multiplicative decrease. +1 per round trip's worth of successes while the limit is in use,
 * × 0.7 on 429 or overload (503, timeouts), at most one cut per round-trip epoch, between a floor and a ceiling; or fixed.
 *
 * 429 pauses its endpoint class until Retry-After (full jitter back-off when absent) and never counts for the breaker; 429 in
 * two classes within a pause pauses the lane. The breaker counts transport errors and 5xx only: it opens when of the last
 * `breaker_window` outcomes at least half failed (and at least `breaker_outcomes_min` were seen), stays open for
 * `breaker_open_ms`, then lets `breaker_probes` through; all succeed: closed, one fails: open again.
 *
 * Retry budget: a bucket of `retry_budget` tokens; a retry takes one, a success gives back `retry_refill_millis` thousandths.
 * Empty: the retry is not allowed; a caller that must not fail (a ledgered item) waits for the budget (lane_retry_wait_us).
 * So that a lane in which all wait comes back by itself, one token per `retry_cap_ms` is given also without a success.
 * Delays are full jitter: random between 0 and min(cap, base × 2^attempt).
 *
 * The whole is bounded: `waiting_max` tickets wait, then lane_enter() gives SHIPOPT_EAGAIN.
 */
enum lane_class { LANE_READ_BACK, LANE_BUY, LANE_READ, LANE_CREATE, LANE_CLASS_COUNT };
enum lane_endpoint {
	LANE_ENDPOINT_BUY,
	LANE_ENDPOINT_CREATE,
	LANE_ENDPOINT_READ,
	LANE_ENDPOINT_LIST,
	LANE_ENDPOINT_COUNT
};
#define LANE_AGING_MS 2000

struct lane;

struct lane_options {
	bool is_adaptive;
	size_t limit_min, limit_initial, limit_max;    /* fixed: limit_max */
	double tokens_per_second[LANE_ENDPOINT_COUNT]; /* 0: no bucket; burst is one second's worth, at least 1 */
	size_t waiting_max;
	int64_t retry_base_ms, retry_cap_ms;
	int64_t retry_budget, retry_refill_millis;
	int64_t breaker_window, breaker_outcomes_min, breaker_open_ms, breaker_probes;
};
void lane_options_default(struct lane_options *options);

/* Groups of tickets that share fairly: a bulk run, or all single calls (NULL group). Embedded in the run, begun with
 * lane_group_init(); forgotten when no ticket of it waits. */
#define LANE_WEIGHT_MAX 1000
struct lane_group {
	uint64_t weight; /* 0 counts as 1, more than LANE_WEIGHT_MAX as that */
	struct lane_queue {
		struct list_node node, waiting;
		uint64_t credit;                         /* admissions left in its turn */
	} queues[LANE_CLASS_COUNT][LANE_ENDPOINT_COUNT]; /* the lane's own */
	size_t count;                                    /* tickets that wait */
};

struct lane_ticket {
	/* the caller's */
	enum lane_class class;
	enum lane_endpoint endpoint;
	struct lane_group *group;
	void (*admitted)(struct lane_ticket *ticket); /* reactor thread, never from inside lane_enter() */
	/* the lane's own */
	struct lane *lane; /* non-NULL while it waits or is admitted; zero-initialise */
	struct list_node node;
	int64_t entered_us, admitted_us;
	bool is_admitted;
	uint64_t limit_epoch, breaker_epoch;
	bool is_probe;
};

enum lane_outcome {
	LANE_OK,           /* an answer that says nothing against the server, 4xx included */
	LANE_FAILED,       /* transport error or 5xx */
	LANE_OVERLOADED,   /* 503 or timeout: failed, and the limit is cut; a Retry-After pauses its endpoint class */
	LANE_RATE_LIMITED, /* 429 */
	LANE_NEUTRAL       /* canceled or never sent: counts for nothing */
};

/* Options out of their bounds are brought to the nearest bound. SHIPOPT_ENOMEM. */
int lane_new(struct reactor *reactor, const struct lane_options *options, uint64_t seed, struct lane **ret_lane);
/* No ticket may wait or be admitted; not from inside `admitted`. Accepts NULL. */
void lane_free(struct lane *lane);
void lane_group_init(struct lane_group *group, uint64_t weight);

/* SHIPOPT_EAGAIN when `waiting_max` tickets wait. */
int lane_enter(struct lane *lane, struct lane_ticket *ticket);
/* Takes a waiting ticket out; does nothing to others. */
void lane_withdraw(struct lane_ticket *ticket);
/* Gives an admitted ticket back. `retry_after_ms` for LANE_RATE_LIMITED (and 503): -1 if absent. */
void lane_leave(struct lane_ticket *ticket, enum lane_outcome outcome, int64_t retry_after_ms);

/* Takes a token for a retry: true and the jittered delay before it, or false: the budget is empty. attempt counts from 0. */
bool lane_retry_take(struct lane *lane, unsigned attempt, int64_t *ret_delay_us);
/* For callers that must not fail: the delay after which to ask again. */
int64_t lane_retry_wait_us(struct lane *lane);

/* When the breaker is open: the time until the next probe, else 0. For callers that would rather fail than wait. */
int64_t lane_breaker_open_us(const struct lane *lane);

/* Until when a pause of this endpoint class or of the whole lane lets none of its tickets go; a time that is over: none does. */
int64_t lane_paused_until_us(const struct lane *lane, enum lane_endpoint endpoint);

/* What holds back tickets of this endpoint class now, as a clause for a message. Static text. */
const char *lane_obstacle(const struct lane *lane, enum lane_endpoint endpoint);
enum breaker_state lane_breaker_state(const struct lane *lane);

struct lane_statistics {
	size_t limit, on_wire, waiting;
	uint64_t admitted, rate_limited, cuts, breaker_opened, retries, retries_refused;
	int64_t paused_us; /* until the lane's pause ends, 0: none */
	bool breaker_is_open;
};
void lane_statistics(const struct lane *lane, struct lane_statistics *ret_statistics);

#endif
