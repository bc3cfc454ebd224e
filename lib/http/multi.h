/* SPDX-License-Identifier: MIT */
#ifndef HTTP_MULTI_H
#define HTTP_MULTI_H

#include "http/engine.h"

/*
 * A multi handle of libcurl, with the transfers that run on it.
 *
 * An engine has as many multis as keep each at no more than HTTP_CONNECTIONS_PER_MULTI transfers. A new transfer goes
 * to the first multi with room: few multis with warm connections are better than many. All multis together keep at most
 * `connections_max` connections alive; the limit is divided again when a multi is added.
 */
struct http_multi {
	struct http_engine *engine;
	CURLM *handle;
	struct list_node transfers;
	size_t in_flight;
	int64_t due_us;  /* when libcurl wants to be called; INT64_MAX: never */
	bool is_touched; /* there may be finished transfers */
};

/* Finds a multi with room or adds one. SHIPOPT_ENOMEM; SHIPOPT_EAGAIN if HTTP_IN_FLIGHT_MAX transfers are in flight. */
int multi_find(struct http_engine *engine, struct http_multi **ret_multi);
/* Lets libcurl do what is due at this time. */
void multi_run(struct http_multi *multi);
/* No transfer may be on it. Accepts NULL. */
void multi_free(struct http_multi *multi);

#endif
