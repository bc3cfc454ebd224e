/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_CLOSURE_H
#define CARRIER_CLOSURE_H

#include "base/error.h"
#include "lane/lane.h"

/*
 * The failures that closed the lane, so that the error of a call that waited in vain can name the reason.
 *
 * A lane knows for how long it is closed, but not why. For each endpoint class its client stores here the error of the
 * last 429, 5xx or failed connection, and until when the carrier asked to wait. That is one error object of bounded
 * size for each class. The lane pauses for a day at most, but the time that was asked for is stored in full: a call
 * that cannot wait so long ends at once. Reactor thread.
 */
struct closures {
	struct closure {
		shipopt_error *error; /* a reference; NULL: none yet, or no memory for it */
		int64_t noted_us;
		int64_t asked_until_us; /* Retry-After; 0: there was none */
	} last[LANE_ENDPOINT_COUNT];
};

/* To be called after the lane got the answer. `retry_after_ms`: -1 if the answer had none. Keeps a reference to
 * `error`. */
void closures_note(struct closures *closures, enum lane_endpoint endpoint, shipopt_error *error,
	int64_t retry_after_ms);
/* The end of the pause of this class; a time in the past: there is no pause. */
int64_t closures_until_us(const struct closures *closures, const struct lane *lane, enum lane_endpoint endpoint);
/* The error that closed this class, by a pause or the breaker, now or since `since_us`. NULL: it was open. Borrowed. */
const shipopt_error *closures_reason(const struct closures *closures, const struct lane *lane,
	enum lane_endpoint endpoint, int64_t since_us);
void closures_done(struct closures *closures);

#endif
