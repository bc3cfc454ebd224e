/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "record/record.h"

static const char *const domestic[][2] = {{"to_name", "A"}, {"to_street1", "1 Main St"}, {"to_city", "Boston"},
	{"to_state", "MA"}, {"to_zip", "02114"}, {"to_country", "US"}, {"from_company", "C"},
	{"from_street1", "2 Main St"}, {"from_city", "New York"}, {"from_state", "NY"}, {"from_zip", "10018"},
	{"from_country", "US"}, {"weight_oz", "15.4"}, {NULL, NULL}};
static const char *const customs[][2] = {{"contents_type", "merchandise"}, {"customs_signer", "A"},
	{"customs_certify", "true"}, {"eel_pfc", "NOEEI 30.37(a)"}, {"item1_description", "Shirt"},
	{"item1_quantity", "2"}, {"item1_value", "10"}, {"item1_weight_oz", "10"}, {"item1_hs_code", "6109.10"},
	{"item1_origin_country", "US"}, {NULL, NULL}};
static const char *const to_paris[][2] = {{"to_city", "Paris"}, {"to_zip", "75019"}, {"to_country", "FR"},
	{NULL, NULL}};
static const char *const to_military[][2] = {{"to_city", "APO"}, {"to_state", "ae"}, {"to_zip", "09012"}, {NULL, NULL}};

static void fill(shipopt_record *shipment, const char *const cells[][2])
{
	for (size_t i = 0; cells[i][0]; i++)
		assert_int_equal(shipopt_record_set_column(shipment, cells[i][0], cells[i][1], NULL), 0);
}

static shipopt_record *shipment_new(const char *const more[][2], const char *const even_more[][2])
{
	shipopt_record *shipment = NULL;
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	fill(shipment, domestic);
	if (more)
		fill(shipment, more);
	if (even_more)
		fill(shipment, even_more);
	return shipment;
}

/* `expected`: "field: message" of the one finding, or NULL for none. Frees the shipment. */
static void assert_finding(shipopt_record *shipment, const char *expected)
{
	shipopt_error *error = NULL;
	char found[256] = "";
	int r = shipopt_record_check_shipment(shipment, &error);
	if (error)
		snprintf(found, sizeof(found), "%s: %s", shipopt_error_field_name(error, 0),
			shipopt_error_field_message(error, 0));
	assert_string_equal(found, expected ? expected : "");
	assert_int_equal(r, expected ? SHIPOPT_EREFUSED : 0);
	assert_int_equal(shipopt_error_field_count(error), expected ? 1 : 0);
	if (expected)
		assert_non_null(strstr(shipopt_error_message(error), "1 finding: "));
	shipopt_error_unref(error);
	shipopt_record_free(shipment);
	assert_int_equal(mem_live_count(), 0);
}

static void assert_cell_finding(const char *column, const char *text, const char *expected)
{
	const char *const cells[][2] = {{column, text}, {NULL, NULL}};
	assert_finding(shipment_new(cells, NULL), expected);
}

static void good_shipments_pass(void **state)
{
	assert_finding(shipment_new(NULL, NULL), NULL);
	assert_finding(shipment_new(to_paris, customs), NULL);
	assert_finding(shipment_new(to_military, customs), NULL);
	assert_cell_finding("to_zip", "02114-1234", NULL);
	assert_cell_finding("length_in", "0.1", NULL);
	assert_cell_finding("weight_oz", "2400", NULL);
}

static void addresses_are_checked(void **state)
{
	assert_cell_finding("to_zip", "2114", "to_address.zip: \"2114\" is not possible in US");
	/* Cut in the middle of the tenth é. */
	assert_cell_finding("to_zip", "1\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9",
		"to_address.zip: \"1\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\" is not possible in US");
	assert_cell_finding("from_zip", "ABCDE", "from_address.zip: \"ABCDE\" is not possible in US");
	static const struct {
		int field;
		const char *finding;
	} cases[] = {
		{SHIPOPT_ADDRESS_NAME, "to_address.name: or company is required"},
		{SHIPOPT_ADDRESS_STREET1, "to_address.street1: is required"},
		{SHIPOPT_ADDRESS_CITY, "to_address.city: is required"},
		{SHIPOPT_ADDRESS_STATE, "to_address.state: is required in US"},
		{SHIPOPT_ADDRESS_ZIP, "to_address.zip: is required in US"},
		{SHIPOPT_ADDRESS_COUNTRY, "to_address.country: is required"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_record *shipment = shipment_new(NULL, NULL), *to;
		assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL), 0);
		assert_int_equal(shipopt_record_set_text(to, cases[i].field, " ", NULL), 0);
		assert_finding(shipment, cases[i].finding);
	}
	shipopt_record *shipment = shipment_new(NULL, NULL), *to;
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL), 0);
	assert_int_equal(shipopt_record_set_text(to, SHIPOPT_ADDRESS_COUNTRY, "Atlantis", NULL), 0);
	assert_finding(shipment, "to_address.country: \"Atlantis\" is no country");
	shipment = shipment_new(NULL, NULL);
	assert_int_equal(shipopt_record_clear(shipment, SHIPOPT_SHIPMENT_FROM_ADDRESS, NULL), 0);
	assert_finding(shipment, "from_address: is required");
	/* An address the carrier knows by its id. */
	shipment = shipment_new(NULL, NULL);
	assert_int_equal(shipopt_record_clear(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, NULL), 0);
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL), 0);
	assert_int_equal(shipopt_record_set_text(to, SHIPOPT_ADDRESS_ID, "adr_1", NULL), 0);
	assert_finding(shipment, NULL);
}

