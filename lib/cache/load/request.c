/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include "runtime/request.h"

#include "base/memory.h"
#include "cache/flight/answer.h"
#include "cache/load/load.h"
#include "runtime/queue.h"

/*
 * Loads as events of the application's queue. The leader's loader posts a REQUEST event and returns. The answer to the request answers
 * the token, on whatever thread it comes.
 */
struct request_call {
	shipopt_queue *queue;
	shipopt_cache_ask_fn ask;
	void *userdata;
};

struct request_event {
	struct queue_entry entry;
	struct request_call call;
	shipopt_request *request;
};

static void request_answered(void *userdata, int status, int64_t value, shipopt_error *error)
{
	shipopt_load *load = userdata;
	if (status < 0)
		flight_fail(load->flight, status, error);
	else
		shipopt_load_not_found(load, NULL);
}

static void request_event_run(struct queue_entry *entry)
{
	struct request_event *event = CONTAINER_OF(entry, struct request_event, entry);
	if (event->call.ask)
		event->call.ask(event->call.userdata, event->request);
	else
		shipopt_request_fail(event->request, SHIPOPT_ESTATE,
			"cache: no callback is set for this request, and the queue was dispatched instead of polled");
}

static void request_event_finish(struct queue_entry *entry)
{
	mem_free(CONTAINER_OF(entry, struct request_event, entry));
}

static int request_post(const struct request_call *call, shipopt_load *load)
{
	struct request_event *event = mem_alloc_zero(sizeof(*event));
	int r = event ? request_new_bytes(load->flight->key, load->flight->key_length, request_answered, load,
				&event->request)
		      : SHIPOPT_ENOMEM;
	if (r < 0) {
		mem_free(event);
		return r;
	}
	event->call = *call;
	event->entry.has_callback = call->ask != NULL;
	event->entry.run = request_event_run;
	event->entry.finish = request_event_finish;
	event->entry.event = (shipopt_event){.kind = SHIPOPT_EVENT_REQUEST,
		.userdata = (uint64_t)(uintptr_t)call->userdata,
		.value = (uint64_t)(uintptr_t)event->request};
	queue_push(call->queue, &event->entry);
	return 0;
}

/* The loader of a caller that leads. */
static int request_load(void *userdata, shipopt_load *load)
{
	const struct request_call *call = userdata;
	int r = queue_reserve(call->queue);
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
	struct request_call call = {cache->queue, ask, userdata};
	return load_read_through(cache, key, key_length, request_load, &call, options, REFRESH_NO_WAIT, ret_value,
		ret_error);
}

/* Consumes a request of a cache; NULL for another one. */
static shipopt_load *request_take_load(shipopt_request *request)
{
	shipopt_load *load = request_userdata(request, request_answered);
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
