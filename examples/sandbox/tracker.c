/* SPDX-License-Identifier: MIT */
#include "tracker.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "rate.h"

#define DAY_MS INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)
#define EVENTS_FROM_MS INT64_C(1767603600000) /* 2026-01-05T09:00:00Z */

struct event {
	const char *message, *status, *detail, *city, *state, *zip;
	int hours; /* after the first */
};

/* The way of a parcel; a status ends it at its own event. */
static const struct event journey[] = {
	{"Pre-Shipment Info Sent to Carrier", "pre_transit", "status_update", NULL, NULL, NULL, 0},
	{"Shipping Label Created", "pre_transit", "status_update", "HOUSTON", "TX", "77063", 12},
	{"Arrived at Origin Facility", "in_transit", "arrived_at_facility", "NORTH HOUSTON", "TX", "77315", 23},
	{"Departed Origin Facility", "in_transit", "departed_facility", "NORTH HOUSTON", "TX", "77315", 26},
	{"Arrived at Destination Facility", "in_transit", "arrived_at_destination_facility", "COLUMBIA", "SC", "29201",
		58},
	{"Out for Delivery", "out_for_delivery", "out_for_delivery", "CHARLESTON", "SC", "29407", 75},
	{"Delivered, In/At Mailbox", "delivered", "arrived_at_destination", "CHARLESTON", "SC", "29407", 79},
};

static const struct event ends[] = {
	{"Return to Sender", "return_to_sender", "return", "CHARLESTON", "SC", "29407", 99},
	{"Delivery Failed", "failure", "failed_delivery", "CHARLESTON", "SC", "29407", 99},
};

static const struct {
	const char *code, *status;
} test_codes[] = {
	{"EZ1000000001", "pre_transit"},
	{"EZ2000000002", "in_transit"},
	{"EZ3000000003", "out_for_delivery"},
	{"EZ4000000004", "delivered"},
	{"EZ5000000005", "return_to_sender"},
	{"EZ6000000006", "failure"},
	{"EZ7000000007", "unknown"},
};

void tracker_free(struct object *object)
{
	struct tracker *tracker = (struct tracker *)object;
	mem_free(tracker->code);
	mem_free(tracker);
}

static uint64_t code_hash(const char *code)
{
	return hash_bytes(code, strlen(code), 0);
}

static const char *status_of(const char *code)
{
	static const char *const others[] = {"delivered", "in_transit", "delivered", "out_for_delivery", "pre_transit",
		"delivered", "in_transit"};
	for (size_t i = 0; i < ARRAY_SIZE(test_codes); i++)
		if (strcmp(test_codes[i].code, code) == 0)
			return test_codes[i].status;
	return others[code_hash(code) % ARRAY_SIZE(others)];
}

/* From the look of the code, where the caller names no carrier. */
static const char *carrier_of(const char *code)
{
	size_t length = strlen(code);
	if (text_has_prefix(code, "1Z"))
		return "UPS";
	if (length == strspn(code, "0123456789"))
		return length == 12 || length == 15 ? "FedEx" : length == 10 ? "DHLExpress" : "USPS";
	return "USPS";
}

static void write_location(const struct event *event, struct json_writer *json)
{
	json_begin_object(json);
	json_member_text(json, "object", "TrackingLocation");
	json_member_text(json, "city", event->city);
	json_member_text(json, "state", event->state);
	json_member_text(json, "country", NULL);
	json_member_text(json, "zip", event->zip);
	json_end_object(json);
}

static void write_event(const struct tracker *tracker, const struct event *event, int64_t from_ms,
	struct json_writer *json)
{
	json_begin_object(json);
	json_member_text(json, "object", "TrackingDetail");
	json_member_text(json, "message", event->message);
	json_member_text(json, "description", "");
	json_member_text(json, "status", event->status);
	json_member_text(json, "status_detail", event->detail);
	answer_date(json, "datetime", from_ms + event->hours * HOUR_MS);
	json_member_text(json, "source", tracker->carrier);
	json_member_text(json, "carrier_code", "");
	json_write_key(json, "tracking_location");
	write_location(event, json);
	json_member_text(json, "est_delivery_date", NULL);
	json_end_object(json);
}

/* Up to and with the last event that has this status; a bad end comes behind the whole way but the last event. */
static void write_events(const struct tracker *tracker, const char *status, int64_t from_ms, struct json_writer *json)
{
	size_t count = 0;
	const struct event *end = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(journey); i++)
		if (strcmp(journey[i].status, status) == 0)
			count = i + 1;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (strcmp(ends[i].status, status) == 0) {
			end = &ends[i];
			count = ARRAY_SIZE(journey) - 1;
		}
	for (size_t i = 0; i < count; i++)
		write_event(tracker, &journey[i], from_ms, json);
	if (end)
		write_event(tracker, end, from_ms, json);
}

