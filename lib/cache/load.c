/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include <pthread.h>
#include <string.h>

#include "base/memory.h"
#include "cache/flight.h"
#include "cache/get.h"
#include "cache/load.h"
#include "cache/put.h"

/* The loads whose loader runs on this thread right now, innermost first. */
struct frame {
	struct frame *outer;
	struct flight **flights; /* a reference each */
	shipopt_load **loads;    /* NULL: the loader gave it up */
	size_t count;
};
static _Thread_local struct frame *innermost;

/* Where the frames of this thread keep a flight's token. */
static shipopt_load **load_find_own(const struct flight *flight)
{
	for (struct frame *frame = innermost; frame; frame = frame->outer)
		for (size_t i = 0; i < frame->count; i++)
			if (frame->flights[i] == flight)
				return &frame->loads[i];
	return NULL;
}

const void *shipopt_load_key(const shipopt_load *load)
{
	return load ? load->flight->key : NULL;
}

size_t shipopt_load_key_length(const shipopt_load *load)
{
	return load ? load->flight->key_length : 0;
}

/* `options` bring tags that the question did not name, if `is_new`. */
static int load_answer(shipopt_load *load, struct entry_content *content, const shipopt_cache_options *options,
	bool is_new)
{
	struct flight *flight = load->flight;
	shipopt_cache *cache = flight->cache;
	content->key = flight->key;
	content->key_length = flight->key_length;
	/* A tag named only now may have been invalidated and forgotten while the load was on its way. */
	bool is_suspect = is_new && options->tag_count && atomic_load(&cache->tags.floor) > flight->ticket;
	struct entry *entry;
	int r = cache_make(cache, content, options, flight->ticket, true, &entry);
	if (r < 0) {
		flight_fail(flight, r, error_new(r, "the loaded value could not be kept"));
		return r;
	}
	if (is_suspect)
		flight_drop(flight);
	flight_complete(flight, entry);
	return 0;
}

int shipopt_load_complete(shipopt_load *load, const void *value, size_t value_length,
	const shipopt_cache_options *options)
{
	if (!load || (!value && value_length))
		return SHIPOPT_EINVAL;
	struct entry_content content = {.value = value, .value_length = value_length};
	return load_answer(load, &content, options ? options : &load->flight->options, options != NULL);
}

int load_not_found(shipopt_load *load, const void *words, size_t length, const shipopt_cache_options *options)
{
	struct entry_content content = {.value = words, .value_length = length, .is_negative = true};
	if (options)
		return load_answer(load, &content, options, true);
	/* The times of the question are meant for a value. */
	shipopt_cache_options negative = load->flight->options;
	negative.ttl_ms = OPTION_UNSET;
	return load_answer(load, &content, &negative, false);
}

int shipopt_load_not_found(shipopt_load *load, const shipopt_cache_options *options)
{
	return load ? load_not_found(load, NULL, 0, options) : SHIPOPT_EINVAL;
}

void shipopt_load_fail(shipopt_load *load, int status, const char *message)
{
	if (!load)
		return;
	if (status >= 0)
		status = SHIPOPT_EINVAL;
	flight_fail(load->flight, status, error_new(status, message ? message : shipopt_error_description(status)));
}

void shipopt_load_abandon(shipopt_load *load)
{
	if (!load)
		return;
	shipopt_load **own = load_find_own(load->flight);
	if (own)
		*own = NULL;
	flight_abandon(load->flight);
}

static int64_t load_timeout_of(const shipopt_cache *cache, const shipopt_cache_options *options)
{
	return options && options->timeout_ms != OPTION_UNSET ? options->timeout_ms : cache->load_timeout_ms;
}

/* A thread that ends inside its loader gives its loads up. */
static void load_leave_frame(void *argument)
{
	struct frame *frame = argument;
	innermost = frame->outer;
	for (size_t i = 0; i < frame->count; i++) {
		if (frame->loads[i] && flight_is_running(frame->flights[i]))
			flight_abandon(frame->flights[i]);
		flight_unref(frame->flights[i]);
	}
}

struct loader {
	shipopt_cache_load_fn one;
	shipopt_cache_load_many_fn many;
	void *userdata;
};

static int load_call_loader(const struct loader *loader, struct frame *frame)
{
	int r;
	frame->outer = innermost;
	innermost = frame;
	pthread_cleanup_push(load_leave_frame, frame);
	r = loader->one ? loader->one(loader->userdata, frame->loads[0])
			: loader->many(loader->userdata, frame->loads, frame->count);
	pthread_cleanup_pop(0);
	innermost = frame->outer;
	return r;
}

