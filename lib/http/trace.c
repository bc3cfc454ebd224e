/* SPDX-License-Identifier: MIT */
#include "http/trace.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "http/transfer_steps.h"

static void trace_write(const struct http_transfer *transfer, char direction, const char *text, const char *more)
{
	const struct http_engine *engine = transfer->engine;
	char line[TRACE_LINE_BYTES_MAX + 64];
	snprintf(line, sizeof(line), "%llu %c %.*s%s", (unsigned long long)transfer->number, direction,
		TRACE_LINE_BYTES_MAX, text, more);
	engine->trace(engine->trace_userdata, line);
}

static bool trace_is_secret_name(const char *name, size_t length)
{
	static const char *const parts[] = {"auth", "cookie", "key", "token", "secret"};
	for (size_t i = 0; i < length; i++)
		for (size_t j = 0; j < ARRAY_SIZE(parts); j++) {
			size_t k = 0;
			while (parts[j][k] && i + k < length && (name[i + k] | 0x20) == parts[j][k])
				k++;
			if (!parts[j][k])
				return true;
		}
	return false;
}

/* One header line. The whole line is copied, so that a credential is found also where the line will be cut. */
static void trace_line(struct http_transfer *transfer, char direction, const char *bytes, size_t length)
{
	bool is_continued = length > 0 && (bytes[0] == ' ' || bytes[0] == '\t'); /* maybe of a secret header */
	text_trim(&bytes, &length);
	if (length == 0 || is_continued || transfer->trace_lines++ >= TRACE_LINES_MAX)
		return;
	char *line = mem_copy_bytes(bytes, length);
	if (!line)
		return;
	char *colon = memchr(line, ':', length);
	bool is_secret = colon && trace_is_secret_name(line, (size_t)(colon - line));
	if (is_secret)
		*colon = '\0';
	transfer_blank(transfer, line, strlen(line));
	trace_write(transfer, direction, line, is_secret ? ": ***" : "");
	mem_free_secret(line);
}

static int trace_on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *userdata)
{
	struct http_transfer *transfer = userdata;
	char direction = type == CURLINFO_HEADER_OUT ? '>' : '<';
	if ((type != CURLINFO_HEADER_OUT && type != CURLINFO_HEADER_IN) || !transfer->request)
		return 0;
	for (const char *end = data + size; data < end;) {
		char *line_end = memchr(data, '\n', (size_t)(end - data));
		size_t length = (size_t)((line_end ? line_end + 1 : end) - data);
		if (data[0] == '\r' || data[0] == '\n') /* the end of the head; a body could follow */
			break;
		trace_line(transfer, direction, data, length);
		data += length;
	}
	return 0;
}

bool trace_set(struct http_transfer *transfer)
{
	CURL *easy = transfer->easy;
	bool ok = true;
	TRANSFER_SET(CURLOPT_DEBUGFUNCTION, trace_on_debug);
	TRANSFER_SET(CURLOPT_DEBUGDATA, transfer);
	TRANSFER_SET(CURLOPT_VERBOSE, 1L);
	return ok;
}

void trace_end(const struct http_transfer *transfer)
{
	const struct http_request *request = transfer->request;
	char text[160];
	if (!transfer->engine->trace)
		return;
	snprintf(text, sizeof(text), "request body %zu bytes, answer body %zu bytes, %lld ms", request->body_length,
		request->response.length, (long long)(request->duration_us / 1000));
	trace_write(transfer, '=', text, "");
}
