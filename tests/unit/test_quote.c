/* SPDX-License-Identifier: MIT */
#include "../cached_read_fixture.h"

#include "carrier/quote.h"

/* Quoted rates: what makes two the same, what is handed out, and how long it is kept. */

static const char *const columns[][2] = {
	{"reference", "order-1"},
	{"to_name", "Reading Room"},
	{"to_company", "Boston Public Library"},
	{"to_street1", "700 Boylston St"},
	{"to_city", "Boston"},
	{"to_state", "MA"},
	{"to_zip", "02116"},
	{"to_country", "US"},
	{"to_phone", "6175550100"},
	{"from_company", "New York Public Library"},
	{"from_street1", "476 5th Ave"},
	{"from_city", "New York"},
	{"from_state", "NY"},
	{"from_zip", "10018"},
	{"from_country", "US"},
	{"length_in", "10"},
	{"width_in", "8"},
	{"height_in", "4"},
	{"weight_oz", "30.5"},
	{"carrier_accounts", "ca_1,ca_2"},
	{"option_delivery_confirmation", "SIGNATURE"},
	{"option_print_custom_1", "order-1"},
};

/* With one column set to something else, or not at all. */
static shipopt_record *shipment_with(const char *column, const char *text)
{
	shipopt_record *shipment;
	bool is_there = false;
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		bool is_it = column && strcmp(column, columns[i][0]) == 0;
		is_there |= is_it;
		assert_int_equal(shipopt_record_set_column(shipment, columns[i][0], is_it ? text : columns[i][1], NULL),
			0);
	}
	if (column && !is_there)
		assert_int_equal(shipopt_record_set_column(shipment, column, text, NULL), 0);
	return shipment;
}

static void digest_of(const char *column, const char *text, char hex[HASH_HEX_SIZE])
{
	shipopt_record *shipment = shipment_with(column, text), *request;
	assert_int_equal(quote_content(shipment, &request), 0);
	assert_null(shipopt_record_text(request, SHIPOPT_SHIPMENT_REFERENCE));
	assert_int_equal(quote_digest(request, hex), 0);
	shipopt_record_free(request);
	shipopt_record_free(shipment);
}

static void what_no_carrier_prices_does_not_count_and_all_else_does(void **state)
{
	static const char *const same[][2] = {
		{"reference", "order-2"},
		{"to_name", "Circulation Desk"},
		{"to_phone", "6175550199"},
		{"weight_oz", "30.500"},
		{"to_city", "  Boston "},
		{"carrier_accounts", "ca_2,ca_1"},
		{"option_print_custom_1", "order-2"},
		{"option_label_format", "ZPL"},
		{"option_invoice_number", "7"},
		{"insurance", "100"},
	};
	static const char *const different[][2] = {
		{"to_zip", "02117"},
		{"to_company", ""},
		{"to_phone", ""},
		{"to_email", "desk@example.com"},
		{"weight_oz", "30.6"},
		{"length_in", "11"},
		{"carrier_accounts", "ca_1"},
		{"option_delivery_confirmation", "NO_SIGNATURE"},
		{"option_saturday_delivery", "true"},
		{"is_return", "true"},
		{"to_residential", "true"},
		{"predefined_package", "Parcel"},
		{"from_zip", "10019"},
	};
	char first[HASH_HEX_SIZE], other[HASH_HEX_SIZE];
	digest_of(NULL, NULL, first);
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		digest_of(same[i][0], same[i][1], other);
		if (strcmp(first, other) != 0)
			fail_msg("%s should not count", same[i][0]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(different); i++) {
		digest_of(different[i][0], different[i][1], other);
		if (strcmp(first, other) == 0)
			fail_msg("%s should count", different[i][0]);
	}
	assert_int_equal(mem_live_count(), 0);
}

