/* SPDX-License-Identifier: MIT */
#include "http/transfer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "http/result.h"
#include "json/json.h"

/* A server that sends headers without end is cut off; libcurl 7.88 keeps each of them. */
#define HEADER_BYTES_MAX ((size_t)256 << 10)
#define HEADER_LINE_BYTES_MAX 102400 /* libcurl's own */
#define CODE_TOO_LARGE 100           /* CURLE_TOO_LARGE, which older headers do not have */

/* One option; `ok` stays false once it is. */
#define SET(option, value) (ok = ok && !fault_point() && curl_easy_setopt(easy, option, value) == CURLE_OK)

static const char content_type_json[] = "Content-Type: application/json";
static const char content_type_none[] = "Content-Type:"; /* takes libcurl's own default away */

/* --- what others wrote --- */

static void transfer_blank(const struct http_transfer *transfer, char *bytes, size_t length)
{
	secret_blank(bytes, length, transfer->request->secrets);
	secret_blank(bytes, length, &transfer->engine->secrets);
}

/* --- what libcurl calls --- */

/* No seek function goes with it: libcurl cannot send the body a second time. */
static size_t on_read(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_transfer *transfer = userdata;
	const struct http_request *request = transfer->request;
	size_t length = MIN(size * count, request->body_length - transfer->body_offset);
	memcpy(bytes, request->body + transfer->body_offset, length);
	transfer->body_offset += length;
	return length;
}

static size_t on_write(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_transfer *transfer = userdata;
	size_t length = size * count;
	int r = buffer_append(&transfer->request->response, bytes, length);
	if (r == 0)
		return length;
	transfer->failure = r;
	return length > 0 ? 0 : 1; /* anything but the length */
}

/* "name: value" with optional white space around the value, copied if it fits. */
static void header_take(struct http_transfer *transfer, const char *line, size_t length, const char *name, char *ret_value,
	size_t size)
{
	size_t name_length = strlen(name);
	if (length <= name_length || line[name_length] != ':')
		return;
	for (size_t i = 0; i < name_length; i++)
		if ((line[i] | 0x20) != (name[i] | 0x20))
			return;
	const char *value = line + name_length + 1;
	size_t value_length = length - name_length - 1;
	text_trim(&value, &value_length);
	if (value_length >= size)
		return;
	memcpy(ret_value, value, value_length);
	ret_value[value_length] = '\0';
	transfer_blank(transfer, ret_value, value_length);
}

/* "HTTP/1.1 200 OK": libcurl has counted what of the body it wrote to the connection until then; it writes the head before. */
static void note_status_line(struct http_transfer *transfer, const char *line, size_t length)
{
	const char *code = memchr(line, ' ', length);
	bool is_interim = code && code + 1 < line + length && code[1] == '1';
	curl_off_t written = 0;
	if (is_interim)
		return;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &written);
	transfer->request->was_handed_over = (uint64_t)written == transfer->request->body_length;
	/* The true answer may still come, and must not meet the next request. An option that is a number can be set at any time. */
	if (!transfer->request->was_handed_over)
		(void)curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
}

static size_t on_header(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_transfer *transfer = userdata;
	size_t length = size * count;
	transfer->header_bytes += length;
	if (transfer->header_bytes > HEADER_BYTES_MAX) {
		transfer->failure = SHIPOPT_ETOOLARGE;
		return 0;
	}
	if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
		/* After an interim answer (100, 103) comes another block; only the last one counts. */
		transfer->retry_after[0] = transfer->location[0] = '\0';
		transfer->request->request_id[0] = '\0';
		transfer->is_head_whole = false;
		note_status_line(transfer, bytes, length);
	}
	if (length > 0 && (bytes[0] == '\r' || bytes[0] == '\n'))
		transfer->is_head_whole = true;
	header_take(transfer, bytes, length, "retry-after", transfer->retry_after, sizeof(transfer->retry_after));
	header_take(transfer, bytes, length, "location", transfer->location, sizeof(transfer->location));
	header_take(transfer, bytes, length, "x-ep-request-uuid", transfer->request->request_id, HTTP_REQUEST_ID_SIZE);
	return length;
}

