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
 * The carrier's error bodies come in many shapes:
 *
 *   {"error":{"code","message","errors":[…]}}   the API's own
 *   `error` is a string
 *   `errors` at the top level
 *   `message` is a text, a list or an object; it is flattened and joined with ", "
 *   items of `errors` are strings, or objects with field, message, suggestion, or with a code
 *   no JSON at all: a proxy's
 *
 * Every shape gives an error object. Its message names the call, the HTTP status, the carrier's code and message, and
 * the message of each field. It quotes the beginning of a body that is not understood. If the configuration is wrong
 * (carrier/blame.h), it says what to check. If there is a Retry-After, it says until when to wait.
 */

/* The kind of a body; `root` is its parsed form, or NULL if it is not JSON. */
enum blame_body answer_body(const struct buffer *body, const struct json_value *root);
/* The code of the API's own error, {"error":{"code":"…"}}; NULL for anything else. */
const char *answer_envelope_code(struct json_value root);
/* Makes the error of a finished request that failed, or whose 2xx answer is not valid. `root` is its parsed body or
 * NULL; `what` names the call, as "POST /shipments". Returns `status`. */
int answer_error(const struct http_request *request, const struct json_value *root, const char *what, int status,
	enum blame blame, shipopt_error **ret_error);

#endif
