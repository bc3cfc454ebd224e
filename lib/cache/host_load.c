/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "cache/flight.h"
#include "cache/load.h"
#include "runtime/queue.h"
#include "runtime/request.h"

/* Loads as requests to the application: the leader's loader puts a request into the queue and returns. The answer completes the load, on
 * the thread that answers. */
struct host_load {
	shipopt_queue *queue;
	shipopt_cache_ask_fn ask;
	void *userdata;
};

static void host_load_answered(void *asker, int status, int64_t value, shipopt_error *error)
{
	shipopt_load *load = asker;
	if (status < 0)
		flight_fail(load->flight, status, error);
	else
		shipopt_load_not_found(load, NULL);
}

static int host_load_ask(const struct host_load *host, shipopt_load *load)
{
	shipopt_request *request;
	char *key = mem_copy_bytes(load->flight->key, load->flight->key_length);
	int r = key ? request_new(key, NULL, NULL, host_load_answered, load, &request) : SHIPOPT_ENOMEM;
	mem_free(key);
	if (r == 0)
		request_ask_queue(request, host->queue, host->ask, host->userdata);
	return r;
}

static int load_by_host(void *userdata, shipopt_load *load)
{
	const struct host_load *host = userdata;
	int r = queue_admit(host->queue);
	if (r < 0)
		return r;
	r = host_load_ask(host, load);
	if (r < 0)
		queue_unreserve(host->queue);
	return r;
}

int shipopt_cache_get_or_request(shipopt_cache *cache, const void *key, size_t key_length, shipopt_queue *queue,
	shipopt_cache_ask_fn ask, void *userdata, const shipopt_cache_options *options, shipopt_value **ret_value,
	shipopt_error **ret_error)
{
	if (!queue)
		return SHIPOPT_EINVAL;
	if (queue_is_dispatching(queue))
		return error_set(ret_error, SHIPOPT_EDEADLK, "the answer would have to come from this dispatch");
	struct host_load host = {queue, ask, userdata};
	return cache_get_or_load(cache, key, key_length, load_by_host, &host, options, REFRESH_ASKED, ret_value,
		ret_error);
}

int shipopt_request_load_complete(shipopt_request *request, const void *value, size_t value_length,
	const shipopt_cache_options *options)
{
	shipopt_load *load = request_asker(request, host_load_answered);
	if (!load || (!value && value_length))
		return SHIPOPT_EINVAL;
	request_free(request);
	return shipopt_load_complete(load, value, value_length, options);
}
