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
 * Written by the reactor, read by any thread at any time: counts and the histogram are relaxed atomics, the money table
 * (SUMMARY_CARRIERS_MAX lines, beyond which all is summed under "other", in "mixed" currency if they differ) has a lock that is taken once per bought label.
 * Latencies go into a log-linear histogram, 16 steps per power of two: percentiles are right to within 6 %.
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
	atomic_int_fast64_t problem_us; /* when the last one came; 0: none */
	pthread_mutex_t lock;           /* for the members below */
	shipopt_error *problem;
	struct summary_money money[SUMMARY_CARRIERS_MAX + 1];
	size_t money_count;
};

void summary_init(struct summary *summary);
void summary_done(struct summary *summary);
/* Counts an item that has ended. Reactor thread. `spends`: its amount is money paid. */
void summary_add(struct summary *summary, const shipopt_item *item, bool spends);
/* Keeps a failure as the last problem. Takes a reference. Any thread. */
void summary_note_problem(struct summary *summary, const shipopt_error *problem);
/* A reference to the last problem; SHIPOPT_ENOTFOUND: there was none. */
int summary_problem(struct summary *summary, shipopt_error **ret_problem);
/* SHIPOPT_RUN_STAT_…; SHIPOPT_EINVAL. */
int summary_stat(const struct summary *summary, int stat, int64_t *ret_value);
/* SHIPOPT_ENOTFOUND behind the last. */
int summary_spend(struct summary *summary, size_t index, const char **ret_carrier, const char **ret_currency,
	int64_t *ret_labels, int64_t *ret_amount);

#endif
