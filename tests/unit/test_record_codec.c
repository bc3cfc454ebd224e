/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "record/record.h"

/* Every trap of the wire in one made-up shipment. */
static const char shipment_json[] =
	"{\"id\":\"shp_1\",\"object\":\"Shipment\",\"created_at\":\"2025-11-07T18:00:55Z\",\"updated_at\":\"2025-11-07T20:00:55+02:00\","
	"\"is_return\":false,\"mode\":\"test\",\"reference\":12345,\"status\":\"unknown\",\"tracking_code\":null,\"insurance\":\"100.00000\","
	"\"options\":{ \"currency\" : \"USD\", \"payment\":{\"type\":\"SENDER\"}, \"note\":\"a \\\" b\" },"
	"\"to_address\":{\"name\":\"A\",\"zip\":\"02114\",\"street2\":null,\"residential\":true,\"verifications\":{\"delivery\":{\"success\":false}}},"
	"\"from_address\":\"adr_1\",\"parcel\":{\"length\":10,\"width\":8.50,\"height\":\"4\",\"weight\":1.54e1},"
	"\"customs_info\":{\"customs_certify\":\"true\",\"customs_items\":[{\"quantity\":2.0,\"value\":\"35,65\",\"weight\":11,"
	"\"hs_tariff_number\":654321}]},"
	"\"rates\":[{\"id\":\"rate_1\",\"carrier\":\"USPS\",\"service\":\"Priority\",\"rate\":\"5.21\",\"list_rate\":34.15,"
	"\"delivery_days\":\"2\",\"delivery_date\":\"2025-06-14\"},null,{\"id\":\"rate_2\",\"rate\":null}],"
	"\"messages\":[{\"carrier\":\"UPS\",\"type\":\"rate_error\",\"message\":[\"bad zip\",{\"why\":[\"too\",7]}]},"
	"{\"message\":{\"code\":\"x\"}},{\"message\":\"plain\"}],"
	"\"fees\":[{\"type\":\"LabelFee\",\"amount\":\"0.00000\",\"charged\":true,\"refunded\":false}],"
	"\"forms\":[],\"usps_zone\":4,\"postage_label\":{\"label_date\":\"2024-08-02T22:12:53\",\"label_url\":\"https://x/y.png\"},"
	"\"tracker\":{\"weight\":136.0,\"tracking_details\":[{\"datetime\":\"2025-01-02T03:04:05.456Z\",\"status\":\"delivered\","
	"\"tracking_location\":{\"city\":\"Boston\"}}]},\"status_x\":{\"kept\":1},\"selected_rate\":[1],\"batch_id\":true}";

static shipopt_record *decode(int kind, const char *json)
{
	shipopt_record *record = NULL;
	assert_int_equal(shipopt_record_decode(kind, json, strlen(json), &record, NULL), 0);
	return record;
}

static char *encode(const shipopt_record *record, int what)
{
	char *json = NULL;
	assert_int_equal(shipopt_record_encode(record, what, &json, NULL), 0);
	return json;
}

static void assert_encodes(const shipopt_record *record, int what, const char *expected)
{
	char *json = encode(record, what);
	assert_string_equal(json, expected);
	shipopt_free(json);
}

static void assert_money(const shipopt_record *record, int field, int64_t millionths, const char *source)
{
	int64_t value = 0;
	const char *text = NULL;
	assert_int_equal(shipopt_record_get_money(record, field, &value), 1);
	assert_int_equal(value, millionths);
	assert_int_equal(shipopt_record_get_source_text(record, field, &text), 1);
	assert_string_equal(text, source);
}