static void what_cannot_be_seen_makes_no_difference_or_is_shown(void **state)
{
	/* Cells are trimmed. */
	assert_cell_finding("to_zip", "80203\u00a0", NULL);
	assert_cell_finding("to_country", "\ufeffUS\u200b", NULL);
	assert_cell_finding("to_state", "AP\u00a0", "customs_info: is required for a US military address");
	assert_cell_finding("to_zip", "80\u00a0203", "to_address.zip: \"80\\u00a0203\" is not possible in US");
	/* Records that were not made of cells are judged the same, but for what would go out as it is. */
	shipopt_record *shipment = shipment_new(NULL, NULL), *to = NULL;
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL), 0);
	assert_int_equal(shipopt_record_set_text(to, SHIPOPT_ADDRESS_STATE, "\u200bap\u00a0", NULL), 0);
	assert_finding(shipment, "customs_info: is required for a US military address");
	shipment = shipment_new(NULL, NULL);
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL), 0);
	assert_int_equal(shipopt_record_set_text(to, SHIPOPT_ADDRESS_CITY, "\u00a0\ufeff", NULL), 0);
	assert_finding(shipment, "to_address.city: is required");
	shipment = shipment_new(NULL, NULL);
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL), 0);
	assert_int_equal(shipopt_record_set_text(to, SHIPOPT_ADDRESS_ZIP, "80203\u00a0", NULL), 0);
	assert_finding(shipment, "to_address.zip: \"80203\\u00a0\" is not possible in US");
}

static void all_findings_are_in_the_message_and_have_codes(void **state)
{
	static const char *const parts[] = {"shipment has 4 findings: ", "to_address.street1 is required",
		"to_address.zip \"2114\" is not possible in US", "parcel.weight must be above 0 ounces",
		"parcel.height must be from 0.1 to 999 inches"};
	const char *const cells[][2] = {{"to_zip", "2114"}, {"weight_oz", "0"}, {"height_in", "1000"}, {NULL, NULL}};
	shipopt_record *shipment = shipment_new(cells, NULL), *to = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL), 0);
	assert_int_equal(shipopt_record_clear(to, SHIPOPT_ADDRESS_STREET1, NULL), 0);
	assert_int_equal(shipopt_record_check_shipment(shipment, &error), SHIPOPT_EREFUSED);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		assert_non_null(strstr(shipopt_error_message(error), parts[i]));
	assert_int_equal(shipopt_error_field_count(error), 4);
	assert_int_equal(shipopt_error_field_code(error, 0), SHIPOPT_ENOTFOUND);
	assert_int_equal(shipopt_error_field_code(error, 1), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_error_field_code(error, 4), 0);
	assert_int_equal(shipopt_error_domain(error), SHIPOPT_DOMAIN_INPUT);
	shipopt_error_unref(error);
	shipopt_record_free(shipment);
	assert_int_equal(mem_live_count(), 0);
}

static void more_findings_than_fit_are_counted(void **state)
{
	shipopt_record *shipment = shipment_new(NULL, NULL), *info, *item;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_CUSTOMS_INFO, &info, NULL), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(shipopt_record_make_item(info, SHIPOPT_CUSTOMS_INFO_CUSTOMS_ITEMS, &item, NULL), 0);
	assert_int_equal(shipopt_record_check_shipment(shipment, &error), SHIPOPT_EREFUSED);
	/* Five of each item; contents, signer and certification. */
	assert_non_null(strstr(shipopt_error_message(error), "shipment has 503 findings: customs_info.contents_type"));
	assert_non_null(strstr(shipopt_error_message(error), " more"));
	assert_true(strlen(shipopt_error_message(error)) < 2200);
	assert_int_equal(shipopt_error_field_count(error), 64);
	shipopt_error_unref(error);
	shipopt_record_free(shipment);
	assert_int_equal(mem_live_count(), 0);
}

