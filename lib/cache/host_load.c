/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "cache/flight.h"
#include "cache/load.h"
#include "runtime/queue.h"
#include "runtime/request.h"

/*
 * Loads as questions to the host: the leader's loader puts a request event into the host's queue and returns; the token is
 * answered by the request's answer, on whatever thread that comes.
 */
struct asking {
	shipopt_queue *queue;
	shipopt_cache_ask_fn ask;
	void *userdata;
};

struct question {
	struct queue_entry entry;
	struct asking asking;
	shipopt_request *request;
};

static void host_load_answered(void *userdata, int status, int64_t value, shipopt_error *error)
{
	shipopt_load *load = userdata;
	if (status < 0)
		flight_fail(load->flight, status, error);
	else
		shipopt_load_not_found(load, NULL);
}

static void host_load_question_run(struct queue_entry *entry)
{
	struct question *question = CONTAINER_OF(entry, struct question, entry);
	if (question->asking.ask)
		question->asking.ask(question->asking.userdata, question->request);
	else
		shipopt_request_fail(question->request, SHIPOPT_ESTATE,
			"the queue was dispatched, but nobody is there to ask");
}

static void host_load_question_finish(struct queue_entry *entry)
{
	mem_free(CONTAINER_OF(entry, struct question, entry));
}

static int host_load_put_question(const struct asking *asking, shipopt_load *load)
{
	struct question *question = mem_alloc_zero(sizeof(*question));
	char *key = mem_copy_bytes(load->flight->key, load->flight->key_length);
	int r = question && key ? request_new(key, NULL, host_load_answered, load, &question->request) : SHIPOPT_ENOMEM;
	mem_free(key);
	if (r < 0) {
		mem_free(question);
		return r;
	}
	question->asking = *asking;
	question->entry.has_callback = asking->ask != NULL;
	question->entry.run = host_load_question_run;
	question->entry.finish = host_load_question_finish;
	question->entry.event = (shipopt_event){.userdata = (uint64_t)(uintptr_t)asking->userdata,
		.kind = SHIPOPT_EVENT_REQUEST,
		.value = (uint64_t)(uintptr_t)question->request};
	queue_push(asking->queue, &question->entry);
	return 0;
}

static int load_by_host(void *userdata, shipopt_load *load)
{
	const struct asking *asking = userdata;
	int r = queue_reserve(asking->queue);
	if (r < 0)
		return r;
	r = host_load_put_question(asking, load);
	if (r < 0)
		queue_unreserve(asking->queue);
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
	struct asking asking = {queue, ask, userdata};
	return cache_get_or_load(cache, key, key_length, load_by_host, &asking, options, REFRESH_ASKED, ret_value,
		ret_error);
}

int shipopt_request_load_complete(shipopt_request *request, const void *value, size_t value_length,
	const shipopt_cache_options *options)
{
	shipopt_load *load = request_userdata(request, host_load_answered);
	if (!load || (!value && value_length))
		return SHIPOPT_EINVAL;
	request_free(request);
	return shipopt_load_complete(load, value, value_length, options);
}
