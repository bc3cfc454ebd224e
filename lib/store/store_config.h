/* SPDX-License-Identifier: MIT */
#ifndef STORE_STORE_CONFIG_H
#define STORE_STORE_CONFIG_H

#include <shipopt/store.h>

#include "config/tables.h"
#include "runtime/op.h"

/* The settings of a store, and how its completions are delivered. Has a reference to the queue. */
struct shipopt_store_config {
	struct settings settings;
	struct delivery delivery;
};

#endif
