/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "orders/source.h"

struct callback_source {
	shipopt_source source;
	shipopt_source_fn next;
	void *userdata;
};

/* An order without a key could be bought twice, so it fails. */
static void source_callback_check_key(shipopt_order *order)
{
	if (!order->key)
		order->status = error_set(&order->error, SHIPOPT_EINVAL,
			"the source's callback returned an order without a key");
}

static int callback_next(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error)
{
	struct callback_source *callback = CONTAINER_OF(source, struct callback_source, source);
	shipopt_order *order CLEANUP_ORDER = NULL;
	int r = order_new_empty(&order);
	if (r < 0)
		return r;
	r = callback->next(callback->userdata, order);
	if (r < 0)
		return error_set(ret_error, r, "the source's callback returned %d (%s)", r, shipopt_error_name(r));
	if (r == 0)
		return SOURCE_END;
	if (r != 1)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"the source's callback returned %d, not 1 for an order or 0 for the end", r);
	source_callback_check_key(order);
	*ret_order = TAKE(order);
	return SOURCE_ORDER;
}

static const struct source_class callback_class = {.next = callback_next};

int shipopt_source_new_callback(shipopt_source_fn next, void *userdata, shipopt_source **ret_source)
{
	if (!next || !ret_source)
		return SHIPOPT_EINVAL;
	shipopt_source *source = NULL;
	int r = source_new(&callback_class, sizeof(struct callback_source), &source);
	if (r < 0)
		return r;
	struct callback_source *callback = CONTAINER_OF(source, struct callback_source, source);
	callback->next = next;
	callback->userdata = userdata;
	*ret_source = source;
	return 0;
}
