/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_BREAKER_H
#define LANE_LANE_BREAKER_H

#include "base/macro.h"

/*
 * The circuit breaker: closed, open, half open.
 *
 * Closed: it looks at the last `window` outcomes, in a ring of bytes that is allocated once. It opens when at least
 * `outcomes_min` were seen and at least half of them failed. Open: nothing passes for `open_us`. Then it is half open:
 * up to `probes` requests pass as probes. When that many have succeeded, it closes with an empty window. When one
 * fails, it opens again.
 *
 * The outcome of a request that was sent in an earlier state is ignored. Each change of state starts a new epoch, and
 * each request remembers the epoch in which it was sent.
 */
enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct lane_breaker {
	enum breaker_state state;
	unsigned char *failures; /* ring: 1 for a failure */
	size_t window, outcomes_min, probes;
	int64_t open_us;
	size_t seen, next, failed;        /* closed */
	int64_t until_us;                 /* open */
	size_t probes_out, probes_passed; /* half open */
	uint64_t epoch, opened;
};

/* SHIPOPT_ENOMEM. */
int breaker_init(struct lane_breaker *breaker, size_t window, size_t outcomes_min, int64_t open_us, size_t probes);
void breaker_done(struct lane_breaker *breaker);
/* When the next request may pass. INT64_MIN: now. INT64_MAX: not before a probe has its outcome. Changes from open to
 * half open when it is time. */
int64_t breaker_pass_us(struct lane_breaker *breaker, int64_t now_us);
/* A request passes. True if it is a probe. */
bool breaker_take(struct lane_breaker *breaker);
/* The outcome of a request. A neutral one only frees the probe's place. */
enum breaker_outcome { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NEUTRAL };
void breaker_give(struct lane_breaker *breaker, enum breaker_outcome outcome, uint64_t epoch, int64_t now_us);

#endif
