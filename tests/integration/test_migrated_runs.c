/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/shipopt.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "json/json.h"
#include "script_server.h"
#include "store_fixture.h"
#include "store_v1.h"

/*
 * Runs over a store of schema version 1 (store_v1.h), from the orders file that filled it: columns of
 * examples/orders.csv. The carrier plays scripts; a request that has none is answered 404, and counted.
 */
#define HEADER                                                                                                               \
	"order_key,to_company,to_street1,to_city,to_state,to_zip,to_country,from_company,from_street1,from_city,from_state," \
	"from_zip,from_country,length_in,width_in,height_in,weight_oz,service,carrier\n"
#define ORDER_OF(key, weight)                                                                                                             \
	key ",Museum of Science,1 Science Park,Boston,MA,02114,US,New York Public Library,476 5th Ave,New York,NY,10018,US,6,6,5," weight \
	    ",Priority,USPS\n"
#define ORDER(key) ORDER_OF(key, "30.5")
#define LABEL_OF(shipment)                                                                                                                 \
	"{\"id\":\"" shipment                                                                                                              \
	"\",\"object\":\"Shipment\",\"selected_rate\":{\"id\":\"rate_1\",\"object\":\"Rate\",\"carrier\":\"USPS\","                        \
	"\"service\":\"Priority\",\"rate\":\"5.00\",\"currency\":\"USD\"},\"postage_label\":{\"id\":\"pl_1\",\"object\":\"PostageLabel\"," \
	"\"label_url\":\"http://x/new.png\"},\"tracking_code\":\"9400new\"}"
#define ANSWERS_MAX 8

static struct store_fixture fixture;
static struct script_server *server;
static char answers[ANSWERS_MAX][1024];
static struct script scripts[ANSWERS_MAX];
static size_t script_count;

/* ---- the carrier ------------------------------------------------------------------------------------------- */

static void answer(const char *path, const char *status_line, const char *body)
{
	assert_true(script_count < ANSWERS_MAX);
	snprintf(answers[script_count], sizeof(answers[0]),
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status_line,
		strlen(body), body);
	scripts[script_count] = (struct script){path, {{SCRIPT_SEND, answers[script_count], 0, 0, 0}}};
	script_count++;
}

static unsigned requests(const char *path)
{
	return script_server_requests(server, path);
}

/* ---- a run ------------------------------------------------------------------------------------------------- */

struct result {
	char key[32], message[600], tracking_code[32];
	int status;
};

static struct result results[16];
static size_t result_count;

static void on_item(void *userdata, const shipopt_item *item)
{
	assert_true(result_count < ARRAY_SIZE(results));
	struct result *result = &results[result_count++];
	const char *message = shipopt_error_message(shipopt_item_error(item)), *code = shipopt_item_tracking_code(item);
	snprintf(result->key, sizeof(result->key), "%s", shipopt_item_key(item));
	snprintf(result->message, sizeof(result->message), "%s", message ? message : "");
	snprintf(result->tracking_code, sizeof(result->tracking_code), "%s", code ? code : "");
	result->status = shipopt_item_status(item);
}

/* What became of the order: its status; its message must have `in_message`. */
static void expect(const char *key, int status, const char *in_message)
{
	for (size_t i = 0; i < result_count; i++) {
		if (strcmp(results[i].key, key) != 0)
			continue;
		if (results[i].status != status || !strstr(results[i].message, in_message))
			fail_msg("%s: %s instead of %s: %s", key, shipopt_error_name(results[i].status),
				shipopt_error_name(status), results[i].message);
		return;
	}
	fail_msg("%s was not reported", key);
}

static void configure(shipopt_carrier_config *carrier, shipopt_bulk_config *bulk)
{
	char url[64];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/v2", script_server_port(server));
	assert_int_equal(shipopt_carrier_config_set(carrier, "base_url", url), 0);
	assert_int_equal(shipopt_carrier_config_set(carrier, "api_key", "EZTKtest"), 0);
	assert_int_equal(shipopt_bulk_config_set_item(bulk, on_item, NULL), 0);
	assert_int_equal(shipopt_bulk_config_set_int(bulk, SHIPOPT_BULK_ITEM_TIMEOUT_MS, 20000), 0);
}