/* The connection's TLS, if it is of the OpenSSL that we are linked with. */
static const SSL *tls_of(const struct http_transfer *transfer)
{
	struct curl_tlssessioninfo *info = NULL;
	if (!transfer->engine->bundle.is_shared ||
		curl_easy_getinfo(transfer->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK)
		return NULL;
	return info->internals;
}

static bool is_clean(struct http_transfer *transfer, const struct tcp_name *name)
{
	struct tcp_table *connections = &transfer->engine->connections;
	long opened = 0;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &opened);
	if (!transfer->is_fresh && opened == 0)
		return tcp_is_silent(connections, name, tls_of(transfer));
	tcp_remember(connections, &transfer->opened, name);
	return true;
}

static int on_prerequisite(void *userdata, char *peer, char *local, int peer_port, int local_port)
{
	struct http_transfer *transfer = userdata;
	struct tcp_name name = {.local = local, .peer = peer, .local_port = local_port, .peer_port = peer_port};
	if (transfer->attempts > 0 && transfer->request->send_once) {
		transfer->is_repeat_refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (!is_clean(transfer, &name)) {
		transfer->is_unclean = true;
		transfer->engine->statistics.connections_unclean++;
		return CURL_PREREQFUNC_ABORT; /* which closes the connection */
	}
	transfer->attempts++;
	return CURL_PREREQFUNC_OK;
}

static curl_socket_t on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_transfer *transfer = userdata;
	int fd = tcp_open(&transfer->opened, address);
	if (fd >= 0)
		return fd;
	if (tcp_is_shortage(-fd)) /* others say that this system has no such addresses: libcurl tries the next */
		transfer->shortage = -fd;
	return CURL_SOCKET_BAD;
}

static int on_close(void *userdata, curl_socket_t fd)
{
	struct http_engine *engine = userdata; /* connections outlive transfers */
	tcp_close(&engine->connections, fd);
	return 0;
}

/* --- options --- */

static bool set_callbacks(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	bool ok = true;
	SET(CURLOPT_PRIVATE, (char *)transfer);
	SET(CURLOPT_ERRORBUFFER, transfer->error_text);
	SET(CURLOPT_READFUNCTION, on_read);
	SET(CURLOPT_READDATA, transfer);
	SET(CURLOPT_WRITEFUNCTION, on_write);
	SET(CURLOPT_WRITEDATA, transfer);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, transfer);
	SET(CURLOPT_PREREQFUNCTION, on_prerequisite);
	SET(CURLOPT_PREREQDATA, transfer);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, transfer);
	SET(CURLOPT_CLOSESOCKETFUNCTION, on_close);
	SET(CURLOPT_CLOSESOCKETDATA, transfer->engine);
	return ok;
}

static bool set_fixed(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	const struct http_engine *engine = transfer->engine;
	bool ok = set_callbacks(transfer);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_NOPROGRESS, 1L);
	/* A transfer that ends while its host's name is looked up would make the whole loop wait for the resolver; with this
	 * its thread is left to end by itself. */
	SET(CURLOPT_QUICK_EXIT, 1L);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_HTTP09_ALLOWED, 0L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PATH_AS_IS, 1L);
	SET(CURLOPT_ACCEPT_ENCODING, "");
	/* libcurl takes and frees one for each request with a body; its 64 KiB are far more than one of ours, and fragment the heap. */
	SET(CURLOPT_UPLOAD_BUFFERSIZE, 16384L);
	SET(CURLOPT_USERAGENT, engine->user_agent);
	/* Both set, so that libcurl asks the environment about neither. */
	SET(CURLOPT_PROXY, engine->proxy);
	SET(CURLOPT_NOPROXY, "");
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)engine->connect_timeout_ms);
	return ok && certificate_bundle_apply(&transfer->engine->bundle, easy);
}

