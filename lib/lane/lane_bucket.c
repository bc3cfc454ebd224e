/* SPDX-License-Identifier: MIT */
#include "lane/lane_bucket.h"

#define SECOND_US INT64_C(1000000)
#define RATE_MINIMUM 1e-6 /* one token in twelve days: slower is a mistake, and would overflow the interval */

void bucket_init(struct lane_bucket *bucket, double tokens_per_second)
{
	*bucket = (struct lane_bucket){0};
	if (!(tokens_per_second > 0))
		return;
	double interval_us = (double)SECOND_US / MAX(tokens_per_second, RATE_MINIMUM);
	bucket->interval_us = (int64_t)interval_us;
	/* Rounded up: never faster than asked. */
	if ((double)bucket->interval_us < interval_us)
		bucket->interval_us++;
	bucket->slack_us = MAX(SECOND_US - bucket->interval_us, 0);
}

int64_t bucket_open_us(const struct lane_bucket *bucket)
{
	return bucket->interval_us ? bucket->due_us - bucket->slack_us : INT64_MIN;
}

void bucket_take(struct lane_bucket *bucket, int64_t now_us)
{
	if (bucket->interval_us)
		bucket->due_us = MAX(bucket->due_us, now_us) + bucket->interval_us;
}
