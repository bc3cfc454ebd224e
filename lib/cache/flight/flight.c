/* SPDX-License-Identifier: MIT */
#include "cache/flight/flight.h"

#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "cache/entry/state.h"

/* ---- one flight -------------------------------------------------------------------------------------------- */

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
	int r = flight ? options_acquire_tags(cache, options, flight->tags) : SHIPOPT_ENOMEM;
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
	tags_release(&flight->cache->tags, flight->tags, flight->options.tag_count);
	atomic_fetch_sub(&flight->cache->load_count, 1);
	if (flight->result)
		entry_unref(flight->result);
	shipopt_error_unref(flight->error);
	pthread_cond_destroy(&flight->changed);
	pthread_mutex_destroy(&flight->lock);
	mem_free(flight);
}

void flight_redraw(struct flight *flight)
{
	struct shard *shard = cache_shard(flight->cache, flight->hash);
	shard_lock(shard);
	flight->ticket = tags_draw(&flight->cache->tags);
	shard_unlock(shard);
}

void flight_take_over(struct flight *flight)
{
	flight_ref(flight); /* the token's */
	cache_ref(flight->cache);
	flight_redraw(flight);
}

void flight_drop(struct flight *flight)
{
	struct shard *shard = cache_shard(flight->cache, flight->hash);
	shard_lock(shard);
	flight->is_dropped = true;
	shard_unlock(shard);
}

static int flight_append_tag(struct flight *flight, const char *name)
{
	shipopt_cache *cache = flight->cache;
	struct shard *shard = cache_shard(cache, flight->hash);
	unsigned count = flight->options.tag_count;
	struct tag *tag;
	if (count == ENTRY_TAGS_MAX || strlen(name) > TAG_NAME_MAX)
		return SHIPOPT_ETOOLARGE;
	int r = tags_acquire(&cache->tags, name, &tag);
	if (r < 0)
		return r;
	shard_lock(shard);
	flight->tags[count] = tag;
	shipopt_cache_options_add_tag(&flight->options, name);
	/* An invalidation before the tag had a record has raised the floor. A later one is found in the record. */
	if (atomic_load(&cache->tags.floor) > flight->ticket)
		flight->is_dropped = true;
	shard_unlock(shard);
	return 0;
}

int flight_add_tag(struct flight *flight, const char *name)
{
	for (unsigned i = 0; i < flight->options.tag_count; i++)
		if (strcmp(flight->options.tags[i], name) == 0)
			return 0;
	int r = flight_append_tag(flight, name);
	if (r < 0)
		flight_drop(flight);
	return r;
}

bool flight_is_running(struct flight *flight)
{
	pthread_mutex_lock(&flight->lock);
	bool is_running = flight->state == FLIGHT_RUNNING;
	pthread_mutex_unlock(&flight->lock);
	return is_running;
}

bool flight_is_backing_off(struct flight *flight, bool *ret_is_over)
{
	pthread_mutex_lock(&flight->lock);
	bool has_failed = flight->state == FLIGHT_FAILED;
	*ret_is_over = has_failed && cache_now_us(flight->cache) >= flight->retry_us;
	pthread_mutex_unlock(&flight->lock);
	return has_failed;
}

/* ---- the shard's lists ------------------------------------------------------------------------------------- */

static struct flight **flight_bucket_of(struct shard *shard, uint64_t hash)
{
	return &shard->flights[(hash >> 8) % FLIGHT_BUCKETS];
}

static struct flight **flight_list_of(struct shard *shard, const struct flight *flight)
{
	return flight->listing == FLIGHT_STRAY ? &shard->flights[FLIGHT_STRAYS] : flight_bucket_of(shard, flight->hash);
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

/* Takes over a reference. */
static void flight_list(struct shard *shard, struct flight *flight, enum flight_listing listing)
{
	flight->listing = listing;
	struct flight **first = flight_list_of(shard, flight);
	flight->next = *first;
	*first = flight;
}

bool flight_unlist(struct shard *shard, struct flight *flight)
{
	if (flight->listing == FLIGHT_UNLISTED)
		return false;
	struct flight **link = flight_list_of(shard, flight);
	while (*link != flight)
		link = &(*link)->next;
	*link = flight->next;
	flight->listing = FLIGHT_UNLISTED;
	return true;
}

void flight_detach_this(struct shard *shard, struct flight *flight)
{
	bool becomes_stray = flight->listing == FLIGHT_JOINABLE && flight_is_running(flight);
	flight->is_dropped = true;
	if (!flight_unlist(shard, flight))
		return;
	if (becomes_stray)
		flight_list(shard, flight, FLIGHT_STRAY);
	else
		flight_unref(flight);
}

void flight_detach(struct shard *shard, uint64_t hash, const void *key, size_t key_length)
{
	struct flight *flight = flight_find(shard, hash, key, key_length);
	if (flight)
		flight_detach_this(shard, flight);
}

void flights_detach_matching(struct shard *shard, const struct pattern *pattern, uint64_t ticket)
{
	for (size_t i = 0; i < FLIGHT_BUCKETS; i++) {
		for (struct flight *flight = shard->flights[i], *next; flight; flight = next) {
			next = flight->next;
			if (flight->ticket < ticket && pattern_matches(pattern, flight->key, flight->key_length))
				flight_detach_this(shard, flight);
		}
	}
}

void flights_close(struct shard *shard)
{
	for (size_t i = 0; i < FLIGHT_LISTS; i++)
		while (shard->flights[i])
			flight_detach_this(shard, shard->flights[i]);
}

/* ---- joining ----------------------------------------------------------------------------------------------- */

/* Whether something that the flight belongs to, or may belong to, was invalidated after it began. */
static bool flight_is_outdated(shipopt_cache *cache, const struct flight *flight)
{
	unsigned prefix = tags_prefix_of(&cache->tags, flight->key, flight->key_length);
	if (tags_is_invalid(&cache->tags, flight->ticket, prefix))
		return true;
	for (unsigned i = 0; i < flight->options.tag_count; i++)
		if (tag_is_after(flight->tags[i], flight->ticket))
			return true;
	return flight->options.tag_count == 0 && atomic_load(&cache->tags.last_tagged) > flight->ticket;
}

/* Returns a flight that may be joined, and detaches one that may not. */
static struct flight *flight_find_joinable(shipopt_cache *cache, struct shard *shard, uint64_t hash, const void *key,
	size_t key_length, bool *ret_backs_off)
{
	struct flight *flight = flight_find(shard, hash, key, key_length);
	if (!flight)
		return NULL;
	bool is_over;
	*ret_backs_off = flight_is_backing_off(flight, &is_over);
	if (is_over || flight_is_outdated(cache, flight)) {
		flight_detach_this(shard, flight);
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
	flight_list(shard, flight, FLIGHT_JOINABLE);
}

int flight_join(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, bool is_refresh,
	const shipopt_cache_options *options, struct flight **ret_flight, enum flight_role *ret_role)
{
	struct shard *shard = cache_shard(cache, hash);
	struct flight *fresh = NULL;
	/* A new flight is made without the lock, if the first round shows that one is needed. */
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
