/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include "cache/load/load.h"

#include <pthread.h>

#include "base/memory.h"
#include "cache/access/get.h"
#include "cache/flight/answer.h"
#include "cache/flight/wait.h"
#include "cache/maintenance/maintenance.h"

static _Thread_local struct load_frame *innermost;

/* ---- the loader -------------------------------------------------------------------------------------------- */

/* Finds a flight's token in the frames of this thread. */
static shipopt_load **load_find_own(const struct flight *flight)
{
	for (struct load_frame *frame = innermost; frame; frame = frame->outer)
		for (size_t i = 0; i < frame->count; i++)
			if (frame->flights[i] == flight)
				return &frame->loads[i];
	return NULL;
}

bool load_is_own(const struct flight *flight)
{
	return load_find_own(flight) != NULL;
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

/* Runs when a thread ends inside its loader. */
static void load_leave_frame(void *argument)
{
	struct load_frame *frame = argument;
	innermost = frame->outer;
	for (size_t i = 0; i < frame->count; i++) {
		if (frame->loads[i] && flight_is_running(frame->flights[i]))
			flight_abandon(frame->flights[i]);
		flight_unref(frame->flights[i]);
	}
}

int load_call(const struct loader *loader, struct load_frame *frame)
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

/* Runs the loader for one flight. 0: the token was answered, or will be. */
static int load_lead(shipopt_cache *cache, struct flight *flight, const struct loader *loader)
{
	stats_add(&cache->stats, reader_own, STAT_LOADS, 1);
	shipopt_load *load = &flight->load;
	struct load_frame frame = {.flights = &flight, .loads = &load, .count = 1};
	int r = load_call(loader, &frame);
	if (!load)
		return r < 0 ? r : SHIPOPT_ECANCELED;
	/* An answer that could not be stored has failed the load already, and the loader may return its code. */
	if (r < 0 && flight_is_running(flight))
		shipopt_load_fail(load, r, NULL);
	return 0;
}

/* ---- waiting for the answer -------------------------------------------------------------------------------- */

int64_t load_timeout_ms(const shipopt_cache *cache, const shipopt_cache_options *options)
{
	return options && options->timeout_ms != OPTION_UNSET ? options->timeout_ms : cache->load_timeout_ms;
}

int load_result(struct flight *flight, bool wants_negative_detail, shipopt_value **ret_value, shipopt_error **ret_error)
{
	struct entry *entry;
	int r = flight_result(flight, &entry, ret_error);
	if (r == SHIPOPT_CACHE_FOUND || (r == SHIPOPT_CACHE_NOT_FOUND && wants_negative_detail))
		*ret_value = entry_handle(entry);
	else if (r == SHIPOPT_CACHE_NOT_FOUND)
		entry_unref(entry);
	return r;
}

static int load_await(shipopt_cache *cache, struct flight *flight, enum flight_role role, const struct loader *loader,
	int64_t timeout_ms, shipopt_value **ret_value, shipopt_error **ret_error)
{
	int r = role == FLIGHT_LEADS;
	if (role == FLIGHT_FOLLOWS) {
		if (load_is_own(flight))
			return error_set(ret_error, SHIPOPT_EDEADLK,
				"cache: the loader asks for the key that it is loading");
		stats_add(&cache->stats, reader_own, STAT_COALESCED, 1);
		r = flight_wait(flight, timeout_ms);
	}
	while (r == 1) {
		r = load_lead(cache, flight, loader);
		if (r == 0)
			r = flight_wait(flight, timeout_ms);
	}
	if (r == SHIPOPT_ETIMEDOUT)
		return error_set(ret_error, r, "cache: the load took longer than %lld ms (load_timeout_ms)",
			(long long)timeout_ms);
	return r < 0 ? r : load_result(flight, false, ret_value, ret_error);
}

/* ---- refreshing in a task ---------------------------------------------------------------------------------- */

struct refresh_task {
	struct task task;
	shipopt_cache *cache; /* a reference, as the next one */
	struct flight *flight;
	struct loader loader;
};

static void load_run_refresh(struct task *task)
{
	struct refresh_task *refresh = CONTAINER_OF(task, struct refresh_task, task);
	shipopt_cache *cache = refresh->cache;
	if (runtime_may_call_host(cache->maintenance->runtime))
		load_lead(cache, refresh->flight, &refresh->loader);
	else
		flight_abandon(refresh->flight);
	flight_unref(refresh->flight);
	mem_free(refresh);
	cache_unref(cache);
}

/* Takes over the reference to the flight. */
static void load_submit_refresh(shipopt_cache *cache, struct flight *flight, const struct loader *loader)
{
	struct refresh_task *refresh = mem_alloc_zero(sizeof(*refresh));
	if (!refresh) {
		flight_abandon(flight); /* the next reader tries again */
		flight_unref(flight);
		return;
	}
	refresh->task.run = load_run_refresh;
	refresh->cache = cache_ref(cache);
	refresh->flight = flight;
	refresh->loader = *loader;
	runtime_submit_task(cache->maintenance->runtime, &refresh->task);
}

/* ---- reading through --------------------------------------------------------------------------------------- */

static int load_refuse(const shipopt_cache *cache, int code, shipopt_error **ret_error)
{
	if (code == SHIPOPT_EAGAIN && atomic_load(&cache->load_count) >= cache->loads_max)
		return error_set(ret_error, code, "cache: %lld loads are in flight, the maximum (loads_max)",
			(long long)cache->loads_max);
	if (code == SHIPOPT_EAGAIN)
		return error_set(ret_error, code, "cache: %zu tags are in use, the maximum (tags_max)",
			cache->tags.count_max);
	return error_set(ret_error, code, "cache: no load can begin: %s", shipopt_error_description(code));
}

/* With `has_stale` nobody waits for another's load: SHIPOPT_EAGAIN. SHIPOPT_CACHE_WAITING: look the key up again. */
static int load_or_join(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, bool has_stale,
	const struct loader *loader, const shipopt_cache_options *options, enum refresh refresh,
	shipopt_value **ret_value, shipopt_error **ret_error)
{
	struct flight *flight;
	enum flight_role role;
	int r = flight_join(cache, hash, key, key_length, has_stale, options, &flight, &role);
	if (r < 0)
		return load_refuse(cache, r, ret_error);
	if (role == FLIGHT_NEEDLESS)
		return SHIPOPT_CACHE_WAITING;
	if (has_stale && role == FLIGHT_LEADS && refresh == REFRESH_IN_TASK) {
		load_submit_refresh(cache, flight, loader);
		return SHIPOPT_EAGAIN;
	}
	if (has_stale && role == FLIGHT_LEADS && refresh == REFRESH_NO_WAIT)
		load_lead(cache, flight, loader);
	if (has_stale && (role != FLIGHT_LEADS || refresh == REFRESH_NO_WAIT))
		r = SHIPOPT_EAGAIN;
	else
		r = load_await(cache, flight, role, loader, load_timeout_ms(cache, options), ret_value, ret_error);
	flight_unref(flight);
	return r;
}

int load_read_through(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_load_fn load,
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
		r = get_entry(cache, hash, key, key_length, &entry);
		if (r == SHIPOPT_CACHE_FOUND)
			*ret_value = entry_handle(entry);
		else if (r == SHIPOPT_CACHE_NOT_FOUND)
			entry_unref(entry);
		if (r == SHIPOPT_CACHE_FOUND || r == SHIPOPT_CACHE_NOT_FOUND)
			return r;
		bool has_stale = r == SHIPOPT_CACHE_STALE;
		r = load_or_join(cache, hash, key, key_length, has_stale, &loader, options, refresh, ret_value,
			has_stale ? NULL : ret_error);
		if (has_stale && r < 0) {
			*ret_value = entry_handle(entry);
			return SHIPOPT_CACHE_STALE;
		}
		if (has_stale)
			entry_unref(entry);
		if (r != SHIPOPT_CACHE_WAITING)
			return r;
	}
}

int shipopt_cache_get_or_load(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_load_fn load,
	void *userdata, const shipopt_cache_options *options, shipopt_value **ret_value, shipopt_error **ret_error)
{
	bool is_task = cache && cache->maintenance && !(options && options->refreshes_in_call) &&
		maintenance_is_running(cache->maintenance);
	return load_read_through(cache, key, key_length, load, userdata, options,
		is_task ? REFRESH_IN_TASK : REFRESH_IN_CALL, ret_value, ret_error);
}
