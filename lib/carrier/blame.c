/* SPDX-License-Identifier: MIT */
#include "carrier/blame.h"

#include <shipopt/error.h>
#include <string.h>

#include "base/text.h"

static enum blame blame_of_success(const struct blame_answer *answer)
{
	switch (answer->body) {
	case BLAME_BODY_HTML: return BLAME_CONFIGURATION;
	case BLAME_BODY_BYTES: return BLAME_CARRIER;
	case BLAME_BODY_NONE: return answer->needs_body ? BLAME_CARRIER : BLAME_NONE;
	case BLAME_BODY_JSON:
	case BLAME_BODY_ENVELOPE: break;
	}
	return BLAME_NONE;
}

static enum blame blame_of_not_found(const struct blame_answer *answer)
{
	bool is_object = answer->endpoint == BLAME_ENDPOINT_OBJECT || answer->endpoint == BLAME_ENDPOINT_READ;
	return is_object && answer->body == BLAME_BODY_ENVELOPE ? BLAME_ORDER : BLAME_CONFIGURATION;
}

enum blame blame_of(const struct blame_answer *answer)
{
	switch (answer->http_status) {
	case 401:
	case 402:
	case 403: return BLAME_ACCOUNT;
	case 404:
	case 410: return blame_of_not_found(answer);
	case 405:
	case 407: return BLAME_CONFIGURATION;
	case 409: return text_equal(answer->code, "SHIPMENT.POSTAGE.EXISTS") ? BLAME_ORDER : BLAME_PASSING;
	case 408:
	case 423:
	case 425:
	case 429: return BLAME_PASSING;
	}
	if (answer->http_status >= 200 && answer->http_status < 300)
		return blame_of_success(answer);
	if (answer->http_status >= 500)
		return BLAME_CARRIER;
	return answer->http_status >= 400 ? BLAME_ORDER : BLAME_CONFIGURATION;
}

enum blame blame_of_failure(int status)
{
	switch (status) {
	case SHIPOPT_ECONNECT:
	case SHIPOPT_ENETWORK:
	case SHIPOPT_ETIMEDOUT:
	case SHIPOPT_EPROTOCOL: return BLAME_CARRIER;
	default: return BLAME_NONE;
	}
}

int blame_status(enum blame blame, int http_status)
{
	switch (blame) {
	case BLAME_NONE: break;
	case BLAME_ORDER: return http_status == 404 ? SHIPOPT_ENOTFOUND : SHIPOPT_EREFUSED;
	case BLAME_ACCOUNT: return http_status == 402 ? SHIPOPT_EPAYMENT : SHIPOPT_EAUTH;
	case BLAME_CONFIGURATION: return SHIPOPT_EPROTOCOL;
	case BLAME_CARRIER: return http_status >= 500 ? SHIPOPT_ESERVER : SHIPOPT_EPROTOCOL;
	case BLAME_PASSING:
		return http_status == 408 ? SHIPOPT_ETIMEDOUT : http_status == 429 ? SHIPOPT_ERATELIMIT : SHIPOPT_EBUSY;
	}
	return 0;
}

enum blame_endpoint blame_endpoint(const char *method, const char *path)
{
	size_t length = strcspn(path, "?");
	bool is_whole = length < 2 || !memchr(path + 1, '/', length - 1); /* one segment */
	if (text_equal(method, "GET"))
		return is_whole ? BLAME_ENDPOINT_LIST : BLAME_ENDPOINT_READ;
	return is_whole ? BLAME_ENDPOINT_COLLECTION : BLAME_ENDPOINT_OBJECT;
}
