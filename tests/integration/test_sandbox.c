/* SPDX-License-Identifier: MIT */
#include "sandbox_orders.h"

#include <stdlib.h>

#include "certificates.h"

static struct sandbox sandbox;
static struct buffer body;
static uint64_t live_before; /* blocks; a failed test must not fail the next one */

static int set_up(void **state)
{
	live_before = mem_live_count();
	buffer_init(&body, 1 << 24);
	return sandbox_start(&sandbox, NULL);
}

static int tear_down(void **state)
{
	buffer_done(&body);
	int status = sandbox_stop(&sandbox);
	return status == 0 && mem_live_count() == live_before ? 0 : -1;
}

static void assert_error(int status, int wanted_status, const char *wanted_code)
{
	char code[64];
	assert_int_equal(status, wanted_status);
	read_error_code(&body, code, sizeof(code));
	assert_string_equal(code, wanted_code);
}

/* A text at the top of the answer. */
static void assert_text(const char *key, const char *key2, const char *wanted)
{
	char text[128];
	json_document *document = parse(&body);
	copy_text(json_root(document), key, key2, text, sizeof(text));
	json_document_free(document);
	assert_string_equal(text, wanted);
}

static void order_is_bought_once_and_a_second_purchase_is_refused(void **state)
{
	struct order order;
	assert_int_equal(create_order(&sandbox, "A-1", &order), 201);
	assert_false(is_bought(&sandbox, &order));
	assert_int_equal(buy_order(&sandbox, &order, NULL), 200);
	assert_int_equal(buy_order(&sandbox, &order, "SHIPMENT.POSTAGE.EXISTS"), 422);
	assert_true(is_bought(&sandbox, &order));
	assert_int_equal(sandbox_count(&sandbox, "labels"), 1);
	assert_int_equal(sandbox_labels_of(&sandbox, "A-1"), 1);
	assert_int_equal(sandbox_duplicates(&sandbox), 0);
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments"), 1);
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments/buy"), 2);
	assert_int_equal(sandbox_requests(&sandbox, "GET /shipments/id"), 2);
	assert_int_equal(sandbox_count(&sandbox, "connections"), 1);
	assert_int_equal(sandbox_get(&sandbox, "/sandbox/counts", &body), 200);
	assert_text("charged", NULL, order.price);
}

static void two_shipments_of_one_reference_are_a_duplicate(void **state)
{
	struct order first, second;
	assert_int_equal(create_order(&sandbox, "A-2", &first), 201);
	assert_int_equal(create_order(&sandbox, "A-2", &second), 201);
	assert_string_not_equal(first.id, second.id);
	assert_int_equal(buy_order(&sandbox, &first, NULL), 200);
	assert_int_equal(sandbox_duplicates(&sandbox), 0);
	assert_int_equal(buy_order(&sandbox, &second, NULL), 200);
	assert_int_equal(sandbox_duplicates(&sandbox), 1);
	assert_int_equal(sandbox_labels_of(&sandbox, "A-2"), 2);
}

static void refunded_label_stays_listed_and_frees_its_reference(void **state)
{
	struct order first, second;
	char path[128];
	assert_int_equal(create_order(&sandbox, "A-3", &first), 201);
	snprintf(path, sizeof(path), "/v2/shipments/%s/refund", first.id);
	assert_error(sandbox_post(&sandbox, path, "{}", &body), 422, "SHIPMENT.REFUND.UNAVAILABLE");
	assert_int_equal(buy_order(&sandbox, &first, NULL), 200);
	assert_int_equal(sandbox_post(&sandbox, path, "{}", &body), 200);
	assert_text("refund_status", NULL, "submitted");
	assert_int_equal(create_order(&sandbox, "A-3", &second), 201);
	assert_int_equal(buy_order(&sandbox, &second, NULL), 200);
	assert_int_equal(sandbox_duplicates(&sandbox), 0);
	assert_int_equal(sandbox_get(&sandbox, "/sandbox/labels", &body), 200);
	assert_non_null(strstr(buffer_text(&body), "\"state\":\"refunded\""));
	assert_non_null(strstr(buffer_text(&body), "\"state\":\"charged\""));
}

