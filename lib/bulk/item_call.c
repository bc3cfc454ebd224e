/* SPDX-License-Identifier: MIT */
#include "bulk/run.h"
#include "runtime/request.h"

/*
 * Items of call runs: a question to the application each. There is nothing to cancel: the application works on it, and
 * the run waits for its answer.
 */

static void item_call_answered(void *asker, int status, int64_t value, shipopt_error *error)
{
	struct run_item *item = asker;
	item->item.value = value;
	run_item_end_later(item, MIN(status, 0), error);
}

static void item_call_start(struct run_item *item)
{
	shipopt_run *run = item->run;
	shipopt_request *request;
	int r = request_new(item->item.order->key, item->item.order->shipment, run->reactor, item_call_answered, item,
		&request);
	if (r < 0) {
		run_item_end_later(item, r, NULL);
		return;
	}
	item->item.attempts = 1;
	bool has_slot = item->has_ask_slot;
	item->has_ask_slot = false; /* the question uses it up */
	request_ask(request, &run->op, has_slot, run->call, run->call_userdata);
}

const struct run_item_class item_call_class = {sizeof(struct run_item), item_call_start, NULL, NULL};
