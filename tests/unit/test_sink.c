/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include "base/fault.h"
#include "base/memory.h"
#include "bulk/sink.h"
#include "json/json.h"
#include "temporary.h"

#define HEADER                                                                                          \
	"index,line,order_key,status,reason,tracking_code,carrier,service,amount,currency,shipment_id," \
	"label_url,attempts,latency_ms\r\n"

static char path[TEMPORARY_PATH_SIZE];

static int make_path(void **state)
{
	temporary_path(path);
	return 0;
}

static int remove_path(void **state)
{
	return unlink(path);
}

static struct shipopt_order order_done = {.key = (char *)"=1+1", .line = 2, .index = 0};
static const struct shipopt_item item_done_well = {.order = &order_done,
	.attempts = 2,
	.latency_us = 12345,
	.tracking_code = (char *)"9400",
	.carrier = (char *)"USPS",
	.service = (char *)"-Priority, \"fast\"",
	.currency = (char *)"USD",
	.amount = 5210000,
	.shipment_id = (char *)"shp_1",
	.label_url = (char *)"https://l/1"};

static void write_items(shipopt_sink *sink, struct shipopt_item *failed)
{
	assert_int_equal(sink_write(sink, &item_done_well, NULL), 0);
	assert_int_equal(sink_write(sink, failed, NULL), 0);
}

static void assert_file(const char *expected)
{
	char *text = temporary_read(path);
	assert_string_equal(text, expected);
	free(text);
}

static int end_sink(shipopt_sink *sink)
{
	int r = sink ? shipopt_sink_close(sink, NULL) : 0;
	shipopt_sink_free(sink);
	return r;
}

static void make_failed(struct shipopt_order *order, struct shipopt_item *item)
{
	*order = (struct shipopt_order){.index = 7, .input = (char *)"a,\"b"};
	*item = (struct shipopt_item){.order = order, .status = SHIPOPT_EPARSE, .amount = -1};
	error_set(&item->error, SHIPOPT_EPARSE, "orders.csv line 3:\r\n\"abc\" is bad");
}

static void csv_quotes_and_guards(void **state)
{
	struct shipopt_order order;
	struct shipopt_item failed;
	shipopt_sink *sink = NULL;
	make_failed(&order, &failed);
	for (int guard = 0; guard < 2; guard++) {
		assert_int_equal(shipopt_sink_open_csv(path, guard, &sink, NULL), 0);
		write_items(sink, &failed);
		assert_int_equal(end_sink(sink), 0);
		assert_file(guard ? HEADER
				"0,2,'=1+1,done,,9400,USPS,\"'-Priority, \"\"fast\"\"\",5.21,USD,shp_1,https://l/1,2,12.345\r\n"
				"7,,,SHIPOPT_EPARSE,\"orders.csv line 3:  \"\"abc\"\" is bad\",,,,,,,,0,0\r\n"
				  : HEADER
				"0,2,=1+1,done,,9400,USPS,\"-Priority, \"\"fast\"\"\",5.21,USD,shp_1,https://l/1,2,12.345\r\n"
				"7,,,SHIPOPT_EPARSE,\"orders.csv line 3:  \"\"abc\"\" is bad\",,,,,,,,0,0\r\n");
	}
	assert_int_equal(shipopt_sink_open_csv(path, 2, &sink, NULL), SHIPOPT_EINVAL);
	item_done(&(struct shipopt_item){.error = failed.error});
	assert_int_equal(mem_live_count(), 0);
}

