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

int shipopt_cache_config_add_prefix(shipopt_cache_config *config, const char *prefix)
{
	size_t length = prefix ? strlen(prefix) : 0;
	if (!config)
		return SHIPOPT_EINVAL;
	if (length == 0)
		return settings_fail(&config->settings, SHIPOPT_EINVAL, "cache prefix: it is empty");
	if (length > PREFIX_LENGTH_MAX)
		return settings_fail(&config->settings, SHIPOPT_ETOOLARGE, "cache prefix: %zu bytes, the maximum is %d",
			length, PREFIX_LENGTH_MAX);
	if (config->prefix_count == PREFIXES_MAX)
		return settings_fail(&config->settings, SHIPOPT_ETOOLARGE, "cache prefix: there are %d, the maximum",
			PREFIXES_MAX);
	char *copy = mem_copy_text(prefix);
	if (!copy)
		return settings_fail(&config->settings, SHIPOPT_ENOMEM, "cache prefix: out of memory");
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