static void assert_insurance_finding(const char *json, const char *expected)
{
	shipopt_record *shipment = NULL;
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, json, strlen(json), &shipment, NULL), 0);
	json_stock_clear();
	fill(shipment, domestic);
	assert_finding(shipment, expected);
}

static void insurance_that_cannot_be_read_is_not_left_out_silently(void **state)
{
	assert_insurance_finding("{\"insurance\":\"1,234.56\"}", NULL);
	assert_insurance_finding("{\"insurance\":\"\"}", NULL);
	assert_insurance_finding("{\"insurance\":null}", NULL);
	assert_insurance_finding("{\"insurance\":\"1,234\"}", "insurance: \"1,234\" cannot be read as an amount");
	assert_insurance_finding("{\"insurance\":\"$100\"}", "insurance: \"$100\" cannot be read as an amount");
}

static void a_return_address_is_checked_if_given(void **state)
{
	const char *const cells[][2] = {{"return_name", "A"}, {"return_street1", "1"}, {"return_city", "Oslo"},
		{"return_zip", "0150"}, {"return_country", "NO"}, {NULL, NULL}};
	assert_finding(shipment_new(cells, NULL), NULL);
	const char *const without_zip[][2] = {{"return_name", "A"}, {"return_street1", "1"}, {"return_city", "Oslo"},
		{"return_country", "NO"}, {NULL, NULL}};
	assert_finding(shipment_new(without_zip, NULL), "return_address.zip: is required in NO");
}

static void parcels_are_checked(void **state)
{
	assert_cell_finding("weight_oz", "0", "parcel.weight: must be above 0 ounces");
	assert_cell_finding("weight_oz", "-1", "parcel.weight: must be above 0 ounces");
	assert_cell_finding("weight_oz", "2400.1", "parcel.weight: must be at most 2400 ounces");
	assert_cell_finding("width_in", "0.09", "parcel.width: must be from 0.1 to 999 inches");
	assert_cell_finding("height_in", "1000", "parcel.height: must be from 0.1 to 999 inches");
	assert_cell_finding("insurance", "-1", "insurance: must not be negative");
	shipopt_record *shipment = shipment_new(NULL, NULL);
	assert_int_equal(shipopt_record_set_null(shipment, SHIPOPT_SHIPMENT_PARCEL, NULL), 0);
	assert_finding(shipment, "parcel: is required");
}

static void customs_are_needed_across_borders_and_for_the_military(void **state)
{
	static const char *const from_berlin[][2] = {{"from_city", "Berlin"}, {"from_zip", "10115"},
		{"from_country", "DE"}, {NULL, NULL}};
	static const char *const to_london[][2] = {{"to_city", "London"}, {"to_zip", "E1 6AN"}, {"to_country", "GB"},
		{NULL, NULL}};
	assert_finding(shipment_new(to_paris, NULL), "customs_info: is required for an international shipment");
	assert_finding(shipment_new(to_military, NULL), "customs_info: is required for a US military address");
	assert_finding(shipment_new(from_berlin, to_paris), NULL); /* inside the customs union */
	assert_finding(shipment_new(from_berlin, to_london), "customs_info: is required for an international shipment");
}

