/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "cache/get.h"
#include "cache/hold.h"

/*
 * A look-up: enter a read section, find the entry, judge it, count, leave. A thread without a reader record holds the shard's
 * lock instead of a section.
 *
 * Reading is waiting for memory: the less code there is to a look-up, the sooner the processor begins the next one while it
 * waits for this one. So what most hits are (a plain entry, the first match in the first bucket) is written out without a
 * call, and all else goes on in the functions that deal with everything.
 */
struct look {
	struct reader *reader;
	struct shard *shard;
};

static inline void get_look_begin(struct look *look, shipopt_cache *cache, uint64_t hash)
{
	look->reader = reader_enter();
	look->shard = cache_shard(cache, hash);
	if (UNLIKELY(!look->reader))
		shard_lock(look->shard);
}

static inline void get_look_end(const struct look *look)
{
	if (UNLIKELY(!look->reader))
		shard_unlock(look->shard);
	reader_exit(look->reader);
}

static inline void get_look_take(const struct look *look, struct entry *entry)
{
	if (LIKELY(look->reader != NULL))
		hold_take(look->reader, entry);
	else
		entry_ref(entry);
}

/* Pushes the end of an entry that dies when not read. Not for every hit: the line would wander between processors. */
static void get_extend_access(const shipopt_cache *cache, struct entry *entry)
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
static void get_move_up(shipopt_cache *cache, const struct look *look, struct entry *entry)
{
	if (look->reader)
		shard_lock(look->shard);
	if (entry_place(entry))
		cache->policy->hit(&look->shard->queues, entry);
	if (look->reader)
		shard_unlock(look->shard);
}

