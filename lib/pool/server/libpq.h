/* SPDX-License-Identifier: MIT */
#ifndef POOL_LIBPQ_H
#define POOL_LIBPQ_H

#include <libpq-fe.h>

#include "base/macro.h"

/*
 * Differences between versions of libpq at run time. The library is built against libpq 15. It looks newer functions up
 * by name once, so that one binary runs with every later version.
 *
 * A cancel request of libpq 17 (PQcancelCreate and following) uses TLS and the options of the connection, and has a
 * deadline. Before that, PQcancel() sends it unencrypted and blocks without a limit. Both run on a thread for the
 * request alone.
 */
struct libpq_cancel {
	PGcancel *old;
	void *new; /* PGcancelConn */
};

/* NULL when out of memory. */
struct libpq_cancel *libpq_cancel_new(PGconn *connection);
/* Blocks; from libpq 17 on at most until `until_us` of the monotonic clock. False if the request could not be
 * delivered. */
bool libpq_cancel_send(struct libpq_cancel *request, int64_t until_us);
void libpq_cancel_free(struct libpq_cancel *request); /* accepts NULL */
/* Sets single-row mode, or chunks of up to `rows` rows where libpq has them. False if libpq refuses. */
bool libpq_set_rows_mode(PGconn *connection, int rows);
/* Asks the server to deallocate a prepared statement. In a pipeline it has one answer. Sends a Close message where
 * libpq has it, because poolers follow those, otherwise DEALLOCATE. The name is one of pool/connection/prepared.h. */
bool libpq_send_close(PGconn *connection, const char *name);
/* Returns a duplicate of the connection's socket, which the caller closes, or -1. libpq closes its socket as soon as it
 * meets a failure. A watch on that number could then not be stopped any more: as long as a forked child holds a copy,
 * epoll goes on reporting it. */
int libpq_duplicate_socket(const PGconn *connection);
/* PGRES_TUPLES_CHUNK of libpq 17. */
enum { LIBPQ_TUPLES_CHUNK = 12 };

#endif
