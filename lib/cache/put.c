/* SPDX-License-Identifier: MIT */
#include "cache/put.h"

#include <string.h>

static void put_stamp(const shipopt_cache *cache, struct entry *entry, uint64_t ticket)
{
	unsigned prefix = tags_prefix_of(&cache->tags, entry_key(entry), entry->key_length);
	entry->stamp = ticket << 8 | prefix;
	entry->flags |= (uint8_t)((prefix ? ENTRY_PREFIXED : 0) | (cache->policy->moves_on_hit ? ENTRY_ORDERED : 0));
	entry->created_s = (uint32_t)MAX(0, (cache_now(cache) - cache->born_us) / 1000000);
}

int cache_make(shipopt_cache *cache, struct entry_content *content, const shipopt_cache_options *options,
	uint64_t ticket, bool any_size, struct entry **ret_entry)
{
	struct lifetime lifetime = options_lifetime(cache, options, content->is_negative);
	/* A value of the host's cannot be copied into an entry with times when it gets some later. */
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
	/* The ticket is drawn after the tags are held: an invalidation from here on finds their records. */
	put_stamp(cache, entry, ticket ? ticket : tags_draw(&cache->tags));
	lifetime_apply(cache, &lifetime, entry);
	*ret_entry = entry;
	return 0;
}

void cache_unmake(shipopt_cache *cache, struct entry *entry, bool keeps_value)
{
	if (entry->flags & ENTRY_TAGGED)
		tags_release(&cache->tags, entry_tags(entry)->list, entry_tags(entry)->count);
	if (keeps_value && entry->flags & ENTRY_EXTERNAL)
		((struct entry_external *)(void *)entry_body(entry))->free = NULL;
	entry_unref(entry);
}

int cache_store(shipopt_cache *cache, uint64_t hash, struct entry *entry, enum store_when when, uint64_t version)
{
	struct shard *shard = cache_shard(cache, hash);
	struct aftermath aftermath = AFTERMATH_INIT(aftermath);
	shard_lock(shard);
	int r = shard_store(cache, shard, hash, entry, when, version, &aftermath);
	shard_unlock(shard);
	cache_settle(cache, &aftermath);
	cache_trim(cache, entry);
	return r;
}

static int put_put(shipopt_cache *cache, struct entry_content *content, enum store_when when, uint64_t version,
	const shipopt_cache_options *options)
{
	int r = cache_check(cache, content->key, content->key_length);
	if (r < 0 || (!content->value && content->value_length))
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct entry *entry;
	r = cache_make(cache, content, options, 0, false, &entry);
	if (r < 0)
		return r;
	uint64_t hash = table_hash(&cache->hashing, content->key, content->key_length);
	r = cache_store(cache, hash, entry, when, version);
	if (r != 1)
		cache_unmake(cache, entry, true);
	return r;
}

/* Storing without a condition always holds. */
static int put_done(int r)
{
	return r < 0 ? r : 0;
}

int shipopt_cache_put(shipopt_cache *cache, const void *key, size_t key_length, const void *value, size_t value_length,
	const shipopt_cache_options *options)
{
	struct entry_content content = {.key = key,
		.key_length = key_length,
		.value = value,
		.value_length = value_length};
	return put_done(put_put(cache, &content, STORE_ALWAYS, 0, options));
}

int shipopt_cache_put_owned(shipopt_cache *cache, const void *key, size_t key_length, void *value, size_t value_length,
	shipopt_cache_free_fn free_value, void *userdata, const shipopt_cache_options *options)
{
	struct entry_content content = {.key = key,
		.key_length = key_length,
		.value = value,
		.value_length = value_length,
		.is_external = true,
		.free = free_value,
		.userdata = userdata};
	return put_done(put_put(cache, &content, STORE_ALWAYS, 0, options));
}

int shipopt_cache_put_negative(shipopt_cache *cache, const void *key, size_t key_length,
	const shipopt_cache_options *options)
{
	struct entry_content content = {.key = key, .key_length = key_length, .is_negative = true};
	return put_done(put_put(cache, &content, STORE_ALWAYS, 0, options));
}