static void json_lines_say_what_there_is(void **state)
{
	struct shipopt_order order;
	struct shipopt_item failed, already = {.order = &order, .status = 1, .amount = -1, .value = 41};
	shipopt_sink *sink = NULL;
	make_failed(&order, &failed);
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_ADDRESS, "{\"zip\":\"1\"}", 11, &already.record, NULL),
		0);
	assert_int_equal(shipopt_sink_open_json_lines(path, &sink, NULL), 0);
	write_items(sink, &failed);
	order.input = NULL;
	assert_int_equal(sink_write(sink, &already, NULL), 0);
	assert_int_equal(end_sink(sink), 0);
	assert_file(
		"{\"index\":0,\"line\":2,\"order_key\":\"=1+1\",\"status\":\"done\",\"tracking_code\":\"9400\","
		"\"carrier\":\"USPS\",\"service\":\"-Priority, \\\"fast\\\"\",\"amount\":\"5.21\",\"currency\":\"USD\","
		"\"shipment_id\":\"shp_1\",\"label_url\":\"https://l/1\",\"attempts\":2,\"latency_ms\":12.345}\n"
		"{\"index\":7,\"order_key\":\"\",\"status\":\"SHIPOPT_EPARSE\",\"reason\":\"orders.csv line 3:\\r\\n\\\"abc\\\" is "
		"bad\",\"attempts\":0,\"latency_ms\":0,\"input\":\"a,\\\"b\"}\n"
		"{\"index\":7,\"order_key\":\"\",\"status\":\"already\",\"value\":41,\"attempts\":0,\"latency_ms\":0,\"record\":{\"zip\":\"1\"}}\n");
	item_done(&(struct shipopt_item){.error = failed.error, .record = already.record});
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void every_refused_field_is_in_the_file(void **state)
{
	struct error_field fields[] = {{.name = "to_address.city", .message = "is required", .code = SHIPOPT_ENOTFOUND},
		{.name = "zip", .message = "bad", .suggestion = "02116", .carrier_code = "E.ZIP"}};
	struct error_detail detail = {.code = SHIPOPT_EREFUSED,
		.message = "shipment has 2 findings: to_address.city is required, zip bad",
		.retry_after_ms = -1,
		.fields = fields,
		.field_count = 2};
	struct shipopt_order order = {.key = (char *)"A", .input = (char *)"A,,", .line = 2};
	struct shipopt_item item = {.order = &order, .status = SHIPOPT_EREFUSED, .amount = -1};
	shipopt_sink *sink = NULL;
	error_set_detail(&item.error, &detail);
	assert_int_equal(shipopt_sink_open_json_lines(path, &sink, NULL), 0);
	assert_int_equal(sink_write(sink, &item, NULL), 0);
	assert_int_equal(end_sink(sink), 0);
	assert_file(
		"{\"index\":0,\"line\":2,\"order_key\":\"A\",\"status\":\"SHIPOPT_EREFUSED\",\"reason\":"
		"\"shipment has 2 findings: to_address.city is required, zip bad\",\"errors\":[{\"field\":"
		"\"to_address.city\",\"code\":\"SHIPOPT_ENOTFOUND\",\"message\":\"is required\"},{\"field\":\"zip\",\"code\":\"E.ZIP\","
		"\"message\":\"bad\",\"suggestion\":\"02116\"}],\"attempts\":0,\"latency_ms\":0,\"input\":\"A,,\"}\n");
	assert_int_equal(shipopt_sink_open_csv(path, 0, &sink, NULL), 0);
	assert_int_equal(sink_write(sink, &item, NULL), 0);
	assert_int_equal(end_sink(sink), 0);
	assert_file(HEADER "0,2,A,SHIPOPT_EREFUSED,\"shipment has 2 findings: to_address.city is required, zip bad\","
			   ",,,,,,,0,0\r\n");
	shipopt_error_unref(item.error);
	assert_int_equal(mem_live_count(), 0);
}

/* ---- closing and freeing ------------------------------------------------------------------------------------ */

struct log_lines {
	int count;
	char last[256];
};

static void keep_line(void *userdata, int level, const char *message)
{
	struct log_lines *lines = userdata;
	lines->count++;
	snprintf(lines->last, sizeof(lines->last), "%d %s", level, message);
}

