/* SPDX-License-Identifier: MIT */
#ifndef HTTP_RESULT_H
#define HTTP_RESULT_H

#include <curl/curl.h>

#include "http/http.h"

/*
 * What a failed transfer means. Two questions have separate answers: whether any byte of the request was sent
 * (`was_sent`, known from our own callback, never inferred from libcurl's code), and what failed. The codes that
 * promise "nothing was sent" (SHIPOPT_ECONNECT, SHIPOPT_ETLS) are only used if that is true.
 */
int result_status(CURLcode code, bool was_sent);
/* libcurl's message `said`, or its general text for `code` if the message is empty or quotes a URL, which may be the
 * proxy's, with a part of its password. */
const char *result_text(CURLcode code, const char *said);
/* Sets `error` of a request whose status, sent, http_status and request_id are set. The message names method, URL
 * without query, the reason, and whether the request was sent. */
void result_describe(struct http_request *request, const char *reason);

#endif