int shipopt_cache_put_if(shipopt_cache *cache, const void *key, size_t key_length, const void *value,
	size_t value_length, int condition, uint64_t version, const shipopt_cache_options *options)
{
	if (condition < SHIPOPT_CACHE_IF_ABSENT || condition > SHIPOPT_CACHE_IF_VERSION)
		return SHIPOPT_EINVAL;
	struct entry_content content = {.key = key,
		.key_length = key_length,
		.value = value,
		.value_length = value_length};
	return put_put(cache, &content, (enum store_when)condition, version, options);
}

/* The same entry in a block that has room for times. */
static struct entry *put_copy_timed(shipopt_cache *cache, const struct entry *entry)
{
	struct entry_content content = {.key = entry_key(entry),
		.key_length = entry->key_length,
		.value = entry_value(entry),
		.value_length = entry->value_length,
		.is_timed = true,
		.is_negative = entry->flags & ENTRY_NEGATIVE};
	if (entry->flags & ENTRY_TAGGED) {
		content.tags = entry_tags(entry)->list;
		content.tag_count = (unsigned)entry_tags(entry)->count;
	}
	struct entry *copy = entry_new(&content);
	if (!copy)
		return NULL;
	tags_share(&cache->tags, content.tags, content.tag_count);
	copy->stamp = entry->stamp;
	copy->created_s = entry->created_s;
	return copy;
}

static void put_set_end(const shipopt_cache *cache, struct entry *entry, int64_t ttl_ms)
{
	struct entry_timing *timing = entry_timing(entry);
	int64_t now = cache_now(cache);
	int64_t end = time_after_ms(now, ttl_ms);
	int64_t hard = atomic_load_explicit(&timing->hard_us, memory_order_relaxed);
	int64_t soft = atomic_load_explicit(&timing->soft_us, memory_order_relaxed);
	if (soft != ENTRY_NEVER && hard != ENTRY_NEVER && end != ENTRY_NEVER)
		atomic_store_explicit(&timing->soft_us, MAX(now, end - (hard - soft)), memory_order_relaxed);
	atomic_store_explicit(&timing->hard_us, end, memory_order_relaxed);
	int64_t access = atomic_load_explicit(&timing->access_us, memory_order_relaxed);
	int64_t idle = access && now < ENTRY_NEVER - access ? now + access : ENTRY_NEVER;
	atomic_store_explicit(&timing->expires_us, MIN(end, idle), memory_order_relaxed);
}

static int put_touch(shipopt_cache *cache, struct shard *shard, uint64_t hash, const void *key, size_t key_length,
	int64_t ttl_ms)
{
	struct place place;
	struct entry *entry = table_locate(&shard->table, hash, key, key_length, &place);
	if (!entry || entry_state(cache, entry) >= STATE_EXPIRED)
		return SHIPOPT_CACHE_ABSENT;
	if (entry->flags & ENTRY_TIMED) {
		put_set_end(cache, entry, ttl_ms);
		wheel_add(&shard->wheel, entry);
	} else if (ttl_ms != SHIPOPT_CACHE_FOREVER) {
		struct entry *copy = put_copy_timed(cache, entry);
		if (!copy)
			return SHIPOPT_ENOMEM;
		put_set_end(cache, copy, ttl_ms);
		shard_swap(cache, shard, &place, entry, copy);
		limbo_add_entry(&shard->limbo, entry);
	}
	return SHIPOPT_CACHE_FOUND;
}

int shipopt_cache_touch(shipopt_cache *cache, const void *key, size_t key_length, int64_t ttl_ms)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0 || ttl_ms <= 0)
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct shard *shard = cache_shard(cache, hash);
	struct aftermath aftermath = AFTERMATH_INIT(aftermath);
	shard_lock(shard);
	r = put_touch(cache, shard, hash, key, key_length, ttl_ms);
	shard_reclaim(cache, shard, false, &aftermath);
	shard_unlock(shard);
	cache_settle(cache, &aftermath);
	cache_trim(cache, NULL);
	return r;
}
