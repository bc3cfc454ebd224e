/* SPDX-License-Identifier: MIT */
#ifndef CACHE_CONFIG_H
#define CACHE_CONFIG_H

#include <shipopt/cache.h>

#include "base/text.h"
#include "cache/tag.h"
#include "config/settings.h"
#include "config/tables.h"
#include "runtime/op.h"

/*
 * The configuration of a cache: the settings of the table, the registered prefixes and the host's functions. Seed and mask of
 * the hash are drawn when it is made; tests change them to force collisions or to repeat a run.
 */
struct shipopt_cache_config {
	struct settings settings;
	char *prefixes[PREFIXES_MAX];
	size_t prefix_count;
	shipopt_cache_removed_fn listener;
	void *listener_userdata;
	shipopt_cache_clock_fn clock;
	void *clock_userdata;
	shipopt_runtime *runtime; /* a reference, or NULL */
	struct delivery delivery; /* a reference to the queue */
	uint64_t hash_seed, hash_mask;
};

#endif
