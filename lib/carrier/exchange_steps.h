/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_EXCHANGE_STEPS_H
#define CARRIER_EXCHANGE_STEPS_H

#include "base/clock.h"
#include "carrier/exchange.h"

/*
 * The parts of an exchange, shared between its files; carrier/exchange.h has the model.
 *
 *   exchange.c          its life: start, admission, sending, cancel, end
 *   exchange_answer.c   from the finished HTTP request to status and error
 *   exchange_repeat.c   whether the call is repeated, and after which delay; pauses that outlast the call
 */

/* Between two attempts to enter a full lane, and the first delay after a request that got no socket. */
#define EXCHANGE_REENTRY_DELAY_US 50000

/* ---- exchange.c ---- */
/* "POST /shipments", cut to `size`. */
void exchange_describe(const struct exchange *exchange, char *text, size_t size);
/* Sets a failure of our own. The error keeps what the carrier said last: to this call, or to the calls that closed the
 * lane. */
void exchange_set_failure(struct exchange *exchange, int status, const char *what);
/* Calls `done` with the status and error that are set. The exchange may be freed when this returns. */
void exchange_finish(struct exchange *exchange);
/* Enters the lane again after `delay_us`, or at the deadline if that comes first; there the exchange ends. */
void exchange_delay(struct exchange *exchange, int64_t delay_us);

/* ---- exchange_answer.c ---- */
/* The status of a call that is canceled now. */
int exchange_cancel_status(const struct exchange *exchange);
/* The HTTP request's `done`. */
void exchange_answered(struct http_request *http);
void exchange_forget_answer(struct exchange *exchange);

/* ---- exchange_repeat.c ---- */
/* Repeats the call if its answer calls for it and the rules allow it. True if the exchange goes on. */
bool exchange_repeat(struct exchange *exchange);
/* Whether the pause that the carrier asked for outlasts the call; if so, sets its failure. */
bool exchange_is_outlasted(struct exchange *exchange);
/* Ends at once, from their timers, the calls of this class that the pause outlasts. */
void exchange_wake_outlasted(shipopt_carrier *carrier, enum lane_endpoint endpoint);

static inline bool exchange_is_late(const struct exchange *exchange)
{
	return exchange->deadline_us && clock_now_us() >= exchange->deadline_us;
}

static inline bool exchange_is_success(const struct exchange *exchange)
{
	return exchange->http.status == 0 && exchange->http.http_status >= 200 && exchange->http.http_status < 300;
}

static inline bool exchange_is_rate_limited(const struct exchange *exchange)
{
	return exchange->http.status == 0 && exchange->http.http_status == 429;
}

/* The server certainly did no work. A 429 is not proof enough for a purchase that is held for its owner. */
static inline bool exchange_is_unsent(const struct exchange *exchange)
{
	return exchange->http.sent == HTTP_NOT_SENT || (exchange_is_rate_limited(exchange) && !exchange->admitted);
}

#endif
