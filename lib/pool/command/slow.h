/* SPDX-License-Identifier: MIT */
#ifndef POOL_COMMAND_SLOW_H
#define POOL_COMMAND_SLOW_H

#include "pool/core/pool.h"

/*
 * Reports of slow commands.
 *
 * The event loop makes a report when a command that took slow_ms or longer ends, and passes it to the application's hook or
 * queue. A report is dropped and counted when memory is short, when the queue has no free slot, or when the application still
 * holds SLOW_REPORTS_MAX reports.
 */
#define SLOW_REPORTS_MAX 64

/* Event loop thread. */
void slow_report(shipopt_pool *pool, const char *sql, int64_t duration_us);

#endif
