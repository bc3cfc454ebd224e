/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cache/entry/pattern.h"
#include "cache/entry/state.h"
#include "cache/flight/flight.h"
#include "cache/maintenance/maintenance.h"
#include "cache/shard/deferred.h"

/*
 * Removing entries: one key, a tag, a prefix, a pattern, or everything.
 *
 * Tags, registered prefixes and clearing only draw a ticket (cache/entry/tag.h). A pattern goes through the index a
 * segment at a time: keys are matched without a lock, the matching entries are then unlinked under it. Entries written
 * after the call began have a higher ticket and stay.
 */
static int remove_locked(shipopt_cache *cache, struct shard *shard, uint64_t hash, const void *key, size_t key_length,
	struct deferred *deferred)
{
	struct table_position position;
	struct entry *entry = table_locate(&shard->table, hash, key, key_length, &position);
	if (!entry)
		return 0;
	bool is_usable = entry_is_usable(cache, entry);
	int cause = entry_cause(cache, entry, SHIPOPT_CACHE_CAUSE_REMOVED);
	shard_unlink(cache, shard, hash, &position, entry, cause, deferred);
	return is_usable;
}

int shipopt_cache_remove(shipopt_cache *cache, const void *key, size_t key_length)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0)
		return r;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct shard *shard = cache_shard(cache, hash);
	struct deferred deferred = DEFERRED_INIT(deferred);
	shard_lock(shard);
	flight_detach(shard, hash, key, key_length);
	r = remove_locked(cache, shard, hash, key, key_length, &deferred);
	shard_reclaim(cache, shard, false, &deferred);
	shard_unlock(shard);
	deferred_run(cache, &deferred);
	return r;
}

static int remove_check_text(const shipopt_cache *cache, const char *text)
{
	return text ? cache_check_handle(cache) : SHIPOPT_EINVAL;
}

int shipopt_cache_remove_tag(shipopt_cache *cache, const char *tag)
{
	int r = remove_check_text(cache, tag);
	if (r < 0 || !*tag || strlen(tag) > TAG_NAME_MAX)
		return r < 0 ? r : SHIPOPT_EINVAL;
	tags_invalidate(&cache->tags, tag);
	maintenance_notice(cache);
	return 0;
}

int shipopt_cache_clear(shipopt_cache *cache)
{
	int r = cache_check_handle(cache);
	if (r < 0)
		return r;
	tags_clear(&cache->tags);
	maintenance_notice(cache);
	return 0;
}

/* ---- patterns ---------------------------------------------------------------------------------------------- */

/* References the entries of one segment that match and are older than the call. */
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

static uint64_t remove_collected(shipopt_cache *cache, struct shard *shard, struct entry **entries, size_t count)
{
	uint64_t removed = 0;
	struct deferred deferred = DEFERRED_INIT(deferred);
	shard_lock(shard);
	for (size_t i = 0; i < count; i++) {
		struct table_position position;
		uint64_t hash = table_hash(&cache->hashing, entry_key(entries[i]), entries[i]->key_length);
		/* It may have been replaced since it was collected. */
		if (table_locate_entry(&shard->table, hash, entries[i], &position))
			removed += (uint64_t)remove_locked(cache, shard, hash, entry_key(entries[i]),
				entries[i]->key_length, &deferred);
	}
	shard_reclaim(cache, shard, false, &deferred);
	shard_unlock(shard);
	for (size_t i = 0; i < count; i++)
		entry_unref(entries[i]);
	deferred_run(cache, &deferred);
	return removed;
}

static uint64_t remove_from_shard(shipopt_cache *cache, struct shard *shard, const struct pattern *pattern,
	uint64_t ticket)
{
	struct entry *entries[SEGMENT_SLOTS];
	uint64_t removed = 0, position = 0;
	shard_lock(shard);
	flights_detach_matching(shard, pattern, ticket);
	shard_unlock(shard);
	do {
		size_t count = remove_collect(cache, shard, pattern, ticket, &position, entries);
		removed += count ? remove_collected(cache, shard, entries, count) : 0;
	} while (position);
	return removed;
}

static uint64_t remove_matching(shipopt_cache *cache, const struct pattern *pattern)
{
	uint64_t removed = 0, ticket = tags_draw(&cache->tags);
	for (unsigned i = 0; i < cache->shard_count; i++)
		removed += remove_from_shard(cache, &cache->shards[i], pattern, ticket);
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
	maintenance_notice(cache);
	return 0;
}
