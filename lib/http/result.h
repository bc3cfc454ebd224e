/* SPDX-License-Identifier: MIT */
#ifndef HTTP_RESULT_H
#define HTTP_RESULT_H

#include <curl/curl.h>

#include "http/http.h"

/*
 * What a failed transfer means. Two questions are answered apart: did any byte of the request leave us (`was_sent`, known
 * from our own callback, never guessed from libcurl's code), and what failed. Codes that promise "nothing was sent"
 * (SHIPOPT_ECONNECT, SHIPOPT_ETLS) are only given when that is so.
 */
int result_status(CURLcode code, bool was_sent);
/* What libcurl `said`, or its general text for `code` when it said nothing or quoted a URL: that may be the proxy's, with a
 * password in it, cut anywhere. */
const char *result_text(CURLcode code, const char *said);
/* Sets `error` of a request whose status, sent, http_status and request_id are set. The message names method, URL without its
 * query, the reason, and what was and was not done. */
void result_describe(struct http_request *request, const char *reason);

#endif
