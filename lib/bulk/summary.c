/* SPDX-License-Identifier: MIT */
#include "bulk/summary.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "purchase/item.h"

void summary_init(struct summary *summary)
{
	memset(summary, 0, sizeof(*summary));
	pthread_mutex_init(&summary->lock, NULL);
	summary->started_us = clock_now_us();
	summary->expected = -1;
}

void summary_done(struct summary *summary)
{
	pthread_mutex_destroy(&summary->lock);
}

/* Values below 16 have a bucket each. Above, the four bits after the leading one choose one of 16 for each power of
 * two. */
static size_t summary_bucket_of(int64_t value)
{
	uint64_t v = value < 0 ? 0 : (uint64_t)value;
	if (v < 16)
		return (size_t)v;
	int exponent = 63 - __builtin_clzll(v);
	size_t bucket = (size_t)(exponent - 3) * 16 + (size_t)((v >> (exponent - 4)) & 15);
	return MIN(bucket, (size_t)SUMMARY_BUCKETS - 1);
}

static int64_t summary_bucket_middle(size_t bucket)
{
	if (bucket < 16)
		return (int64_t)bucket;
	int exponent = (int)(bucket / 16) + 3;
	int64_t low = ((int64_t)16 + (int64_t)(bucket % 16)) << (exponent - 4);
	return low + (((int64_t)1 << (exponent - 4)) / 2);
}

static int64_t summary_percentile(const struct summary *summary, unsigned per_mille)
{
	uint64_t samples = summary->samples;
	uint64_t wanted = (samples * per_mille + 999) / 1000, seen = 0;
	for (size_t i = 0; samples && i < SUMMARY_BUCKETS; i++) {
		seen += summary->buckets[i];
		if (seen >= wanted)
			return summary_bucket_middle(i);
	}
	return 0;
}

static bool summary_is_line_of(const struct summary_money *line, const char *carrier, const char *currency)
{
	return strncmp(line->carrier, carrier, sizeof(line->carrier) - 1) == 0 &&
		strncmp(line->currency, currency, sizeof(line->currency) - 1) == 0;
}

static struct summary_money *summary_money_line(struct summary *summary, const char *carrier, const char *currency)
{
	size_t count = summary->money_count;
	for (size_t i = 0; i < count; i++)
		if (summary_is_line_of(&summary->money[i], carrier, currency))
			return &summary->money[i];
	struct summary_money *line = &summary->money[MIN(count, (size_t)SUMMARY_CARRIERS_MAX)];
	if (count > SUMMARY_CARRIERS_MAX) {
		if (strncmp(line->currency, currency, sizeof(line->currency) - 1) != 0)
			memcpy(line->currency, "mixed", sizeof("mixed"));
		return line;
	}
	strncpy(line->carrier, count == SUMMARY_CARRIERS_MAX ? "other" : carrier, sizeof(line->carrier) - 1);
	strncpy(line->currency, currency, sizeof(line->currency) - 1);
	summary->money_count++;
	return line;
}

static void summary_add_money(struct summary *summary, const shipopt_item *item)
{
	pthread_mutex_lock(&summary->lock);
	struct summary_money *line = summary_money_line(summary, item->carrier ? item->carrier : "unknown",
		item->currency ? item->currency : "");
	line->labels++;
	line->amount += MAX(item->amount, 0);
	pthread_mutex_unlock(&summary->lock);
}

static atomic_int_fast64_t *summary_counter_of(struct summary *summary, int status)
{
	switch (status) {
	case 0: return &summary->done;
	case 1: return &summary->already;
	case SHIPOPT_EINDOUBT: return &summary->in_doubt;
	case SHIPOPT_EHELD: return &summary->held;
	case SHIPOPT_ECANCELED: return &summary->canceled;
	default: return &summary->failed;
	}
}

void summary_add(struct summary *summary, const shipopt_item *item, bool spends)
{
	atomic_fetch_add_explicit(summary_counter_of(summary, item->status), 1, memory_order_relaxed);
	if (item->status == 0) {
		atomic_fetch_add_explicit(&summary->buckets[summary_bucket_of(item->latency_us)], 1,
			memory_order_relaxed);
		atomic_fetch_add_explicit(&summary->samples, 1, memory_order_relaxed);
	}
	if (item->status == 0 && spends)
		summary_add_money(summary, item);
}

static int64_t summary_ended_items(const struct summary *summary)
{
	return summary->done + summary->already + summary->failed + summary->in_doubt + summary->held +
		summary->canceled;
}

static int64_t summary_elapsed_us(const struct summary *summary)
{
	int64_t ended_us = summary->ended_us;
	return MAX((ended_us ? ended_us : clock_now_us()) - summary->started_us, 1);
}

static int64_t summary_eta_ms(const struct summary *summary)
{
	int64_t ended = summary_ended_items(summary), expected = summary->expected;
	if (summary->ended_us)
		return 0;
	if (expected < 0 || ended == 0)
		return -1;
	return (int64_t)((double)summary_elapsed_us(summary) / 1000.0 / (double)ended *
		(double)MAX(expected - ended, 0));
}

int summary_stat(const struct summary *summary, int stat, int64_t *ret_value)
{
	switch (stat) {
	case SHIPOPT_RUN_STAT_READ: *ret_value = summary->read; break;
	case SHIPOPT_RUN_STAT_DONE: *ret_value = summary->done; break;
	case SHIPOPT_RUN_STAT_ALREADY: *ret_value = summary->already; break;
	case SHIPOPT_RUN_STAT_FAILED: *ret_value = summary->failed; break;
	case SHIPOPT_RUN_STAT_IN_DOUBT: *ret_value = summary->in_doubt; break;
	case SHIPOPT_RUN_STAT_HELD: *ret_value = summary->held; break;
	case SHIPOPT_RUN_STAT_CANCELED: *ret_value = summary->canceled; break;
	case SHIPOPT_RUN_STAT_IN_FLIGHT: *ret_value = summary->in_flight; break;
	case SHIPOPT_RUN_STAT_SETTLING: *ret_value = summary->settling; break;
	case SHIPOPT_RUN_STAT_ELAPSED_MS: *ret_value = summary_elapsed_us(summary) / 1000; break;
	case SHIPOPT_RUN_STAT_ITEMS_PER_1000_S:
		*ret_value =
			(int64_t)((double)summary_ended_items(summary) * 1e9 / (double)summary_elapsed_us(summary));
		break;
	case SHIPOPT_RUN_STAT_ETA_MS: *ret_value = summary_eta_ms(summary); break;
	case SHIPOPT_RUN_STAT_P50_US: *ret_value = summary_percentile(summary, 500); break;
	case SHIPOPT_RUN_STAT_P95_US: *ret_value = summary_percentile(summary, 950); break;
	case SHIPOPT_RUN_STAT_P99_US: *ret_value = summary_percentile(summary, 990); break;
	default: return SHIPOPT_EINVAL;
	}
	return 0;
}

int summary_spend(struct summary *summary, size_t index, const char **ret_carrier, const char **ret_currency,
	int64_t *ret_labels, int64_t *ret_amount)
{
	int r = SHIPOPT_ENOTFOUND;
	pthread_mutex_lock(&summary->lock);
	if (index < summary->money_count) {
		/* Lines never move and never change their names, so the texts stay valid without the lock. */
		const struct summary_money *line = &summary->money[index];
		*ret_carrier = line->carrier;
		*ret_currency = line->currency;
		*ret_labels = line->labels;
		*ret_amount = line->amount;
		r = 0;
	}
	pthread_mutex_unlock(&summary->lock);
	return r;
}
