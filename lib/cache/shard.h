/* SPDX-License-Identifier: MIT */
#ifndef CACHE_SHARD_H
#define CACHE_SHARD_H

#include <pthread.h>

#include "cache/expiry.h"
#include "cache/limbo.h"
#include "cache/policy.h"
#include "cache/table.h"

/*
 * One part of a cache: its own lock, index, queues, wheel and limbo. Everything but looking into the index needs the lock;
 * nothing that the host wrote is called under it.
 *
 * The lock spins for a short while before it sleeps: sections are shorter than going to sleep and waking up.
 */
struct aftermath;
struct flight;

#define CAUSE_COUNT 7
#define FLIGHT_BUCKETS 16
/* Behind the buckets: those that were detached while somebody may wait, for their time limits. */
#define FLIGHT_STRAYS FLIGHT_BUCKETS
#define FLIGHT_LISTS (FLIGHT_BUCKETS + 1)

struct shard {
	_Alignas(CACHE_LINE_BYTES) struct table table;
	_Alignas(CACHE_LINE_BYTES) pthread_mutex_t lock;
	struct queues queues;
	struct limbo limbo;
	struct wheel wheel;
	struct flight *flights[FLIGHT_LISTS];
	uint64_t sweep_position;
	uint64_t sweep_ticket, swept_ticket; /* of the sweep that runs, of the last that ended */
	uint64_t stored;
	uint64_t left[CAUSE_COUNT], left_bytes[CAUSE_COUNT];
};

enum store_when {
	STORE_ALWAYS,
	STORE_IF_ABSENT = SHIPOPT_CACHE_IF_ABSENT,
	STORE_IF_PRESENT = SHIPOPT_CACHE_IF_PRESENT,
	STORE_IF_VERSION = SHIPOPT_CACHE_IF_VERSION,
	STORE_IF_OLDER /* what is stored was written before the entry's ticket was drawn */
};

int shard_init(struct shard *shard, shipopt_cache *cache);
/* Nobody uses the cache any more. Hands all entries to the aftermath, with the cause CLOSED if they were alive. */
void shard_close(shipopt_cache *cache, struct shard *shard, struct aftermath *aftermath);
void shard_done(struct shard *shard);

void shard_lock(struct shard *shard);
void shard_unlock(struct shard *shard);

/* All below: shard locked. */

/* Publishes an entry and takes over the caller's reference. 1; 0 if `when` does not hold; SHIPOPT_ENOMEM. In the last two cases
 * the reference stays the caller's. */
int shard_store(shipopt_cache *cache, struct shard *shard, uint64_t hash, struct entry *entry, enum store_when when,
	uint64_t version, struct aftermath *aftermath);
/* Takes an entry out for `cause`. */
void shard_unlink(shipopt_cache *cache, struct shard *shard, uint64_t hash, const struct place *place,
	struct entry *entry, int cause, struct aftermath *aftermath);
/* `entry` stands for `old` from now on: the same value with other times. */
void shard_swap(shipopt_cache *cache, struct shard *shard, const struct place *place, struct entry *old,
	struct entry *entry);
/* Evicts up to `count` entries while the cache is over its bounds. */
size_t shard_evict(shipopt_cache *cache, struct shard *shard, const struct entry *keep, size_t count,
	struct aftermath *aftermath);
/* A step of giving back dead memory: `budget` entries of the wheel, and one segment if a sweep is due. False when there is
 * nothing more to do. */
bool shard_tidy(shipopt_cache *cache, struct shard *shard, size_t budget, struct aftermath *aftermath);
/* Time, readers or a sweep will change nothing here: no entry with an end, no load in flight, nothing dead. */
bool shard_is_idle(shipopt_cache *cache, const struct shard *shard);
/* Moves what no reader can see any more to the aftermath; only if enough has gathered, unless forced. */
void shard_reclaim(shipopt_cache *cache, struct shard *shard, bool force, struct aftermath *aftermath);

#endif
