/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "bulk_fixture.h"
#include "certificates.h"
#include "json/json.h"

/* What a run is told about its carriers, its other kinds, the files it writes, and TLS. */

#define QUICK "carrier.retry_base_ms=5 carrier.retry_cap_ms=100"

/* The last item that failed, for its words. */
struct failure {
	int items, failed, status;
	char message[512];
};

static void see_item(void *userdata, const shipopt_item *item)
{
	struct failure *failure = userdata;
	const char *message = shipopt_error_message(shipopt_item_error(item));
	failure->items++;
	if (shipopt_item_status(item) >= 0)
		return;
	failure->failed++;
	if (shipopt_item_status(item) == SHIPOPT_ECANCELED)
		return;
	failure->status = shipopt_item_status(item);
	snprintf(failure->message, sizeof(failure->message), "%s", message ? message : "");
}

static void open_seen(struct bulk_fixture *fixture, const char *settings, shipopt_item_fn see, void *userdata)
{
	fixture_open_handles(fixture, settings);
	assert_int_equal(shipopt_bulk_config_set_item(fixture->bulk_config, see, userdata), 0);
	fixture_open_bulk(fixture);
}

static void says(const char *message, const char *part)
{
	if (!strstr(message, part))
		fail_msg("\"%s\" does not say \"%s\"", message, part);
}

/* ---- a carrier that is down -------------------------------------------------------------------------------- */

static shipopt_source *one_order_by_ups(int64_t max_rate)
{
	shipopt_source *source;
	shipopt_order *order = fixture_order("order", 5);
	assert_int_equal(shipopt_order_set_carrier(order, "UPS", NULL), 0);
	if (max_rate)
		assert_int_equal(shipopt_order_set_max_rate(order, max_rate, NULL), 0);
	assert_int_equal(shipopt_source_new_array(&order, 1, &source, NULL), 0);
	return source;
}

static const char *const ups_is_down[] = {"--carrier-down", "UPS", NULL};

static void an_order_for_a_carrier_that_is_down_fails_when_told_so(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	struct failure failure = {0};
	fixture_start(&fixture, ups_is_down);
	open_seen(&fixture, QUICK " bulk.missing_carrier=fail", see_item, &failure);
	fixture_buy(&fixture, one_order_by_ups(0), &result);
	assert_int_equal(result.failed, 1);
	assert_int_equal(failure.status, SHIPOPT_ENORATE);
	says(failure.message, "UPS");
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void an_order_waits_for_a_carrier_that_is_down_and_others_pass_it(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	shipopt_run *run;
	fixture_start(&fixture, ups_is_down);
	fixture_open(&fixture, QUICK " bulk.missing_carrier=wait bulk.max_in_flight=1");
	assert_int_equal(shipopt_bulk_buy(fixture.bulk, one_order_by_ups(0), NULL, NULL, NULL, &run), 0);
	int64_t waiting = 0;
	while (waiting == 0)
		assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_SETTLING, &waiting), 0);
	fixture_buy(&fixture, fixture_orders(10, "other"), &result);
	assert_int_equal(result.done, 10);
	assert_int_equal(shipopt_op_is_done(shipopt_run_op(run)), 0);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"reset\": true}"), 0);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), -1), 0);
	const char *carrier, *currency;
	int64_t labels, amount;
	assert_int_equal(shipopt_run_spend(run, 0, &carrier, &currency, &labels, &amount), 0);
	assert_string_equal(carrier, "UPS");
	fixture_collect(run, &result);
	assert_int_equal(result.done, 1);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void an_order_falls_back_to_another_carrier_only_within_a_price_bound(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	struct failure failure = {0};
	fixture_start(&fixture, ups_is_down);
	open_seen(&fixture, QUICK " bulk.missing_carrier=fallback", see_item, &failure);
	fixture_buy(&fixture, one_order_by_ups(0), &result);
	assert_int_equal(result.failed, 1);
	says(failure.message, "max_rate");
	fixture_buy(&fixture, one_order_by_ups(10000), &result);
	assert_int_equal(result.held, 1);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 0);
	fixture_close(&fixture);
	snprintf(fixture.store_url, sizeof(fixture.store_url), "sqlite:%s/out.csv", fixture.folder);
	fixture_open(&fixture, QUICK " bulk.missing_carrier=fallback");
	fixture_buy(&fixture, one_order_by_ups(100000000), &result);
	assert_int_equal(result.done, 1);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 1);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

