/* SPDX-License-Identifier: MIT */
#ifndef POOL_WAITING_UPKEEP_H
#define POOL_WAITING_UPKEEP_H

#include "pool/core/pool.h"

/*
 * Regular work of a pool: lifetime, idle time and leaked leases.
 *
 * A connection older than its lifetime is replaced, one at a time. The pool first connects the replacement, if there is
 * room. Then it closes the old connection as soon as that is free. A connection above `min` that was idle for
 * idle_timeout_ms is closed. A lease held longer than leak_ms is logged and counted once. All of it runs on the event
 * loop.
 */
void upkeep_start(shipopt_pool *pool);
void upkeep_fire(struct timer *timer);

#endif
