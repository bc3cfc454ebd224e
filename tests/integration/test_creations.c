/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "bulk_fixture.h"
#include "record/record.h"

/*
 * On the wire: making a shipment buys nothing, whatever an order asks for and however it says so. The sandbox sells a
 * label at once when a creation has a service, as the real service does, and counts the creations that have a member
 * which spends.
 */
#define QUICK "carrier.retry_base_ms=5 carrier.retry_cap_ms=100"
#define SHORT QUICK " carrier.timeout_ms=500 carrier.settle_ms=1000 carrier.breaker_open_ms=200 bulk.lease_ms=2000"

#define SERVICE "Priority" /* not the cheapest */
#define CARRIER "USPS"
#define WAYS 9

#define ADDRESSES                                                                                                         \
	"\"to_address\":{\"name\":\"Reading Room\",\"street1\":\"700 Boylston St\",\"city\":\"Boston\",\"state\":\"MA\"," \
	"\"zip\":\"02116\",\"country\":\"US\"},\"from_address\":{\"name\":\"Mail Room\",\"street1\":\"476 5th Ave\","     \
	"\"city\":\"New York\",\"state\":\"NY\",\"zip\":\"10018\",\"country\":\"US\"},\"parcel\":{\"weight\":15.4}"
#define SHIPMENT(members) "\"shipment\":{" ADDRESSES members "}"
#define WISHED ",\"service\":\"" SERVICE "\",\"carrier\":\"" CARRIER "\""

static struct bulk_fixture fixture;

/* ---- orders that ask in every way ---------------------------------------------------------------------------- */

static const char *write_file(const char *name, const char *text)
{
	static char path[128];
	snprintf(path, sizeof(path), "%s/%s", fixture.folder, name);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
	assert_int_equal(fclose(file), 0);
	return path;
}

static shipopt_source *json_lines(const char *lines)
{
	shipopt_source *source;
	assert_int_equal(shipopt_source_open_json_lines(write_file("out.jsonl", lines), NULL, &source, NULL), 0);
	return source;
}

static void fill(shipopt_order *order, const char *key, bool in_shipment)
{
	static const char json[] = "{" ADDRESSES ",\"insurance\":\"100.00\"}";
	shipopt_record *shipment = NULL;
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, json, strlen(json), &shipment, NULL), 0);
	if (in_shipment) {
		assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_SERVICE, SERVICE, NULL), 0);
		assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_CARRIER, CARRIER, NULL), 0);
	} else {
		assert_int_equal(shipopt_order_set_service(order, SERVICE, NULL), 0);
		assert_int_equal(shipopt_order_set_carrier(order, CARRIER, NULL), 0);
	}
	assert_int_equal(shipopt_order_set_key(order, key, NULL), 0);
	assert_int_equal(shipopt_order_set_shipment(order, shipment, NULL), 0);
}

static shipopt_order *order_of(const char *key, bool in_shipment)
{
	shipopt_order *order;
	assert_int_equal(shipopt_order_new(key, &order, NULL), 0);
	fill(order, key, in_shipment);
	return order;
}

static int one_order(void *userdata, shipopt_order *order)
{
	int *left = userdata;
	if ((*left)-- == 0)
		return 0;
	fill(order, "callback", true);
	return 1;
}

static shipopt_source *pushed_order(void)
{
	shipopt_source *source;
	assert_int_equal(shipopt_source_new_push(NULL, &source, NULL), 0);
	assert_int_equal(shipopt_source_push(source, order_of("push", true)), 0);
	assert_int_equal(shipopt_source_finish(source), 0);
	return source;
}

