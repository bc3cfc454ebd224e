/* SPDX-License-Identifier: MIT */
#ifndef POOL_CONNECTION_H
#define POOL_CONNECTION_H

#include "pool/connection/cancel.h"
#include "pool/connection/prepared.h"
#include "pool/core/pool.h"
#include "pool/server/libpq.h"
#include "pool/server/receive_count.h"

/*
 * One connection to the server.
 *
 *   connecting → idle ⇄ checking          checking: a ping runs; then it is idle and good, or closed
 *                 ⇅
 *               leased → cleaning → idle  cleaning: rolls back or resets the session
 *   any → lost                            the PGconn is gone; the memory goes when the lease has ended
 *
 * State, list and lease change under the pool's lock; everything else is the reactor's. The socket stays registered for
 * readability all its life, so that the end of an idle or leased connection is seen when it happens. `total` of the pool
 * counts the connection until the PGconn is finished.
 *
 * `command` runs now, `commands` wait. A command that has ended while a cancel request is still under way is kept as `ended`:
 * the connection is not used and the command not delivered before the request is closed, so that it can hit nothing else.
 */
enum connection_state {
	CONNECTION_CONNECTING,
	CONNECTION_IDLE,
	CONNECTION_CHECKING,
	CONNECTION_LEASED,
	CONNECTION_CLEANING,
	CONNECTION_LOST
};

struct command;

struct connection {
	struct list_node node; /* in pool.connections */
	struct list_node idle_node;
	struct shipopt_pool *pool;
	PGconn *pg;
	int fd; /* the watched one, our own: libpq_duplicate_socket() */
	int backend_pid;
	_Atomic int state; /* enum connection_state */
	struct watch watch;
	bool is_broken;       /* reading failed: results are fetched without asking whether they are there */
	shipopt_lease *lease; /* borrowed */
	struct command *command;
	struct list_node commands;
	struct command *ended;

	atomic_bool is_clean;        /* idle in the session's own state: nothing to undo */
	bool is_dirty;               /* the session was changed */
	bool has_foreign_statements; /* PREPARE was run as a command */
	bool has_lost_statements; /* all prepared ones were deallocated by a command; ours are forgotten when it is over */
	uint64_t parameters;      /* fingerprint of those the server reports, as they were in a clean session */
	bool is_retiring;         /* to be closed instead of used again */
	bool is_replacement;      /* made for one that is about to retire */
	bool saw_read_only;       /* 25006 came; looked at when the command is over */
	bool is_uncounted;        /* no longer part of the pool's total */
	unsigned holds;           /* functions under way that look at it again: it outlives them */
	int64_t born_us, expires_us, idle_since_us, checked_us; /* checked: the last ping's answer */
	uint64_t generation;
	struct receive_count receive_count; /* of the command that runs */
	struct prepared_cache statements;

	struct timer timer; /* of a ping or a reset, or of a cancel's grace */
	struct {
		struct cancel_job *job; /* NULL: none is under way */
		int64_t deadline_us;    /* the grace ends; 0: none began */
	} cancel;

	struct task connect_task;
	struct dial dial;
};

/* ---- connect.c ---- */
/* Begins a connect on the side pool and counts it in `total` and `connecting`. */
int connection_connect(shipopt_pool *pool, bool is_replacement);

/* ---- connection.c ---- */
/* A connected PGconn enters the pool. */
void connection_start(struct connection *connection);
/* Sends what libpq still holds and watches for room if it cannot. False: the connection is lost. */
bool connection_flush(struct connection *connection);
/* The connection has failed: its command and those that wait are told, the PGconn is finished. */
void connection_lose(struct connection *connection, const char *reason);
/* Closes a connection that is not in use. */
void connection_close(struct connection *connection);
/* Closes it without a report to the floors above. */
void connection_discard(struct connection *connection);
/* Frees the memory and the slot if nothing holds it any more. */
void connection_settle(struct connection *connection);
bool connection_is_readable(const struct connection *connection);
/* Reads PQerrorMessage() without its line end and without secrets. */
void connection_error_text(struct connection *connection, char *text, size_t size);

/* ---- session.c ---- */
void connection_check(struct connection *connection);
/* The lease is gone: cleans if needed, then gives the connection to the next, or closes it. */
void connection_return(struct connection *connection);
void session_progress(struct connection *connection);
void session_fire(struct connection *connection);

/* ---- session_state.c ---- */
/* The session is clean now. */
void session_state_keep(struct connection *connection);
/* What an answer says about the session. */
void session_state_note(struct connection *connection, const struct shipopt_query *query, const PGresult *result);
/* A command is over: `is_dirty` is up to date. */
void session_state_settle(struct connection *connection);

/* ---- cancel.c; see cancel.h ---- */
void connection_timer_fire(struct timer *timer);

#endif
