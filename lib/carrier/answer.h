/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_ANSWER_H
#define CARRIER_ANSWER_H

#include "base/error.h"
#include "carrier/blame.h"
#include "http/http.h"
#include "json/json.h"

/*
 * From an HTTP answer to an error object.
 *
 * The carrier's error bodies come in many shapes: {"error":{"code","message","errors":[…]}}; `error` as a plain string;
 * `errors` at the top level; `message` as text, list or object (flattened, joined with ", "); items of `errors` as strings or as
 * objects with field, message, suggestion, or a code of their own; no JSON at all (a proxy). Every shape gives an error object.
 * The message names the call, the HTTP status, the carrier's code and message, and its message for each field. It quotes the
 * beginning of a body that is not understood, says what to check if the configuration is wrong (carrier/blame.h), and until
 * when to wait for a Retry-After.
 */

/* The kind of a body; `root` is its parsed form, or NULL if it is not JSON. */
enum blame_body answer_body(const struct buffer *body, const struct json_value *root);
/* The code of the API's own error, {"error":{"code":"…"}}; NULL for anything else. */
const char *answer_envelope_code(struct json_value root);
/* Sets *ret_error, with the code `status`, from a finished request that failed or whose 2xx answer is not valid; `root` is its
 * parsed body or NULL, `what` names the call ("POST /shipments"). Returns `status`. */
int answer_error(const struct http_request *request, const struct json_value *root, const char *what, int status,
	enum blame blame, shipopt_error **ret_error);

#endif
