/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "bulk_fixture.h"
#include "json/json.h"
#include "script_server.h"

/* A carrier that repeats the credential in every part of its answers, and every place where something of an answer ends
 * up. */

#define KEY "EZTK0123456789/abcdef+XYZ"
#define OTHER_KEY "EZTKanotherkey987654321"
/* The forms that are sent back; the same as they are read, in one text and in another. */
#define FORMS                                                                                                       \
	"Bearer EZTK0123456789\\/abcdef+XYZ EZTK0123456789/abcdef+XYZ \\u0045ZTK0123456789\\u002fabcdef\\u002bXYZ " \
	"EZTK0123456789%2Fabcdef%2BXYZ Basic RVpUSzAxMjM0NTY3ODkvYWJjZGVmK1hZWjo="
#define OTHER_FORMS "Bearer EZTKanotherkey987654321 \\u0045ZTKanotherkey987654321 EZTKanotherkey98765432%31"
/* None of these may be found anywhere. */
static const char *const forbidden[] = {KEY, "EZTK0123456789\\/abcdef+XYZ", "ZTK0123456789", "%2Fabcdef", "u002fabcdef",
	"RVpUSzAx", OTHER_KEY, "ZTKanotherkey"};

#define SHIPMENT                                                                                                                  \
	"{\"id\":\"shp_1\",\"object\":\"Shipment\",\"reference\":\"" FORMS                                                        \
	"\",\"rates\":[{\"id\":\"rate_1\",\"carrier\":\"USPS\","                                                                  \
	"\"service\":\"Priority\",\"rate\":\"5.00\",\"currency\":\"USD\"}],\"messages\":[{\"carrier\":\"UPS\",\"type\":\"info\"," \
	"\"message\":\"" FORMS "\"}]"
#define BOUGHT                                                                                                                   \
	SHIPMENT                                                                                                                 \
	",\"tracking_code\":\"TRK1\",\"selected_rate\":{\"id\":\"rate_1\",\"carrier\":\"USPS\",\"service\":\"Priority\","        \
	"\"rate\":\"5.00\",\"currency\":\"USD\"},\"postage_label\":{\"id\":\"pl_1\",\"label_url\":\"https://labels.example/" KEY \
	"\"}}"
#define REFUSED                                                                                                     \
	"{\"error\":{\"code\":\"SHIPMENT.POSTAGE.FAILURE\",\"message\":\"" FORMS "\",\"errors\":[{\"field\":\"" KEY \
	"\","                                                                                                       \
	"\"message\":\"" FORMS "\",\"suggestion\":\"" FORMS "\"},\"" FORMS "\"]}}"

static char answers[8][4096];
static struct script scripts[8];
static struct script_server *server;
static shipopt_runtime *runtime;
static char folder[64];
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static char logged[65536];

static void check_clean(const char *bytes, size_t length, const char *where)
{
	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++)
		if (memmem(bytes, length, forbidden[i], strlen(forbidden[i])))
			fail_msg("\"%s\" is in %s", forbidden[i], where);
}

static void check_text(const char *text, const char *where)
{
	if (text)
		check_clean(text, strlen(text), where);
}

static void check_error(const shipopt_error *error)
{
	assert_non_null(error);
	check_text(shipopt_error_message(error), "a message");
	check_text(shipopt_error_carrier_code(error), "a code");
	check_text(shipopt_error_request_id(error), "a request id");
	for (size_t i = 0; i < shipopt_error_field_count(error); i++) {
		check_text(shipopt_error_field_name(error, i), "a field");
		check_text(shipopt_error_field_message(error, i), "a field's message");
		check_text(shipopt_error_field_suggestion(error, i), "a suggestion");
	}
}

static void keep_log(void *userdata, int level, const char *message)
{
	pthread_mutex_lock(&log_lock);
	size_t length = strlen(logged);
	snprintf(logged + length, sizeof(logged) - length, "%s\n", message);
	pthread_mutex_unlock(&log_lock);
}

