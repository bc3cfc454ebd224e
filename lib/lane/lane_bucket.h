/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_BUCKET_H
#define LANE_LANE_BUCKET_H

#include "base/macro.h"

/*
 * A token bucket that is one time: the generic cell rate algorithm (ITU-T I.371).
 *
 * `due_us` is the time at which the bucket would be full again. A token may be taken while that is at most `slack_us`
 * in the future. The times are whole microseconds, so that nothing drifts and the time until the next token is exact.
 * The burst is one second's worth, at least one token. The bucket starts full.
 */
struct lane_bucket {
	int64_t interval_us; /* between tokens; 0: no bucket, always open */
	int64_t slack_us;
	int64_t due_us;
};

void bucket_init(struct lane_bucket *bucket, double tokens_per_second);
/* When the next token can be taken; not in the future: at once. */
int64_t bucket_open_us(const struct lane_bucket *bucket);
void bucket_take(struct lane_bucket *bucket, int64_t now_us);

#endif
