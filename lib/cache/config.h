/* SPDX-License-Identifier: MIT */
#ifndef CACHE_CONFIG_H
#define CACHE_CONFIG_H

#include <shipopt/cache.h>

#include "base/text.h"
#include "cache/entry/tag.h"
#include "config/settings.h"
#include "config/tables.h"
#include "runtime/queue.h"

/*
 * The configuration of a cache: the settings of the table, the registered prefixes, and the application's functions and
 * handles. The seed and the mask of the hash are drawn when it is created. Tests change them to force collisions or to
 * repeat a run.
 */
struct shipopt_cache_config {
	struct settings settings;
	char *prefixes[PREFIXES_MAX];
	size_t prefix_count;
	shipopt_cache_removed_fn removed;
	void *removed_userdata;
	shipopt_cache_clock_fn clock;
	void *clock_userdata;
	shipopt_runtime *runtime; /* a reference, or NULL */
	shipopt_queue *queue;     /* a reference, or NULL */
	uint64_t hash_seed, hash_mask;
};

#endif
