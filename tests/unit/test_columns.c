/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/memory.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "record/country.h"
#include "record/record.h"

static shipopt_record *shipment_new(void)
{
	shipopt_record *shipment = NULL;
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	return shipment;
}

static int set(shipopt_record *shipment, const char *column, const char *text)
{
	return shipopt_record_set_column(shipment, column, text, NULL);
}

static void assert_encodes(const shipopt_record *shipment, const char *expected)
{
	char *json = NULL;
	assert_int_equal(shipopt_record_encode(shipment, SHIPOPT_ENCODE_ALL, &json, NULL), 0);
	assert_string_equal(json, expected);
	shipopt_free(json);
}

static void columns_go_to_their_fields(void **state)
{
	static const char *const cells[][2] = {
		{"reference", " R-1 "},
		{"to_name", "Ada"},
		{"to_zip", "02114"},
		{"to_country", "united states"},
		{"to_residential", "Yes"},
		{"from_company", "C"},
		{"from_country", "Deutschland"},
		{"return_city", "Z"},
		{"buyer_email", "b@example.com"},
		{"length_in", "10"},
		{"weight_oz", "15,4"},
		{"predefined_package", "Parcel"},
		{"contents_type", "gift"},
		{"customs_certify", "1"},
		{"item2_value", "3.5"},
		{"item_description", "Shirt"},
		{"item1_quantity", "2.0"},
		{"item2_origin_country", "de"},
		{"item1_weight_oz", "1"},
		{"item1_hs_code", "6109.10"},
		{"option_label_format", "PDF"},
		{"option_saturday_delivery", "TRUE"},
		{"option_label_format", "ZPL"},
		{"is_return", "no"},
		{"insurance", "100"},
		{"tax_id_type", "EORI"},
		{"tax_id_number", "GB1"},
		{"carrier_accounts", "ca_1, ca_2,,"},
		{"to_company", "  "},
	};
	shipopt_record *shipment = shipment_new();
	for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
		if (set(shipment, cells[i][0], cells[i][1]) != 0)
			fail_msg("%s", cells[i][0]);
	assert_encodes(shipment,
		"{\"reference\":\"R-1\",\"to_address\":{\"name\":\"Ada\",\"zip\":\"02114\",\"country\":\"US\",\"residential\":true},"
		"\"from_address\":{\"company\":\"C\",\"country\":\"DE\"},\"return_address\":{\"city\":\"Z\"},"
		"\"buyer_address\":{\"email\":\"b@example.com\"},"
		"\"parcel\":{\"length\":10,\"predefined_package\":\"Parcel\",\"weight\":15.4},"
		"\"customs_info\":{\"contents_type\":\"gift\",\"customs_certify\":true,\"customs_items\":["
		"{\"description\":\"Shirt\",\"quantity\":2,\"weight\":1,\"hs_tariff_number\":\"6109.10\"},"
		"{\"value\":\"3.50\",\"origin_country\":\"DE\"}]},"
		"\"options\":{\"saturday_delivery\":true,\"label_format\":\"ZPL\"},\"is_return\":false,\"insurance\":\"100.00\","
		"\"tax_identifiers\":[{\"tax_id\":\"GB1\",\"tax_id_type\":\"EORI\"}],\"carrier_accounts\":[\"ca_1\",\"ca_2\"]}");
	shipopt_record_free(shipment);
	assert_int_equal(mem_live_count(), 0);
}

static void unknown_columns_are_named(void **state)
{
	static const char *const columns[] = {"", "order_key", "service", "carrier", "max_rate", "to_", "to_id",
		"to_xyz", "id", "To_name", "item0_value", "item21_value", "item001_value", "item1value", "item1_",
		"option_", "option", "rates", "status", "to_address", "parcel", "to_to_name", "to_name ", "created_at"};
	shipopt_record *shipment = shipment_new();
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (set(shipment, columns[i], "x") != SHIPOPT_ENOTFOUND ||
			set(shipment, columns[i], "") != SHIPOPT_ENOTFOUND)
			fail_msg("\"%s\" is taken", columns[i]);
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_record_set_column(shipment, "to_xyz", "x", &error), SHIPOPT_ENOTFOUND);
	assert_non_null(strstr(shipopt_error_message(error), "to_xyz"));
	shipopt_error_unref(error);
	assert_int_equal(set(shipment, "item20_value", "1"), 0);
	assert_encodes(shipment,
		"{\"customs_info\":{\"customs_items\":[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},"
		"{\"value\":\"1.00\"}]}}");
	shipopt_record_free(shipment);
}

