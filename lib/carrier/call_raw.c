/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "carrier/call_op.h"
#include "carrier/spending.h"

/* shipopt_carrier_call(): a call that the application writes itself. */

#define FAULT_SIZE 320

static const char *call_raw_method(const char *method)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (text_equal(method, methods[i]))
			return methods[i];
	return NULL;
}

/* Where the path has a byte that must not be there; its length if all are fine. */
static size_t call_raw_bad_byte(const char *path)
{
	size_t i = 0;
	while (path[i] && (unsigned char)path[i] > ' ' && path[i] != 0x7f && path[i] != '#')
		i++;
	return i;
}

/* Describes what is wrong with the arguments. False: nothing. */
static bool call_raw_describe_fault(const char *method, const char *path, const char *json, char *text, size_t size)
{
	size_t length = path ? strlen(path) : 0, bad = path ? call_raw_bad_byte(path) : 0;
	if (!method || !path)
		snprintf(text, size, "%s must not be NULL", method ? "path" : "method");
	else if (!call_raw_method(method))
		snprintf(text, size, "method \"%.32s\" is not one of GET, POST, PUT, PATCH and DELETE", method);
	else if (path[0] != '/')
		snprintf(text, size, "path \"%.160s\" must begin with \"/\"; it is appended to base_url", path);
	else if (length > CALL_PATH_BYTES_MAX)
		snprintf(text, size, "path has %zu bytes, more than %d", length, CALL_PATH_BYTES_MAX);
	else if (bad < length)
		snprintf(text, size,
			"path \"%.160s\": byte %zu is white space, a control character or \"#\"; percent-encode it",
			path, bad + 1);
	else if (!text_is_empty(json) && text_equal(method, "GET"))
		snprintf(text, size, "json must be NULL, as GET has no body");
	else
		return false;
	return true;
}

static int call_raw_write(struct carrier_call *call, const char *method, const char *path, const char *json)
{
	bool is_get = text_equal(method, "GET");
	int spends = is_get ? 0 : spending_find(path, json);
	if (spends < 0)
		return spends;
	call->method = method;
	call->repeat = is_get ? REPEAT_ALWAYS : REPEAT_UNSENT;
	call->is_purchase = spends;
	call->class = call->is_purchase ? LANE_BUY : is_get ? LANE_READ : LANE_CREATE;
	call->endpoint = call->is_purchase                            ? LANE_ENDPOINT_BUY
		: blame_endpoint(method, path) == BLAME_ENDPOINT_LIST ? LANE_ENDPOINT_LIST /* has another rate limit */
		: is_get                                              ? LANE_ENDPOINT_READ
								      : LANE_ENDPOINT_CREATE;
	call->has_body = json != NULL;
	int r = buffer_append_text(&call->path, path);
	return r == 0 && json ? buffer_append_text(&call->body, json) : r;
}

int shipopt_carrier_call(shipopt_carrier *carrier, const char *method, const char *path, const char *json,
	const shipopt_call_config *config, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	struct call_op *self;
	char fault[FAULT_SIZE];
	if (call_raw_describe_fault(method, path, json, fault, sizeof(fault)))
		return call_op_refuse(carrier, done, userdata, ret_op, "shipopt_carrier_call: %s", fault);
	int r = call_op_new(carrier, done, userdata, ret_op, &self);
	if (r < 0)
		return r;
	r = call_raw_write(&self->exchange.call, call_raw_method(method), path, json);
	if (self->exchange.call.is_purchase)
		self->exchange.attempts_max = 1;
	r = r < 0 ? r : call_op_apply(self, config);
	return call_op_start(self, r, ret_op);
}
