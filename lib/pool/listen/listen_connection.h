/* SPDX-License-Identifier: MIT */
#ifndef POOL_LISTEN_LISTEN_CONNECTION_H
#define POOL_LISTEN_LISTEN_CONNECTION_H

#include <shipopt/listen.h>

#include "pool/core/pool.h"

/*
 * The one connection of a pool that listens, for all of its listeners (pool/listen/listener.h). Event loop only.
 *
 *   off → dialing → asking ⇄ ready        off: no listener, or a pause after a failure
 *    ↑_______________|_________|          asking: LISTEN and UNLISTEN are sent and not answered
 *
 * It is not one of the pool's connections: it has no lease, is not counted and does not age. Whenever the wishes of the
 * listeners or the session change, the two are compared. The difference is sent as one simple query of at most
 * LISTEN_SQL_SIZE bytes, which the server runs as one transaction. The first query also asks for the process id of the
 * backend. If it differs from the one that the connect reported, a pooler is in between, and the connection is refused.
 * When a session ends, the next one asks for everything again. Pauses are the pool's back-off. The count of failures
 * starts again when everything is granted.
 */
#define LISTEN_SQL_SIZE 4096

enum listen_state { LISTEN_OFF, LISTEN_DIALING, LISTEN_ASKING, LISTEN_READY };

struct listen_connection {
	shipopt_pool *pool; /* borrowed: the pool owns this */
	enum listen_state state;
	struct list_node listeners;
	struct list_node removed; /* channels that a listener does not want any more; owned */
	const struct conninfo *conninfo;
	struct dial dial;
	struct task dial_task;
	PGconn *pg;
	int fd; /* the watched descriptor, our own: libpq_duplicate_socket(); -1: none */
	struct watch watch;
	struct timer timer; /* the pause, or the time that the server has to answer */
	unsigned failures;  /* in a row */
	bool is_checked;    /* no pooler is in between */
	bool was_ready;     /* the session was of use: its end is a loss */
	int refusal;
	shipopt_error *refusal_error;
};

/* NULL when out of memory. */
struct listen_connection *listen_connection_new(shipopt_pool *pool);
void listen_connection_free(struct listen_connection *self); /* accepts NULL */
/* Attaches a listener if it is not attached, and sends what the session lacks. */
void listen_connection_attach(struct listen_connection *self, shipopt_listener *listener);
/* Detaches a listener and reports ENDED to it, also to one that is not attached. */
void listen_connection_detach(struct listen_connection *self, shipopt_listener *listener, int status);
/* Detaches all listeners and closes the connection, because the pool stops. */
void listen_connection_stop(struct listen_connection *self);
/* Sends what the session lacks, connects, or hangs up. */
void listen_connection_update(struct listen_connection *self);
/* LISTEN did not work. Consumes `error`. */
void listen_connection_fail(struct listen_connection *self, int status, shipopt_error *error);
/* The connection failed. */
void listen_connection_lose(struct listen_connection *self, const char *reason);

/* ---- listen_answer.c ---- */
void listen_answer_take_all(struct listen_connection *self);
void listen_answer_take_notifications(struct listen_connection *self);

#endif