static void write_carrier_detail(struct json_writer *json)
{
	json_begin_object(json);
	json_member_text(json, "object", "CarrierDetail");
	json_member_text(json, "service", "First-Class Package Service");
	json_member_text(json, "container_type", NULL);
	json_member_text(json, "est_delivery_date_local", NULL);
	json_member_text(json, "est_delivery_time_local", NULL);
	json_member_text(json, "origin_location", "HOUSTON TX, 77001");
	json_write_key(json, "origin_tracking_location");
	write_location(&journey[1], json);
	json_member_text(json, "destination_location", "CHARLESTON SC, 29401");
	json_member_text(json, "destination_tracking_location", NULL);
	json_member_text(json, "guaranteed_delivery_date", NULL);
	json_member_text(json, "alternate_identifier", NULL);
	json_member_text(json, "initial_delivery_attempt", NULL);
	json_end_object(json);
}

static void write_public_url(const char *id, struct json_writer *json)
{
	char url[128];
	snprintf(url, sizeof(url), "https://track.easypost.com/%s", id);
	json_member_text(json, "public_url", url);
}

static const char *detail_of(const char *status)
{
	for (size_t i = ARRAY_SIZE(journey); i-- > 0;)
		if (strcmp(journey[i].status, status) == 0)
			return journey[i].detail;
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (strcmp(ends[i].status, status) == 0)
			return ends[i].detail;
	return "unknown";
}

static void write_progress(const struct tracker *tracker, const char *status, struct json_writer *json)
{
	int64_t from_ms = EVENTS_FROM_MS + (int64_t)(code_hash(tracker->code) % 28) * DAY_MS;
	bool is_unknown = strcmp(status, "unknown") == 0;
	json_member_text(json, "signed_by", NULL);
	json_write_key(json, "weight");
	json_write_null(json);
	if (is_unknown)
		json_member_text(json, "est_delivery_date", NULL);
	else
		answer_date(json, "est_delivery_date", from_ms + 4 * DAY_MS);
	char shipment[ID_TEXT_SIZE];
	id_format("shp_", tracker->shipment, shipment);
	json_member_text(json, "shipment_id", tracker->shipment.high ? shipment : NULL);
	json_member_text(json, "carrier", tracker->carrier);
	json_write_key(json, "tracking_details");
	json_begin_array(json);
	write_events(tracker, status, from_ms, json);
	json_end_array(json);
	json_write_key(json, "fees");
	json_begin_array(json);
	json_end_array(json);
	json_write_key(json, "carrier_detail");
	if (is_unknown)
		json_write_null(json);
	else
		write_carrier_detail(json);
}

void tracker_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json)
{
	const struct tracker *tracker = (const struct tracker *)object;
	const char *status = tracker->is_fresh ? "unknown" : tracker->status;
	char id[ID_TEXT_SIZE];
	object_format_id(object, id);
	json_begin_object(json);
	json_member_text(json, "id", id);
	json_member_text(json, "object", "Tracker");
	json_member_text(json, "mode", "test");
	json_member_text(json, "tracking_code", tracker->code);
	json_member_text(json, "status", status);
	json_member_text(json, "status_detail", detail_of(status));
	answer_date(json, "created_at", object->created_ms);
	answer_date(json, "updated_at", object->updated_ms);
	write_progress(tracker, status, json);
	json_write_key(json, "delivery_evidence");
	json_begin_array(json);
	json_end_array(json);
	json_member_bool(json, "finalized", true);
	json_member_bool(json, "is_return", strcmp(status, "return_to_sender") == 0);
	write_public_url(id, json);
	json_end_object(json);
}

struct code_key {
	const char *code, *carrier; /* carrier NULL: any */
};

static bool is_tracker_of(const void *entry, const void *key)
{
	const struct tracker *tracker = entry;
	const struct code_key *wanted = key;
	return strcmp(tracker->code, wanted->code) == 0 &&
		(!wanted->carrier || text_equal_ignore_case(tracker->carrier, wanted->carrier));
}

static struct tracker *find_code(const struct sandbox *sandbox, const char *code, const char *carrier)
{
	struct code_key key = {code, carrier};
	return table_find(&sandbox->trackers_by_code, code_hash(code), is_tracker_of, &key);
}

