/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_RETRY_H
#define LANE_LANE_RETRY_H

#include "base/macro.h"
#include "base/random.h"

/*
 * The retry budget, in thousandths of a token, and the delays before retries.
 *
 * Delays have full jitter (Brooker, "Exponential Backoff And Jitter", 2015). Successes fill the budget. In addition one
 * token comes per `cap_us`, so that a lane without any success still tries now and then.
 */
struct lane_retry {
	int64_t base_us, cap_us;
	int64_t millis, millis_max, refill_millis;
	int64_t filled_us; /* up to here the tokens that come with time were counted */
	uint64_t taken, refused;
};

void retry_init(struct lane_retry *retry, int64_t base_ms, int64_t cap_ms, int64_t budget, int64_t refill_millis,
	int64_t now_us);
/* Random in [0, min(cap, base × 2^attempt)]. */
int64_t retry_delay_us(const struct lane_retry *retry, struct random *random, unsigned attempt);
void retry_success(struct lane_retry *retry);
bool retry_take(struct lane_retry *retry, int64_t now_us);
/* The time until there is a whole token; 0: there is one. */
int64_t retry_wait_us(struct lane_retry *retry, int64_t now_us);

#endif
