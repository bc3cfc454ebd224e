/* SPDX-License-Identifier: MIT */
#ifndef BULK_SUMMARY_H
#define BULK_SUMMARY_H

#include <pthread.h>
#include <stdbool.h>
#include <shipopt/item.h>
#include <shipopt/run.h>
#include <stdatomic.h>

/*
 * The numbers of a run: counts by outcome, latencies, money by carrier.
 *
 * The reactor writes, any thread reads at any time. Counts and the histogram are relaxed atomics. The money has a lock,
 * which is taken once for each bought label. It has SUMMARY_CARRIERS_MAX lines. What comes after is added up under
 * "other", with the currency "mixed" if there are several.
 *
 * Latencies go into a log-linear histogram with 16 steps for each power of two, so percentiles are right to within 6 %.
 */
#define SUMMARY_CARRIERS_MAX 64
#define SUMMARY_NAME_SIZE 64
#define SUMMARY_BUCKETS (16 * 44)

struct summary_money {
	char carrier[SUMMARY_NAME_SIZE], currency[8];
	int64_t labels, amount;
};

struct summary {
	atomic_int_fast64_t read, done, already, failed, in_doubt, held, canceled, in_flight, settling, requests,
		retries;
	atomic_int_fast64_t started_us, ended_us, expected; /* ended 0: still running; expected -1: not known */
	atomic_uint_fast32_t buckets[SUMMARY_BUCKETS];
	atomic_uint_fast64_t samples;
	pthread_mutex_t lock; /* for the money */
	struct summary_money money[SUMMARY_CARRIERS_MAX + 1];
	size_t money_count;
};

void summary_init(struct summary *summary);
void summary_done(struct summary *summary);
/* Counts an item that has ended. Reactor thread. `spends`: its amount was paid. */
void summary_add(struct summary *summary, const shipopt_item *item, bool spends);
/* SHIPOPT_RUN_STAT_…; SHIPOPT_EINVAL. */
int summary_stat(const struct summary *summary, int stat, int64_t *ret_value);
/* SHIPOPT_ENOTFOUND after the last line. */
int summary_spend(struct summary *summary, size_t index, const char **ret_carrier, const char **ret_currency,
	int64_t *ret_labels, int64_t *ret_amount);

#endif
