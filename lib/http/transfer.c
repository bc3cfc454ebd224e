/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "http/trace.h"
#include "http/transfer_steps.h"
#include "json/json.h"

static const char content_type_json[] = "Content-Type: application/json";
static const char content_type_none[] = "Content-Type:"; /* takes libcurl's own default away */

/* ---- options ------------------------------------------------------------------------------------------------ */

static bool transfer_set_fixed(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	const struct http_engine *engine = transfer->engine;
	bool ok = transfer_set_callbacks(transfer);
	TRANSFER_SET(CURLOPT_NOSIGNAL, 1L);
	TRANSFER_SET(CURLOPT_NOPROGRESS, 1L);
	/* A transfer that ends while its host's name is looked up would make the whole loop wait for the resolver; with
	 * this its thread is left to end by itself. */
	TRANSFER_SET(CURLOPT_QUICK_EXIT, 1L);
	TRANSFER_SET(CURLOPT_PROTOCOLS_STR, "http,https");
	TRANSFER_SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	TRANSFER_SET(CURLOPT_HTTP09_ALLOWED, 0L);
	TRANSFER_SET(CURLOPT_FOLLOWLOCATION, 0L);
	TRANSFER_SET(CURLOPT_PATH_AS_IS, 1L);
	TRANSFER_SET(CURLOPT_ACCEPT_ENCODING, "");
	/* libcurl takes and frees one for each request with a body; its 64 KiB are far more than one of ours, and
	 * fragment the heap. */
	TRANSFER_SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	TRANSFER_SET(CURLOPT_USERAGENT, engine->user_agent);
	/* Both set, so that libcurl asks the environment about neither. */
	TRANSFER_SET(CURLOPT_PROXY, engine->proxy);
	TRANSFER_SET(CURLOPT_NOPROXY, "");
	/* A proxy's answer to CONNECT is no answer to the request, which has not been sent then. */
	TRANSFER_SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	TRANSFER_SET(CURLOPT_TCP_KEEPALIVE, 1L);
	TRANSFER_SET(CURLOPT_CONNECTTIMEOUT_MS, (long)engine->connect_timeout_ms);
	ok = ok && (!engine->trace || trace_set(transfer));
	return ok && certificate_bundle_apply(&transfer->engine->bundle, easy);
}

static bool transfer_set_method(struct http_transfer *transfer, bool is_post)
{
	CURL *easy = transfer->easy;
	const char *method = transfer->request->method;
	const char *implied = is_post ? "POST" : "GET";
	bool ok = true;
	if (is_post)
		TRANSFER_SET(CURLOPT_POST, 1L);
	else
		TRANSFER_SET(CURLOPT_HTTPGET, 1L);
	TRANSFER_SET(CURLOPT_CUSTOMREQUEST, text_equal(method, implied) ? NULL : method);
	return ok;
}

/* An explicit length always, so that no request is chunked. */
static bool transfer_set_body(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	const struct http_request *request = transfer->request;
	bool is_streamed = request->send_once && request->body_length > 0;
	bool ok = true;
	TRANSFER_SET(CURLOPT_POSTFIELDS, is_streamed ? NULL : request->body_length ? request->body : "");
	TRANSFER_SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
	return ok;
}

static bool transfer_set_headers(struct http_transfer *transfer, bool is_post)
{
	CURL *easy = transfer->easy;
	const char *type = transfer->request->body_length ? content_type_json : content_type_none;
	struct curl_slist *list = &transfer->engine->accept;
	bool ok = true;
	if (is_post) {
		transfer->content_type = (struct curl_slist){.data = (char *)type, .next = list};
		list = &transfer->content_type;
	}
	if (transfer->authorization_line) {
		transfer->authorization = (struct curl_slist){.data = transfer->authorization_line, .next = list};
		list = &transfer->authorization;
	}
	TRANSFER_SET(CURLOPT_HTTPHEADER, list);
	return ok;
}

