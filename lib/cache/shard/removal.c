/* SPDX-License-Identifier: MIT */
#include "cache/shard/removal.h"

#include "base/memory.h"

/* ---- notices of a queue ------------------------------------------------------------------------------------ */

struct shipopt_removal {
	struct queue_entry entry;
	struct entry *removed; /* a reference */
	int cause;
	shipopt_cache_removed_fn callback;
	void *userdata;
};

shipopt_value *shipopt_removal_value(const shipopt_removal *removal)
{
	return removal ? entry_handle(removal->removed) : NULL;
}

static void removal_notice_run(struct queue_entry *entry)
{
	shipopt_removal *removal = CONTAINER_OF(entry, shipopt_removal, entry);
	struct entry *removed = removal->removed;
	if (removal->callback)
		removal->callback(removal->userdata, entry_key(removed), removed->key_length, entry_handle(removed),
			removal->cause);
}

static void removal_notice_finish(struct queue_entry *entry)
{
	shipopt_removal *removal = CONTAINER_OF(entry, shipopt_removal, entry);
	entry_unref(removal->removed);
	mem_free(removal);
}

static void removal_push_notice(shipopt_cache *cache, struct entry *entry, int cause)
{
	shipopt_removal *removal = mem_alloc_zero(sizeof(*removal));
	if (!removal) {
		notice_count_lost(cache->queue);
		return;
	}
	entry_ref(entry);
	removal->removed = entry;
	removal->cause = cause;
	removal->callback = cache->removed;
	removal->userdata = cache->removed_userdata;
	removal->entry.has_callback = cache->removed != NULL;
	removal->entry.run = removal_notice_run;
	removal->entry.finish = removal_notice_finish;
	removal->entry.event = (shipopt_event){.userdata = (uint64_t)(uintptr_t)cache->removed_userdata,
		.kind = SHIPOPT_EVENT_REMOVAL,
		.status = cause,
		.value = (uint64_t)(uintptr_t)removal};
	notice_push(cache->queue, &removal->entry);
}

/* ---- reports ----------------------------------------------------------------------------------------------- */

static void removal_report_one(shipopt_cache *cache, struct entry *entry)
{
	int cause = atomic_load_explicit(&entry->mark, memory_order_relaxed) >> ENTRY_CAUSE_SHIFT;
	if (cache->queue)
		removal_push_notice(cache, entry, cause);
	else
		cache->removed(cache->removed_userdata, entry_key(entry), entry->key_length, entry_handle(entry),
			cause);
	struct shard *shard = cache_shard(cache, table_hash(&cache->hashing, entry_key(entry), entry->key_length));
	shard_lock(shard);
	entry_set_mark(entry, 0);
	limbo_add_entry(&shard->limbo, entry);
	shard_unlock(shard);
}

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
