/* SPDX-License-Identifier: MIT */
#include "cache/access/walk.h"

void walk_keep(shipopt_cache *cache, struct entry *entry)
{
	entry_ref(entry);
	if (entry->flags & ENTRY_TAGGED)
		tags_share(&cache->tags, entry_tags(entry)->list, entry_tags(entry)->count);
}

void walk_release(shipopt_cache *cache, struct entry *entry)
{
	if (entry->flags & ENTRY_TAGGED)
		tags_release(&cache->tags, entry_tags(entry)->list, entry_tags(entry)->count);
	entry_unref(entry);
}

size_t walk_segment(shipopt_cache *cache, struct shard *shard, uint64_t *position, struct entry **ret_entries)
{
	size_t count;
	shard_lock(shard);
	*position = table_walk(&shard->table, *position, ret_entries, &count);
	for (size_t i = 0; i < count; i++)
		walk_keep(cache, ret_entries[i]);
	shard_unlock(shard);
	return count;
}
