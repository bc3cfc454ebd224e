/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_DELIVERY_H
#define RUNTIME_DELIVERY_H

#include "config/settings.h"
#include "runtime/op.h"

/* The delivery part of a handle's configuration: a mode and, for delivery to a queue, a reference to it. */

/* Takes a reference and makes the queue the mode; NULL drops it and restores the scheduler. */
int delivery_set_queue(struct delivery *delivery, shipopt_queue *queue);
/* Checks a configuration: its settings (settings_check()), and that a queue and deliver_inline are not both set. */
int delivery_check(const struct delivery *delivery, const struct settings *settings, size_t deliver_inline,
	shipopt_error **ret_error);
/* The delivery of a handle: that of its configuration, or inline if the setting says so. Takes a reference to the queue. */
void delivery_copy(struct delivery *to, const struct delivery *from, const struct settings *settings,
	size_t deliver_inline);

/* The public setter, for a struct shipopt_<noun>_config with a member `delivery`. */
#define DELIVERY_PUBLIC(noun)                                                                        \
	int shipopt_##noun##_config_set_queue(shipopt_##noun##_config *config, shipopt_queue *queue) \
	{                                                                                            \
		return config ? delivery_set_queue(&config->delivery, queue) : SHIPOPT_EINVAL;       \
	}

#endif