static void a_request_has_what_is_priced_in_any_form(void **state)
{
	shipopt_record *shipment = shipment_with(NULL, NULL), *request;
	assert_int_equal(quote_content(shipment, &request), 0);
	assert_int_equal(shipopt_record_state(request, SHIPOPT_SHIPMENT_TO_ADDRESS), SHIPOPT_FIELD_SET);
	shipopt_record_free(request);
	shipopt_record_free(shipment);
	/* Other forms of accounts and options stay as they are. */
	char hex[HASH_HEX_SIZE];
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	assert_int_equal(shipopt_record_set_json(shipment, SHIPOPT_SHIPMENT_CARRIER_ACCOUNTS, "[{\"id\":\"ca_1\"}]",
				 NULL),
		0);
	assert_int_equal(shipopt_record_set_json(shipment, SHIPOPT_SHIPMENT_OPTIONS, "[]", NULL), 0);
	assert_int_equal(quote_digest(shipment, hex), 0);
	shipopt_record_free(shipment);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static shipopt_op *start_quote(const char *column, const char *text)
{
	shipopt_op *op;
	shipopt_record *shipment = shipment_with(column, text);
	assert_int_equal(shipopt_carrier_shipment_quote(process.carrier, shipment, NULL, NULL, &op), 0);
	shipopt_record_free(shipment);
	return op;
}

static shipopt_op *quote(const char *column, const char *text)
{
	shipopt_op *op = start_quote(column, text);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	return op;
}

static void check_rates(const shipopt_op *op)
{
	const shipopt_record *shipment = shipopt_op_record(op);
	assert_int_equal(shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES), WORLD_RATES);
	assert_null(shipopt_record_text(shipment, SHIPOPT_SHIPMENT_ID));
	for (size_t i = 0; i < WORLD_RATES; i++) {
		const shipopt_record *rate = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, i);
		assert_null(shipopt_record_text(rate, SHIPOPT_RATE_ID));
		assert_null(shipopt_record_text(rate, SHIPOPT_RATE_SHIPMENT_ID));
		assert_non_null(shipopt_record_text(rate, SHIPOPT_RATE_CARRIER));
		assert_true(shipopt_record_number(rate, SHIPOPT_RATE_RATE, 0) > 5000000);
	}
	assert_null(strstr(shipopt_op_json(op), "shp_"));
	assert_null(strstr(shipopt_op_json(op), "rate_0"));
	assert_null(strstr(shipopt_record_source(shipment), "shp_"));
}

static int look_for_ids(void *userdata, shipopt_value *value)
{
	char text[4096] = {0};
	assert_true(shipopt_value_length(value) < sizeof(text));
	memcpy(text, shipopt_value_data(value), shipopt_value_length(value));
	assert_null(strstr(text, "shp_"));
	assert_null(strstr(text, "rate_"));
	return 0;
}

static void a_quote_has_prices_and_no_ids_and_is_asked_for_once(void **state)
{
	begin(0, NULL);
	shipopt_op *first = quote(NULL, NULL), *second = quote("reference", "order-2"),
		   *third = quote("weight_oz", "31");
	check_rates(first);
	check_rates(second);
	assert_string_equal(shipopt_op_json(first), shipopt_op_json(second));
	assert_int_equal(shipopt_op_is_cached(first), 0);
	assert_int_equal(shipopt_op_is_cached(second), 1);
	assert_int_equal(shipopt_op_is_cached(third), 0);
	assert_int_equal(sim_world.calls[WORLD_CREATE], 2);
	assert_string_equal(sim_world.shipments[0].reference, "");
	assert_int_equal(shipopt_cache_visit(cache, 0, look_for_ids, NULL), 2);
	shipopt_op_unref(first);
	shipopt_op_unref(second);
	shipopt_op_unref(third);
	pass_ms(300001);
	first = quote(NULL, NULL);
	assert_int_equal(shipopt_op_is_cached(first), 0);
	shipopt_op_unref(first);
	first = quote(NULL, NULL);
	assert_int_equal(shipopt_op_is_cached(first), 1);
	shipopt_op_unref(first);
	assert_int_equal(shipopt_cache_remove_tag(cache, "quotes"), 0);
	first = quote(NULL, NULL);
	assert_int_equal(shipopt_op_is_cached(first), 0);
	shipopt_op_unref(first);
	finish();
}

static void without_a_cache_each_quote_is_asked_for(void **state)
{
	begin(0, "carrier.quote_ttl_ms=0");
	for (int i = 0; i < 2; i++) {
		shipopt_op *op = quote(NULL, NULL);
		check_rates(op);
		assert_int_equal(shipopt_op_is_cached(op), 0);
		shipopt_op_unref(op);
	}
	assert_int_equal(sim_world.calls[WORLD_CREATE], 2);
	finish();
}

