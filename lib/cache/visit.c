/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "cache/cache.h"

/*
 * Walks: a segment of the index at a time is copied and held, then the host is called without a lock. A segment
 * that splits meanwhile has been copied whole or not at all, so what stays in the cache is visited once.
 */
struct walk {
	shipopt_cache *cache;
	size_t limit, visited;
	shipopt_cache_visit_fn visit;
	void *userdata;
	int frequency; /* only entries with this hit count; -1: all */
	bool is_over;
};

static bool visit_is_wanted(const struct walk *walk, const struct entry *entry)
{
	int frequency = (int)entry_hits(entry);
	return !walk->is_over && !(entry->flags & ENTRY_NEGATIVE) &&
		(walk->frequency < 0 || frequency == walk->frequency) && entry_state(walk->cache, entry) <= STATE_STALE;
}

static void visit_show(struct walk *walk, struct entry *entry)
{
	walk->visited++;
	walk->is_over = walk->visit(walk->userdata, entry_handle(entry)) != 0 || walk->visited == walk->limit;
}

static void visit_walk_all(struct walk *walk)
{
	struct entry *entries[SEGMENT_SLOTS];
	for (unsigned i = 0; i < walk->cache->shard_count && !walk->is_over; i++) {
		uint64_t position = 0;
		do {
			size_t count = cache_hold_segment(walk->cache, &walk->cache->shards[i], &position, entries);
			for (size_t j = 0; j < count; j++) {
				if (visit_is_wanted(walk, entries[j]))
					visit_show(walk, entries[j]);
				cache_let_go(walk->cache, entries[j]);
			}
		} while (position && !walk->is_over);
	}
}

/* The front of an LRU order, up to `max` entries. */
static size_t visit_copy_front(shipopt_cache *cache, struct shard *shard, struct entry **entries, size_t max)
{
	size_t count = 0;
	shard_lock(shard);
	LIST_FOREACH(node, &shard->queues.main.head) {
		if (count == max)
			break;
		entries[count] = LIST_MEMBER(node, struct entry, link.queue);
		cache_hold_entry(cache, entries[count++]);
	}
	shard_unlock(shard);
	return count;
}

/* Shards know their own order only: an even share of each. */
static void visit_walk_fronts(struct walk *walk)
{
	struct entry *entries[SEGMENT_SLOTS];
	size_t share = walk->limit ? (walk->limit + walk->cache->shard_count - 1) / walk->cache->shard_count : SIZE_MAX;
	for (unsigned i = 0; i < walk->cache->shard_count; i++) {
		size_t count =
			visit_copy_front(walk->cache, &walk->cache->shards[i], entries, MIN(share, SEGMENT_SLOTS));
		for (size_t j = 0; j < count; j++) {
			if (visit_is_wanted(walk, entries[j]))
				visit_show(walk, entries[j]);
			cache_let_go(walk->cache, entries[j]);
		}
	}
}

static int visit_visited(const struct walk *walk)
{
	return (int)MIN(walk->visited, INT_MAX);
}

int shipopt_cache_visit(shipopt_cache *cache, size_t limit, shipopt_cache_visit_fn visit, void *userdata)
{
	int r = cache_check(cache, "", 1);
	if (r < 0 || !visit)
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct walk walk = {cache, limit, 0, visit, userdata, -1, false};
	visit_walk_all(&walk);
	return visit_visited(&walk);
}

int shipopt_cache_visit_hottest(shipopt_cache *cache, size_t limit, shipopt_cache_visit_fn visit, void *userdata)
{
	int r = cache_check(cache, "", 1);
	if (r < 0 || !visit)
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct walk walk = {cache, limit, 0, visit, userdata, -1, false};
	if (cache->policy->moves_on_hit)
		visit_walk_fronts(&walk);
	else
		for (walk.frequency = ENTRY_HITS_MAX; walk.frequency >= 0 && !walk.is_over; walk.frequency--)
			visit_walk_all(&walk);
	return visit_visited(&walk);
}
