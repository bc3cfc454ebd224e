/* SPDX-License-Identifier: MIT */
#include "cache/config.h"

#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "runtime/runtime.h"

#define PREFIX_LENGTH_MAX 1024

int shipopt_cache_config_new(shipopt_cache_config **ret_config)
{
	struct settings *settings;
	int r = ret_config ? settings_object_new(&cache_settings, sizeof(**ret_config), &settings) : SHIPOPT_EINVAL;
	if (r < 0)
		return r;
	shipopt_cache_config *config = CONTAINER_OF(settings, shipopt_cache_config, settings);
	/* A random seed, so that nobody can choose keys that collide. */
	struct random random;
	random_init_system(&random);
	config->hash_seed = random_u64(&random);
	config->hash_mask = UINT64_MAX;
	*ret_config = config;
	return 0;
}

void shipopt_cache_config_free(shipopt_cache_config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->prefix_count; i++)
		mem_free(config->prefixes[i]);
	queue_unref(config->queue);
	runtime_unref(config->runtime);
	settings_object_free(&config->settings);
}

SETTINGS_PUBLIC(cache)
SETTING_PUBLIC_TEXT(cache, policy, CACHE_POLICY)
SETTING_PUBLIC_NUMBER(cache, entries_max, CACHE_ENTRIES_MAX)
SETTING_PUBLIC_NUMBER(cache, bytes_max, CACHE_BYTES_MAX)
SETTING_PUBLIC_NUMBER(cache, value_max_bytes, CACHE_VALUE_MAX_BYTES)
SETTING_PUBLIC_NUMBER(cache, ttl_ms, CACHE_TTL_MS)
SETTING_PUBLIC_NUMBER(cache, soft_ttl_ms, CACHE_SOFT_TTL_MS)
SETTING_PUBLIC_NUMBER(cache, access_ttl_ms, CACHE_ACCESS_TTL_MS)
SETTING_PUBLIC_NUMBER(cache, not_found_ttl_ms, CACHE_NOT_FOUND_TTL_MS)
SETTING_PUBLIC_NUMBER(cache, jitter_percent, CACHE_JITTER_PERCENT)
SETTING_PUBLIC_NUMBER(cache, error_backoff_ms, CACHE_ERROR_BACKOFF_MS)
SETTING_PUBLIC_NUMBER(cache, load_timeout_ms, CACHE_LOAD_TIMEOUT_MS)

int shipopt_cache_config_add_prefix(shipopt_cache_config *config, const char *prefix)
{
	size_t length = prefix ? strlen(prefix) : 0;
	if (!config || length == 0)
		return SHIPOPT_EINVAL;
	if (length > PREFIX_LENGTH_MAX || config->prefix_count == PREFIXES_MAX)
		return SHIPOPT_ETOOLARGE;
	char *copy = mem_copy_text(prefix);
	if (!copy)
		return SHIPOPT_ENOMEM;
	config->prefixes[config->prefix_count++] = copy;
	return 0;
}

int shipopt_cache_config_set_removed(shipopt_cache_config *config, shipopt_cache_removed_fn removed, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->removed = removed;
	config->removed_userdata = userdata;
	return 0;
}

int shipopt_cache_config_set_clock(shipopt_cache_config *config, shipopt_cache_clock_fn clock, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->clock = clock;
	config->clock_userdata = userdata;
	return 0;
}

int shipopt_cache_config_set_runtime(shipopt_cache_config *config, shipopt_runtime *runtime)
{
	if (!config)
		return SHIPOPT_EINVAL;
	if (runtime)
		runtime_ref(runtime);
	runtime_unref(config->runtime);
	config->runtime = runtime;
	return 0;
}

int shipopt_cache_config_set_queue(shipopt_cache_config *config, shipopt_queue *queue)
{
	if (!config)
		return SHIPOPT_EINVAL;
	queue_ref(queue);
	queue_unref(config->queue);
	config->queue = queue;
	return 0;
}
