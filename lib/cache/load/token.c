/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include "cache/flight/answer.h"
#include "cache/load/load.h"
#include "cache/shard/write.h"

/* How the application answers a token. */

const void *shipopt_load_key(const shipopt_load *load)
{
	return load ? load->flight->key : NULL;
}

size_t shipopt_load_key_length(const shipopt_load *load)
{
	return load ? load->flight->key_length : 0;
}

/* `has_own_options`: `options` may bring tags that the question did not name. */
static int token_answer(shipopt_load *load, struct entry_content *content, const shipopt_cache_options *options,
	bool has_own_options)
{
	struct flight *flight = load->flight;
	shipopt_cache *cache = flight->cache;
	content->key = flight->key;
	content->key_length = flight->key_length;
	/* A tag that is only named now may have been invalidated, and its record freed, during the load. */
	bool may_be_outdated =
		has_own_options && options->tag_count && atomic_load(&cache->tags.floor) > flight->ticket;
	struct entry *entry;
	int r = write_make(cache, content, options, flight->ticket, true, &entry);
	if (r < 0) {
		flight_fail(flight, r, error_new(r, "cache: the loaded value could not be stored"));
		return r;
	}
	if (may_be_outdated)
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
	return token_answer(load, &content, options ? options : &load->flight->options, options != NULL);
}

int load_not_found(shipopt_load *load, const void *detail, size_t length, const shipopt_cache_options *options)
{
	struct entry_content content = {.value = detail, .value_length = length, .is_not_found = true};
	if (options)
		return token_answer(load, &content, options, true);
	/* The TTL in the question's options is meant for a value. */
	shipopt_cache_options own = load->flight->options;
	own.ttl_ms = OPTION_UNSET;
	return token_answer(load, &content, &own, false);
}

shipopt_cache_options *load_options(shipopt_load *load)
{
	return &load->flight->options;
}

int load_add_tag(shipopt_load *load, const char *tag)
{
	return flight_add_tag(load->flight, tag);
}

void load_drop(shipopt_load *load)
{
	flight_drop(load->flight);
}

void load_fail(shipopt_load *load, int status, shipopt_error *error)
{
	flight_fail(load->flight, status, error);
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
	load_fail(load, status, error_new(status, message ? message : shipopt_error_description(status)));
}
