/* SPDX-License-Identifier: MIT */
#ifndef POOL_DIAL_H
#define POOL_DIAL_H

#include <stdatomic.h>

#include "pool/conninfo.h"

/*
 * One attempt to connect, on a side thread, as name look-up, password files and the key derivation of SCRAM block.
 *
 * Each host has the whole connect timeout, TLS and authentication included. libpq's asynchronous connect has no call for "try
 * the next one", so after a host that is too slow it is begun again with the list of hosts turned by one. The thread looks
 * every DIAL_LOOK_MS whether `is_closing` is set, so that a silent server does not hold up a close.
 *
 * Embedded in whoever connects, who takes `pg` from it and keeps it as long as that lives, as libpq's notices come here. One
 * thread at a time has it: the side thread for dial_run(), the reactor otherwise.
 */
#define DIAL_LOOK_MS 50
#define DIAL_MESSAGE_SIZE 256

struct dial {
	const struct conninfo *conninfo;
	const atomic_bool *is_closing;
	int64_t timeout_us;
	PGconn *pg;                     /* NULL when it failed */
	char error[DIAL_MESSAGE_SIZE];  /* why; without secrets */
	char notice[DIAL_MESSAGE_SIZE]; /* the server's goodbye */
	int64_t us;                     /* what it took */
};

/* Blocks. */
void dial_run(struct dial *dial);
/* Reads PQerrorMessage() as one line without secrets; "" for NULL. */
void dial_error_text(const struct dial *dial, PGconn *pg, char *text, size_t size);
/* `reason`, and what the server or libpq said about the end of the connection. */
void dial_describe_loss(const struct dial *dial, PGconn *pg, const char *reason, char *text, size_t size);

#endif
