/* SPDX-License-Identifier: MIT */
#include "cache/shard.h"

#include "cache/cache.h"
#include "cache/flight.h"

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
	wheel_init(&shard->wheel, cache->born_us);
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
	return entry_state(context, entry) >= STATE_EXPIRED;
}

int entry_cause(shipopt_cache *cache, const struct entry *entry, int cause)
{
	enum state state = entry_state(cache, entry);
	if (state == STATE_DEAD)
		return SHIPOPT_CAUSE_TAG;
	if (state >= STATE_EXPIRED && entry->flags & ENTRY_TIMED && entry_state_timed(cache, entry) == STATE_EXPIRED)
		return SHIPOPT_CAUSE_EXPIRED;
	if (state != STATE_SWEPT)
		return cause;
	sweeps_count(&cache->keeper->sweeps, entry_key(entry), entry->key_length, entry_stamp(entry));
	return SHIPOPT_CAUSE_REMOVED;
}

/* The entry is in no structure of the shard any more. */
static void shard_leave(shipopt_cache *cache, struct shard *shard, struct entry *entry, int cause,
	struct aftermath *aftermath)
{
	shard->left[cause]++;
	shard->left_bytes[cause] += entry_weight(entry);
	entry_set_mark(entry, (unsigned)cause << ENTRY_CAUSE_SHIFT);
	if (cache->listener && !(entry->flags & ENTRY_NEGATIVE))
		list_push_back(&aftermath->removed, &entry->link.queue);
	else
		limbo_add_entry(&shard->limbo, entry);
}

void shard_unlink(shipopt_cache *cache, struct shard *shard, uint64_t hash, const struct place *place,
	struct entry *entry, int cause, struct aftermath *aftermath)
{
	table_remove(&shard->table, hash, place);
	queues_remove(&shard->queues, entry);
	if (entry->flags & ENTRY_TIMED)
		wheel_remove(entry);
	atomic_fetch_sub_explicit(&cache->entries, 1, memory_order_relaxed);
	atomic_fetch_sub_explicit(&cache->bytes, entry_weight(entry), memory_order_relaxed);
	shard_leave(cache, shard, entry, cause, aftermath);
}

/* Of an entry that is known to be in. */
static void shard_unlink_entry(shipopt_cache *cache, struct shard *shard, struct entry *entry, int cause,
	struct aftermath *aftermath)
{
	struct place place;
	uint64_t hash = table_hash(&cache->hashing, entry_key(entry), entry->key_length);
	ASSERT(table_locate_entry(&shard->table, hash, entry, &place));
	cause = entry_cause(cache, entry, cause);
	if (cause == SHIPOPT_CAUSE_EVICTED)
		cache->policy->forget(&shard->queues, entry, hash);
	shard_unlink(cache, shard, hash, &place, entry, cause, aftermath);
}

size_t shard_evict(shipopt_cache *cache, struct shard *shard, const struct entry *keep, size_t count,
	struct aftermath *aftermath)
{
	size_t evicted = 0;
	bool by_bytes;
	while (evicted < count && cache_is_over(cache, &by_bytes)) {
		struct entry *entry = cache->policy->victim(&shard->queues, keep, by_bytes, shard_is_dead, cache);
		if (!entry)
			break;
		shard_unlink_entry(cache, shard, entry, SHIPOPT_CAUSE_EVICTED, aftermath);
		evicted++;
	}
	return evicted;
}

void shard_swap(shipopt_cache *cache, struct shard *shard, const struct place *place, struct entry *old,
	struct entry *entry)
{
	shard_reserve(cache, 0, entry_weight(entry) - entry_weight(old));
	entry_publish(entry);
	table_replace(place, entry);
	queues_replace(&shard->queues, old, entry);
	if (old->flags & ENTRY_TIMED)
		wheel_remove(old);
	if (entry->flags & ENTRY_TIMED)
		wheel_add(&shard->wheel, entry);
	entry_set_mark(old, 0);
}

static void shard_store_over(shipopt_cache *cache, struct shard *shard, const struct place *place, struct entry *old,
	struct entry *entry, struct aftermath *aftermath)
{
	int cause = entry_cause(cache, old, SHIPOPT_CAUSE_REPLACED);
	shard_swap(cache, shard, place, old, entry);
	shard_leave(cache, shard, old, cause, aftermath);
	if (cache->policy->moves_on_hit)
		cache->policy->hit(&shard->queues, entry);
	shard_evict(cache, shard, entry, EVICT_BATCH, aftermath);
}

