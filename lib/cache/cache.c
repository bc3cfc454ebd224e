/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include "cache/cache.h"

#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "cache/config.h"
#include "cache/entry/state.h"
#include "cache/flight/flight.h"
#include "cache/maintenance/pass.h"
#include "cache/shard/deferred.h"

/* Creating and destroying the handle. */

#define SHARD_ENTRIES 256 /* smaller shards have a lower hit ratio */
#define SHARDS_MAX 64
#define ENTRY_BYTES_GUESS 256 /* for a cache that is bounded by bytes only */
#define ALIGNED_SIZE(size) ((size) + CACHE_LINE_BYTES)

_Static_assert(offsetof(shipopt_cache, generation) + sizeof(unsigned) <= CACHE_LINE_BYTES,
	"a lookup reads one cache line of the handle");

/* The allocator aligns blocks for any type, but not to cache lines. */
static void *cache_align(void *block)
{
	return (void *)(((uintptr_t)block + CACHE_LINE_BYTES - 1) & ~(uintptr_t)(CACHE_LINE_BYTES - 1));
}

/* ---- destroying -------------------------------------------------------------------------------------------- */

/* No reader is left, so what is in the limbo need not wait. */
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
	deferred_free(cache, &garbage);
}

static void cache_destroy(shipopt_cache *cache)
{
	maintenance_end(TAKE(cache->maintenance));
	for (unsigned i = 0; cache->shards && i < cache->shard_count; i++) {
		struct deferred deferred = DEFERRED_INIT(deferred);
		shard_close(cache, &cache->shards[i], &deferred);
		deferred_run(cache, &deferred);
		flights_close(&cache->shards[i]);
	}
	for (unsigned i = 0; cache->shards && i < cache->shard_count; i++) {
		cache_empty_limbo(cache, &cache->shards[i].limbo);
		shard_done(&cache->shards[i]);
	}
	tags_done(&cache->tags);
	queue_unref(cache->queue);
	if (cache->account)
		held_account_unref(cache->account);
	mem_free(cache->shard_block);
	mem_free(cache->block);
}

void shipopt_cache_free(shipopt_cache *cache)
{
	if (cache && cache->generation == fork_generation())
		cache_unref(cache);
}

/* ---- creating ---------------------------------------------------------------------------------------------- */

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

static void cache_take_bounds(shipopt_cache *cache, const struct settings *settings)
{
	int64_t entries = settings_number(settings, CACHE_ENTRIES_MAX);
	cache->entries_max = entries ? (size_t)entries : SIZE_MAX;
	cache->bytes_max = (size_t)settings_number(settings, CACHE_BYTES_MAX);
	size_t largest = (size_t)settings_number(settings, CACHE_VALUE_MAX_BYTES);
	cache->weight_max = MIN(MIN(largest ? largest : cache->bytes_max / 8, cache->bytes_max), UINT32_MAX);
	cache->counts_held = settings_number(settings, CACHE_COUNT_HELD) != 0;
	cache->shard_count = cache_choose_shards(cache, settings_number(settings, CACHE_SHARDS));
	cache->limbo_bytes_max = cache->bytes_max / cache->shard_count / 16;
}

static void cache_take_times(shipopt_cache *cache, const struct settings *settings)
{
	cache->ttl_ms = settings_number(settings, CACHE_TTL_MS);
	cache->soft_ttl_ms = settings_number(settings, CACHE_SOFT_TTL_MS);
	cache->access_ttl_ms = settings_number(settings, CACHE_ACCESS_TTL_MS);
	cache->not_found_ttl_ms = settings_number(settings, CACHE_NOT_FOUND_TTL_MS);
	cache->jitter_percent = settings_number(settings, CACHE_JITTER_PERCENT);
	cache->error_backoff_ms = settings_number(settings, CACHE_ERROR_BACKOFF_MS);
	cache->load_timeout_ms = settings_number(settings, CACHE_LOAD_TIMEOUT_MS);
	cache->loads_max = settings_number(settings, CACHE_LOADS_MAX);
}