/* ---- result files ------------------------------------------------------------------------------------------ */

enum { FILE_ORDERS = 40, PLANTED_EVERY = 10 };

struct line { /* of a result file */
	char key[64], status[32], tracking_code[64], shipment[64], amount[32];
};

static char *read_file(const char *path)
{
	struct buffer text;
	char bytes[4096];
	size_t length;
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	buffer_init(&text, 1 << 24);
	while ((length = fread(bytes, 1, sizeof(bytes), file)) > 0)
		assert_int_equal(buffer_append(&text, bytes, length), 0);
	fclose(file);
	char *taken = buffer_take(&text);
	buffer_done(&text);
	return taken;
}

static void copy(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

/* Cells without quotes, as all of these are but the reason. */
static void parse_csv_line(char *text, struct line *line)
{
	char *cells[16], *reason_end = strstr(text, "\",");
	size_t count = 0;
	if (reason_end) /* commas inside the reason */
		for (char *c = strchr(text, '"'); c < reason_end; c++)
			*c = *c == ',' ? ';' : *c;
	while (text && count < ARRAY_SIZE(cells))
		cells[count++] = strsep(&text, ",");
	assert_int_equal(count, 14);
	copy(line->key, sizeof(line->key), cells[2]);
	copy(line->status, sizeof(line->status), cells[3]);
	copy(line->tracking_code, sizeof(line->tracking_code), cells[5]);
	copy(line->amount, sizeof(line->amount), cells[8]);
	copy(line->shipment, sizeof(line->shipment), cells[10]);
}

static void parse_json_line(const char *text, struct line *line)
{
	json_document *document;
	assert_int_equal(json_document_parse(text, strlen(text), &document, NULL), 0);
	struct json_value root = json_root(document);
	copy(line->key, sizeof(line->key), json_get_text(root, "order_key"));
	copy(line->status, sizeof(line->status), json_get_text(root, "status"));
	copy(line->tracking_code, sizeof(line->tracking_code), json_get_text(root, "tracking_code"));
	copy(line->amount, sizeof(line->amount), json_get_text(root, "amount"));
	copy(line->shipment, sizeof(line->shipment), json_get_text(root, "shipment_id"));
	json_document_free(document);
}

/* The carrier's label of an order, as a line. */
static bool find_label(const char *labels, const char *key, struct line *ret_label)
{
	char mark[96];
	json_document *document;
	snprintf(mark, sizeof(mark), "\"reference\":\"%s\"", key);
	const char *found = strstr(labels, mark);
	if (!found)
		return false;
	while (found > labels && found[-1] != '\n')
		found--;
	assert_int_equal(json_document_parse(found, strcspn(found, "\n"), &document, NULL), 0);
	struct json_value root = json_root(document);
	copy(ret_label->tracking_code, sizeof(ret_label->tracking_code), json_get_text(root, "tracking_code"));
	copy(ret_label->amount, sizeof(ret_label->amount), json_get_text(root, "rate"));
	copy(ret_label->shipment, sizeof(ret_label->shipment), json_get_text(root, "shipment"));
	json_document_free(document);
	return true;
}

static void compare_file(struct bulk_fixture *fixture, char *text, bool is_csv, const char *status)
{
	struct buffer labels;
	int lines = 0, bought = 0;
	char *rest = text, *row;
	buffer_init(&labels, 1 << 24);
	assert_int_equal(sandbox_get(&fixture->sandbox, "/sandbox/labels", &labels), 200);
	if (is_csv)
		says(strsep(&rest, "\n"), "index,line,order_key,status,reason,tracking_code");
	while ((row = strsep(&rest, "\n"))) {
		struct line line = {0}, label = {0};
		if (!*row)
			continue;
		if (is_csv)
			parse_csv_line(row, &line);
		else
			parse_json_line(row, &line);
		lines++;
		if (!find_label(buffer_text(&labels), line.key, &label)) {
			assert_true(text_has_prefix(line.key, "never"));
			assert_string_equal(line.status, "SHIPOPT_EREFUSED");
			assert_string_equal(line.tracking_code, "");
			continue;
		}
		bought++;
		assert_string_equal(line.status, status);
		assert_string_equal(line.tracking_code, label.tracking_code);
		assert_string_equal(line.amount, label.amount);
		assert_string_equal(line.shipment, label.shipment);
	}
	assert_int_equal(lines, FILE_ORDERS);
	assert_int_equal(bought, FILE_ORDERS - FILE_ORDERS / PLANTED_EVERY);
	buffer_done(&labels);
}

static void buy_into(struct bulk_fixture *fixture, shipopt_sink *sink)
{
	shipopt_run *run;
	shipopt_source *source = fixture_orders_planted(FILE_ORDERS, "order", "never", PLANTED_EVERY);
	assert_int_equal(shipopt_bulk_buy(fixture->bulk, source, sink, NULL, NULL, &run), 0);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), -1), 0);
	shipopt_run_unref(run);
	assert_int_equal(shipopt_sink_close(sink, NULL), 0);
	shipopt_sink_free(sink);
}