static void wire_shapes_of_scalars_are_understood(void **state)
{
	shipopt_record *shipment = decode(SHIPOPT_RECORD_SHIPMENT, shipment_json);
	assert_string_equal(shipopt_record_text(shipment, SHIPOPT_SHIPMENT_REFERENCE), "12345");
	assert_int_equal(shipopt_record_state(shipment, SHIPOPT_SHIPMENT_TRACKING_CODE), SHIPOPT_FIELD_NULL);
	assert_int_equal(shipopt_record_number(shipment, SHIPOPT_SHIPMENT_CREATED_AT, 0), 1762538455000);
	assert_int_equal(shipopt_record_number(shipment, SHIPOPT_SHIPMENT_UPDATED_AT, 0), 1762538455000);
	assert_money(shipment, SHIPOPT_SHIPMENT_INSURANCE, 100000000, "100.00000");
	assert_int_equal(shipopt_record_number(shipment, SHIPOPT_SHIPMENT_USPS_ZONE, 0), 4);
	assert_int_equal(shipopt_record_number(shipment, SHIPOPT_SHIPMENT_IS_RETURN, 7), 0);
	assert_string_equal(shipopt_record_text(shipment, SHIPOPT_SHIPMENT_OPTIONS),
		"{\"currency\":\"USD\",\"payment\":{\"type\":\"SENDER\"},\"note\":\"a \\\" b\"}");
	const shipopt_record *to = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS);
	assert_string_equal(shipopt_record_text(to, SHIPOPT_ADDRESS_ZIP), "02114");
	assert_int_equal(shipopt_record_state(to, SHIPOPT_ADDRESS_STREET2), SHIPOPT_FIELD_NULL);
	assert_int_equal(shipopt_record_state(to, SHIPOPT_ADDRESS_CITY), SHIPOPT_FIELD_ABSENT);
	const shipopt_record *parcel = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_PARCEL);
	assert_int_equal(shipopt_record_number(parcel, SHIPOPT_PARCEL_LENGTH, 0), 10000000);
	assert_int_equal(shipopt_record_number(parcel, SHIPOPT_PARCEL_WIDTH, 0), 8500000);
	assert_int_equal(shipopt_record_number(parcel, SHIPOPT_PARCEL_HEIGHT, 0), 4000000);
	assert_int_equal(shipopt_record_number(parcel, SHIPOPT_PARCEL_WEIGHT, 0), 15400000);
	const shipopt_record *customs = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_CUSTOMS_INFO);
	assert_int_equal(shipopt_record_number(customs, SHIPOPT_CUSTOMS_INFO_CUSTOMS_CERTIFY, 0), 1);
	const shipopt_record *item = shipopt_record_item(customs, SHIPOPT_CUSTOMS_INFO_CUSTOMS_ITEMS, 0);
	assert_int_equal(shipopt_record_number(item, SHIPOPT_CUSTOMS_ITEM_QUANTITY, 0), 2);
	assert_money(item, SHIPOPT_CUSTOMS_ITEM_VALUE, 35650000, "35,65");
	assert_string_equal(shipopt_record_text(item, SHIPOPT_CUSTOMS_ITEM_HS_TARIFF_NUMBER), "654321");
	shipopt_record_free(shipment);
	assert_int_equal(mem_live_count(), 0);
}