/* What is left of the request's time, and which connection. */
static bool transfer_set_connection(struct http_transfer *transfer, bool is_fresh)
{
	CURL *easy = transfer->easy;
	int64_t timeout_ms =
		transfer->request->timeout_ms > 0 ? transfer->request->timeout_ms : HTTP_TIMEOUT_MS_DEFAULT;
	int64_t left_ms = timeout_ms - (clock_now_us() - transfer->started_us) / 1000;
	bool ok = true;
	transfer->is_fresh = is_fresh;
	TRANSFER_SET(CURLOPT_TIMEOUT_MS, (long)MAX(MIN(left_ms, (int64_t)INT_MAX), 1));
	TRANSFER_SET(CURLOPT_FRESH_CONNECT, is_fresh ? 1L : 0L);
	TRANSFER_SET(CURLOPT_FORBID_REUSE, 0L);
	return ok;
}

static bool transfer_set_bounds(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	const struct http_request *request = transfer->request;
	bool ok = transfer_set_connection(transfer, request->send_once && request->body_length == 0);
	TRANSFER_SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)MIN(request->response.limit, (size_t)INT64_MAX));
	return ok;
}

static char *transfer_authorization_line(const char *value)
{
	static const char name[] = "Authorization: ";
	size_t length = strlen(value), size;
	char *line = size_add(length, sizeof(name), &size) ? mem_alloc(size) : NULL;
	if (!line)
		return NULL;
	memcpy(line, name, sizeof(name) - 1);
	memcpy(line + sizeof(name) - 1, value, length + 1);
	return line;
}

/* ---- life --------------------------------------------------------------------------------------------------- */

int transfer_new(struct http_engine *engine, struct http_transfer **ret_transfer)
{
	struct http_transfer *transfer = mem_alloc_zero(sizeof(*transfer));
	if (!transfer)
		return SHIPOPT_ENOMEM;
	list_init(&transfer->node);
	transfer->engine = engine;
	transfer->easy = fault_point() ? NULL : curl_easy_init();
	if (!transfer->easy || !transfer_set_fixed(transfer)) {
		transfer_free(transfer);
		return SHIPOPT_ENOMEM;
	}
	*ret_transfer = transfer;
	return 0;
}

void transfer_free(struct http_transfer *transfer)
{
	if (!transfer)
		return;
	curl_easy_cleanup(transfer->easy);
	mem_free_secret(transfer->authorization_line);
	mem_free(transfer);
}

int transfer_prepare(struct http_transfer *transfer, struct http_request *request)
{
	CURL *easy = transfer->easy;
	/* Without a body DELETE is as GET; the others say "Content-Length: 0". */
	bool is_post = request->body_length > 0 ||
		!(text_equal(request->method, "GET") || text_equal(request->method, "DELETE"));
	bool ok = true;
	transfer->request = request;
	request->was_handed_over = false;
	transfer->started_us = clock_now_us();
	transfer->number = transfer->engine->statistics.requests + 1;
	buffer_init_padded(&request->response,
		request->response_limit ? request->response_limit : HTTP_RESPONSE_LIMIT_DEFAULT, JSON_PADDING);
	if (request->authorization)
		ok = (transfer->authorization_line = transfer_authorization_line(request->authorization)) != NULL;
	TRANSFER_SET(CURLOPT_URL, request->url);
	ok = ok && transfer_set_method(transfer, is_post) && transfer_set_headers(transfer, is_post) &&
		transfer_set_bounds(transfer) && (!is_post || transfer_set_body(transfer));
	if (!ok)
		transfer_clear(transfer);
	return ok ? 0 : SHIPOPT_ENOMEM;
}

bool transfer_prepare_fresh(struct http_transfer *transfer)
{
	transfer->is_unclean = false;
	transfer->error_text[0] = '\0';
	return transfer_set_connection(transfer, true);
}

void transfer_clear(struct http_transfer *transfer)
{
	/* Clearing a pointer cannot fail. */
	(void)curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, NULL);
	mem_free_secret(transfer->authorization_line);
	transfer->authorization_line = NULL;
	transfer->request = NULL;
	transfer->error_text[0] = transfer->retry_after[0] = transfer->location[0] = '\0';
	transfer->body_offset = transfer->header_bytes = 0;
	transfer->attempts = transfer->trace_lines = 0;
	transfer->is_repeat_refused = transfer->is_unclean = transfer->is_head_whole = false;
	transfer->opened.count = 0;
	transfer->failure = transfer->shortage = 0;
}
