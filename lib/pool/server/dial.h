/* SPDX-License-Identifier: MIT */
#ifndef POOL_DIAL_H
#define POOL_DIAL_H

#include <stdatomic.h>

#include "pool/server/conninfo.h"
#include "pool/server/dial_failure.h"

/*
 * One attempt to connect. It runs on a side thread, because name lookup, password files and the key derivation of SCRAM
 * block.
 *
 * Each host gets the whole connect timeout, TLS and authentication included. libpq's asynchronous connect cannot be
 * told to try the next host. After a host that is too slow the attempt therefore starts again with the list of hosts
 * rotated by one. The thread checks `is_closing` every DIAL_LOOK_MS, so that a silent server does not delay a close.
 *
 * A dial is embedded in the object that connects. That object takes `pg` from it and keeps the dial as long as `pg`
 * lives, because libpq passes notices to it. Only one thread at a time uses it: the side thread in dial_run(),
 * otherwise the event loop.
 */
#define DIAL_LOOK_MS 50

struct dial {
	const struct conninfo *conninfo;
	const atomic_int *is_closing; /* not 0: give up */
	int64_t timeout_us;
	PGconn *pg;                     /* NULL after a failure */
	struct dial_failure failure;    /* without secrets */
	char notice[DIAL_MESSAGE_SIZE]; /* the server's reason for ending the connection */
	int64_t us;                     /* how long it took */
};

/* Connects. Blocks. */
void dial_run(struct dial *dial);
/* Reads PQerrorMessage() as one line without secrets. "" for NULL. */
void dial_error_text(const struct dial *dial, PGconn *pg, char *text, size_t size);
/* Writes `reason` and what the server or libpq said about the end of the connection. */
void dial_describe_loss(const struct dial *dial, PGconn *pg, const char *reason, char *text, size_t size);

#endif
