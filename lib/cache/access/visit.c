/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "cache/access/walk.h"
#include "cache/entry/state.h"

/* Visiting entries; cache/access/walk.h explains the walk. */
struct visit {
	shipopt_cache *cache;
	size_t limit, visited;
	shipopt_cache_visit_fn visit;
	void *userdata;
	int hits; /* visit only entries with this hit count; -1: all */
	bool is_over;
};

static bool visit_is_wanted(const struct visit *visit, const struct entry *entry)
{
	int hits = (int)entry_hits(entry);
	return !visit->is_over && !(entry->flags & ENTRY_NOT_FOUND) && (visit->hits < 0 || hits == visit->hits) &&
		entry_is_usable(visit->cache, entry);
}

static void visit_show(struct visit *visit, struct entry *entry)
{
	visit->visited++;
	visit->is_over = visit->visit(visit->userdata, entry_handle(entry)) != 0 || visit->visited == visit->limit;
}

static void visit_walk_all(struct visit *visit)
{
	struct entry *entries[SEGMENT_SLOTS];
	for (unsigned i = 0; i < visit->cache->shard_count && !visit->is_over; i++) {
		uint64_t position = 0;
		do {
			size_t count = walk_segment(visit->cache, &visit->cache->shards[i], &position, entries);
			for (size_t j = 0; j < count; j++) {
				if (visit_is_wanted(visit, entries[j]))
					visit_show(visit, entries[j]);
				walk_release(visit->cache, entries[j]);
			}
		} while (position && !visit->is_over);
	}
}

/* Copies the most recently used entries of a shard, up to `max`. */
static size_t visit_copy_front(shipopt_cache *cache, struct shard *shard, struct entry **entries, size_t max)
{
	size_t count = 0;
	shard_lock(shard);
	LIST_FOREACH(node, &shard->queues.main.head) {
		if (count == max)
			break;
		entries[count] = LIST_MEMBER(node, struct entry, link.queue);
		walk_keep(cache, entries[count++]);
	}
	shard_unlock(shard);
	return count;
}

/* A shard knows only its own order, so each shard gets an even share of the limit. */
static void visit_walk_fronts(struct visit *visit)
{
	struct entry *entries[SEGMENT_SLOTS];
	size_t share =
		visit->limit ? (visit->limit + visit->cache->shard_count - 1) / visit->cache->shard_count : SIZE_MAX;
	for (unsigned i = 0; i < visit->cache->shard_count; i++) {
		size_t count =
			visit_copy_front(visit->cache, &visit->cache->shards[i], entries, MIN(share, SEGMENT_SLOTS));
		for (size_t j = 0; j < count; j++) {
			if (visit_is_wanted(visit, entries[j]))
				visit_show(visit, entries[j]);
			walk_release(visit->cache, entries[j]);
		}
	}
}

static int visit_run(shipopt_cache *cache, struct visit *visit, bool hottest_first)
{
	int r = cache_check_handle(cache);
	if (r < 0 || !visit->visit)
		return r < 0 ? r : SHIPOPT_EINVAL;
	visit->hits = -1;
	if (!hottest_first)
		visit_walk_all(visit);
	else if (cache->policy->moves_on_hit)
		visit_walk_fronts(visit);
	else
		for (visit->hits = ENTRY_HITS_MAX; visit->hits >= 0 && !visit->is_over; visit->hits--)
			visit_walk_all(visit);
	return (int)MIN(visit->visited, INT_MAX);
}

int shipopt_cache_visit(shipopt_cache *cache, size_t limit, shipopt_cache_visit_fn visit, void *userdata)
{
	struct visit state = {.cache = cache, .limit = limit, .visit = visit, .userdata = userdata};
	return visit_run(cache, &state, false);
}

int shipopt_cache_visit_hottest(shipopt_cache *cache, size_t limit, shipopt_cache_visit_fn visit, void *userdata)
{
	struct visit state = {.cache = cache, .limit = limit, .visit = visit, .userdata = userdata};
	return visit_run(cache, &state, true);
}