static int shard_store_new(shipopt_cache *cache, struct shard *shard, uint64_t hash, struct entry *entry,
	struct aftermath *aftermath)
{
	shard_reserve(cache, 1, entry_weight(entry));
	shard_evict(cache, shard, NULL, EVICT_BATCH, aftermath);
	int r;
	entry_publish(entry);
	while ((r = table_insert(&shard->table, &shard->limbo, hash, entry)) == SHIPOPT_EAGAIN) {
		/* Only hashes that agree bring us here. One of theirs makes room. */
		struct entry *neighbour = table_neighbour(&shard->table, hash);
		if (!neighbour)
			break;
		shard_unlink_entry(cache, shard, neighbour, SHIPOPT_CAUSE_EVICTED, aftermath);
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
	bool is_live = old && entry_state(cache, old) <= STATE_STALE && !(old->flags & ENTRY_NEGATIVE);
	switch (when) {
	case STORE_IF_ABSENT: return !is_live;
	case STORE_IF_PRESENT: return is_live;
	case STORE_IF_VERSION: return is_live && entry_stamp(old) == version;
	case STORE_IF_OLDER:
		return !(old && entry_stamp(old) > entry_stamp(entry)) && entry_state(cache, entry) < STATE_DEAD;
	default: return true;
	}
}

int shard_store(shipopt_cache *cache, struct shard *shard, uint64_t hash, struct entry *entry, enum store_when when,
	uint64_t version, struct aftermath *aftermath)
{
	struct place place;
	struct entry *old = table_locate(&shard->table, hash, entry_key(entry), entry->key_length, &place);
	/* Its ticket was drawn before that of a pattern which is being swept, but it is written after. */
	if (when != STORE_IF_OLDER && entry_is_swept(cache, entry))
		entry->stamp = tags_draw(&cache->tags) << 8 | (entry->stamp & 0xff);
	if (!shard_holds(cache, when, version, old, entry))
		return 0;
	int r = 0;
	if (old)
		shard_store_over(cache, shard, &place, old, entry, aftermath);
	else
		r = shard_store_new(cache, shard, hash, entry, aftermath);
	if (r < 0)
		return r;
	shard->stored++;
	shard_tidy(cache, shard, TIDY_WITH_WRITE, aftermath);
	shard_reclaim(cache, shard, false, aftermath);
	return 1;
}

/* One segment of the table: what invalidations have left behind. */
static void shard_sweep_segment(shipopt_cache *cache, struct shard *shard, struct aftermath *aftermath)
{
	struct entry *entries[SEGMENT_SLOTS];
	size_t count;
	shard->sweep_position = table_walk(&shard->table, shard->sweep_position, entries, &count);
	for (size_t i = 0; i < count; i++)
		if (shard_is_dead(cache, entries[i]))
			shard_unlink_entry(cache, shard, entries[i], SHIPOPT_CAUSE_TAG, aftermath);
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

bool shard_tidy(shipopt_cache *cache, struct shard *shard, size_t budget, struct aftermath *aftermath)
{
	bool is_write = budget == TIDY_WITH_WRITE;
	/* The wheel's slots are a quarter of a second: looking at the clock with each write would be for nothing. */
	if (is_write && shard->stored % SWEEP_EVERY)
		return false;
	int64_t now = cache_now(cache);
	struct entry *entry;
	while ((entry = wheel_next(&shard->wheel, now, &budget)))
		shard_unlink_entry(cache, shard, entry, SHIPOPT_CAUSE_EXPIRED, aftermath);
	bool is_due = shard_sweep_is_due(cache, shard);
	if (is_due)
		shard_sweep_segment(cache, shard, aftermath);
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

void shard_reclaim(shipopt_cache *cache, struct shard *shard, bool force, struct aftermath *aftermath)
{
	if (force || limbo_is_due(&shard->limbo, cache->limbo_bytes_max))
		limbo_ready(&shard->limbo, &aftermath->garbage);
}

void shard_close(shipopt_cache *cache, struct shard *shard, struct aftermath *aftermath)
{
	struct fifo *fifos[] = {&shard->queues.small, &shard->queues.main};
	for (size_t i = 0; i < ARRAY_SIZE(fifos); i++)
		for (struct entry *entry; (entry = fifo_oldest(fifos[i]));)
			shard_unlink_entry(cache, shard, entry, SHIPOPT_CAUSE_CLOSED, aftermath);
}
