/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/reference.h"
#include "base/text.h"

#define ERROR_MESSAGE_LIMIT 4096

enum { FINAL = 0, RETRY = 1 };

/* code, may a retry help, what it means, what to do */
#define ERROR_TABLE(XX)                                                                                           \
	XX(OK, FINAL, "success", "Nothing to do.")                                                                \
	XX(EINVAL, FINAL, "invalid argument", "Correct the argument that the message names.")                     \
	XX(ENOMEM, RETRY, "out of memory", "Free memory or lower the configured bounds, then repeat.")            \
	XX(EAGAIN, RETRY, "a bounded queue is full", "Repeat after a completion was taken.")                      \
	XX(ECANCELED, FINAL, "canceled", "Nothing was sent; submit again if it is still wanted.")                 \
	XX(ETIMEDOUT, RETRY, "deadline passed", "Repeat, or raise the timeout.")                                  \
	XX(EINDOUBT, FINAL, "outcome unknown",                                                                    \
		"Run the order again through the ledger, which looks it up first; if the message "                \
		"asks for a person, settle it with shipopt_ledger_resolve().")                                    \
	XX(EDEADLK, FINAL, "would wait for its own thread", "Wait on a thread of the host instead.")              \
	XX(EFORKED, FINAL, "object belongs to the parent process", "Make new objects after fork().")              \
	XX(ESHUTDOWN, FINAL, "runtime is closed", "Make a new runtime.")                                          \
	XX(ETYPE, FINAL, "field has another type", "Use the getter or setter of the field's type.")               \
	XX(ENOTFOUND, FINAL, "not found", "Check the name, number or id.")                                        \
	XX(ECONFLICT, FINAL, "stored content differs",                                                            \
		"Read the differing fields in the message; use another "                                          \
		"key for another order.")                                                                         \
	XX(ESTATE, FINAL, "not possible in this state",                                                           \
		"Check the order of the calls, or the state that the message names.")                             \
	XX(ETOOLARGE, FINAL, "size bound passed", "Make the input smaller or raise the bound that is named.")     \
	XX(EPARSE, FINAL, "malformed input", "Correct the place that the message names.")                         \
	XX(EENCODING, FINAL, "not UTF-8", "Convert the input to UTF-8.")                                          \
	XX(EIO, FINAL, "input or output failed",                                                                  \
		"Check the file, its permissions, the disk, and the limit of open files.")                        \
	XX(ECONNECT, RETRY, "cannot connect", "Check the URL and the network; nothing was sent.")                 \
	XX(ETLS, FINAL, "TLS refused", "Check the certificate, the host name and the CA file; nothing was sent.") \
	XX(ENETWORK, RETRY, "connection failed", "Repeat.")                                                       \
	XX(EPROTOCOL, RETRY, "answer makes no sense", "Check that the URL is the carrier's API; repeat.")         \
	XX(EAUTH, FINAL, "credential refused", "Check the API key and its permissions.")                          \
	XX(EPAYMENT, FINAL, "insufficient funds", "Add funds to the carrier account.")                            \
	XX(ERATELIMIT, RETRY, "rate limited", "Repeat later, or lower the concurrency.")                          \
	XX(EREFUSED, FINAL, "refused by the carrier", "Correct the fields that the carrier names.")               \
	XX(ESERVER, RETRY, "carrier failed", "Repeat later.")                                                     \
	XX(EUNAVAILABLE, RETRY, "carrier unavailable", "Repeat after the pause.")                                 \
	XX(ELIMIT, FINAL, "spend limit or ceiling reached",                                                       \
		"Raise spend_limit or the order's max_rate, then run again.")                                     \
	XX(EHELD, FINAL, "held for review",                                                                       \
		"Correct the order (such as max_rate) and run it again, or settle its row.")                      \
	XX(EBUSY, RETRY, "in use elsewhere", "Repeat when the other holder is done.")                             \
	XX(ENORATE, FINAL, "no suitable rate", "Allow more services or carriers, or raise the ceiling.")          \
	XX(EDATABASE, RETRY, "store failed", "Check the database that the message names.")                        \
	XX(EUNSUPPORTED, FINAL, "not supported", "Build with the part that is missing, or use another way.")      \
	XX(EINTERNAL, FINAL, "internal error", "Report it.")

struct error_entry {
	int code;
	int retriable;
	const char *name, *text, *advice;
};

