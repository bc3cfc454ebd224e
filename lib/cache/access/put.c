/* SPDX-License-Identifier: MIT */
#include "cache/shard/write.h"

/* The public calls that store an entry. */

static int put_content(shipopt_cache *cache, struct entry_content *content, enum store_when when, uint64_t version,
	const shipopt_cache_options *options)
{
	int r = cache_check(cache, content->key, content->key_length);
	if (r < 0 || (!content->value && content->value_length))
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct entry *entry;
	r = write_make(cache, content, options, 0, false, &entry);
	if (r < 0)
		return r;
	uint64_t hash = table_hash(&cache->hashing, content->key, content->key_length);
	r = write_store(cache, hash, entry, when, version);
	if (r != 1)
		write_discard(cache, entry, true);
	return r;
}

static int put_always(shipopt_cache *cache, struct entry_content *content, const shipopt_cache_options *options)
{
	int r = put_content(cache, content, STORE_ALWAYS, 0, options);
	return r < 0 ? r : 0;
}

int shipopt_cache_put(shipopt_cache *cache, const void *key, size_t key_length, const void *value, size_t value_length,
	const shipopt_cache_options *options)
{
	struct entry_content content = {.key = key,
		.key_length = key_length,
		.value = value,
		.value_length = value_length};
	return put_always(cache, &content, options);
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
	return put_always(cache, &content, options);
}

int shipopt_cache_put_not_found(shipopt_cache *cache, const void *key, size_t key_length,
	const shipopt_cache_options *options)
{
	struct entry_content content = {.key = key, .key_length = key_length, .is_not_found = true};
	return put_always(cache, &content, options);
}

int shipopt_cache_put_if(shipopt_cache *cache, const void *key, size_t key_length, const void *value,
	size_t value_length, uint64_t version, const shipopt_cache_options *options)
{
	enum store_when when = version == SHIPOPT_CACHE_VERSION_ABSENT ? STORE_IF_ABSENT
		: version == SHIPOPT_CACHE_VERSION_ANY                 ? STORE_IF_PRESENT
								       : STORE_IF_VERSION;
	struct entry_content content = {.key = key,
		.key_length = key_length,
		.value = value,
		.value_length = value_length};
	return put_content(cache, &content, when, version, options);
}
