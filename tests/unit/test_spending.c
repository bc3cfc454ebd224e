/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "carrier/provider.h"
#include "carrier/spending.h"
#include "record/record.h"

/* What a creation may carry, and which raw calls spend. */

/* Sets every field of a record and of all below it. */
static void fill(shipopt_record *record)
{
	int kind = shipopt_record_kind(record), field;
	shipopt_record *below;
	for (size_t i = 0; (field = shipopt_field_at(kind, i)) != 0; i++) {
		int r = 0;
		switch (shipopt_field_type(kind, field)) {
		case SHIPOPT_TYPE_TEXT: r = shipopt_record_set_text(record, field, "x", NULL); break;
		case SHIPOPT_TYPE_INTEGER: r = shipopt_record_set_int(record, field, 1, NULL); break;
		case SHIPOPT_TYPE_DECIMAL: r = shipopt_record_set_decimal(record, field, 1000000, NULL); break;
		case SHIPOPT_TYPE_MONEY: r = shipopt_record_set_money(record, field, 100000000, NULL); break;
		case SHIPOPT_TYPE_TIME: r = shipopt_record_set_time_ms(record, field, 1, NULL); break;
		case SHIPOPT_TYPE_BOOLEAN: r = shipopt_record_set_bool(record, field, 1, NULL); break;
		case SHIPOPT_TYPE_JSON: r = shipopt_record_set_json(record, field, "{}", NULL); break;
		case SHIPOPT_TYPE_CHILD:
			r = shipopt_record_make_child(record, field, &below, NULL);
			fill(below);
			break;
		default: r = shipopt_record_make_item(record, field, &below, NULL); fill(below);
		}
		assert_int_equal(r, 0);
	}
}

static void assert_members(struct json_value object, const char *expected)
{
	struct buffer names;
	struct json_iterator it;
	buffer_init(&names, 4096);
	for (json_members(object, &it); json_next(&it);)
		assert_int_equal(buffer_append_format(&names, "%s%s", names.length ? " " : "", it.key), 0);
	assert_string_equal(buffer_text(&names), expected);
	buffer_done(&names);
}

static json_document *creation_of(const shipopt_record *shipment)
{
	struct carrier_call call;
	json_document *document = NULL;
	carrier_call_init(&call);
	assert_int_equal(provider_easypost.create_shipment(&call, shipment), 0);
	assert_string_equal(buffer_text(&call.path), "/shipments");
	assert_false(call.is_purchase);
	assert_int_equal(spending_find(buffer_text(&call.path), buffer_text(&call.body)), 0);
	assert_int_equal(json_document_parse(call.body.data, call.body.length, &document, NULL), 0);
	carrier_call_done(&call);
	return document;
}