static void add_answer(const char *path, const char *key, const char *status, const char *body)
{
	size_t i = 0;
	while (scripts[i].path)
		i++;
	snprintf(answers[i], sizeof(answers[i]),
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nx-ep-request-uuid: %s\r\n"
		"Content-Length: %zu\r\n\r\n%s",
		status, key, strlen(body), body);
	scripts[i] = (struct script){path, {{SCRIPT_SEND, answers[i]}}};
}

static int set_up(void **state)
{
	shipopt_runtime_config *config;
	memset(scripts, 0, sizeof(scripts));
	add_answer("/refusing/shipments", KEY, "201 Created", SHIPMENT "}");
	add_answer("/refusing/shipments/shp_1/buy", KEY, "422 Unprocessable", REFUSED);
	add_answer("/selling/shipments", KEY, "201 Created", SHIPMENT "}");
	add_answer("/selling/shipments/shp_1/buy", KEY, "200 OK", BOUGHT);
	add_answer("/selling/trackers/trk_1", KEY, "200 OK",
		"{\"id\":\"trk_1\",\"object\":\"Tracker\",\"carrier\":\"" FORMS "\"}");
	add_answer("/other/refused", OTHER_KEY, "401 Unauthorized",
		"{\"error\":{\"code\":\"APIKEY.INACTIVE\",\"message\":\"" OTHER_FORMS "\"}}");
	add_answer("/other/page", OTHER_KEY, "502 Bad gateway", "no JSON here: " OTHER_FORMS);
	assert_int_equal(script_server_start(scripts, ARRAY_SIZE(scripts) - 1, NULL, NULL, &server), 0);
	snprintf(folder, sizeof(folder), "/tmp/shipopt-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_LOG_LEVEL, SHIPOPT_LOG_DEBUG);
	shipopt_runtime_config_set_log(config, keep_log, NULL);
	assert_int_equal(shipopt_runtime_new(config, &runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	return 0;
}

/* Every file that the test has left, and the log. */
static int tear_down(void **state)
{
	struct dirent *entry;
	assert_int_equal(shipopt_runtime_close(runtime, 10000), 0);
	shipopt_runtime_free(runtime);
	script_server_stop(server);
	DIR *directory = opendir(folder);
	while ((entry = readdir(directory))) {
		static char bytes[1 << 20];
		char path[400];
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
		if (!file)
			continue;
		size_t length = fread(bytes, 1, sizeof(bytes), file);
		assert_in_range(length, 1, sizeof(bytes) - 1);
		check_clean(bytes, length, entry->d_name);
		fclose(file);
		unlink(path);
	}
	closedir(directory);
	assert_int_equal(rmdir(folder), 0);
	check_text(logged, "the log");
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static shipopt_carrier *open_carrier(const char *base, shipopt_cache *cache)
{
	shipopt_carrier_config *config;
	shipopt_carrier *carrier;
	shipopt_error *error = NULL;
	char url[128];
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s", script_server_port(server), base);
	assert_int_equal(shipopt_carrier_config_new(&config), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, url), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, KEY), 0);
	assert_int_equal(shipopt_carrier_config_set(config, "attempts_max", "1"), 0);
	assert_int_equal(shipopt_carrier_config_set_cache(config, cache), 0);
	if (shipopt_carrier_new(runtime, config, &carrier, &error) < 0)
		fail_msg("%s", shipopt_error_message(error));
	shipopt_carrier_config_free(config);
	return carrier;
}

/* ---- single calls -------------------------------------------------------------------------------------------- */

static void an_error_has_no_credential_in_any_of_its_texts(void **state)
{
	shipopt_op *op;
	shipopt_carrier *carrier = open_carrier("refusing", NULL);
	assert_int_equal(shipopt_carrier_call(carrier, "POST", "/shipments/shp_1/buy", "{}", NULL, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EREFUSED);
	const shipopt_error *error = shipopt_op_error(op);
	check_error(error);
	check_text(shipopt_op_json(op), "the body");
	assert_non_null(strstr(shipopt_error_message(error), "SHIPMENT.POSTAGE.FAILURE: Bearer *****"));
	assert_string_equal(shipopt_error_request_id(error), "*************************");
	assert_int_equal(shipopt_error_field_count(error), 2);
	shipopt_op_unref(op);
	shipopt_carrier_free(carrier);
}

static void a_call_with_a_key_of_its_own_is_looked_after_as_well(void **state)
{
	static const char *const paths[] = {"/refused", "/page"};
	shipopt_carrier *carrier = open_carrier("other", NULL);
	shipopt_call_config *config;
	assert_int_equal(shipopt_call_config_new(&config), 0);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_API_KEY, OTHER_KEY), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		shipopt_op *op;
		assert_int_equal(shipopt_carrier_call(carrier, "POST", paths[i], "{}", config, NULL, NULL, &op), 0);
		assert_int_not_equal(shipopt_op_wait(op, -1), 0);
		check_error(shipopt_op_error(op));
		check_text(shipopt_op_json(op), "the body");
		assert_non_null(
			strstr(shipopt_error_message(shipopt_op_error(op)), "Bearer *********************** *"));
		shipopt_op_unref(op);
	}
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_API_KEY, "EZTK\xc3\xa9"), 0);
	assert_int_equal(shipopt_carrier_call(carrier, "GET", "/page", NULL, config, NULL, NULL, NULL), SHIPOPT_EINVAL);
	shipopt_call_config_free(config);
	shipopt_carrier_free(carrier);
}

