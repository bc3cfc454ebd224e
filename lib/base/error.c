/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/error_table.h"
#include "base/memory.h"
#include "base/reference.h"
#include "base/text.h"

#define ERROR_MESSAGE_LIMIT 4096
#define ERROR_TEXT_LIMIT (ERROR_MESSAGE_LIMIT + 512)

/* What the code of an error means in its domain. */
struct error_row {
	int domain, code;
	int is_retriable;
	const char *name, *description, *advice;
};

struct shipopt_error {
	struct error_row row;
	struct reference reference; /* unused in a static object */
	bool is_static;
	struct error_detail detail; /* owns every text in it */
	struct error_field *fields;
	const char *text; /* owned */
};

/* --- static objects --- */

/* clang-format off */
#define ERROR_OBJECT(domain_, code_, retriable_, description_, advice_) {                                     \
	.row = {SHIPOPT_DOMAIN_##domain_, SHIPOPT_##code_, ERROR_##retriable_, "SHIPOPT_" #code_, description_, advice_}, \
	.is_static = true,                                                                                     \
	.detail = {.domain = SHIPOPT_DOMAIN_##domain_, .code = SHIPOPT_##code_, .retry_after_ms = -1, .message = description_}, \
	.text = "SHIPOPT_" #code_ ": " description_ ". " advice_,                                              \
},
static const struct shipopt_error error_objects[] = {ERROR_TABLE(ERROR_OBJECT)};
static const struct shipopt_error error_already[] = {
	ERROR_OBJECT(GENERAL, ALREADY, FINAL, "done in an earlier run", "Nothing to do.")
};
/* clang-format on */

#define ERROR_COUNT_ROW(...) +1
enum { ERROR_GENERAL_COUNT = 0 ERROR_TABLE_GENERAL(ERROR_COUNT_ROW) };
_Static_assert(ERROR_GENERAL_COUNT == 1 - SHIPOPT_EINTERNAL, "a code is missing from ERROR_TABLE_GENERAL");

/* What is known about a code that the library does not know, such as one that the application gave. */
static const struct error_row error_unknown = {SHIPOPT_DOMAIN_GENERAL, SHIPOPT_EINTERNAL, ERROR_FINAL, "SHIPOPT_E?",
	"unknown error", "Report it as a bug in the library."};

static const struct shipopt_error *error_find(int domain, int code)
{
	if (code == SHIPOPT_ALREADY)
		return error_already;
	if (code > 0 || code < SHIPOPT_EINTERNAL)
		return NULL;
	for (size_t i = ERROR_GENERAL_COUNT; domain != SHIPOPT_DOMAIN_GENERAL && i < ARRAY_SIZE(error_objects); i++)
		if (error_objects[i].row.domain == domain && error_objects[i].row.code == code)
			return &error_objects[i];
	return &error_objects[-code]; /* the general rows are in the order of the codes, as the unit test checks */
}

static const struct error_row *error_row_of(int domain, int code)
{
	const struct shipopt_error *error = error_find(domain, code);
	return error ? &error->row : &error_unknown;
}

shipopt_error *error_of(int domain, int code)
{
	const struct shipopt_error *error = error_find(domain, code);
	return (shipopt_error *)(error ? error : error_find(domain, SHIPOPT_EINTERNAL));
}

const char *shipopt_error_name(int code)
{
	return error_row_of(SHIPOPT_DOMAIN_GENERAL, code)->name;
}

const char *shipopt_error_description(int code)
{
	return error_row_of(SHIPOPT_DOMAIN_GENERAL, code)->description;
}

/* --- making --- */

/* Messages quote what others wrote and are cut to their bounds; the ledger and the sinks take nothing but UTF-8. */
static char *error_owned(const char *text, bool *ok)
{
	char *copy = mem_copy_text(text);
	*ok = *ok && (copy || !text);
	if (copy)
		text_make_utf8(copy, strlen(copy));
	return copy;
}

static void error_make_one_line(char *text)
{
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = ' ';
}

/* "NAME: message. Advice": the period only where the message has none. */
static const char *error_new_text(const struct error_row *row, const char *message)
{
	const char *begin = message ? message : row->description;
	size_t length = strlen(begin);
	text_trim(&begin, &length);
	struct buffer buffer;
	buffer_init(&buffer, ERROR_TEXT_LIMIT);
	bool is_sentence = length > 0 && strchr(".!?", begin[length - 1]);
	int r = buffer_append_format(&buffer, "%s: %.*s%s %s", row->name, (int)MIN(length, (size_t)ERROR_MESSAGE_LIMIT),
		begin, is_sentence ? "" : ".", row->advice);
	char *text = r == 0 ? buffer_take(&buffer) : NULL;
	buffer_done(&buffer);
	if (text) {
		text_make_utf8(text, strlen(text));
		error_make_one_line(text);
	}
	return text;
}

static bool error_copy_fields(shipopt_error *error, const struct error_detail *detail)
{
	bool ok = true;
	size_t count = MIN(detail->field_count, (size_t)ERROR_FIELDS_MAX);
	if (count == 0)
		return true;
	error->fields = mem_alloc_array(count, sizeof(*error->fields));
	if (!error->fields)
		return false;
	error->detail.fields = error->fields;
	error->detail.field_count = count;
	for (size_t i = 0; i < count; i++) {
		error->fields[i].name = error_owned(detail->fields[i].name, &ok);
		error->fields[i].message = error_owned(detail->fields[i].message, &ok);
		error->fields[i].suggestion = error_owned(detail->fields[i].suggestion, &ok);
		error->fields[i].carrier_code = error_owned(detail->fields[i].carrier_code, &ok);
		error->fields[i].code = detail->fields[i].code ? detail->fields[i].code : detail->code;
	}
	return ok;
}

static void error_free(shipopt_error *error)
{
	for (size_t i = 0; i < error->detail.field_count; i++) {
		mem_free((void *)error->fields[i].name);
		mem_free((void *)error->fields[i].message);
		mem_free((void *)error->fields[i].suggestion);
		mem_free((void *)error->fields[i].carrier_code);
	}
	mem_free(error->fields);
	mem_free((void *)error->detail.message);
	mem_free((void *)error->detail.carrier_code);
	mem_free((void *)error->detail.request_id);
	mem_free((void *)error->detail.sqlstate);
	mem_free((void *)error->text);
	mem_free(error);
}

/* NULL when out of memory. */
static shipopt_error *error_try_new(const struct error_detail *detail)
{
	shipopt_error *error = mem_alloc_zero(sizeof(*error));
	if (!error)
		return NULL;
	bool ok = true;
	reference_init(&error->reference);
	error->row = *error_row_of(detail->domain, detail->code);
	if (detail->advice)
		error->row.advice = error->detail.advice = detail->advice;
	error->detail.code = detail->code;
	error->detail.domain = detail->domain;
	error->detail.http_status = detail->http_status;
	error->detail.retry_after_ms = detail->retry_after_ms;
	error->detail.message = error_owned(detail->message, &ok);
	error->detail.carrier_code = error_owned(detail->carrier_code, &ok);
	error->detail.request_id = error_owned(detail->request_id, &ok);
	error->detail.sqlstate = error_owned(detail->sqlstate, &ok);
	error->text = error_new_text(&error->row, error->detail.message);
	if (!error_copy_fields(error, detail) || !ok || !error->text) {
		error_free(error);
		return NULL;
	}
	return error;
}

shipopt_error *error_new_detail(const struct error_detail *detail)
{
	shipopt_error *error = error_try_new(detail);
	return error ? error : error_of(detail->domain, detail->code);
}

void error_get_detail(const shipopt_error *error, struct error_detail *ret_detail)
{
	*ret_detail = error ? error->detail : (struct error_detail){.retry_after_ms = -1};
}

shipopt_error *error_new_in(int domain, int code, const char *message)
{
	return error_new_detail(
		&(struct error_detail){.domain = domain, .code = code, .message = message, .retry_after_ms = -1});
}

/* `error` with other content. Consumes it; returns it unchanged when out of memory. */
static shipopt_error *error_replace(shipopt_error *error, const struct error_detail *detail)
{
	shipopt_error *replaced = error_try_new(detail);
	if (!replaced)
		return error;
	shipopt_error_unref(error);
	return replaced;
}

shipopt_error *error_prefix(shipopt_error *error, const char *prefix)
{
	if (!error)
		return NULL;
	struct buffer text;
	buffer_init(&text, ERROR_MESSAGE_LIMIT);
	struct error_detail detail = error->detail;
	if (buffer_append_format(&text, "%s: %s", prefix, detail.message ? detail.message : "") == 0) {
		detail.message = buffer_text(&text);
		error = error_replace(error, &detail);
	}
	buffer_done(&text);
	return error;
}

shipopt_error *error_move(shipopt_error *error, int domain)
{
	if (!error || error->detail.domain == domain)
		return error;
	struct error_detail detail = error->detail;
	detail.domain = domain;
	detail.advice = NULL; /* it is for the callers of the other domain */
	return error_replace(error, &detail);
}

shipopt_error *error_advise(shipopt_error *error, const char *advice)
{
	if (!error || !advice)
		return error;
	struct error_detail detail = error->detail;
	detail.advice = advice;
	return error_replace(error, &detail);
}

int error_set_detail(shipopt_error **ret_error, const struct error_detail *detail)
{
	if (ret_error)
		*ret_error = error_new_detail(detail);
	return detail->code;
}

int error_set_in(shipopt_error **ret_error, int domain, int code, const char *format, ...)
{
	if (!ret_error)
		return code;
	char message[ERROR_MESSAGE_LIMIT];
	va_list list;
	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	*ret_error = error_new_in(domain, code, message);
	return code;
}

shipopt_error *shipopt_error_ref(const shipopt_error *error)
{
	shipopt_error *shared = (shipopt_error *)error; /* only the count changes */
	if (shared && !shared->is_static)
		reference_take(&shared->reference);
	return shared;
}

void shipopt_error_unref(shipopt_error *error)
{
	if (error && !error->is_static && reference_drop(&error->reference))
		error_free(error);
}

/* --- reading --- */

int shipopt_error_domain(const shipopt_error *error)
{
	return error ? error->detail.domain : SHIPOPT_DOMAIN_GENERAL;
}

const char *shipopt_error_advice(const shipopt_error *error)
{
	return error ? error->row.advice : error_objects[0].row.advice;
}

int shipopt_error_is_retriable(const shipopt_error *error)
{
	return error ? error->row.is_retriable : 0;
}

const char *shipopt_error_text(const shipopt_error *error)
{
	return error ? error->text : "no error";
}

int shipopt_error_code(const shipopt_error *error)
{
	return error ? error->detail.code : 0;
}

const char *shipopt_error_message(const shipopt_error *error)
{
	return error ? error->detail.message : NULL;
}

int shipopt_error_http_status(const shipopt_error *error)
{
	return error ? error->detail.http_status : 0;
}

const char *shipopt_error_carrier_code(const shipopt_error *error)
{
	return error ? error->detail.carrier_code : NULL;
}

const char *shipopt_error_request_id(const shipopt_error *error)
{
	return error ? error->detail.request_id : NULL;
}

int64_t shipopt_error_retry_after_ms(const shipopt_error *error)
{
	return error ? error->detail.retry_after_ms : -1;
}

const char *shipopt_error_sqlstate(const shipopt_error *error)
{
	return error ? error->detail.sqlstate : NULL;
}

size_t shipopt_error_field_count(const shipopt_error *error)
{
	return error ? error->detail.field_count : 0;
}

static const struct error_field *error_field_at(const shipopt_error *error, size_t index)
{
	return error && index < error->detail.field_count ? &error->detail.fields[index] : NULL;
}

const char *shipopt_error_field_name(const shipopt_error *error, size_t index)
{
	const struct error_field *field = error_field_at(error, index);
	return field ? field->name : NULL;
}

const char *shipopt_error_field_message(const shipopt_error *error, size_t index)
{
	const struct error_field *field = error_field_at(error, index);
	return field ? field->message : NULL;
}

const char *shipopt_error_field_suggestion(const shipopt_error *error, size_t index)
{
	const struct error_field *field = error_field_at(error, index);
	return field ? field->suggestion : NULL;
}

int shipopt_error_field_code(const shipopt_error *error, size_t index)
{
	const struct error_field *field = error_field_at(error, index);
	return field ? field->code : 0;
}

const char *shipopt_error_field_carrier_code(const shipopt_error *error, size_t index)
{
	const struct error_field *field = error_field_at(error, index);
	return field ? field->carrier_code : NULL;
}