static void a_creation_carries_what_asks_for_the_shipment_and_nothing_else(void **state)
{
	shipopt_record *shipment;
	struct json_value value, child;
	struct json_iterator item;
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	fill(shipment);
	json_document *document = creation_of(shipment);
	assert_members(json_root(document), "shipment");
	assert_true(json_get(json_root(document), "shipment", &value));
	assert_members(value,
		"reference to_address from_address return_address buyer_address parcel customs_info options is_return "
		"tax_identifiers carrier_accounts");
	assert_true(json_get(value, "to_address", &child));
	assert_members(child,
		"name company street1 street2 city state zip country phone email residential carrier_facility "
		"federal_tax_id state_tax_id id");
	assert_true(json_get(value, "parcel", &child));
	assert_members(child, "length width height predefined_package weight id");
	assert_true(json_get2(value, "customs_info", "customs_items", &child));
	json_items(child, &item);
	assert_true(json_next(&item));
	assert_members(item.value,
		"description quantity value weight hs_tariff_number origin_country currency code manufacturer eccn "
		"printed_commodity_identifier id");
	json_document_free(document);
	shipopt_record_free(shipment);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

/* However the record came to have it: decoded, set, made null, changed. */
static void no_form_of_a_spending_field_is_sent(void **state)
{
	static const char *const forms[] = {"{\"service\":null,\"carrier\":null,\"insurance\":null}",
		"{\"service\":\"Priority\",\"carrier\":\"USPS\",\"insurance\":100}",
		"{\"service\":7,\"insurance\":\"100.00\"}", "{\"service\":\" \",\"carrier\":\"\",\"insurance\":\"0\"}",
		("{\"id\":\"shp_1\",\"status\":\"unknown\",\"tracking_code\":\"T\",\"selected_rate\":{\"id\":\"rate_1\"},"
		 "\"postage_label\":{\"id\":\"pl_1\"},\"rates\":[{\"id\":\"rate_1\",\"service\":\"Priority\"}],\"fees\":[]}")};
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		shipopt_record *shipment = NULL;
		struct json_value value;
		assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, forms[i], strlen(forms[i]), &shipment,
					 NULL),
			0);
		json_document *document = creation_of(shipment);
		assert_true(json_get(json_root(document), "shipment", &value));
		assert_members(value, "");
		json_document_free(document);
		shipopt_record_free(shipment);
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void what_is_asked_for_still_counts_in_the_fingerprint(void **state)
{
	static const char *const forms[] = {"{}", "{\"service\":\"Priority\"}", "{\"carrier\":\"USPS\"}",
		"{\"insurance\":\"100\"}", "{\"insurance\":\"200\"}"};
	char hex[ARRAY_SIZE(forms)][HASH_HEX_SIZE];
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		shipopt_record *shipment = NULL;
		assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, forms[i], strlen(forms[i]), &shipment,
					 NULL),
			0);
		assert_int_equal(record_fingerprint(shipment, hex[i]), 0);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(hex[i], hex[j]);
		shipopt_record_free(shipment);
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void raw_calls_that_spend_are_known_by_path_and_body(void **state)
{
	static const struct {
		int spends;
		const char *path, *json;
	} cases[] = {
		{1, "/shipments/shp_1/buy", "{\"rate\":{\"id\":\"rate_1\"}}"},
		{1, "/orders/order_1/buy", "{\"carrier\":\"USPS\",\"service\":\"Priority\"}"},
		{1, "/batches/batch_1/buy", NULL},
		{1, "/pickups/pickup_1/buy?x=1", NULL},
		{1, "/shipments/shp_1/buy/", "{}"},
		{1, "/shipments/shp_1/buy.json", "{}"},
		{1, "/shipments/shp_1/%62%75y", "{}"},
		{1, "/shipments/x/../shp_1/buy", "{}"},
		{1, "/batches/create_and_buy", "{}"},
		{1, "/shipments/luma", "{\"shipment\":{}}"},
		{1, "/shipments/shp_1/insure", "{\"amount\":\"100\"}"},
		{1, "/insurances", "{}"},
		{1, "/credit_cards/card_1/charges", "{\"amount\":\"100\"}"},
		{1, "/shipments", "{\"shipment\":{\"parcel\":{\"weight\":1},\"service\":\"Priority\"}}"},
		{1, "/shipments/", "{\"shipment\":{\"ser\\u0076ice\":\"Priority\"}}"},
		{1, "/shipments", "{\"service\":\"Priority\",\"shipment\":{}}"},
		{1, "/shipments", "{\"shipment\":{\"service\":null},\"shipment\":{\"service\":\"Priority\"}}"},
		{1, "/shipments", "{\"shipment\":{\"service\":\"\",\"service\":\"Priority\"}}"},
		{1, "/shipments", "{\"shipment\":{\"insurance\":100}}"},
		{1, "/shipments", "{\"shipment\":{\"insurance\":\"0.01\"}}"},
		{1, "/shipments", "[{\"shipment\":{\"service\":\"Priority\"}}]"},
		{1, "/orders", "{\"order\":{\"service\":\"Priority\",\"shipments\":[{}]}}"},
		{1, "/batches", "{\"batch\":{\"shipments\":[{},{\"service\":\"Priority\"}]}}"},
		{1, "/shipments", "shipment[service]=Priority"},
		{1, "/shipments", "{\"shipment\":{\"service\":\"Priority\"}"},
		{1, "/shipments", "{\"shipment\":{\"reference\":\"\xff\"}}"},
		{0, "/shipments", NULL},
		{0, "/shipments", ""},
		{0, "/shipments", "{\"shipment\":{\"parcel\":{\"weight\":1}}}"},
		{0, "/shipments", "{\"shipment\":{\"service\":null,\"insurance\":0}}"},
		{0, "/shipments", "{\"shipment\":{\"service\":\" \",\"insurance\":\"0.00\",\"carrier\":\"USPS\"}}"},
		{0, "/shipments",
			"{\"shipment\":{\"rates\":[{\"service\":\"Priority\"}],\"options\":{\"service\":\"x\"}}}"},
		{0, "/shipments/shp_1/rerate", "{}"},
		{0, "/shipments/shp_1/refund", "{}"},
		{0, "/trackers?service=buy", "{\"tracker\":{\"tracking_code\":\"EZ1\",\"carrier\":\"USPS\"}}"},
		{0, "/addresses?next=/buy", "{\"address\":{\"name\":\"buy\"}}"},
		{0, "/shipments/shp_1/buyer", "{}"},
		{0, "/shipments/rebuy", "{}"},
		{0, "/shipments/%6", "{}"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (spending_find(cases[i].path, cases[i].json) != cases[i].spends)
			fail_msg("%s %s", cases[i].path, cases[i].json ? cases[i].json : "");
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

/* Nested deeper than our reader goes: the API's may go further. */
static void a_body_that_is_too_deep_may_hold_anything(void **state)
{
	struct buffer json;
	buffer_init(&json, 65536);
	for (int i = 0; i < JSON_DEPTH_MAX + 8; i++)
		assert_int_equal(buffer_append_text(&json, "{\"shipment\":"), 0);
	assert_int_equal(buffer_append_text(&json, "{\"service\":\"Priority\"}"), 0);
	for (int i = 0; i < JSON_DEPTH_MAX + 8; i++)
		assert_int_equal(buffer_append_text(&json, "}"), 0);
	assert_int_equal(spending_find("/shipments", buffer_text(&json)), 1);
	buffer_done(&json);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
static void without_memory_nothing_is_said(void **state)
{
	for (long passes = 0;; passes++) {
		json_stock_clear();
		fault_arm(passes);
		int r = spending_find("/shipments", "{\"shipment\":{\"reference\":\"r\"}}");
		bool fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(r, fired ? SHIPOPT_ENOMEM : 0);
		if (fired)
			continue;
		assert_true(passes > 0);
		break;
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_creation_carries_what_asks_for_the_shipment_and_nothing_else),
		cmocka_unit_test(no_form_of_a_spending_field_is_sent),
		cmocka_unit_test(what_is_asked_for_still_counts_in_the_fingerprint),
		cmocka_unit_test(raw_calls_that_spend_are_known_by_path_and_body),
		cmocka_unit_test(a_body_that_is_too_deep_may_hold_anything),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(without_memory_nothing_is_said),
#endif
	};
	return cmocka_run_group_tests_name("spending", tests, NULL, NULL);
}
