/* SPDX-License-Identifier: MIT */
#include "cache/shard/removal.h"

struct removal_drain {
	struct removal_drain *outer;
	shipopt_cache *cache;
	struct list_node *removed;
};

static _Thread_local struct removal_drain *innermost;

static struct removal_drain *removal_find_drain(const shipopt_cache *cache)
{
	struct removal_drain *drain = innermost;
	while (drain && drain->cache != cache)
		drain = drain->outer;
	return drain;
}

static void removal_report_one(shipopt_cache *cache, struct entry *entry)
{
	int cause = atomic_load_explicit(&entry->mark, memory_order_relaxed) >> ENTRY_CAUSE_SHIFT;
	cache->removed(cache->removed_userdata, entry_key(entry), entry->key_length, entry_handle(entry), cause);
	struct shard *shard = cache_shard(cache, table_hash(&cache->hashing, entry_key(entry), entry->key_length));
	shard_lock(shard);
	entry_set_mark(entry, 0);
	limbo_add_entry(&shard->limbo, entry);
	shard_unlock(shard);
}

void removal_report(shipopt_cache *cache, struct list_node *removed)
{
	struct removal_drain *running = removal_find_drain(cache);
	if (running) {
		list_splice_back(running->removed, removed);
		return;
	}
	struct removal_drain drain = {innermost, cache, removed};
	innermost = &drain;
	for (struct list_node *node; (node = list_pop_front(removed));)
		removal_report_one(cache, LIST_MEMBER(node, struct entry, link.queue));
	innermost = drain.outer;
}
