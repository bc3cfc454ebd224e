/* SPDX-License-Identifier: MIT */
#ifndef HTTP_TCP_H
#define HTTP_TCP_H

#include <curl/curl.h>
#include <openssl/types.h>

#include "base/list.h"

/*
 * The sockets of an engine's connections: opening and closing them, and checking a reused one for unread input.
 *
 * Bytes that arrive before a request is sent are not its answer. libcurl before 8.0 nevertheless reuses an idle
 * connection with unread input. It then takes that input for the answer of the next request: a load balancer's "408
 * Request Time-out", or a second answer to the request before. Therefore the engine checks every reused connection in
 * libcurl's pre-request callback, which runs before the first byte of the request is sent.
 *
 * The callback gets the addresses of the connection and not its socket. So libcurl opens sockets through tcp_open(). On
 * the first request of a connection, tcp_remember() finds which of the sockets of that transfer has the connection's
 * local port, and stores it under the addresses. Before each later request tcp_is_silent() finds it there. libcurl
 * closes a stored socket through tcp_close(). A socket whose connect failed is closed by libcurl alone, so opening one
 * stores nothing.
 *
 * Silent means: nothing to read on the socket, no end of file, no error, and no bytes or partial record inside OpenSSL.
 * A connection is not checked before its first request, because session tickets of TLS 1.3 may wait there. libcurl
 * reads them together with the first answer. A ticket that arrives later costs one more handshake. So does a connection
 * that could not be stored for lack of memory: it counts as not silent.
 *
 * All sockets are close-on-exec. The exceptions are libcurl's wake-up pair of each multi and the pair of a running name
 * lookup, which connect only threads of this process.
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

/* The sockets that one transfer opened last. libcurl tries two addresses at a time, so the one that connected is among
 * them. */
struct tcp_opened {
	int fds[TCP_OPENED_MAX];
	size_t count; /* of all opened, including those no longer in `fds` */
};

void tcp_table_init(struct tcp_table *table);
/* Frees the table. Closes no socket. */
void tcp_table_done(struct tcp_table *table);

/* Opens a socket and records it in `opened`. Returns it, or the negative errno. */
int tcp_open(struct tcp_opened *opened, const struct curl_sockaddr *address);
/* To be called before the first request on a connection whose socket is in `opened`. */
void tcp_remember(struct tcp_table *table, const struct tcp_opened *opened, const struct tcp_name *name);
/* Whether a connection that was used before has no unread input. `tls` may be NULL. */
bool tcp_is_silent(struct tcp_table *table, const struct tcp_name *name, const SSL *tls);
/* Closes the socket and forgets its connection. */
void tcp_close(struct tcp_table *table, int fd);

/* True for an errno that means: this process or system has no descriptor or memory left for a socket. */
bool tcp_is_shortage(int error);
/* For a failed name lookup, whose errno libcurl does not store. Tries whether a lookup could get its descriptors now,
 * and returns the errno if not, else 0. */
int tcp_shortage_now(void);

#endif