static void rerate_gives_new_rates_and_the_old_ones_are_unknown(void **state)
{
	struct order order, rerated;
	char path[128];
	assert_int_equal(create_order(&sandbox, "A-4", &order), 201);
	snprintf(path, sizeof(path), "/v2/shipments/%s/rerate", order.id);
	assert_int_equal(sandbox_post(&sandbox, path, "{}", &body), 200);
	assert_int_equal(buy_order(&sandbox, &order, "PARAMETER.INVALID"), 422);
	snprintf(path, sizeof(path), "/v2/shipments/%s", order.id);
	assert_int_equal(sandbox_get(&sandbox, path, &body), 200);
	read_order(&body, &rerated);
	assert_string_equal(rerated.price, order.price);
	assert_int_equal(buy_order(&sandbox, &rerated, NULL), 200);
}

static void requests_that_make_no_sense_are_refused(void **state)
{
	assert_error(sandbox_post(&sandbox, "/v2/shipments", "{\"shipment\":{}}", &body), 422, "PARAMETER.REQUIRED");
	assert_error(sandbox_post(&sandbox, "/v2/shipments", "{\"ship", &body), 400, "BAD_REQUEST");
	assert_error(sandbox_get(&sandbox, "/v2/shipments/shp_00000000000000000000000000000000", &body), 404,
		"NOT_FOUND");
	assert_error(sandbox_get(&sandbox, "/v2/shipments/nothing", &body), 404, "NOT_FOUND");
	assert_error(sandbox_get(&sandbox, "/v2/unicorns", &body), 404, "NOT_FOUND");
	assert_error(sandbox_post(&sandbox, "/v2/shipments",
			     "{\"shipment\":{\"to_address\":{\"id\":\"adr_00000000000000000000000000000000\"}}}",
			     &body),
		404, "NOT_FOUND");
	assert_error(sandbox_post(&sandbox, "/v2/shipments", "{\"shipment\":{\"to_address\":" ADDRESS_TO "}}", &body),
		422, "PARAMETER.REQUIRED");
	assert_non_null(strstr(buffer_text(&body), "from_address"));
	assert_error(sandbox_post(&sandbox, "/v2/parcels", "{\"parcel\":{\"length\":1}}", &body), 422,
		"PARAMETER.REQUIRED");
	assert_error(sandbox_post(&sandbox, "/sandbox/faults", "{\"lost-answer\":2}", &body), 422, "SANDBOX.FAULTS");
	assert_int_equal(sandbox_count(&sandbox, "labels"), 0);
}

static void key_must_begin_with_ez_in_either_scheme(void **state)
{
	sandbox.authorization = NULL;
	assert_error(sandbox_get(&sandbox, "/v2/trackers", &body), 401, "UNAUTHORIZED");
	sandbox.authorization = "Bearer nonsense";
	assert_error(sandbox_get(&sandbox, "/v2/trackers", &body), 401, "UNAUTHORIZED");
	sandbox.authorization = "Basic RVpUSzE6"; /* EZTK1: */
	assert_int_equal(sandbox_get(&sandbox, "/v2/trackers", &body), 200);
	sandbox.authorization = "Basic WFlUSzE6"; /* XYTK1: */
	assert_int_equal(sandbox_get(&sandbox, "/v2/trackers", &body), 401);
	sandbox.authorization = "Bearer EZAK2";
	assert_int_equal(sandbox_get(&sandbox, "/v2/trackers", &body), 200);
}

static void answers_carry_the_headers_of_the_api(void **state)
{
	struct order order;
	char value[128], wanted[128];
	assert_int_equal(create_order(&sandbox, "A-5", &order), 201);
	assert_true(sandbox_header(&sandbox, "x-ep-request-uuid", value, sizeof(value)));
	assert_int_equal(strlen(value), 32);
	assert_true(sandbox_header(&sandbox, "x-runtime", value, sizeof(value)));
	assert_true(strtod(value, NULL) > 0);
	assert_true(sandbox_header(&sandbox, "content-type", value, sizeof(value)));
	assert_string_equal(value, "application/json; charset=utf-8");
	snprintf(wanted, sizeof(wanted), "/api/v2/shipments/%s", order.id);
	assert_true(sandbox_header(&sandbox, "location", value, sizeof(value)));
	assert_string_equal(value, wanted);
}

