/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cache/cache.h"
#include "cache/flight.h"
#include "cache/pattern.h"
#include "cache/remove.h"

static int remove_take_out(shipopt_cache *cache, struct shard *shard, uint64_t hash, const void *key, size_t key_length,
	struct aftermath *aftermath)
{
	struct place place;
	struct entry *entry = table_locate(&shard->table, hash, key, key_length, &place);
	if (!entry)
		return 0;
	bool is_live = entry_state(cache, entry) <= STATE_STALE;
	int cause = entry_cause(cache, entry, SHIPOPT_CAUSE_REMOVED);
	shard_unlink(cache, shard, hash, &place, entry, cause, aftermath);
	return is_live;
}

int shipopt_cache_remove(shipopt_cache *cache, const void *key, size_t key_length)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0)
		return r;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct shard *shard = cache_shard(cache, hash);
	struct aftermath aftermath = AFTERMATH_INIT(aftermath);
	shard_lock(shard);
	flight_detach(shard, hash, key, key_length);
	r = remove_take_out(cache, shard, hash, key, key_length, &aftermath);
	shard_reclaim(cache, shard, false, &aftermath);
	shard_unlock(shard);
	cache_settle(cache, &aftermath);
	return r;
}

static int remove_check_text(const shipopt_cache *cache, const char *text)
{
	return text ? cache_check(cache, text, 1) : SHIPOPT_EINVAL;
}

int shipopt_cache_remove_tag(shipopt_cache *cache, const char *tag)
{
	int r = remove_check_text(cache, tag);
	if (r < 0 || !*tag || strlen(tag) > TAG_NAME_MAX)
		return r < 0 ? r : SHIPOPT_EINVAL;
	tags_invalidate(&cache->tags, tag);
	cache_changed(cache);
	return 0;
}

int shipopt_cache_clear(shipopt_cache *cache)
{
	int r = remove_check_text(cache, "");
	if (r < 0)
		return r;
	tags_clear(&cache->tags);
	cache_changed(cache);
	return 0;
}

/* Entries of one segment that match and are older than the call. Referenced, so that they can be matched without the lock. */
static size_t remove_collect(shipopt_cache *cache, struct shard *shard, const struct pattern *pattern, uint64_t ticket,
	uint64_t *position, struct entry **entries)
{
	size_t count, kept = 0;
	shard_lock(shard);
	*position = table_walk(&shard->table, *position, entries, &count);
	for (size_t i = 0; i < count; i++)
		entry_ref(entries[i]);
	shard_unlock(shard);
	for (size_t i = 0; i < count; i++) {
		bool is_chosen = entry_stamp(entries[i]) < ticket &&
			pattern_matches(pattern, entry_key(entries[i]), entries[i]->key_length);
		if (is_chosen)
			entries[kept++] = entries[i];
		else
			entry_unref(entries[i]);
	}
	return kept;
}

static uint64_t remove_take_out_list(shipopt_cache *cache, struct shard *shard, struct entry **entries, size_t count)
{
	uint64_t removed = 0;
	struct aftermath aftermath = AFTERMATH_INIT(aftermath);
	shard_lock(shard);
	for (size_t i = 0; i < count; i++) {
		struct place place;
		uint64_t hash = table_hash(&cache->hashing, entry_key(entries[i]), entries[i]->key_length);
		if (!table_locate_entry(&shard->table, hash, entries[i], &place))
			continue;
		removed += (uint64_t)remove_take_out(cache, shard, hash, entry_key(entries[i]), entries[i]->key_length,
			&aftermath);
	}
	shard_reclaim(cache, shard, false, &aftermath);
	shard_unlock(shard);
	for (size_t i = 0; i < count; i++)
		entry_unref(entries[i]);
	cache_settle(cache, &aftermath);
	return removed;
}

uint64_t cache_remove_step(shipopt_cache *cache, struct shard *shard, const struct pattern *pattern, uint64_t ticket,
	uint64_t *position)
{
	struct entry *entries[SEGMENT_SLOTS];
	if (*position == 0) {
		shard_lock(shard);
		flights_detach_matching(shard, pattern, ticket);
		shard_unlock(shard);
	}
	size_t count = remove_collect(cache, shard, pattern, ticket, position, entries);
	return count ? remove_take_out_list(cache, shard, entries, count) : 0;
}

static uint64_t remove_matching(shipopt_cache *cache, const struct pattern *pattern)
{
	uint64_t removed = 0, ticket = tags_draw(&cache->tags);
	for (unsigned i = 0; i < cache->shard_count; i++) {
		uint64_t position = 0;
		do
			removed += cache_remove_step(cache, &cache->shards[i], pattern, ticket, &position);
		while (position);
	}
	return removed;
}

int shipopt_cache_remove_pattern(shipopt_cache *cache, const char *text, uint64_t *ret_removed)
{
	int r = remove_check_text(cache, text);
	if (r < 0)
		return r;
	struct pattern pattern = {text, strlen(text), false};
	uint64_t removed = remove_matching(cache, &pattern);
	if (ret_removed)
		*ret_removed = removed;
	return 0;
}

int shipopt_cache_remove_prefix(shipopt_cache *cache, const char *prefix)
{
	int r = remove_check_text(cache, prefix);
	if (r < 0)
		return r;
	struct pattern pattern = {prefix, strlen(prefix), true};
	if (!tags_invalidate_prefix(&cache->tags, prefix, pattern.length))
		remove_matching(cache, &pattern);
	cache_changed(cache);
	return 0;
}