/* One order, in the given way; its key is new in each. */
static shipopt_source *source_of(int way)
{
	static int left;
	shipopt_source *source;
	shipopt_order *order;
	switch (way) {
	case 0: /* as a recorded request of an official client */
		return json_lines("{\"order_key\":\"json\"," SHIPMENT(WISHED ",\"insurance\":100") "}\n");
	case 1:
		return json_lines("{\"order_key\":\"members\",\"service\":\"" SERVICE "\",\"carrier\":\"" CARRIER
				  "\",\"insurance\":\"100.00\"," SHIPMENT("") "}\n");
	case 2:
		return json_lines("{\"order_key\":\"both\",\"service\":\"" SERVICE
				  "\",\"carrier\":\"usps\"," SHIPMENT(WISHED) "}\n");
	case 3: return json_lines("{\"order_key\":\"service\"," SHIPMENT(",\"service\":\"" SERVICE "\"") "}\n");
	case 4:
		assert_int_equal(
			shipopt_source_open_csv(
				write_file("orders.csv",
					"order_key,service,carrier,insurance,to_name,to_street1,to_city,to_state,to_zip,to_country,"
					"from_name,from_street1,from_city,from_state,from_zip,from_country,weight_oz\r\n"
					"csv," SERVICE "," CARRIER
					",100.00,Reading Room,700 Boylston St,Boston,MA,02116,US,"
					"Mail Room,476 5th Ave,New York,NY,10018,US,15.4\r\n"),
				NULL, &source, NULL),
			0);
		return source;
	case 5:
	case 6:
		order = order_of(way == 5 ? "array" : "wish", way == 5);
		assert_int_equal(shipopt_source_new_array(&order, 1, &source, NULL), 0);
		return source;
	case 7:
		left = 1;
		assert_int_equal(shipopt_source_new_callback(one_order, &left, &source), 0);
		return source;
	default: return pushed_order();
	}
}

struct seen {
	int status;
	int64_t amount;
	char service[64], message[256];
};

static struct seen seen;

static void see_item(void *userdata, const shipopt_item *item)
{
	const char *message = shipopt_error_message(shipopt_item_error(item)), *service = shipopt_item_service(item);
	seen.amount = shipopt_item_amount(item);
	seen.status = shipopt_item_status(item);
	snprintf(seen.service, sizeof(seen.service), "%s", service ? service : "");
	snprintf(seen.message, sizeof(seen.message), "%s", message ? message : "");
}

static void open_handles(const char *settings)
{
	fixture_open_handles(&fixture, settings);
	assert_int_equal(shipopt_bulk_config_set_item(fixture.bulk_config, see_item, NULL), 0);
	fixture_open_bulk(&fixture);
}

static void start(const char *settings)
{
	fixture_start(&fixture, NULL);
	open_handles(settings);
}

static void stop(void)
{
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void run_way(fixture_run_fn run, int way)
{
	struct fixture_result result;
	shipopt_source *source = source_of(way);
	fixture_run(&fixture, run, source, &result);
	if (way == WAYS - 1)
		shipopt_source_free(source); /* of a push source the host keeps a reference */
	if (result.done != 1)
		fail_msg("way %d: %s %s", way, shipopt_error_name(seen.status), seen.message);
	assert_string_equal(seen.service, SERVICE);
}

/* ---- runs ---------------------------------------------------------------------------------------------------- */

static void rating_sells_nothing_and_buying_sells_one_label_each(void **state)
{
	start(QUICK);
	for (int way = 0; way < WAYS; way++)
		run_way(shipopt_bulk_rate, way);
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments"), WAYS);
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments/buy"), 0);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 0);
	assert_int_equal(sandbox_count(&fixture.sandbox, "spending_creations"), 0);
	for (int way = 0; way < WAYS; way++)
		run_way(shipopt_bulk_buy, way);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), WAYS);
	assert_int_equal(sandbox_count(&fixture.sandbox, "spending_creations"), 0);
	assert_int_equal(sandbox_duplicates(&fixture.sandbox), 0);
	assert_int_equal(fixture_compare(&fixture), 0);
	stop();
}

/* Also of orders that no run has rated before: the creation is the buying run's own. */
static void a_buying_run_makes_shipments_without_buying_them(void **state)
{
	start(QUICK);
	for (int way = 0; way < WAYS; way++)
		run_way(shipopt_bulk_buy, way);
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments"), WAYS);
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments/buy"), WAYS);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), WAYS);
	assert_int_equal(sandbox_count(&fixture.sandbox, "spending_creations"), 0);
	stop();
}

