/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cache/get.h"

/*
 * A look-up: enter a read section, find the entry, judge it, count, leave. A thread without a reader slot holds the shard's
 * lock instead of a section.
 */
struct look {
	struct reader *reader;
	struct shard *shard;
};

static void look_begin(struct look *look, shipopt_cache *cache, uint64_t hash)
{
	look->reader = reader_enter();
	look->shard = cache_shard(cache, hash);
	if (UNLIKELY(!look->reader))
		shard_lock(look->shard);
}

static void look_end(struct look *look)
{
	if (UNLIKELY(!look->reader))
		shard_unlock(look->shard);
	reader_exit(look->reader);
}

/* Pushes the end of an entry that dies when not read. Not for every hit: the line would wander between processors. */
static void extend_access(const shipopt_cache *cache, struct entry *entry)
{
	struct entry_timing *timing = entry_timing(entry);
	int64_t access = atomic_load_explicit(&timing->access_us, memory_order_relaxed);
	if (access == 0)
		return;
	int64_t now = cache_now(cache);
	int64_t idle = now > ENTRY_NEVER - access ? ENTRY_NEVER : now + access;
	int64_t end = MIN(atomic_load_explicit(&timing->hard_us, memory_order_relaxed), idle);
	int64_t before = atomic_load_explicit(&timing->expires_us, memory_order_relaxed);
	if (end > before && end - before > access / 64)
		atomic_store_explicit(&timing->expires_us, end, memory_order_relaxed);
}

/* Strict order needs the lock. The entry may have left meanwhile. */
static void move_up(shipopt_cache *cache, struct look *look, struct entry *entry)
{
	if (look->reader)
		shard_lock(look->shard);
	if (entry_place(entry))
		cache->policy->hit(&look->shard->queues, entry);
	if (look->reader)
		shard_unlock(look->shard);
}

static int judge(shipopt_cache *cache, struct look *look, struct entry *entry)
{
	enum state state = entry ? entry_state(cache, entry) : STATE_DEAD;
	if (state >= STATE_EXPIRED) {
		stats_add(&cache->stats, look->reader, STAT_MISSES, 1);
		return SHIPOPT_CACHE_ABSENT;
	}
	policy_count_hit(entry);
	if (UNLIKELY(cache->policy->moves_on_hit))
		move_up(cache, look, entry);
	if (UNLIKELY(entry->flags & ENTRY_TIMED))
		extend_access(cache, entry);
	if (UNLIKELY(entry->flags & ENTRY_NEGATIVE)) {
		stats_add(&cache->stats, look->reader, STAT_NEGATIVE, 1);
		return SHIPOPT_CACHE_NEGATIVE;
	}
	stats_add(&cache->stats, look->reader, STAT_HITS, 1);
	if (UNLIKELY(state == STATE_STALE)) {
		stats_add(&cache->stats, look->reader, STAT_STALE, 1);
		return SHIPOPT_CACHE_STALE;
	}
	return SHIPOPT_CACHE_FOUND;
}

static bool has_value(int outcome)
{
	return outcome == SHIPOPT_CACHE_FOUND || outcome == SHIPOPT_CACHE_STALE;
}

int cache_look(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, struct entry **ret_entry)
{
	struct look look;
	look_begin(&look, cache, hash);
	struct entry *entry = table_find(&look.shard->table, hash, key, key_length);
	int outcome = judge(cache, &look, entry);
	if (has_value(outcome)) {
		entry_ref(entry);
		*ret_entry = entry;
	}
	look_end(&look);
	return outcome;
}

int shipopt_cache_get(shipopt_cache *cache, const void *key, size_t key_length, shipopt_value **ret_value)
{
	int r = cache_check(cache, key, key_length);
	if (UNLIKELY(r < 0 || !ret_value))
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct entry *entry;
	r = cache_look(cache, table_hash(&cache->hashing, key, key_length), key, key_length, &entry);
	if (has_value(r))
		*ret_value = entry_handle(entry);
	return r;
}

