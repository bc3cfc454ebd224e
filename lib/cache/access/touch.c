/* SPDX-License-Identifier: MIT */
#include "cache/entry/state.h"
#include "cache/shard/bounds.h"
#include "cache/shard/deferred.h"

/*
 * Restarting the TTL of an entry. An entry that was stored without times has no room for them in its block: it is
 * replaced by a copy that has.
 */
static struct entry *touch_copy_timed(shipopt_cache *cache, const struct entry *entry)
{
	struct entry_content content = {.key = entry_key(entry),
		.key_length = entry->key_length,
		.value = entry_value(entry),
		.value_length = entry->value_length,
		.is_timed = true,
		.is_not_found = entry->flags & ENTRY_NOT_FOUND};
	if (entry->flags & ENTRY_TAGGED) {
		content.tags = entry_tags(entry)->list;
		content.tag_count = (unsigned)entry_tags(entry)->count;
	}
	struct entry *copy = entry_new(&content);
	if (!copy)
		return NULL;
	tags_share(&cache->tags, content.tags, content.tag_count);
	copy->stamp = entry->stamp;
	copy->created_s = entry->created_s;
	return copy;
}

static void touch_set_end(const shipopt_cache *cache, struct entry *entry, int64_t ttl_ms)
{
	struct entry_timing *timing = entry_timing(entry);
	int64_t now = cache_now_us(cache);
	int64_t end = time_after_ms(now, ttl_ms);
	int64_t hard = atomic_load_explicit(&timing->hard_us, memory_order_relaxed);
	int64_t soft = atomic_load_explicit(&timing->soft_us, memory_order_relaxed);
	int64_t access = atomic_load_explicit(&timing->access_us, memory_order_relaxed);
	if (soft != ENTRY_NEVER && hard != ENTRY_NEVER && end != ENTRY_NEVER)
		atomic_store_explicit(&timing->soft_us, MAX(now, end - (hard - soft)), memory_order_relaxed);
	atomic_store_explicit(&timing->hard_us, end, memory_order_relaxed);
	atomic_store_explicit(&timing->expires_us, MIN(end, time_idle_end(now, access)), memory_order_relaxed);
}

static int touch_locked(shipopt_cache *cache, struct shard *shard, uint64_t hash, const void *key, size_t key_length,
	int64_t ttl_ms)
{
	struct table_position position;
	struct entry *entry = table_locate(&shard->table, hash, key, key_length, &position);
	if (!entry || !entry_is_usable(cache, entry))
		return SHIPOPT_CACHE_ABSENT;
	if (entry->flags & ENTRY_TIMED) {
		touch_set_end(cache, entry, ttl_ms);
		wheel_add(&shard->wheel, entry);
	} else if (ttl_ms != SHIPOPT_CACHE_FOREVER) {
		struct entry *copy = touch_copy_timed(cache, entry);
		if (!copy)
			return SHIPOPT_ENOMEM;
		touch_set_end(cache, copy, ttl_ms);
		shard_swap(cache, shard, &position, entry, copy);
		limbo_add_entry(&shard->limbo, entry);
	}
	return SHIPOPT_CACHE_FOUND;
}

int shipopt_cache_touch(shipopt_cache *cache, const void *key, size_t key_length, int64_t ttl_ms)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0 || ttl_ms <= 0)
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct shard *shard = cache_shard(cache, hash);
	struct deferred deferred = DEFERRED_INIT(deferred);
	shard_lock(shard);
	r = touch_locked(cache, shard, hash, key, key_length, ttl_ms);
	shard_reclaim(cache, shard, false, &deferred);
	shard_unlock(shard);
	deferred_run(cache, &deferred);
	bounds_trim(cache, NULL);
	return r;
}
