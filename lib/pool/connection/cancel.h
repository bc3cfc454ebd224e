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
 * The request names a backend, not a query, so it must be over before the connection runs anything else: the command is
 * held as `ended` until the server has closed the request's connection, by when the backend has been signalled. In a
 * pipeline a cancel ends one group only, so the request is repeated every 100 ms until the answers are complete. When that
 * takes longer than cancel_grace_ms the connection is closed.
 *
 * Before libpq 17 a request blocks without any bound of time, so each has a short-lived thread of its own that nobody
 * joins and, once its connection is gone, nobody waits for: a proxy that accepts and never answers holds nothing but that
 * thread. A pool has at most CANCELS_MAX of them, the stuck ones included. While all are taken a command that wants one
 * asks again every 100 ms, and at the end of the grace its connection is closed without one; the server then ends the
 * query when it notices. Closing a runtime waits for the commands, so for the grace at most, never for a request.
 *
 * A job is the thread's until that has returned; `state` says who frees it. `connection` is the reactor's, NULL once
 * nobody waits. The slots outlive the pool as long as a thread is stuck; a pool's end waits up to CANCELS_END_MS for its
 * threads, so that nothing is left of those that are not.
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
	struct shipopt_pool *pool; /* a reference, while somebody waits */
	struct cancel_slots *slots;
	struct libpq_cancel *request;
	int64_t until_us;
	atomic_int state;
};

/* NULL when out of memory. */
struct cancel_slots *cancel_slots_new(void);
/* The pool's end. Blocks up to CANCELS_END_MS while threads are at work. Accepts NULL. */
void cancel_slots_end(struct cancel_slots *slots);
/* Asks the server to cancel what runs. When it does not help within the grace, the connection is lost. False: it is lost
 * already, and may be gone. */
bool connection_cancel(struct connection *connection);
/* The command was told to end in another way: the server is asked if that has not helped after 100 ms, and the grace begins. */
void connection_cancel_later(struct connection *connection);
/* The connection is gone: nobody waits for its request any more. */
void connection_abandon_cancel(struct connection *connection);

#endif
