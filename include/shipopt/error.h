/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_ERROR_H
#define SHIPOPT_ERROR_H

#include <shipopt/export.h>

SHIPOPT_BEGIN_DECLS

/*
 * Status codes and error objects.
 *
 * Every function that can fail returns an int: zero or a documented positive outcome, or one of the negative
 * codes below. Values are explicit, never reused, and only ever added. A program should treat a code that it does not
 * know as SHIPOPT_EINTERNAL.
 *
 * The detail of a failure is an object, never state of a thread. An object is immutable once it is handed out
 * and may be read from any thread.
 */
enum {
	SHIPOPT_ALREADY = 1, /* of items: it was done in an earlier run, nothing to do */
	SHIPOPT_OK = 0,
	SHIPOPT_EINVAL = -1,     /* an argument or a setting is out of its bounds */
	SHIPOPT_ENOMEM = -2,     /* out of memory; nothing was changed */
	SHIPOPT_EAGAIN = -3,     /* a bounded queue is full: try again after a completion */
	SHIPOPT_ECANCELED = -4,  /* canceled before anything was sent */
	SHIPOPT_ETIMEDOUT = -5,  /* a deadline passed; nothing is in doubt */
	SHIPOPT_EINDOUBT = -6,   /* something was sent and its outcome is not known */
	SHIPOPT_EDEADLK = -7,    /* the calling thread would wait for itself */
	SHIPOPT_EFORKED = -8,    /* the object was made before fork() and is dead in this child */
	SHIPOPT_ESHUTDOWN = -9,  /* the runtime is closing or closed */
	SHIPOPT_ETYPE = -10,     /* the field has another type */
	SHIPOPT_ENOTFOUND = -11, /* no such thing */
	SHIPOPT_ECONFLICT = -12, /* the stored thing differs from what was given */
	SHIPOPT_ESTATE = -13,    /* the object is in a state that does not allow the call */
	SHIPOPT_ETOOLARGE = -14, /* a documented size bound was passed */
	SHIPOPT_EPARSE = -15,    /* malformed input: JSON, CSV, URL, number, date */
	SHIPOPT_EENCODING = -16, /* text is not UTF-8 */
	SHIPOPT_EIO = -17,       /* a file or descriptor failed, or this process can have no more of them */
	SHIPOPT_ECONNECT = -18,  /* no connection to the server; nothing was sent */
	SHIPOPT_ETLS = -19,      /* the certificate or TLS handshake was refused; nothing was sent */
	SHIPOPT_ENETWORK = -20,  /* the connection failed on a request that is safe to repeat */
	SHIPOPT_EPROTOCOL =
		-21, /* the server's answer is not valid, or not the API's: check the base URL (HTTP 3xx, 405, 407, a web
				     * page, a 404 or 410 for a collection or without the API's error object) */
	SHIPOPT_EAUTH = -22,    /* the server refused the credential (HTTP 401 or 403) */
	SHIPOPT_EPAYMENT = -23, /* the account lacks funds (HTTP 402) */
	SHIPOPT_ERATELIMIT =
		-24, /* too many requests (HTTP 429): no retry is left, or the carrier asks for too long a pause */
	SHIPOPT_EREFUSED = -25, /* the carrier refused the request for its content (HTTP 4xx) */
	SHIPOPT_ESERVER = -26,  /* the carrier failed (HTTP 5xx) on a request that is safe to repeat */
	SHIPOPT_EUNAVAILABLE =
		-27, /* the circuit breaker is open, or the carrier asks for a longer pause than the call may wait */
	SHIPOPT_ELIMIT = -28, /* a spend limit or price ceiling is exceeded */
	SHIPOPT_EHELD = -29,  /* the order waits for a person's review or a correction */
	SHIPOPT_EBUSY =
		-30, /* another process or a blocked thread works on it, or the carrier does (HTTP 409, 423, 425) */
	SHIPOPT_ENORATE = -31,      /* no rate satisfies the choice */
	SHIPOPT_EDATABASE = -32,    /* the store failed */
	SHIPOPT_EUNSUPPORTED = -33, /* not built in, or not possible with this server */
	SHIPOPT_EINTERNAL = -34     /* a bug in the library */
};

/* The detail of one failure. Opaque, immutable, reference counted. */
typedef struct shipopt_error shipopt_error;

/* The English sentence for a code; never NULL, also for unknown codes. The text is static. Since 0.1. */
SHIPOPT_API const char *shipopt_error_description(int code);

/* The code's name, such as "SHIPOPT_EINVAL"; "SHIPOPT_E?" for an unknown one. The text is static. Since 0.1. */
SHIPOPT_API const char *shipopt_error_name(int code);

/* What a caller can do about a code, one English sentence. The text is static. Since 0.1. */
SHIPOPT_API const char *shipopt_error_advice(int code);

/* 1 if the same call may succeed when repeated later, else 0. Since 0.1. */
SHIPOPT_API int shipopt_error_is_retriable(int code);

/*
 * Getters of an error object. Returned text lives as long as the object. Text that the failure did not bring
 * is NULL, numbers are 0 (retry_after_ms: -1). All accept NULL: code 0, no text. Since 0.1.
 *
 * code            one of the codes above
 * message         what happened, with the place, the value and the bound where there is one
 * http_status     the carrier's HTTP status
 * carrier_code    the carrier's own code, such as "SHIPMENT.POSTAGE.EXISTS"
 * request_id      the carrier's id of the request (response header x-ep-request-uuid)
 * retry_after_ms  how long the carrier asked to wait, in milliseconds
 * sqlstate        the database's five character code
 * field_*         the carrier's per-field errors: name (may be NULL), message, suggestion (may be NULL)
 */
SHIPOPT_API int shipopt_error_code(const shipopt_error *error);
SHIPOPT_API const char *shipopt_error_message(const shipopt_error *error);
SHIPOPT_API int shipopt_error_http_status(const shipopt_error *error);
SHIPOPT_API const char *shipopt_error_carrier_code(const shipopt_error *error);
SHIPOPT_API const char *shipopt_error_request_id(const shipopt_error *error);
SHIPOPT_API int64_t shipopt_error_retry_after_ms(const shipopt_error *error);
SHIPOPT_API const char *shipopt_error_sqlstate(const shipopt_error *error);
SHIPOPT_API size_t shipopt_error_field_count(const shipopt_error *error);
SHIPOPT_API const char *shipopt_error_field_name(const shipopt_error *error, size_t index);
SHIPOPT_API const char *shipopt_error_field_message(const shipopt_error *error, size_t index);
SHIPOPT_API const char *shipopt_error_field_suggestion(const shipopt_error *error, size_t index);

/* Takes and drops a reference. `ref` returns its argument. Both accept NULL. Any thread. Since 0.1. */
SHIPOPT_API shipopt_error *shipopt_error_ref(shipopt_error *error);
SHIPOPT_API void shipopt_error_unref(shipopt_error *error);

SHIPOPT_END_DECLS

#endif