static void money_that_cannot_be_read_is_absent_and_keeps_its_text(void **state)
{
	static const char *const unreadable[] = {"1,234", "$7.25", "free", ""};
	shipopt_record *rate = decode(SHIPOPT_RECORD_RATE,
		"{\"rate\":\"1,234.56\",\"retail_rate\":\"1 234,50\",\"list_rate\":1.05e1}");
	assert_money(rate, SHIPOPT_RATE_RATE, 1234560000, "1,234.56");
	assert_money(rate, SHIPOPT_RATE_RETAIL_RATE, 1234500000, "1 234,50");
	assert_money(rate, SHIPOPT_RATE_LIST_RATE, 10500000, "1.05e1");
	assert_encodes(rate, SHIPOPT_ENCODE_ALL,
		"{\"rate\":\"1234.56\",\"retail_rate\":\"1234.50\",\"list_rate\":\"10.50\"}");
	shipopt_record_free(rate);
	for (size_t i = 0; i < ARRAY_SIZE(unreadable); i++) {
		char json[64];
		const char *text = NULL;
		int64_t amount = 42;
		shipopt_record *copy = NULL;
		snprintf(json, sizeof(json), "{\"amount\":\"%s\",\"type\":\"x\"}", unreadable[i]);
		shipopt_record *fee = decode(SHIPOPT_RECORD_FEE, json);
		assert_int_equal(shipopt_record_get_money(fee, SHIPOPT_FEE_AMOUNT, &amount), 0);
		assert_int_equal(shipopt_record_number(fee, SHIPOPT_FEE_AMOUNT, -1), -1);
		assert_int_equal(shipopt_record_state(fee, SHIPOPT_FEE_AMOUNT), SHIPOPT_FIELD_ABSENT);
		assert_int_equal(shipopt_record_get_source_text(fee, SHIPOPT_FEE_AMOUNT, &text), 1);
		assert_string_equal(text, unreadable[i]);
		assert_encodes(fee, SHIPOPT_ENCODE_ALL, "{\"type\":\"x\"}");
		assert_int_equal(shipopt_record_copy(fee, &copy), 0);
		assert_int_equal(shipopt_record_get_source_text(copy, SHIPOPT_FEE_AMOUNT, &text), 1);
		assert_string_equal(text, unreadable[i]);
		assert_int_equal(shipopt_record_set_money(copy, SHIPOPT_FEE_AMOUNT, 7250000, NULL), 0);
		assert_int_equal(shipopt_record_get_source_text(copy, SHIPOPT_FEE_AMOUNT, &text), 0);
		shipopt_record_free(copy);
		shipopt_record_free(fee);
	}
	assert_int_equal(mem_live_count(), 0);
}

static void lists_and_children_are_understood(void **state)
{
	shipopt_record *shipment = decode(SHIPOPT_RECORD_SHIPMENT, shipment_json);
	assert_int_equal(shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES), 2);
	const shipopt_record *rate = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, 0);
	assert_money(rate, SHIPOPT_RATE_RATE, 5210000, "5.21");
	assert_money(rate, SHIPOPT_RATE_LIST_RATE, 34150000, "34.15");
	assert_int_equal(shipopt_record_number(rate, SHIPOPT_RATE_DELIVERY_DAYS, 0), 2);
	assert_int_equal(shipopt_record_number(rate, SHIPOPT_RATE_DELIVERY_DATE, 0), 1749859200000);
	rate = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, 1);
	assert_int_equal(shipopt_record_number(rate, SHIPOPT_RATE_RATE, -1), -1);
	assert_null(shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, 2));
	static const char *const messages[] = {"bad zip, too, 7", "x", "plain"};
	for (size_t i = 0; i < 3; i++)
		assert_string_equal(shipopt_record_text(shipopt_record_item(shipment, SHIPOPT_SHIPMENT_MESSAGES, i),
					    SHIPOPT_MESSAGE_MESSAGE),
			messages[i]);
	assert_int_equal(shipopt_record_state(shipment, SHIPOPT_SHIPMENT_FORMS), SHIPOPT_FIELD_SET);
	assert_int_equal(shipopt_record_count(shipment, SHIPOPT_SHIPMENT_FORMS), 0);
	const shipopt_record *tracker = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_TRACKER);
	const shipopt_record *event = shipopt_record_item(tracker, SHIPOPT_TRACKER_TRACKING_DETAILS, 0);
	assert_int_equal(shipopt_record_number(event, SHIPOPT_TRACKING_EVENT_DATETIME, 0), 1735787045456);
	assert_string_equal(shipopt_record_text(shipopt_record_child(event, SHIPOPT_TRACKING_EVENT_TRACKING_LOCATION),
				    SHIPOPT_LOCATION_CITY),
		"Boston");
	shipopt_record_free(shipment);
}

static void unexpected_types_stay_in_the_source_only(void **state)
{
	shipopt_record *shipment = decode(SHIPOPT_RECORD_SHIPMENT, shipment_json);
	assert_int_equal(shipopt_record_state(shipment, SHIPOPT_SHIPMENT_FROM_ADDRESS), SHIPOPT_FIELD_ABSENT);
	assert_int_equal(shipopt_record_state(shipment, SHIPOPT_SHIPMENT_SELECTED_RATE), SHIPOPT_FIELD_ABSENT);
	assert_int_equal(shipopt_record_state(shipment, SHIPOPT_SHIPMENT_BATCH_ID), SHIPOPT_FIELD_ABSENT);
	assert_string_equal(shipopt_record_source(shipment), shipment_json);
	assert_null(shipopt_record_source(shipopt_record_child(shipment, SHIPOPT_SHIPMENT_PARCEL)));
	shipopt_record_free(shipment);
}

