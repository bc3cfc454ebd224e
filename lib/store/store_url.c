/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "store/store.h"

#define URL_MAX_BYTES 8192

/* Writes the URL without its password: "postgresql://user:secret@host/db" becomes "postgresql://user:***@host/db", cut
 * to `size`. A password may contain characters that should be escaped, may be a parameter after the question mark, or a
 * word of "host=… password=…", which is not a URL. */
static void store_url_without_password(const char *url, char *text, size_t size)
{
	const char *authority = strstr(url, "://");
	const char *begin = authority ? authority + 3 : url;
	const char *end = url + strcspn(url, authority ? "?#" : "?#=");
	const char *at = strrchr(begin, '@');
	const char *colon = at ? memchr(begin, ':', (size_t)(at - begin)) : NULL;
	if (colon && colon < end)
		snprintf(text, size, "%.*s:***%.*s", (int)(colon - url), url, at < end ? (int)(end - at) : 0, at);
	else
		snprintf(text, size, "%.*s", (int)(end - url), url);
}

int store_url_open(const char *url, const struct backend_options *options, struct backend **ret_backend,
	shipopt_error **ret_error)
{
	static const struct backend_class *const classes[] = {&sqlite_backend};
	char shown[256];
	size_t length = strlen(url);
	if (length > URL_MAX_BYTES)
		return error_set(ret_error, SHIPOPT_EPARSE, "the store's URL has %zu bytes, more than %d", length,
			URL_MAX_BYTES);
	if (!text_is_utf8(url, length, NULL))
		return error_set(ret_error, SHIPOPT_EENCODING, "the store's URL is not UTF-8");
	store_url_without_password(url, shown, sizeof(shown));
	const char *colon = strchr(url, ':');
	if (!colon || colon == url)
		return error_set(ret_error, SHIPOPT_EPARSE, "\"%s\" is not a store URL, such as sqlite:ship.db", shown);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		size_t scheme = strlen(classes[i]->scheme);
		if (scheme == (size_t)(colon - url) && strncmp(url, classes[i]->scheme, scheme) == 0)
			return classes[i]->new (colon + 1, options, ret_backend, ret_error);
	}
	return error_set(ret_error, SHIPOPT_EUNSUPPORTED, "\"%s\": no store of this kind is built in (sqlite is)",
		shown);
}
