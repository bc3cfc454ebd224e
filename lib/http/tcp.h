/* SPDX-License-Identifier: MIT */
#ifndef HTTP_TCP_H
#define HTTP_TCP_H

#include <curl/curl.h>
#include <openssl/types.h>

#include "base/list.h"

/*
 * The sockets of an engine's connections: opening and closing them, and checking a reused one for unread input.
 *
 * Bytes that arrive before a request is sent are not its answer. libcurl before 8.0 nevertheless reuses an idle connection
 * with unread input, and takes what waits there (a load balancer's "408 Request Time-out", a second answer to the
 * request before) for the answer of the next request. So the engine examines every reused connection in libcurl's
 * pre-request callback, which runs on the ready connection before the first byte of the request leaves.
 *
 * That callback names the connection by its addresses and does not know its socket. Therefore libcurl opens sockets through
 * tcp_open(); on the first request of a connection, tcp_remember() finds which of the sockets opened by that
 * transfer has the connection's local port, and keeps it under the addresses; tcp_is_silent() finds it there
 * before each later request. libcurl closes a remembered socket through tcp_close().
 * (A socket whose connect failed is closed by libcurl alone, which is why opening one remembers nothing.)
 *
 * Silent means: nothing to read on the socket, no end of file, no error, and no bytes or partial record inside OpenSSL.
 * A connection is not examined before its first request, as session tickets of TLS 1.3 may wait there; libcurl reads them
 * together with the first answer. A ticket that a server sends later costs one more handshake. So does a connection that
 * could not be remembered for lack of memory: it counts as not silent.
 *
 * All sockets are close-on-exec, except libcurl's wake-up pair of each multi and the pair of a running name lookup, which only
 * connect threads of this process.
 */
#define TCP_BUCKETS 256
#define TCP_OPENED_MAX 4
#define TCP_ADDRESS_SIZE 46

struct tcp_table {
	struct list_node buckets[TCP_BUCKETS]; /* by local port */
};

/* As libcurl's callback names a connection. */
struct tcp_name {
	const char *local, *peer;
	int local_port, peer_port;
};

/* The sockets that one transfer opened last. libcurl tries two addresses at a time, so the one that connected is among them. */
struct tcp_opened {
	int fds[TCP_OPENED_MAX];
	size_t count; /* of all opened, including those no longer in `fds` */
};

void tcp_table_init(struct tcp_table *table);
/* Forgets what is left; closes nothing. */
void tcp_table_done(struct tcp_table *table);

/* A new socket, noted in `opened`; or the negative errno of the failure. */
int tcp_open(struct tcp_opened *opened, const struct curl_sockaddr *address);
/* To be called before the first request on a connection whose socket is in `opened`. */
void tcp_remember(struct tcp_table *table, const struct tcp_opened *opened, const struct tcp_name *name);
/* Whether a connection that was used before has no unread input. `tls` may be NULL. */
bool tcp_is_silent(struct tcp_table *table, const struct tcp_name *name, const SSL *tls);
/* Closes the socket and forgets its connection. */
void tcp_close(struct tcp_table *table, int fd);

/* Whether an errno says that this process or system has run out of descriptors or memory for a socket. */
bool tcp_is_shortage(int error);
/* For a failed name lookup, whose errno libcurl does not keep: the errno if a lookup could not get its descriptors now either,
 * else 0. */
int tcp_shortage_now(void);

#endif
