/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "bulk_fixture.h"

/* The public calls of the carrier client, one by one, against the sandbox. */

static struct bulk_fixture fixture;

static void start(const char *const *options, const char *settings)
{
	fixture_start(&fixture, options);
	fixture_open_handles(&fixture, settings);
}

static void stop(void)
{
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static shipopt_op *wait_for(int taken, shipopt_op *op, int status)
{
	assert_int_equal(taken, 0);
	int r = shipopt_op_wait(op, -1);
	if (r != status)
		fail_msg("%s instead of %s: %s", shipopt_error_name(r), shipopt_error_name(status),
			shipopt_error_message(shipopt_op_error(op)));
	return op;
}

/* The operation is written by the call, so it must not stand beside it in one argument list. */
#define WAIT(call, status)                         \
	do {                                       \
		int taken_ = (call);               \
		op = wait_for(taken_, op, status); \
	} while (0)

static const char *text_of(shipopt_op *op, int field)
{
	return shipopt_record_text(shipopt_op_record(op), field);
}

static shipopt_op *create(size_t number)
{
	shipopt_op *op;
	shipopt_order *order = fixture_order("call", number);
	int r = shipopt_carrier_shipment_create(fixture.carrier, shipopt_order_shipment(order), NULL, NULL, &op);
	shipopt_order_free(order);
	return wait_for(r, op, 0);
}

static void a_shipment_is_created_rated_bought_read_and_refunded(void **state)
{
	char id[64], rate[64];
	shipopt_op *op;
	start(NULL, NULL);
	op = create(1);
	assert_int_equal(shipopt_op_value(op), 201);
	assert_non_null(strstr(shipopt_op_json(op), "\"rates\""));
	assert_non_null(shipopt_record_source(shipopt_op_record(op)));
	assert_true(shipopt_record_count(shipopt_op_record(op), SHIPOPT_SHIPMENT_RATES) >= 3);
	snprintf(id, sizeof(id), "%s", text_of(op, SHIPOPT_SHIPMENT_ID));
	shipopt_op_unref(op);

	WAIT(shipopt_carrier_shipment_rerate(fixture.carrier, id, NULL, NULL, &op), 0);
	const shipopt_record *first = shipopt_record_item(shipopt_op_record(op), SHIPOPT_SHIPMENT_RATES, 0);
	snprintf(rate, sizeof(rate), "%s", shipopt_record_text(first, SHIPOPT_RATE_ID));
	shipopt_op_unref(op);

	WAIT(shipopt_carrier_shipment_buy(fixture.carrier, id, rate, 100000000, NULL, NULL, &op), 0);
	assert_non_null(text_of(op, SHIPOPT_SHIPMENT_TRACKING_CODE));
	shipopt_op_unref(op);
	WAIT(shipopt_carrier_shipment_buy(fixture.carrier, id, rate, -1, NULL, NULL, &op), SHIPOPT_EREFUSED);
	assert_string_equal(shipopt_error_carrier_code(shipopt_op_error(op)), "SHIPMENT.POSTAGE.EXISTS");
	assert_non_null(shipopt_error_request_id(shipopt_op_error(op)));
	shipopt_op_unref(op);

	WAIT(shipopt_carrier_shipment_retrieve(fixture.carrier, id, NULL, NULL, &op), 0);
	assert_non_null(shipopt_record_child(shipopt_op_record(op), SHIPOPT_SHIPMENT_POSTAGE_LABEL));
	shipopt_op_unref(op);
	WAIT(shipopt_carrier_shipment_refund(fixture.carrier, id, NULL, NULL, &op), 0);
	assert_string_equal(text_of(op, SHIPOPT_SHIPMENT_REFUND_STATUS), "submitted");
	shipopt_op_unref(op);
	stop();
}

static void trackers_and_addresses(void **state)
{
	char id[64];
	shipopt_op *op;
	shipopt_record *address;
	start(NULL, NULL);
	WAIT(shipopt_carrier_tracker_create(fixture.carrier, "EZ4000000004", NULL, NULL, NULL, &op), 0);
	assert_string_equal(text_of(op, SHIPOPT_TRACKER_STATUS), "delivered");
	assert_true(shipopt_record_count(shipopt_op_record(op), SHIPOPT_TRACKER_TRACKING_DETAILS) > 0);
	snprintf(id, sizeof(id), "%s", text_of(op, SHIPOPT_TRACKER_ID));
	shipopt_op_unref(op);
	WAIT(shipopt_carrier_tracker_retrieve(fixture.carrier, id, NULL, NULL, &op), 0);
	assert_string_equal(text_of(op, SHIPOPT_TRACKER_TRACKING_CODE), "EZ4000000004");
	shipopt_op_unref(op);

	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_ADDRESS, &address), 0);
	assert_int_equal(shipopt_record_set_text(address, SHIPOPT_ADDRESS_COMPANY, "Boston Public Library", NULL), 0);
	assert_int_equal(shipopt_record_set_text(address, SHIPOPT_ADDRESS_STREET1, "700 Boylston St", NULL), 0);
	assert_int_equal(shipopt_record_set_text(address, SHIPOPT_ADDRESS_CITY, "Boston", NULL), 0);
	assert_int_equal(shipopt_record_set_text(address, SHIPOPT_ADDRESS_STATE, "MA", NULL), 0);
	assert_int_equal(shipopt_record_set_text(address, SHIPOPT_ADDRESS_ZIP, "02116", NULL), 0);
	assert_int_equal(shipopt_record_set_text(address, SHIPOPT_ADDRESS_COUNTRY, "US", NULL), 0);
	WAIT(shipopt_carrier_address_create(fixture.carrier, address, SHIPOPT_VERIFY_SOFT, NULL, NULL, &op), 0);
	const char *verifications = NULL;
	assert_int_equal(shipopt_record_get_json(shipopt_op_record(op), SHIPOPT_ADDRESS_VERIFICATIONS, &verifications),
		1);
	assert_non_null(strstr(verifications, "\"success\":true"));
	snprintf(id, sizeof(id), "%s", text_of(op, SHIPOPT_ADDRESS_ID));
	shipopt_op_unref(op);
	WAIT(shipopt_carrier_address_verify(fixture.carrier, id, NULL, NULL, &op), 0);
	assert_non_null(text_of(op, SHIPOPT_ADDRESS_ID));
	shipopt_op_unref(op);
	shipopt_record_free(address);
	stop();
}