static void bad_input_is_refused(void **state)
{
	shipopt_record *record = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_RATE, "[]", 2, &record, &error), SHIPOPT_EPARSE);
	assert_non_null(strstr(shipopt_error_message(error), "rate"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_RATE, "{", 1, &record, NULL), SHIPOPT_EPARSE);
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_RATE, "", 0, &record, NULL), SHIPOPT_EPARSE);
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_RATE, "{\"id\":\"\xff\"}", 10, &record, NULL),
		SHIPOPT_EENCODING);
	assert_int_equal(shipopt_record_decode(99, "{}", 2, &record, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_RATE, NULL, 2, &record, NULL), SHIPOPT_EINVAL);
	assert_null(record);
	assert_int_equal(shipopt_record_encode(NULL, 0, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(mem_live_count(), 0);
}

static char *repeat(const char *begin, const char *item, size_t count, const char *end)
{
	struct buffer buffer;
	buffer_init(&buffer, (size_t)4 << 20);
	assert_int_equal(buffer_append_text(&buffer, begin), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(buffer_append_text(&buffer, item), 0);
	assert_int_equal(buffer_append_text(&buffer, end), 0);
	return buffer_take(&buffer);
}

static void bounds_hold(void **state)
{
	shipopt_record *record = NULL;
	char *json = repeat("{\"rates\":[{}", ",{}", SHIPOPT_LIST_ITEMS_MAX - 1, "]}");
	record = decode(SHIPOPT_RECORD_SHIPMENT, json);
	assert_int_equal(shipopt_record_count(record, SHIPOPT_SHIPMENT_RATES), SHIPOPT_LIST_ITEMS_MAX);
	shipopt_record *item;
	assert_int_equal(shipopt_record_make_item(record, SHIPOPT_SHIPMENT_RATES, &item, NULL), SHIPOPT_ETOOLARGE);
	shipopt_record_free(record);
	mem_free(json);
	json = repeat("{\"rates\":[{}", ",{}", SHIPOPT_LIST_ITEMS_MAX, "]}");
	record = NULL;
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, json, strlen(json), &record, NULL),
		SHIPOPT_ETOOLARGE);
	mem_free(json);
	/* Too long for a field, still in the source; then too long for the source. */
	json = repeat("{\"label_url\":\"u\",\"label_size\":\"", "x", RECORD_TEXT_MAX + 1, "\"}");
	record = decode(SHIPOPT_RECORD_POSTAGE_LABEL, json);
	assert_int_equal(shipopt_record_state(record, SHIPOPT_POSTAGE_LABEL_LABEL_SIZE), SHIPOPT_FIELD_ABSENT);
	assert_string_equal(shipopt_record_text(record, SHIPOPT_POSTAGE_LABEL_LABEL_URL), "u");
	assert_string_equal(shipopt_record_source(record), json);
	shipopt_record_free(record);
	mem_free(json);
	json = repeat("{\"label_url\":\"u\",\"label_file\":\"", "x", RECORD_SOURCE_MAX, "\"}");
	record = decode(SHIPOPT_RECORD_POSTAGE_LABEL, json);
	assert_null(shipopt_record_source(record));
	shipopt_record_free(record);
	mem_free(json);
	assert_int_equal(mem_live_count(), 0);
}

