/* SPDX-License-Identifier: MIT */
#include "cache/entry/state.h"
#include "cache/reclaim/pin.h"

const void *shipopt_value_data(const shipopt_value *value)
{
	return value ? entry_value(value_entry(value)) : NULL;
}

size_t shipopt_value_length(const shipopt_value *value)
{
	return value ? value_entry(value)->value_length : 0;
}

const void *shipopt_value_key(const shipopt_value *value)
{
	return value ? entry_key(value_entry(value)) : NULL;
}

size_t shipopt_value_key_length(const shipopt_value *value)
{
	return value ? value_entry(value)->key_length : 0;
}

uint64_t shipopt_value_version(const shipopt_value *value)
{
	return value ? entry_stamp(value_entry(value)) : 0;
}

shipopt_value *shipopt_value_ref(shipopt_value *value)
{
	if (value)
		entry_ref(value_entry(value));
	return value;
}

void shipopt_value_unref(shipopt_value *value)
{
	if (value)
		pin_drop(value_entry(value));
}

int64_t shipopt_value_age_ms(const shipopt_value *value, const shipopt_cache *cache)
{
	if (!value || !cache)
		return 0;
	int64_t age_s = (cache_now_us(cache) - cache->created_us) / 1000000 - (int64_t)value_entry(value)->created_s;
	return MAX(0, age_s) * 1000;
}

int64_t shipopt_value_ttl_ms(const shipopt_value *value, const shipopt_cache *cache)
{
	if (!value || !cache)
		return 0;
	if (!(value_entry(value)->flags & ENTRY_TIMED))
		return SHIPOPT_CACHE_FOREVER;
	int64_t expires = atomic_load_explicit(&entry_timing(value_entry(value))->expires_us, memory_order_relaxed);
	if (expires == ENTRY_NEVER)
		return SHIPOPT_CACHE_FOREVER;
	return MAX(0, expires - cache_now_us(cache)) / 1000;
}
