/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_BUCKET_H
#define LANE_LANE_BUCKET_H

#include "base/macro.h"

/*
 * A token bucket, kept as one time: the generic cell rate algorithm (ITU-T I.371). `due_us` is when the bucket would be
 * full again; a token may be taken while that is no more than `slack_us` ahead. Whole microseconds: no drift, and the
 * time until the next token is exact. The burst is one second's worth, at least one token. It starts full.
 */
struct lane_bucket {
	int64_t interval_us; /* between tokens; 0: no bucket, always open */
	int64_t slack_us;
	int64_t due_us;
};

void bucket_init(struct lane_bucket *bucket, double tokens_per_second);
/* When the next token can be taken: `now_us` or earlier if at once. */
int64_t bucket_open_us(const struct lane_bucket *bucket);
void bucket_take(struct lane_bucket *bucket, int64_t now_us);

#endif