static void a_single_purchase_makes_its_shipment_without_buying_it(void **state)
{
	static const char *const keys[] = {"wish", "shipment"};
	shipopt_op *op;
	start(QUICK);
	for (int i = 0; i < 2; i++) {
		shipopt_order *order = order_of(keys[i], i == 1);
		assert_int_equal(shipopt_bulk_purchase(fixture.bulk, order, NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, -1), 0);
		const shipopt_record *rate =
			shipopt_record_child(shipopt_op_record(op), SHIPOPT_SHIPMENT_SELECTED_RATE);
		assert_string_equal(shipopt_record_text(rate, SHIPOPT_RATE_SERVICE), SERVICE);
		shipopt_op_unref(op);
		/* The caller's order is its own, and stays as it was. */
		assert_int_equal(shipopt_record_state(shipopt_order_shipment(order), SHIPOPT_SHIPMENT_SERVICE),
			i == 1 ? SHIPOPT_FIELD_SET : SHIPOPT_FIELD_ABSENT);
		shipopt_order_free(order);
	}
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 2);
	assert_int_equal(sandbox_count(&fixture.sandbox, "spending_creations"), 0);
	assert_int_equal(fixture_compare(&fixture), 0);
	stop();
}

static void an_order_that_asks_for_two_services_is_refused(void **state)
{
	static const char words[] =
		"the order asks for service \"Express\", its shipment for service \"" SERVICE "\": give one of them";
	struct fixture_result result;
	shipopt_op *op;
	start(QUICK);
	fixture_buy(&fixture, json_lines("{\"order_key\":\"two\",\"service\":\"Express\"," SHIPMENT(WISHED) "}\n"),
		&result);
	assert_int_equal(result.status, 0);
	assert_int_equal(result.failed, 1);
	assert_int_equal(seen.status, SHIPOPT_EINVAL);
	assert_string_equal(seen.message, words);
	shipopt_order *order = order_of("two", true);
	assert_int_equal(shipopt_order_set_service(order, "Express", NULL), 0);
	assert_int_equal(shipopt_bulk_purchase(fixture.bulk, order, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINVAL);
	assert_string_equal(shipopt_error_message(shipopt_op_error(op)), words);
	shipopt_op_unref(op);
	shipopt_order_free(order);
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments"), 0);
	assert_int_equal(fixture_ledger_count(&fixture, 0), 0);
	stop();
}

/* A member that the record cannot hold would be missing from what is bought. */
static void an_order_with_a_member_that_does_not_fit_is_refused(void **state)
{
	struct fixture_result result;
	struct buffer line;
	buffer_init(&line, 1 << 20);
	start(QUICK);
	assert_int_equal(buffer_append_text(&line,
				 "{\"order_key\":\"long\",\"shipment\":{" ADDRESSES ",\"options\":{\"memo\":\""),
		0);
	for (size_t i = 0; i < RECORD_TEXT_MAX; i++)
		assert_int_equal(buffer_append_byte(&line, 'x'), 0);
	assert_int_equal(buffer_append_text(&line, "\"}}}\n"), 0);
	fixture_buy(&fixture, json_lines(buffer_text(&line)), &result);
	buffer_done(&line);
	assert_int_equal(result.failed, 1);
	assert_int_equal(seen.status, SHIPOPT_ETOOLARGE);
	assert_non_null(strstr(seen.message, "column \"shipment\": options has 65547 bytes, the limit is 65536"));
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments"), 0);
	stop();
}

/* Runs of other kinds buy nothing: they leave the order as it came. */
static int64_t host_saw_service;

static void on_call(void *userdata, shipopt_request *request)
{
	host_saw_service +=
		text_equal(shipopt_record_text(shipopt_request_record(request), SHIPOPT_SHIPMENT_SERVICE), SERVICE);
	shipopt_request_complete(request, 0);
}

static void a_host_call_sees_the_shipment_as_it_came(void **state)
{
	struct fixture_result result;
	shipopt_run *run;
	shipopt_source *source;
	start(QUICK);
	shipopt_order *order = order_of("host", true);
	host_saw_service = 0;
	assert_int_equal(shipopt_source_new_array(&order, 1, &source, NULL), 0);
	assert_int_equal(shipopt_bulk_call(fixture.bulk, source, NULL, on_call, NULL, NULL, NULL, &run), 0);
	fixture_collect(run, &result);
	assert_int_equal(result.done, 1);
	assert_int_equal(host_saw_service, 1);
	stop();
}

/* ---- lost answers -------------------------------------------------------------------------------------------- */

/* Half of all answers are lost: a creation that bought would buy again with every repeat. The limit is enough for half
 * of them. */
static void lost_answers_buy_one_label_a_key_and_keep_the_spend_limit(void **state)
{
	enum { ORDERS = 10, AFFORDED = 5 };
	struct buffer lines;
	struct fixture_result result;
	char limit[DECIMAL_TEXT_SIZE], settings[256];
	buffer_init(&lines, 65536);
	for (int i = 0; i < ORDERS; i++)
		assert_int_equal(buffer_append_format(&lines, "{\"order_key\":\"t%d\"," SHIPMENT(WISHED) "}\n", i), 0);
	start(SHORT);
	run_way(shipopt_bulk_rate, 0);
	fixture_close(&fixture);
	decimal_format(seen.amount * AFFORDED + seen.amount / 2, 2, limit);
	snprintf(settings, sizeof(settings), SHORT " bulk.spend_limit=%s", limit);
	open_handles(settings);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"lost-answer\": 0.5}"), 0);
	fixture_buy(&fixture, json_lines(buffer_text(&lines)), NULL);
	assert_int_equal(sandbox_duplicates(&fixture.sandbox), 0);
	assert_in_range(sandbox_count(&fixture.sandbox, "labels"), 1, AFFORDED);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"reset\": true}"), 0);
	fixture_buy(&fixture, json_lines(buffer_text(&lines)), &result);
	assert_int_equal(result.done + result.already, AFFORDED);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), AFFORDED);
	assert_int_equal(sandbox_count(&fixture.sandbox, "spending_creations"), 0);
	assert_int_equal(sandbox_duplicates(&fixture.sandbox), 0);
	assert_int_equal(fixture_compare(&fixture), 0);
	buffer_done(&lines);
	stop();
}

