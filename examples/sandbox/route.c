/* SPDX-License-Identifier: MIT */
#include "route.h"

#include <shipopt/error.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "base/text.h"
#include "label.h"
#include "parcel.h"
#include "shipment.h"
#include "tracker.h"

static void handle_unknown(struct call *call)
{
	answer_not_found(call->answer);
}

static void handle_counts(struct call *call);

static void handle_labels(struct call *call)
{
	call->answer->content_type = "application/x-ndjson";
	if (counts_write_labels(&call->sandbox->counts, &call->answer->body) < 0)
		call_failed(call);
}

static void handle_faults(struct call *call)
{
	const char *bad = "the body";
	if (!call->has_body || faults_apply(&call->sandbox->faults, call->body, &bad) < 0) {
		struct answer_field field = {NULL, bad, "is no setting or has a value out of its bounds"};
		answer_error(call->answer, 422, "SANDBOX.FAULTS", "Nothing was changed.", &field, 1);
		return;
	}
	call->sandbox->tokens = call->sandbox->faults.requests_per_second;
	json_write_raw(&call->answer->json, "{}", 2);
}

/* Forgets objects and counts; faults stay. */
static void handle_reset(struct call *call)
{
	struct sandbox *sandbox = call->sandbox;
	sandbox->generation++;
	table_done(&sandbox->trackers_by_code);
	registry_clear(&sandbox->registry);
	counts_clear(&sandbox->counts);
	json_write_raw(&call->answer->json, "{}", 2);
}

static void handle_label_file(struct call *call)
{
	if (label_file(call->id, &call->answer->body, &call->answer->content_type) < 0)
		answer_not_found(call->answer);
}

static const struct route routes[] = {
	{"POST", "/v2/shipments", "POST /shipments", shipment_handle_create},
	{"GET", "/v2/shipments", "GET /shipments", shipment_handle_list},
	{"GET", "/v2/shipments/*", "GET /shipments/id", shipment_handle_get},
	{"POST", "/v2/shipments/*/buy", "POST /shipments/buy", shipment_handle_buy, .is_purchase = true},
	{"POST", "/v2/shipments/*/rerate", "POST /shipments/rerate", shipment_handle_rerate},
	{"POST", "/v2/shipments/*/refund", "POST /shipments/refund", shipment_handle_refund},
	{"GET", "/v2/shipments/*/rates", "GET /shipments/rates", shipment_handle_rates},
	{"GET", "/v2/shipments/*/label", "GET /shipments/label", shipment_handle_label},
	{"POST", "/v2/trackers", "POST /trackers", tracker_handle_create},
	{"POST", "/v2/trackers/batch", "POST /trackers/batch", tracker_handle_batch},
	{"GET", "/v2/trackers", "GET /trackers", tracker_handle_list},
	{"GET", "/v2/trackers/*", "GET /trackers/id", tracker_handle_get},
	{"POST", "/v2/addresses", "POST /addresses", address_handle_create},
	{"POST", "/v2/addresses/create_and_verify", "POST /addresses/create_and_verify",
		address_handle_create_and_verify},
	{"GET", "/v2/addresses", "GET /addresses", address_handle_list},
	{"GET", "/v2/addresses/*", "GET /addresses/id", address_handle_get},
	{"GET", "/v2/addresses/*/verify", "GET /addresses/verify", address_handle_verify},
	{"POST", "/v2/parcels", "POST /parcels", parcel_handle_create},
	{"GET", "/v2/parcels/*", "GET /parcels/id", parcel_handle_get},
	{"POST", "/v2/customs_infos", "POST /customs_infos", customs_handle_create_info},
	{"GET", "/v2/customs_infos/*", "GET /customs_infos/id", customs_handle_get_info},
	{"POST", "/v2/customs_items", "POST /customs_items", customs_handle_create_item},
	{"GET", "/v2/customs_items/*", "GET /customs_items/id", customs_handle_get_item},
	{"GET", "/labels/*", "GET /labels", handle_label_file},
	{"GET", "/sandbox/counts", "", handle_counts, .is_free = true},
	{"GET", "/sandbox/labels", "", handle_labels, .is_free = true},
	{"POST", "/sandbox/faults", "", handle_faults, .is_free = true},
	{"POST", "/sandbox/reset", "", handle_reset, .is_free = true},
	{"", "", "other", handle_unknown},
};

_Static_assert(ARRAY_SIZE(routes) <= COUNT_CLASSES_MAX, "a class of counts for each route");

size_t route_class(const struct route *route)
{
	return (size_t)(route - routes);
}

static void handle_counts(struct call *call)
{
	const char *classes[ARRAY_SIZE(routes)];
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++)
		classes[i] = routes[i].counted;
	counts_write(&call->sandbox->counts, classes, ARRAY_SIZE(routes), call->query(call, "brief") != NULL,
		&call->answer->json);
}

/* Equal but for one segment of the path, where the pattern has a star. */
static bool is_match(const char *pattern, const char *path, char ret_id[ROUTE_ID_SIZE])
{
	size_t before = strcspn(pattern, "*");
	ret_id[0] = '\0';
	if (strncmp(pattern, path, before) != 0)
		return false;
	if (pattern[before] == '\0')
		return path[before] == '\0';
	size_t length = strcspn(path + before, "/");
	if (length == 0 || strcmp(pattern + before + 1, path + before + length) != 0)
		return false;
	snprintf(ret_id, ROUTE_ID_SIZE, "%.*s", (int)MIN(length, ROUTE_ID_SIZE), path + before);
	return true;
}

const struct route *route_find(const char *method, const char *path, char ret_id[ROUTE_ID_SIZE])
{
	size_t last = ARRAY_SIZE(routes) - 1;
	for (size_t i = 0; i < last; i++)
		if (strcmp(routes[i].method, method) == 0 && is_match(routes[i].pattern, path, ret_id))
			return &routes[i];
	ret_id[0] = '\0';
	return &routes[last];
}
