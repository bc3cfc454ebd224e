/* SPDX-License-Identifier: MIT */
#ifndef POOL_CANCEL_H
#define POOL_CANCEL_H

#include <pthread.h>
#include <stdatomic.h>

#include "pool/server/libpq.h"
#include "runtime/task.h"

/*
 * Cancel requests.
 *
 * A request names a backend, not a query. So it must be over before the connection runs anything else. The command is
 * kept as `ended` until the server has closed the connection of the request, because the backend has been signalled by
 * then. In a pipeline a cancel ends one group only, so the request is repeated every 100 ms until the answers are
 * complete. When that takes longer than cancel_grace_ms, the connection is closed.
 *
 * Before libpq 17 a request blocks without a time limit. So each request has a short-lived thread. Nothing joins it,
 * and nothing waits for it after its connection is gone: a proxy that accepts and never answers costs that thread only.
 * A pool has at most CANCELS_MAX of them, the stuck ones included. While all are in use, a command that wants one asks
 * again every 100 ms. At the end of the grace its connection is closed without a request, and the server ends the query
 * when it notices. Closing a runtime waits for the commands, so for the grace at most, and never for a request.
 *
 * A job belongs to its thread until the thread has returned. `state` says who frees the job. `connection` belongs to
 * the event loop and is NULL when nothing waits for the request any more. The slots outlive the pool while a thread is
 * stuck. The end of a pool waits up to CANCELS_END_MS for its threads, so that those that are not stuck leave no
 * memory.
 */
#define CANCELS_MAX 16
#define CANCELS_END_MS 200

struct connection;
struct shipopt_pool;

struct cancel_slots {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned used;
	bool is_orphan; /* the last thread frees it */
};

struct cancel_job {
	struct task task;
	struct connection *connection;
	struct shipopt_pool *pool; /* a reference, while something waits for the request */
	struct cancel_slots *slots;
	struct libpq_cancel *request;
	int64_t until_us;
	atomic_int state;
};

/* NULL when out of memory. */
struct cancel_slots *cancel_slots_new(void);
/* Ends the slots of a pool. Blocks up to CANCELS_END_MS while threads run. Accepts NULL. */
void cancel_slots_end(struct cancel_slots *slots);
/* Asks the server to cancel what runs. If that does not help within the grace, the connection is lost. False: the
 * connection is lost already, and its memory may be gone. */
bool connection_cancel(struct connection *connection);
/* The command ends in another way. Starts the grace, and asks the server if the command has not ended after 100 ms. */
void connection_cancel_later(struct connection *connection);
/* The connection is gone. Its request is not waited for any more. */
void connection_abandon_cancel(struct connection *connection);

#endif
