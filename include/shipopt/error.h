/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_ERROR_H
#define SHIPOPT_ERROR_H

#include <shipopt/export.h>

SHIPOPT_BEGIN_DECLS

/*
 * Status codes and error objects.
 *
 * Every function that can fail returns an int: zero or a documented positive result, or one of the negative codes
 * below. A value is never reused and never changes; later versions add new ones. Treat a code that you do not know
 * as SHIPOPT_EINTERNAL.
 *
 * An error object has the detail of a failure. A synchronous function that can fail for several reasons takes
 * `shipopt_error **ret_error` as its last argument. It may be NULL. The function writes *ret_error on failure only;
 * the caller drops the reference with shipopt_error_unref(). A failed operation and a failed item always have an
 * error object, which shipopt_op_error() and shipopt_item_error() lend.
 *
 * An object never changes and may be read from any thread. Texts that a getter returns live as long as the object.
 * To report a failure, print shipopt_error_text(). All functions of this header accept NULL. Since 0.1, except where
 * a comment says otherwise.
 */
enum {
	SHIPOPT_ALREADY = 1, /* of an item: done in an earlier run, nothing to do */
	SHIPOPT_OK = 0,
	SHIPOPT_EINVAL = -1,     /* an argument or a setting is out of bounds */
	SHIPOPT_ENOMEM = -2,     /* out of memory; nothing was changed */
	SHIPOPT_EAGAIN = -3,     /* a bounded queue is full: try again after a completion */
	SHIPOPT_ECANCELED = -4,  /* canceled; nothing was changed */
	SHIPOPT_ETIMEDOUT = -5,  /* a timeout passed; nothing is in doubt */
	SHIPOPT_EINDOUBT = -6,   /* a write was sent and its outcome is not known */
	SHIPOPT_EDEADLK = -7,    /* the calling thread would wait for itself */
	SHIPOPT_EFORKED = -8,    /* the object was created before fork() and cannot be used in this child process */
	SHIPOPT_ESHUTDOWN = -9,  /* the runtime is closing or closed */
	SHIPOPT_ETYPE = -10,     /* the field has another type */
	SHIPOPT_ENOTFOUND = -11, /* there is no such object, name or key */
	SHIPOPT_ECONFLICT = -12, /* what is stored differs from what was given */
	SHIPOPT_ESTATE = -13,    /* the object is in a state that does not allow the call */
	SHIPOPT_ETOOLARGE = -14, /* a documented size limit was exceeded */
	SHIPOPT_EPARSE = -15,    /* malformed input: JSON, CSV, a URL, a number, a date */
	SHIPOPT_EENCODING = -16, /* text is not UTF-8 */
	SHIPOPT_EIO = -17,       /* a file or descriptor failed, or the process has no more of them */
	SHIPOPT_ECONNECT = -18,  /* no connection to the server; nothing was sent */
	SHIPOPT_ETLS = -19,      /* the TLS handshake failed, such as for a bad certificate; nothing was sent */
	SHIPOPT_ENETWORK = -20,  /* the connection failed during a request that is safe to repeat */
	SHIPOPT_EPROTOCOL =
		-21,         /* the response is not valid or not from the carrier's API: check the base URL. HTTP 3xx,
				    * 405, 407, a web page, a 404 or 410 of a collection or without the API's error object */
	SHIPOPT_EAUTH = -22, /* the server refused the credential (HTTP 401 or 403) */
	SHIPOPT_EPAYMENT = -23,     /* the account has insufficient funds (HTTP 402) */
	SHIPOPT_ERATELIMIT = -24,   /* too many requests (HTTP 429), and no retry is left or the pause is too long */
	SHIPOPT_EREFUSED = -25,     /* the carrier refused the content of the request (HTTP 4xx) */
	SHIPOPT_ESERVER = -26,      /* the carrier failed (HTTP 5xx) on a request that is safe to repeat */
	SHIPOPT_EUNAVAILABLE = -27, /* the circuit breaker is open, or the carrier asks for too long a pause */
	SHIPOPT_ELIMIT = -28,       /* a spend limit or price ceiling would be exceeded */
	SHIPOPT_EHELD = -29,        /* the order waits for a person to review or correct it */
	SHIPOPT_EBUSY = -30,        /* another process, thread or the carrier (HTTP 409, 423, 425) works on it */
	SHIPOPT_ENORATE = -31,      /* no rate satisfies the choice */
	SHIPOPT_EDATABASE = -32,    /* the store or the database failed */
	SHIPOPT_EUNSUPPORTED = -33, /* not built in, or not possible with this server */
	SHIPOPT_EINTERNAL = -34     /* a bug in the library */
};

/*
 * The part of the library that reports an error. The same code can mean different things there and ask for different
 * actions. Since 0.2.
 */
