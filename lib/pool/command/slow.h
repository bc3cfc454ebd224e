/* SPDX-License-Identifier: MIT */
#ifndef POOL_COMMAND_SLOW_H
#define POOL_COMMAND_SLOW_H

#include "pool/core/pool.h"

/*
 * Reports of slow commands.
 *
 * The event loop makes a report when a command that took slow_ms or longer ends. It calls the application's callback,
 * or pushes the report to the application's queue as a notice (runtime/notice.h), which may get lost there. A report is
 * dropped and counted when memory is short, or when the application still holds SLOW_REPORTS_MAX reports.
 */
#define SLOW_REPORTS_MAX 64

/* Event loop thread. */
void slow_report(shipopt_pool *pool, const char *sql, int64_t duration_us);

#endif