static void run_with(shipopt_carrier_config *carrier_config, shipopt_bulk_config *bulk_config, shipopt_store *store,
	const char *path)
{
	shipopt_carrier *carrier;
	shipopt_bulk *bulk;
	shipopt_source *source;
	shipopt_run *run;
	assert_int_equal(shipopt_carrier_new(fixture.runtime, carrier_config, &carrier, NULL), 0);
	assert_int_equal(shipopt_bulk_new(fixture.runtime, carrier, store, bulk_config, &bulk, NULL), 0);
	assert_int_equal(shipopt_source_open_csv(path, NULL, &source, NULL), 0);
	assert_int_equal(shipopt_bulk_buy(bulk, source, NULL, NULL, NULL, &run), 0);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), -1), 0);
	shipopt_run_unref(run);
	shipopt_bulk_free(bulk);
	shipopt_carrier_free(carrier);
}

/* Buys the orders, in a store that is opened with confirm_mode (NULL: without). */
static void buy(const char *orders, const char *confirm_mode)
{
	shipopt_carrier_config *carrier;
	shipopt_bulk_config *bulk;
	shipopt_store_config *config;
	shipopt_store *store;
	char path[256];
	snprintf(path, sizeof(path), "%s/orders.csv", fixture.folder);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_true(fputs(orders, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(shipopt_carrier_config_new(&carrier), 0);
	assert_int_equal(shipopt_bulk_config_new(&bulk), 0);
	assert_int_equal(shipopt_store_config_new(&config), 0);
	assert_int_equal(shipopt_store_config_set(config, "confirm_mode", confirm_mode ? confirm_mode : ""), 0);
	assert_int_equal(shipopt_store_open(fixture.runtime, fixture.url, config, &store, NULL), 0);
	configure(carrier, bulk);
	result_count = 0;
	run_with(carrier, bulk, store, path);
	shipopt_store_free(store);
	shipopt_store_config_free(config);
	shipopt_bulk_config_free(bulk);
	shipopt_carrier_config_free(carrier);
}

static void begin(const char *more)
{
	store_v1_make(fixture.path, NULL, more);
	assert_int_equal(script_server_start(scripts, script_count, NULL, NULL, &server), 0);
}

static int setup(void **state)
{
	script_count = 0;
	store_fixture_init(&fixture, NULL);
	return 0;
}

static int teardown(void **state)
{
	store_fixture_done(&fixture);
	script_server_stop(server);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static long long number(const char *text)
{
	return store_v1_number(fixture.path, text);
}

/* ---- tests ------------------------------------------------------------------------------------------------- */

static void nothing_is_sent_before_the_mode_is_confirmed(void **state)
{
	begin(NULL);
	buy(HEADER ORDER("bought-2") ORDER("rated-1") ORDER("new-1"), NULL);
	assert_int_equal(result_count, 3);
	for (size_t i = 0; i < result_count; i++)
		expect(results[i].key, SHIPOPT_ESTATE, "confirm_mode=test");
	assert_int_equal(requests(NULL), 0);
	assert_int_equal(number("SELECT count(*) FROM ledger"), STORE_V1_ROWS);
}

static void the_same_order_has_its_label_and_a_changed_one_is_a_conflict(void **state)
{
	begin(STORE_V1_ROW("re\u0301-1", "request = replace(request, 'bought-2', 're\u0301-1')"));
	buy(HEADER ORDER("bought-2"), "test");
	expect("bought-2", SHIPOPT_ALREADY, "");
	assert_string_equal(results[0].tracking_code, "9400shp_3");
	buy(HEADER ORDER_OF("bought-2", "31"), NULL);
	expect("bought-2", SHIPOPT_ECONFLICT, "weight");
	/* A reference that was the key, in its old spelling. */
	buy(HEADER ORDER("r\u00e9-1"), NULL);
	expect("r\u00e9-1", SHIPOPT_ALREADY, "");
	buy(HEADER ORDER(" bought-2" NBSP), NULL);
	expect("bought-2", SHIPOPT_ALREADY, "");
	assert_int_equal(requests(NULL), 0);
}

static void what_was_rated_is_bought_with_the_shipment_it_has(void **state)
{
	answer("/v2/shipments/shp_5/buy", "200 OK", LABEL_OF("shp_5"));
	answer("/v2/shipments/shp_6/buy", "200 OK", LABEL_OF("shp_6"));
	begin(NULL);
	/* Its key and its reference ended in a no-break space. */
	buy(HEADER ORDER("2002") ORDER("rated-1"), "test");
	expect("2002", 0, "");
	expect("rated-1", 0, "");
	assert_int_equal(requests("/v2/shipments/shp_5/buy"), 1);
	assert_int_equal(requests("/v2/shipments/shp_6/buy"), 1);
	assert_int_equal(requests(NULL), 2);
	assert_int_equal(
		number("SELECT count(*) FROM ledger WHERE id IN (5, 6) AND state = 5 AND tracking_code = '9400new'"),
		2);
	assert_int_equal(number("SELECT count(*) FROM ledger"), STORE_V1_ROWS);
}

static void keys_that_became_one_and_shared_shipments_are_held(void **state)
{
	answer("/v2/shipments/shp_1", "200 OK", LABEL_OF("shp_1"));
	begin(NULL);
	buy(HEADER ORDER("1001") ORDER("same-1") ORDER("same-2") ORDER("bought-1") ORDER("failed-1") ORDER("doubt-1"),
		"test");
	expect("1001", SHIPOPT_EHELD, "ledger row 4 has the same order key in another spelling");
	expect("same-1", SHIPOPT_EHELD, "ledger row 1 has the same shipment");
	expect("same-2", SHIPOPT_EHELD, "ledger row 1 has the same shipment");
	expect("bought-1", SHIPOPT_EHELD, "ledger row 7 has the same shipment");
	expect("failed-1", SHIPOPT_EHELD, "ledger row 1 has the same shipment");
	/* Looked up, and the label that is found is not taken for its own. */
	expect("doubt-1", SHIPOPT_EINDOUBT, "a person must look the shipment up");
	assert_int_equal(requests("/v2/shipments/shp_1"), 1);
	assert_int_equal(requests(NULL), 1);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE needs_person = 1"), 7);
	buy(HEADER ORDER("1001" NBSP), NULL);
	expect("1001", SHIPOPT_EHELD, "ledger row 4");
	assert_int_equal(number("SELECT count(*) FROM ledger"), STORE_V1_ROWS);
}

static void what_was_in_doubt_is_looked_up(void **state)
{
	answer("/v2/shipments/shp_d", "200 OK", LABEL_OF("shp_d"));
	answer("/v2/shipments/shp_f", "200 OK", LABEL_OF("shp_f"));
	begin("UPDATE ledger SET shipment_id = 'shp_d' WHERE id = 9;"
	      "UPDATE ledger SET shipment_id = 'shp_f', attempts = 2 WHERE id = 10");
	buy(HEADER ORDER("doubt-1") ORDER("failed-1"), "test");
	expect("doubt-1", 0, "");
	expect("failed-1", 0, "");
	assert_int_equal(requests("/v2/shipments/shp_d"), 1);
	assert_int_equal(requests("/v2/shipments/shp_f"), 1);
	assert_int_equal(requests(NULL), 2);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE id IN (9, 10) AND state = 5 AND unproven = 0"), 2);
}

/* The settle time of an old row counts from its own purchase, which was long ago; then the same shipment is sent
 * again. */
static void what_was_in_doubt_and_has_no_label_is_sent_again(void **state)
{
	answer("/v2/shipments/shp_d", "200 OK", "{\"id\":\"shp_d\",\"object\":\"Shipment\",\"rates\":[]}");
	answer("/v2/shipments/shp_d/buy", "200 OK", LABEL_OF("shp_d"));
	begin("UPDATE ledger SET shipment_id = 'shp_d', buying_at_ms = 1000000, first_buying_at_ms = 1000000 WHERE id = 9");
	buy(HEADER ORDER("doubt-1"), "test");
	expect("doubt-1", 0, "");
	assert_int_equal(requests("/v2/shipments/shp_d/buy"), 1);
	assert_int_equal(requests(NULL), 2);
	assert_int_equal(number("SELECT sent FROM ledger WHERE id = 9 AND state = 5"), 2);
}

/* A proven failure of version 1 may be bought with another shipment, as ever. */
static void what_failed_is_tried_again(void **state)
{
	answer("/v2/shipments", "201 Created",
		"{\"id\":\"shp_n\",\"object\":\"Shipment\",\"rates\":[{\"id\":\"rate_1\",\"object\":\"Rate\","
		"\"carrier\":\"USPS\",\"service\":\"Priority\",\"rate\":\"5.00\",\"currency\":\"USD\"}]}");
	answer("/v2/shipments/shp_n/buy", "200 OK", LABEL_OF("shp_n"));
	begin("UPDATE ledger SET shipment_id = 'shp_f' WHERE id = 10");
	buy(HEADER ORDER("failed-1"), "test");
	expect("failed-1", 0, "");
	assert_int_equal(requests("/v2/shipments/shp_n/buy"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_sent_before_the_mode_is_confirmed),
		TEST(the_same_order_has_its_label_and_a_changed_one_is_a_conflict),
		TEST(what_was_rated_is_bought_with_the_shipment_it_has),
		TEST(keys_that_became_one_and_shared_shipments_are_held),
		TEST(what_was_in_doubt_is_looked_up),
		TEST(what_was_in_doubt_and_has_no_label_is_sent_again),
		TEST(what_failed_is_tried_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
