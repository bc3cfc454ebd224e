/* SPDX-License-Identifier: MIT */
#include "cache/flight.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "cache/put.h"

/* Someone who waits with a callback. */
struct waiter {
	struct list_node node;
	shipopt_cache_ready_fn ready;
	void *userdata;
	int64_t deadline_us; /* of the cache's clock */
	bool takes_words;    /* is shown a negative entry, too */
};

static struct flight **flight_bucket_of(struct shard *shard, uint64_t hash)
{
	return &shard->flights[(hash >> 8) % FLIGHT_BUCKETS];
}

static struct flight **flight_list_of(struct shard *shard, const struct flight *flight)
{
	return flight->is_stray ? &shard->flights[FLIGHT_STRAYS] : flight_bucket_of(shard, flight->hash);
}

static struct flight *flight_find(struct shard *shard, uint64_t hash, const void *key, size_t key_length)
{
	struct flight *flight = *flight_bucket_of(shard, hash);
	while (flight &&
		!(flight->hash == hash && flight->key_length == key_length &&
			memcmp(flight->key, key, key_length) == 0))
		flight = flight->next;
	return flight;
}

static unsigned flight_tag_count(const struct flight *flight)
{
	return flight->options.tag_count;
}

static void flight_init_locks(struct flight *flight)
{
	pthread_mutex_init(&flight->lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
#ifndef __APPLE__
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
	pthread_cond_init(&flight->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static int flight_new(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length,
	const shipopt_cache_options *options, struct flight **ret_flight)
{
	if (atomic_fetch_add(&cache->load_count, 1) >= cache->loads_max) {
		atomic_fetch_sub(&cache->load_count, 1);
		return SHIPOPT_EAGAIN;
	}
	struct flight *flight = mem_alloc_zero(sizeof(*flight) + key_length);
	if (!flight) {
		atomic_fetch_sub(&cache->load_count, 1);
		return SHIPOPT_ENOMEM;
	}
	int r = options_acquire_tags(cache, options, flight->tags);
	if (r < 0) {
		atomic_fetch_sub(&cache->load_count, 1);
		mem_free(flight);
		return r;
	}
	if (options)
		flight->options = *options;
	else
		options_init(&flight->options);
	flight->cache = cache;
	flight->hash = hash;
	flight->load.flight = flight;
	flight->key_length = key_length;
	memcpy(flight->key, key, key_length);
	list_init(&flight->waiters);
	atomic_init(&flight->references, 1);
	flight_init_locks(flight);
	*ret_flight = flight;
	return 0;
}

static void flight_ref(struct flight *flight)
{
	atomic_fetch_add_explicit(&flight->references, 1, memory_order_relaxed);
}

void flight_unref(struct flight *flight)
{
	if (atomic_fetch_sub_explicit(&flight->references, 1, memory_order_acq_rel) != 1)
		return;
	tags_release(&flight->cache->tags, flight->tags, flight_tag_count(flight));
	atomic_fetch_sub(&flight->cache->load_count, 1);
	if (flight->result)
		entry_unref(flight->result);
	shipopt_error_unref(flight->error);
	pthread_cond_destroy(&flight->changed);
	pthread_mutex_destroy(&flight->lock);
	mem_free(flight);
}

/* Under the shard's lock. The table's reference is the caller's then. */
static bool flight_unlist(struct shard *shard, struct flight *flight)
{
	if (!flight->is_listed)
		return false;
	struct flight **link = flight_list_of(shard, flight);
	while (*link != flight)
		link = &(*link)->next;
	*link = flight->next;
	flight->is_listed = false;
	return true;
}

/* Takes over a reference. */
static void flight_list(struct shard *shard, struct flight *flight)
{
	struct flight **first = flight_list_of(shard, flight);
	flight->is_listed = true;
	flight->next = *first;
	*first = flight;
}

static void cache_flight_detach(struct shard *shard, struct flight *flight)
{
	flight->is_detached = true;
	if (!flight_unlist(shard, flight))
		return;
	if (flight->is_stray || !flight_is_running(flight)) {
		flight_unref(flight);
		return;
	}
	flight->is_stray = true;
	flight_list(shard, flight);
}

/* Has anything that the flight is known or suspected to belong to been invalidated since it began? */
static bool flight_is_outdated(shipopt_cache *cache, const struct flight *flight)
{
	unsigned prefix = tags_prefix_of(&cache->tags, flight->key, flight->key_length);
	if (tags_is_dead(&cache->tags, flight->ticket, prefix))
		return true;
	if (atomic_load(&cache->tags.last_pattern) > flight->ticket &&
		sweeps_match(&cache->keeper->sweeps, flight->key, flight->key_length, flight->ticket))
		return true;
	for (unsigned i = 0; i < flight_tag_count(flight); i++)
		if (tag_is_after(flight->tags[i], flight->ticket))
			return true;
	return flight_tag_count(flight) == 0 && atomic_load(&cache->tags.last_tagged) > flight->ticket;
}

static bool flight_is_backing_off(struct flight *flight, bool *ret_is_over)
{
	pthread_mutex_lock(&flight->lock);
	bool has_failed = flight->state == FLIGHT_FAILED;
	*ret_is_over = has_failed && cache_now(flight->cache) >= flight->retry_us;
	pthread_mutex_unlock(&flight->lock);
	return has_failed;
}

/* A flight that may be joined; what may not is detached. */
static struct flight *flight_find_joinable(shipopt_cache *cache, struct shard *shard, uint64_t hash, const void *key,
	size_t key_length, bool *ret_backs_off)
{
	struct flight *flight = flight_find(shard, hash, key, key_length);
	if (!flight)
		return NULL;
	bool is_over;
	*ret_backs_off = flight_is_backing_off(flight, &is_over);
	if (is_over || flight_is_outdated(cache, flight)) {
		cache_flight_detach(shard, flight);
		return NULL;
	}
	return flight;
}

static bool flight_has_value(shipopt_cache *cache, struct shard *shard, uint64_t hash, const void *key,
	size_t key_length, bool is_refresh)
{
	struct entry *entry = table_find(&shard->table, hash, key, key_length);
	return entry && entry_state(cache, entry) <= (is_refresh ? STATE_LIVE : STATE_STALE);
}

static void flight_begin(shipopt_cache *cache, struct shard *shard, struct flight *flight)
{
	flight->ticket = tags_draw(&cache->tags);
	flight_ref(flight); /* the token's */
	cache_ref(cache);
	flight_ref(flight);
	flight_list(shard, flight);
}

int flight_join(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, bool is_refresh,
	const shipopt_cache_options *options, struct flight **ret_flight, enum flight_role *ret_role)
{
	struct shard *shard = cache_shard(cache, hash);
	struct flight *fresh = NULL;
	/* Made without the lock, on the second try, if it is needed. */
	for (int r = 0;; r = flight_new(cache, hash, key, key_length, options, &fresh)) {
		if (r < 0)
			return r;
		shard_lock(shard);
		bool backs_off = false, is_needless = flight_has_value(cache, shard, hash, key, key_length, is_refresh);
		struct flight *flight =
			is_needless ? NULL : flight_find_joinable(cache, shard, hash, key, key_length, &backs_off);
		if (flight)
			flight_ref(flight);
		else if (!is_needless && fresh)
			flight_begin(cache, shard, fresh);
		shard_unlock(shard);
		if (!flight && !is_needless && !fresh)
			continue;
		*ret_role = is_needless ? FLIGHT_NEEDLESS
			: !flight       ? FLIGHT_LEADS
			: backs_off     ? FLIGHT_BACKS_OFF
					: FLIGHT_FOLLOWS;
		if (*ret_role == FLIGHT_LEADS)
			flight = TAKE(fresh);
		if (fresh)
			flight_unref(fresh);
		*ret_flight = flight;
		return 0;
	}
}

/* A new load begins: what was invalidated before it does not concern it. */
static void flight_redraw(struct flight *flight)
{
	struct shard *shard = cache_shard(flight->cache, flight->hash);
	shard_lock(shard);
	flight->ticket = tags_draw(&flight->cache->tags);
	shard_unlock(shard);
}

static struct timespec flight_after_ms(int64_t timeout_ms)
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
	struct timespec until = flight_after_ms(timeout_ms);
	int r = 0;
	pthread_mutex_lock(&flight->lock);
	flight->blocked++;
	while (flight->state == FLIGHT_RUNNING && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&flight->changed, &flight->lock, &until);
	flight->blocked--;
	/* Whoever sees it first leads, in time or not: the others go on waiting. */
	bool leads = flight->state == FLIGHT_ORPHANED;
	if (leads)
		flight->state = FLIGHT_RUNNING;
	bool is_answered = flight->state >= FLIGHT_DONE;
	pthread_mutex_unlock(&flight->lock);
	if (leads) {
		flight_ref(flight);
		cache_ref(flight->cache);
		flight_redraw(flight);
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
	return entry->flags & ENTRY_NEGATIVE ? SHIPOPT_CACHE_NEGATIVE : SHIPOPT_CACHE_FOUND;
}

int flight_watch(struct flight *flight, shipopt_cache_ready_fn ready, void *userdata, int64_t timeout_ms,
	bool takes_words)
{
	struct waiter *waiter = mem_alloc_zero(sizeof(*waiter));
	if (!waiter)
		return SHIPOPT_ENOMEM;
	waiter->ready = ready;
	waiter->userdata = userdata;
	waiter->takes_words = takes_words;
	waiter->deadline_us = time_after_ms(cache_now(flight->cache), timeout_ms);
	int r = 0;
	pthread_mutex_lock(&flight->lock);
	if (flight->state == FLIGHT_RUNNING) {
		list_push_back(&flight->waiters, &waiter->node);
		r = SHIPOPT_CACHE_WAITING;
	} else if (flight->state == FLIGHT_ORPHANED) {
		flight->state = FLIGHT_RUNNING;
		r = SHIPOPT_CACHE_LEAD;
	}
	pthread_mutex_unlock(&flight->lock);
	if (r == SHIPOPT_CACHE_LEAD) {
		flight_ref(flight);
		cache_ref(flight->cache);
		flight_redraw(flight);
	}
	if (r != SHIPOPT_CACHE_WAITING)
		mem_free(waiter);
	else if (flight->cache->keeper)
		keeper_expect(flight->cache->keeper, time_after_ms(0, timeout_ms));
	return r;
}

static void flight_tell(struct waiter *waiter, int outcome, struct entry *entry, struct shipopt_load *load,
	const shipopt_error *error)
{
	bool has_data = entry && (waiter->takes_words || !(entry->flags & ENTRY_NEGATIVE));
	waiter->ready(waiter->userdata, outcome, has_data ? entry_handle(entry) : NULL, load, error);
	mem_free(waiter);
}

/* The token is gone: wakes all who wait, drops its references. Nothing changes a flight with an answer, so it is read unlocked. */
static void flight_finish(struct flight *flight, enum flight_state state)
{
	shipopt_cache *cache = flight->cache;
	struct list_node waiters;
	list_init(&waiters);
	pthread_mutex_lock(&flight->lock);
	flight->state = state;
	list_splice_back(&waiters, &flight->waiters);
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->lock);
	struct entry *entry = flight->result;
	int outcome = !entry                    ? flight->status
		: entry->flags & ENTRY_NEGATIVE ? SHIPOPT_CACHE_NEGATIVE
						: SHIPOPT_CACHE_FOUND;
	for (struct list_node *node; (node = list_pop_front(&waiters));)
		flight_tell(LIST_MEMBER(node, struct waiter, node), outcome, entry, NULL, flight->error);
	flight_unref(flight);
	cache_unref(cache);
}

void flight_complete(struct flight *flight, struct entry *entry)
{
	shipopt_cache *cache = flight->cache;
	struct shard *shard = cache_shard(cache, flight->hash);
	struct aftermath aftermath = AFTERMATH_INIT(aftermath);
	entry_ref(entry);
	flight->result = entry;
	int r = 0;
	shard_lock(shard);
	if (!flight->is_detached && entry_weight(entry) <= cache->weight_max)
		r = shard_store(cache, shard, flight->hash, entry, STORE_IF_OLDER, 0, &aftermath);
	bool was_listed = flight_unlist(shard, flight);
	shard_unlock(shard);
	if (r != 1) {
		stats_add(&cache->stats, NULL, STAT_DROPPED, 1);
		cache_unmake(cache, entry, false);
	}
	cache_settle(cache, &aftermath);
	cache_trim(cache, entry);
	if (was_listed)
		flight_unref(flight);
	flight_finish(flight, FLIGHT_DONE);
}

void flight_fail(struct flight *flight, int status, shipopt_error *error)
{
	shipopt_cache *cache = flight->cache;
	struct shard *shard = cache_shard(cache, flight->hash);
	stats_add(&cache->stats, NULL, STAT_LOAD_FAILURES, 1);
	flight->status = status;
	flight->error = error;
	flight->retry_us = time_after_ms(cache_now(cache), cache->error_backoff_ms);
	shard_lock(shard);
	bool was_listed = (cache->error_backoff_ms == 0 || flight->is_stray) && flight_unlist(shard, flight);
	shard_unlock(shard);
	if (was_listed)
		flight_unref(flight);
	cache_changed(cache); /* the back-off ends */
	flight_finish(flight, FLIGHT_FAILED);
}

void flight_abandon(struct flight *flight)
{
	shipopt_cache *cache = flight->cache;
	struct shard *shard = cache_shard(cache, flight->hash);
	flight_redraw(flight);
	shard_lock(shard);
	pthread_mutex_lock(&flight->lock);
	struct list_node *heir = list_pop_front(&flight->waiters);
	bool was_listed = !heir && flight->blocked == 0 && flight_unlist(shard, flight);
	if (!heir)
		flight->state = FLIGHT_ORPHANED;
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->lock);
	shard_unlock(shard);
	if (was_listed)
		flight_unref(flight);
	if (heir) {
		/* The token goes on with its references. */
		flight_tell(LIST_MEMBER(heir, struct waiter, node), SHIPOPT_CACHE_LEAD, NULL, &flight->load, NULL);
		return;
	}
	flight_unref(flight);
	cache_unref(cache);
}

void flight_detach(struct shard *shard, uint64_t hash, const void *key, size_t key_length)
{
	struct flight *flight = flight_find(shard, hash, key, key_length);
	if (flight)
		cache_flight_detach(shard, flight);
}

void flights_detach_matching(struct shard *shard, const struct pattern *pattern, uint64_t ticket)
{
	for (size_t i = 0; i < FLIGHT_BUCKETS; i++) {
		for (struct flight *flight = shard->flights[i], *next; flight; flight = next) {
			next = flight->next;
			if (flight->ticket < ticket && pattern_matches(pattern, flight->key, flight->key_length))
				cache_flight_detach(shard, flight);
		}
	}
}

void flight_drop(struct flight *flight)
{
	struct shard *shard = cache_shard(flight->cache, flight->hash);
	shard_lock(shard);
	flight->is_detached = true;
	shard_unlock(shard);
}

bool flight_is_running(struct flight *flight)
{
	pthread_mutex_lock(&flight->lock);
	bool is_running = flight->state == FLIGHT_RUNNING;
	pthread_mutex_unlock(&flight->lock);
	return is_running;
}

/* Returns the first deadline that is left. */
static int64_t flight_take_overdue(struct flight *flight, int64_t now, struct list_node *overdue)
{
	int64_t next = ENTRY_NEVER;
	pthread_mutex_lock(&flight->lock);
	LIST_FOREACH(node, &flight->waiters) {
		int64_t deadline = LIST_MEMBER(node, struct waiter, node)->deadline_us;
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

int64_t flights_maintain(shipopt_cache *cache)
{
	int64_t now = cache_now(cache), next_deadline = ENTRY_NEVER;
	struct list_node overdue;
	list_init(&overdue);
	for (unsigned s = 0; s < cache->shard_count; s++) {
		struct shard *shard = &cache->shards[s];
		shard_lock(shard);
		for (size_t i = 0; i < FLIGHT_LISTS; i++) {
			for (struct flight *flight = shard->flights[i], *next; flight; flight = next) {
				next = flight->next;
				bool is_over;
				if (flight_is_backing_off(flight, &is_over) && is_over)
					cache_flight_detach(shard, flight);
				else
					next_deadline = MIN(next_deadline, flight_take_overdue(flight, now, &overdue));
			}
		}
		shard_unlock(shard);
	}
	for (struct list_node *node; (node = list_pop_front(&overdue));)
		flight_tell(LIST_MEMBER(node, struct waiter, node), SHIPOPT_ETIMEDOUT, NULL, NULL, NULL);
	return next_deadline;
}

void flights_close(struct shard *shard)
{
	for (size_t i = 0; i < FLIGHT_LISTS; i++)
		while (shard->flights[i])
			cache_flight_detach(shard, shard->flights[i]);
}