int shipopt_cache_borrow(
	shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_borrow_fn borrow, void *userdata)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0 || !borrow)
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct look look;
	look_begin(&look, cache, hash);
	struct entry *entry = table_find(&look.shard->table, hash, key, key_length);
	int outcome = judge(cache, &look, entry);
	if (has_value(outcome))
		borrow(userdata, entry_value(entry), entry->value_length);
	look_end(&look);
	return outcome;
}

int shipopt_cache_get_copy(shipopt_cache *cache, const void *key, size_t key_length, void *buffer, size_t buffer_size,
	size_t *ret_length)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0 || !ret_length || (!buffer && buffer_size))
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct entry *entry;
	r = cache_look(cache, table_hash(&cache->hashing, key, key_length), key, key_length, &entry);
	if (!has_value(r))
		return r;
	*ret_length = entry->value_length;
	if (entry->value_length > buffer_size)
		r = SHIPOPT_ETOOLARGE;
	else if (entry->value_length)
		memcpy(buffer, entry_value(entry), entry->value_length);
	entry_unref(entry);
	return r;
}

int shipopt_cache_peek(shipopt_cache *cache, const void *key, size_t key_length)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0)
		return r;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct look look;
	look_begin(&look, cache, hash);
	struct entry *entry = table_find(&look.shard->table, hash, key, key_length);
	enum state state = entry ? entry_state(cache, entry) : STATE_DEAD;
	bool is_negative = entry && entry->flags & ENTRY_NEGATIVE;
	look_end(&look);
	if (state >= STATE_EXPIRED)
		return SHIPOPT_CACHE_ABSENT;
	return is_negative ? SHIPOPT_CACHE_NEGATIVE : state == STATE_STALE ? SHIPOPT_CACHE_STALE : SHIPOPT_CACHE_FOUND;
}

/* One batch: every step starts its fetches for all keys before the next step needs the first. */
#define MANY_BATCH 16

static int get_batch(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	int *outcomes, shipopt_value **values)
{
	uint64_t hashes[MANY_BATCH];
	struct look look = {.reader = reader_enter()};
	for (size_t i = 0; i < count; i++) {
		hashes[i] = table_hash(&cache->hashing, keys[i], key_lengths[i]);
		if (LIKELY(look.reader != NULL))
			table_prefetch_bucket(&cache_shard(cache, hashes[i])->table, hashes[i]);
	}
	for (size_t i = 0; look.reader && i < count; i++)
		table_prefetch_entry(&cache_shard(cache, hashes[i])->table, hashes[i]);
	int found = 0;
	for (size_t i = 0; i < count; i++) {
		look.shard = cache_shard(cache, hashes[i]);
		if (UNLIKELY(!look.reader))
			shard_lock(look.shard);
		struct entry *entry = table_find(&look.shard->table, hashes[i], keys[i], key_lengths[i]);
		outcomes[i] = judge(cache, &look, entry);
		values[i] = has_value(outcomes[i]) ? entry_handle(entry) : NULL;
		if (values[i]) {
			entry_ref(entry);
			found++;
		}
		if (UNLIKELY(!look.reader))
			shard_unlock(look.shard);
	}
	reader_exit(look.reader);
	return found;
}

int shipopt_cache_get_many(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	int *ret_outcomes, shipopt_value **ret_values)
{
	if (!cache || !keys || !key_lengths || !ret_outcomes || !ret_values || count > INT32_MAX)
		return SHIPOPT_EINVAL;
	for (size_t i = 0; i < count; i++) {
		int r = cache_check(cache, keys[i], key_lengths[i]);
		if (r < 0)
			return r;
	}
	int found = 0;
	for (size_t i = 0; i < count; i += MANY_BATCH)
		found += get_batch(cache, MIN(count - i, MANY_BATCH), keys + i, key_lengths + i, ret_outcomes + i,
			ret_values + i);
	return found;
}
