/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CONFIG
#include "runtime/delivery.h"

int delivery_set_queue(struct delivery *delivery, shipopt_queue *queue)
{
	queue_ref(queue);
	queue_unref(delivery->queue);
	delivery->queue = queue;
	delivery->mode = queue ? DELIVERY_QUEUE : DELIVERY_SCHEDULER;
	return 0;
}

int delivery_check(const struct delivery *delivery, const struct settings *settings, size_t deliver_inline,
	shipopt_error **ret_error)
{
	int r = settings_check(settings, ret_error);
	if (r < 0 || !delivery->queue || !settings_number(settings, deliver_inline))
		return r;
	return error_set(ret_error, SHIPOPT_EINVAL,
		"%s setting deliver_inline: it is 1 and a queue is set; use one of them", settings->table->noun);
}

void delivery_copy(struct delivery *to, const struct delivery *from, const struct settings *settings,
	size_t deliver_inline)
{
	*to = *from;
	queue_ref(to->queue);
	if (settings_number(settings, deliver_inline))
		to->mode = DELIVERY_INLINE;
}
