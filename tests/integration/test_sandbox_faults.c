/* SPDX-License-Identifier: MIT */
#include "sandbox_orders.h"

#include <poll.h>

#include "base/clock.h"

static struct sandbox sandbox;
static struct buffer body;
static uint64_t live_before; /* blocks; a failed test must not fail the next one */

static int set_up(void **state)
{
	live_before = mem_live_count();
	buffer_init(&body, 1 << 24);
	int r = sandbox_start(&sandbox, NULL);
	sandbox.is_fresh = true;
	return r;
}

static int tear_down(void **state)
{
	buffer_done(&body);
	int status = sandbox_stop(&sandbox);
	return status == 0 && mem_live_count() == live_before ? 0 : -1;
}

/* An order made before the faults begin. */
static void create_then_fault(const char *reference, struct order *ret_order, const char *faults)
{
	assert_int_equal(create_order(&sandbox, reference, ret_order), 201);
	assert_int_equal(sandbox_set_faults(&sandbox, faults), 0);
}

static void stop_faults(void)
{
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"reset\":true}"), 0);
}

/* Waits for the sandbox's own clock to do something later; the loop ends when it has. */
static void wait_for_labels(int64_t wanted)
{
	while (sandbox_count(&sandbox, "labels") < wanted)
		poll(NULL, 0, 5);
	assert_int_equal(sandbox_count(&sandbox, "labels"), wanted);
}

static void lost_answer_has_done_its_work(void **state)
{
	struct order order;
	create_then_fault("F-1", &order, "{\"lost-answer\":1}");
	assert_int_equal(buy_order(&sandbox, &order, NULL), -CURLE_GOT_NOTHING);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 1);
	stop_faults();
	assert_int_equal(buy_order(&sandbox, &order, "SHIPMENT.POSTAGE.EXISTS"), 422);
	assert_true(is_bought(&sandbox, &order));
}

static void lost_answer_behind_a_latency_has_done_its_work_too(void **state)
{
	struct order order;
	create_then_fault("F-2", &order, "{\"lost-answer\":1,\"latency-ms\":\"5-10\"}");
	assert_int_equal(buy_order(&sandbox, &order, NULL), -CURLE_GOT_NOTHING);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 1);
}

static void closed_and_reset_connections_have_done_nothing(void **state)
{
	struct order order;
	create_then_fault("F-3", &order, "{\"close\":1}");
	assert_int_equal(buy_order(&sandbox, &order, NULL), -CURLE_GOT_NOTHING);
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"close\":0,\"reset\":1}"), 0);
	assert_int_equal(buy_order(&sandbox, &order, NULL), -CURLE_RECV_ERROR);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 0);
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments/buy"), 2);
}

static void late_effect_buys_after_the_connection_died(void **state)
{
	struct order order;
	create_then_fault("F-4", &order, "{\"late-effect\":\"1:1.5\",\"fault-paths\":\"buy\"}");
	assert_int_equal(buy_order(&sandbox, &order, NULL), -CURLE_GOT_NOTHING);
	assert_false(is_bought(&sandbox, &order));
	wait_for_labels(1);
	assert_true(is_bought(&sandbox, &order));
}

static void late_effect_finds_the_guard_on_a_label_bought_meanwhile(void **state)
{
	struct order order, other;
	create_then_fault("F-5", &order, "{\"late-effect\":\"1:1.5\"}");
	assert_int_equal(buy_order(&sandbox, &order, NULL), -CURLE_GOT_NOTHING);
	stop_faults();
	assert_int_equal(buy_order(&sandbox, &order, NULL), 200);
	/* Another late purchase, scheduled behind the first: once it is there, the first has had its turn. */
	create_then_fault("F-5b", &other, "{\"late-effect\":\"1:1.5\"}");
	assert_int_equal(buy_order(&sandbox, &other, NULL), -CURLE_GOT_NOTHING);
	wait_for_labels(2);
	assert_int_equal(sandbox_labels_of(&sandbox, "F-5"), 1);
}

