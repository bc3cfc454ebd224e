/* SPDX-License-Identifier: MIT */
#include "answer.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"

void answer_init(struct answer *answer)
{
	*answer = (struct answer){.status = 200, .content_type = "application/json; charset=utf-8"};
	buffer_init(&answer->body, ANSWER_BODY_MAX);
	json_writer_init(&answer->json, &answer->body);
}

void answer_done(struct answer *answer)
{
	buffer_done(&answer->body);
}

static void restart(struct answer *answer, int status)
{
	buffer_clear(&answer->body);
	json_writer_init(&answer->json, &answer->body);
	answer->status = status;
	answer->content_type = "application/json; charset=utf-8";
	answer->location[0] = '\0';
}

static void write_field(struct json_writer *json, const struct answer_field *field)
{
	json_begin_object(json);
	if (field->code)
		json_member_text(json, "code", field->code);
	json_member_text(json, "field", field->field);
	json_member_text(json, "message", field->message);
	if (field->code)
		json_member_text(json, "suggestion", NULL);
	json_end_object(json);
}

void answer_error(struct answer *answer, int status, const char *code, const char *message,
	const struct answer_field *fields, size_t field_count)
{
	struct json_writer *json = &answer->json;
	restart(answer, status);
	json_begin_object(json);
	json_write_key(json, "error");
	json_begin_object(json);
	json_member_text(json, "code", code);
	json_member_text(json, "message", message);
	json_write_key(json, "errors");
	json_begin_array(json);
	for (size_t i = 0; i < field_count; i++)
		write_field(json, &fields[i]);
	json_end_array(json);
	json_end_object(json);
	json_end_object(json);
}

void answer_required(struct answer *answer, const char *field)
{
	struct answer_field blank = {NULL, field, "cannot be blank"};
	answer_error(answer, 422, "PARAMETER.REQUIRED", "Missing required parameter.", &blank, 1);
}

void answer_not_found(struct answer *answer)
{
	answer_error(answer, 404, "NOT_FOUND", "The requested resource could not be found.", NULL, 0);
}

static const struct {
	int status;
	const char *code, *message;
} statuses[] = {
	{400, "BAD_REQUEST", "The request was malformed."},
	{401, "UNAUTHORIZED", "Authentication required to access this resource."},
	{402, "PAYMENT_REQUIRED", "The account balance does not cover this purchase."},
	{403, "APIKEY.INACTIVE", "This api key is no longer active."},
	{404, "NOT_FOUND", "The requested resource could not be found."},
	{408, "REQUEST_TIMEOUT", "The request took too long to arrive."},
	{411, "LENGTH_REQUIRED", "Chunked requests are not supported."},
	{422, "UNPROCESSABLE_ENTITY", "The request was understood, but cannot be processed."},
	{429, "RATE_LIMITED", "You have made too many requests."},
	{500, "INTERNAL_SERVER_ERROR", "Something went wrong on our side."},
	{503, "SERVICE_UNAVAILABLE", "The service is overloaded."},
};

void answer_status(struct answer *answer, int status)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].status == status) {
			answer_error(answer, status, statuses[i].code, statuses[i].message, NULL, 0);
			return;
		}
	/* What a gateway says is not JSON. */
	restart(answer, status);
	answer->content_type = "text/html";
	buffer_append_format(&answer->body, "<html><head><title>%d</title></head><body><h1>%d</h1></body></html>\n",
		status, status);
}

/* A shipment has some sixty dates, nearly all of the same second. */
const char *answer_date_text(int64_t wall_ms)
{
	static _Thread_local char text[32];
	static _Thread_local int64_t text_second = INT64_MIN;
	time_t second = (time_t)(wall_ms / 1000);
	struct tm parts;
	if (second != text_second && gmtime_r(&second, &parts)) {
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
		text_second = second;
	}
	return text;
}

static void write_date(struct json_writer *json, const char *key, int64_t wall_ms, const char *zone)
{
	char text[48];
	snprintf(text, sizeof(text), "%s%s", answer_date_text(wall_ms), zone);
	json_member_text(json, key, text);
}

void answer_date(struct json_writer *json, const char *key, int64_t wall_ms)
{
	write_date(json, key, wall_ms, "Z");
}

void answer_date_offset(struct json_writer *json, const char *key, int64_t wall_ms)
{
	write_date(json, key, wall_ms, "+00:00");
}

void answer_money(struct json_writer *json, const char *key, int64_t millionths, int places)
{
	char text[DECIMAL_TEXT_SIZE];
	decimal_format(millionths, places, text);
	json_member_text(json, key, text);
}