static void pages_run_from_newest_to_oldest_without_a_gap(void **state)
{
	struct order orders[7];
	char path[128] = "/v2/shipments?page_size=3", reference[16];
	size_t seen = 0;
	bool has_more = true;
	for (size_t i = 0; i < 7; i++) {
		snprintf(reference, sizeof(reference), "P-%zu", i);
		assert_int_equal(create_order(&sandbox, reference, &orders[i]), 201);
	}
	while (has_more) {
		struct json_value value;
		struct json_iterator it;
		char id[64] = "";
		assert_int_equal(sandbox_get(&sandbox, path, &body), 200);
		json_document *document = parse(&body);
		assert_true(json_get(json_root(document), "shipments", &value));
		for (json_items(value, &it); json_next(&it);) {
			copy_text(it.value, "id", NULL, id, sizeof(id));
			assert_true(seen < 7);
			assert_string_equal(id, orders[6 - seen++].id);
		}
		assert_true(json_get(json_root(document), "has_more", &value) && json_bool(value, &has_more));
		json_document_free(document);
		snprintf(path, sizeof(path), "/v2/shipments?page_size=3&before_id=%s", id);
	}
	assert_int_equal(seen, 7);
}

static void test_codes_have_their_documented_statuses(void **state)
{
	static const char *const codes[][2] = {{"EZ1000000001", "pre_transit"}, {"EZ2000000002", "in_transit"},
		{"EZ3000000003", "out_for_delivery"}, {"EZ4000000004", "delivered"},
		{"EZ5000000005", "return_to_sender"}, {"EZ6000000006", "failure"}, {"EZ7000000007", "unknown"}};
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		char json[128], id[64], path[128];
		snprintf(json, sizeof(json), "{\"tracker\":{\"tracking_code\":\"%s\"}}", codes[i][0]);
		assert_int_equal(sandbox_post(&sandbox, "/v2/trackers", json, &body), 201);
		assert_text("status", NULL, codes[i][1]);
		json_document *document = parse(&body);
		struct json_value details;
		copy_text(json_root(document), "id", NULL, id, sizeof(id));
		assert_true(json_get(json_root(document), "tracking_details", &details));
		assert_int_equal(json_count(details) > 0, strcmp(codes[i][1], "unknown") != 0);
		json_document_free(document);
		assert_int_equal(sandbox_post(&sandbox, "/v2/trackers", json, &body), 200);
		assert_text("id", NULL, id);
		snprintf(path, sizeof(path), "/v2/trackers/%s", id);
		assert_int_equal(sandbox_get(&sandbox, path, &body), 200);
		snprintf(path, sizeof(path), "/v2/trackers?tracking_code=%s", codes[i][0]);
		assert_int_equal(sandbox_get(&sandbox, path, &body), 200);
		assert_non_null(strstr(buffer_text(&body), id));
	}
	assert_error(sandbox_post(&sandbox, "/v2/trackers", "{\"tracker\":{\"tracking_code\":\"x y\"}}", &body), 422,
		"TRACKER.CREATE.ERROR");
	assert_non_null(strstr(buffer_text(&body), "x y"));
}

static void address_that_does_not_exist_fails_softly_or_strictly(void **state)
{
	const char *bad =
		"{\"address\":{\"street1\":\"000 unknown street\",\"city\":\"Not A City\",\"zip\":\"00001\"},\"%s\":true}";
	char json[256];
	snprintf(json, sizeof(json), bad, "verify");
	assert_int_equal(sandbox_post(&sandbox, "/v2/addresses", json, &body), 201);
	assert_non_null(strstr(buffer_text(&body), "\"success\":false"));
	assert_non_null(strstr(buffer_text(&body), "E.ADDRESS.NOT_FOUND"));
	snprintf(json, sizeof(json), bad, "verify_strict");
	assert_error(sandbox_post(&sandbox, "/v2/addresses", json, &body), 422, "ADDRESS.VERIFY.FAILURE");
	assert_int_equal(sandbox_post(&sandbox, "/v2/addresses", "{\"address\":" ADDRESS_TO ",\"verify_strict\":true}",
				 &body),
		201);
	assert_text("street1", NULL, "1 MARKET ST");
	assert_non_null(strstr(buffer_text(&body), "\"success\":true"));
}

