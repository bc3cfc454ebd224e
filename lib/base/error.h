/* SPDX-License-Identifier: MIT */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <shipopt/error.h>

#include "base/macro.h"

/*
 * Errors inside the library.
 *
 * A function returns a negative code. Where there is more to say it takes `shipopt_error **ret_error` as its last
 * argument (may be NULL) and writes it on failure only:
 *
 *	return error_set(ret_error, SHIPOPT_EPARSE, "orders.csv line %d, column \"%s\": …", line, column);
 *
 * An object is made by one thread, never changed afterwards, and shared by reference. Its code and its domain select
 * a row of base/error_table.h, which has the advice and says whether a retry can help. The domain names the part of
 * the library that the caller used, because the same code asks for different actions there: after SHIPOPT_ECONFLICT a
 * purchase needs another key and a database has violated a constraint.
 *
 * Setting the domain:
 * - A file that makes errors of one domain defines it above its includes. error_set() and error_new() use it:
 *	#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE
 *   Without it the domain is SHIPOPT_DOMAIN_GENERAL, whose words are neutral.
 * - A struct error_detail has the domain as a member: `.domain = ERROR_DOMAIN`.
 * - A class of operations has a domain (struct op_class): an operation that fails without an error object of its own
 *   gets the static object of that domain and its code.
 * - A layer that passes on the error of a lower layer and knows better what to do calls error_move(): the error of a
 *   carrier call becomes that of a purchase.
 *
 * Out of memory: instead of the object with the detail the caller gets the static object of the domain and the code,
 * so that a failure always has an object.
 *
 * A message names the place, the value and the bound. It never contains a credential. All texts of an object are
 * UTF-8: other bytes become question marks.
 */
#ifndef ERROR_DOMAIN
#define ERROR_DOMAIN SHIPOPT_DOMAIN_GENERAL
#endif

struct error_field {
	const char *name, *message, *suggestion, *carrier_code; /* each may be NULL; copied */
	int code;                                               /* 0: that of the error */
};

/* The content of an error. Texts are copied; NULL means absent. */
struct error_detail {
	int code;
	int domain;
	int http_status;
	int64_t retry_after_ms; /* -1: absent */
	const char *message, *carrier_code, *request_id, *sqlstate;
	const struct error_field *fields;
	size_t field_count;
	const char *advice; /* static; NULL: the advice of the table */
};

#define ERROR_FIELDS_MAX 64

/* Makes an error of the file's domain with a message. Returns `code`, so that it can be the operand of a return
 * statement. */
#define error_set(ret_error, ...) error_set_in(ret_error, ERROR_DOMAIN, __VA_ARGS__)
int error_set_in(shipopt_error **ret_error, int domain, int code, const char *format, ...) PRINTF_LIKE(4, 5);
/* The same from a detail. Fields beyond ERROR_FIELDS_MAX are dropped. */
int error_set_detail(shipopt_error **ret_error, const struct error_detail *detail);
/* The content of an error, to make another one from. Borrows the error's texts. NULL gives an empty detail. */
void error_get_detail(const shipopt_error *error, struct error_detail *ret_detail);

/* Never NULL. */
#define error_new(code, message) error_new_in(ERROR_DOMAIN, code, message)
shipopt_error *error_new_in(int domain, int code, const char *message);
shipopt_error *error_new_detail(const struct error_detail *detail);
/* The static object of a domain and a code; of the general domain where the domain has no row for the code. It is never
 * freed: references to it are not counted. Never NULL. */
shipopt_error *error_of(int domain, int code);

/* The same error with `prefix` and ": " before its message. Consumes `error`; returns it unchanged when out of memory.
 * Accepts NULL. */
shipopt_error *error_prefix(shipopt_error *error, const char *prefix);
/* The same error in another domain. Consumes `error`; returns it unchanged when out of memory. Accepts NULL. */
shipopt_error *error_move(shipopt_error *error, int domain);

/* The same error with another advice, a static text. Consumes `error`; returns it unchanged when out of memory. Accepts
 * NULL for both. */
shipopt_error *error_advise(shipopt_error *error, const char *advice);

DEFINE_CLEANUP(shipopt_error, error_unref, shipopt_error_unref)
#define CLEANUP_ERROR CLEANUP(error_unref_cleanup)

#endif
