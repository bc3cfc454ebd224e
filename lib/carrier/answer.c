/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include "carrier/answer.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "record/time.h"

#define MESSAGE_BYTES_MAX 2048
#define DETAIL_BYTES_MAX 1024
#define EXCERPT_BYTES_MAX 200
#define URL_SHOWN_MAX 256
#define FLATTEN_DEPTH_MAX 8

static void answer_append_joined(struct buffer *text, const char *bytes, size_t length)
{
	/* A message that is too long is cut; the fields still have its parts. */
	if (text->length && buffer_append_text(text, ", ") < 0)
		return;
	buffer_append(text, bytes, MIN(length, text->limit - text->length));
}

static void answer_flatten(struct json_value value, struct buffer *text, unsigned depth)
{
	struct json_iterator it;
	const char *bytes;
	size_t length;
	if (depth > FLATTEN_DEPTH_MAX)
		return;
	switch (json_type(value)) {
	case JSON_STRING:
		if (json_text(value, &bytes, &length))
			answer_append_joined(text, bytes, length);
		return;
	case JSON_ARRAY:
		for (json_items(value, &it); json_next(&it);)
			answer_flatten(it.value, text, depth + 1);
		return;
	case JSON_OBJECT:
		for (json_members(value, &it); json_next(&it);)
			answer_flatten(it.value, text, depth + 1);
		return;
	case JSON_NULL: return;
	default:
		if (json_source(value, &bytes, &length))
			answer_append_joined(text, bytes, length);
	}
}

static struct error_field answer_read_field(struct json_value item, struct buffer *message)
{
	struct error_field field = {.name = NULL};
	struct json_value member;
	if (json_type(item) == JSON_OBJECT) {
		field.name = json_get_text(item, "field");
		field.suggestion = json_get_text(item, "suggestion");
		field.carrier_code = json_get_text(item, "code");
		if (!field.name)
			field.name = field.carrier_code;
		if (json_get(item, "message", &member))
			answer_flatten(member, message, 0);
	} else {
		answer_flatten(item, message, 0);
	}
	field.message = message->length ? buffer_text(message) : NULL;
	return field;
}

struct parsed_error {
	const char *code;
	struct buffer message;
	struct error_field fields[ERROR_FIELDS_MAX];
	struct buffer field_messages[ERROR_FIELDS_MAX];
	size_t field_count;
};

static void answer_parse_fields(struct json_value errors, struct parsed_error *parsed)
{
	struct json_iterator it;
	for (json_items(errors, &it); parsed->field_count < ERROR_FIELDS_MAX && json_next(&it);) {
		struct buffer *message = &parsed->field_messages[parsed->field_count];
		buffer_init(message, MESSAGE_BYTES_MAX);
		parsed->fields[parsed->field_count++] = answer_read_field(it.value, message);
	}
}

static void answer_parse(struct json_value root, struct parsed_error *parsed)
{
	struct json_value error, member;
	if (!json_get(root, "error", &error))
		error = root;
	if (json_type(error) != JSON_OBJECT) {
		answer_flatten(error, &parsed->message, 0);
	} else {
		parsed->code = json_get_text(error, "code");
		if (json_get(error, "message", &member))
			answer_flatten(member, &parsed->message, 0);
		if (json_get(error, "errors", &member))
			answer_parse_fields(member, parsed);
	}
	if (parsed->field_count == 0 && json_get(root, "errors", &member))
		answer_parse_fields(member, parsed);
}

const char *answer_envelope_code(struct json_value root)
{
	struct json_value error;
	return json_get(root, "error", &error) ? json_get_text(error, "code") : NULL;
}

/* ---- a body that is not understood --------------------------------------------------------------------------- */

/* Without a leading byte order mark and white space at the ends. */
static const char *answer_body_begin(const struct buffer *body, size_t *ret_length)
{
	const char *begin = buffer_text(body);
	size_t length = body->length;
	if (text_has_prefix(begin, "\xef\xbb\xbf")) {
		begin += 3;
		length -= 3;
	}
	text_trim(&begin, &length);
	*ret_length = length;
	return begin;
}

enum blame_body answer_body(const struct buffer *body, const struct json_value *root)
{
	size_t length;
	const char *begin = answer_body_begin(body, &length);
	if (root)
		return answer_envelope_code(*root) ? BLAME_BODY_ENVELOPE : BLAME_BODY_JSON;
	if (length == 0)
		return BLAME_BODY_NONE;
	return begin[0] == '<' ? BLAME_BODY_HTML : BLAME_BODY_BYTES;
}

/* Usually a page of a proxy or portal. The error object replaces what is not UTF-8. */
static void answer_append_excerpt(struct buffer *message, const struct http_request *request, bool is_json,
	bool is_success)
{
	char excerpt[EXCERPT_BYTES_MAX];
	size_t length;
	const char *begin = answer_body_begin(&request->response, &length);
	if (length == 0) {
		buffer_append_text(message, is_success ? "the answer is empty" : "");
		return;
	}
	length = MIN(length, sizeof(excerpt));
	for (size_t i = 0; i < length; i++)
		excerpt[i] = (unsigned char)begin[i] < 0x20 || begin[i] == 0x7f ? ' ' : begin[i];
	if (is_json && is_success)
		buffer_append_format(message, "the answer is not what was asked for (%zu bytes)",
			request->response.length);
	else
		buffer_append_text(message, is_json ? "the answer" : "the answer is not JSON");
	buffer_append_format(message, "%s begins \"%.*s\"", is_json && !is_success ? "" : ", it", (int)length, excerpt);
}

