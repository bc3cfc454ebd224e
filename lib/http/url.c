/* SPDX-License-Identifier: MIT */
#include "http/url.h"

#include <curl/curl.h>
#include <string.h>

#include "base/fault.h"
#include "base/text.h"
#include "http/http.h"

static bool has_scheme(const char *url, const char *scheme, const char **ret_rest)
{
	size_t length = strlen(scheme);
	for (size_t i = 0; i < length; i++) {
		char c = url[i] >= 'A' && url[i] <= 'Z' ? (char)(url[i] - 'A' + 'a') : url[i];
		if (c != scheme[i])
			return false;
	}
	*ret_rest = url + length;
	return true;
}

/* The text itself is left out of these messages: it may hold a password. */
int url_check(const char *url, shipopt_error **ret_error)
{
	const char *rest;
	if (!url || !(has_scheme(url, "https://", &rest) || has_scheme(url, "http://", &rest)))
		return error_set(ret_error, SHIPOPT_EPARSE, "URL must begin with https:// or http://");
	size_t length = 0;
	for (; url[length]; length++)
		if (url[length] <= ' ' || url[length] > '~')
			return error_set(ret_error, SHIPOPT_EPARSE, "URL has a byte that is not visible ASCII at offset %zu",
				length);
	if (length > URL_LENGTH_MAX)
		return error_set(ret_error, SHIPOPT_EPARSE, "URL of %zu bytes is longer than %d", length, URL_LENGTH_MAX);
	size_t authority = strcspn(rest, "/?#");
	if (authority == 0)
		return error_set(ret_error, SHIPOPT_EPARSE, "URL has no host");
	if (memchr(rest, '@', authority) || memchr(rest, '\\', authority))
		return error_set(ret_error, SHIPOPT_EPARSE, "URL must not hold a user name or password");
	if (strchr(rest, '#'))
		return error_set(ret_error, SHIPOPT_EPARSE, "URL must not have a fragment (\"#\")");
	return 0;
}

int http_check_url(const char *url, shipopt_error **ret_error)
{
	int r = url_check(url, ret_error);
	if (r < 0)
		return r;
	if (strchr(url, '?'))
		return error_set(ret_error, SHIPOPT_EPARSE, "URL must not have a query (\"?\")");
	CURLU *parts = fault_point() ? NULL : curl_url();
	if (!parts)
		return error_set(ret_error, SHIPOPT_ENOMEM, "out of memory while reading a URL");
	CURLUcode code = curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER);
	curl_url_cleanup(parts);
	if (code == CURLUE_OUT_OF_MEMORY)
		return error_set(ret_error, SHIPOPT_ENOMEM, "out of memory while reading a URL");
	if (code != CURLUE_OK)
		return error_set(ret_error, SHIPOPT_EPARSE, "URL \"%s\" is malformed: %s", url, curl_url_strerror(code));
	return 0;
}