static void shipment_takes_addresses_by_id(void **state)
{
	char id[64], json[512];
	assert_int_equal(sandbox_post(&sandbox, "/v2/addresses", "{\"address\":" ADDRESS_TO "}", &body), 201);
	json_document *document = parse(&body);
	copy_text(json_root(document), "id", NULL, id, sizeof(id));
	json_document_free(document);
	snprintf(json, sizeof(json),
		"{\"shipment\":{\"to_address\":{\"id\":\"%s\"},\"from_address\":" ADDRESS_FROM
		",\"parcel\":{\"weight\":\"5\"},\"options\":{\"label_format\":\"PDF\"}}}",
		id);
	assert_int_equal(sandbox_post(&sandbox, "/v2/shipments", json, &body), 201);
	assert_text("to_address", "id", id);
	assert_text("options", "label_format", "PDF");
}

static void international_shipment_needs_customs_and_gets_other_services(void **state)
{
	const char *form =
		"{\"shipment\":{\"to_address\":{\"street1\":\"1 Rue A\",\"city\":\"Paris\",\"zip\":\"75001\","
		"\"country\":\"FR\"},\"from_address\":" ADDRESS_FROM ",\"parcel\":{\"weight\":40}%s}}";
	char json[1024];
	struct order order;
	snprintf(json, sizeof(json), form, "");
	assert_int_equal(sandbox_post(&sandbox, "/v2/shipments", json, &body), 201);
	assert_non_null(strstr(buffer_text(&body), "\"rate_error\""));
	assert_non_null(strstr(buffer_text(&body), "\"rates\":[]"));
	snprintf(json, sizeof(json), form,
		",\"customs_info\":{\"customs_items\":[{\"description\":\"a\",\"quantity\":1}]}");
	assert_int_equal(sandbox_post(&sandbox, "/v2/shipments", json, &body), 201);
	assert_non_null(strstr(buffer_text(&body), "\"DHLExpress\""));
	read_order(&body, &order);
	assert_int_equal(buy_order(&sandbox, &order, NULL), 200);
}

static void label_files_have_their_types_and_signatures(void **state)
{
	struct order order;
	char path[160], url[160], type[64];
	assert_int_equal(create_order(&sandbox, "A-6", &order), 201);
	assert_int_equal(buy_order(&sandbox, &order, NULL), 200);
	snprintf(path, sizeof(path), "/v2/shipments/%s/label?file_format=PDF", order.id);
	assert_int_equal(sandbox_get(&sandbox, path, &body), 200);
	json_document *document = parse(&body);
	copy_text(json_root(document), "postage_label", "label_url", url, sizeof(url));
	assert_memory_equal(url, sandbox.url, strlen(sandbox.url));
	assert_int_equal(sandbox_get(&sandbox, url + strlen(sandbox.url), &body), 200);
	assert_memory_equal(body.data, "\x89PNG\r\n", 6);
	assert_true(sandbox_header(&sandbox, "content-type", type, sizeof(type)));
	assert_string_equal(type, "image/png");
	copy_text(json_root(document), "postage_label", "label_pdf_url", url, sizeof(url));
	json_document_free(document);
	assert_int_equal(sandbox_get(&sandbox, url + strlen(sandbox.url), &body), 200);
	assert_memory_equal(body.data, "%PDF-1.4", 8);
	memcpy(url + strlen(url) - 3, "zpl", 3);
	assert_int_equal(sandbox_get(&sandbox, url + strlen(sandbox.url), &body), 200);
	assert_memory_equal(body.data, "^XA", 3);
	assert_int_equal(sandbox_get(&sandbox, "/labels/../secret.png", &body), 404);
}