static void the_raw_call_reaches_every_path_and_a_configuration_changes_one_call(void **state)
{
	shipopt_op *op;
	shipopt_call_config *config;
	start(NULL, NULL);
	shipopt_op_unref(create(1));
	WAIT(shipopt_carrier_call(fixture.carrier, "GET", "/shipments?page_size=5", NULL, NULL, NULL, NULL, &op), 0);
	assert_non_null(strstr(shipopt_op_json(op), "\"has_more\""));
	assert_null(shipopt_op_record(op));
	shipopt_op_unref(op);
	WAIT(shipopt_carrier_call(fixture.carrier, "POST", "/parcels", "{\"parcel\":{\"weight\":10}}", NULL, NULL, NULL,
		     &op),
		0);
	assert_int_equal(shipopt_op_value(op), 201);
	shipopt_op_unref(op);
	WAIT(shipopt_carrier_call(fixture.carrier, "GET", "/shipments/shp_none", NULL, NULL, NULL, NULL, &op),
		SHIPOPT_ENOTFOUND);
	assert_int_equal(shipopt_error_http_status(shipopt_op_error(op)), 404);
	shipopt_op_unref(op);
	assert_int_equal(shipopt_call_config_new(&config), 0);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_API_KEY, "some-secret-key"), 0);
	WAIT(shipopt_carrier_call(fixture.carrier, "GET", "/shipments", NULL, config, NULL, NULL, &op), SHIPOPT_EAUTH);
	assert_null(strstr(shipopt_error_message(shipopt_op_error(op)), "some-secret-key"));
	shipopt_op_unref(op);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_BASE_URL, "ftp://x"), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_API_KEY, "a\r\nX-Other: 1"), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_call_config_set_int(config, SHIPOPT_CALL_TIMEOUT_MS, -5), SHIPOPT_EINVAL);
	shipopt_call_config_free(config);
	assert_int_equal(shipopt_carrier_call(fixture.carrier, "TRACE", "/x", NULL, NULL, NULL, NULL, NULL),
		SHIPOPT_EINVAL);
	assert_int_equal(shipopt_carrier_call(fixture.carrier, "GET", "x", NULL, NULL, NULL, NULL, NULL),
		SHIPOPT_EINVAL);
	assert_int_equal(shipopt_carrier_call(fixture.carrier, "GET", "/a b", NULL, NULL, NULL, NULL, NULL),
		SHIPOPT_EINVAL);
	stop();
}

