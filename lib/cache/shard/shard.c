/* SPDX-License-Identifier: MIT */
#include "cache/shard/shard.h"

#include "cache/entry/state.h"
#include "cache/shard/bounds.h"
#include "cache/shard/deferred.h"
#include "cache/shard/removal.h"

#define SPINS 100
#define EVICT_BATCH 16 /* victims in one locked section */
#define TIDY_WITH_WRITE 8
#define SWEEP_EVERY 16 /* writes */

int shard_init(struct shard *shard, shipopt_cache *cache)
{
	int r = table_init(&shard->table, &cache->hashing);
	if (r < 0)
		return r;
	pthread_mutex_init(&shard->lock, NULL);
	size_t entries = cache->entries_max == SIZE_MAX ? SIZE_MAX : MAX(1, cache->entries_max / cache->shard_count);
	queues_init(&shard->queues, entries, MAX(1, cache->bytes_max / cache->shard_count));
	wheel_init(&shard->wheel, cache->created_us);
	shard->limbo.due = LIMBO_BATCH;
	return 0;
}

void shard_done(struct shard *shard)
{
	table_done(&shard->table);
	ghost_done(&shard->queues.ghost);
	pthread_mutex_destroy(&shard->lock);
}

static void shard_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

void shard_lock(struct shard *shard)
{
	for (int i = 0; i < SPINS; i++) {
		if (pthread_mutex_trylock(&shard->lock) == 0)
			return;
		shard_relax();
	}
	pthread_mutex_lock(&shard->lock);
}

void shard_unlock(struct shard *shard)
{
	pthread_mutex_unlock(&shard->lock);
}

static void shard_reserve(shipopt_cache *cache, size_t entries, size_t bytes)
{
	if (entries)
		atomic_fetch_add_explicit(&cache->entries, entries, memory_order_relaxed);
	atomic_fetch_add_explicit(&cache->bytes, bytes, memory_order_relaxed);
}

static bool shard_is_dead(void *context, const struct entry *entry)
{
	return !entry_is_usable(context, entry);
}

/* For an entry that is in no structure of the shard any more. */
static void shard_leave(shipopt_cache *cache, struct shard *shard, struct entry *entry, int cause,
	struct deferred *deferred)
{
	shard->left[cause]++;
	shard->left_bytes[cause] += entry_weight(entry);
	entry_set_mark(entry, (unsigned)cause << ENTRY_CAUSE_SHIFT);
	if (!(entry->flags & ENTRY_NOT_FOUND) && removal_is_wanted(cache))
		list_push_back(&deferred->removed, &entry->link.queue);
	else
		limbo_add_entry(&shard->limbo, entry);
}

void shard_unlink(shipopt_cache *cache, struct shard *shard, uint64_t hash, const struct table_position *position,
	struct entry *entry, int cause, struct deferred *deferred)
{
	table_remove(&shard->table, hash, position);
	queues_remove(&shard->queues, entry);
	if (entry->flags & ENTRY_TIMED)
		wheel_remove(entry);
	atomic_fetch_sub_explicit(&cache->entries, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&cache->bytes, entry_weight(entry), memory_order_relaxed);
	shard_leave(cache, shard, entry, cause, deferred);
}

/* For an entry that is known to be in the index. */
static void shard_unlink_entry(shipopt_cache *cache, struct shard *shard, struct entry *entry, int cause,
	struct deferred *deferred)
{
	struct table_position position;
	uint64_t hash = table_hash(&cache->hashing, entry_key(entry), entry->key_length);
	ASSERT(table_locate_entry(&shard->table, hash, entry, &position));
	cause = entry_cause(cache, entry, cause);
	if (cause == SHIPOPT_CACHE_CAUSE_EVICTED)
		cache->policy->forget(&shard->queues, entry, hash);
	shard_unlink(cache, shard, hash, &position, entry, cause, deferred);
}

size_t shard_evict(shipopt_cache *cache, struct shard *shard, const struct entry *keep, size_t count,
	struct deferred *deferred)
{
	size_t evicted = 0;
	bool by_bytes;
	while (evicted < count && bounds_are_exceeded(cache, &by_bytes)) {
		struct entry *entry = cache->policy->victim(&shard->queues, keep, by_bytes, shard_is_dead, cache);
		if (!entry)
			break;
		shard_unlink_entry(cache, shard, entry, SHIPOPT_CACHE_CAUSE_EVICTED, deferred);
		evicted++;
	}
	return evicted;
}

void shard_swap(shipopt_cache *cache, struct shard *shard, const struct table_position *position, struct entry *old,
	struct entry *entry)
{
	shard_reserve(cache, 0, entry_weight(entry) - entry_weight(old));
	entry_publish(entry);
	table_replace(position, entry);
	queues_replace(&shard->queues, old, entry);
	if (old->flags & ENTRY_TIMED)
		wheel_remove(old);
	if (entry->flags & ENTRY_TIMED)
		wheel_add(&shard->wheel, entry);
	entry_set_mark(old, 0);
}

static void shard_store_over(shipopt_cache *cache, struct shard *shard, const struct table_position *position,
	struct entry *old, struct entry *entry, struct deferred *deferred)
{
	int cause = entry_cause(cache, old, SHIPOPT_CACHE_CAUSE_REPLACED);
	shard_swap(cache, shard, position, old, entry);
	shard_leave(cache, shard, old, cause, deferred);
	if (cache->policy->moves_on_hit)
		cache->policy->hit(&shard->queues, entry);
	shard_evict(cache, shard, entry, EVICT_BATCH, deferred);
}

