/* SPDX-License-Identifier: MIT */
#include "http/socket.h"

#include "base/fault.h"
#include "base/memory.h"
#include "http/multi.h"
#include "http/transfer.h"

/* Ends the transfer of `easy` in the next turn. Handles of libcurl's own have no transfer. */
static void socket_mark_failure(CURL *easy, int status)
{
	struct http_transfer *transfer = NULL;
	if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer) != CURLE_OK || !transfer)
		return;
	transfer->failure = status;
	transfer->engine->has_marked = true;
	engine_schedule(transfer->engine, 0);
}

static void socket_ready(struct watch *watch, unsigned events)
{
	struct http_socket *socket = CONTAINER_OF(watch, struct http_socket, watch);
	struct http_multi *multi = socket->multi;
	int flags = (events & REACTOR_READ ? CURL_CSELECT_IN : 0) | (events & REACTOR_WRITE ? CURL_CSELECT_OUT : 0) |
		(events & REACTOR_ERROR ? CURL_CSELECT_ERR : 0);
	int running;
	multi->is_touched = true;
	engine_schedule(multi->engine, 0);
	/* The only errors are our own mistakes and a multi that a callback killed, which ours never do. */
	CURLMcode code = curl_multi_socket_action(multi->handle, watch->fd, flags, &running);
	ASSERT(code == CURLM_OK || code == CURLM_OUT_OF_MEMORY || code == CURLM_INTERNAL_ERROR);
}

static int socket_open(struct http_multi *multi, curl_socket_t fd, unsigned events)
{
	struct http_engine *engine = multi->engine;
	struct list_node *node = list_pop_front(&engine->sockets_spare);
	struct http_socket *socket =
		node ? LIST_MEMBER(node, struct http_socket, node) : mem_alloc_zero(sizeof(*socket));
	if (!socket)
		return SHIPOPT_ENOMEM;
	if (!node)
		list_init(&socket->node);
	socket->multi = multi;
	socket->watch = (struct watch){.ready = socket_ready};
	int r = fault_point() ? SHIPOPT_EIO : watch_start(engine->reactor, &socket->watch, fd, events);
	if (r == 0 && curl_multi_assign(multi->handle, fd, socket) != CURLM_OK) {
		watch_stop(&socket->watch);
		r = SHIPOPT_EIO;
	}
	list_push_front(r == 0 ? &engine->sockets : &engine->sockets_spare, &socket->node);
	return r;
}

static void socket_close(struct http_socket *socket)
{
	struct http_engine *engine = socket->multi->engine;
	watch_stop(&socket->watch);
	list_remove(&socket->node);
	list_push_front(&engine->sockets_spare, &socket->node);
}

int socket_on_change(CURL *easy, curl_socket_t fd, int what, void *userdata, void *socket_pointer)
{
	struct http_multi *multi = userdata;
	struct http_socket *socket = socket_pointer;
	if (what == CURL_POLL_REMOVE) {
		if (socket)
			socket_close(socket);
		return 0;
	}
	unsigned events = (what & CURL_POLL_IN ? REACTOR_READ : 0U) | (what & CURL_POLL_OUT ? REACTOR_WRITE : 0U);
	int r = 0;
	if (!socket)
		r = socket_open(multi, fd, events);
	else if (socket->watch.events != events)
		r = fault_point() ? SHIPOPT_EIO : watch_change(&socket->watch, events);
	if (r < 0)
		socket_mark_failure(easy, r);
	return 0;
}

void socket_free_all(struct list_node *sockets)
{
	struct list_node *node;
	while ((node = list_pop_front(sockets))) {
		struct http_socket *socket = LIST_MEMBER(node, struct http_socket, node);
		watch_stop(&socket->watch);
		mem_free(socket);
	}
}
