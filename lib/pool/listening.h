/* SPDX-License-Identifier: MIT */
#ifndef POOL_LISTENING_H
#define POOL_LISTENING_H

#include <shipopt/listen.h>

#include "base/list.h"
#include "pool/dial.h"
#include "runtime/runtime.h"

/*
 * The one connection of a pool that listens, for all of its listeners (pool/listener.h). Embedded in the pool; on the reactor.
 *
 *   off → dialing → asking ⇄ ready        off: nobody listens, or a pause after a failure
 *    ↑_______________|_________|          asking: LISTEN and UNLISTEN are under way
 *
 * It is not one of the pool's connections: no lease, no count, no ageing. What each listener wants and what the session has is
 * compared whenever either changes, and the difference is asked for in one simple query of at most LISTENING_SQL_SIZE bytes
 * at a time, which the server takes as one transaction. The first one also asks for the backend's process id: another than
 * the connect told means that a pooler is between, and is refused. When a session ends, all of it is asked for again in the
 * next one. Pauses are the pool's back-off; the count of failures starts again once everything was granted.
 */
#define LISTENING_SQL_SIZE 4096

enum listening_state { LISTENING_OFF, LISTENING_DIALING, LISTENING_ASKING, LISTENING_READY };

struct listening {
	enum listening_state state;
	struct list_node listeners;
	struct list_node removed; /* channels that a listener does not want any more; owned */
	const struct conninfo *conninfo;
	struct dial dial;
	struct task dial_task;
	PGconn *pg;
	int fd; /* the watched one, our own: libpq_duplicate_socket(); -1: none */
	struct watch watch;
	struct timer timer; /* the pause, or the end of the server's time to answer */
	unsigned failures;  /* in a row */
	bool is_checked;    /* no pooler is between */
	bool was_ready;     /* this session was of use: its end is a loss */
	int refusal;
	shipopt_error *refusal_error;
};

void listening_init(struct listening *self); /* `conninfo` is set by the pool */
/* Attaches a listener if it is not, and brings the session up to date with what it wants. */
void listening_attach(struct listening *self, shipopt_listener *listener);
/* Lets go of it and tells it ENDED; also of one that is not attached. */
void listening_detach(struct listening *self, shipopt_listener *listener, int status);
/* Detaches all and closes the connection; the pool is torn down. */
void listening_stop(struct listening *self);

#endif
