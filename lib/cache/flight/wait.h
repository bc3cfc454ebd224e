/* SPDX-License-Identifier: MIT */
#ifndef CACHE_FLIGHT_WAIT_H
#define CACHE_FLIGHT_WAIT_H

#include "cache/flight/flight.h"

/*
 * Waiting for a flight: blocked, or with a callback.
 *
 * A waiter takes the token over if the leader abandons it and the waiter is the first to see that. Waiting ends at the
 * waiter's own deadline, which does not end the load. Deadlines of callbacks are checked by flights_expire().
 */
struct flight_waiter {
	struct list_node node;
	shipopt_cache_ready_fn ready;
	void *userdata;
	int64_t deadline_us;        /* by the cache's clock */
	bool wants_negative_detail; /* gets a "not found" entry as a value */
};

/* Blocks until the answer or the time limit. Returns 0 for an answer, 1 if the caller leads now, or
 * SHIPOPT_ETIMEDOUT. */
int flight_wait(struct flight *flight, int64_t timeout_ms);
/* Arranges that `ready` is called with the answer: SHIPOPT_CACHE_WAITING. Returns 0 if there is an answer already,
 * SHIPOPT_CACHE_LEAD if the caller leads now, or SHIPOPT_ENOMEM. */
int flight_watch(struct flight *flight, shipopt_cache_ready_fn ready, void *userdata, int64_t timeout_ms,
	bool wants_negative_detail);
/* The answer of a flight that has one: FOUND or NOT_FOUND with a reference in *ret_entry, or the failure. */
int flight_result(struct flight *flight, struct entry **ret_entry, shipopt_error **ret_error);

/* Calls the callback of a waiter that is in no list any more, and frees it. No lock may be held. */
void flight_waiter_call(struct flight_waiter *waiter, int outcome, struct entry *entry, struct shipopt_load *load,
	const shipopt_error *error);
/* Ends waits and back-offs whose time is over. Returns the next deadline of a waiter, by the cache's clock, or
 * ENTRY_NEVER. No lock may be held. */
int64_t flights_expire(shipopt_cache *cache);

#endif
