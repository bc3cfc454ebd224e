/* SPDX-License-Identifier: MIT */
#include "cache/flight/wait.h"

#include <errno.h>
#include <time.h>

#include "base/memory.h"
#include "cache/entry/state.h"
#include "cache/maintenance/maintenance.h"

static struct timespec wait_deadline(int64_t timeout_ms)
{
	struct timespec time;
#ifdef __APPLE__
	clock_gettime(CLOCK_REALTIME, &time);
#else
	clock_gettime(CLOCK_MONOTONIC, &time);
#endif
	time.tv_sec += (time_t)(timeout_ms / 1000);
	time.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	return time;
}

int flight_wait(struct flight *flight, int64_t timeout_ms)
{
	struct timespec deadline = wait_deadline(timeout_ms);
	int r = 0;
	pthread_mutex_lock(&flight->lock);
	flight->blocked++;
	while (flight->state == FLIGHT_RUNNING && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&flight->changed, &flight->lock, &deadline);
	flight->blocked--;
	/* The first waiter to see the abandoned flight leads, even after its deadline. The others go on waiting. */
	bool leads = flight->state == FLIGHT_ABANDONED;
	if (leads)
		flight->state = FLIGHT_RUNNING;
	bool is_answered = flight->state >= FLIGHT_ANSWERED;
	pthread_mutex_unlock(&flight->lock);
	if (leads) {
		flight_take_over(flight);
		return 1;
	}
	return is_answered ? 0 : SHIPOPT_ETIMEDOUT;
}

int flight_result(struct flight *flight, struct entry **ret_entry, shipopt_error **ret_error)
{
	pthread_mutex_lock(&flight->lock);
	struct entry *entry = flight->result;
	shipopt_error *error = entry ? NULL : shipopt_error_ref(flight->error);
	int status = flight->status;
	pthread_mutex_unlock(&flight->lock);
	if (!entry) {
		if (ret_error && error)
			*ret_error = error;
		else
			shipopt_error_unref(error);
		return status;
	}
	entry_ref(entry);
	*ret_entry = entry;
	return entry->flags & ENTRY_NOT_FOUND ? SHIPOPT_CACHE_NOT_FOUND : SHIPOPT_CACHE_FOUND;
}

int flight_watch(struct flight *flight, shipopt_cache_ready_fn ready, void *userdata, int64_t timeout_ms,
	bool wants_negative_detail)
{
	struct flight_waiter *waiter = mem_alloc_zero(sizeof(*waiter));
	if (!waiter)
		return SHIPOPT_ENOMEM;
	waiter->ready = ready;
	waiter->userdata = userdata;
	waiter->wants_negative_detail = wants_negative_detail;
	waiter->deadline_us = time_after_ms(cache_now_us(flight->cache), timeout_ms);
	int r = 0;
	pthread_mutex_lock(&flight->lock);
	if (flight->state == FLIGHT_RUNNING) {
		list_push_back(&flight->waiters, &waiter->node);
		r = SHIPOPT_CACHE_WAITING;
	} else if (flight->state == FLIGHT_ABANDONED) {
		flight->state = FLIGHT_RUNNING;
		r = SHIPOPT_CACHE_LEAD;
	}
	pthread_mutex_unlock(&flight->lock);
	if (r == SHIPOPT_CACHE_LEAD)
		flight_take_over(flight);
	if (r != SHIPOPT_CACHE_WAITING)
		mem_free(waiter);
	else if (flight->cache->maintenance)
		maintenance_expect(flight->cache->maintenance, time_after_ms(0, timeout_ms));
	return r;
}

void flight_waiter_call(struct flight_waiter *waiter, int outcome, struct entry *entry, struct shipopt_load *load,
	const shipopt_error *error)
{
	bool has_data = entry && (waiter->wants_negative_detail || !(entry->flags & ENTRY_NOT_FOUND));
	waiter->ready(waiter->userdata, outcome, has_data ? entry_handle(entry) : NULL, load, error);
	mem_free(waiter);
}

/* Returns the first deadline that is left. */
static int64_t wait_take_overdue(struct flight *flight, int64_t now, struct list_node *overdue)
{
	int64_t next = ENTRY_NEVER;
	pthread_mutex_lock(&flight->lock);
	LIST_FOREACH(node, &flight->waiters) {
		int64_t deadline = LIST_MEMBER(node, struct flight_waiter, node)->deadline_us;
		if (deadline > now) {
			next = MIN(next, deadline);
			continue;
		}
		list_remove(node);
		list_push_back(overdue, node);
	}
	pthread_mutex_unlock(&flight->lock);
	return next;
}

static int64_t wait_expire_shard(struct shard *shard, int64_t now, struct list_node *overdue)
{
	int64_t next_deadline = ENTRY_NEVER;
	shard_lock(shard);
	for (size_t i = 0; i < FLIGHT_LISTS; i++) {
		for (struct flight *flight = shard->flights[i], *next; flight; flight = next) {
			next = flight->next;
			bool is_over;
			if (flight_is_backing_off(flight, &is_over) && is_over)
				flight_detach_this(shard, flight);
			else
				next_deadline = MIN(next_deadline, wait_take_overdue(flight, now, overdue));
		}
	}
	shard_unlock(shard);
	return next_deadline;
}

int64_t flights_expire(shipopt_cache *cache)
{
	int64_t now = cache_now_us(cache), next_deadline = ENTRY_NEVER;
	struct list_node overdue;
	list_init(&overdue);
	for (unsigned i = 0; i < cache->shard_count; i++)
		next_deadline = MIN(next_deadline, wait_expire_shard(&cache->shards[i], now, &overdue));
	for (struct list_node *node; (node = list_pop_front(&overdue));)
		flight_waiter_call(LIST_MEMBER(node, struct flight_waiter, node), SHIPOPT_ETIMEDOUT, NULL, NULL, NULL);
	return next_deadline;
}
