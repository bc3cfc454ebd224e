/* SPDX-License-Identifier: MIT */
#include "carrier/answer.h"

#include <string.h>

#define MESSAGE_BYTES_MAX 2048
#define EXCERPT_BYTES_MAX 200
#define FLATTEN_DEPTH_MAX 8

int answer_status(int http_status)
{
	switch (http_status) {
	case 401:
	case 403:
		return SHIPOPT_EAUTH;
	case 402:
		return SHIPOPT_EPAYMENT;
	case 404:
		return SHIPOPT_ENOTFOUND;
	case 408:
		return SHIPOPT_ETIMEDOUT;
	case 429:
		return SHIPOPT_ERATELIMIT;
	default:
		return http_status >= 500 ? SHIPOPT_ESERVER : http_status >= 400 ? SHIPOPT_EREFUSED : SHIPOPT_EPROTOCOL;
	}
}

static void append_joined(struct buffer *text, const char *bytes, size_t length)
{
	/* A message too long is cut, which loses nothing that the fields do not have. */
	if (text->length && buffer_append_text(text, ", ") < 0)
		return;
	buffer_append(text, bytes, MIN(length, text->limit - text->length));
}

static void flatten(struct json_value value, struct buffer *text, unsigned depth)
{
	struct json_iterator it;
	const char *bytes;
	size_t length;
	if (depth > FLATTEN_DEPTH_MAX)
		return;
	switch (json_type(value)) {
	case JSON_STRING:
		if (json_text(value, &bytes, &length))
			append_joined(text, bytes, length);
		return;
	case JSON_ARRAY:
		for (json_items(value, &it); json_next(&it);)
			flatten(it.value, text, depth + 1);
		return;
	case JSON_OBJECT:
		for (json_members(value, &it); json_next(&it);)
			flatten(it.value, text, depth + 1);
		return;
	case JSON_NULL:
		return;
	default:
		if (json_source(value, &bytes, &length))
			append_joined(text, bytes, length);
	}
}

static struct error_field field_of(struct json_value item, struct buffer *message)
{
	struct error_field field = {NULL, NULL, NULL};
	struct json_value member;
	if (json_type(item) == JSON_OBJECT) {
		field.name = json_get_text(item, "field");
		field.suggestion = json_get_text(item, "suggestion");
		if (!field.name)
			field.name = json_get_text(item, "code");
		if (json_get(item, "message", &member))
			flatten(member, message, 0);
	} else {
		flatten(item, message, 0);
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

static void parse_fields(struct json_value errors, struct parsed_error *parsed)
{
	struct json_iterator it;
	for (json_items(errors, &it); parsed->field_count < ERROR_FIELDS_MAX && json_next(&it);) {
		struct buffer *message = &parsed->field_messages[parsed->field_count];
		buffer_init(message, MESSAGE_BYTES_MAX);
		parsed->fields[parsed->field_count++] = field_of(it.value, message);
	}
}

static void parse_error(struct json_value root, struct parsed_error *parsed)
{
	struct json_value error, member;
	if (!json_get(root, "error", &error))
		error = root;
	if (json_type(error) != JSON_OBJECT) {
		flatten(error, &parsed->message, 0);
		return;
	}
	parsed->code = json_get_text(error, "code");
	if (json_get(error, "message", &member))
		flatten(member, &parsed->message, 0);
	if (json_get(error, "errors", &member))
		parse_fields(member, parsed);
}

/* A body that is no JSON is quoted in part, as far as it is text: usually a proxy's page. */
static void append_excerpt(struct buffer *message, const struct buffer *body)
{
	size_t length = 0;
	while (length < body->length && length < EXCERPT_BYTES_MAX && (unsigned char)body->data[length] >= 0x20 &&
		(unsigned char)body->data[length] < 0x7f)
		length++;
	if (length)
		buffer_append_format(message, "no JSON in the answer, which begins \"%.*s\"", (int)length, body->data);
}

static void set_http_error(const struct http_request *request, const struct json_value *root, const char *what,
	int status, struct parsed_error *parsed, shipopt_error **ret_error)
{
	struct buffer text;
	if (root)
		parse_error(*root, parsed);
	else
		append_excerpt(&parsed->message, &request->response);
	buffer_init(&text, 2 * MESSAGE_BYTES_MAX);
	buffer_append_format(&text, "%s: HTTP %d%s%s%s%s", what, request->http_status, parsed->code ? " " : "",
		parsed->code ? parsed->code : "", parsed->message.length ? ": " : "", buffer_text(&parsed->message));
	struct error_detail detail = {.code = status, .http_status = request->http_status,
		.retry_after_ms = request->retry_after_ms, .message = buffer_text(&text), .carrier_code = parsed->code,
		.request_id = request->request_id[0] ? request->request_id : NULL, .fields = parsed->fields,
		.field_count = parsed->field_count};
	error_set_detail(ret_error, &detail);
	buffer_done(&text);
}

int answer_error(const struct http_request *request, const struct json_value *root, const char *what, int status,
	shipopt_error **ret_error)
{
	if (request->status < 0)
		/* The engine's text names method and URL itself. */
		return error_set(ret_error, status, "%s%s%s", request->error ? "" : what, request->error ? "" : ": ",
			request->error ? shipopt_error_message(request->error) : shipopt_strerror(request->status));
	struct parsed_error parsed = {0};
	buffer_init(&parsed.message, MESSAGE_BYTES_MAX);
	set_http_error(request, root, what, status, &parsed, ret_error);
	for (size_t i = 0; i < parsed.field_count; i++)
		buffer_done(&parsed.field_messages[i]);
	buffer_done(&parsed.message);
	return status;
}
