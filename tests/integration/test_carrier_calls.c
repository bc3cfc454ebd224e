/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/memory.h"
#include "json/json.h"
#include "script_server.h"
#include "shipopt/shipopt.h"

/* What the calls say that cannot be sent, and those that are canceled after they were sent. */

#define WAIT_MS 60000

static shipopt_runtime *runtime;
static shipopt_carrier *carrier;
static struct script_server *server;

/* None of them is ever answered. */
static const struct script scripts[] = {
	{"/v2/trackers", {{.action = SCRIPT_HOLD}}},
	{"/v2/trackers/trk_1", {{.action = SCRIPT_HOLD}}},
	{"/v2/addresses", {{.action = SCRIPT_HOLD}}},
	{"/v2/shipments", {{.action = SCRIPT_HOLD}}},
	{"/v2/shipments/shp_1/rerate", {{.action = SCRIPT_HOLD}}},
	{"/v2/shipments/shp_1/refund", {{.action = SCRIPT_HOLD}}},
};

static int set_up(void **state)
{
	char url[64];
	shipopt_carrier_config *config;
	assert_int_equal(script_server_start(scripts, ARRAY_SIZE(scripts), NULL, NULL, &server), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v2", script_server_port(server));
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	assert_int_equal(shipopt_carrier_config_new(&config), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, "EZTKtest"), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, url), 0);
	assert_int_equal(shipopt_carrier_new(runtime, config, &carrier, NULL), 0);
	shipopt_carrier_config_free(config);
	return 0;
}