/* Leads: 0 if the token was or will be answered. */
static int load_lead(shipopt_cache *cache, struct flight *flight, const struct loader *loader)
{
	stats_add(&cache->stats, reader_own, STAT_LOADS, 1);
	shipopt_load *load = &flight->load;
	struct frame frame = {.flights = &flight, .loads = &load, .count = 1};
	int r = load_call_loader(loader, &frame);
	if (!load)
		return r < 0 ? r : SHIPOPT_ECANCELED;
	/* An answer that could not be kept has failed the load already, and its code may be what the loader returns. */
	if (r < 0 && flight_is_running(flight))
		shipopt_load_fail(load, r, NULL);
	return 0;
}

static bool load_takes_words(const shipopt_cache_options *options)
{
	return options && options->takes_words;
}

static int load_take_result(struct flight *flight, bool with_words, shipopt_value **ret_value,
	shipopt_error **ret_error)
{
	struct entry *entry;
	int r = flight_result(flight, &entry, ret_error);
	if (r == SHIPOPT_CACHE_FOUND || (r == SHIPOPT_CACHE_NEGATIVE && with_words))
		*ret_value = entry_handle(entry);
	else if (r == SHIPOPT_CACHE_NEGATIVE)
		entry_unref(entry);
	return r;
}

/* Waits for the answer, leading if need be. */
static int load_await_answer(shipopt_cache *cache, struct flight *flight, enum flight_role role,
	const struct loader *loader, int64_t timeout_ms, shipopt_value **ret_value, shipopt_error **ret_error)
{
	int r = role == FLIGHT_LEADS;
	if (role == FLIGHT_FOLLOWS) {
		if (load_find_own(flight))
			return error_set(ret_error, SHIPOPT_EDEADLK, "the loader asks for the key that it loads");
		stats_add(&cache->stats, reader_own, STAT_COALESCED, 1);
		r = flight_wait(flight, timeout_ms);
	}
	while (r == 1) {
		r = load_lead(cache, flight, loader);
		if (r == 0)
			r = flight_wait(flight, timeout_ms);
	}
	if (r == SHIPOPT_ETIMEDOUT)
		return error_set(ret_error, r, "waited %lld ms for a load", (long long)timeout_ms);
	return r < 0 ? r : load_take_result(flight, false, ret_value, ret_error);
}

/* A refresh in the background. */
struct refreshing {
	struct task task;
	shipopt_cache *cache; /* a reference, and one of the flight */
	struct flight *flight;
	struct loader loader;
};

static void load_run_refresh(struct task *task)
{
	struct refreshing *refreshing = CONTAINER_OF(task, struct refreshing, task);
	shipopt_cache *cache = refreshing->cache;
	if (runtime_may_call_host(cache->keeper->runtime))
		load_lead(cache, refreshing->flight, &refreshing->loader);
	else
		flight_abandon(refreshing->flight);
	flight_unref(refreshing->flight);
	mem_free(refreshing);
	cache_unref(cache);
}

/* Takes over the reference to the flight. */
static void load_begin_refresh(shipopt_cache *cache, struct flight *flight, const struct loader *loader)
{
	struct refreshing *refreshing = mem_alloc_zero(sizeof(*refreshing));
	if (!refreshing) {
		flight_abandon(flight); /* the next reader tries again */
		flight_unref(flight);
		return;
	}
	refreshing->task.run = load_run_refresh;
	refreshing->cache = cache_ref(cache);
	refreshing->flight = flight;
	refreshing->loader = *loader;
	runtime_submit_task(cache->keeper->runtime, &refreshing->task);
}

static int load_or_join(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, struct entry *stale,
	const struct loader *loader, const shipopt_cache_options *options, enum refresh refresh,
	shipopt_value **ret_value, shipopt_error **ret_error)
{
	struct flight *flight;
	enum flight_role role;
	int r = flight_join(cache, hash, key, key_length, stale != NULL, options, &flight, &role);
	if (r < 0)
		return error_set(ret_error, r, "no load can begin: %s", shipopt_error_description(r));
	if (role == FLIGHT_NEEDLESS)
		return SHIPOPT_CACHE_WAITING;
	/* With a stale value in hand nobody waits for another. */
	if (stale && role == FLIGHT_LEADS && refresh == REFRESH_TASK) {
		load_begin_refresh(cache, flight, loader);
		return SHIPOPT_EAGAIN;
	}
	if (stale && role == FLIGHT_LEADS && refresh == REFRESH_ASKED)
		load_lead(cache, flight, loader);
	if (stale && (role != FLIGHT_LEADS || refresh == REFRESH_ASKED))
		r = SHIPOPT_EAGAIN;
	else
		r = load_await_answer(cache, flight, role, loader, load_timeout_of(cache, options), ret_value,
			ret_error);
	flight_unref(flight);
	return r;
}