static void reads_are_repeated_and_writes_are_not(void **state)
{
	shipopt_op *op;
	start(NULL, "carrier.retry_base_ms=1 carrier.retry_cap_ms=20 carrier.attempts_max=20");
	op = create(1);
	char path[96];
	snprintf(path, sizeof(path), "/shipments/%s", text_of(op, SHIPOPT_SHIPMENT_ID));
	shipopt_op_unref(op);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"error-rate\": {\"500\": 0.3}, \"close\": 0.2}"), 0);
	for (int i = 0; i < 20; i++) {
		WAIT(shipopt_carrier_call(fixture.carrier, "GET", path, NULL, NULL, NULL, NULL, &op), 0);
		shipopt_op_unref(op);
	}
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"reset\": true, \"lost-answer\": 1}"), 0);
	int64_t before = sandbox_requests(&fixture.sandbox, "POST /parcels");
	WAIT(shipopt_carrier_call(fixture.carrier, "POST", "/parcels", "{\"parcel\":{\"weight\":10}}", NULL, NULL, NULL,
		     &op),
		SHIPOPT_EINDOUBT);
	shipopt_op_unref(op);
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /parcels"), before + 1);
	stop();
}

static void a_call_that_takes_too_long_times_out_and_a_canceled_one_says_what_is_known(void **state)
{
	static const char *const options[] = {"--latency-ms", "20000", NULL}; /* longer than the test */
	shipopt_op *op, *second;
	start(options, "carrier.timeout_ms=1000 carrier.attempts_max=1 carrier.concurrency_max=1 carrier.adaptive=0");
	WAIT(shipopt_carrier_tracker_retrieve(fixture.carrier, "trk_1", NULL, NULL, &op), SHIPOPT_ETIMEDOUT);
	shipopt_op_unref(op);
	fixture_close(&fixture);
	fixture_open_handles(&fixture, "carrier.concurrency_max=1 carrier.adaptive=0");
	/* The first is on the wire, the second waits for admission. */
	assert_int_equal(shipopt_carrier_call(fixture.carrier, "POST", "/parcels", "{\"parcel\":{\"weight\":10}}", NULL,
				 NULL, NULL, &op),
		0);
	while (sandbox_requests(&fixture.sandbox, "POST /parcels") == 0)
		;
	assert_int_equal(shipopt_carrier_tracker_retrieve(fixture.carrier, "trk_1", NULL, NULL, &second), 0);
	assert_int_equal(shipopt_op_cancel(second), 0);
	second = wait_for(0, second, SHIPOPT_ECANCELED);
	assert_int_equal(shipopt_op_cancel(op), 0);
	op = wait_for(0, op, SHIPOPT_EINDOUBT);
	shipopt_op_unref(op);
	shipopt_op_unref(second);
	stop();
}

static void a_server_that_is_not_there_is_a_clear_error(void **state)
{
	shipopt_op *op;
	fixture_start(&fixture, NULL);
	fixture_open_handles(&fixture,
		"carrier.base_url=http://127.0.0.1:1/v2 carrier.retry_base_ms=1 carrier.retry_cap_ms=2");
	WAIT(shipopt_carrier_tracker_retrieve(fixture.carrier, "trk_1", NULL, NULL, &op), SHIPOPT_ECONNECT);
	assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)), "127.0.0.1"));
	shipopt_op_unref(op);
	stop();
}

static atomic_int count_done;

static void on_done(void *userdata, shipopt_op *op)
{
	count_done++;
}

