/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_CLOSURE_H
#define CARRIER_CLOSURE_H

#include "base/error.h"
#include "lane/lane.h"

/*
 * What closed the lane: the last answer to a call of each endpoint class that counts against the server or its rate limit, so
 * that a call which waits in vain can say for what.
 *
 * A lane knows how long it is closed and not why. Its client keeps here, for each endpoint class, the error of the last 429, 5xx
 * or failed connection, and until when the carrier asked to wait; one error object for each class, whose size is
 * bounded. The time that was asked for is kept whole, where the lane pauses for a day at most: a call that cannot wait so long is
 * told at once. Reactor thread.
 */
struct closures {
	struct closure {
		shipopt_error *error; /* a reference; NULL: none yet, or no memory for it */
		int64_t noted_us;
		int64_t asked_until_us; /* 0: nothing was asked for */
	} last[LANE_ENDPOINT_COUNT];
};

/* The answer has been given to the lane before. `retry_after_ms`: -1 if it asked for no time. Keeps a reference to `error`. */
void closures_note(struct closures *closures, enum lane_endpoint endpoint, shipopt_error *error, int64_t retry_after_ms);
/* Until when calls of this class are not sent; a time that is over if they are. */
int64_t closures_until_us(const struct closures *closures, const struct lane *lane, enum lane_endpoint endpoint);
/* The error behind a class that is paused, or that the breaker holds back, or was so since `since_us`; else NULL. Borrowed. */
const shipopt_error *closures_reason(
	const struct closures *closures, const struct lane *lane, enum lane_endpoint endpoint, int64_t since_us);
void closures_done(struct closures *closures);

#endif
