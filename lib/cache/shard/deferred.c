/* SPDX-License-Identifier: MIT */
#include "cache/shard/deferred.h"

#include "base/memory.h"
#include "cache/maintenance/maintenance.h"
#include "cache/reclaim/pin.h"
#include "cache/shard/removal.h"

void deferred_free(shipopt_cache *cache, struct garbage *garbage)
{
	for (struct entry *entry = garbage->entries; entry; entry = entry->link.limbo.next)
		if (entry->flags & ENTRY_TAGGED)
			tags_release(&cache->tags, entry_tags(entry)->list, entry_tags(entry)->count);
	garbage->entries = pin_retire(garbage->entries, cache->account);
	for (struct entry *entry; (entry = garbage->entries);) {
		garbage->entries = entry->link.limbo.next;
		entry_release(entry, cache->account);
	}
	for (struct retired *block; (block = garbage->blocks);) {
		garbage->blocks = block->next;
		mem_free(block);
	}
}

void deferred_run(shipopt_cache *cache, struct deferred *deferred)
{
	if (!list_is_empty(&deferred->removed))
		removal_report(cache, &deferred->removed);
	deferred_free(cache, &deferred->garbage);
	maintenance_notice(cache);
}
