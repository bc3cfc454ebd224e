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
 *   connecting → idle ⇄ checking          checking: a ping runs; then the connection is idle, or closed
 *                 ⇅
 *               leased → cleaning → idle  cleaning: a rollback or a reset of the session runs
 *   any → lost                            the PGconn is gone; the memory goes when the lease has ended
 *
 * State, list and lease change under the pool's lock. Everything else belongs to the event loop. The socket is watched
 * for readability all the time, so that the pool sees the end of an idle or leased connection when it happens. `total`
 * of the pool counts the connection until the PGconn is finished.
 *
 * `command` runs now, and `commands` wait. The floor of the commands owns all of them; the connection only reports to
 * it through the pool's events. A command that has ended while a cancel request still runs is kept as `ended`. Until
 * that request is over the connection runs nothing else and the command is not delivered, so the request can hit no
 * other command.
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
	int fd; /* the watched descriptor, our own: libpq_duplicate_socket() */
	int backend_pid;
	_Atomic int state; /* enum connection_state */
	struct watch watch;
	bool is_broken;       /* reading failed: results are fetched without checking PQisBusy() */
	shipopt_lease *lease; /* borrowed */
	struct command *command;
	struct list_node commands;
	struct command *ended;

	atomic_bool is_clean;        /* the session is as it was made: nothing to undo */
	bool is_dirty;               /* the session was changed */
	bool has_foreign_statements; /* PREPARE was run as a command */
	bool has_lost_statements; /* a command has deallocated all prepared statements; ours are forgotten when it has ended */
	uint64_t parameters; /* fingerprint of those the server reports, as they were in a clean session */
	bool is_retiring;    /* will be closed instead of used again */
	bool is_replacement; /* made to replace one that retires */
	bool saw_read_only;  /* SQLSTATE_READ_ONLY_TRANSACTION came; handled when the command has ended */
	bool is_uncounted;   /* not part of the pool's total any more */
	unsigned pins;       /* running functions that use it again: it outlives them */
	int64_t born_us, expires_us, idle_since_us, checked_us; /* checked: when the last ping was answered */
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
/* Starts a connect on a side thread, and counts it in `total` and `connecting`. */
int connection_connect(shipopt_pool *pool, bool is_replacement);

/* ---- connection.c ---- */
/* Takes a connected PGconn into the pool. */
void connection_start(struct connection *connection);
/* Sends what libpq holds, and waits for room on the socket if it cannot. False: the connection is lost. */
bool connection_flush(struct connection *connection);
/* The connection has failed. Finishes the PGconn and ends its commands. */
void connection_lose(struct connection *connection, const char *reason);
/* Closes a connection that is not in use. */
void connection_close(struct connection *connection);
/* Closes it without a report to the floors above. */
void connection_discard(struct connection *connection);
/* Frees the memory and the place in the count if nothing uses the connection any more. */
void connection_settle(struct connection *connection);
bool connection_is_readable(const struct connection *connection);
/* Reads PQerrorMessage() without its line end and without secrets. */
void connection_error_text(struct connection *connection, char *text, size_t size);

/* ---- session.c ---- */
void connection_check(struct connection *connection);
/* The lease has ended. Resets the session if needed, then makes the connection idle, or closes it. */
void connection_return(struct connection *connection);
void session_progress(struct connection *connection);
void session_fire(struct connection *connection);

/* ---- session_state.c ---- */
/* Keeps the parameters of the session, which is clean now. */
void session_state_keep(struct connection *connection);
/* Notes what an answer says about the session. */
void session_state_note(struct connection *connection, const struct shipopt_query *query, const PGresult *result);
/* A command has ended: brings `is_dirty` up to date. */
void session_state_settle(struct connection *connection);

/* ---- cancel.c; see cancel.h ---- */
void connection_timer_fire(struct timer *timer);

#endif
