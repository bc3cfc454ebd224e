/* SPDX-License-Identifier: MIT */
#include "cache/access/get.h"
#include "cache/access/lookup.h"
#include "cache/flight/wait.h"
#include "cache/load/load.h"

/* shipopt_cache_get_or_begin(): loading without blocking. The caller gets the value, the token, or a callback. */

static bool begin_wants_detail(const shipopt_cache_options *options)
{
	return options && options->wants_negative_detail;
}

struct begin_call {
	shipopt_cache *cache;
	uint64_t hash;
	const void *key;
	size_t key_length;
	const shipopt_cache_options *options;
	shipopt_cache_ready_fn ready;
	void *userdata;
};

/* The key has no value. SHIPOPT_CACHE_ABSENT: it has one now, so look it up again. */
static int begin_load(const struct begin_call *call, shipopt_value **ret_value, shipopt_load **ret_load)
{
	struct flight *flight;
	enum flight_role role;
	shipopt_cache *cache = call->cache;
	int r = flight_join(cache, call->hash, call->key, call->key_length, false, call->options, &flight, &role);
	if (r < 0 || role == FLIGHT_NEEDLESS)
		return r < 0 ? r : SHIPOPT_CACHE_ABSENT;
	if (role == FLIGHT_LEADS)
		r = SHIPOPT_CACHE_LEAD;
	else if (role == FLIGHT_FOLLOWS)
		r = flight_watch(flight, call->ready, call->userdata, load_timeout_ms(cache, call->options),
			begin_wants_detail(call->options));
	if (r == SHIPOPT_CACHE_LEAD) {
		stats_add(&cache->stats, reader_own, STAT_LOADS, 1);
		*ret_load = &flight->load;
	} else if (r == SHIPOPT_CACHE_WAITING) {
		stats_add(&cache->stats, reader_own, STAT_COALESCED, 1);
	} else if (r == 0) {
		r = load_result(flight, begin_wants_detail(call->options), ret_value, NULL);
	}
	flight_unref(flight);
	return r;
}

/* The key has a stale value. Returns the token if the caller is the one to refresh it. */
static shipopt_load *begin_refresh(const struct begin_call *call)
{
	struct flight *flight;
	enum flight_role role;
	shipopt_load *load = NULL;
	int r = flight_join(call->cache, call->hash, call->key, call->key_length, true, call->options, &flight, &role);
	if (r < 0 || role == FLIGHT_NEEDLESS)
		return NULL;
	if (role == FLIGHT_LEADS) {
		stats_add(&call->cache->stats, reader_own, STAT_LOADS, 1);
		load = &flight->load;
	}
	flight_unref(flight);
	return load;
}

int shipopt_cache_get_or_begin(shipopt_cache *cache, const void *key, size_t key_length,
	const shipopt_cache_options *options, shipopt_cache_ready_fn ready, void *userdata, shipopt_value **ret_value,
	shipopt_load **ret_load)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0 || !ready || !ret_value || !ret_load)
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct begin_call call = {cache, hash, key, key_length, options, ready, userdata};
	do {
		struct entry *entry;
		r = get_entry(cache, hash, key, key_length, &entry);
		if (outcome_has_value(r)) {
			*ret_load = r == SHIPOPT_CACHE_STALE ? begin_refresh(&call) : NULL;
			*ret_value = entry_handle(entry);
		} else if (r == SHIPOPT_CACHE_NOT_FOUND && begin_wants_detail(options)) {
			*ret_value = entry_handle(entry);
		} else if (r == SHIPOPT_CACHE_NOT_FOUND) {
			entry_unref(entry);
		} else {
			r = begin_load(&call, ret_value, ret_load);
		}
	} while (r == SHIPOPT_CACHE_ABSENT);
	return r;
}