/* ---- the text ------------------------------------------------------------------------------------------------ */

/* "zip: bad, street1: House number is missing", in parentheses after the message, if there is one. */
static void answer_append_fields(struct buffer *text, const struct parsed_error *parsed)
{
	struct buffer details;
	buffer_init(&details, DETAIL_BYTES_MAX);
	for (size_t i = 0; i < parsed->field_count; i++) {
		const struct error_field *field = &parsed->fields[i];
		if (!field->message || strstr(buffer_text(&parsed->message), field->message))
			continue;
		if (buffer_append_format(&details, "%s%s%s%s", details.length ? ", " : "",
			    field->name ? field->name : "", field->name ? ": " : "", field->message) < 0)
			break;
	}
	if (details.length && parsed->message.length)
		buffer_append_format(text, " (%s)", buffer_text(&details));
	else if (details.length)
		buffer_append_format(text, ": %s", buffer_text(&details));
	buffer_done(&details);
}

static void answer_append_retry_after(struct buffer *text, int64_t retry_after_ms)
{
	char until[TIME_TEXT_SIZE];
	if (retry_after_ms <= 0)
		return;
	time_format(clock_wall_ms() + retry_after_ms, until);
	until[10] = ' '; /* "2026-12-01T18:00:00Z" */
	until[19] = '\0';
	buffer_append_format(text, "; the carrier asks to wait until %s UTC (%lld s)", until,
		(long long)((retry_after_ms + 999) / 1000));
}

static void answer_append_hint(struct buffer *text, const struct http_request *request, enum blame blame)
{
	if (blame != BLAME_CONFIGURATION)
		return;
	if (text->length && text->data[text->length - 1] == '.') /* the carrier's own full stop */
		text->data[--text->length] = '\0';
	if (request->location)
		buffer_append_format(text, "; it redirects to \"%s\", which is not followed", request->location);
	if (request->http_status == 407) {
		buffer_append_text(text, "; a proxy on the way asks for a password: check the setting proxy");
		return;
	}
	const char *url = request->url ? request->url : "";
	int shown = (int)MIN(strcspn(url, "?#"), (size_t)URL_SHOWN_MAX);
	buffer_append_format(text,
		"; is the base URL right? %.*s%sit must contain the version, as in https://api.easypost.com/v2", shown,
		url, shown ? " was asked; " : "");
}

static void answer_set_http_error(const struct http_request *request, const struct json_value *root, const char *what,
	int status, enum blame blame, struct parsed_error *parsed, shipopt_error **ret_error)
{
	struct buffer text;
	bool is_success = request->http_status >= 200 && request->http_status < 300;
	if (root && !is_success)
		answer_parse(*root, parsed);
	if (!parsed->code && !parsed->message.length && !parsed->field_count)
		answer_append_excerpt(&parsed->message, request, root != NULL, is_success);
	buffer_init(&text, 4 * MESSAGE_BYTES_MAX);
	buffer_append_format(&text, "%s: HTTP %d%s%s%s%s", what, request->http_status, parsed->code ? " " : "",
		parsed->code ? parsed->code : "", parsed->message.length ? ": " : "", buffer_text(&parsed->message));
	answer_append_fields(&text, parsed);
	answer_append_hint(&text, request, blame);
	answer_append_retry_after(&text, request->retry_after_ms);
	struct error_detail detail = {.code = status,
		.domain = SHIPOPT_DOMAIN_CARRIER,
		.http_status = request->http_status,
		.retry_after_ms = request->retry_after_ms,
		.message = buffer_text(&text),
		.carrier_code = parsed->code,
		.request_id = request->request_id[0] ? request->request_id : NULL,
		.fields = parsed->fields,
		.field_count = parsed->field_count};
	error_set_detail(ret_error, &detail);
	buffer_done(&text);
}

int answer_error(const struct http_request *request, const struct json_value *root, const char *what, int status,
	enum blame blame, shipopt_error **ret_error)
{
	if (request->status < 0)
		/* The engine's message names method and URL already. */
		return error_set(ret_error, status, "%s%s%s", request->error ? "" : what, request->error ? "" : ": ",
			request->error ? shipopt_error_message(request->error)
				       : shipopt_error_description(request->status));
	struct parsed_error parsed = {0};
	buffer_init(&parsed.message, MESSAGE_BYTES_MAX);
	answer_set_http_error(request, root, what, status, blame, &parsed, ret_error);
	for (size_t i = 0; i < parsed.field_count; i++)
		buffer_done(&parsed.field_messages[i]);
	buffer_done(&parsed.message);
	return status;
}