static bool set_method(struct http_transfer *transfer, bool is_post)
{
	CURL *easy = transfer->easy;
	const char *method = transfer->request->method;
	const char *implied = is_post ? "POST" : "GET";
	bool ok = true;
	if (is_post)
		SET(CURLOPT_POST, 1L);
	else
		SET(CURLOPT_HTTPGET, 1L);
	SET(CURLOPT_CUSTOMREQUEST, text_equal(method, implied) ? NULL : method);
	return ok;
}

/* An explicit length always, so that no request is chunked. */
static bool set_body(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	const struct http_request *request = transfer->request;
	bool is_streamed = request->send_once && request->body_length > 0;
	bool ok = true;
	SET(CURLOPT_POSTFIELDS, is_streamed ? NULL : request->body_length ? request->body : "");
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
	return ok;
}

static bool set_headers(struct http_transfer *transfer, bool is_post)
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
	SET(CURLOPT_HTTPHEADER, list);
	return ok;
}

/* What is left of the request's time, and which connection. */
static bool set_connection(struct http_transfer *transfer, bool is_fresh)
{
	CURL *easy = transfer->easy;
	int64_t timeout_ms = transfer->request->timeout_ms > 0 ? transfer->request->timeout_ms : HTTP_TIMEOUT_MS_DEFAULT;
	int64_t left_ms = timeout_ms - (clock_now_us() - transfer->started_us) / 1000;
	bool ok = true;
	transfer->is_fresh = is_fresh;
	SET(CURLOPT_TIMEOUT_MS, (long)MAX(MIN(left_ms, (int64_t)INT_MAX), 1));
	SET(CURLOPT_FRESH_CONNECT, is_fresh ? 1L : 0L);
	SET(CURLOPT_FORBID_REUSE, 0L);
	return ok;
}

static bool set_bounds(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	const struct http_request *request = transfer->request;
	bool ok = set_connection(transfer, request->send_once && request->body_length == 0);
	SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)MIN(request->response.limit, (size_t)INT64_MAX));
	return ok;
}

static char *authorization_make(const char *value)
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

/* --- life --- */

int transfer_new(struct http_engine *engine, struct http_transfer **ret_transfer)
{
	struct http_transfer *transfer = mem_alloc_zero(sizeof(*transfer));
	if (!transfer)
		return SHIPOPT_ENOMEM;
	list_init(&transfer->node);
	transfer->engine = engine;
	transfer->easy = fault_point() ? NULL : curl_easy_init();
	if (!transfer->easy || !set_fixed(transfer)) {
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
	buffer_init_padded(&request->response,
		request->response_limit ? request->response_limit : HTTP_RESPONSE_LIMIT_DEFAULT, JSON_PADDING);
	if (request->authorization)
		ok = (transfer->authorization_line = authorization_make(request->authorization)) != NULL;
	SET(CURLOPT_URL, request->url);
	ok = ok && set_method(transfer, is_post) && set_headers(transfer, is_post) && set_bounds(transfer) &&
	     (!is_post || set_body(transfer));
	if (!ok)
		transfer_clear(transfer);
	return ok ? 0 : SHIPOPT_ENOMEM;
}

bool transfer_prepare_fresh(struct http_transfer *transfer)
{
	transfer->is_unclean = false;
	transfer->error_text[0] = '\0';
	return set_connection(transfer, true);
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
	transfer->attempts = 0;
	transfer->is_repeat_refused = transfer->is_unclean = transfer->is_head_whole = false;
	transfer->opened.count = 0;
	transfer->failure = transfer->shortage = 0;
}

/* --- the end --- */

static void count(struct http_transfer *transfer)
{
	struct http_statistics *statistics = &transfer->engine->statistics;
	long opened = 0, request_size = 0, header_size = 0;
	curl_off_t uploaded = 0, downloaded = 0;
	/* A number that cannot be had stays 0. */
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &opened);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &request_size);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_HEADER_SIZE, &header_size);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &downloaded);
	statistics->connections_opened += (uint64_t)opened;
	statistics->connections_reused += transfer->attempts > 0 && opened == 0;
	statistics->bytes_sent += (uint64_t)request_size + (uint64_t)uploaded;
	statistics->bytes_received += (uint64_t)header_size + (uint64_t)downloaded;
}