/* ---- single calls -------------------------------------------------------------------------------------------- */

static void typed_calls_make_and_quote_without_buying(void **state)
{
	typedef int (*create_fn)(shipopt_carrier *, const shipopt_record *, shipopt_done_fn, void *, shipopt_op **);
	static const create_fn calls[] = {shipopt_carrier_shipment_create, shipopt_carrier_shipment_quote};
	static const int fields[] = {0, SHIPOPT_SHIPMENT_SERVICE, SHIPOPT_SHIPMENT_CARRIER};
	start(QUICK);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(fields); j++) {
			shipopt_op *op;
			shipopt_order *order = order_of("typed", false);
			shipopt_record *shipment;
			assert_int_equal(shipopt_record_copy(shipopt_order_shipment(order), &shipment), 0);
			if (fields[j])
				assert_int_equal(shipopt_record_set_text(shipment, fields[j], SERVICE, NULL), 0);
			assert_int_equal(calls[i](fixture.carrier, shipment, NULL, NULL, &op), 0);
			assert_int_equal(shipopt_op_wait(op, -1), fields[j] ? SHIPOPT_EINVAL : 0);
			if (!fields[j])
				assert_true(shipopt_record_count(shipopt_op_record(op), SHIPOPT_SHIPMENT_RATES) > 0);
			shipopt_op_unref(op);
			shipopt_record_free(shipment);
			shipopt_order_free(order);
		}
	}
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments"), 2);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 0);
	assert_int_equal(sandbox_count(&fixture.sandbox, "spending_creations"), 0);
	stop();
}