static int tear_down(void **state)
{
	shipopt_carrier_free(carrier);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	script_server_stop(server);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

/* --- canceled --- */

enum kind { TRACKER_CREATE, TRACKER_RETRIEVE, ADDRESS_CREATE, SHIPMENT_CREATE, RERATE, REFUND, RAW_POST, RAW_DELETE };

static int start(enum kind kind, const shipopt_record *record, shipopt_op **ret_op)
{
	switch (kind) {
	case TRACKER_CREATE: return shipopt_carrier_tracker_create(carrier, "C1", NULL, NULL, NULL, ret_op);
	case TRACKER_RETRIEVE: return shipopt_carrier_tracker_retrieve(carrier, "trk_1", NULL, NULL, ret_op);
	case ADDRESS_CREATE: return shipopt_carrier_address_create(carrier, record, 0, NULL, NULL, ret_op);
	case SHIPMENT_CREATE: return shipopt_carrier_shipment_create(carrier, record, NULL, NULL, ret_op);
	case RERATE: return shipopt_carrier_shipment_rerate(carrier, "shp_1", NULL, NULL, ret_op);
	case REFUND: return shipopt_carrier_shipment_refund(carrier, "shp_1", NULL, NULL, ret_op);
	case RAW_POST: return shipopt_carrier_call(carrier, "POST", "/trackers", "{}", NULL, NULL, NULL, ret_op);
	default: return shipopt_carrier_call(carrier, "DELETE", "/trackers/trk_1", NULL, NULL, NULL, NULL, ret_op);
	}
}

static void a_write_that_was_sent_and_canceled_is_in_doubt_and_has_its_own_advice(void **state)
{
	static const struct {
		enum kind kind;
		const char *path;
		int record_kind, status;
		const char *advice;
	} cases[] = {
		{TRACKER_CREATE, "/v2/trackers", 0, SHIPOPT_EINDOUBT, "The same code gives the same tracker."},
		{ADDRESS_CREATE, "/v2/addresses", SHIPOPT_RECORD_ADDRESS, SHIPOPT_EINDOUBT,
			"At worst this leaves a second copy."},
		{SHIPMENT_CREATE, "/v2/shipments", SHIPOPT_RECORD_SHIPMENT, SHIPOPT_EINDOUBT,
			"Create the shipment again. At worst this leaves a second shipment, which is not paid for."},
		{RERATE, "/v2/shipments/shp_1/rerate", 0, SHIPOPT_EINDOUBT, "Rate the shipment again."},
		{REFUND, "/v2/shipments/shp_1/refund", 0, SHIPOPT_EINDOUBT,
			"Retrieve the shipment. Its refund_status says whether the refund was requested."},
		{RAW_POST, "/v2/trackers", 0, SHIPOPT_EINDOUBT, "Look the object up before"},
		{RAW_DELETE, "/v2/trackers/trk_1", 0, SHIPOPT_EINDOUBT, "Look the object up before"},
		{TRACKER_RETRIEVE, "/v2/trackers/trk_1", 0, SHIPOPT_ECANCELED, "Send the request again"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_record *record = NULL;
		shipopt_op *op;
		unsigned before = script_server_requests(server, cases[i].path);
		if (cases[i].record_kind)
			assert_int_equal(shipopt_record_new(cases[i].record_kind, &record), 0);
		assert_int_equal(start(cases[i].kind, record, &op), 0);
		shipopt_record_free(record);
		script_server_await(server, cases[i].path, before + 1);
		shipopt_op_cancel(op);
		int status = shipopt_op_wait(op, WAIT_MS);
		const shipopt_error *error = shipopt_op_error(op);
		const char *words = status == SHIPOPT_ECANCELED ? "canceled; the answer was not waited for"
								: "canceled; the request was sent once, not repeated";
		if (status != cases[i].status || !strstr(shipopt_error_message(error), words) ||
			!strstr(shipopt_error_advice(error), cases[i].advice))
			fail_msg("case %zu: %s", i, shipopt_error_text(error));
		assert_int_equal(shipopt_error_domain(error), SHIPOPT_DOMAIN_CARRIER);
		assert_null(strstr(shipopt_error_text(error), "Nothing was sent"));
		assert_null(strstr(shipopt_error_text(error), "ledger"));
		shipopt_op_unref(op);
	}
}

/* --- wrong arguments --- */

static void check_refused(int r, shipopt_op *op, const char *words)
{
	assert_int_equal(r, 0);
	assert_int_equal(shipopt_op_wait(op, WAIT_MS), SHIPOPT_EINVAL);
	const char *message = shipopt_error_message(shipopt_op_error(op));
	if (!strstr(message, words))
		fail_msg("\"%s\" is not in \"%s\"", words, message);
	shipopt_op_unref(op);
}

#define REFUSED(call, words)                   \
	do {                                   \
		shipopt_op *op = NULL;         \
		int r = (call);                \
		check_refused(r, op, (words)); \
	} while (0)

static void a_wrong_argument_is_named_with_its_value_and_its_bound(void **state)
{
	static char longest[5000];
	shipopt_record *address, *shipment;
	shipopt_call_config *config;
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_ADDRESS, &address), 0);
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[0] = '/';
	REFUSED(shipopt_carrier_call(carrier, "get", "/trackers", NULL, NULL, NULL, NULL, &op),
		"method \"get\" is not one of GET, POST, PUT, PATCH and DELETE");
	REFUSED(shipopt_carrier_call(carrier, NULL, "/trackers", NULL, NULL, NULL, NULL, &op),
		"method must not be NULL");
	REFUSED(shipopt_carrier_call(carrier, "GET", NULL, NULL, NULL, NULL, NULL, &op), "path must not be NULL");
	REFUSED(shipopt_carrier_call(carrier, "GET", "trackers", NULL, NULL, NULL, NULL, &op),
		"path \"trackers\" must begin with \"/\"");
	REFUSED(shipopt_carrier_call(carrier, "GET", "/a b", NULL, NULL, NULL, NULL, &op),
		"\"/a b\": byte 3 is white space");
	REFUSED(shipopt_carrier_call(carrier, "GET", longest, NULL, NULL, NULL, NULL, &op),
		"path has 4999 bytes, more than 4096");
	REFUSED(shipopt_carrier_call(carrier, "GET", "/trackers", "{}", NULL, NULL, NULL, &op),
		"json must be NULL, as GET has no body");
	REFUSED(shipopt_carrier_tracker_create(carrier, "", NULL, NULL, NULL, &op), "tracking_code must not be empty");
	REFUSED(shipopt_carrier_tracker_create(carrier, NULL, NULL, NULL, NULL, &op), "tracking_code must not be NULL");
	REFUSED(shipopt_carrier_tracker_retrieve(carrier, "", NULL, NULL, &op), "tracker_id must not be empty");
	REFUSED(shipopt_carrier_shipment_retrieve(carrier, "", NULL, NULL, &op), "shipment_id must not be empty");
	REFUSED(shipopt_carrier_shipment_rerate(carrier, "", NULL, NULL, &op), "shipment_id must not be empty");
	REFUSED(shipopt_carrier_shipment_refund(carrier, NULL, NULL, NULL, &op), "shipment_id must not be NULL");
	REFUSED(shipopt_carrier_shipment_buy(carrier, "shp_1", "", -1, NULL, NULL, &op), "rate_id must not be empty");
	REFUSED(shipopt_carrier_shipment_buy(carrier, "shp_1", "rate_1", -2, NULL, NULL, &op), "insurance is -2");
	REFUSED(shipopt_carrier_shipment_create(carrier, address, NULL, NULL, &op),
		"shipment must be a record of the kind SHIPOPT_RECORD_SHIPMENT");
	REFUSED(shipopt_carrier_shipment_quote(carrier, NULL, NULL, NULL, &op),
		"shipment must be a record of the kind SHIPOPT_RECORD_SHIPMENT");
	REFUSED(shipopt_carrier_address_create(carrier, shipment, 0, NULL, NULL, &op),
		"address must be a record of the kind SHIPOPT_RECORD_ADDRESS");
	REFUSED(shipopt_carrier_address_create(carrier, address, 3, NULL, NULL, &op), "verify is 3");
	REFUSED(shipopt_carrier_address_verify(carrier, "", NULL, NULL, &op), "address_id must not be empty");
	/* A configuration that refused a setting. */
	assert_int_equal(shipopt_call_config_new(&config), 0);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_CACHE, "always"), SHIPOPT_EINVAL);
	REFUSED(shipopt_carrier_call(carrier, "GET", "/trackers/trk_1", NULL, config, NULL, NULL, &op),
		"cache: \"always\" is not");
	shipopt_call_config_free(config);
	/* Nobody could be told. */
	assert_int_equal(shipopt_carrier_tracker_create(carrier, "", NULL, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_carrier_tracker_create(NULL, "C1", NULL, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(script_server_requests(server, NULL), 0);
	shipopt_record_free(address);
	shipopt_record_free(shipment);
}

static void a_request_that_is_too_large_says_so(void **state)
{
	shipopt_op *op;
	size_t size = ((size_t)4 << 20) + 2;
	char *json = malloc(size);
	assert_non_null(json);
	memset(json, ' ', size - 1);
	memcpy(json, "{}", 2);
	json[size - 1] = '\0';
	assert_int_equal(shipopt_carrier_call(carrier, "POST", "/parcels", json, NULL, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, WAIT_MS), SHIPOPT_ETOOLARGE);
	assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)),
		"POST /parcels: the request is too large: its path may have 4096 bytes and its body 4194304"));
	shipopt_op_unref(op);
	free(json);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_write_that_was_sent_and_canceled_is_in_doubt_and_has_its_own_advice),
		TEST(a_wrong_argument_is_named_with_its_value_and_its_bound),
		TEST(a_request_that_is_too_large_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
