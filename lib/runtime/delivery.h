/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_DELIVERY_H
#define RUNTIME_DELIVERY_H

#include "runtime/op.h"

/* The delivery part of a handle's configuration: a mode and, for delivery to a queue, a reference to it. */

/* SHIPOPT_EINVAL for an unknown mode. */
int delivery_set_mode(struct delivery *delivery, int mode);
/* Takes a reference and makes the queue the mode; NULL drops it and restores the scheduler. */
int delivery_set_queue(struct delivery *delivery, shipopt_queue *queue);
/* SHIPOPT_EINVAL when delivery to a queue was asked for and none was set. */
int delivery_check(const struct delivery *delivery, const char *noun, shipopt_error **ret_error);

/* The public setters, for a struct shipopt_<noun>_config with a member `delivery`. */
#define DELIVERY_PUBLIC(noun)                                                                        \
	int shipopt_##noun##_config_set_delivery(shipopt_##noun##_config *config, int delivery)      \
	{                                                                                            \
		return config ? delivery_set_mode(&config->delivery, delivery) : SHIPOPT_EINVAL;     \
	}                                                                                            \
	int shipopt_##noun##_config_set_queue(shipopt_##noun##_config *config, shipopt_queue *queue) \
	{                                                                                            \
		return config ? delivery_set_queue(&config->delivery, queue) : SHIPOPT_EINVAL;       \
	}

#endif