static void requests_are_written_as_the_carrier_takes_them(void **state)
{
	shipopt_record *shipment = NULL, *parcel, *to;
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL), 0);
	assert_int_equal(shipopt_record_set_text(to, SHIPOPT_ADDRESS_NAME,
				 "Mus\xc3\xa9"
				 "e \"A\"",
				 NULL),
		0);
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_PARCEL, &parcel, NULL), 0);
	assert_int_equal(shipopt_record_set_decimal_text(parcel, SHIPOPT_PARCEL_WEIGHT, "15.40", NULL), 0);
	assert_int_equal(shipopt_record_set_money_text(shipment, SHIPOPT_SHIPMENT_INSURANCE, "249.9", NULL), 0);
	assert_int_equal(shipopt_record_set_bool(shipment, SHIPOPT_SHIPMENT_IS_RETURN, 5, NULL), 0);
	assert_int_equal(shipopt_record_set_json(shipment, SHIPOPT_SHIPMENT_CARRIER_ACCOUNTS, "[ \"ca_1\" ]", NULL), 0);
	assert_int_equal(shipopt_record_set_time_ms(shipment, SHIPOPT_SHIPMENT_CREATED_AT, 1762538455000, NULL), 0);
	assert_int_equal(shipopt_record_set_null(shipment, SHIPOPT_SHIPMENT_REFERENCE, NULL), 0);
	assert_encodes(shipment, SHIPOPT_ENCODE_ALL,
		"{\"reference\":null,\"to_address\":{\"name\":\"Mus\xc3\xa9"
		"e \\\"A\\\"\"},\"parcel\":{\"weight\":15.4},\"is_return\":true,"
		"\"insurance\":\"249.90\",\"carrier_accounts\":[\"ca_1\"],\"created_at\":\"2025-11-07T18:00:55Z\"}");
	shipopt_record_free(shipment);
	shipment = decode(SHIPOPT_RECORD_CUSTOMS_ITEM, "{\"value\":\"35,65\",\"weight\":\"011\"}");
	assert_encodes(shipment, SHIPOPT_ENCODE_ALL, "{\"value\":\"35.65\",\"weight\":11}");
	shipopt_record_free(shipment);
}

static void only_changes_are_encoded_on_request(void **state)
{
	shipopt_record *shipment = decode(SHIPOPT_RECORD_SHIPMENT, shipment_json), *to, *fee;
	assert_encodes(shipment, SHIPOPT_ENCODE_CHANGED, "{}");
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL), 0);
	assert_encodes(shipment, SHIPOPT_ENCODE_CHANGED, "{}");
	assert_int_equal(shipopt_record_set_text(to, SHIPOPT_ADDRESS_CITY, "Boston", NULL), 0);
	assert_encodes(shipment, SHIPOPT_ENCODE_CHANGED, "{\"to_address\":{\"city\":\"Boston\"}}");
	assert_int_equal(shipopt_record_set_null(shipment, SHIPOPT_SHIPMENT_MODE, NULL), 0);
	assert_int_equal(shipopt_record_make_item(shipment, SHIPOPT_SHIPMENT_FEES, &fee, NULL), 0);
	assert_encodes(shipment, SHIPOPT_ENCODE_CHANGED,
		"{\"to_address\":{\"city\":\"Boston\"},\"fees\":[{\"type\":\"LabelFee\",\"amount\":\"0.00000\",\"charged\":true,"
		"\"refunded\":false},{}],\"mode\":null}");
	shipopt_record_mark_unchanged(shipment);
	assert_encodes(shipment, SHIPOPT_ENCODE_CHANGED, "{}");
	/* A record put in place is new as a whole, wherever it came from. */
	shipopt_record *copy = NULL;
	assert_int_equal(shipopt_record_copy(shipopt_record_child(shipment, SHIPOPT_SHIPMENT_PARCEL), &copy), 0);
	assert_int_equal(shipopt_record_set_child(shipment, SHIPOPT_SHIPMENT_PARCEL, copy, NULL), 0);
	assert_encodes(shipment, SHIPOPT_ENCODE_CHANGED,
		"{\"parcel\":{\"length\":10,\"width\":8.50,\"height\":4,\"weight\":15.4}}");
	shipopt_record_free(shipment);
}