#define ERROR_ENTRY(code, retriable, text, advice) {SHIPOPT_##code, retriable, "SHIPOPT_" #code, text, advice},
static const struct error_entry error_table[] = {ERROR_TABLE(ERROR_ENTRY)};
static const struct error_entry error_already = {SHIPOPT_ALREADY, FINAL, "SHIPOPT_ALREADY", "done before",
	"Nothing to do."};
static const struct error_entry error_unknown = {0, FINAL, "SHIPOPT_E?", "unknown error", "Report it."};

_Static_assert(ARRAY_SIZE(error_table) == 1 - SHIPOPT_EINTERNAL, "a code is missing from ERROR_TABLE");

static const struct error_entry *error_find(int code)
{
	/* The table is in the order of the codes, which the unit test checks. */
	if (code == SHIPOPT_ALREADY)
		return &error_already;
	return code <= 0 && code >= SHIPOPT_EINTERNAL ? &error_table[-code] : &error_unknown;
}

const char *shipopt_error_description(int code)
{
	return error_find(code)->text;
}

const char *shipopt_error_name(int code)
{
	return error_find(code)->name;
}

const char *shipopt_error_advice(int code)
{
	return error_find(code)->advice;
}

int shipopt_error_is_retriable(int code)
{
	return error_find(code)->retriable;
}

struct shipopt_error {
	struct reference reference;
	struct error_detail detail; /* every text in it is owned */
	struct error_field *fields;
};

/* Messages quote what others wrote and are cut to their bounds; the ledger and the sinks take nothing but UTF-8. */
static char *error_owned(const char *text, bool *ok)
{
	char *copy = mem_copy_text(text);
	*ok = *ok && (copy || !text);
	if (copy)
		text_make_utf8(copy, strlen(copy));
	return copy;
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
	}
	return ok;
}

shipopt_error *error_new_detail(const struct error_detail *detail)
{
	shipopt_error *error = mem_alloc_zero(sizeof(*error));
	if (!error)
		return NULL;
	bool ok = true;
	reference_init(&error->reference);
	error->detail.code = detail->code;
	error->detail.http_status = detail->http_status;
	error->detail.retry_after_ms = detail->retry_after_ms;
	error->detail.message = error_owned(detail->message, &ok);
	error->detail.carrier_code = error_owned(detail->carrier_code, &ok);
	error->detail.request_id = error_owned(detail->request_id, &ok);
	error->detail.sqlstate = error_owned(detail->sqlstate, &ok);
	if (!error_copy_fields(error, detail) || !ok) {
		shipopt_error_unref(error);
		return NULL;
	}
	return error;
}

void error_get_detail(const shipopt_error *error, struct error_detail *ret_detail)
{
	*ret_detail = error ? error->detail : (struct error_detail){.retry_after_ms = -1};
}

shipopt_error *error_new(int code, const char *message)
{
	return error_new_detail(&(struct error_detail){.code = code, .message = message, .retry_after_ms = -1});
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
		shipopt_error *prefixed = error_new_detail(&detail);
		if (prefixed) {
			shipopt_error_unref(error);
			error = prefixed;
		}
	}
	buffer_done(&text);
	return error;
}

int error_set_detail(shipopt_error **ret_error, const struct error_detail *detail)
{
	shipopt_error *error = ret_error ? error_new_detail(detail) : NULL;
	if (error)
		*ret_error = error;
	return detail->code;
}

int error_set(shipopt_error **ret_error, int code, const char *format, ...)
{
	if (!ret_error)
		return code;
	char message[ERROR_MESSAGE_LIMIT];
	va_list list;
	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	shipopt_error *error = error_new(code, message);
	if (error)
		*ret_error = error;
	return code;
}

shipopt_error *shipopt_error_ref(shipopt_error *error)
{
	if (error)
		reference_take(&error->reference);
	return error;
}

void shipopt_error_unref(shipopt_error *error)
{
	if (!error || !reference_drop(&error->reference))
		return;
	for (size_t i = 0; i < error->detail.field_count; i++) {
		mem_free((void *)error->fields[i].name);
		mem_free((void *)error->fields[i].message);
		mem_free((void *)error->fields[i].suggestion);
	}
	mem_free(error->fields);
	mem_free((void *)error->detail.message);
	mem_free((void *)error->detail.carrier_code);
	mem_free((void *)error->detail.request_id);
	mem_free((void *)error->detail.sqlstate);
	mem_free(error);
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
	return error && index < error->detail.field_count ? &error->fields[index] : NULL;
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
