/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "cache/access/get.h"

/*
 * A scope: an open-addressing table of entries, each with a reference. It grows as needed and is at most three quarters
 * full. Values put into the scope are entries that were never in a cache.
 */
#define ENTRIES_DEFAULT 256
#define SLOTS_MIN 16

struct shipopt_scope {
	shipopt_cache *cache; /* a reference, or NULL */
	size_t entries_max, count, slot_count;
	struct entry **slots;
};

static const struct hashing own_hashing = {0, UINT64_MAX};

static uint64_t scope_hash_of(const shipopt_scope *scope, const void *key, size_t key_length)
{
	return table_hash(scope->cache ? &scope->cache->hashing : &own_hashing, key, key_length);
}

int shipopt_scope_new(shipopt_cache *cache, size_t entries_max, shipopt_scope **ret_scope)
{
	int r = cache ? cache_check_handle(cache) : 0;
	if (r < 0 || !ret_scope || entries_max > UINT32_MAX)
		return r < 0 ? r : SHIPOPT_EINVAL;
	shipopt_scope *scope = mem_alloc_zero(sizeof(*scope));
	struct entry **slots = mem_alloc_array(SLOTS_MIN, sizeof(*slots));
	if (!scope || !slots) {
		mem_free(scope);
		mem_free(slots);
		return SHIPOPT_ENOMEM;
	}
	*scope = (shipopt_scope){cache ? cache_ref(cache) : NULL, entries_max ? entries_max : ENTRIES_DEFAULT, 0,
		SLOTS_MIN, slots};
	*ret_scope = scope;
	return 0;
}

void shipopt_scope_free(shipopt_scope *scope)
{
	if (!scope)
		return;
	for (size_t i = 0; i < scope->slot_count; i++)
		if (scope->slots[i])
			entry_unref(scope->slots[i]);
	if (scope->cache && scope->cache->generation == fork_generation())
		cache_unref(scope->cache);
	mem_free(scope->slots);
	mem_free(scope);
}

static struct entry **scope_find(const shipopt_scope *scope, uint64_t hash, const void *key, size_t key_length)
{
	for (size_t i = hash >> 20;; i++) {
		struct entry **slot = &scope->slots[i & (scope->slot_count - 1)];
		if (!*slot || ((*slot)->key_length == key_length && memcmp(entry_key(*slot), key, key_length) == 0))
			return slot;
	}
}

static bool scope_grow(shipopt_scope *scope)
{
	shipopt_scope wide = *scope;
	wide.slot_count *= 2;
	wide.slots = mem_alloc_array(wide.slot_count, sizeof(*wide.slots));
	if (!wide.slots)
		return false;
	for (size_t i = 0; i < scope->slot_count; i++) {
		struct entry *entry = scope->slots[i];
		if (entry)
			*scope_find(&wide, scope_hash_of(scope, entry_key(entry), entry->key_length), entry_key(entry),
				entry->key_length) = entry;
	}
	mem_free(scope->slots);
	*scope = wide;
	return true;
}

/* Makes room for one more. */
static int scope_reserve(shipopt_scope *scope)
{
	if (scope->count >= scope->entries_max)
		return SHIPOPT_ETOOLARGE;
	return (scope->count + 1) * 4 <= scope->slot_count * 3 || scope_grow(scope) ? 0 : SHIPOPT_ENOMEM;
}

static int scope_check(const shipopt_scope *scope, const void *key, size_t key_length)
{
	if (!scope || !key || key_length - 1 >= ENTRY_KEY_MAX)
		return SHIPOPT_EINVAL;
	return scope->cache ? cache_check(scope->cache, key, key_length) : 0;
}

static int scope_show(const struct entry *entry, int outcome, const void **ret_value, size_t *ret_value_length)
{
	if (entry->flags & ENTRY_NOT_FOUND)
		return SHIPOPT_CACHE_NOT_FOUND;
	*ret_value = entry_value(entry);
	*ret_value_length = entry->value_length;
	return outcome;
}

int shipopt_scope_get(shipopt_scope *scope, const void *key, size_t key_length, const void **ret_value,
	size_t *ret_value_length)
{
	int r = scope_check(scope, key, key_length);
	if (r < 0 || !ret_value || !ret_value_length)
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = scope_hash_of(scope, key, key_length);
	struct entry *entry = *scope_find(scope, hash, key, key_length);
	if (entry)
		return scope_show(entry, SHIPOPT_CACHE_FOUND, ret_value, ret_value_length);
	if (!scope->cache)
		return SHIPOPT_CACHE_ABSENT;
	/* A value that cannot be remembered cannot be returned: nothing would keep it valid. */
	r = scope_reserve(scope);
	if (r < 0)
		return r;
	int outcome = get_entry(scope->cache, hash, key, key_length, &entry);
	if (outcome == SHIPOPT_CACHE_NOT_FOUND)
		entry_unref(entry);
	if (outcome != SHIPOPT_CACHE_FOUND && outcome != SHIPOPT_CACHE_STALE)
		return outcome;
	*scope_find(scope, hash, key, key_length) = entry;
	scope->count++;
	return scope_show(entry, outcome, ret_value, ret_value_length);
}

int shipopt_scope_put(shipopt_scope *scope, const void *key, size_t key_length, const void *value, size_t value_length)
{
	int r = scope_check(scope, key, key_length);
	if (r < 0 || (!value && value_length))
		return r < 0 ? r : SHIPOPT_EINVAL;
	if (value_length > UINT32_MAX)
		return SHIPOPT_ETOOLARGE;
	uint64_t hash = scope_hash_of(scope, key, key_length);
	/* A value that may have been returned stays valid until the end, so it is not replaced. */
	if (*scope_find(scope, hash, key, key_length))
		return SHIPOPT_ESTATE;
	r = scope_reserve(scope);
	if (r < 0)
		return r;
	struct entry_content content = {.key = key,
		.key_length = key_length,
		.value = value,
		.value_length = value_length};
	struct entry *entry = entry_new(&content);
	if (!entry)
		return SHIPOPT_ENOMEM;
	*scope_find(scope, hash, key, key_length) = entry;
	scope->count++;
	return 0;
}