static int shard_store_new(shipopt_cache *cache, struct shard *shard, uint64_t hash, struct entry *entry,
	struct deferred *deferred)
{
	shard_reserve(cache, 1, entry_weight(entry));
	shard_evict(cache, shard, NULL, EVICT_BATCH, deferred);
	int r;
	entry_publish(entry);
	while ((r = table_insert(&shard->table, &shard->limbo, hash, entry)) == SHIPOPT_EAGAIN) {
		/* Only colliding hashes bring us here. One of the colliding entries makes room. */
		struct entry *neighbour = table_neighbour(&shard->table, hash);
		if (!neighbour)
			break;
		shard_unlink_entry(cache, shard, neighbour, SHIPOPT_CACHE_CAUSE_EVICTED, deferred);
	}
	if (r < 0) {
		entry_unpublish(entry);
		atomic_fetch_sub_explicit(&cache->entries, 1, memory_order_relaxed);
		atomic_fetch_sub_explicit(&cache->bytes, entry_weight(entry), memory_order_relaxed);
		return r == SHIPOPT_EAGAIN ? SHIPOPT_ENOMEM : r;
	}
	cache->policy->admit(&shard->queues, entry, hash);
	if (entry->flags & ENTRY_TIMED)
		wheel_add(&shard->wheel, entry);
	return 0;
}

static bool shard_holds(const shipopt_cache *cache, enum store_when when, uint64_t version, const struct entry *old,
	const struct entry *entry)
{
	bool is_live = old && entry_is_usable(cache, old) && !(old->flags & ENTRY_NOT_FOUND);
	switch (when) {
	case STORE_IF_ABSENT: return !is_live;
	case STORE_IF_PRESENT: return is_live;
	case STORE_IF_VERSION: return is_live && entry_stamp(old) == version;
	case STORE_IF_OLDER:
		return !(old && entry_stamp(old) > entry_stamp(entry)) &&
			entry_state(cache, entry) != STATE_INVALIDATED;
	default: return true;
	}
}

int shard_store(shipopt_cache *cache, struct shard *shard, uint64_t hash, struct entry *entry, enum store_when when,
	uint64_t version, struct deferred *deferred)
{
	struct table_position position;
	struct entry *old = table_locate(&shard->table, hash, entry_key(entry), entry->key_length, &position);
	if (!shard_holds(cache, when, version, old, entry))
		return 0;
	int r = 0;
	if (old)
		shard_store_over(cache, shard, &position, old, entry, deferred);
	else
		r = shard_store_new(cache, shard, hash, entry, deferred);
	if (r < 0)
		return r;
	shard->stored++;
	shard_tidy(cache, shard, TIDY_WITH_WRITE, deferred);
	shard_reclaim(cache, shard, false, deferred);
	return 1;
}

/* Unlinks the invalidated entries of one table segment. */
static void shard_sweep_segment(shipopt_cache *cache, struct shard *shard, struct deferred *deferred)
{
	struct entry *entries[SEGMENT_SLOTS];
	size_t count;
	shard->sweep_position = table_walk(&shard->table, shard->sweep_position, entries, &count);
	for (size_t i = 0; i < count; i++)
		if (shard_is_dead(cache, entries[i]))
			shard_unlink_entry(cache, shard, entries[i], SHIPOPT_CACHE_CAUSE_INVALIDATED, deferred);
	if (shard->sweep_position == 0)
		shard->swept_ticket = shard->sweep_ticket;
}

static bool shard_sweep_is_due(shipopt_cache *cache, struct shard *shard)
{
	if (shard->sweep_position)
		return true;
	uint64_t last = atomic_load_explicit(&cache->tags.last_sweep, memory_order_acquire);
	if (last <= shard->swept_ticket)
		return false;
	shard->sweep_ticket = last;
	return true;
}

bool shard_tidy(shipopt_cache *cache, struct shard *shard, size_t budget, struct deferred *deferred)
{
	bool is_write = budget == TIDY_WITH_WRITE;
	/* A slot of the wheel lasts a quarter of a second, so most writes need not read the clock. */
	if (is_write && shard->stored % SWEEP_EVERY)
		return false;
	int64_t now = cache_now_us(cache);
	struct entry *entry;
	while ((entry = wheel_next(&shard->wheel, now, &budget)))
		shard_unlink_entry(cache, shard, entry, SHIPOPT_CACHE_CAUSE_EXPIRED, deferred);
	bool is_due = shard_sweep_is_due(cache, shard);
	if (is_due)
		shard_sweep_segment(cache, shard, deferred);
	return budget == 0 || is_due;
}

bool shard_is_idle(shipopt_cache *cache, const struct shard *shard)
{
	for (size_t i = 0; i < FLIGHT_LISTS; i++)
		if (shard->flights[i])
			return false;
	return shard->limbo.count == 0 && shard->sweep_position == 0 && wheel_is_empty(&shard->wheel) &&
		atomic_load(&cache->tags.last_sweep) <= shard->swept_ticket;
}

void shard_reclaim(shipopt_cache *cache, struct shard *shard, bool force, struct deferred *deferred)
{
	if (force || limbo_is_due(&shard->limbo, cache->limbo_bytes_max))
		limbo_ready(&shard->limbo, &deferred->garbage);
}

void shard_close(shipopt_cache *cache, struct shard *shard, struct deferred *deferred)
{
	struct fifo *fifos[] = {&shard->queues.small, &shard->queues.main};
	for (size_t i = 0; i < ARRAY_SIZE(fifos); i++)
		for (struct entry *entry; (entry = fifo_oldest(fifos[i]));)
			shard_unlink_entry(cache, shard, entry, SHIPOPT_CACHE_CAUSE_CLOSED, deferred);
}