static void a_lost_write_is_returned_by_close_and_logged_by_free(void **state)
{
	struct log_lines lines = {0};
	shipopt_runtime_config *config;
	shipopt_runtime *runtime;
	shipopt_sink *sink = NULL;
	shipopt_error *error = NULL;
	if (access("/dev/full", W_OK) < 0)
		skip();
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	assert_int_equal(shipopt_runtime_config_set(config, "log_level", "1"), 0);
	assert_int_equal(shipopt_runtime_config_set_log(config, keep_line, &lines), 0);
	assert_int_equal(shipopt_runtime_new(config, &runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	assert_int_equal(shipopt_sink_open_csv("/dev/full", 0, &sink, NULL), 0);
	sink_use(sink, runtime);
	for (int i = 0; i < 2; i++) { /* again and again the same */
		assert_int_equal(shipopt_sink_close(sink, &error), SHIPOPT_EIO);
		assert_string_equal(shipopt_error_message(error),
			"cannot write \"/dev/full\": No space left on device");
		shipopt_error_unref(error);
		error = NULL;
	}
	shipopt_sink_free(sink);
	assert_int_equal(lines.count, 0); /* the caller knows */
	assert_int_equal(shipopt_sink_open_csv("/dev/full", 0, &sink, NULL), 0);
	sink_use(sink, runtime);
	shipopt_sink_free(sink);
	assert_int_equal(lines.count, 1);
	assert_string_equal(lines.last,
		"1 bulk: the results in \"/dev/full\" may be incomplete: cannot write \"/dev/full\": "
		"No space left on device");
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

static void an_empty_run_leaves_a_header(void **state)
{
	shipopt_sink *sink = NULL;
	assert_int_equal(shipopt_sink_open_csv(path, 0, &sink, NULL), 0);
	assert_int_equal(end_sink(sink), 0);
	assert_file(HEADER);
	shipopt_sink_free(NULL);
	assert_int_equal(shipopt_sink_close(NULL, NULL), SHIPOPT_EINVAL);
}

static void rows_go_out_before_they_fill_memory(void **state)
{
	shipopt_sink *sink = NULL;
	assert_int_equal(shipopt_sink_open_csv(path, 0, &sink, NULL), 0);
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(sink_write(sink, &item_done_well, NULL), 0);
		assert_true(sink->buffer.length < SINK_FLUSH_BYTES);
	}
	assert_int_equal(sink_flush(sink, NULL), 0);
	assert_int_equal(sink->buffer.length, 0);
	assert_int_equal(end_sink(sink), 0);
	char *text = temporary_read(path);
	size_t rows = 0;
	for (char *p = text; (p = strstr(p, "\r\n")); p += 2)
		rows++;
	assert_int_equal(rows, 5001);
	free(text);
	assert_int_equal(mem_live_count(), 0);
}

static void a_full_disk_is_told_and_stays_told(void **state)
{
	shipopt_sink *sink = NULL;
	shipopt_error *error = NULL;
	if (access("/dev/full", W_OK) < 0) {
		print_message("no /dev/full here: skipped\n");
		return;
	}
	assert_int_equal(shipopt_sink_open_csv("/dev/full", 0, &sink, NULL), 0);
	assert_int_equal(sink_write(sink, &item_done_well, NULL), 0);
	assert_int_equal(sink_flush(sink, &error), SHIPOPT_EIO);
	assert_string_equal(shipopt_error_message(error), "cannot write \"/dev/full\": No space left on device");
	shipopt_error_unref(error);
	assert_int_equal(sink_write(sink, &item_done_well, NULL), SHIPOPT_EIO);
	assert_int_equal(end_sink(sink), SHIPOPT_EIO);
	/* Also when nothing was written before the end. */
	assert_int_equal(shipopt_sink_open_csv("/dev/full", 0, &sink, NULL), 0);
	assert_int_equal(end_sink(sink), SHIPOPT_EIO);
	assert_int_equal(shipopt_sink_open_csv("/nonexistent/x", 0, &sink, NULL), SHIPOPT_EIO);
	assert_int_equal(shipopt_sink_open_json_lines("/tmp", &sink, NULL), SHIPOPT_EIO);
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
static void every_failure_is_told(void **state)
{
	for (int is_json = 0; is_json < 2; is_json++) {
		for (long passes = 0;; passes++) {
			struct shipopt_order order;
			struct shipopt_item failed;
			shipopt_sink *sink = NULL;
			make_failed(&order, &failed);
			fault_arm(passes);
			int r = is_json ? shipopt_sink_open_json_lines(path, &sink, NULL)
					: shipopt_sink_open_csv(path, 1, &sink, NULL);
			r = r < 0 ? r : sink_write(sink, &item_done_well, NULL);
			r = r < 0 ? r : sink_write(sink, &failed, NULL);
			int end = end_sink(sink);
			bool fired = fault_fired();
			fault_arm(-1);
			assert_int_equal(fired, r < 0 || end < 0);
			assert_true(r == 0 || !sink || end == SHIPOPT_EIO);
			item_done(&(struct shipopt_item){.error = failed.error});
			assert_int_equal(mem_live_count(), 0);
			if (!fired) {
				assert_true(passes > 4);
				break;
			}
		}
	}
}
#endif

static void getters_of_nothing_give_nothing(void **state)
{
	assert_int_equal(shipopt_item_index(NULL), 0);
	assert_int_equal(shipopt_item_line(NULL), 0);
	assert_string_equal(shipopt_item_key(NULL), "");
	assert_int_equal(shipopt_item_status(NULL), SHIPOPT_EINVAL);
	assert_null(shipopt_item_error(NULL));
	assert_null(shipopt_item_label_url(NULL));
	assert_int_equal(shipopt_item_amount(NULL), -1);
	struct shipopt_item item = {.amount = 3};
	assert_string_equal(shipopt_item_key(&item), "");
	assert_null(shipopt_item_input(&item));
	assert_int_equal(shipopt_item_amount(&item), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_quotes_and_guards),
		cmocka_unit_test(json_lines_say_what_there_is),
		cmocka_unit_test(every_refused_field_is_in_the_file),
		cmocka_unit_test(a_lost_write_is_returned_by_close_and_logged_by_free),
		cmocka_unit_test(an_empty_run_leaves_a_header),
		cmocka_unit_test(rows_go_out_before_they_fill_memory),
		cmocka_unit_test(a_full_disk_is_told_and_stays_told),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failure_is_told),
#endif
		cmocka_unit_test(getters_of_nothing_give_nothing),
	};
	return cmocka_run_group_tests_name("sink", tests, make_path, remove_path);
}
