/* SPDX-License-Identifier: MIT */
#ifndef POOL_POOL_H
#define POOL_POOL_H

#include <pthread.h>
#include <shipopt/pool.h>
#include <stdatomic.h>

#include "base/list.h"
#include "base/random.h"
#include "config/tables.h"
#include "pool/listening.h"
#include "runtime/delivery.h"
#include "runtime/runtime.h"

/*
 * The inside of a pool.
 *
 * A pool lives on one reactor: every PGconn it owns is touched there only, but for the connect, which a side thread makes
 * and hands over. Cancel requests have threads of their own and need no PGconn. `lock` guards the idle list, the leases and the counts, so
 * that shipopt_pool_try_acquire() and shipopt_lease_release() need no hop to the reactor when nobody waits; it is
 * held for a few instructions only. Waiters are queued, served and failed on the reactor.
 *
 * References are held by the host, by operations, by leases and by side tasks under way. When the last one goes, a task on the
 * reactor closes the idle connections and a worker frees the memory; when the runtime closes first, `stop` has done the
 * reactor's part and `is_stopped` is set.
 *
 *   pool.c        configuration, birth and end           sizing.c      waiters, growth, ageing, back-off
 *   connection.c  one connection's life and events       connect.c, dial.c   how it is made
 *   session.c     ping, roll-back and reset              session_state.c   whether a reset is needed
 *   cancel.c      cancel requests
 *   lease.c       acquire and release                    command.c     what commands have in common
 *   batch_op.c    statements in pipeline mode            batch_call.c, transaction.c     the calls for it
 *   transaction_op.c  BEGIN, the host's body, COMMIT, again and again     transaction_call.c     the calls for it
 *   stream_op.c   rows and COPY out, packed              stream.c      their reader      copy_in.c   COPY in
 *   slow.c        reports of slow commands
 *   query.c, parameter.c, batch.c   what is given
 *   listening.c   the connection that listens             listener.c, outlet.c   what it is for, and the way to the host
 *   rows.c, value.c, array.c   what comes back           statement.c   prepared statements of a connection
 */
#define POOL_BUCKETS 32
#define POOL_MESSAGE_SIZE DIAL_MESSAGE_SIZE
#define LEASE_NAME_SIZE 48

struct shipopt_pool_config {
	struct settings settings;
	struct delivery delivery; /* holds a queue reference */
	shipopt_slow_query_fn slow_query;
	void *slow_userdata;
};

/* Someone who waits for a connection. Embedded; on the reactor. Exactly one of the two functions is called, once. */
struct waiter {
	struct list_node node;
	struct timer deadline;
	struct shipopt_pool *pool;
	shipopt_lease *lease; /* made before, so that a grant cannot fail */
	int64_t since_us;
	bool had_to_wait;
	void (*granted)(struct waiter *waiter);
	void (*failed)(struct waiter *waiter, int status, shipopt_error *error);
};

struct shipopt_pool {
	struct reference reference;
	shipopt_runtime *runtime;
	struct reactor *reactor;
	struct settings settings;
	struct delivery delivery;
	struct conninfo conninfo, listen_conninfo; /* listen_conninfo: empty unless it was given */
	shipopt_slow_query_fn slow_query;
	void *slow_userdata;
	size_t min, max, most; /* most: max and overflow */
	bool polls_acquire, pings_always;
	int64_t ping_idle_us;

	pthread_mutex_t lock;  /* for what follows */
	struct list_node idle; /* connections, the one used last first */
	struct list_node leases;
	size_t idle_count, leased, total, waiting, connecting;
	int64_t suspect_before_us; /* connections last used before this need a look */
	uint64_t generation;       /* connections of older ones are closed, not used */
	bool is_stopped;

	/* the reactor's */
	struct list_node waiters, connections, transactions; /* transactions: those that have their lease */
	size_t checking, replacing;
	bool is_torn_down, is_balancing, balances_again;
	bool is_explaining;
	int64_t explain_window_us, explain_count;
	struct timer backoff, upkeep;
	unsigned connect_failures; /* in a row */
	char connect_error[POOL_MESSAGE_SIZE];
	struct random random;
	struct listening listening;
	size_t retire_due; /* successors are there: so many old ones may go */

	atomic_bool is_closing;  /* side threads look at it */
	atomic_size_t slow_held; /* reports on their way */
	atomic_size_t pending;   /* pool calls taken and not finished */
	atomic_int_fast64_t stats[SHIPOPT_POOL_STAT_SLOW_DROPPED + 1];
	atomic_int_fast64_t wait_histogram[POOL_BUCKETS], connect_histogram[POOL_BUCKETS];
	struct runtime_member member;
	struct task cancel_task, destroy_task, start_task;
	struct cancel_slots *cancel_slots;
};

shipopt_pool *pool_ref(shipopt_pool *pool);
void pool_unref(shipopt_pool *pool); /* any thread */
static inline int64_t pool_setting(const shipopt_pool *pool, size_t index)
{
	return settings_number(&pool->settings, index);
}
static inline void pool_count(shipopt_pool *pool, int stat, int64_t count)
{
	atomic_fetch_add_explicit(&pool->stats[stat], count, memory_order_relaxed);
}
/* What a connect of this pool goes by. */
void pool_dial_init(shipopt_pool *pool, const struct conninfo *conninfo, struct dial *dial);
void histogram_add(atomic_int_fast64_t *buckets, int64_t us);

/* ---- sizing.c; reactor ---- */

/* Serves the waiter at once if a connection is idle, else queues it. */
void pool_wait(shipopt_pool *pool, struct waiter *waiter);
/* Takes it out of the queue, without calling it. False when it is not there (any more). */
bool pool_leave(shipopt_pool *pool, struct waiter *waiter);
/* Matches idle connections with waiters, and connects if there are too few. */
void pool_balance(shipopt_pool *pool);
/* Fails every waiter. */
void pool_fail_waiters(shipopt_pool *pool, int status, const char *message);
void pool_upkeep_start(shipopt_pool *pool);
void pool_note_connect_failure(shipopt_pool *pool, const char *message);
/* The pause after so many failures in a row, with full jitter. */
int64_t pool_backoff_us(shipopt_pool *pool, unsigned failures);
void pool_upkeep_fire(struct timer *timer);
void pool_backoff_fire(struct timer *timer);

#endif
