/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include "cache/cache.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "cache/config.h"
#include "cache/flight.h"
#include "cache/hold.h"
#include "cache/listener.h"
#include "runtime/delivery.h"

#define SHARD_ENTRIES 256 /* fewer cost hit ratio */
#define SHARDS_MAX 64
#define ENTRY_BYTES_GUESS 256 /* of a cache that is bounded by bytes only */
#define TRIM_BATCH 16
#define ALIGNED_SIZE(size) ((size) + CACHE_LINE_BYTES)

/* Blocks of the allocator are aligned for any type, not for cache lines. The block itself is what is freed. */
static void *cache_align(void *block)
{
	return (void *)(((uintptr_t)block + CACHE_LINE_BYTES - 1) & ~(uintptr_t)(CACHE_LINE_BYTES - 1));
}

int64_t cache_now(const shipopt_cache *cache)
{
	return cache->clock ? cache->clock(cache->clock_userdata) : clock_coarse_us();
}

static unsigned cache_power_below(size_t value)
{
	unsigned power = 1;
	while ((size_t)power * 2 <= value && power < SHARDS_MAX)
		power *= 2;
	return power;
}

static unsigned cache_choose_shards(const shipopt_cache *cache, int64_t wanted)
{
	if (wanted > 0)
		return cache_power_below((size_t)wanted);
	size_t entries = MIN(cache->entries_max, cache->bytes_max / ENTRY_BYTES_GUESS);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned useful = cache_power_below(8 * (size_t)MAX(processors, 1));
	return MIN(useful, cache_power_below(MAX(1, entries / SHARD_ENTRIES)));
}

static int cache_take_settings(shipopt_cache *cache, const struct shipopt_cache_config *config,
	shipopt_error **ret_error)
{
	const struct settings *settings = &config->settings;
	int r = delivery_check(&config->delivery, settings, CACHE_DELIVER_INLINE, ret_error);
	if (r < 0)
		return r;
	const char *policy = settings_text(settings, CACHE_POLICY);
	cache->policy = text_equal(policy, policy_lru.name) ? &policy_lru : &policy_s3fifo;
	int64_t entries = settings_number(settings, CACHE_ENTRIES_MAX);
	cache->entries_max = entries ? (size_t)entries : SIZE_MAX;
	cache->bytes_max = (size_t)settings_number(settings, CACHE_BYTES_MAX);
	size_t largest = (size_t)settings_number(settings, CACHE_VALUE_MAX_BYTES);
	cache->weight_max = MIN(MIN(largest ? largest : cache->bytes_max / 8, cache->bytes_max), UINT32_MAX);
	cache->counts_held = settings_number(settings, CACHE_COUNT_HELD) != 0;
	cache->ttl_ms = settings_number(settings, CACHE_TTL_MS);
	cache->soft_ttl_ms = settings_number(settings, CACHE_SOFT_TTL_MS);
	cache->access_ttl_ms = settings_number(settings, CACHE_ACCESS_TTL_MS);
	cache->negative_ttl_ms = settings_number(settings, CACHE_NEGATIVE_TTL_MS);
	cache->jitter_percent = settings_number(settings, CACHE_JITTER_PERCENT);
	cache->error_backoff_ms = settings_number(settings, CACHE_ERROR_BACKOFF_MS);
	cache->load_timeout_ms = settings_number(settings, CACHE_LOAD_TIMEOUT_MS);
	cache->loads_max = settings_number(settings, CACHE_LOADS_MAX);
	cache->listener = config->listener;
	cache->listener_userdata = config->listener_userdata;
	cache->clock = config->clock;
	cache->clock_userdata = config->clock_userdata;
	cache->hashing = (struct hashing){hash_state(config->hash_seed), config->hash_mask};
	cache->shard_count = cache_choose_shards(cache, settings_number(settings, CACHE_SHARDS));
	cache->limbo_bytes_max = cache->bytes_max / cache->shard_count / 16;
	return 0;
}

