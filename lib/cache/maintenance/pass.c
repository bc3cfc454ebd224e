/* SPDX-License-Identifier: MIT */
#include "cache/maintenance/pass.h"

#include "cache/entry/state.h"
#include "cache/flight/wait.h"
#include "cache/shard/deferred.h"

#define STEP_ENTRIES 256

static void pass_reclaim(shipopt_cache *cache, struct shard *shard)
{
	struct deferred deferred = DEFERRED_INIT(deferred);
	shard_lock(shard);
	shard_reclaim(cache, shard, true, &deferred);
	shard_unlock(shard);
	deferred_run(cache, &deferred);
}

/* Frees what is dead in a shard, a few hundred entries at most. Returns false when nothing more was found. */
static bool pass_tidy(shipopt_cache *cache, struct shard *shard)
{
	struct deferred deferred = DEFERRED_INIT(deferred);
	shard_lock(shard);
	bool more = shard_tidy(cache, shard, STEP_ENTRIES, &deferred);
	shard_reclaim(cache, shard, true, &deferred);
	shard_unlock(shard);
	deferred_run(cache, &deferred);
	/* Entries whose removal was reported have reached the limbo only now. */
	if (!more)
		pass_reclaim(cache, shard);
	return more;
}

static bool pass_left_work(shipopt_cache *cache)
{
	bool is_idle = true;
	for (unsigned i = 0; is_idle && i < cache->shard_count; i++) {
		shard_lock(&cache->shards[i]);
		is_idle = shard_is_idle(cache, &cache->shards[i]);
		shard_unlock(&cache->shards[i]);
	}
	return !is_idle;
}

static void pass_begin(struct maintenance *maintenance, shipopt_cache *cache)
{
	maintenance->is_passing = true;
	maintenance->shard = 0;
	int64_t deadline = flights_expire(cache);
	if (deadline != ENTRY_NEVER)
		maintenance_expect(maintenance, MAX(1000, deadline - cache_now_us(cache)));
}

/* A change after `is_awake` is cleared wakes the maintenance. A change before it is seen by pass_left_work(). */
static void pass_end(struct maintenance *maintenance, shipopt_cache *cache)
{
	maintenance->is_passing = false;
	atomic_store(&maintenance->is_awake, false);
	if (pass_left_work(cache))
		maintenance_wake(maintenance);
}

bool pass_step(struct maintenance *maintenance, shipopt_cache *cache)
{
	if (!maintenance->is_passing) {
		bool is_due = maintenance_take_due(maintenance);
		if (is_due)
			pass_begin(maintenance, cache);
		return is_due;
	}
	if (!pass_tidy(cache, &cache->shards[maintenance->shard]))
		maintenance->shard++;
	if (maintenance->shard == cache->shard_count)
		pass_end(maintenance, cache);
	return true;
}

int shipopt_cache_maintain(shipopt_cache *cache)
{
	int r = cache_check_handle(cache);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < cache->shard_count; i++)
		while (pass_tidy(cache, &cache->shards[i]))
			;
	flights_expire(cache);
	return 0;
}