/* What came back bought is no request: none of it is sent when it is used to make another shipment. */
static void a_bought_shipment_can_be_made_again(void **state)
{
	shipopt_op *bought, *again;
	start(QUICK);
	shipopt_order *order = order_of("first", false);
	assert_int_equal(shipopt_bulk_purchase(fixture.bulk, order, NULL, NULL, &bought), 0);
	assert_int_equal(shipopt_op_wait(bought, -1), 0);
	assert_int_equal(shipopt_carrier_shipment_create(fixture.carrier, shipopt_op_record(bought), NULL, NULL,
				 &again),
		0);
	assert_int_equal(shipopt_op_wait(again, -1), 0);
	assert_string_not_equal(shipopt_record_text(shipopt_op_record(again), SHIPOPT_SHIPMENT_ID),
		shipopt_record_text(shipopt_op_record(bought), SHIPOPT_SHIPMENT_ID));
	assert_null(shipopt_record_text(shipopt_op_record(again), SHIPOPT_SHIPMENT_TRACKING_CODE));
	shipopt_op_unref(again);
	shipopt_op_unref(bought);
	shipopt_order_free(order);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 1);
	assert_int_equal(sandbox_count(&fixture.sandbox, "spending_creations"), 0);
	stop();
}

static int64_t requests_sent(void)
{
	int64_t value;
	assert_int_equal(shipopt_carrier_stat(fixture.carrier, SHIPOPT_CARRIER_STAT_REQUESTS, &value), 0);
	return value;
}

static void raw(const char *json, int expected)
{
	shipopt_op *op;
	assert_int_equal(shipopt_carrier_call(fixture.carrier, "POST", "/shipments", json, NULL, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), expected);
	shipopt_op_unref(op);
}

/* The host's own words go out as they are; but a second time only if the first cannot have bought. */
static void a_raw_call_that_buys_is_sent_once(void **state)
{
	static const char plain[] = "{\"shipment\":{" ADDRESSES "}}",
			  buying[] = "{\"shipment\":{" ADDRESSES WISHED "}}";
	start(QUICK " carrier.attempts_max=3");
	raw(buying, 0);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 1);
	assert_int_equal(sandbox_count(&fixture.sandbox, "spending_creations"), 1); /* the count works */
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"error-rate\": {\"429\": 1}}"), 0);
	int64_t before = requests_sent();
	raw(buying, SHIPOPT_ERATELIMIT);
	assert_int_equal(requests_sent() - before, 1);
	before = requests_sent();
	raw(plain, SHIPOPT_ERATELIMIT);
	assert_int_equal(requests_sent() - before, 3);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox,
				 "{\"reset\": true, \"error-rate\": {\"429\": 0}, \"lost-answer\": 1}"),
		0);
	before = requests_sent();
	raw(buying, SHIPOPT_EINDOUBT);
	assert_int_equal(requests_sent() - before, 1);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rating_sells_nothing_and_buying_sells_one_label_each),
		cmocka_unit_test(a_buying_run_makes_shipments_without_buying_them),
		cmocka_unit_test(a_single_purchase_makes_its_shipment_without_buying_it),
		cmocka_unit_test(an_order_that_asks_for_two_services_is_refused),
		cmocka_unit_test(an_order_with_a_member_that_does_not_fit_is_refused),
		cmocka_unit_test(a_host_call_sees_the_shipment_as_it_came),
		cmocka_unit_test(lost_answers_buy_one_label_a_key_and_keep_the_spend_limit),
		cmocka_unit_test(typed_calls_make_and_quote_without_buying),
		cmocka_unit_test(a_bought_shipment_can_be_made_again),
		cmocka_unit_test(a_raw_call_that_buys_is_sent_once),
	};
	return cmocka_run_group_tests_name("creations", tests, NULL, NULL);
}