static void result_files_say_what_the_carrier_sold(void **state)
{
	static const char *const options[] = {"--unpurchasable", "never", NULL};
	struct bulk_fixture fixture;
	shipopt_sink *sink;
	char path[128];
	fixture_start(&fixture, options);
	fixture_open(&fixture, QUICK);
	snprintf(path, sizeof(path), "%s/out.csv", fixture.folder);
	assert_int_equal(shipopt_sink_open_csv(path, 0, &sink, NULL), 0);
	buy_into(&fixture, sink);
	char *text = read_file(path);
	compare_file(&fixture, text, true, "done");
	mem_free(text);
	snprintf(path, sizeof(path), "%s/out.jsonl", fixture.folder);
	assert_int_equal(shipopt_sink_open_json_lines(path, &sink, NULL), 0);
	buy_into(&fixture, sink);
	text = read_file(path);
	compare_file(&fixture, text, false, "already");
	mem_free(text);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

/* ---- tracking and verifying -------------------------------------------------------------------------------- */

static const char *const tracked[][2] = {{"EZ1000000001", "pre_transit"}, {"EZ2000000002", "in_transit"},
	{"EZ3000000003", "out_for_delivery"}, {"EZ4000000004", "delivered"}, {"EZ5000000005", "return_to_sender"}};

static void see_tracker(void *userdata, const shipopt_item *item)
{
	int *matches = userdata;
	const char *status = shipopt_record_text(shipopt_item_record(item), SHIPOPT_TRACKER_STATUS);
	*matches += shipopt_item_status(item) == 0 &&
		text_equal(status, tracked[shipopt_item_index(item) % ARRAY_SIZE(tracked)][1]) &&
		text_equal(shipopt_item_tracking_code(item),
			tracked[shipopt_item_index(item) % ARRAY_SIZE(tracked)][0]);
}

static void a_hundred_codes_are_tracked(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	shipopt_order *orders[100];
	shipopt_source *source;
	int matches = 0;
	fixture_start(&fixture, NULL);
	open_seen(&fixture, QUICK, see_tracker, &matches);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		char key[32];
		snprintf(key, sizeof(key), "parcel-%zu", i);
		assert_int_equal(shipopt_order_new(key, &orders[i], NULL), 0);
		assert_int_equal(shipopt_order_set_tracking_code(orders[i], tracked[i % ARRAY_SIZE(tracked)][0], NULL),
			0);
	}
	assert_int_equal(shipopt_source_new_array(orders, ARRAY_SIZE(orders), &source, NULL), 0);
	fixture_run(&fixture, shipopt_bulk_track, source, &result);
	assert_int_equal(result.done, 100);
	assert_int_equal(matches, 100);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void see_address(void *userdata, const shipopt_item *item)
{
	int *wrong = userdata;
	bool is_bad = shipopt_item_index(item) % 3 == 0;
	const char *message = shipopt_error_message(shipopt_item_error(item));
	const char *city = shipopt_record_text(shipopt_item_record(item), SHIPOPT_ADDRESS_CITY);
	bool fits = is_bad ? shipopt_item_status(item) == SHIPOPT_EREFUSED && message && strstr(message, "verify")
			   : shipopt_item_status(item) == 0 && text_equal(city, "BOSTON");
	*wrong += !fits;
}

static void good_addresses_are_verified_and_bad_ones_refused(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	shipopt_order *orders[30];
	shipopt_source *source;
	int wrong = 0;
	fixture_start(&fixture, NULL);
	open_seen(&fixture, QUICK, see_address, &wrong);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		orders[i] = fixture_order("address", i);
		if (i % 3)
			continue;
		shipopt_record *shipment;
		assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
		assert_int_equal(shipopt_record_set_column(shipment, "to_street1", "Unknown Road 1", NULL), 0);
		assert_int_equal(shipopt_record_set_column(shipment, "to_country", "US", NULL), 0);
		assert_int_equal(shipopt_order_set_shipment(orders[i], shipment, NULL), 0);
	}
	assert_int_equal(shipopt_source_new_array(orders, ARRAY_SIZE(orders), &source, NULL), 0);
	fixture_run(&fixture, shipopt_bulk_verify, source, &result);
	assert_int_equal(result.done, 20);
	assert_int_equal(result.failed, 10);
	assert_int_equal(wrong, 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

/* ---- TLS --------------------------------------------------------------------------------------------------- */

static void buy_over_tls(const struct certificates *c, const char *certificate, const char *ca, int64_t bought,
	const char *words)
{
	const char *options[] = {"--tls", certificate, c->key, NULL};
	struct bulk_fixture fixture;
	struct fixture_result result;
	struct failure failure = {0};
	char settings[512];
	fixture_start(&fixture, options);
	fixture.sandbox.ca_file = c->ca;
	/* What cannot be sent is tried again until then. */
	snprintf(settings, sizeof(settings), QUICK " bulk.item_timeout_ms=%d carrier.ca_file=%s", words ? 5000 : 600000,
		ca);
	open_seen(&fixture, settings, see_item, &failure);
	fixture_buy(&fixture, fixture_orders(20, "order"), &result);
	if (result.done != bought)
		print_error("%s\n", failure.message);
	assert_int_equal(result.done, bought);
	assert_int_equal(failure.failed, 20 - bought);
	if (words) {
		print_message("%s\n", failure.message);
		assert_int_equal(failure.status, SHIPOPT_ETLS);
		says(failure.message, words);
		assert_int_equal(result.status, SHIPOPT_ETLS); /* the other orders were not tried */
		says(result.message, words);
	} else {
		assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), bought);
		assert_int_equal(fixture_compare(&fixture), 0);
	}
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void labels_are_bought_over_tls_and_a_bad_certificate_is_named(void **state)
{
	struct certificates certificates;
	assert_int_equal(certificates_make(&certificates), 0);
	buy_over_tls(&certificates, certificates.good, certificates.ca, 20, NULL);
	buy_over_tls(&certificates, certificates.expired, certificates.ca, 0, "expired");
	buy_over_tls(&certificates, certificates.good, certificates.other_ca, 0, "certificate");
	buy_over_tls(&certificates, certificates.wrong_name, certificates.ca, 0, "127.0.0.1");
	certificates_remove(&certificates);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_for_a_carrier_that_is_down_fails_when_told_so),
		cmocka_unit_test(an_order_waits_for_a_carrier_that_is_down_and_others_pass_it),
		cmocka_unit_test(an_order_falls_back_to_another_carrier_only_within_a_price_bound),
		cmocka_unit_test(result_files_say_what_the_carrier_sold),
		cmocka_unit_test(a_hundred_codes_are_tracked),
		cmocka_unit_test(good_addresses_are_verified_and_bad_ones_refused),
		cmocka_unit_test(labels_are_bought_over_tls_and_a_bad_certificate_is_named),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("bulk kinds", tests, NULL, NULL);
}
