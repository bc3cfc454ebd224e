/* SPDX-License-Identifier: MIT */
#ifndef CACHE_LOAD_H
#define CACHE_LOAD_H

#include "cache/cache.h"

/* Who refreshes a stale value, and how. */
enum refresh {
	REFRESH_IN_CALL, /* the one who leads, before his call returns */
	REFRESH_ASKED,   /* he calls the loader and does not wait for the answer */
	REFRESH_TASK     /* a task of the cache's runtime; `load` and `userdata` must stay usable */
};

/* shipopt_cache_get_or_load() */
int cache_get_or_load(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_load_fn load,
	void *userdata, const shipopt_cache_options *options, enum refresh refresh, shipopt_value **ret_value,
	shipopt_error **ret_error);

/* shipopt_load_not_found() that keeps a few bytes of the caller's with the absence, for those whose options take words: they get
 * the negative entry as a value that has them. Nobody else does. */
int load_not_found(shipopt_load *load, const void *words, size_t length, const shipopt_cache_options *options);

#endif