/* Decodes, encodes, decodes and encodes again: the texts and the request content must be the same. */
static void assert_round_trip(int kind, const char *json, size_t length)
{
	shipopt_record *first = NULL, *second = NULL, *copy = NULL;
	char left[HASH_HEX_SIZE], right[HASH_HEX_SIZE];
	assert_int_equal(shipopt_record_decode(kind, json, length, &first, NULL), 0);
	char *once = encode(first, SHIPOPT_ENCODE_ALL);
	second = decode(kind, once);
	assert_encodes(second, SHIPOPT_ENCODE_ALL, once);
	assert_int_equal(shipopt_record_copy(first, &copy), 0);
	assert_encodes(copy, SHIPOPT_ENCODE_ALL, once);
	assert_int_equal(record_fingerprint(first, left), 0);
	assert_int_equal(record_fingerprint(second, right), 0);
	assert_string_equal(left, right);
	shipopt_free(once);
	shipopt_record_free(copy);
	shipopt_record_free(first);
	shipopt_record_free(second);
}

static void encoding_and_decoding_are_inverse(void **state)
{
	assert_round_trip(SHIPOPT_RECORD_SHIPMENT, shipment_json, strlen(shipment_json));
	assert_int_equal(mem_live_count(), 0);
}

/* Bytes changed, cut and doubled: an error or a record that can be written, read and compared again. */
static void mutated_answers_are_errors_or_records(void **state)
{
	static const char bytes[] = "{}[]\",:0-.eE1tn\\u\xff ";
	uint32_t random = 1;
	for (int round = 0; round < 3000; round++) {
		char json[sizeof(shipment_json)];
		size_t length = sizeof(shipment_json) - 1;
		shipopt_record *record = NULL;
		memcpy(json, shipment_json, sizeof(json));
		for (int i = 0; i <= round % 4; i++) {
			random = random * 1664525 + 1013904223;
			json[(random >> 8) % length] = bytes[(random >> 4) % (sizeof(bytes) - 1)];
		}
		if (round % 50 == 0)
			length = (random >> 8) % length;
		if (shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, json, length, &record, NULL) < 0)
			continue;
		shipopt_record_free(record);
		assert_round_trip(SHIPOPT_RECORD_SHIPMENT, json, length);
	}
	assert_int_equal(mem_live_count(), 0);
}

static int kind_of_object(const char *object)
{
	static const struct {
		const char *object;
		int kind;
	} kinds[] = {{"Address", SHIPOPT_RECORD_ADDRESS}, {"Parcel", SHIPOPT_RECORD_PARCEL},
		{"CustomsInfo", SHIPOPT_RECORD_CUSTOMS_INFO}, {"CustomsItem", SHIPOPT_RECORD_CUSTOMS_ITEM},
		{"Shipment", SHIPOPT_RECORD_SHIPMENT}, {"Rate", SHIPOPT_RECORD_RATE}, {"Fee", SHIPOPT_RECORD_FEE},
		{"PostageLabel", SHIPOPT_RECORD_POSTAGE_LABEL}, {"Tracker", SHIPOPT_RECORD_TRACKER},
		{"TrackingDetail", SHIPOPT_RECORD_TRACKING_EVENT}, {"TrackingLocation", SHIPOPT_RECORD_LOCATION},
		{"CarrierDetail", SHIPOPT_RECORD_CARRIER_DETAIL}, {"Form", SHIPOPT_RECORD_FORM},
		{"Refund", SHIPOPT_RECORD_REFUND}};
	for (size_t i = 0; object && i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].object, object) == 0)
			return kinds[i].kind;
	return 0;
}

/* Known scalars of the object must have arrived: everything but null, objects, lists. */
static void assert_complete(int kind, struct json_value object)
{
	shipopt_record *record = NULL;
	struct json_iterator it;
	assert_int_equal(record_decode_value(kind, object, &record), 0);
	for (json_members(object, &it); json_next(&it);) {
		int field = 0;
		for (size_t i = 0; (field = shipopt_field_at(kind, i)) != 0; i++)
			if (strcmp(shipopt_field_name(kind, field), it.key) == 0)
				break;
		if (!field)
			continue;
		size_t length = 0;
		const char *bytes;
		assert_true(json_source(it.value, &bytes, &length));
		bool null = json_type(it.value) == JSON_NULL;
		const struct record_field *known = record_field_find(record_kind_find(kind), field);
		bool long_text = json_type(it.value) == JSON_STRING && length > record_text_max(known);
		int expected = null ? SHIPOPT_FIELD_NULL : long_text ? SHIPOPT_FIELD_ABSENT : SHIPOPT_FIELD_SET;
		if (shipopt_record_state(record, field) != expected)
			fail_msg("%s of kind %d: state %d, source %.*s", it.key, kind,
				shipopt_record_state(record, field), (int)MIN(length, 100), bytes);
	}
	shipopt_record_free(record);
}

