/* SPDX-License-Identifier: MIT */
#ifndef CACHE_LOAD_H
#define CACHE_LOAD_H

#include "cache/flight/flight.h"

/*
 * Loading: what callers do with a flight (cache/flight/flight.h).
 *
 * A caller that leads runs the application's loader on its own thread and then waits for the answer like the others,
 * because the loader may leave it to another thread. The tokens whose loader runs on a thread are kept in a stack of
 * that thread (struct load_frame). It distinguishes a loader that asks for the key it is loading from one that asks for
 * another key, and gives the tokens up if the thread ends inside the loader.
 */

/* How a stale value is refreshed. */
enum refresh {
	REFRESH_IN_CALL, /* the leader loads, and returns the new outcome */
	REFRESH_NO_WAIT, /* the leader calls the loader, but does not wait for the answer */
	REFRESH_IN_TASK  /* the loader runs as a task of the cache's runtime; `load` and `userdata` must stay usable */
};

struct load_frame {
	struct load_frame *outer;
	struct flight **flights; /* a reference each */
	shipopt_load **loads;    /* an element becomes NULL if the loader abandons that token */
	size_t count;
};

struct loader {
	shipopt_cache_load_fn one;
	shipopt_cache_load_many_fn many; /* if `one` is NULL */
	void *userdata;
};

/* shipopt_cache_get_or_load() with a way to refresh. */
int load_read_through(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_load_fn load,
	void *userdata, const shipopt_cache_options *options, enum refresh refresh, shipopt_value **ret_value,
	shipopt_error **ret_error);

/* ---- for layers above that hold a token -------------------------------------------------------------------- */

/* The options of the question. The holder of the token may change them, except the tags. */
shipopt_cache_options *load_options(shipopt_load *load);
/* Adds a tag to the answer: flight_add_tag(). */
int load_add_tag(shipopt_load *load, const char *tag);
/* The answer will be delivered to the waiting callers, but not stored. */
void load_drop(shipopt_load *load);
/* shipopt_load_fail() with an error object, which is consumed. */
void load_fail(shipopt_load *load, int status, shipopt_error *error);
/* shipopt_load_not_found() that stores a few bytes with the entry, the negative detail. Callers whose options want it
 * get the entry as a value with these bytes. */
int load_not_found(shipopt_load *load, const void *detail, size_t length, const shipopt_cache_options *options);

/* ---- for the files of this folder -------------------------------------------------------------------------- */

/* Runs the loader for the flights of `frame`. */
int load_call(const struct loader *loader, struct load_frame *frame);
/* Whether a loader on this thread is loading the flight's key. */
bool load_is_own(const struct flight *flight);
int64_t load_timeout_ms(const shipopt_cache *cache, const shipopt_cache_options *options);
/* The answer of a flight as an outcome and a handle. */
int load_result(struct flight *flight, bool wants_negative_detail, shipopt_value **ret_value,
	shipopt_error **ret_error);

#endif
