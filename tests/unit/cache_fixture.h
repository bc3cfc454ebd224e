/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CACHE_FIXTURE_H
#define TESTS_CACHE_FIXTURE_H

#include "cmocka_test.h"

#include <shipopt/cache.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cache/cache.h"
#include "cache/config.h"
#include "cache/entry/pattern.h"

/* A clock that tests set, and short forms of calls with text keys and values. */
static _Atomic(int64_t) test_time_us = 1000000;

static inline int64_t test_clock(void *userdata)
{
	return atomic_load(&test_time_us);
}

static inline void pass_ms(int64_t ms)
{
	atomic_fetch_add(&test_time_us, ms * 1000);
}

static inline shipopt_cache_config *test_config(void)
{
	shipopt_cache_config *config;
	assert_int_equal(shipopt_cache_config_new(&config), 0);
	assert_int_equal(shipopt_cache_config_set_clock(config, test_clock, NULL), 0);
	return config;
}

/* Consumes the configuration. */
static inline shipopt_cache *test_cache(shipopt_cache_config *config)
{
	shipopt_cache *cache = NULL;
	assert_int_equal(shipopt_cache_new(config, &cache, NULL), 0);
	shipopt_cache_config_free(config);
	return cache;
}

static inline int put(shipopt_cache *cache, const char *key, const char *value)
{
	return shipopt_cache_put(cache, key, strlen(key), value, strlen(value), NULL);
}

static inline int peek(shipopt_cache *cache, const char *key)
{
	return shipopt_cache_peek(cache, key, strlen(key));
}

/* The outcome of a counted look-up; with a value, it must be `expected` (NULL: any). */
static inline int get(shipopt_cache *cache, const char *key, const char *expected)
{
	shipopt_value *value = NULL;
	int r = shipopt_cache_get(cache, key, strlen(key), &value);
	if (value) {
		if (expected) {
			assert_int_equal(shipopt_value_length(value), strlen(expected));
			assert_memory_equal(shipopt_value_data(value), expected, strlen(expected));
		}
		shipopt_value_unref(value);
	}
	return r;
}

static inline int64_t stat_of(shipopt_cache *cache, int stat)
{
	int64_t value = -1;
	assert_int_equal(shipopt_cache_stat(cache, stat, &value), 0);
	return value;
}

#endif