static void without_the_guard_the_late_effect_is_a_duplicate(void **state)
{
	struct order order;
	create_then_fault("F-6", &order, "{\"late-effect\":\"1:0.1\",\"no-exists-guard\":true}");
	assert_int_equal(buy_order(&sandbox, &order, NULL), -CURLE_GOT_NOTHING);
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"late-effect\":0}"), 0);
	assert_int_equal(buy_order(&sandbox, &order, NULL), 200);
	assert_int_equal(buy_order(&sandbox, &order, NULL), 200);
	wait_for_labels(3);
	assert_int_equal(sandbox_duplicates(&sandbox), 1);
	assert_int_equal(sandbox_labels_of(&sandbox, "F-6"), 3);
}

static void in_progress_answer_completes_behind_the_caller(void **state)
{
	struct order order;
	create_then_fault("F-7", &order, "{\"in-progress\":1}");
	assert_int_equal(buy_order(&sandbox, &order, "SHIPMENT.PURCHASE.IN_PROGRESS"), 422);
	stop_faults();
	assert_int_equal(sandbox_post(&sandbox, order.path, order.buy, &body), 422); /* still, or it is done already */
	assert_true(strstr(buffer_text(&body), "SHIPMENT.PURCHASE.IN_PROGRESS") ||
		strstr(buffer_text(&body), "SHIPMENT.POSTAGE.EXISTS"));
	wait_for_labels(1);
	assert_int_equal(buy_order(&sandbox, &order, "SHIPMENT.POSTAGE.EXISTS"), 422);
}

static size_t discard(char *bytes, size_t size, size_t count, void *userdata)
{
	return size * count;
}

static void two_purchases_at_once_are_one_and_one_in_progress(void **state)
{
	struct order order;
	char url[256];
	create_then_fault("F-8", &order, "{\"latency-ms\":100}");
	CURLM *multi = curl_multi_init();
	CURL *calls[2];
	snprintf(url, sizeof(url), "%s%s", sandbox.url, order.path);
	for (int i = 0; i < 2; i++) {
		calls[i] = curl_easy_init();
		curl_easy_setopt(calls[i], CURLOPT_URL, url);
		curl_easy_setopt(calls[i], CURLOPT_NOPROXY, "*");
		curl_easy_setopt(calls[i], CURLOPT_USERPWD, "EZTK1:");
		curl_easy_setopt(calls[i], CURLOPT_POSTFIELDS, order.buy);
		curl_easy_setopt(calls[i], CURLOPT_WRITEFUNCTION, discard);
		curl_multi_add_handle(multi, calls[i]);
	}
	for (int running = 1; running > 0;) {
		assert_int_equal(curl_multi_perform(multi, &running), CURLM_OK);
		curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
	long statuses = 0;
	for (int i = 0; i < 2; i++) {
		long status = 0;
		curl_easy_getinfo(calls[i], CURLINFO_RESPONSE_CODE, &status);
		statuses += status;
		curl_multi_remove_handle(multi, calls[i]);
		curl_easy_cleanup(calls[i]);
	}
	curl_multi_cleanup(multi);
	assert_int_equal(statuses, 200 + 422);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 1);
}

static void timed_out_purchases_are_done_or_not(void **state)
{
	struct order order;
	int64_t done = 0;
	for (int i = 0; i < 20; i++) {
		create_then_fault("F-9", &order, "{\"timed-out\":1}");
		assert_int_equal(buy_order(&sandbox, &order, "SHIPMENT.POSTAGE.TIMED_OUT"), 422);
		stop_faults();
		done += is_bought(&sandbox, &order);
	}
	assert_in_range(done, 1, 19);
	assert_int_equal(sandbox_count(&sandbox, "labels"), done);
}