static NOINLINE int get_judge(shipopt_cache *cache, const struct look *look, struct entry *entry)
{
	enum state state = entry ? entry_state(cache, entry) : STATE_DEAD;
	if (state >= STATE_EXPIRED) {
		stats_add(&cache->stats, look->reader, STAT_MISSES, 1);
		return SHIPOPT_CACHE_ABSENT;
	}
	policy_count_hit(entry);
	if (UNLIKELY(cache->policy->moves_on_hit))
		get_move_up(cache, look, entry);
	if (entry->flags & ENTRY_TIMED)
		get_extend_access(cache, entry);
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

/* Alive if its time is not over, with a value, and judging it is counting it. */
static inline bool get_is_plain(const shipopt_cache *cache, const struct entry *entry)
{
	const unsigned others = ENTRY_NEGATIVE | ENTRY_TAGGED | ENTRY_PREFIXED | ENTRY_ORDERED;
	return LIKELY(!(entry->flags & others)) &&
		LIKELY(atomic_load_explicit(&cache->tags.untouched, memory_order_acquire) <= entry_stamp(entry));
}

/* By the near clock: its time is not over, it is not stale, and reading does not prolong it. */
static inline bool get_is_fresh(const shipopt_cache *cache, struct reader *reader, const struct entry *entry)
{
	const struct entry_timing *timing = entry_timing(entry);
	if (UNLIKELY(cache->clock != NULL) || UNLIKELY(!reader))
		return false;
	int64_t now = clock_near_us(&reader->clock);
	return now < atomic_load_explicit(&timing->expires_us, memory_order_relaxed) &&
		now < atomic_load_explicit(&timing->soft_us, memory_order_relaxed) &&
		atomic_load_explicit(&timing->access_us, memory_order_relaxed) == 0;
}

static inline bool get_has_value(int outcome)
{
	return outcome == SHIPOPT_CACHE_FOUND || outcome == SHIPOPT_CACHE_STALE;
}

int cache_look(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, struct entry **ret_entry)
{
	struct look look;
	get_look_begin(&look, cache, hash);
	struct entry *entry = table_find(&look.shard->table, hash, key, key_length);
	int outcome = get_judge(cache, &look, entry);
	if (outcome != SHIPOPT_CACHE_ABSENT) {
		entry_ref(entry);
		*ret_entry = entry;
	}
	get_look_end(&look);
	return outcome;
}

/* The rest of a get whose section has begun. */
static NOINLINE int get_judged(shipopt_cache *cache, struct reader *reader, struct shard *shard, struct entry *entry,
	shipopt_value **ret_value)
{
	struct look look = {reader, shard};
	int outcome = get_judge(cache, &look, entry);
	if (get_has_value(outcome)) {
		get_look_take(&look, entry);
		*ret_value = entry_handle(entry);
	}
	get_look_end(&look);
	hold_after(reader);
	return outcome;
}

static NOINLINE int get_searched(shipopt_cache *cache, struct reader *reader, uint64_t hash, const void *key,
	size_t key_length, shipopt_value **ret_value)
{
	struct shard *shard = cache_shard(cache, hash);
	return get_judged(cache, reader, shard, table_find(&shard->table, hash, key, key_length), ret_value);
}

/* For a thread's first look-up, and one without a record. */
static NOINLINE int get_anew(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length,
	shipopt_value **ret_value)
{
	struct look look;
	get_look_begin(&look, cache, hash);
	return get_searched(cache, look.reader, hash, key, key_length, ret_value);
}

/* A hit, in a section of its own. */
static inline int get_counted(shipopt_cache *cache, struct reader *reader, struct entry *entry,
	shipopt_value **ret_value)
{
	policy_count_hit(entry);
	stats_add(&cache->stats, reader, STAT_HITS, 1);
	*ret_value = entry_handle(entry);
	reader_end(reader);
	return SHIPOPT_CACHE_FOUND;
}

/* A plain entry that can expire. */
static NOINLINE int get_timed(shipopt_cache *cache, struct reader *reader, struct shard *shard, struct entry *entry,
	shipopt_value **ret_value)
{
	if (LIKELY(get_is_fresh(cache, reader, entry)) && LIKELY(hold_put(reader, entry, 0)))
		return get_counted(cache, reader, entry, ret_value);
	reader_go_on(reader);
	return get_judged(cache, reader, shard, entry, ret_value);
}

int shipopt_cache_get(shipopt_cache *cache, const void *key, size_t key_length, shipopt_value **ret_value)
{
	int r = cache_check(cache, key, key_length);
	if (UNLIKELY(r < 0 || !ret_value))
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct reader *reader = reader_quick;
	if (UNLIKELY(!reader) || UNLIKELY(!reader_begin(reader)))
		return get_anew(cache, hash, key, key_length, ret_value);
	struct shard *shard = cache_shard(cache, hash);
	struct entry *entry = table_find_first(&shard->table, hash, key, key_length);
	if (UNLIKELY(!entry)) {
		reader_go_on(reader);
		return get_searched(cache, reader, hash, key, key_length, ret_value);
	}
	bool is_simple = get_is_plain(cache, entry);
	if (LIKELY(is_simple) && entry->flags & ENTRY_TIMED)
		return get_timed(cache, reader, shard, entry, ret_value);
	if (UNLIKELY(!is_simple) || UNLIKELY(!hold_put(reader, entry, 0))) {
		reader_go_on(reader);
		return get_judged(cache, reader, shard, entry, ret_value);
	}
	return get_counted(cache, reader, entry, ret_value);
}

/* `entry`: what table_find_first() says. Plain hits are counted in *hits, for the caller to add, all else is counted by get_judge(). */
static inline int get_find_judged(shipopt_cache *cache, const struct look *look, struct entry *entry, uint64_t hash,
	const void *key, size_t key_length, unsigned *hits, struct entry **ret_entry)
{
	if (UNLIKELY(!entry))
		entry = table_find(&look->shard->table, hash, key, key_length);
	*ret_entry = entry;
	if (UNLIKELY(!entry || !get_is_plain(cache, entry)) ||
		(entry->flags & ENTRY_TIMED && UNLIKELY(!get_is_fresh(cache, look->reader, entry))))
		return get_judge(cache, look, entry);
	policy_count_hit(entry);
	++*hits;
	return SHIPOPT_CACHE_FOUND;
}

int shipopt_cache_borrow(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_borrow_fn borrow,
	void *userdata)
{
	int r = cache_check(cache, key, key_length);
	if (UNLIKELY(r < 0 || !borrow))
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct look look;
	unsigned hits = 0;
	get_look_begin(&look, cache, hash);
	struct entry *entry = table_find_first(&look.shard->table, hash, key, key_length);
	int outcome = get_find_judged(cache, &look, entry, hash, key, key_length, &hits, &entry);
	stats_add(&cache->stats, look.reader, STAT_HITS, hits);
	if (get_has_value(outcome))
		borrow(userdata, entry_value(entry), entry->value_length);
	get_look_end(&look);
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
	if (!get_has_value(r))
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
	struct look look;
	get_look_begin(&look, cache, hash);
	struct entry *entry = table_find(&look.shard->table, hash, key, key_length);
	enum state state = entry ? entry_state(cache, entry) : STATE_DEAD;
	bool is_negative = entry && entry->flags & ENTRY_NEGATIVE;
	get_look_end(&look);
	if (state >= STATE_EXPIRED)
		return SHIPOPT_CACHE_ABSENT;
	return is_negative ? SHIPOPT_CACHE_NEGATIVE : state == STATE_STALE ? SHIPOPT_CACHE_STALE : SHIPOPT_CACHE_FOUND;
}

/* One batch: every step starts its fetches for all keys before the next step needs the first. */
#define MANY_BATCH 16

struct ahead {
	uint64_t hash;
	struct shard *shard;
	struct bucket *bucket;
	struct entry *candidate;
};

static void get_look_ahead(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	struct ahead *aheads)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t hash = table_hash(&cache->hashing, keys[i], key_lengths[i]);
		struct shard *shard = cache_shard(cache, hash);
		aheads[i] = (struct ahead){hash, shard, table_bucket(&shard->table, hash), NULL};
		__builtin_prefetch(aheads[i].bucket);
	}
	for (size_t i = 0; i < count; i++) {
		aheads[i].candidate = bucket_candidate(aheads[i].bucket, aheads[i].hash);
		entry_prefetch_head(aheads[i].candidate);
	}
}

/* For a thread without a record. */
static int get_singly(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	int *outcomes, shipopt_value **values)
{
	int found = 0;
	for (size_t i = 0; i < count; i++) {
		values[i] = NULL;
		outcomes[i] = shipopt_cache_get(cache, keys[i], key_lengths[i], &values[i]);
		found += values[i] != NULL;
	}
	return found;
}

static int get_batch(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	int *outcomes, shipopt_value **values)
{
	struct ahead aheads[MANY_BATCH];
	struct look look = {.reader = reader_enter()};
	unsigned hits = 0;
	int found = 0;
	if (UNLIKELY(!look.reader))
		return get_singly(cache, count, keys, key_lengths, outcomes, values);
	get_look_ahead(cache, count, keys, key_lengths, aheads);
	for (size_t i = 0; i < count; i++) {
		struct entry *entry = candidate_match(aheads[i].candidate, keys[i], key_lengths[i]);
		look.shard = aheads[i].shard;
		outcomes[i] =
			get_find_judged(cache, &look, entry, aheads[i].hash, keys[i], key_lengths[i], &hits, &entry);
		values[i] = get_has_value(outcomes[i]) ? entry_handle(entry) : NULL;
		if (values[i]) {
			get_look_take(&look, entry);
			found++;
		}
	}
	stats_add(&cache->stats, look.reader, STAT_HITS, hits);
	reader_exit(look.reader);
	hold_after(look.reader);
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