static int cache_build_keeper(shipopt_cache *cache, const struct shipopt_cache_config *config,
	shipopt_error **ret_error)
{
	if (!config->runtime)
		return 0;
	struct delivery delivery;
	delivery_copy(&delivery, &config->delivery, &config->settings, CACHE_DELIVER_INLINE);
	int r = keeper_new(cache, config->runtime, &delivery, &cache->keeper);
	queue_unref(delivery.queue);
	return r < 0 ? error_set(ret_error, r, "cache: the runtime cannot be used: %s", shipopt_error_description(r))
		     : 0;
}

static int cache_build(shipopt_cache *cache, const struct shipopt_cache_config *config)
{
	int r = tags_init(&cache->tags, (size_t)settings_number(&config->settings, CACHE_TAGS_MAX));
	if (r < 0)
		return r;
	for (size_t i = 0; i < config->prefix_count; i++)
		if ((r = tags_add_prefix(&cache->tags, config->prefixes[i])) < 0)
			return r;
	cache->account = mem_alloc_zero(sizeof(*cache->account));
	if (cache->account)
		atomic_init(&cache->account->references, 1);
	cache->shard_block = mem_alloc_zero(ALIGNED_SIZE(cache->shard_count * sizeof(struct shard)));
	if (!cache->account || !cache->shard_block)
		return SHIPOPT_ENOMEM;
	struct shard *shards = cache_align(cache->shard_block);
	for (unsigned i = 0; i < cache->shard_count; i++) {
		if ((r = shard_init(&shards[i], cache)) < 0) {
			while (i-- > 0)
				shard_done(&shards[i]);
			return r;
		}
	}
	cache->shards = shards;
	return 0;
}

static void cache_free_garbage(shipopt_cache *cache, struct garbage *garbage)
{
	for (struct entry *entry = garbage->entries; entry; entry = entry->link.limbo.next)
		if (entry->flags & ENTRY_TAGGED)
			tags_release(&cache->tags, entry_tags(entry)->list, entry_tags(entry)->count);
	garbage->entries = hold_retire(garbage->entries, cache->account);
	for (struct entry *entry; (entry = garbage->entries);) {
		garbage->entries = entry->link.limbo.next;
		entry_release(entry, cache->account);
	}
	for (struct retired *block; (block = garbage->blocks);) {
		garbage->blocks = block->next;
		mem_free(block);
	}
}

void cache_settle(shipopt_cache *cache, struct aftermath *aftermath)
{
	if (!list_is_empty(&aftermath->removed))
		listener_tell(cache, &aftermath->removed);
	cache_free_garbage(cache, &aftermath->garbage);
	cache_changed(cache);
}

/* Nobody reads any more: what is in the limbo need not wait. */
static void cache_empty_limbo(shipopt_cache *cache, struct limbo *limbo)
{
	struct garbage garbage = {.entries = limbo->first_entry};
	for (struct retired *block = limbo->first_block, *next; block; block = next) {
		next = block->next;
		if (block->home)
			continue;
		block->next = garbage.blocks;
		garbage.blocks = block;
	}
	*limbo = (struct limbo){0};
	cache_free_garbage(cache, &garbage);
}

static void cache_destroy(shipopt_cache *cache)
{
	keeper_end(TAKE(cache->keeper));
	for (unsigned i = 0; cache->shards && i < cache->shard_count; i++) {
		struct aftermath aftermath = AFTERMATH_INIT(aftermath);
		shard_close(cache, &cache->shards[i], &aftermath);
		cache_settle(cache, &aftermath);
		flights_close(&cache->shards[i]);
	}
	for (unsigned i = 0; cache->shards && i < cache->shard_count; i++) {
		cache_empty_limbo(cache, &cache->shards[i].limbo);
		shard_done(&cache->shards[i]);
	}
	tags_done(&cache->tags);
	if (cache->account)
		account_unref(cache->account);
	mem_free(cache->shard_block);
	mem_free(cache->block);
}

