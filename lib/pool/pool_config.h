/* SPDX-License-Identifier: MIT */
#ifndef POOL_POOL_CONFIG_H
#define POOL_POOL_CONFIG_H

#include "pool/core/pool.h"

/* The configuration of a pool. The application uses it on one thread at a time; shipopt_pool_new() copies it. */
struct shipopt_pool_config {
	struct settings settings;
	struct delivery delivery; /* holds a reference to the queue */
	shipopt_slow_query_fn slow_query;
	void *slow_userdata;
};

#endif
