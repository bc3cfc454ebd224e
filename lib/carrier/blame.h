/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_BLAME_H
#define CARRIER_BLAME_H

#include <stdbool.h>

/*
 * Whose fault a failed call is. One pure function decides this; it determines what is repeated, which order fails and
 * what ends a run.
 *
 *   HTTP status           body               endpoint           blame
 *   2xx                   JSON               any                NONE
 *   2xx                   none               any                NONE (CARRIER if the call needs a body)
 *   2xx                   HTML               any                CONFIGURATION: a portal, a proxy or another host
 *                         answers
 *   2xx                   other bytes        any                CARRIER
 *   1xx, 3xx              any                any                CONFIGURATION
 *   401, 402, 403         any                any                ACCOUNT
 *   404, 410              any                collection, list   CONFIGURATION: the API always has these paths
 *   404, 410              the API's error    object, read       ORDER: there is no such object
 *   404, 410              anything else      object, read       CONFIGURATION: this is not the API
 *   405, 407              any                any                CONFIGURATION
 *   409                   SHIPMENT.POSTAGE.EXISTS               ORDER: a repeat gives the same answer
 *   408, 409, 423, 425    any                any                PASSING
 *   429                   any                any                PASSING
 *   other 4xx             any                any                ORDER
 *   5xx and above         any                any                CARRIER
 *
 * "The API's error" is the envelope {"error":{"code":"…"}}: a root object whose member `error` is an object with a text
 * `code`. A `code` at the top level or an error that is a string is a gateway's or a proxy's, not the API's.
 *
 * What follows:
 *
 *   ORDER          the order fails; others go on; SHIPOPT_EREFUSED, or SHIPOPT_ENOTFOUND (404)
 *   ACCOUNT        the order fails; the refusal may concern this order alone (one carrier account of several): see
 *                  bulk/run_blame.h; SHIPOPT_EAUTH or SHIPOPT_EPAYMENT
 *   CONFIGURATION  the base URL, a proxy or the API's version is wrong; SHIPOPT_EPROTOCOL. Not repeated, except HTML
 *                  with status 200, which gets as many attempts as a server that cannot be reached
 *   CARRIER        repeated where that is safe, and counted against the server by the lane; SHIPOPT_ESERVER, or
 *                  SHIPOPT_EPROTOCOL for a 2xx that is not valid
 *   PASSING        repeated where that is safe; SHIPOPT_ETIMEDOUT (408), SHIPOPT_ERATELIMIT (429), else SHIPOPT_EBUSY
 */
enum blame { BLAME_NONE, BLAME_ORDER, BLAME_ACCOUNT, BLAME_CONFIGURATION, BLAME_CARRIER, BLAME_PASSING };

enum blame_endpoint {
	BLAME_ENDPOINT_COLLECTION, /* POST /shipments */
	BLAME_ENDPOINT_LIST,       /* GET /shipments?page_size=1 */
	BLAME_ENDPOINT_OBJECT,     /* POST /shipments/{id}/buy, DELETE /webhooks/{id} */
	BLAME_ENDPOINT_READ        /* GET /shipments/{id}, GET /addresses/{id}/verify */
};

enum blame_body {
	BLAME_BODY_NONE,
	BLAME_BODY_HTML,
	BLAME_BODY_BYTES, /* neither JSON nor HTML */
	BLAME_BODY_JSON,
	BLAME_BODY_ENVELOPE /* the API's error */
};

struct blame_answer {
	int http_status;
	enum blame_body body;
	const char *code; /* of the envelope, or NULL */
	enum blame_endpoint endpoint;
	bool needs_body;
};

enum blame blame_of(const struct blame_answer *answer);
/* The same for a call without a whole answer, from its SHIPOPT_E… code: CARRIER for a failure of network or server,
 * NONE for one of our own (canceled, out of memory, a bound). */
enum blame blame_of_failure(int status);
/* The SHIPOPT_E… code for an answer with this blame; 0 for BLAME_NONE. */
int blame_status(enum blame blame, int http_status);
/* `path` begins with "/" and may have a query. */
enum blame_endpoint blame_endpoint(const char *method, const char *path);

#endif
