/* SPDX-License-Identifier: MIT */
#ifndef HTTP_TRACE_H
#define HTTP_TRACE_H

#include <curl/curl.h>

#include "http/transfer.h"

/*
 * The headers of a request and its answer as text, for debugging (http_options.trace).
 *
 *   17 > POST /v2/trackers HTTP/1.1        sent, by request number 17 of the engine
 *   17 > Authorization: ***
 *   17 < HTTP/1.1 201 Created              received
 *   17 = request body 45 bytes, answer body 1803 bytes, 112 ms
 *
 * The value of a header whose name contains auth, cookie, key, token or secret is replaced by "***". The credentials of
 * request and proxy are blanked everywhere else. Bodies are not traced, only their sizes. A line is cut after
 * TRACE_LINE_BYTES_MAX bytes, and after TRACE_LINES_MAX lines the rest of a request's headers is left out. The headers
 * of a proxy's CONNECT are traced, too.
 */
#define TRACE_LINE_BYTES_MAX 500
#define TRACE_LINES_MAX 100

/* Lets libcurl report the headers of this transfer. False: libcurl refused. */
bool trace_set(struct http_transfer *transfer);
/* The last line of a transfer. Does nothing if the engine does not trace. */
void trace_end(const struct http_transfer *transfer);

#endif
