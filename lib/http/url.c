/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include "http/url.h"

#include <curl/curl.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "http/http.h"

int http_check_url(const char *url, shipopt_error **ret_error)
{
	int r = url_check_base(url, ret_error);
	if (r < 0)
		return r;
	CURLU *parts = fault_point() ? NULL : curl_url();
	if (!parts)
		return error_set(ret_error, SHIPOPT_ENOMEM, "out of memory while reading a URL");
	CURLUcode code = curl_url_set(parts, CURLUPART_URL, url, CURLU_DISALLOW_USER);
	curl_url_cleanup(parts);
	if (code == CURLUE_OUT_OF_MEMORY)
		return error_set(ret_error, SHIPOPT_ENOMEM, "out of memory while reading a URL");
	if (code != CURLUE_OK)
		return error_set(ret_error, SHIPOPT_EPARSE, "URL is malformed: %s", curl_url_strerror(code));
	return 0;
}

/* ---- proxies ------------------------------------------------------------------------------------------------- */

enum proxy_part { PROXY_SCHEME, PROXY_USER, PROXY_PASSWORD, PROXY_PATH, PROXY_QUERY, PROXY_FRAGMENT, PROXY_PART_COUNT };

/* Takes it apart as libcurl does; what it does not have stays NULL. */
static CURLUcode url_proxy_take_apart(const char *proxy, char *parts[PROXY_PART_COUNT])
{
	static const CURLUPart names[PROXY_PART_COUNT] = {CURLUPART_SCHEME, CURLUPART_USER, CURLUPART_PASSWORD,
		CURLUPART_PATH, CURLUPART_QUERY, CURLUPART_FRAGMENT};
	CURLU *url = fault_point() ? NULL : curl_url();
	CURLUcode code = CURLUE_OUT_OF_MEMORY;
	if (url)
		code = curl_url_set(url, CURLUPART_URL, proxy, CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME);
	for (size_t i = 0; i < PROXY_PART_COUNT && code == CURLUE_OK; i++) {
		code = fault_point() ? CURLUE_OUT_OF_MEMORY
				     : curl_url_get(url, names[i], &parts[i],
					       i == PROXY_USER || i == PROXY_PASSWORD ? CURLU_URLDECODE : 0);
		if (code >= CURLUE_NO_SCHEME && code <= CURLUE_NO_FRAGMENT)
			code = CURLUE_OK;
	}
	curl_url_cleanup(url);
	return code;
}

static bool url_proxy_scheme_is_known(const char *scheme)
{
	static const char *const known[] = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (text_equal(scheme, known[i]))
			return true;
	return false;
}

/* NULL if there is none. */
static const char *url_proxy_fault(const char *proxy, char *const parts[PROXY_PART_COUNT])
{
	const char *at = strchr(proxy, '@');
	if (at && strchr(at + 1, '@'))
		return "it has more than one \"@\"";
	if (!url_proxy_scheme_is_known(parts[PROXY_SCHEME]))
		return "the scheme is not one of http, https, socks4, socks4a, socks5 and socks5h";
	if (!text_equal(parts[PROXY_PATH], "/") || parts[PROXY_QUERY] || parts[PROXY_FRAGMENT])
		return "something stands behind host and port";
	return NULL;
}

/* A user without a password is a token. */
static int url_proxy_secrets(char *const parts[PROXY_PART_COUNT], struct secret_forms *secrets)
{
	const char *user = parts[PROXY_USER], *password = parts[PROXY_PASSWORD];
	int r = secret_forms_add(secrets, text_is_empty(password) ? user : password);
	if (r == 0 && (user || password))
		r = secret_forms_add_basic(secrets, user ? user : "", password ? password : "");
	return r;
}

int url_read_proxy(const char *proxy, struct secret_forms *secrets, shipopt_error **ret_error)
{
	char *parts[PROXY_PART_COUNT] = {NULL};
	secret_forms_init(secrets, SECRET_DATA_BYTES_MIN);
	if (text_is_empty(proxy))
		return 0;
	CURLUcode code = url_proxy_take_apart(proxy, parts);
	const char *fault = code == CURLUE_OK ? url_proxy_fault(proxy, parts) : curl_url_strerror(code);
	int r = 0;
	if (code == CURLUE_OUT_OF_MEMORY)
		r = error_set(ret_error, SHIPOPT_ENOMEM, "out of memory while reading the setting proxy");
	else if (fault)
		r = error_set(ret_error, SHIPOPT_EINVAL,
			"setting proxy: %s; write http://user:password@host:port, and percent-encode every \"@\", \"/\", \"?\", \"#\" "
			"and \"%%\" in user and password",
			fault);
	else
		r = url_proxy_secrets(parts, secrets);
	for (size_t i = 0; i < PROXY_PART_COUNT; i++) {
		if (parts[i])
			mem_cleanse(parts[i], strlen(parts[i]));
		curl_free(parts[i]);
	}
	return r;
}
