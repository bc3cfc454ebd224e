/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "cache/load/load.h"
#include "cache/maintenance/maintenance.h"

struct cache_warming {
	shipopt_cache *cache;
	const void *const *keys;
	const size_t *key_lengths;
	shipopt_cache_load_fn load;
	void *userdata;
	const shipopt_cache_options *options;
	atomic_size_t filled;
};

static void warm_range(void *userdata, size_t first, size_t last)
{
	struct cache_warming *warming = userdata;
	for (size_t i = first; i < last; i++) {
		shipopt_value *value = NULL;
		int r = load_read_through(warming->cache, warming->keys[i], warming->key_lengths[i], warming->load,
			warming->userdata, warming->options, REFRESH_IN_CALL, &value, NULL);
		shipopt_value_unref(value);
		if (r >= 0)
			atomic_fetch_add(&warming->filled, 1);
	}
}

int shipopt_cache_warm(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	shipopt_cache_load_fn load, void *userdata, const shipopt_cache_options *options)
{
	int r = cache_check_handle(cache);
	if (r < 0 || !keys || !key_lengths || !load || count > INT_MAX)
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct cache_warming warming = {cache, keys, key_lengths, load, userdata, options, 0};
	if (cache->maintenance && maintenance_is_running(cache->maintenance))
		r = shipopt_runtime_parallel_for(cache->maintenance->runtime, count, 1, warm_range, &warming);
	else
		warm_range(&warming, 0, count);
	return r < 0 ? r : (int)atomic_load(&warming.filled);
}
