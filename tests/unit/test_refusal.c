/* SPDX-License-Identifier: MIT */
#include "../cached_read_fixture.h"

#include "record/record.h"

/* The calls that make a shipment refuse one that says what to buy. */

static shipopt_record *shipment_with(int field, const char *text)
{
	static const char json[] = "{\"to_address\":{\"zip\":\"02116\"},\"from_address\":{\"zip\":\"10018\"},"
				   "\"parcel\":{\"weight\":15},\"insurance\":\"100.00\"}";
	shipopt_record *shipment = NULL;
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, json, strlen(json), &shipment, NULL), 0);
	if (field)
		assert_int_equal(shipopt_record_set_text(shipment, field, text, NULL), 0);
	return shipment;
}

typedef int (*create_fn)(shipopt_carrier *carrier, const shipopt_record *shipment, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);

static void assert_refused(create_fn create, int field, const char *message)
{
	shipopt_op *op = NULL;
	shipopt_record *shipment = shipment_with(field, "x");
	assert_int_equal(create(process.carrier, shipment, NULL, NULL, &op), 0);
	shipopt_record_free(shipment);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINVAL);
	assert_string_equal(shipopt_error_message(shipopt_op_error(op)), message);
	assert_int_equal(shipopt_error_code(shipopt_op_error(op)), SHIPOPT_EINVAL);
	assert_null(shipopt_op_record(op));
	shipopt_op_unref(op);
}

static void the_field_is_named_and_nothing_is_sent(void **state)
{
	static const create_fn calls[] = {shipopt_carrier_shipment_create, shipopt_carrier_shipment_quote};
	begin(0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		assert_refused(calls[i], SHIPOPT_SHIPMENT_SERVICE,
			"the shipment's \"service\" says what to buy, and this call must not buy: choose the service with "
			"shipopt_order_set_service(), or buy with shipopt_bulk_purchase()");
		assert_refused(calls[i], SHIPOPT_SHIPMENT_CARRIER,
			"the shipment's \"carrier\" says what to buy, and this call must not buy: choose the carrier with "
			"shipopt_order_set_carrier(), or buy with shipopt_bulk_purchase()");
	}
	assert_int_equal(sim_world.calls[WORLD_CREATE], 0);
	finish();
}

/* The client's bound on calls under way is not used up by refused ones; nobody need hold the operation. */
static void refused_calls_are_over_and_give_back_their_place(void **state)
{
	shipopt_op *op;
	begin(0, "carrier.queue_max=1 carrier.concurrency_max=1 carrier.concurrency_start=1");
	shipopt_record *shipment = shipment_with(SHIPOPT_SHIPMENT_SERVICE, "x");
	for (int i = 0; i < 20; i++) {
		assert_int_equal(shipopt_carrier_shipment_create(process.carrier, shipment, NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINVAL);
		shipopt_op_unref(op);
	}
	/* Where nobody could be told, the call itself says it. */
	assert_int_equal(shipopt_carrier_shipment_quote(process.carrier, shipment, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_carrier_shipment_create(process.carrier, shipment, NULL, NULL, &op), 0);
	shipopt_op_cancel(op);
	assert_true(shipopt_op_wait(op, -1) < 0);
	shipopt_op_unref(op);
	shipopt_record_free(shipment);
	assert_int_equal(sim_world.calls[WORLD_CREATE], 0);
	finish();
}

static void a_blank_one_asks_for_nothing_and_insurance_waits_for_the_purchase(void **state)
{
	begin(0, NULL);
	shipopt_op *op;
	shipopt_record *shipment = shipment_with(SHIPOPT_SHIPMENT_SERVICE, " ");
	assert_int_equal(shipopt_carrier_shipment_create(process.carrier, shipment, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	assert_int_equal(shipopt_carrier_shipment_quote(process.carrier, shipment, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	shipopt_record_free(shipment);
	assert_int_equal(sim_world.calls[WORLD_CREATE], 2);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_field_is_named_and_nothing_is_sent),
		cmocka_unit_test(refused_calls_are_over_and_give_back_their_place),
		cmocka_unit_test(a_blank_one_asks_for_nothing_and_insurance_waits_for_the_purchase),
	};
	return cmocka_run_group_tests_name("refusals", tests, NULL, NULL);
}
