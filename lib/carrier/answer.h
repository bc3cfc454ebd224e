/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_ANSWER_H
#define CARRIER_ANSWER_H

#include "base/error.h"
#include "http/http.h"
#include "json/json.h"

/*
 * From an HTTP answer to a status and an error object.
 *
 * The carrier's error bodies come in many shapes: {"error":{"code","message","errors":[…]}}; `error` as a plain string;
 * `message` as text, list or object (flattened, joined with ", "); items of `errors` as strings or as objects with field,
 * message, suggestion, or a code of their own; no JSON at all (a proxy). Every shape gives an error object; none is a failure of
 * its own.
 */

/* The status for an HTTP status that is not 2xx. */
int answer_status(int http_status);
/* Sets *ret_error, with the code `status`, from a finished request that failed; `root` is its parsed body or NULL, `what` names
 * the call ("POST /shipments"). Returns `status`. */
int answer_error(const struct http_request *request, const struct json_value *root, const char *what, int status,
	shipopt_error **ret_error);

#endif
