/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_H
#define LANE_LANE_H

#include "base/error.h"
#include "base/list.h"
#include "base/random.h"
#include "lane/lane_breaker.h"
#include "runtime/reactor.h"

/*
 * A lane: the rate limiter and admission queue of one (host, credential).
 *
 * A caller enters with a ticket, is called back when it may send, and leaves with the outcome of its request.
 * Everything runs on one reactor thread. Nothing allocates.
 *
 * Order. There are four admission classes: read-back, buy, read, create. A lower class goes first; within a class
 * tickets are FIFO. The groups (runs) within a class take turns in proportion to their weights. Aging: each
 * LANE_AGING_MS of waiting raises a ticket by one class, so that no class starves. Of two tickets of the same rank the
 * older one goes first. Waiting tickets are queued by class and endpoint class, so that the cost of finding the next
 * one does not depend on their number.
 *
 * A ticket is held back by, in this order:
 *
 *   1. the circuit breaker: open, nothing passes; half open, only a few probes pass
 *   2. a pause of the whole lane
 *   3. a pause of its endpoint class (HTTP 429, until Retry-After)
 *   4. the token bucket of its endpoint class
 *   5. the limit of requests in flight
 *
 * A ticket that waits for its own endpoint class does not hold back tickets of other classes.
 *
 * Limit: additive increase, multiplicative decrease (lane/lane_limit.h), or fixed. HTTP 429 and overload (503,
 * timeouts) cut it.
 *
 * Pauses: HTTP 429 pauses its endpoint class until Retry-After. Without Retry-After the pause is a back-off with full
 * jitter. 429 in two classes at the same time pauses the lane (lane/lane_pause.h). 429 does not count for the breaker.
 *
 * Breaker: counts transport errors and 5xx only. It opens when at least half of the last `breaker_window` outcomes
 * failed and at least `breaker_outcomes_min` were seen. After `breaker_open_ms` it lets `breaker_probes` requests pass.
 * If all of them succeed it closes; if one fails it opens again (lane/lane_breaker.h).
 *
 * Retries: each one takes a token of the retry budget. A success returns `retry_refill_millis` thousandths of a token.
 * Without a token the retry is not allowed; a caller that must not fail (an item with a ledger row) waits for one, see
 * lane_retry_wait_us(). One token per `retry_cap_ms` comes without a success, so that a lane without any success
 * recovers (lane/lane_retry.h).
 *
 * At most `waiting_max` tickets wait. Then lane_enter() returns SHIPOPT_EAGAIN.
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

/* A group of tickets that shares the lane fairly with other groups: those of a bulk run, or of all single calls (NULL).
 * The run embeds it and calls lane_group_init(). The lane refers to it only while one of its tickets waits. */
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
	LANE_OK,           /* an answer that is not a failure of the server, 4xx included */
	LANE_FAILED,       /* transport error or 5xx */
	LANE_OVERLOADED,   /* 503 or timeout: failed, and the limit is cut; a Retry-After pauses its endpoint class */
	LANE_RATE_LIMITED, /* 429 */
	LANE_NEUTRAL       /* canceled or not sent: not counted */
};

/* Options out of their bounds are set to the nearest bound. SHIPOPT_ENOMEM. */
int lane_new(struct reactor *reactor, const struct lane_options *options, uint64_t seed, struct lane **ret_lane);
/* No ticket may wait or be admitted; not from inside `admitted`. Accepts NULL. */
void lane_free(struct lane *lane);
void lane_group_init(struct lane_group *group, uint64_t weight);

/* SHIPOPT_EAGAIN when `waiting_max` tickets wait. */
int lane_enter(struct lane *lane, struct lane_ticket *ticket);
/* Removes a ticket that waits. Does nothing to any other ticket. */
void lane_withdraw(struct lane_ticket *ticket);
/* Returns an admitted ticket with the outcome of its request. `retry_after_ms` counts for LANE_RATE_LIMITED and
 * LANE_OVERLOADED; -1 if absent. */
void lane_leave(struct lane_ticket *ticket, enum lane_outcome outcome, int64_t retry_after_ms);

/* Takes a token for a retry and sets the jittered delay before it. False if the budget is empty. `attempt` counts from
 * 0. */
bool lane_retry_take(struct lane *lane, unsigned attempt, int64_t *ret_delay_us);
/* For callers that must not fail: the delay after which to try lane_retry_take() again. */
int64_t lane_retry_wait_us(struct lane *lane);

/* The time until the next probe while the breaker is open, else 0. For callers that fail instead of waiting. */
int64_t lane_breaker_open_us(const struct lane *lane);

/* The end of the pause of this endpoint class or of the whole lane, whichever is later. A time in the past: there is no
 * pause. */
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
