/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_ANSWER_H
#define SANDBOX_ANSWER_H

#include "base/buffer.h"
#include "json/json.h"

/*
 * One answer of the API, built whole before its first byte is sent.
 *
 * Handlers write the body with `json`, or fill `body` directly. An answer belongs to its exchange. `answer_error`
 * throws away what was written and makes the API's error object; fields are pairs of name and message.
 */
struct answer {
	int status;
	struct buffer body;
	struct json_writer json;
	const char *content_type; /* static */
	char location[96];        /* "" for none */
	char retry_after[40];     /* "" for none */
};

struct answer_field {
	const char *code, *field, *message; /* code NULL: the pair {field, message}; else the address form */
};

#define ANSWER_BODY_MAX ((size_t)256 << 20)

void answer_init(struct answer *answer);
void answer_done(struct answer *answer);
void answer_error(struct answer *answer, int status, const char *code, const char *message,
	const struct answer_field *fields, size_t field_count);
/* 422 PARAMETER.REQUIRED for one field, as recorded. */
void answer_required(struct answer *answer, const char *field);
void answer_not_found(struct answer *answer);
/* The body of a plain status, as an API or a gateway in front of it would send. */
void answer_status(struct answer *answer, int status);

/* Members in the API's date forms: 2025-11-07T18:00:55Z, and with +00:00 for addresses. */
void answer_date(struct json_writer *json, const char *key, int64_t wall_ms);
void answer_date_offset(struct json_writer *json, const char *key, int64_t wall_ms);
/* 2025-11-07T18:00:55, without a zone; good until the thread's next call. */
const char *answer_date_text(int64_t wall_ms);
void answer_money(struct json_writer *json, const char *key, int64_t millionths, int places); /* as text */

#endif