static void an_answer_is_clean_as_record_as_text_and_in_the_cache(void **state)
{
	shipopt_cache *cache;
	char path[96];
	uint64_t count = 0;
	assert_int_equal(shipopt_cache_new(NULL, &cache, NULL), 0);
	shipopt_carrier *carrier = open_carrier("selling", cache);
	for (int i = 0; i < 2; i++) {
		shipopt_op *op;
		assert_int_equal(shipopt_carrier_tracker_retrieve(carrier, "trk_1", NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, -1), 0);
		check_text(shipopt_op_json(op), "the body");
		const char *name = shipopt_record_text(shipopt_op_record(op), SHIPOPT_TRACKER_CARRIER);
		check_text(name, "the record");
		assert_int_equal(strspn(name, "BearsicFORM *"), strlen(name));
		shipopt_op_unref(op);
	}
	assert_int_equal(script_server_requests(server, "/selling/trackers/trk_1"), 1);
	snprintf(path, sizeof(path), "%s/cache", folder);
	assert_int_equal(shipopt_cache_save(cache, path, &count, NULL), 0);
	assert_int_equal(count, 1);
	shipopt_carrier_free(carrier);
	shipopt_cache_free(cache);
}

/* ---- bulk runs ----------------------------------------------------------------------------------------------- */

static void check_item(void *userdata, const shipopt_item *item)
{
	int *items = userdata;
	++*items;
	check_text(shipopt_item_label_url(item), "the label's URL");
	if (shipopt_item_status(item) < 0) {
		check_error(shipopt_item_error(item));
		assert_non_null(strstr(shipopt_error_message(shipopt_item_error(item)), "Bearer *****"));
	} else {
		assert_string_equal(shipopt_item_tracking_code(item), "TRK1");
		check_text(shipopt_record_text(shipopt_item_record(item), SHIPOPT_SHIPMENT_REFERENCE), "the record");
	}
}

