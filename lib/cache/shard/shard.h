/* SPDX-License-Identifier: MIT */
#ifndef CACHE_SHARD_H
#define CACHE_SHARD_H

#include <pthread.h>

#include "cache/entry/wheel.h"
#include "cache/policy/policy.h"
#include "cache/reclaim/limbo.h"
#include "cache/table/table.h"

/*
 * A shard: one part of a cache, with its own lock, index, eviction queues, timer wheel and limbo.
 *
 * Readers search the index without the lock. Everything else needs it. No function of the application is called under
 * it. What must be done after unlocking is collected in a struct deferred (cache/shard/deferred.h).
 *
 * The lock spins for a short while before it sleeps, because the locked sections are shorter than sleeping and waking
 * up.
 */
struct deferred;
struct flight;

#define CAUSE_COUNT 7
#define FLIGHT_BUCKETS 16
/* The list after the buckets: detached flights whose waiters still have time limits. */
#define FLIGHT_STRAYS FLIGHT_BUCKETS
#define FLIGHT_LISTS (FLIGHT_BUCKETS + 1)

struct shard {
	_Alignas(CACHE_LINE_BYTES) struct table table;
	_Alignas(CACHE_LINE_BYTES) pthread_mutex_t lock;
	struct queues queues;
	struct limbo limbo;
	struct wheel wheel;
	struct flight *flights[FLIGHT_LISTS];
	uint64_t sweep_position;             /* in the table, of the sweep under way; 0: none */
	uint64_t sweep_ticket, swept_ticket; /* of the sweep under way, of the last that ended */
	uint64_t stored;
	uint64_t left[CAUSE_COUNT], left_bytes[CAUSE_COUNT];
};

/* The condition of a write. */
enum store_when {
	STORE_ALWAYS,
	STORE_IF_ABSENT,
	STORE_IF_PRESENT,
	STORE_IF_VERSION,
	STORE_IF_OLDER /* for loads: the stored entry was written before the load began */
};

int shard_init(struct shard *shard, shipopt_cache *cache);
/* For a cache that nobody uses any more. Unlinks all entries with the cause CLOSED. */
void shard_close(shipopt_cache *cache, struct shard *shard, struct deferred *deferred);
void shard_done(struct shard *shard);

void shard_lock(struct shard *shard);
void shard_unlock(struct shard *shard);

/* All functions below need the lock. */

/* Publishes an entry and takes over the caller's reference. Returns 1, or 0 if the condition does not hold, or
 * SHIPOPT_ENOMEM. Unless it returns 1 the caller keeps the reference. */
int shard_store(shipopt_cache *cache, struct shard *shard, uint64_t hash, struct entry *entry, enum store_when when,
	uint64_t version, struct deferred *deferred);
/* Takes an entry out of the shard for `cause`. */
void shard_unlink(shipopt_cache *cache, struct shard *shard, uint64_t hash, const struct table_position *position,
	struct entry *entry, int cause, struct deferred *deferred);
/* Puts `entry` where `old` is: the same value with other times. The caller puts `old` in the limbo. */
void shard_swap(shipopt_cache *cache, struct shard *shard, const struct table_position *position, struct entry *old,
	struct entry *entry);
/* Evicts up to `count` entries while the bounds of the cache are exceeded. Returns how many. */
size_t shard_evict(shipopt_cache *cache, struct shard *shard, const struct entry *keep, size_t count,
	struct deferred *deferred);
/* Unlinks dead entries: those that the wheel finds, up to `budget`, and those of one table segment if an invalidation
 * left some. Returns false when nothing more is to be done. */
bool shard_tidy(shipopt_cache *cache, struct shard *shard, size_t budget, struct deferred *deferred);
/* Whether time and readers will change nothing here: no entry with a time, no load in flight, nothing dead. */
bool shard_is_idle(shipopt_cache *cache, const struct shard *shard);
/* Moves what no reader can see to `deferred`. Without `force`, only if enough has gathered. */
void shard_reclaim(shipopt_cache *cache, struct shard *shard, bool force, struct deferred *deferred);

#endif