static void bad_values_are_named_and_set_nothing(void **state)
{
	static const struct {
		const char *column, *text, *named;
		int status;
	} cases[] = {
		{"weight_oz", "heavy", "heavy", SHIPOPT_EPARSE},
		{"item1_quantity", "2.5", "2.5", SHIPOPT_EPARSE},
		{"is_return", "maybe", "maybe", SHIPOPT_EPARSE},
		{"to_country", "Atlantis", "Atlantis", SHIPOPT_EPARSE},
		{"to_country", "ZZ", "ZZ", SHIPOPT_EPARSE},
		{"item1_origin_country", "Narnia", "Narnia", SHIPOPT_EPARSE},
		{"insurance", "$5", "$5", SHIPOPT_EPARSE},
		{"to_name", "\xff", "to_name", SHIPOPT_EENCODING},
	};
	shipopt_record *shipment = shipment_new();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_error *error = NULL;
		assert_int_equal(shipopt_record_set_column(shipment, cases[i].column, cases[i].text, &error),
			cases[i].status);
		assert_non_null(strstr(shipopt_error_message(error), cases[i].column));
		assert_non_null(strstr(shipopt_error_message(error), cases[i].named));
		shipopt_error_unref(error);
	}
	assert_encodes(shipment, "{}");
	/* A long value is cut between characters. */
	char text[200] = "x";
	for (size_t i = 1; i + 2 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 3);
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_record_set_column(shipment, "weight_oz", text, &error), SHIPOPT_EPARSE);
	assert_true(text_is_utf8(shipopt_error_message(error), strlen(shipopt_error_message(error)), NULL));
	shipopt_error_unref(error);
	assert_int_equal(set(NULL, "to_name", "x"), SHIPOPT_EINVAL);
	assert_int_equal(set(shipment, NULL, "x"), SHIPOPT_EINVAL);
	assert_int_equal(set(shipment, "to_name", NULL), SHIPOPT_EINVAL);
	shipopt_record_free(shipment);
	assert_int_equal(mem_live_count(), 0);
}

static void countries_are_known_by_code_and_name(void **state)
{
	static const char *const cases[][2] = {{"US", "US"}, {"us", "US"}, {" usa ", "US"}, {"United States", "US"},
		{"UNITED STATES OF AMERICA", "US"}, {"uk", "GB"}, {"Scotland", "GB"}, {"DEU", "DE"},
		{"deutschland", "DE"}, {"Korea, Republic of", "KR"}, {"C\xc3\xb4te d'Ivoire", "CI"}, {"zw", "ZW"},
		{"AD", "AD"}, {"xk", "XK"}, {"", NULL}, {"ZZ", NULL}, {"United", NULL},
		{"United States of Americaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *code = country_find(cases[i][0]);
		if (cases[i][1] ? !code || strcmp(code, cases[i][1]) != 0 : code != NULL)
			fail_msg("\"%s\": %s", cases[i][0], code ? code : "none");
	}
	/* The code table is sorted, so that the search finds each. */
	int count = 0;
	for (char a = 'A'; a <= 'Z'; a++) {
		for (char b = 'A'; b <= 'Z'; b++) {
			const char text[3] = {a, b};
			const char *code = country_find(text);
			count += code && strcmp(code, text) == 0;
		}
	}
	assert_int_equal(count, 250);
}

#ifdef SHIPOPT_FAULTS
static void every_failed_allocation_comes_back_as_an_error(void **state)
{
	static const char *const cells[][2] = {{"to_name", "A"}, {"item2_value", "3"}, {"option_a", "b"},
		{"option_c", "d"}, {"carrier_accounts", "ca_1"}, {"weight_oz", "1"}};
	for (long passes = 0;; passes++) {
		shipopt_record *shipment CLEANUP_RECORD = shipment_new();
		int r = 0;
		json_stock_clear();
		fault_arm(passes);
		for (size_t i = 0; i < ARRAY_SIZE(cells) && r == 0; i++)
			r = set(shipment, cells[i][0], cells[i][1]);
		bool fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(r, fired ? SHIPOPT_ENOMEM : 0);
		shipopt_record_free(shipment);
		shipment = NULL;
		assert_int_equal(mem_live_count(), 0);
		if (!fired) {
			assert_true(passes > 20);
			return;
		}
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_go_to_their_fields),
		cmocka_unit_test(unknown_columns_are_named),
		cmocka_unit_test(bad_values_are_named_and_set_nothing),
		cmocka_unit_test(countries_are_known_by_code_and_name),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failed_allocation_comes_back_as_an_error),
#endif
	};
	return cmocka_run_group_tests_name("columns", tests, NULL, NULL);
}
