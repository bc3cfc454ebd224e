/* SPDX-License-Identifier: MIT */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <shipopt/error.h>

#include "base/macro.h"

/*
 * Errors inside the library.
 *
 * A function returns a negative code; where there is more to say it takes `shipopt_error **ret_error` last (NULL
 * allowed) and sets it, only on failure. The object is built by one thread, then never changed, and shared by
 * reference. When memory is too short to build the detail, *ret_error stays as it was: the code is what counts.
 *
 *	return error_set(ret_error, SHIPOPT_EPARSE, "orders.csv line %d, column \"%s\": …", line, column);
 *
 * Messages name the place, the value and the bound; they never contain a credential. All texts of the object are UTF-8: what
 * is not becomes question marks.
 */
struct error_field {
	const char *name, *message, *suggestion; /* each may be NULL; copied */
};

/* Everything a failure can carry. Texts are copied, NULL means absent. */
struct error_detail {
	int code;
	int http_status;
	int64_t retry_after_ms; /* -1: absent */
	const char *message, *carrier_code, *request_id, *sqlstate;
	const struct error_field *fields;
	size_t field_count;
};

#define ERROR_FIELDS_MAX 64

/* Returns `code`, always, so that it can be the operand of a return statement. */
int error_set(shipopt_error **ret_error, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same from a detail. More than ERROR_FIELDS_MAX fields are cut. */
int error_set_detail(shipopt_error **ret_error, const struct error_detail *detail);
/* What an error carries, to build another from; it borrows the error's texts. NULL gives an empty one. */
void error_get_detail(const shipopt_error *error, struct error_detail *ret_detail);
/* NULL when out of memory. */
shipopt_error *error_new(int code, const char *message);
shipopt_error *error_new_detail(const struct error_detail *detail);
/* A new error with `prefix` and ": " before the message and everything else kept. Consumes `error`; returns it
 * unchanged when out of memory. Accepts NULL. */
shipopt_error *error_prefix(shipopt_error *error, const char *prefix);

DEFINE_CLEANUP(shipopt_error, error_unref, shipopt_error_unref)
#define CLEANUP_ERROR CLEANUP(error_unref_cleanup)

#endif