static void same_seed_gives_the_same_ids(void **state)
{
	struct sandbox other;
	struct order order, twin;
	assert_int_equal(create_order(&sandbox, "A-7", &order), 201);
	assert_int_equal(sandbox_start(&other, NULL), 0);
	assert_int_equal(create_order(&other, "A-7", &twin), 201);
	assert_string_equal(twin.id, order.id);
	assert_string_equal(twin.rate, order.rate);
	assert_int_equal(sandbox_stop(&other), 0);
	const char *options[] = {"--seed", "2", NULL};
	assert_int_equal(sandbox_start(&other, options), 0);
	assert_int_equal(create_order(&other, "A-7", &twin), 201);
	assert_string_not_equal(twin.id, order.id);
	assert_int_equal(sandbox_stop(&other), 0);
}

static void reset_forgets_everything_but_ids_stay_unique(void **state)
{
	struct order order, later;
	assert_int_equal(create_order(&sandbox, "A-8", &order), 201);
	assert_int_equal(buy_order(&sandbox, &order, NULL), 200);
	assert_int_equal(sandbox_reset(&sandbox), 0);
	assert_int_equal(sandbox_count(&sandbox, "labels"), 0);
	assert_int_equal(sandbox_requests(&sandbox, "POST /shipments"), 0);
	assert_int_equal(buy_order(&sandbox, &order, "NOT_FOUND"), 404);
	assert_int_equal(create_order(&sandbox, "A-8", &later), 201);
	assert_string_not_equal(later.id, order.id);
}

static void bad_options_end_the_program_before_it_listens(void **state)
{
	static const char *const bad[][3] = {{"--lost-answer", "1.5", NULL}, {"--nonsense", "1", NULL},
		{"--port", NULL}, {"--error-rate", "200=1", NULL}, {"--latency-ms", "5-1", NULL},
		{"--late-effect", "0.5:x", NULL}};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct sandbox other;
		assert_true(sandbox_start(&other, bad[i]) < 0);
	}
}

static void https_is_verified_against_its_authority(void **state)
{
	struct certificates certificates;
	struct sandbox tls;
	struct order order;
	assert_int_equal(certificates_make(&certificates), 0);
	const char *served[] = {certificates.good, certificates.expired, certificates.wrong_name};
	for (size_t i = 0; i < ARRAY_SIZE(served); i++) {
		const char *options[] = {"--tls", served[i], certificates.key, NULL};
		assert_int_equal(sandbox_start(&tls, options), 0);
		assert_memory_equal(tls.url, "https://127.0.0.1:", 18);
		tls.ca_file = certificates.ca;
		tls.is_fresh = true;
		assert_int_equal(create_order(&tls, "T-1", &order), i == 0 ? 201 : -CURLE_PEER_FAILED_VERIFICATION);
		tls.ca_file = certificates.other_ca;
		assert_int_equal(create_order(&tls, "T-1", &order), -CURLE_PEER_FAILED_VERIFICATION);
		assert_int_equal(sandbox_stop(&tls), 0);
	}
	certificates_remove(&certificates);
}

#define SANDBOX_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SANDBOX_TEST(order_is_bought_once_and_a_second_purchase_is_refused),
		SANDBOX_TEST(two_shipments_of_one_reference_are_a_duplicate),
		SANDBOX_TEST(refunded_label_stays_listed_and_frees_its_reference),
		SANDBOX_TEST(rerate_gives_new_rates_and_the_old_ones_are_unknown),
		SANDBOX_TEST(requests_that_make_no_sense_are_refused),
		SANDBOX_TEST(key_must_begin_with_ez_in_either_scheme),
		SANDBOX_TEST(answers_carry_the_headers_of_the_api),
		SANDBOX_TEST(pages_run_from_newest_to_oldest_without_a_gap),
		SANDBOX_TEST(test_codes_have_their_documented_statuses),
		SANDBOX_TEST(address_that_does_not_exist_fails_softly_or_strictly),
		SANDBOX_TEST(shipment_takes_addresses_by_id),
		SANDBOX_TEST(international_shipment_needs_customs_and_gets_other_services),
		SANDBOX_TEST(label_files_have_their_types_and_signatures),
		SANDBOX_TEST(same_seed_gives_the_same_ids),
		SANDBOX_TEST(reset_forgets_everything_but_ids_stay_unique),
		SANDBOX_TEST(bad_options_end_the_program_before_it_listens),
		SANDBOX_TEST(https_is_verified_against_its_authority),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