int cache_get_or_load(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_load_fn load,
	void *userdata, const shipopt_cache_options *options, enum refresh refresh, shipopt_value **ret_value,
	shipopt_error **ret_error)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0 || !load || !ret_value)
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct loader loader = {.one = load, .userdata = userdata};
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	for (;;) {
		struct entry *entry;
		r = cache_look(cache, hash, key, key_length, &entry);
		if (r == SHIPOPT_CACHE_FOUND)
			*ret_value = entry_handle(entry);
		else if (r == SHIPOPT_CACHE_NEGATIVE)
			entry_unref(entry);
		if (r == SHIPOPT_CACHE_FOUND || r == SHIPOPT_CACHE_NEGATIVE)
			return r;
		struct entry *stale = r == SHIPOPT_CACHE_STALE ? entry : NULL;
		r = load_or_join(cache, hash, key, key_length, stale, &loader, options, refresh, ret_value,
			stale ? NULL : ret_error);
		if (stale && r < 0) {
			*ret_value = entry_handle(stale);
			return SHIPOPT_CACHE_STALE;
		}
		if (stale)
			entry_unref(stale);
		if (r != SHIPOPT_CACHE_WAITING)
			return r;
	}
}

int shipopt_cache_get_or_load(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_load_fn load,
	void *userdata, const shipopt_cache_options *options, shipopt_value **ret_value, shipopt_error **ret_error)
{
	bool is_task =
		cache && cache->keeper && !(options && options->refreshes_in_call) && keeper_is_running(cache->keeper);
	return cache_get_or_load(cache, key, key_length, load, userdata, options,
		is_task ? REFRESH_TASK : REFRESH_IN_CALL, ret_value, ret_error);
}

static int load_begin_or_watch(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, bool is_refresh,
	const shipopt_cache_options *options, shipopt_cache_ready_fn ready, void *userdata, shipopt_value **ret_value,
	shipopt_load **ret_load)
{
	struct flight *flight;
	enum flight_role role;
	int r = flight_join(cache, hash, key, key_length, is_refresh, options, &flight, &role);
	if (r < 0 || role == FLIGHT_NEEDLESS)
		return r < 0 ? r : SHIPOPT_CACHE_ABSENT;
	if (role == FLIGHT_LEADS)
		r = SHIPOPT_CACHE_LEAD;
	else if (is_refresh)
		r = SHIPOPT_CACHE_WAITING;
	else if (role == FLIGHT_FOLLOWS)
		r = flight_watch(flight, ready, userdata, load_timeout_of(cache, options), load_takes_words(options));
	if (r == SHIPOPT_CACHE_LEAD) {
		stats_add(&cache->stats, reader_own, STAT_LOADS, 1);
		*ret_load = &flight->load;
	} else if (r == SHIPOPT_CACHE_WAITING && !is_refresh) {
		stats_add(&cache->stats, reader_own, STAT_COALESCED, 1);
	} else if (r == 0) {
		r = load_take_result(flight, load_takes_words(options), ret_value, NULL);
	}
	flight_unref(flight);
	return r;
}

int shipopt_cache_get_or_begin(shipopt_cache *cache, const void *key, size_t key_length,
	const shipopt_cache_options *options, shipopt_cache_ready_fn ready, void *userdata, shipopt_value **ret_value,
	shipopt_load **ret_load)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0 || !ready || !ret_value || !ret_load)
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	for (;;) {
		struct entry *entry;
		shipopt_load *load = NULL;
		int outcome = cache_look(cache, hash, key, key_length, &entry);
		if (outcome == SHIPOPT_CACHE_NEGATIVE) {
			if (load_takes_words(options))
				*ret_value = entry_handle(entry);
			else
				entry_unref(entry);
			return outcome;
		}
		if (outcome == SHIPOPT_CACHE_ABSENT) {
			r = load_begin_or_watch(cache, hash, key, key_length, false, options, ready, userdata,
				ret_value, &load);
			if (r == SHIPOPT_CACHE_ABSENT)
				continue; /* it has come meanwhile */
		} else {
			r = outcome;
			if (outcome == SHIPOPT_CACHE_STALE)
				load_begin_or_watch(cache, hash, key, key_length, true, options, ready, userdata, NULL,
					&load);
			*ret_value = entry_handle(entry);
			*ret_load = load;
			return r;
		}
		if (r == SHIPOPT_CACHE_LEAD)
			*ret_load = load;
		return r;
	}
}

