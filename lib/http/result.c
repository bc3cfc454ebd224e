/* SPDX-License-Identifier: MIT */
#include "http/result.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE_SIZE 1024
#define URL_SHOWN_MAX 256

static bool result_is_tls(CURLcode code)
{
	switch (code) {
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_USE_SSL_FAILED: return true;
	default: return false;
	}
}

static int result_status_sent(CURLcode code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT: return SHIPOPT_ETIMEDOUT;
	case CURLE_FILESIZE_EXCEEDED: return SHIPOPT_ETOOLARGE;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* an answer that is not HTTP */
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_WRITE_ERROR: /* a body that cannot be decoded; failures of our own callback are handled before */
	case CURLE_TOO_MANY_REDIRECTS: return SHIPOPT_EPROTOCOL;
	default: return SHIPOPT_ENETWORK;
	}
}

int result_status(CURLcode code, bool was_sent)
{
	if (code == CURLE_OK)
		return 0;
	if (code == CURLE_OUT_OF_MEMORY)
		return SHIPOPT_ENOMEM;
	if (was_sent)
		return result_status_sent(code);
	if (result_is_tls(code))
		return SHIPOPT_ETLS;
	return code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ? SHIPOPT_EINVAL : SHIPOPT_ECONNECT;
}

const char *result_text(CURLcode code, const char *said)
{
	return said[0] == '\0' || strstr(said, "://") || strchr(said, '@') ? curl_easy_strerror(code) : said;
}

static const char *result_what_was_done(const struct http_request *request)
{
	if (request->sent == HTTP_NOT_SENT)
		return "nothing was sent";
	if (request->send_once)
		return "the request was sent once, not repeated, and its outcome is not known";
	return request->status == SHIPOPT_ECANCELED ? "the answer was not waited for"
						    : "the request may have reached the server";
}

void result_describe(struct http_request *request, const char *reason)
{
	char message[MESSAGE_SIZE];
	int shown = (int)strnlen(request->url, URL_SHOWN_MAX);
	shown = (int)MIN((size_t)shown, strcspn(request->url, "?#"));
	snprintf(message, sizeof(message), "%s %.*s: %s; %s", request->method, shown, request->url, reason,
		result_what_was_done(request));
	error_set_detail(&request->error,
		&(struct error_detail){.code = request->status,
			.domain = SHIPOPT_DOMAIN_CARRIER,
			.message = message,
			.http_status = request->http_status,
			.retry_after_ms = request->retry_after_ms,
			.request_id = request->request_id[0] ? request->request_id : NULL});
}