enum {
	SHIPOPT_DOMAIN_GENERAL = 0,  /* any part, where the code says everything */
	SHIPOPT_DOMAIN_CONFIG = 1,   /* settings */
	SHIPOPT_DOMAIN_INPUT = 2,    /* orders, columns, records, JSON and the files that hold them */
	SHIPOPT_DOMAIN_CARRIER = 3,  /* a call of the carrier's API */
	SHIPOPT_DOMAIN_PURCHASE = 4, /* one order: its rating, purchase or tracking */
	SHIPOPT_DOMAIN_STORE = 5,    /* the store of the purchase ledger */
	SHIPOPT_DOMAIN_DATABASE = 6, /* the PostgreSQL pool */
	SHIPOPT_DOMAIN_CACHE = 7,    /* the cache */
	SHIPOPT_DOMAIN_RUN = 8       /* a run over many orders */
};

/* An error object: immutable, reference counted. */
typedef struct shipopt_error shipopt_error;

/*
 * Returns what is known about a code alone: its name, such as "SHIPOPT_EINVAL", and what it means in a few words.
 * Prefer shipopt_error_text() where there is an object. For an unknown code the name is "SHIPOPT_E?". Never NULL;
 * the text is static.
 */
SHIPOPT_API const char *shipopt_error_name(int code);
SHIPOPT_API const char *shipopt_error_description(int code);

/*
 * Returns the error in one line, to print or log: name, message and advice, such as
 *	"SHIPOPT_EAUTH: POST /v2/shipments: HTTP 401. Check the API key and its permissions."
 * Never NULL: "no error" for NULL. Since 0.2.
 */
SHIPOPT_API const char *shipopt_error_text(const shipopt_error *error);

/*
 * Returns what the caller can do about the error, in one or two sentences. Never NULL. The text is static.
 */
SHIPOPT_API const char *shipopt_error_advice(const shipopt_error *error);

/*
 * Returns 1 if the same call may succeed when it is repeated later without a change, else 0. SHIPOPT_EINDOUBT is never
 * retriable, because a repeat could do twice what was done once.
 */
SHIPOPT_API int shipopt_error_is_retriable(const shipopt_error *error);

/* Returns the domain, SHIPOPT_DOMAIN_…. Since 0.2. */
SHIPOPT_API int shipopt_error_domain(const shipopt_error *error);

/*
 * Getters. A text that the failure did not bring is NULL; a number is 0 (retry_after_ms: -1).
 *
 * code            one of the codes above; 0 for NULL
 * message         what happened, with the place, the value and the bound where there is one
 * http_status     the carrier's HTTP status
 * carrier_code    the carrier's own code, such as "SHIPMENT.POSTAGE.EXISTS"
 * request_id      the carrier's id of the request (response header x-ep-request-uuid)
 * retry_after_ms  how long the carrier asked to wait, in milliseconds
 * sqlstate        the database's five character code
 */
SHIPOPT_API int shipopt_error_code(const shipopt_error *error);
SHIPOPT_API const char *shipopt_error_message(const shipopt_error *error);
SHIPOPT_API int shipopt_error_http_status(const shipopt_error *error);
SHIPOPT_API const char *shipopt_error_carrier_code(const shipopt_error *error);
SHIPOPT_API const char *shipopt_error_request_id(const shipopt_error *error);
SHIPOPT_API int64_t shipopt_error_retry_after_ms(const shipopt_error *error);
SHIPOPT_API const char *shipopt_error_sqlstate(const shipopt_error *error);

/*
 * The fields that the carrier or a check of the library refused, at most 64. `index` counts from 0. Name and suggestion
 * may be NULL. The code of a field that a check refused is SHIPOPT_ENOTFOUND if it is missing and SHIPOPT_EINVAL if its
 * value is wrong; of a field that the carrier refused it is the code of the error. An index out of range gives NULL and
 * 0. shipopt_error_field_carrier_code() gives the code that the carrier wrote, or NULL. Both since 0.2.
 */
SHIPOPT_API size_t shipopt_error_field_count(const shipopt_error *error);
SHIPOPT_API int shipopt_error_field_code(const shipopt_error *error, size_t index);
SHIPOPT_API const char *shipopt_error_field_carrier_code(const shipopt_error *error, size_t index);
SHIPOPT_API const char *shipopt_error_field_name(const shipopt_error *error, size_t index);
SHIPOPT_API const char *shipopt_error_field_message(const shipopt_error *error, size_t index);
SHIPOPT_API const char *shipopt_error_field_suggestion(const shipopt_error *error, size_t index);

/* Takes and drops a reference. `ref` returns its argument. Any thread. */
SHIPOPT_API shipopt_error *shipopt_error_ref(const shipopt_error *error);
SHIPOPT_API void shipopt_error_unref(shipopt_error *error);

SHIPOPT_END_DECLS

#endif
