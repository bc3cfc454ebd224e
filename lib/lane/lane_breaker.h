/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_BREAKER_H
#define LANE_LANE_BREAKER_H

#include "base/macro.h"

/*
 * The circuit breaker: closed, open, half open.
 *
 * Closed, it looks at the last `window` outcomes (a ring of bytes, allocated once) and opens when `outcomes_min` were seen and at least
 * half failed. Open, nobody passes for `open_us`. Then it is half open: `probes` requests may be on the wire as probes; when
 * that many succeeded it closes with an empty window, when one fails it opens again. Outcomes of requests that were sent in an
 * earlier state say nothing about this one: each request remembers the epoch, which every change of state ends.
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
/* When the next request may pass: INT64_MIN for now, INT64_MAX when that waits for a probe's outcome. Goes from open to
 * half open when it is time. */
int64_t breaker_pass_us(struct lane_breaker *breaker, int64_t now_us);
/* A request passes: whether as a probe. */
bool breaker_take(struct lane_breaker *breaker);
/* What came of it. Neutral outcomes only give the probe's place back. */
enum breaker_outcome { BREAKER_SUCCESS, BREAKER_FAILURE, BREAKER_NEUTRAL };
void breaker_give(struct lane_breaker *breaker, enum breaker_outcome outcome, uint64_t epoch, int64_t now_us);

#endif