static size_t visit(struct json_value value)
{
	struct json_iterator it;
	size_t count = 0;
	int kind = kind_of_object(json_get_text(value, "object"));
	if (kind) {
		const char *bytes;
		size_t length;
		assert_true(json_source(value, &bytes, &length));
		assert_complete(kind, value);
		assert_round_trip(kind, bytes, length);
		count++;
	}
	if (json_type(value) == JSON_ARRAY)
		json_items(value, &it);
	else
		json_members(value, &it);
	while (json_next(&it))
		count += visit(it.value);
	return count;
}

static size_t visit_interaction(char *line)
{
	json_document *document = NULL, *body = NULL;
	struct json_value status;
	int64_t code = 0;
	size_t count = 0;
	assert_int_equal(json_document_parse(line, strlen(line), &document, NULL), 0);
	const char *response = json_get_text(json_root(document), "response");
	assert_true(json_get(json_root(document), "status", &status) && json_i64(status, &code));
	if (code / 100 == 2 && response && json_document_parse(response, strlen(response), &body, NULL) == 0)
		count = visit(json_root(body));
	json_document_free(body);
	json_document_free(document);
	return count;
}

static void recorded_answers_survive_a_round_trip(void **state)
{
	const char *shared = getenv("SHIPOPT_SHARED");
	char path[512], *line = NULL;
	size_t size = 0, count = 0;
	snprintf(path, sizeof(path), "%s/easypost/recorded.jsonl", shared ? shared : "../shared");
	FILE *file = fopen(path, "r");
	if (!file) {
		print_message("skipped: no recorded answers at %s\n", path);
		return;
	}
	while (getline(&line, &size, file) > 0)
		count += visit_interaction(line);
	free(line);
	fclose(file);
	print_message("%zu recorded objects\n", count);
	assert_true(count > 100);
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
static int decode_copy_encode(void)
{
	shipopt_record *record CLEANUP_RECORD = NULL;
	shipopt_record *copy CLEANUP_RECORD = NULL;
	char *json CLEANUP_FREE = NULL;
	char hex[HASH_HEX_SIZE];
	int r = shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, shipment_json, strlen(shipment_json), &record, NULL);
	if (r == 0)
		r = shipopt_record_copy(record, &copy);
	if (r == 0)
		r = shipopt_record_encode(copy, SHIPOPT_ENCODE_ALL, &json, NULL);
	return r < 0 ? r : record_fingerprint(copy, hex);
}

static void every_failed_allocation_comes_back_as_an_error(void **state)
{
	for (long passes = 0;; passes++) {
		json_stock_clear();
		fault_arm(passes);
		int r = decode_copy_encode();
		bool fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(r, fired ? SHIPOPT_ENOMEM : 0);
		assert_int_equal(mem_live_count(), 0);
		if (!fired) {
			assert_true(passes > 50);
			return;
		}
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_shapes_of_scalars_are_understood),
		cmocka_unit_test(money_that_cannot_be_read_is_absent_and_keeps_its_text),
		cmocka_unit_test(lists_and_children_are_understood),
		cmocka_unit_test(unexpected_types_stay_in_the_source_only),
		cmocka_unit_test(bad_input_is_refused),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(requests_are_written_as_the_carrier_takes_them),
		cmocka_unit_test(only_changes_are_encoded_on_request),
		cmocka_unit_test(encoding_and_decoding_are_inverse),
		cmocka_unit_test(mutated_answers_are_errors_or_records),
		cmocka_unit_test(recorded_answers_survive_a_round_trip),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failed_allocation_comes_back_as_an_error),
#endif
	};
	return cmocka_run_group_tests_name("record codec", tests, NULL, NULL);
}
