/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_SERVER_H
#define SANDBOX_SERVER_H

#include "sandbox.h"

/*
 * HTTP(S) by libmicrohttpd: its one epoll thread reads requests and sends answers; the delay thread (delay.h) wakes
 * those that wait. Listens on 127.0.0.1 only. Keep-alive without a time limit, up to SERVER_CONNECTIONS_MAX
 * connections.
 */
#define SERVER_CONNECTIONS_MAX 4096

struct server_options {
	uint16_t port;                 /* 0: any */
	const char *certificate, *key; /* PEM texts; NULL for plain HTTP */
	uint64_t seed;
	struct faults faults;
};

struct server;

/* SHIPOPT_ENOMEM, SHIPOPT_EIO (the port, the certificate). */
int server_start(const struct server_options *options, struct server **ret_server);
/* "http://127.0.0.1:8080"; lives with the server. */
const char *server_url(const struct server *server);
/* Ends connections and threads, forgets everything. Accepts NULL. */
void server_stop(struct server *server);

#endif
