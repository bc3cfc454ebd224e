/* SPDX-License-Identifier: MIT */
#ifndef HTTP_ENGINE_H
#define HTTP_ENGINE_H

#include <curl/curl.h>

#include "base/list.h"
#include "http/certificate.h"
#include "http/tcp.h"
#include "http/http.h"

/*
 * The inside of the HTTP engine.
 *
 * libcurl reports through two callbacks what it waits for: descriptors (http/socket.h) and one time for each multi
 * (http/multi.h). All these times share one timer of the reactor, `timer`. The timer is only ever moved to an earlier
 * time. Sometimes it fires too early, which is cheaper than to move it at each of libcurl's many changes.
 *
 * The timer runs one turn of the engine:
 *
 *   1. run each multi whose time has come
 *   2. collect the finished transfers of each multi that did something
 *   3. fail the transfers that a callback has marked
 *   4. call `done` of the finished requests
 *
 * A ready descriptor, a send and a cancel all schedule the next turn, so that libcurl is called once for a whole batch.
 */
#define HTTP_MULTIS_MAX (HTTP_IN_FLIGHT_MAX / HTTP_CONNECTIONS_PER_MULTI)
#define HTTP_STOCK_MAX 128
#define HTTP_CONNECTIONS_DEFAULT 256

struct http_multi;

struct http_engine {
	struct reactor *reactor;
	struct certificate_bundle bundle;
	char *proxy, *user_agent;    /* never NULL; the proxy is a secret */
	struct secret_forms secrets; /* the proxy's user and password */
	int64_t connect_timeout_ms;
	void (*trace)(void *userdata, const char *line); /* NULL: no trace */
	void *trace_userdata;
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
