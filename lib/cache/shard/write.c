/* SPDX-License-Identifier: MIT */
#include "cache/shard/write.h"

#include "cache/entry/state.h"
#include "cache/shard/bounds.h"
#include "cache/shard/deferred.h"

static void write_stamp(const shipopt_cache *cache, struct entry *entry, uint64_t ticket)
{
	unsigned prefix = tags_prefix_of(&cache->tags, entry_key(entry), entry->key_length);
	entry->stamp = ticket << 8 | prefix;
	entry->flags |= (uint8_t)((prefix ? ENTRY_PREFIXED : 0) | (cache->policy->moves_on_hit ? ENTRY_ORDERED : 0));
	entry->created_s = (uint32_t)MAX(0, (cache_now_us(cache) - cache->created_us) / 1000000);
}

int write_make(shipopt_cache *cache, struct entry_content *content, const shipopt_cache_options *options,
	uint64_t ticket, bool any_size, struct entry **ret_entry)
{
	struct lifetime lifetime = options_lifetime(cache, options, content->is_not_found);
	/* shipopt_cache_touch() copies an entry that needs room for times, which it cannot do with an external
	 * value. */
	content->is_timed = lifetime_is_timed(&lifetime) || content->is_external;
	content->tag_count = options ? options->tag_count : 0;
	if (content->value_length > UINT32_MAX || entry_weight_of(content) > cache->weight_max) {
		atomic_fetch_add_explicit(&cache->stats.refused, 1, memory_order_relaxed);
		if (!any_size || content->value_length > UINT32_MAX)
			return SHIPOPT_ETOOLARGE;
	}
	struct tag *tags[ENTRY_TAGS_MAX];
	int r = options_acquire_tags(cache, options, tags);
	if (r < 0)
		return r;
	content->tags = tags;
	struct entry *entry = entry_new(content);
	if (!entry) {
		tags_release(&cache->tags, tags, content->tag_count);
		return SHIPOPT_ENOMEM;
	}
	/* The ticket is drawn after the tags' records are held: an invalidation from here on finds them. */
	write_stamp(cache, entry, ticket ? ticket : tags_draw(&cache->tags));
	lifetime_apply(cache, &lifetime, entry);
	*ret_entry = entry;
	return 0;
}

void write_discard(shipopt_cache *cache, struct entry *entry, bool keeps_value)
{
	if (entry->flags & ENTRY_TAGGED)
		tags_release(&cache->tags, entry_tags(entry)->list, entry_tags(entry)->count);
	if (keeps_value && entry->flags & ENTRY_EXTERNAL)
		((struct entry_external *)(void *)entry_body(entry))->free = NULL;
	entry_unref(entry);
}

int write_store(shipopt_cache *cache, uint64_t hash, struct entry *entry, enum store_when when, uint64_t version)
{
	struct shard *shard = cache_shard(cache, hash);
	struct deferred deferred = DEFERRED_INIT(deferred);
	shard_lock(shard);
	int r = shard_store(cache, shard, hash, entry, when, version, &deferred);
	shard_unlock(shard);
	deferred_run(cache, &deferred);
	bounds_trim(cache, entry);
	return r;
}
