/* SPDX-License-Identifier: MIT */
#include "runtime/delivery.h"

int delivery_set_mode(struct delivery *delivery, int mode)
{
	if (mode < SHIPOPT_DELIVERY_SCHEDULER || mode > SHIPOPT_DELIVERY_QUEUE)
		return SHIPOPT_EINVAL;
	delivery->mode = mode;
	return 0;
}

int delivery_set_queue(struct delivery *delivery, shipopt_queue *queue)
{
	queue_ref(queue);
	queue_unref(delivery->queue);
	delivery->queue = queue;
	delivery->mode = queue ? SHIPOPT_DELIVERY_QUEUE : SHIPOPT_DELIVERY_SCHEDULER;
	return 0;
}

int delivery_check(const struct delivery *delivery, const char *noun, shipopt_error **ret_error)
{
	if (delivery->mode != SHIPOPT_DELIVERY_QUEUE || delivery->queue)
		return 0;
	return error_set(ret_error, SHIPOPT_EINVAL, "%s: delivery to a queue was asked for, and no queue was set",
		noun);
}
