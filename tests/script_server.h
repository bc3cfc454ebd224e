/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SCRIPT_SERVER_H
#define TESTS_SCRIPT_SERVER_H

#include <stddef.h>

/*
 * A server on 127.0.0.1 that plays scripts, byte by byte, over raw sockets or TLS, and counts what came over the wire.
 *
 * A request's path (without query) chooses its script. The steps run when the whole request has been read, its
 * body (Content-Length) included; afterwards the connection is read for the next request unless a step ended it. One
 * thread with poll(); at most SCRIPT_CONNECTIONS_MAX connections. Scripts are borrowed until the server is stopped.
 */
#define SCRIPT_CONNECTIONS_MAX 1200

enum script_action {
	SCRIPT_SEND,   /* `bytes` as they are */
	SCRIPT_WAIT,   /* `ms` */
	SCRIPT_GATHER, /* until `count` requests for the path have come this far, each on a connection of its own */
	SCRIPT_TICKET, /* a session ticket of TLS 1.3, beyond those of the handshake */
	SCRIPT_HOLD,   /* nothing more, until the client goes away */
	SCRIPT_CLOSE,  /* in order: what was sent arrives */
	SCRIPT_RESET   /* with RST */
};

struct script_step {
	enum script_action action;
	const char *bytes;
	size_t length; /* 0: strlen(bytes) */
	int ms;
	size_t count;
};

struct script {
	const char *path;
	struct script_step steps[4]; /* ends at the first without bytes and with action SCRIPT_SEND */
};

struct script_server;

/* `certificate` and `key` are PEM files; NULL: no TLS. 0 or -1. */
int script_server_start(const struct script *scripts, size_t count, const char *certificate, const char *key,
	struct script_server **ret_server);
void script_server_stop(struct script_server *server);
int script_server_port(const struct script_server *server);

/* Request heads seen for `path`, NULL: for all; also those whose body never came. */
unsigned script_server_requests(struct script_server *server, const char *path);
unsigned script_server_connections(struct script_server *server);
/* Blocks until `count` requests for `path` have been seen. */
void script_server_await(struct script_server *server, const char *path, unsigned count);
/* Copies head and body of the last request. */
void script_server_last(struct script_server *server, char *ret_text, size_t size);

#endif