static void completions_arrive_in_a_queue_of_the_hosts(void **state)
{
	shipopt_queue *queue;
	shipopt_op *op;
	fixture_start(&fixture, NULL);
	assert_int_equal(shipopt_runtime_new(NULL, &fixture.runtime, NULL), 0);
	assert_int_equal(shipopt_queue_new(fixture.runtime, 4, &queue), 0);
	shipopt_carrier_config *config;
	char url[128];
	snprintf(url, sizeof(url), "%s/v2/", fixture.sandbox.url);
	assert_int_equal(shipopt_carrier_config_new(&config), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, url), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, "EZTKtest"), 0);
	assert_int_equal(shipopt_carrier_config_set_queue(config, queue), 0);
	assert_int_equal(shipopt_carrier_new(fixture.runtime, config, &fixture.carrier, NULL), 0);
	shipopt_carrier_config_free(config);
	count_done = 0;
	for (int i = 0; i < 4; i++)
		assert_int_equal(shipopt_carrier_tracker_create(fixture.carrier, "EZ1000000001", NULL, on_done, NULL,
					 NULL),
			0);
	assert_int_equal(shipopt_carrier_tracker_create(fixture.carrier, "EZ1000000001", NULL, on_done, NULL, NULL),
		SHIPOPT_EAGAIN);
	while (count_done < 4) {
		struct pollfd waited = {.fd = shipopt_queue_fd(queue), .events = POLLIN};
		assert_int_equal(poll(&waited, 1, 10000), 1);
		assert_true(shipopt_queue_dispatch(queue, 0, 0) > 0);
	}
	/* Waiting on this thread dispatches the queue meanwhile. */
	assert_int_equal(shipopt_carrier_tracker_create(fixture.carrier, "EZ1000000001", NULL, on_done, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(count_done, 5);
	shipopt_op_unref(op);
	shipopt_carrier_free(TAKE(fixture.carrier));
	assert_int_equal(shipopt_runtime_close(fixture.runtime, -1), 0);
	shipopt_queue_free(queue);
	stop();
}

static void closing_with_calls_on_the_wire_delivers_each(void **state)
{
	static const char *const options[] = {"--latency-ms", "3000", NULL};
	start(options, NULL);
	count_done = 0;
	for (int i = 0; i < 50; i++)
		assert_int_equal(shipopt_carrier_tracker_create(fixture.carrier, "EZ1000000001", NULL, on_done, NULL,
					 NULL),
			0);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_ETIMEDOUT);
	assert_int_equal(count_done, 50);
	assert_int_equal(shipopt_carrier_tracker_create(fixture.carrier, "EZ1000000001", NULL, on_done, NULL, NULL),
		SHIPOPT_ESHUTDOWN);
	stop();
}

static void a_missing_key_or_a_wrong_url_is_refused_at_once(void **state)
{
	shipopt_carrier_config *config;
	shipopt_carrier *carrier;
	shipopt_error *error = NULL;
	fixture_start(&fixture, NULL);
	assert_int_equal(shipopt_runtime_new(NULL, &fixture.runtime, NULL), 0);
	assert_int_equal(shipopt_carrier_config_new(&config), 0);
	assert_int_equal(shipopt_carrier_new(fixture.runtime, config, &carrier, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "api_key"));
	shipopt_error_unref(TAKE(error));
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, "not a url"), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(shipopt_carrier_config_error(config)), "base_url"));
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, "EZTKtest"), 0);
	assert_int_equal(shipopt_carrier_new(fixture.runtime, config, &carrier, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "base_url"));
	shipopt_error_unref(TAKE(error));
	shipopt_carrier_config_free(config);
	assert_int_equal(shipopt_carrier_config_new(&config), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, "EZTKtest"), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, "http://host:port"), 0);
	assert_int_equal(shipopt_carrier_new(fixture.runtime, config, &carrier, &error), SHIPOPT_EPARSE);
	assert_non_null(strstr(shipopt_error_message(error), "base_url"));
	shipopt_error_unref(error);
	shipopt_carrier_config_free(config);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_shipment_is_created_rated_bought_read_and_refunded),
		cmocka_unit_test(trackers_and_addresses),
		cmocka_unit_test(the_raw_call_reaches_every_path_and_a_configuration_changes_one_call),
		cmocka_unit_test(reads_are_repeated_and_writes_are_not),
		cmocka_unit_test(a_call_that_takes_too_long_times_out_and_a_canceled_one_says_what_is_known),
		cmocka_unit_test(a_server_that_is_not_there_is_a_clear_error),
		cmocka_unit_test(completions_arrive_in_a_queue_of_the_hosts),
		cmocka_unit_test(closing_with_calls_on_the_wire_delivers_each),
		cmocka_unit_test(a_missing_key_or_a_wrong_url_is_refused_at_once),
	};
	return cmocka_run_group_tests_name("carrier", tests, NULL, NULL);
}
