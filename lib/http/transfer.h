/* SPDX-License-Identifier: MIT */
#ifndef HTTP_TRANSFER_H
#define HTTP_TRANSFER_H

#include "http/engine.h"

/*
 * One request on its way through libcurl: an easy handle, and what the callbacks record.
 *
 * A transfer outlives its request. Options that are equal for all requests are set once; the others are set for each
 * request. Finished transfers wait in the engine's stock for the next request. The header line with the credential is
 * allocated for one request, cleansed and freed after it. (libcurl has a copy in its send buffer.)
 *
 * `attempts` counts how often libcurl was about to send the request: its pre-request callback runs on a ready
 * connection, before the first byte. 0 is the proof for HTTP_NOT_SENT. For a request with `send_once` the callback
 * refuses a second attempt, whatever the reason.
 *
 * The same callback checks a reused connection for unread input (http/tcp.h). If there is some, it refuses before the
 * attempt counts. libcurl closes the connection, and the engine adds the transfer again, for a fresh connection.
 */
struct http_transfer {
	struct list_node node; /* in its multi, the finished list, or the stock */
	struct http_engine *engine;
	struct http_multi *multi; /* non-NULL: in flight */
	struct http_request *request;
	CURL *easy;
	char error_text[CURL_ERROR_SIZE];

	struct curl_slist authorization, content_type;
	char *authorization_line;
	size_t body_offset;
	size_t header_bytes;
	char retry_after[64];
	char location[1024]; /* one that is longer is left out */
	unsigned attempts;
	bool is_repeat_refused;
	bool is_fresh;      /* a new connection was asked for */
	bool is_unclean;    /* the connection was refused by the callback */
	bool is_head_whole; /* the empty line after the headers was seen */
	struct tcp_opened opened;
	int shortage; /* errno: no socket could be had */
	int failure;  /* ours, from inside a callback: SHIPOPT_E…; 0: none */
	int64_t started_us;
	uint64_t number;      /* of the request, counted by the engine */
	unsigned trace_lines; /* http/trace.h */
};

/* SHIPOPT_ENOMEM. */
int transfer_new(struct http_engine *engine, struct http_transfer **ret_transfer);
void transfer_free(struct http_transfer *transfer);
/* Sets the request's options. On failure the transfer is as after transfer_clear(). SHIPOPT_ENOMEM. */
int transfer_prepare(struct http_transfer *transfer, struct http_request *request);
/* Prepares a transfer that found its connection unclean for a fresh one. False: libcurl refused. */
bool transfer_prepare_fresh(struct http_transfer *transfer);
/* Forgets the request, cleanses its credential. */
void transfer_clear(struct http_transfer *transfer);
/* Fills in the request's answer. `code` is libcurl's verdict; a `failure` of the transfer goes before it. */
void transfer_conclude(struct http_transfer *transfer, CURLcode code);

#endif
