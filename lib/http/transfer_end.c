/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "http/result.h"
#include "http/trace.h"
#include "http/transfer_steps.h"

#define CODE_TOO_LARGE 100 /* CURLE_TOO_LARGE, which older headers do not have */

void transfer_blank(const struct http_transfer *transfer, char *bytes, size_t length)
{
	secret_blank(bytes, length, transfer->request->secrets);
	secret_blank(bytes, length, &transfer->engine->secrets);
}

/* ---- failures ----------------------------------------------------------------------------------------------- */

/* The errno if this host had no socket for the transfer, else 0. libcurl keeps the errno of connect(), we keep that of
 * socket(). */
static int transfer_find_shortage(const struct http_transfer *transfer, CURLcode code)
{
	long error = 0;
	if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY)
		return tcp_shortage_now();
	if (code != CURLE_COULDNT_CONNECT || transfer->shortage)
		return code == CURLE_COULDNT_CONNECT ? transfer->shortage : 0;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
	return tcp_is_shortage((int)error) ? (int)error : 0;
}

/* The failures for which libcurl has no code of their own. 0: none of them. */
static int transfer_find_failure(struct http_transfer *transfer, CURLcode code)
{
	if (code == CURLE_FILESIZE_EXCEEDED)
		return SHIPOPT_ETOOLARGE;
	/* For a header line above its limit libcurl before 8.6 says "out of memory", from 8.6 on CURLE_TOO_LARGE. */
	bool is_line = transfer->header_bytes > 0 && !transfer->is_head_whole;
	if (is_line && (code == CURLE_OUT_OF_MEMORY || (int)code == CODE_TOO_LARGE))
		return SHIPOPT_ETOOLARGE;
	transfer->shortage = transfer_find_shortage(transfer, code);
	return transfer->shortage ? SHIPOPT_EIO : 0;
}

static const char *transfer_shortage_text(int error, char *text, size_t size)
{
	bool is_limit = error == EMFILE || error == ENFILE;
	snprintf(text, size, "no socket for the connection: %s; %s", strerror(error),
		is_limit ? "raise the limit of descriptors" : "the system is short of memory");
	return text;
}

static const char *transfer_reason(struct http_transfer *transfer, CURLcode code, char *text, size_t size)
{
	switch (transfer->failure) {
	case SHIPOPT_ECANCELED: return "canceled";
	case SHIPOPT_ETOOLARGE:
		snprintf(text, size, "the answer is larger than the limit of %zu bytes (headers: %zu, one of them: %d)",
			transfer->request->response.limit, TRANSFER_HEADER_BYTES_MAX, TRANSFER_HEADER_LINE_BYTES_MAX);
		return text;
	case SHIPOPT_ENOMEM: return "out of memory";
	case SHIPOPT_EIO:
		return transfer->shortage ? transfer_shortage_text(transfer->shortage, text, size)
					  : "the event loop cannot watch the connection";
	}
	if (transfer->is_repeat_refused || code == CURLE_SEND_FAIL_REWIND)
		return "the kept-alive connection was lost before an answer came";
	transfer_blank(transfer, transfer->error_text, strlen(transfer->error_text));
	return result_text(code, transfer->error_text);
}

/* ---- result ------------------------------------------------------------------------------------------------- */

static void transfer_count(struct http_transfer *transfer)
{
	struct http_statistics *statistics = &transfer->engine->statistics;
	long opened = 0, request_size = 0, header_size = 0;
	curl_off_t uploaded = 0, downloaded = 0;
	/* A number that libcurl does not give stays 0. */
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

void transfer_conclude(struct http_transfer *transfer, CURLcode code)
{
	struct http_request *request = transfer->request;
	char text[256];
	long http_status = 0;
	/* libcurl takes a connection that ends inside the headers for the end of an answer without a body. */
	if (code == CURLE_OK && !transfer->is_head_whole)
		code = CURLE_PARTIAL_FILE;
	if (!transfer->failure)
		transfer->failure = transfer_find_failure(transfer, code);
	transfer_count(transfer);
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &http_status);
	request->http_status = (int)http_status;
	request->sent = transfer->attempts > 0 ? HTTP_MAYBE_SENT : HTTP_NOT_SENT;
	request->duration_us = clock_now_us() - transfer->started_us;
	trace_end(transfer);
	request->retry_after_ms = -1;
	if (transfer->retry_after[0])
		(void)http_parse_retry_after(transfer->retry_after, clock_wall_ms(), &request->retry_after_ms);
	request->status = transfer->failure ? transfer->failure : result_status(code, transfer->attempts > 0);
	if (request->status == 0) {
		transfer_blank(transfer, request->response.data, request->response.length);
		/* Out of memory only loses the redirect in the error message. */
		if (transfer->location[0])
			request->location = mem_copy_text(transfer->location);
		return;
	}
	buffer_done(&request->response);
	result_describe(request, transfer_reason(transfer, code, text, sizeof(text)));
}