/* Whether there was no socket to be had. libcurl keeps the errno of connect(), ours is of socket(). */
static int shortage_of(const struct http_transfer *transfer, CURLcode code)
{
	long error = 0;
	if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY)
		return tcp_shortage_now();
	if (code != CURLE_COULDNT_CONNECT || transfer->shortage)
		return code == CURLE_COULDNT_CONNECT ? transfer->shortage : 0;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
	return tcp_is_shortage((int)error) ? (int)error : 0;
}

/* For failures that libcurl has no code of their own for. */
static int failure_of(struct http_transfer *transfer, CURLcode code)
{
	if (code == CURLE_FILESIZE_EXCEEDED)
		return SHIPOPT_ETOOLARGE;
	/* A header line above its limit is "out of memory" for libcurl before 8.6, CURLE_TOO_LARGE from there on. */
	bool is_line = transfer->header_bytes > 0 && !transfer->is_head_whole;
	if (is_line && (code == CURLE_OUT_OF_MEMORY || (int)code == CODE_TOO_LARGE))
		return SHIPOPT_ETOOLARGE;
	transfer->shortage = shortage_of(transfer, code);
	return transfer->shortage ? SHIPOPT_EIO : 0;
}

static const char *shortage_text(int error, char *text, size_t size)
{
	bool is_limit = error == EMFILE || error == ENFILE;
	snprintf(text, size, "no socket for the connection: %s; %s", strerror(error),
		is_limit ? "raise the limit of descriptors" : "the system is short of memory");
	return text;
}

static const char *reason_of(struct http_transfer *transfer, CURLcode code, char *text, size_t size)
{
	switch (transfer->failure) {
	case SHIPOPT_ECANCELED:
		return "canceled";
	case SHIPOPT_ETOOLARGE:
		snprintf(text, size, "the answer is larger than the limit of %zu bytes (headers: %zu, one of them: %d)",
			transfer->request->response.limit, HEADER_BYTES_MAX, HEADER_LINE_BYTES_MAX);
		return text;
	case SHIPOPT_ENOMEM:
		return "out of memory";
	case SHIPOPT_EIO:
		return transfer->shortage ? shortage_text(transfer->shortage, text, size)
					  : "the event loop cannot watch the connection";
	}
	if (transfer->is_repeat_refused || code == CURLE_SEND_FAIL_REWIND)
		return "the kept-alive connection was lost before an answer came";
	transfer_blank(transfer, transfer->error_text, strlen(transfer->error_text));
	return result_text(code, transfer->error_text);
}

void transfer_conclude(struct http_transfer *transfer, CURLcode code)
{
	struct http_request *request = transfer->request;
	char text[256];
	long http_status = 0;
	/* For libcurl a connection that ends inside the headers ends an answer without a body. */
	if (code == CURLE_OK && !transfer->is_head_whole)
		code = CURLE_PARTIAL_FILE;
	if (!transfer->failure)
		transfer->failure = failure_of(transfer, code);
	count(transfer);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http_status);
	request->http_status = (int)http_status;
	request->sent = transfer->attempts > 0 ? HTTP_MAYBE_SENT : HTTP_NOT_SENT;
	request->duration_us = clock_now_us() - transfer->started_us;
	request->retry_after_ms = -1;
	if (transfer->retry_after[0])
		(void)http_parse_retry_after(transfer->retry_after, clock_wall_ms(), &request->retry_after_ms);
	request->status = transfer->failure ? transfer->failure : result_status(code, transfer->attempts > 0);
	if (request->status == 0) {
		transfer_blank(transfer, request->response.data, request->response.length);
		/* Without memory the redirect is not named. */
		if (transfer->location[0])
			request->location = mem_copy_text(transfer->location);
		return;
	}
	buffer_done(&request->response);
	result_describe(request, reason_of(transfer, code, text, sizeof(text)));
}
