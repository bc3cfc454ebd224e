/* SPDX-License-Identifier: MIT */
#include "cache/access/get.h"

#include <string.h>

#include "cache/access/lookup.h"

/*
 * Looking one key up.
 *
 * shipopt_cache_get() is written out for speed. Most hits are a simple entry in the first slot that matches, and they
 * take this way, without a call:
 *
 *   shipopt_cache_get()         finds the entry, pins it, and ends in get_hit()
 *   get_expiring()              the same for an entry with a TTL, which needs the clock
 *   get_slow()                  everything else
 */
int get_entry(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, struct entry **ret_entry)
{
	struct lookup lookup;
	lookup_begin(&lookup, cache, hash);
	struct entry *entry = table_find(&lookup.shard->table, hash, key, key_length);
	int outcome = lookup_classify(cache, &lookup, entry);
	if (outcome != SHIPOPT_CACHE_ABSENT) {
		entry_ref(entry);
		*ret_entry = entry;
	}
	lookup_end(&lookup);
	return outcome;
}

static int get_classified(shipopt_cache *cache, const struct lookup *lookup, struct entry *entry,
	shipopt_value **ret_value)
{
	int outcome = lookup_classify(cache, lookup, entry);
	if (outcome_has_value(outcome)) {
		lookup_take(lookup, entry);
		*ret_value = entry_handle(entry);
	}
	lookup_end(lookup);
	pin_after_section(lookup->reader);
	return outcome;
}

/* `reader` is in its section, or NULL: then the section has not begun. `entry` NULL: not searched for yet. */
static NOINLINE int get_slow(shipopt_cache *cache, struct reader *reader, struct entry *entry, uint64_t hash,
	const void *key, size_t key_length, shipopt_value **ret_value)
{
	struct lookup lookup = {reader, cache_shard(cache, hash)};
	if (reader)
		reader_continue(reader);
	else
		lookup_begin(&lookup, cache, hash);
	if (!entry)
		entry = table_find(&lookup.shard->table, hash, key, key_length);
	return get_classified(cache, &lookup, entry, ret_value);
}

/* For an entry that is pinned: counts the hit and leaves the section. */
static inline int get_hit(shipopt_cache *cache, struct reader *reader, struct entry *entry, shipopt_value **ret_value)
{
	policy_count_hit(entry);
	stats_add(&cache->stats, reader, STAT_HITS, 1);
	*ret_value = entry_handle(entry);
	reader_end(reader);
	return SHIPOPT_CACHE_FOUND;
}

static NOINLINE int get_expiring(shipopt_cache *cache, struct reader *reader, struct shard *shard, struct entry *entry,
	shipopt_value **ret_value)
{
	if (LIKELY(lookup_is_fresh(cache, reader, entry)) && LIKELY(pin_try(reader, entry, 0)))
		return get_hit(cache, reader, entry, ret_value);
	struct lookup lookup = {reader, shard};
	reader_continue(reader);
	return get_classified(cache, &lookup, entry, ret_value);
}

int shipopt_cache_get(shipopt_cache *cache, const void *key, size_t key_length, shipopt_value **ret_value)
{
	int r = cache_check(cache, key, key_length);
	if (UNLIKELY(r < 0 || !ret_value))
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct reader *reader = reader_quick;
	if (UNLIKELY(!reader) || UNLIKELY(!reader_begin(reader)))
		return get_slow(cache, NULL, NULL, hash, key, key_length, ret_value);
	struct shard *shard = cache_shard(cache, hash);
	struct entry *entry = table_find_first(&shard->table, hash, key, key_length);
	bool is_simple = LIKELY(entry != NULL) && lookup_is_simple(cache, entry);
	if (LIKELY(is_simple) && entry->flags & ENTRY_TIMED)
		return get_expiring(cache, reader, shard, entry, ret_value);
	if (UNLIKELY(!is_simple) || UNLIKELY(!pin_try(reader, entry, 0)))
		return get_slow(cache, reader, entry, hash, key, key_length, ret_value);
	return get_hit(cache, reader, entry, ret_value);
}

int shipopt_cache_borrow(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_borrow_fn borrow,
	void *userdata)
{
	int r = cache_check(cache, key, key_length);
	if (UNLIKELY(r < 0 || !borrow))
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct lookup lookup;
	unsigned hits = 0;
	lookup_begin(&lookup, cache, hash);
	struct entry *entry = table_find_first(&lookup.shard->table, hash, key, key_length);
	int outcome = lookup_find(cache, &lookup, entry, hash, key, key_length, &hits, &entry);
	stats_add(&cache->stats, lookup.reader, STAT_HITS, hits);
	if (outcome_has_value(outcome))
		borrow(userdata, entry_value(entry), entry->value_length);
	lookup_end(&lookup);
	return outcome;
}

int shipopt_cache_get_copy(shipopt_cache *cache, const void *key, size_t key_length, void *buffer, size_t buffer_size,
	size_t *ret_length)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0 || !ret_length || (!buffer && buffer_size))
		return r < 0 ? r : SHIPOPT_EINVAL;
	shipopt_value *value;
	r = shipopt_cache_get(cache, key, key_length, &value);
	if (!outcome_has_value(r))
		return r;
	const struct entry *entry = value_entry(value);
	*ret_length = entry->value_length;
	if (entry->value_length > buffer_size)
		r = SHIPOPT_ETOOLARGE;
	else if (entry->value_length)
		memcpy(buffer, entry_value(entry), entry->value_length);
	shipopt_value_unref(value);
	return r;
}

int shipopt_cache_peek(shipopt_cache *cache, const void *key, size_t key_length)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0)
		return r;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct lookup lookup;
	lookup_begin(&lookup, cache, hash);
	struct entry *entry = table_find(&lookup.shard->table, hash, key, key_length);
	enum entry_state state = entry ? entry_state(cache, entry) : STATE_INVALIDATED;
	bool is_not_found = entry && entry->flags & ENTRY_NOT_FOUND;
	lookup_end(&lookup);
	if (state > STATE_STALE)
		return SHIPOPT_CACHE_ABSENT;
	return is_not_found            ? SHIPOPT_CACHE_NOT_FOUND
		: state == STATE_STALE ? SHIPOPT_CACHE_STALE
				       : SHIPOPT_CACHE_FOUND;
}
