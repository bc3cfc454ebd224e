/* SPDX-License-Identifier: MIT */
#include "base/url.h"

#include <string.h>

static bool url_has_scheme(const char *url, const char *scheme, const char **ret_rest)
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

int url_check(const char *url, shipopt_error **ret_error)
{
	const char *rest;
	if (!url || !(url_has_scheme(url, "https://", &rest) || url_has_scheme(url, "http://", &rest)))
		return error_set(ret_error, SHIPOPT_EPARSE, "URL must begin with https:// or http://");
	size_t length = 0;
	for (; url[length]; length++)
		if (url[length] <= ' ' || url[length] > '~')
			return error_set(ret_error, SHIPOPT_EPARSE,
				"URL has a byte that is not visible ASCII at offset %zu", length);
	if (length > URL_LENGTH_MAX)
		return error_set(ret_error, SHIPOPT_EPARSE, "URL of %zu bytes is longer than %d", length,
			URL_LENGTH_MAX);
	size_t authority = strcspn(rest, "/?#");
	if (authority == 0)
		return error_set(ret_error, SHIPOPT_EPARSE, "URL has no host");
	if (memchr(rest, '@', authority) || memchr(rest, '\\', authority))
		return error_set(ret_error, SHIPOPT_EPARSE, "URL must not contain a user name or password");
	if (strchr(rest, '#'))
		return error_set(ret_error, SHIPOPT_EPARSE, "URL must not have a fragment (\"#\")");
	return 0;
}

int url_check_base(const char *url, shipopt_error **ret_error)
{
	int r = url_check(url, ret_error);
	if (r < 0)
		return r;
	if (strchr(url, '?'))
		return error_set(ret_error, SHIPOPT_EPARSE, "URL must not have a query (\"?\")");
	/* "https://user:12/34@host" is host "user", port 12, and half a password in the path. */
	if (strchr(url, '@'))
		return error_set(ret_error, SHIPOPT_EPARSE,
			"URL must not have an \"@\"; a user name and password are not accepted here");
	return 0;
}