static void customs_information_is_checked(void **state)
{
	static const struct {
		const char *column, *text;
		int field, item_field; /* cleared if not 0 */
		const char *finding;
	} cases[] = {
		{NULL, NULL, SHIPOPT_CUSTOMS_INFO_CUSTOMS_SIGNER, 0, "customs_info.customs_signer: is required"},
		{NULL, NULL, SHIPOPT_CUSTOMS_INFO_CUSTOMS_CERTIFY, 0, "customs_info.customs_certify: must be true"},
		{NULL, NULL, SHIPOPT_CUSTOMS_INFO_EEL_PFC, 0, "customs_info.eel_pfc: is required"},
		{NULL, NULL, SHIPOPT_CUSTOMS_INFO_CONTENTS_TYPE, 0, "customs_info.contents_type: is required"},
		{NULL, NULL, SHIPOPT_CUSTOMS_INFO_CUSTOMS_ITEMS, 0,
			"customs_info.customs_items: needs at least one item"},
		{"contents_type", "other", 0, 0, "customs_info.contents_explanation: is required"},
		{"restriction_type", "quarantine", 0, 0, "customs_info.restriction_comments: is required"},
		{"restriction_type", "none", 0, 0, NULL},
		{NULL, NULL, 0, SHIPOPT_CUSTOMS_ITEM_HS_TARIFF_NUMBER,
			"customs_info.customs_items[0].hs_tariff_number: is required across a border"},
		{"item1_hs_code", "6109", 0, 0,
			"customs_info.customs_items[0].hs_tariff_number: must have 6 to 13 digits"},
		{"item1_hs_code", "610910x", 0, 0,
			"customs_info.customs_items[0].hs_tariff_number: must have 6 to 13 digits"},
		{"item1_quantity", "0", 0, 0, "customs_info.customs_items[0].quantity: must be above 0"},
		{NULL, NULL, 0, SHIPOPT_CUSTOMS_ITEM_VALUE, "customs_info.customs_items[0].value: must be above 0"},
		{NULL, NULL, 0, SHIPOPT_CUSTOMS_ITEM_ORIGIN_COUNTRY,
			"customs_info.customs_items[0].origin_country: is required"},
		{"item1_weight_oz", "15.5", 0, 0,
			"customs_info.customs_items: weigh 15.5 ounces, the parcel only 15.4"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_record *shipment = shipment_new(to_paris, customs), *info;
		assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_CUSTOMS_INFO, &info, NULL), 0);
		if (cases[i].column)
			assert_int_equal(shipopt_record_set_column(shipment, cases[i].column, cases[i].text, NULL), 0);
		if (cases[i].field)
			assert_int_equal(shipopt_record_clear(info, cases[i].field, NULL), 0);
		if (cases[i].item_field)
			assert_int_equal(shipopt_record_clear(info->values[SHIPOPT_CUSTOMS_INFO_CUSTOMS_ITEMS - 1]
								      .list->items[0],
						 cases[i].item_field, NULL),
				0);
		assert_finding(shipment, cases[i].finding);
	}
	/* No HS code for the military: the post, not a foreign customs office, reads that form. */
	shipopt_record *shipment = shipment_new(to_military, customs), *info;
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_CUSTOMS_INFO, &info, NULL), 0);
	assert_int_equal(shipopt_record_clear(info->values[SHIPOPT_CUSTOMS_INFO_CUSTOMS_ITEMS - 1].list->items[0],
				 SHIPOPT_CUSTOMS_ITEM_HS_TARIFF_NUMBER, NULL),
		0);
	assert_finding(shipment, NULL);
}

static void findings_are_listed_and_bounded(void **state)
{
	shipopt_record *shipment = NULL, *item;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	assert_int_equal(shipopt_record_check_shipment(shipment, &error), SHIPOPT_EREFUSED);
	assert_int_equal(shipopt_error_field_count(error), 3);
	assert_string_equal(shipopt_error_message(error),
		"shipment has 3 findings: to_address is required; from_address is required; parcel is required");
	shipopt_error_unref(error);
	error = NULL;
	for (int i = 0; i < 50; i++) {
		shipopt_record *info;
		assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_CUSTOMS_INFO, &info, NULL), 0);
		assert_int_equal(shipopt_record_make_item(info, SHIPOPT_CUSTOMS_INFO_CUSTOMS_ITEMS, &item, NULL), 0);
	}
	assert_int_equal(shipopt_record_check_shipment(shipment, &error), SHIPOPT_EREFUSED);
	assert_int_equal(shipopt_error_field_count(error), ERROR_FIELDS_MAX);
	/* The message is bounded, too, and counts what it leaves out. */
	const char *message = shipopt_error_message(error), *more = strstr(message, "; and ");
	assert_int_equal(strncmp(message, "shipment has 256 findings: ", 27), 0);
	assert_true(strlen(message) < 2048 + 64 && more && strstr(more, " more"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_record_check_shipment(shipment, NULL), SHIPOPT_EREFUSED);
	shipopt_record_free(shipment);
	assert_int_equal(shipopt_record_check_shipment(NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_shipments_pass),
		cmocka_unit_test(addresses_are_checked),
		cmocka_unit_test(what_cannot_be_seen_makes_no_difference_or_is_shown),
		cmocka_unit_test(all_findings_are_in_the_message_and_have_codes),
		cmocka_unit_test(more_findings_than_fit_are_counted),
		cmocka_unit_test(insurance_that_cannot_be_read_is_not_left_out_silently),
		cmocka_unit_test(a_return_address_is_checked_if_given),
		cmocka_unit_test(parcels_are_checked),
		cmocka_unit_test(customs_are_needed_across_borders_and_for_the_military),
		cmocka_unit_test(customs_information_is_checked),
		cmocka_unit_test(findings_are_listed_and_bounded),
	};
	return cmocka_run_group_tests_name("shipment check", tests, NULL, NULL);
}
