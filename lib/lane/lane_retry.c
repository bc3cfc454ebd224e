/* SPDX-License-Identifier: MIT */
#include "lane/lane_retry.h"

#include "base/macro.h"

#define TOKEN 1000

void retry_init(struct lane_retry *retry, int64_t base_ms, int64_t cap_ms, int64_t budget, int64_t refill_millis,
	int64_t now_us)
{
	base_ms = MIN(MAX(base_ms, 1), INT32_MAX);
	cap_ms = MIN(MAX(cap_ms, base_ms), INT32_MAX);
	int64_t millis = MIN(MAX(budget, 0), INT32_MAX) * TOKEN;
	*retry = (struct lane_retry){.base_us = base_ms * 1000,
		.cap_us = cap_ms * 1000,
		.millis = millis,
		.millis_max = millis,
		.refill_millis = MIN(MAX(refill_millis, 0), INT32_MAX),
		.filled_us = now_us};
}

int64_t retry_delay_us(const struct lane_retry *retry, struct random *random, unsigned attempt)
{
	int64_t longest = retry->base_us;
	for (unsigned i = 0; i < attempt && longest < retry->cap_us; i++)
		longest *= 2;
	return (int64_t)random_below(random, (uint64_t)MIN(longest, retry->cap_us) + 1);
}

void retry_success(struct lane_retry *retry)
{
	retry->millis = MIN(retry->millis + retry->refill_millis, retry->millis_max);
}

/* Whole thousandths only; the rest of the time is kept for the next call. */
static void lane_retry_trickle(struct lane_retry *retry, int64_t now_us)
{
	int64_t per_milli_us = retry->cap_us / TOKEN;
	int64_t millis = (now_us - retry->filled_us) / per_milli_us;
	if (millis >= retry->millis_max - retry->millis) {
		retry->millis = retry->millis_max;
		retry->filled_us = now_us;
		return;
	}
	retry->millis += millis;
	retry->filled_us += millis * per_milli_us;
}

bool retry_take(struct lane_retry *retry, int64_t now_us)
{
	lane_retry_trickle(retry, now_us);
	bool has_token = retry->millis >= TOKEN;
	retry->millis -= has_token ? TOKEN : 0;
	retry->taken += has_token;
	retry->refused += !has_token;
	return has_token;
}

int64_t retry_wait_us(struct lane_retry *retry, int64_t now_us)
{
	lane_retry_trickle(retry, now_us);
	int64_t missing = TOKEN - retry->millis;
	return missing <= 0 ? 0 : retry->filled_us + missing * (retry->cap_us / TOKEN) - now_us;
}
