/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "orders/order.h"
#include "record/record.h"

/* A service and carrier in an order's shipment become the order's own. */

static shipopt_order *order_with(const char *service, const char *carrier, const char *shipment_json)
{
	shipopt_order *order;
	shipopt_record *shipment = NULL;
	assert_int_equal(shipopt_order_new("k", &order, NULL), 0);
	assert_int_equal(shipopt_order_set_service(order, service, NULL), 0);
	assert_int_equal(shipopt_order_set_carrier(order, carrier, NULL), 0);
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, shipment_json, strlen(shipment_json), &shipment,
				 NULL),
		0);
	assert_int_equal(shipopt_order_set_shipment(order, shipment, NULL), 0);
	return order;
}

static void they_are_taken_out_of_the_shipment_and_kept_once(void **state)
{
	static const struct {
		const char *service, *carrier, *shipment, *taken_service, *taken_carrier;
	} cases[] = {
		{NULL, NULL, "{\"service\":\"Priority\",\"carrier\":\"USPS\"}", "Priority", "USPS"},
		{NULL, NULL, "{\"service\":\" Priority \"}", "Priority", NULL},
		{NULL, NULL, "{\"carrier\":\"USPS\"}", NULL, "USPS"},
		{NULL, "UPS", "{\"service\":\"Ground\"}", "Ground", "UPS"},
		{"Priority", "USPS", "{\"service\":\"PRIORITY\",\"carrier\":\"usps\"}", "Priority", "USPS"},
		{"Priority", NULL, "{\"service\":null,\"carrier\":\"  \"}", "Priority", NULL},
		{"Priority", "USPS", "{}", "Priority", "USPS"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_order *order = order_with(cases[i].service, cases[i].carrier, cases[i].shipment);
		for (int times = 0; times < 2; times++) { /* a second time there is nothing left to take */
			assert_int_equal(order_adopt_service(order), 0);
			assert_int_equal(order->status, 0);
			assert_int_equal(shipopt_record_state(order->shipment, SHIPOPT_SHIPMENT_SERVICE),
				SHIPOPT_FIELD_ABSENT);
			assert_int_equal(shipopt_record_state(order->shipment, SHIPOPT_SHIPMENT_CARRIER),
				SHIPOPT_FIELD_ABSENT);
			assert_true(!order->service == !cases[i].taken_service);
			assert_true(!order->carrier == !cases[i].taken_carrier);
			if (order->service)
				assert_string_equal(order->service, cases[i].taken_service);
			if (order->carrier)
				assert_string_equal(order->carrier, cases[i].taken_carrier);
		}
		shipopt_order_free(order);
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void what_differs_is_refused_and_named(void **state)
{
	static const struct {
		const char *service, *carrier, *shipment, *message;
	} cases[] = {
		{"Express", NULL, "{\"service\":\"Priority\"}",
			"the order asks for service \"Express\", its shipment for service \"Priority\": give one of them"},
		{"Priority", "UPS", "{\"service\":\"Priority\",\"carrier\":\"USPS\"}",
			"the order asks for carrier \"UPS\", its shipment for carrier \"USPS\": give one of them"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_order *order = order_with(cases[i].service, cases[i].carrier, cases[i].shipment);
		assert_int_equal(order_adopt_service(order), 0);
		assert_int_equal(order->status, SHIPOPT_EINVAL);
		assert_string_equal(shipopt_error_message(order->error), cases[i].message);
		assert_int_equal(order_adopt_service(order), 0);
		shipopt_order_free(order);
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void a_wish_longer_than_an_order_holds_is_refused(void **state)
{
	char text[ORDER_TEXT_BYTES_MAX + 2];
	memset(text, 's', sizeof(text));
	text[ORDER_TEXT_BYTES_MAX + 1] = '\0';
	shipopt_order *order = order_with(NULL, NULL, "{}");
	assert_int_equal(shipopt_record_set_text(order->shipment, SHIPOPT_SHIPMENT_SERVICE, text, NULL), 0);
	assert_int_equal(order_adopt_service(order), 0);
	assert_int_equal(order->status, SHIPOPT_ETOOLARGE);
	assert_string_equal(shipopt_error_message(order->error),
		"the shipment's \"service\" has 201 bytes, the limit is 200");
	assert_null(order->service);
	shipopt_order_free(order);
	order = order_with(NULL, NULL, "{}");
	text[ORDER_TEXT_BYTES_MAX] = '\0';
	assert_int_equal(shipopt_record_set_text(order->shipment, SHIPOPT_SHIPMENT_SERVICE, text, NULL), 0);
	assert_int_equal(order_adopt_service(order), 0);
	assert_string_equal(order->service, text);
	shipopt_order_free(order);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void an_order_that_could_not_be_read_stays_as_it_is(void **state)
{
	shipopt_order *order = order_with("Express", NULL, "{\"service\":\"Priority\"}");
	order->status = error_set(&order->error, SHIPOPT_EPARSE, "line 3");
	assert_int_equal(order_adopt_service(order), 0);
	assert_int_equal(order->status, SHIPOPT_EPARSE);
	assert_string_equal(shipopt_error_message(order->error), "line 3");
	shipopt_order_free(order);
	assert_int_equal(shipopt_order_new("k", &order, NULL), 0);
	assert_int_equal(order_adopt_service(order), 0); /* without a shipment */
	shipopt_order_free(order);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
static void without_memory_the_rest_is_taken_by_the_next_call(void **state)
{
	for (long passes = 0; passes < 2; passes++) {
		shipopt_order *order = order_with(NULL, NULL, "{\"service\":\"Priority\",\"carrier\":\"USPS\"}");
		fault_arm(passes);
		assert_int_equal(order_adopt_service(order), SHIPOPT_ENOMEM);
		fault_arm(-1);
		assert_int_equal(order->status, 0);
		assert_int_equal(order_adopt_service(order), 0);
		assert_string_equal(order->service, "Priority");
		assert_string_equal(order->carrier, "USPS");
		shipopt_order_free(order);
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_taken_out_of_the_shipment_and_kept_once),
		cmocka_unit_test(what_differs_is_refused_and_named),
		cmocka_unit_test(a_wish_longer_than_an_order_holds_is_refused),
		cmocka_unit_test(an_order_that_could_not_be_read_stays_as_it_is),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(without_memory_the_rest_is_taken_by_the_next_call),
#endif
	};
	return cmocka_run_group_tests_name("wishes", tests, NULL, NULL);
}
