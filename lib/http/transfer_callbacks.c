/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/text.h"
#include "http/transfer_steps.h"

/* There is no seek callback, so that libcurl cannot send the body a second time. */
static size_t transfer_on_read(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_transfer *transfer = userdata;
	const struct http_request *request = transfer->request;
	size_t length = MIN(size * count, request->body_length - transfer->body_offset);
	memcpy(bytes, request->body + transfer->body_offset, length);
	transfer->body_offset += length;
	return length;
}

static size_t transfer_on_write(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_transfer *transfer = userdata;
	size_t length = size * count;
	int r = buffer_append(&transfer->request->response, bytes, length);
	if (r == 0)
		return length;
	transfer->failure = r;
	return length > 0 ? 0 : 1; /* any other number than the length is a failure */
}

/* ---- headers ------------------------------------------------------------------------------------------------ */

/* "name: value" with optional white space around the value, copied if it fits. */
static void transfer_take_header(struct http_transfer *transfer, const char *line, size_t length, const char *name,
	char *ret_value, size_t size)
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

/* "HTTP/1.1 200 OK". libcurl counts the bytes of the body that it has written to the connection; it writes the head
 * before. */
static void transfer_note_status_line(struct http_transfer *transfer, const char *line, size_t length)
{
	const char *code = memchr(line, ' ', length);
	bool is_interim = code && code + 1 < line + length && code[1] == '1';
	curl_off_t written = 0;
	if (is_interim)
		return;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &written);
	transfer->request->was_handed_over = (uint64_t)written == transfer->request->body_length;
	/* The true answer may still come and must not meet the next request. Setting a number cannot fail, also from a
	 * callback. */
	if (!transfer->request->was_handed_over)
		(void)curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
}

static size_t transfer_on_header(char *bytes, size_t size, size_t count, void *userdata)
{
	struct http_transfer *transfer = userdata;
	size_t length = size * count;
	transfer->header_bytes += length;
	if (transfer->header_bytes > TRANSFER_HEADER_BYTES_MAX) {
		transfer->failure = SHIPOPT_ETOOLARGE;
		return 0;
	}
	if (length >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
		/* After an interim answer (100, 103) comes another block; only the last one counts. */
		transfer->retry_after[0] = transfer->location[0] = '\0';
		transfer->request->request_id[0] = '\0';
		transfer->is_head_whole = false;
		transfer_note_status_line(transfer, bytes, length);
	}
	if (length > 0 && (bytes[0] == '\r' || bytes[0] == '\n'))
		transfer->is_head_whole = true;
	transfer_take_header(transfer, bytes, length, "retry-after", transfer->retry_after,
		sizeof(transfer->retry_after));
	transfer_take_header(transfer, bytes, length, "location", transfer->location, sizeof(transfer->location));
	transfer_take_header(transfer, bytes, length, "x-ep-request-uuid", transfer->request->request_id,
		HTTP_REQUEST_ID_SIZE);
	return length;
}

/* ---- connections -------------------------------------------------------------------------------------------- */

/* The connection's TLS, if libcurl uses the OpenSSL that we are linked with. */
static const SSL *transfer_tls(const struct http_transfer *transfer)
{
	struct curl_tlssessioninfo *info = NULL;
	if (!transfer->engine->bundle.is_shared ||
		curl_easy_getinfo(transfer->easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK)
		return NULL;
	return info->internals;
}

static bool transfer_is_clean(struct http_transfer *transfer, const struct tcp_name *name)
{
	struct tcp_table *connections = &transfer->engine->connections;
	long opened = 0;
	(void)curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &opened);
	if (!transfer->is_fresh && opened == 0)
		return tcp_is_silent(connections, name, transfer_tls(transfer));
	tcp_remember(connections, &transfer->opened, name);
	return true;
}

static int transfer_on_prerequisite(void *userdata, char *peer, char *local, int peer_port, int local_port)
{
	struct http_transfer *transfer = userdata;
	struct tcp_name name = {.local = local, .peer = peer, .local_port = local_port, .peer_port = peer_port};
	if (transfer->attempts > 0 && transfer->request->send_once) {
		transfer->is_repeat_refused = true;
		return CURL_PREREQFUNC_ABORT;
	}
	if (!transfer_is_clean(transfer, &name)) {
		transfer->is_unclean = true;
		transfer->engine->statistics.connections_unclean++;
		return CURL_PREREQFUNC_ABORT; /* which closes the connection */
	}
	transfer->attempts++;
	return CURL_PREREQFUNC_OK;
}

static curl_socket_t transfer_on_open(void *userdata, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_transfer *transfer = userdata;
	int fd = tcp_open(&transfer->opened, address);
	if (fd >= 0)
		return fd;
	if (tcp_is_shortage(
		    -fd)) /* otherwise the system has no such address family, and libcurl tries the next address */
		transfer->shortage = -fd;
	return CURL_SOCKET_BAD;
}

static int transfer_on_close(void *userdata, curl_socket_t fd)
{
	struct http_engine *engine = userdata; /* connections outlive transfers */
	tcp_close(&engine->connections, fd);
	return 0;
}

bool transfer_set_callbacks(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	bool ok = true;
	TRANSFER_SET(CURLOPT_PRIVATE, (char *)transfer);
	TRANSFER_SET(CURLOPT_ERRORBUFFER, transfer->error_text);
	TRANSFER_SET(CURLOPT_READFUNCTION, transfer_on_read);
	TRANSFER_SET(CURLOPT_READDATA, transfer);
	TRANSFER_SET(CURLOPT_WRITEFUNCTION, transfer_on_write);
	TRANSFER_SET(CURLOPT_WRITEDATA, transfer);
	TRANSFER_SET(CURLOPT_HEADERFUNCTION, transfer_on_header);
	TRANSFER_SET(CURLOPT_HEADERDATA, transfer);
	TRANSFER_SET(CURLOPT_PREREQFUNCTION, transfer_on_prerequisite);
	TRANSFER_SET(CURLOPT_PREREQDATA, transfer);
	TRANSFER_SET(CURLOPT_OPENSOCKETFUNCTION, transfer_on_open);
	TRANSFER_SET(CURLOPT_OPENSOCKETDATA, transfer);
	TRANSFER_SET(CURLOPT_CLOSESOCKETFUNCTION, transfer_on_close);
	TRANSFER_SET(CURLOPT_CLOSESOCKETDATA, transfer->engine);
	return ok;
}
