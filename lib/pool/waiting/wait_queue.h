/* SPDX-License-Identifier: MIT */
#ifndef POOL_WAITING_WAIT_QUEUE_H
#define POOL_WAITING_WAIT_QUEUE_H

#include "pool/connection/lease.h"

/*
 * The calls that wait for a connection, and the number of connections.
 *
 * The pool serves waiting calls in the order they came. A free connection goes to the first of them. The pool connects
 * as often as there are calls to serve, not once for each call: a call that leaves the queue loses nothing, and a call
 * may be served by a connection that comes back while another one is being made. At most connects_max connects run at
 * once. After a failed connect the pool makes none until a pause of pool_backoff_us() has passed.
 *
 * A failure that time does not heal (a wrong role, password or database) ends the calls that wait, and those that come
 * during the pause, at once, unless the pool has a connection that may come back to them. Other failures are retried
 * until acquire_timeout_ms of each call has passed. The error of that call then quotes the last failure.
 *
 * All functions run on the event loop.
 */

/* A call that waits for a connection. Embedded. Exactly one of the two functions is called, once. */
struct lease_waiter {
	struct list_node node;
	struct timer deadline;
	struct shipopt_pool *pool;
	shipopt_lease *lease; /* made before, so that a grant cannot fail */
	int64_t since_us;
	bool had_to_wait;
	void (*granted)(struct lease_waiter *waiter);
	void (*failed)(struct lease_waiter *waiter, int status, shipopt_error *error);
};

/* Serves the waiter at once if a connection is idle. Otherwise queues it, or fails it. */
void wait_queue_add(shipopt_pool *pool, struct lease_waiter *waiter);
/* Removes the waiter without calling it. False if it is not in the queue. */
bool wait_queue_remove(shipopt_pool *pool, struct lease_waiter *waiter);
/* Gives idle connections to waiters, and connects if there are too few. */
void wait_queue_balance(shipopt_pool *pool);
/* Fails every waiter. `sqlstate` may be NULL. */
void wait_queue_fail_all(shipopt_pool *pool, int status, const char *message, const char *sqlstate);
/* Logs and counts a failed connect, starts the pause, and fails the waiters if the failure does not heal with time. */
void wait_queue_connect_failed(shipopt_pool *pool, const struct dial_failure *failure);
void wait_queue_backoff_fire(struct timer *timer);

#endif
