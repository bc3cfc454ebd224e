/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_CLOSURE_H
#define CARRIER_CLOSURE_H

#include "base/error.h"
#include "lane/lane.h"

/*
 * What closed the lane: for each endpoint class the last answer that counts against the server or its rate limit, so that the
 * error of a call that waited in vain can name it.
 *
 * A lane knows how long it is closed, but not why. Its client keeps here, for each endpoint class, the error of the last 429, 5xx
 * or failed connection, and until when the carrier asked to wait: one error object of bounded size for each class. The lane
 * pauses for a day at most; the time asked for is kept in full, so that a call that cannot wait so long ends at once. Reactor
 * thread.
 */
struct closures {
	struct closure {
		shipopt_error *error; /* a reference; NULL: none yet, or no memory for it */
		int64_t noted_us;
		int64_t asked_until_us; /* 0: nothing was asked for */
	} last[LANE_ENDPOINT_COUNT];
};

/* To be called after the lane got the answer. `retry_after_ms`: -1 if the answer had none. Keeps a reference to `error`. */
void closures_note(struct closures *closures, enum lane_endpoint endpoint, shipopt_error *error,
	int64_t retry_after_ms);
/* Until when calls of this class are not sent; a time in the past if they are sent now. */
int64_t closures_until_us(const struct closures *closures, const struct lane *lane, enum lane_endpoint endpoint);
/* The error because of which this class is, or since `since_us` was, paused or held back by the breaker; else NULL. Borrowed. */
const shipopt_error *closures_reason(const struct closures *closures, const struct lane *lane,
	enum lane_endpoint endpoint, int64_t since_us);
void closures_done(struct closures *closures);

#endif