static void truncated_and_garbled_answers_have_done_their_work(void **state)
{
	struct order first, second;
	json_document *document = NULL;
	assert_int_equal(create_order(&sandbox, "F-10", &first), 201);
	create_then_fault("F-11", &second, "{\"truncate\":1}");
	assert_int_equal(sandbox_post(&sandbox, first.path, first.buy, &body), -CURLE_PARTIAL_FILE);
	assert_true(body.length > 1000);
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"truncate\":0,\"garbage\":1}"), 0);
	assert_int_equal(sandbox_post(&sandbox, second.path, second.buy, &body), 200);
	assert_true(json_document_parse(body.data, body.length, &document, NULL) < 0);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 2);
}

static void slow_body_drips_and_arrives_whole(void **state)
{
	struct order order;
	create_then_fault("F-12", &order, "{\"slow-body\":\"40000:1\"}");
	assert_true(is_bought(&sandbox, &order) == false);
	char value[32];
	assert_true(sandbox_header(&sandbox, "content-length", value, sizeof(value)));
}

static void limit_answers_429_with_retry_after_in_both_forms(void **state)
{
	char value[64];
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"requests-per-second\":2,\"retry-after\":7}"), 0);
	int64_t begun_us = clock_now_us(), accepted = 0;
	int status;
	while ((status = sandbox_get(&sandbox, "/v2/trackers", &body)) == 200)
		accepted++;
	assert_int_equal(status, 429);
	assert_in_range(accepted, 2, 2 + 2 * (clock_now_us() - begun_us) / 1000000);
	assert_non_null(strstr(buffer_text(&body), "RATE_LIMITED"));
	assert_true(sandbox_header(&sandbox, "retry-after", value, sizeof(value)));
	assert_string_equal(value, "7");
	assert_int_equal(sandbox_set_faults(&sandbox,
				 "{\"requests-per-second\":0,\"error-rate\":{\"429\":1},\"retry-after\":\"date:30\"}"),
		0);
	assert_int_equal(sandbox_get(&sandbox, "/v2/trackers", &body), 429);
	assert_true(sandbox_header(&sandbox, "retry-after", value, sizeof(value)));
	assert_non_null(strstr(value, " GMT"));
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"retry-after\":\"none\"}"), 0);
	assert_int_equal(sandbox_get(&sandbox, "/v2/trackers", &body), 429);
	assert_false(sandbox_header(&sandbox, "retry-after", value, sizeof(value)));
}

static void statuses_on_request_leave_nothing_done(void **state)
{
	struct order order;
	create_then_fault("F-13", &order, "{\"error-rate\":[\"402=1\"],\"fault-paths\":\"buy\"}");
	assert_int_equal(buy_order(&sandbox, &order, "PAYMENT_REQUIRED"), 402);
	assert_int_equal(sandbox_get(&sandbox, "/v2/trackers", &body), 200);
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"reset\":true,\"error-rate\":\"502=1\"}"), 0);
	assert_int_equal(sandbox_get(&sandbox, "/v2/trackers", &body), 502);
	assert_int_equal(body.data[0], '<');
	assert_int_equal(sandbox_count(&sandbox, "labels"), 0);
}

static void fractions_are_met_and_follow_the_seed(void **state)
{
	int64_t failed = 0;
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"error-rate\":{\"500\":0.25}}"), 0);
	sandbox.is_fresh = false;
	for (int i = 0; i < 400; i++)
		failed += sandbox_get(&sandbox, "/v2/trackers", NULL) == 500;
	assert_in_range(failed, 70, 130);
}

static void kept_alive_purchase_is_closed_and_sent_again_by_libcurl(void **state)
{
	struct order order;
	sandbox.is_fresh = false;
	create_then_fault("F-14", &order, "{\"close-kept-alive\":true}");
	assert_int_equal(buy_order(&sandbox, &order, NULL), 200);
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments/buy"), 2);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 1);
}

