/* SPDX-License-Identifier: MIT */
#ifndef POOL_LIBPQ_H
#define POOL_LIBPQ_H

#include <libpq-fe.h>

#include "base/macro.h"

/*
 * What differs between versions of libpq at run time. The library is built against libpq 15 and looks newer functions up by
 * name once, so that one binary runs with every later version.
 *
 * A cancel request of libpq 17 (PQcancelCreate and on) uses TLS and the connection's options and has a deadline; before that
 * PQcancel() sends it in the clear and blocks without end. Either runs on a thread of its own.
 */
struct libpq_cancel {
	PGcancel *old;
	void *new; /* PGcancelConn */
};

/* NULL when out of memory. */
struct libpq_cancel *libpq_cancel_new(PGconn *connection);
/* Blocks, from libpq 17 on until `until_us` of the monotonic clock at most. False when the request could not be delivered. */
bool libpq_cancel_send(struct libpq_cancel *request, int64_t until_us);
void libpq_cancel_free(struct libpq_cancel *request); /* accepts NULL */
/* Single-row mode, or chunks of up to `rows` rows where libpq has them. False when it is refused. */
bool libpq_set_rows_mode(PGconn *connection, int rows);
/* Sends that a prepared statement is not wanted any more; in a pipeline, with one answer. A Close message where libpq has it, as
 * poolers follow those, else DEALLOCATE. The name is one of pool/statement.h. */
bool libpq_send_close(PGconn *connection, const char *name);
/* A descriptor of the caller's own for the connection's socket, or -1. libpq closes the socket as soon as it meets a failure. A
 * watch on that number could then no longer be stopped: as long as a forked child holds a copy, epoll goes on reporting it. */
int libpq_duplicate_socket(const PGconn *connection);
/* PGRES_TUPLES_CHUNK of libpq 17. */
enum { LIBPQ_TUPLES_CHUNK = 12 };

#endif