int shipopt_cache_new(const shipopt_cache_config *config, shipopt_cache **ret_cache, shipopt_error **ret_error)
{
	if (!ret_cache)
		return SHIPOPT_EINVAL;
	shipopt_cache_config *own = NULL;
	int r = config ? 0 : shipopt_cache_config_new(&own);
	if (r < 0)
		return error_set(ret_error, r, "out of memory");
	void *block = mem_alloc_zero(ALIGNED_SIZE(sizeof(shipopt_cache)));
	shipopt_cache *cache = block ? cache_align(block) : NULL;
	r = cache ? 0 : error_set(ret_error, SHIPOPT_ENOMEM, "out of memory");
	if (cache) {
		cache->block = block;
		reference_init(&cache->reference);
		fork_guard_install();
		cache->generation = fork_generation();
		r = cache_take_settings(cache, config ? config : own, ret_error);
		if (r == 0) {
			cache->born_us = cache_now(cache);
			r = cache_build(cache, config ? config : own);
			if (r < 0)
				error_set(ret_error, r, "out of memory");
			r = r < 0 ? r : cache_build_keeper(cache, config ? config : own, ret_error);
		}
	}
	shipopt_cache_config_free(own);
	if (r < 0) {
		if (cache)
			cache_destroy(cache);
		return r;
	}
	*ret_cache = cache;
	return 0;
}

shipopt_cache *cache_ref(shipopt_cache *cache)
{
	reference_take(&cache->reference);
	return cache;
}

void cache_unref(shipopt_cache *cache)
{
	if (reference_drop(&cache->reference))
		cache_destroy(cache);
}

void shipopt_cache_free(shipopt_cache *cache)
{
	if (cache && cache->generation == fork_generation())
		cache_unref(cache);
}

void cache_trim(shipopt_cache *cache, const struct entry *keep)
{
	/* A round in which no shard has anything to give ends it: then others are at it. */
	bool by_bytes;
	for (unsigned idle = 0; cache_is_over(cache, &by_bytes) && idle < cache->shard_count;) {
		unsigned next = atomic_fetch_add_explicit(&cache->trim_next, 1, memory_order_relaxed);
		struct shard *shard = &cache->shards[next & (cache->shard_count - 1)];
		struct aftermath aftermath = AFTERMATH_INIT(aftermath);
		shard_lock(shard);
		size_t evicted = shard_evict(cache, shard, keep, TRIM_BATCH, &aftermath);
		shard_reclaim(cache, shard, false, &aftermath);
		shard_unlock(shard);
		cache_settle(cache, &aftermath);
		idle = evicted ? 0 : idle + 1;
	}
}

void cache_hold_entry(shipopt_cache *cache, struct entry *entry)
{
	entry_ref(entry);
	if (entry->flags & ENTRY_TAGGED)
		tags_share(&cache->tags, entry_tags(entry)->list, entry_tags(entry)->count);
}

void cache_let_go(shipopt_cache *cache, struct entry *entry)
{
	if (entry->flags & ENTRY_TAGGED)
		tags_release(&cache->tags, entry_tags(entry)->list, entry_tags(entry)->count);
	entry_unref(entry);
}

size_t cache_hold_segment(shipopt_cache *cache, struct shard *shard, uint64_t *position, struct entry **ret_entries)
{
	size_t count;
	shard_lock(shard);
	*position = table_walk(&shard->table, *position, ret_entries, &count);
	for (size_t i = 0; i < count; i++)
		cache_hold_entry(cache, ret_entries[i]);
	shard_unlock(shard);
	return count;
}

bool entry_is_tag_dead(const struct entry *entry)
{
	const struct entry_tags *tags = entry_tags(entry);
	for (uint64_t i = 0; i < tags->count; i++)
		if (tag_is_after(tags->list[i], entry_stamp(entry)))
			return true;
	return false;
}

enum state entry_state_timed(const shipopt_cache *cache, const struct entry *entry)
{
	const struct entry_timing *timing = entry_timing(entry);
	int64_t now = cache_now(cache);
	if (now >= atomic_load_explicit(&timing->expires_us, memory_order_relaxed))
		return STATE_EXPIRED;
	return now >= atomic_load_explicit(&timing->soft_us, memory_order_relaxed) ? STATE_STALE : STATE_LIVE;
}