static void of_many_that_want_the_same_quote_one_asks_and_it_repeats_what_fails(void **state)
{
	shipopt_op *ops[50];
	script[0] = (struct world_step){WORLD_CREATE, FAULT_LOST_AFTER, 0};
	script[1] = (struct world_step){WORLD_CREATE, FAULT_500, 0};
	begin(2, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		ops[i] = start_quote("reference", "order-9");
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		assert_int_equal(shipopt_op_wait(ops[i], -1), 0);
		check_rates(ops[i]);
		shipopt_op_unref(ops[i]);
	}
	assert_int_equal(sim_world.calls[WORLD_CREATE], 3);
	finish();
	script[0] = (struct world_step){WORLD_CREATE, FAULT_REFUSED, 0};
	begin(1, NULL);
	ops[0] = start_quote(NULL, NULL);
	assert_int_equal(shipopt_op_wait(ops[0], -1), SHIPOPT_EREFUSED);
	shipopt_op_unref(ops[0]);
	ops[0] = quote(NULL, NULL);
	assert_int_equal(shipopt_op_is_cached(ops[0]), 0);
	shipopt_op_unref(ops[0]);
	finish();
}

static void one_that_is_canceled_after_it_was_sent_is_in_doubt_and_another_asks(void **state)
{
	shipopt_op *ops[3];
	script[0] = (struct world_step){WORLD_CREATE, FAULT_HANG, 0};
	begin(1, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		ops[i] = start_quote(NULL, NULL);
	while (sim_world.calls[WORLD_CREATE] == 0)
		sim_turn(&process, 1000);
	shipopt_op_cancel(ops[0]);
	assert_int_equal(shipopt_op_wait(ops[0], -1), SHIPOPT_EINDOUBT);
	assert_non_null(strstr(shipopt_error_advice(shipopt_op_error(ops[0])), "Ask for the quote again."));
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		if (i > 0) {
			assert_int_equal(shipopt_op_wait(ops[i], -1), 0);
			check_rates(ops[i]);
		}
		shipopt_op_unref(ops[i]);
	}
	assert_int_equal(sim_world.calls[WORLD_CREATE], 2);
	finish();
}

static void a_quote_that_lacks_a_carrier_is_kept_for_a_tenth_of_the_time(void **state)
{
	begin(0, "carrier.quote_ttl_ms=10000");
	sim_world.hidden_carrier = "UPS";
	sim_world.hidden_visits = 1;
	shipopt_op *op = quote(NULL, NULL);
	assert_int_equal(shipopt_record_count(shipopt_op_record(op), SHIPOPT_SHIPMENT_RATES), WORLD_RATES - 1);
	assert_int_equal(shipopt_record_count(shipopt_op_record(op), SHIPOPT_SHIPMENT_MESSAGES), 1);
	shipopt_op_unref(op);
	op = quote(NULL, NULL);
	assert_int_equal(shipopt_op_is_cached(op), 1);
	shipopt_op_unref(op);
	pass_ms(1001);
	op = quote(NULL, NULL);
	assert_int_equal(shipopt_op_is_cached(op), 0);
	check_rates(op);
	shipopt_op_unref(op);
	finish();
}

/* Two orders that share a quote buy two labels. */
static void a_purchase_makes_a_shipment_of_its_own(void **state)
{
	begin(0, NULL);
	shipopt_op *op = quote(NULL, NULL);
	shipopt_op_unref(op);
	assert_int_equal(sim_buy(&process, 2), 0);
	assert_int_equal(sim_world.labels, 2);
	assert_int_equal(sim_world.calls[WORLD_CREATE], 3);
	assert_int_equal(sim_world.shipments[0].labels, 0);
	assert_int_equal(sim_compare(), 0);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_carrier_prices_does_not_count_and_all_else_does),
		cmocka_unit_test(a_request_has_what_is_priced_in_any_form),
		cmocka_unit_test(a_quote_has_prices_and_no_ids_and_is_asked_for_once),
		cmocka_unit_test(without_a_cache_each_quote_is_asked_for),
		cmocka_unit_test(of_many_that_want_the_same_quote_one_asks_and_it_repeats_what_fails),
		cmocka_unit_test(one_that_is_canceled_after_it_was_sent_is_in_doubt_and_another_asks),
		cmocka_unit_test(a_quote_that_lacks_a_carrier_is_kept_for_a_tenth_of_the_time),
		cmocka_unit_test(a_purchase_makes_a_shipment_of_its_own),
	};
	return cmocka_run_group_tests_name("quotes", tests, NULL, NULL);
}
