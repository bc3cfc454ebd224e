/* SPDX-License-Identifier: MIT */
#ifndef HTTP_SOCKET_H
#define HTTP_SOCKET_H

#include "http/engine.h"

/*
 * A descriptor that libcurl asks the engine to watch.
 *
 * libcurl opens and closes the connections. It reports through the socket callback of a multi which descriptors it
 * waits for, and for what. Each such descriptor has one watch on the reactor. When it is ready, the watch hands it to
 * libcurl and schedules a turn of the engine, which collects the transfers that have finished.
 *
 * An error returned from a libcurl callback would abort the whole multi handle. If a descriptor cannot be watched, the
 * callback returns 0 and marks the transfer; the next turn fails it.
 */
struct http_socket {
	struct watch watch;
	struct http_multi *multi;
	struct list_node node; /* in `sockets` of the engine, or in `sockets_spare` */
};

/* libcurl's CURLMOPT_SOCKETFUNCTION; `userdata` is the multi. */
int socket_on_change(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_pointer);
/* Stops and frees all sockets of a list. */
void socket_free_all(struct list_node *sockets);

#endif
