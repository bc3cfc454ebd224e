/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "cache/access/get.h"
#include "cache/access/lookup.h"
#include "cache/flight/answer.h"
#include "cache/flight/wait.h"
#include "cache/load/load.h"

/*
 * shipopt_cache_get_or_load_many(): looks all keys up, joins the flights of those that are absent, calls the loader
 * once with those that this caller leads, and then waits for each flight.
 */
struct load_many {
	shipopt_cache *cache;
	const shipopt_cache_options *options;
	struct flight **flights; /* by key; NULL: the key has an outcome */
	struct flight **led;
	shipopt_load **loads;
	size_t led_count;
};

static int load_many_look_again(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length,
	shipopt_value **ret_value)
{
	struct entry *entry;
	int outcome = get_entry(cache, hash, key, key_length, &entry);
	if (outcome_has_value(outcome))
		*ret_value = entry_handle(entry);
	else if (outcome == SHIPOPT_CACHE_NOT_FOUND)
		entry_unref(entry);
	return outcome;
}

static int load_many_join(struct load_many *many, size_t index, const void *key, size_t key_length,
	shipopt_value **ret_value)
{
	enum flight_role role;
	struct flight *flight = NULL;
	uint64_t hash = table_hash(&many->cache->hashing, key, key_length);
	int r = flight_join(many->cache, hash, key, key_length, false, many->options, &flight, &role);
	if (r < 0)
		return r;
	if (role == FLIGHT_NEEDLESS)
		return load_many_look_again(many->cache, hash, key, key_length, ret_value);
	many->flights[index] = flight;
	if (role == FLIGHT_LEADS) {
		many->loads[many->led_count] = &flight->load;
		many->led[many->led_count++] = flight;
	}
	return SHIPOPT_CACHE_ABSENT;
}

static void load_many_call(struct load_many *many, const struct loader *loader)
{
	if (many->led_count == 0)
		return;
	stats_add(&many->cache->stats, reader_own, STAT_LOADS, many->led_count);
	struct load_frame frame = {.flights = many->led, .loads = many->loads, .count = many->led_count};
	int r = load_call(loader, &frame);
	for (size_t i = 0; r < 0 && i < many->led_count; i++)
		if (many->loads[i] && flight_is_running(many->led[i]))
			shipopt_load_fail(many->loads[i], r, NULL);
}

/* Consumes the reference to the flight. */
static int load_many_await(struct load_many *many, struct flight *flight, shipopt_value **ret_value)
{
	int r = load_is_own(flight) ? SHIPOPT_EDEADLK
				    : flight_wait(flight, load_timeout_ms(many->cache, many->options));
	if (r == 1) {
		/* The leader abandoned it. The loader of many keys is not called again for one. */
		flight_abandon(flight);
		r = SHIPOPT_ECANCELED;
	} else if (r == 0) {
		r = load_result(flight, false, ret_value, NULL);
	}
	flight_unref(flight);
	return r;
}

static bool load_many_init(struct load_many *many, size_t count)
{
	many->flights = mem_alloc_array(count, sizeof(*many->flights));
	many->led = mem_alloc_array(count, sizeof(*many->led));
	many->loads = mem_alloc_array(count, sizeof(*many->loads));
	return many->flights && many->led && many->loads;
}

static void load_many_done(struct load_many *many)
{
	mem_free(many->loads);
	mem_free(many->led);
	mem_free(many->flights);
}

int shipopt_cache_get_or_load_many(shipopt_cache *cache, size_t count, const void *const *keys,
	const size_t *key_lengths, shipopt_cache_load_many_fn load, void *userdata,
	const shipopt_cache_options *options, int *ret_outcomes, shipopt_value **ret_values)
{
	if (!load)
		return SHIPOPT_EINVAL;
	int found = shipopt_cache_get_many(cache, count, keys, key_lengths, ret_outcomes, ret_values);
	if (found < 0 || (size_t)found == count)
		return found;
	struct load_many many = {.cache = cache, .options = options};
	if (!load_many_init(&many, count)) {
		load_many_done(&many);
		for (size_t i = 0; i < count; i++)
			shipopt_value_unref(TAKE(ret_values[i]));
		return SHIPOPT_ENOMEM;
	}
	/* A value may appear and be removed again while its key is joined. */
	for (size_t i = 0; i < count; i++)
		while (ret_outcomes[i] == SHIPOPT_CACHE_ABSENT && !many.flights[i])
			ret_outcomes[i] = load_many_join(&many, i, keys[i], key_lengths[i], &ret_values[i]);
	load_many_call(&many, &(struct loader){.many = load, .userdata = userdata});
	found = 0;
	for (size_t i = 0; i < count; i++) {
		if (many.flights[i])
			ret_outcomes[i] = load_many_await(&many, many.flights[i], &ret_values[i]);
		found += ret_values[i] != NULL;
	}
	load_many_done(&many);
	return found;
}