/* Those of many keys that are not there. */
struct missing {
	struct flight **flights; /* by key; NULL: found, or failed */
	struct flight **led;
	shipopt_load **loads;
	size_t led_count;
};

static void load_join_missing(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	const shipopt_cache_options *options, struct missing *missing, int *outcomes, shipopt_value **values)
{
	for (size_t i = 0; i < count; i++) {
		/* A key may be there twice, and a value may have come meanwhile. */
		while (outcomes[i] == SHIPOPT_CACHE_ABSENT && !missing->flights[i]) {
			uint64_t hash = table_hash(&cache->hashing, keys[i], key_lengths[i]);
			enum flight_role role;
			struct flight *flight = NULL;
			int r = flight_join(cache, hash, keys[i], key_lengths[i], false, options, &flight, &role);
			if (r < 0) {
				outcomes[i] = r;
			} else if (role == FLIGHT_NEEDLESS) {
				struct entry *entry;
				outcomes[i] = cache_look(cache, hash, keys[i], key_lengths[i], &entry);
				if (outcomes[i] == SHIPOPT_CACHE_FOUND || outcomes[i] == SHIPOPT_CACHE_STALE)
					values[i] = entry_handle(entry);
				else if (outcomes[i] == SHIPOPT_CACHE_NEGATIVE)
					entry_unref(entry);
			} else {
				missing->flights[i] = flight;
			}
			if (r == 0 && role == FLIGHT_LEADS) {
				missing->loads[missing->led_count] = &flight->load;
				missing->led[missing->led_count++] = flight;
			}
		}
	}
}

static void load_missing(shipopt_cache *cache, const struct loader *loader, struct missing *missing)
{
	if (missing->led_count == 0)
		return;
	stats_add(&cache->stats, reader_own, STAT_LOADS, missing->led_count);
	struct frame frame = {.flights = missing->led, .loads = missing->loads, .count = missing->led_count};
	int r = load_call_loader(loader, &frame);
	for (size_t i = 0; r < 0 && i < missing->led_count; i++)
		if (missing->loads[i] && flight_is_running(missing->led[i]))
			shipopt_load_fail(missing->loads[i], r, NULL);
}

static int load_await_missing(struct flight *flight, int64_t timeout_ms, shipopt_value **value)
{
	if (load_find_own(flight))
		return SHIPOPT_EDEADLK;
	int r = flight_wait(flight, timeout_ms);
	if (r == 1) {
		/* The loader of many is not called again for one. */
		flight_abandon(flight);
		return SHIPOPT_ECANCELED;
	}
	return r < 0 ? r : load_take_result(flight, false, value, NULL);
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
	struct missing missing = {mem_alloc_array(count, sizeof(struct flight *)),
		mem_alloc_array(count, sizeof(struct flight *)), mem_alloc_array(count, sizeof(shipopt_load *)), 0};
	if (!missing.flights || !missing.led || !missing.loads) {
		found = SHIPOPT_ENOMEM;
		for (size_t i = 0; i < count; i++)
			shipopt_value_unref(TAKE(ret_values[i]));
	} else {
		struct loader loader = {.many = load, .userdata = userdata};
		load_join_missing(cache, count, keys, key_lengths, options, &missing, ret_outcomes, ret_values);
		load_missing(cache, &loader, &missing);
		found = 0;
		for (size_t i = 0; i < count; i++) {
			if (missing.flights[i]) {
				ret_outcomes[i] = load_await_missing(missing.flights[i],
					load_timeout_of(cache, options), &ret_values[i]);
				flight_unref(missing.flights[i]);
			}
			found += ret_values[i] != NULL;
		}
	}
	mem_free(missing.loads);
	mem_free(missing.led);
	mem_free(missing.flights);
	return found;
}