static void cache_take_handles(shipopt_cache *cache, const struct shipopt_cache_config *config)
{
	cache->removed = config->removed;
	cache->removed_userdata = config->removed_userdata;
	cache->clock = config->clock;
	cache->clock_userdata = config->clock_userdata;
	cache->queue = config->queue;
	queue_ref(cache->queue);
	cache->hashing = (struct hashing){hash_state(config->hash_seed), config->hash_mask};
}

static int cache_make_tags(shipopt_cache *cache, const struct shipopt_cache_config *config)
{
	int r = tags_init(&cache->tags, (size_t)settings_number(&config->settings, CACHE_TAGS_MAX));
	for (size_t i = 0; r == 0 && i < config->prefix_count; i++)
		r = tags_add_prefix(&cache->tags, config->prefixes[i]);
	return r;
}

static int cache_make_shards(shipopt_cache *cache)
{
	cache->account = mem_alloc_zero(sizeof(*cache->account));
	if (cache->account)
		atomic_init(&cache->account->references, 1);
	cache->shard_block = mem_alloc_zero(ALIGNED_SIZE(cache->shard_count * sizeof(struct shard)));
	if (!cache->account || !cache->shard_block)
		return SHIPOPT_ENOMEM;
	struct shard *shards = cache_align(cache->shard_block);
	for (unsigned i = 0; i < cache->shard_count; i++) {
		int r = shard_init(&shards[i], cache);
		if (r < 0) {
			while (i-- > 0)
				shard_done(&shards[i]);
			return r;
		}
	}
	cache->shards = shards;
	return 0;
}

static int cache_make_maintenance(shipopt_cache *cache, shipopt_runtime *runtime, shipopt_error **ret_error)
{
	int r = runtime ? maintenance_new(cache, runtime, pass_step, &cache->maintenance) : 0;
	return r < 0 ? error_set(ret_error, r, "cache: the runtime cannot be used: %s", shipopt_error_description(r))
		     : 0;
}

static int cache_make(shipopt_cache *cache, const struct shipopt_cache_config *config, shipopt_error **ret_error)
{
	int r = settings_check(&config->settings, ret_error);
	if (r < 0)
		return r;
	const char *policy = settings_text(&config->settings, CACHE_POLICY);
	cache->policy = text_equal(policy, policy_lru.name) ? &policy_lru : &policy_s3fifo;
	cache_take_bounds(cache, &config->settings);
	cache_take_times(cache, &config->settings);
	cache_take_handles(cache, config);
	cache->created_us = cache_now_us(cache);
	r = cache_make_tags(cache, config);
	r = r < 0 ? r : cache_make_shards(cache);
	return r < 0 ? error_set(ret_error, r, "out of memory")
		     : cache_make_maintenance(cache, config->runtime, ret_error);
}

int shipopt_cache_new(const shipopt_cache_config *config, shipopt_cache **ret_cache, shipopt_error **ret_error)
{
	if (!ret_cache)
		return SHIPOPT_EINVAL;
	shipopt_cache_config *defaults = NULL;
	int r = config ? 0 : shipopt_cache_config_new(&defaults);
	void *block = r < 0 ? NULL : mem_alloc_zero(ALIGNED_SIZE(sizeof(shipopt_cache)));
	if (!block) {
		shipopt_cache_config_free(defaults);
		return error_set(ret_error, SHIPOPT_ENOMEM, "out of memory");
	}
	shipopt_cache *cache = cache_align(block);
	cache->block = block;
	cache->destroy = cache_destroy;
	reference_init(&cache->reference);
	fork_guard_install();
	cache->generation = fork_generation();
	r = cache_make(cache, config ? config : defaults, ret_error);
	shipopt_cache_config_free(defaults);
	if (r < 0)
		cache_destroy(cache);
	else
		*ret_cache = cache;
	return r < 0 ? r : 0;
}
