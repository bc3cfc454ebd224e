/* SPDX-License-Identifier: MIT */
#ifndef POOL_CORE_POOL_H
#define POOL_CORE_POOL_H

#include <pthread.h>
#include <shipopt/pool.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/random.h"
#include "config/tables.h"
#include "pool/server/dial.h"
#include "runtime/delivery.h"
#include "runtime/runtime.h"

/*
 * The pool itself: its settings, locks, counts and lists.
 *
 * A pool belongs to one event loop. Only that thread uses the PGconn of a connection, with one exception: a side thread
 * makes the connection and then hands it over. Cancel requests run on threads of their own and do not need the PGconn.
 * `lock` protects the idle list, the leases and the counts, so that shipopt_pool_try_acquire() and
 * shipopt_lease_release() can run on any thread when no call waits. It is held for a few instructions only. Waiting
 * calls are queued, served and failed on the event loop.
 *
 * The application, operations, leases and running side tasks hold references. When the last reference is dropped, a
 * task on the event loop closes the idle connections and a worker frees the memory. When the runtime closes first,
 * `stop` of the runtime member does the event loop's part and sets `state` to POOL_STOPPED.
 *
 * The folders of lib/pool are floors. A file includes headers of its own floor and of the floors below it;
 * tests/layers.py checks this. From the lowest floor to the highest:
 *
 *   value/        what the server returns
 *     type.h                 type OIDs
 *     rows.[ch]              rows and their getters
 *     value.c                reading single values
 *     array.c                reading arrays
 *   query/        what the application passes in
 *     query.[ch]             text and values of a statement
 *     sql.[ch]               what the text of a statement does
 *     parameter.c            binding values
 *     arguments.[ch]         the arrays of values that libpq takes
 *     batch.[ch]             a list of statements
 *   server/       libpq and the server, without a pool
 *     conninfo.[ch]          connection strings and secrets
 *     dial.[ch]              one attempt to connect
 *     dial_failure.[ch]      why it failed
 *     libpq.[ch]             differences between versions of libpq
 *     sqlstate.[ch]          error codes of the server
 *     server_error.[ch]      error messages of the server
 *     receive_count.h        bytes received on a socket: receive_count_linux.c, receive_count_guess.c
 *   core/         the pool
 *     pool.[ch]              counts, references, statistics
 *   connection/   connections
 *     connection.[ch]        one connection and its socket
 *     connect.c              making one
 *     session.c              ping, rollback and reset
 *     session_state.c        whether a reset is needed
 *     prepared.[ch]          the prepared statements of a connection
 *     cancel.[ch]            cancel requests
 *     lease.[ch]             the right to use a connection
 *   waiting/      who gets a connection
 *     wait_queue.[ch]        waiting calls, matching and growth
 *     upkeep.[ch]            lifetime, idle time, leaked leases
 *   command/      operations that run on a connection
 *     command.[ch]           creation, cancellation and delivery
 *     command_run.c          start, end and loss
 *     command_error.c        errors of the server
 *     outcome.[ch]           what a command ends with
 *     acquire.c              acquiring a lease
 *     slow.[ch]              reports of slow commands
 *   batch/        statements in pipeline mode
 *     batch_op.[ch]          start, progress and repetitions
 *     batch_send.c           sending
 *     batch_receive.c        reading answers
 *     batch_outcome.c        results and losses
 *     batch_call.c           the public calls
 *     result_limit.c         the setting result_bytes
 *   stream/       rows and COPY in pieces
 *     stream.[ch]            the reader of rows
 *     stream_op.[ch]         the event loop's part
 *     stream_pack.c          packing rows
 *     stream_call.c          the public calls
 *     copy.[ch]              the writer of a COPY, and the public calls
 *     copy_op.c              the event loop's part
 *   transaction/  transactions
 *     transaction_op.[ch]    BEGIN, COMMIT and repetitions
 *     transaction_body.c     asking the application for the body
 *     transaction_end.c      outcome, cancel and deadline
 *     transaction_call.c     the public calls
 *     transaction_options.[ch]  their options
 *     transaction_control.c  BEGIN, COMMIT and savepoints on a lease
 *   listen/       LISTEN
 *     listen_connection.[ch] the connection that listens
 *     listen_answer.c        what the server sends on it
 *     listener.[ch]          one listener, and the public calls
 *     listener_delivery.c    passing notifications to the application
 *   the folder itself
 *     pool_config.[ch]       configuration
 *     pool_lifetime.c        creation and end of a pool
 *     warm_cache.c           filling a cache from a query
 */
