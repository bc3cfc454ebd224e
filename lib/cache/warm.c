/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "cache/load.h"

struct warming {
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
	struct warming *warming = userdata;
	for (size_t i = first; i < last; i++) {
		shipopt_value *value = NULL;
		int r = cache_get_or_load(warming->cache, warming->keys[i], warming->key_lengths[i], warming->load,
			warming->userdata, warming->options, REFRESH_IN_CALL, &value, NULL);
		shipopt_value_unref(value);
		if (r >= 0)
			atomic_fetch_add(&warming->filled, 1);
	}
}

int shipopt_cache_warm(shipopt_cache *cache, shipopt_runtime *runtime, size_t count, const void *const *keys,
	const size_t *key_lengths, shipopt_cache_load_fn load, void *userdata, const shipopt_cache_options *options,
	size_t *ret_failed)
{
	int r = cache_check(cache, "", 1);
	if (r < 0 || !keys || !key_lengths || !load || count > INT_MAX)
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct warming warming = {cache, keys, key_lengths, load, userdata, options, 0};
	if (runtime)
		r = shipopt_runtime_parallel_for(runtime, count, 1, warm_range, &warming);
	else
		warm_range(&warming, 0, count);
	if (r < 0)
		return r;
	size_t filled = atomic_load(&warming.filled);
	if (ret_failed)
		*ret_failed = count - filled;
	return (int)filled;
}
