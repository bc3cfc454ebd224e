/* SPDX-License-Identifier: MIT */
#ifndef HTTP_ENGINE_H
#define HTTP_ENGINE_H

#include <curl/curl.h>

#include "base/list.h"
#include "http/certificate.h"
#include "http/tcp.h"
#include "http/http.h"

/*
 * Inside the engine: multis, the descriptors libcurl asks to be watched, and one timer.
 *
 * libcurl tells through two callbacks what it waits for: descriptors (a watch each) and one time for each multi. All times share
 * one timer of the reactor, `timer`, which is moved only to be earlier; that it fires too early once in a while is
 * cheaper than moving it at each of libcurl's many changes. What it does is the whole of a turn: run the multis whose time
 * has come, take the finished transfers of all multis that did something, hand them to their owners. A ready descriptor, a send
 * or a cancel sets it to "now", which is the beginning of the next turn, so that libcurl is asked once for a whole batch.
 *
 * No callback of libcurl can fail without taking its multi with it; one that cannot watch a descriptor marks the
 * transfer, which the next turn ends.
 */
#define HTTP_MULTIS_MAX (HTTP_IN_FLIGHT_MAX / HTTP_CONNECTIONS_PER_MULTI)
#define HTTP_STOCK_MAX 128
#define HTTP_CONNECTIONS_DEFAULT 256

struct http_multi {
	struct http_engine *engine;
	CURLM *handle;
	struct list_node transfers;
	size_t in_flight;
	int64_t due_us;  /* libcurl's wish; INT64_MAX: none */
	bool is_touched; /* there may be finished transfers */
};

struct http_socket {
	struct watch watch;
	struct http_multi *multi;
	struct list_node node; /* in `sockets` of the engine, or in `sockets_spare` */
};

struct http_engine {
	struct reactor *reactor;
	struct certificate_bundle bundle;
	char *proxy, *user_agent;    /* never NULL; the proxy is a secret */
	struct secret_forms secrets; /* the proxy's user and password */
	int64_t connect_timeout_ms;
	size_t connections_max, transfers_per_multi;
	struct curl_slist accept, expect; /* headers of every request, one after the other */

	struct http_multi *multis[HTTP_MULTIS_MAX];
	size_t multi_count;
	struct list_node sockets, sockets_spare;
	struct tcp_table connections;
	struct list_node stock; /* transfers without a request, kept for their easy handles */
	size_t stock_count;
	struct list_node finished; /* transfers whose `done` has not run yet */
	bool has_marked;           /* some transfer in flight has a `failure` */
	struct timer timer;
	struct http_statistics statistics;
};

/* Lets the engine's turn run no later than `due_us`; 0: in the next turn of the reactor. */
void engine_schedule(struct http_engine *engine, int64_t due_us);

#endif