/* The code and, behind it, the name of a carrier that the tariff does not know. */
static bool set_names(struct tracker *tracker, const char *code, const char *carrier)
{
	const char *known = carrier ? rate_carrier_named(carrier) : carrier_of(code);
	size_t code_size = strlen(code) + 1, carrier_size = known ? 0 : strlen(carrier) + 1;
	tracker->code = mem_alloc_zero(code_size + carrier_size);
	if (!tracker->code)
		return false;
	memcpy(tracker->code, code, code_size);
	if (!known)
		memcpy(tracker->code + code_size, carrier, carrier_size);
	tracker->carrier = known ? known : tracker->code + code_size;
	return true;
}

static struct tracker *tracker_new(struct sandbox *sandbox, const char *code, const char *carrier)
{
	struct tracker *tracker = registry_new(&sandbox->registry, OBJECT_TRACKER, sizeof(*tracker));
	if (!tracker || !set_names(tracker, code, carrier) || registry_add(&sandbox->registry, &tracker->object) < 0) {
		if (tracker)
			tracker_free(&tracker->object);
		return NULL;
	}
	tracker->status = status_of(code);
	/* Without its entry here the tracker is found by its id alone: good enough when memory is short. */
	table_add(&sandbox->trackers_by_code, code_hash(code), tracker);
	return tracker;
}

struct tracker *tracker_new_of_label(struct sandbox *sandbox, const char *code, const char *carrier, struct id shipment)
{
	struct tracker *tracker = tracker_new(sandbox, code, carrier);
	if (!tracker)
		return NULL;
	tracker->status = "pre_transit";
	tracker->shipment = shipment;
	tracker->is_fresh = true;
	return tracker;
}

static void answer_refused_code(struct call *call, const char *code)
{
	char message[160];
	struct answer_field field = {NULL, "tracking_code", "is invalid"};
	snprintf(message, sizeof(message), "The tracking code \"%.64s\" is not one of a carrier.", code);
	answer_error(call->answer, 422, "TRACKER.CREATE.ERROR", message, &field, 1);
}

void tracker_handle_create(struct call *call)
{
	struct json_value value;
	if (!call_object(call, "tracker", &value))
		return;
	const char *code = json_get_text(value, "tracking_code"), *carrier = json_get_text(value, "carrier");
	if (text_is_empty(code)) {
		answer_required(call->answer, "tracking_code");
		return;
	}
	if (strlen(code) < 4 || strchr(code, ' ')) {
		answer_refused_code(call, code);
		return;
	}
	carrier = text_is_empty(carrier) ? NULL : carrier;
	struct tracker *tracker = find_code(call->sandbox, code, carrier);
	bool is_new = !tracker;
	if (is_new)
		tracker = tracker_new(call->sandbox, code, carrier);
	if (!tracker) {
		call_failed(call);
		return;
	}
	call_created(call, "trackers", &tracker->object);
	call->answer->status = is_new ? 201 : 200;
	tracker_write(call->sandbox, &tracker->object, &call->answer->json);
}

void tracker_handle_get(struct call *call)
{
	const struct object *object = registry_find(&call->sandbox->registry, OBJECT_TRACKER, call->id);
	if (object)
		tracker_write(call->sandbox, object, &call->answer->json);
	else
		answer_not_found(call->answer);
}

static bool is_wanted(const struct object *object, const struct call *call)
{
	const struct tracker *tracker = (const struct tracker *)object;
	const char *code = call->query(call, "tracking_code"), *carrier = call->query(call, "carrier");
	return (!code || strcmp(tracker->code, code) == 0) &&
		(!carrier || text_equal_ignore_case(tracker->carrier, carrier));
}

void tracker_handle_list(struct call *call)
{
	call_list(call, OBJECT_TRACKER, "trackers", is_wanted, tracker_write);
}

/* Retrieves those that are there; it makes none, as the API's. */
void tracker_handle_batch(struct call *call)
{
	struct json_value codes;
	struct json_iterator it;
	struct json_writer *json = &call->answer->json;
	if (!call->has_body || !json_get(call->body, "tracking_codes", &codes) || json_count(codes) == 0) {
		answer_required(call->answer, "tracking_codes");
		return;
	}
	json_begin_object(json);
	json_write_key(json, "trackers");
	json_begin_array(json);
	for (json_items(codes, &it); json_next(&it);) {
		const char *code;
		struct tracker *tracker =
			json_text(it.value, &code, NULL) ? find_code(call->sandbox, code, NULL) : NULL;
		if (tracker)
			tracker_write(call->sandbox, &tracker->object, json);
	}
	json_end_array(json);
	json_end_object(json);
}
