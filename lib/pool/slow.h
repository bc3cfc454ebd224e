/* SPDX-License-Identifier: MIT */
#ifndef POOL_SLOW_H
#define POOL_SLOW_H

#include "pool/pool.h"
#include "pool/query.h"

/*
 * Reports of slow commands: made on the reactor when a command ends, maybe given a plan, handed to the hook or the queue.
 *
 * The plan is asked for on an idle connection that nobody waits for, without waiting: a pool that is busy reports without
 * plans. One EXPLAIN at a time, slow_explain_per_minute of them, EXPLAIN_TIMEOUT_MS each; what comes meanwhile is reported without a
 * plan at once. The statement is prepared under the name it has anyway, in a READ ONLY transaction that is rolled back, and
 * EXPLAIN EXECUTE shows its generic plan: $1 stands where a value was, and no value is sent at all (each is NULL). Nothing is
 * executed.
 *
 * A report that cannot be made (no memory, no slot in the queue, SLOW_REPORTS_MAX not yet given back) is dropped and counted.
 */
#define SLOW_REPORTS_MAX 64
#define EXPLAIN_TIMEOUT_MS 2000
#define EXPLAIN_BYTES_MAX 65536
#define EXPLAIN_VALUES_MAX 100

/* `query` (may be NULL) is what can be explained. Reactor. */
void slow_report(shipopt_pool *pool, const char *sql, const struct shipopt_query *query, int64_t duration_us);

#endif
