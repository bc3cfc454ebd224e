/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include "runtime/request.h"

#include "cache/flight/answer.h"
#include "cache/load/load.h"
#include "runtime/queue.h"

/*
 * Loads as requests to the application. The leader's loader posts a request to the cache's queue and returns. The
 * answer answers the token, on the thread on which the application gives it.
 */
struct load_request {
	shipopt_queue *queue;
	shipopt_cache_ask_fn ask;
	void *userdata;
};

static void request_answered(void *asker, int status, int64_t value, shipopt_error *error)
{
	shipopt_load *load = asker;
	if (status < 0)
		flight_fail(load->flight, status, error);
	else
		shipopt_load_not_found(load, NULL);
}

static int request_post(const struct load_request *call, shipopt_load *load)
{
	shipopt_request *request;
	int r = request_new_bytes(load->flight->key, load->flight->key_length, NULL, request_answered, load, &request);
	if (r == 0)
		request_ask_queue(request, call->queue, call->ask, call->userdata);
	return r;
}

/* The loader of a caller that leads. */
static int request_load(void *userdata, shipopt_load *load)
{
	const struct load_request *call = userdata;
	int r = queue_admit(call->queue);
	if (r < 0)
		return r;
	r = request_post(call, load);
	if (r < 0)
		queue_unreserve(call->queue);
	return r;
}

int shipopt_cache_get_or_request(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_ask_fn ask,
	void *userdata, const shipopt_cache_options *options, shipopt_value **ret_value, shipopt_error **ret_error)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0)
		return r;
	if (!cache->queue)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"cache: it has no queue; set one with shipopt_cache_config_set_queue()");
	if (queue_is_dispatching(cache->queue))
		return error_set(ret_error, SHIPOPT_EDEADLK,
			"cache: cannot block inside shipopt_queue_dispatch() of the queue that must bring the answer");
	struct load_request call = {cache->queue, ask, userdata};
	return load_read_through(cache, key, key_length, request_load, &call, options, REFRESH_NO_WAIT, ret_value,
		ret_error);
}

/* Consumes a request of a cache; NULL for another one. */
static shipopt_load *request_take_load(shipopt_request *request)
{
	shipopt_load *load = request_asker(request, request_answered);
	if (load)
		request_free(request);
	return load;
}

int shipopt_request_load_complete(shipopt_request *request, const void *value, size_t value_length,
	const shipopt_cache_options *options)
{
	shipopt_load *load = value || !value_length ? request_take_load(request) : NULL;
	return load ? shipopt_load_complete(load, value, value_length, options) : SHIPOPT_EINVAL;
}

int shipopt_request_load_not_found(shipopt_request *request, const shipopt_cache_options *options)
{
	shipopt_load *load = request_take_load(request);
	return load ? shipopt_load_not_found(load, options) : SHIPOPT_EINVAL;
}