#define POOL_BUCKETS 32
#define POOL_MESSAGE_SIZE DIAL_MESSAGE_SIZE

struct connection;

/* What connections report to the floors above them. All run on the event loop. */
struct connection_events {
	void (*changed)(shipopt_pool *pool); /* a connection is idle or gone: a waiting call may be served */
	void (*connect_failed)(shipopt_pool *pool, const struct dial_failure *failure);
	void (*ready)(struct connection *connection); /* the socket of a connection with a running command has events */
	void (*lost)(struct connection *connection, const char *reason); /* its commands end */
	void (*cancel_over)(struct connection *connection);              /* a cancel request has ended */
};

enum pool_state {
	POOL_OPEN,
	POOL_CLOSING, /* the runtime closes: no new connects and commands */
	POOL_STOPPED  /* the event loop's part is gone */
};

struct shipopt_pool {
	struct reference reference;
	shipopt_runtime *runtime;
	struct reactor *reactor;
	struct settings settings;
	struct delivery delivery;
	struct conninfo conninfo, listen_conninfo; /* listen_conninfo is empty unless the setting was given */
	shipopt_slow_query_fn slow_query;
	void *slow_userdata;
	const struct connection_events *events;
	size_t min, max, total_max; /* total_max: max and overflow */
	bool polls_acquire, pings_always;
	int64_t ping_idle_us;

	pthread_mutex_t lock;  /* for the members up to the empty line */
	struct list_node idle; /* connections, the one used last first */
	struct list_node leases;
	size_t idle_count, leased, total, waiting, connecting;
	int64_t suspect_before_us; /* a connection last used before this time is pinged before use */
	uint64_t generation;       /* connections of older generations are closed, not used */

	/* The event loop's. */
	struct list_node waiters, connections, transactions; /* transactions: those that have their lease */
	size_t checking, replacing;
	bool is_balancing, balances_again;
	struct timer backoff, upkeep;
	unsigned connect_failures;           /* in a row */
	struct dial_failure connect_failure; /* of the last connect; zeroed after a success */
	struct random random;
	struct listen_connection *listening;
	size_t retire_due; /* so many old connections may be closed, as their replacements are connected */

	atomic_int state;        /* enum pool_state; written on the event loop and by a close */
	atomic_size_t slow_held; /* slow reports that the application has not given back */
	atomic_size_t pending;   /* pool calls accepted and not finished */
	atomic_int_fast64_t stats[SHIPOPT_POOL_STAT_SLOW_DROPPED + 1];
	atomic_int_fast64_t wait_histogram[POOL_BUCKETS], connect_histogram[POOL_BUCKETS];
	struct runtime_member member;
	struct task cancel_task, destroy_task, start_task;
	struct cancel_slots *cancel_slots;
};

shipopt_pool *pool_ref(shipopt_pool *pool);
/* Any thread. Accepts NULL. */
void pool_unref(shipopt_pool *pool);
static inline int64_t pool_setting(const shipopt_pool *pool, size_t index)
{
	return settings_number(&pool->settings, index);
}
static inline void pool_count(shipopt_pool *pool, int stat, int64_t count)
{
	atomic_fetch_add_explicit(&pool->stats[stat], count, memory_order_relaxed);
}
/* True after the event loop's part of the pool has ended. Exact on the event loop. */
static inline bool pool_is_stopped(const shipopt_pool *pool)
{
	return atomic_load_explicit(&pool->state, memory_order_acquire) == POOL_STOPPED;
}
/* Prepares an attempt to connect to `conninfo` with the pool's settings. */
void pool_dial_init(shipopt_pool *pool, const struct conninfo *conninfo, struct dial *dial);
/* The pause after so many failures in a row: random between backoff_min_ms and the smaller of backoff_max_ms and
 * backoff_min_ms × 2^failures. Event loop. */
int64_t pool_backoff_us(shipopt_pool *pool, unsigned failures);
void histogram_add(atomic_int_fast64_t *buckets, int64_t us);

#endif