static void carrier_that_is_down_has_no_rates_but_a_message(void **state)
{
	struct order order;
	create_then_fault("F-15", &order, "{\"carrier-down\":[\"usps\"]}");
	assert_int_equal(create_order(&sandbox, "F-16", &order), 201);
	assert_string_not_equal(order.carrier, "USPS");
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"carrier-down\":null}"), 0);
	assert_int_equal(create_order(&sandbox, "F-17", &order), 201);
	assert_string_equal(order.carrier, "USPS");
}

static void purchases_of_a_carrier_or_a_prefix_are_refused(void **state)
{
	struct order first, second;
	assert_int_equal(create_order(&sandbox, "BAD-1", &first), 201);
	create_then_fault("F-18", &second, "{\"unpurchasable\":\"BAD-\"}");
	assert_int_equal(buy_order(&sandbox, &first, "SHIPMENT.POSTAGE.FAILURE"), 422);
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"carrier-fails-purchase\":\"USPS\"}"), 0);
	assert_int_equal(buy_order(&sandbox, &second, "SHIPMENT.POSTAGE.FAILURE"), 422);
	stop_faults();
	assert_int_equal(buy_order(&sandbox, &first, NULL), 200);
	assert_int_equal(buy_order(&sandbox, &second, NULL), 200);
}

static void program_ends_cleanly_with_requests_and_late_purchases_waiting(void **state)
{
	struct order order;
	create_then_fault("F-19", &order, "{\"late-effect\":\"1:3600\"}");
	assert_int_equal(buy_order(&sandbox, &order, NULL), -CURLE_GOT_NOTHING);
	assert_int_equal(sandbox_set_faults(&sandbox, "{\"reset\":true,\"latency-ms\":3600000}"), 0);
	CURLM *multi = curl_multi_init();
	CURL *call = curl_easy_init();
	char url[256];
	snprintf(url, sizeof(url), "%s/v2/trackers", sandbox.url);
	curl_easy_setopt(call, CURLOPT_URL, url);
	curl_easy_setopt(call, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(call, CURLOPT_USERPWD, "EZTK1:");
	curl_multi_add_handle(multi, call);
	int running = 1;
	for (int i = 0; i < 1000 && sandbox_requests(&sandbox, "GET /trackers") == 0; i++) {
		curl_multi_perform(multi, &running);
		curl_multi_poll(multi, NULL, 0, 5, NULL);
	}
	assert_int_equal(running, 1);
	assert_int_equal(sandbox_stop(&sandbox), 0);
	curl_multi_remove_handle(multi, call);
	curl_easy_cleanup(call);
	curl_multi_cleanup(multi);
	assert_int_equal(sandbox_start(&sandbox, NULL), 0);
}

#define FAULT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAULT_TEST(lost_answer_has_done_its_work),
		FAULT_TEST(lost_answer_behind_a_latency_has_done_its_work_too),
		FAULT_TEST(closed_and_reset_connections_have_done_nothing),
		FAULT_TEST(late_effect_buys_after_the_connection_died),
		FAULT_TEST(late_effect_finds_the_guard_on_a_label_bought_meanwhile),
		FAULT_TEST(without_the_guard_the_late_effect_is_a_duplicate),
		FAULT_TEST(in_progress_answer_completes_behind_the_caller),
		FAULT_TEST(two_purchases_at_once_are_one_and_one_in_progress),
		FAULT_TEST(timed_out_purchases_are_done_or_not),
		FAULT_TEST(truncated_and_garbled_answers_have_done_their_work),
		FAULT_TEST(slow_body_drips_and_arrives_whole),
		FAULT_TEST(limit_answers_429_with_retry_after_in_both_forms),
		FAULT_TEST(statuses_on_request_leave_nothing_done),
		FAULT_TEST(fractions_are_met_and_follow_the_seed),
		FAULT_TEST(kept_alive_purchase_is_closed_and_sent_again_by_libcurl),
		FAULT_TEST(carrier_that_is_down_has_no_rates_but_a_message),
		FAULT_TEST(purchases_of_a_carrier_or_a_prefix_are_refused),
		FAULT_TEST(program_ends_cleanly_with_requests_and_late_purchases_waiting),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