static void run_one(const char *base, bool is_csv)
{
	shipopt_bulk_config *config;
	shipopt_bulk *bulk;
	shipopt_store *store;
	shipopt_sink *sink;
	shipopt_run *run;
	shipopt_op *op;
	shipopt_error *error = NULL;
	char url[96], path[96];
	int items = 0;
	snprintf(url, sizeof(url), "sqlite:%s/%s.db", folder, base);
	snprintf(path, sizeof(path), "%s/%s.%s", folder, base, is_csv ? "csv" : "jsonl");
	shipopt_carrier *carrier = open_carrier(base, NULL);
	assert_int_equal(shipopt_store_open(runtime, url, NULL, &store, NULL), 0);
	assert_int_equal(shipopt_bulk_config_new(&config), 0);
	assert_int_equal(shipopt_bulk_config_set_int(config, SHIPOPT_BULK_DELIVER_INLINE, 1), 0);
	assert_int_equal(shipopt_bulk_config_set_item(config, check_item, &items), 0);
	if (shipopt_bulk_new(runtime, carrier, store, config, &bulk, &error) < 0)
		fail_msg("%s", shipopt_error_message(error));
	shipopt_bulk_config_free(config);
	assert_int_equal(is_csv ? shipopt_sink_open_csv(path, 0, &sink, NULL)
				: shipopt_sink_open_json_lines(path, &sink, NULL),
		0);
	assert_int_equal(shipopt_bulk_buy(bulk, fixture_orders(1, base), sink, NULL, NULL, &run), 0);
	op = shipopt_run_op(run);
	(void)shipopt_op_wait(op, -1);
	if (shipopt_op_error(op))
		check_error(shipopt_op_error(op));
	assert_int_equal(items, 1);
	shipopt_run_unref(run);
	assert_int_equal(shipopt_sink_close(sink, NULL), 0);
	shipopt_sink_free(sink);
	assert_int_equal(shipopt_ledger_list(store, 0, 0, 10, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), 1);
	check_text(shipopt_op_json(op), "the ledger");
	shipopt_op_unref(op);
	shipopt_bulk_free(bulk);
	shipopt_store_free(store);
	shipopt_carrier_free(carrier);
}

static void a_refused_order_leaves_no_credential_in_item_file_and_ledger(void **state)
{
	run_one("refusing", true);
}

static void a_bought_order_leaves_no_credential_in_item_file_and_ledger(void **state)
{
	run_one("selling", false);
}

/* ---- settings ------------------------------------------------------------------------------------------------ */

static void malformed_settings_are_refused_by_the_client_without_being_quoted(void **state)
{
	static const char *const bad[][3] = {
		{"proxy", "http://user:s3cr@sesame@127.0.0.1:1", "proxy"},
		{"proxy", "http://user:sesame/x@127.0.0.1:1", "proxy"},
		{"proxy", "http://user:sesame#x@127.0.0.1:1", "proxy"},
		{"proxy", "http://user:sesame@127.0.0.1:99999", "proxy"},
		{"proxy", "bogus://user:sesame@127.0.0.1:1", "proxy"},
		{"base_url", "https://user:12/sesame@host/v2", "base_url"},
		{"base_url", "https://user:sesame/x@host/v2", "base_url"},
		{"api_key", "sesame\xc3\xa9", "api_key"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		shipopt_carrier_config *config;
		shipopt_carrier *carrier;
		shipopt_error *error = NULL;
		assert_int_equal(shipopt_carrier_config_new(&config), 0);
		assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, KEY), 0);
		shipopt_carrier_config_set(config, bad[i][0], bad[i][1]);
		assert_int_equal(shipopt_carrier_new(runtime, config, &carrier, &error), SHIPOPT_EINVAL);
		assert_non_null(strstr(shipopt_error_message(error), bad[i][2]));
		assert_null(strstr(shipopt_error_message(error), "sesame"));
		assert_null(strstr(shipopt_error_message(error), "s3cr"));
		shipopt_error_unref(error);
		shipopt_carrier_config_free(config);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_error_has_no_credential_in_any_of_its_texts),
		TEST(a_call_with_a_key_of_its_own_is_looked_after_as_well),
		TEST(an_answer_is_clean_as_record_as_text_and_in_the_cache),
		TEST(a_refused_order_leaves_no_credential_in_item_file_and_ledger),
		TEST(a_bought_order_leaves_no_credential_in_item_file_and_ledger),
		TEST(malformed_settings_are_refused_by_the_client_without_being_quoted),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
