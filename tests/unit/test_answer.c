/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "carrier/answer.h"
#include "carrier/provider.h"
#include "record/record.h"
#include "record/time.h"

static shipopt_error *read_answer(int http_status, const char *body)
{
	struct http_request request = {.http_status = http_status, .retry_after_ms = -1};
	json_document *document = NULL;
	struct json_value root;
	shipopt_error *error = NULL;
	buffer_init(&request.response, 1 << 20);
	assert_int_equal(buffer_append_text(&request.response, body), 0);
	bool is_json = json_document_parse(body, strlen(body), &document, NULL) == 0;
	if (is_json)
		root = json_root(document);
	bool is_envelope = is_json && answer_envelope_code(root);
	enum blame blame = blame_of(&(struct blame_answer){.http_status = http_status,
		.body = answer_body(&request.response, is_json ? &root : NULL),
		.code = is_envelope ? answer_envelope_code(root) : NULL,
		.endpoint = BLAME_ENDPOINT_OBJECT,
		.needs_body = true});
	int status = blame_status(blame, http_status);
	assert_int_equal(answer_error(&request, is_json ? &root : NULL, "POST /shipments", status, blame, &error),
		status);
	json_document_free(document);
	buffer_done(&request.response);
	assert_non_null(error);
	assert_int_equal(shipopt_error_code(error), status);
	assert_int_equal(shipopt_error_http_status(error), http_status);
	return error;
}

static void every_shape_of_an_error_is_understood(void **state)
{
	static const struct {
		const char *body, *code, *part; /* of the message */
		size_t fields;
		const char *field, *field_message, *suggestion;
	} cases[] = {
		{"{\"error\":{\"code\":\"X.Y\",\"message\":\"no\",\"errors\":[]}}", "X.Y", "X.Y: no", 0, NULL, NULL,
			NULL},
		{"{\"error\":\"a plain string\"}", NULL, "a plain string", 0, NULL, NULL, NULL},
		{"{\"error\":{\"code\":\"X\",\"message\":[\"one\",\"two\"]}}", "X", "one, two", 0, NULL, NULL, NULL},
		{"{\"error\":{\"code\":\"X\",\"message\":{\"a\":[\"one\"],\"b\":{\"c\":\"two\"},\"d\":null,\"e\":3}}}",
			"X", "one, two, 3", 0, NULL, NULL, NULL},
		{"{\"error\":{\"code\":\"X\",\"message\":\"no\",\"errors\":[{\"field\":\"zip\",\"message\":\"bad\",\"suggestion\":"
		 "\"02116\"}]}}",
			"X", "no", 1, "zip", "bad", "02116"},
		{"{\"error\":{\"code\":\"X\",\"message\":\"no\",\"errors\":[{\"code\":\"E.ADDRESS.NOT_FOUND\",\"field\":null,"
		 "\"message\":\"Address not found\"}]}}",
			"X", "no", 1, "E.ADDRESS.NOT_FOUND", "Address not found", NULL},
		{"{\"error\":{\"code\":\"X\",\"message\":\"no\",\"errors\":[\"a string\",\"another\"]}}", "X", "no", 2,
			NULL, "a string", NULL},
		{"{\"error\":{\"code\":\"X\",\"errors\":[{\"field\":\"f\",\"message\":[\"x\",\"y\"]}]}}", "X",
			"X: f: x, y", 1, "f", "x, y", NULL},
		{"{\"error\":{}}", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"{\"error\":null}", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"{\"error\":{\"code\":7,\"message\":null,\"errors\":null}}", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"{}", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"[]", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"\"just text\"", NULL, "just text", 0, NULL, NULL, NULL},
		{"{\"errors\":[{\"field\":\"zip\",\"message\":\"is bad\"},\"and a string\"]}", NULL,
			"HTTP 422: zip: is bad, and a string", 2, "zip", "is bad", NULL},
		{"{\"error\":\"plain\",\"errors\":[\"detail\"]}", NULL, "HTTP 422: plain (detail)", 1, NULL, "detail",
			NULL},
		{"{\"error\":{\"code\":\"X\",\"message\":\"no\",\"errors\":[]},\"errors\":[\"outside\"]}", "X",
			"X: no (outside)", 1, NULL, "outside", NULL},
		{"{\"error\":{\"code\":\"ADDRESS.VERIFY.FAILURE\",\"message\":\"Unable to verify address.\",\"errors\":[{\"field\":"
		 "\"street1\",\"message\":\"House number is missing\"}]}}",
			"ADDRESS.VERIFY.FAILURE", "Unable to verify address. (street1: House number is missing)", 1,
			"street1", "House number is missing", NULL},
		{"{\"code\":\"X\",\"message\":\"without the wrapping\"}", "X", "without the wrapping", 0, NULL, NULL,
			NULL},
		{"<html>Bad gateway</html>", NULL, "begins \"<html>Bad gateway</html>\"", 0, NULL, NULL, NULL},
		{"", NULL, "HTTP 422", 0, NULL, NULL, NULL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_error *error = read_answer(422, cases[i].body);
		const char *code = shipopt_error_carrier_code(error), *message = shipopt_error_message(error);
		if (cases[i].code)
			assert_string_equal(code, cases[i].code);
		else
			assert_null(code);
		if (!strstr(message, cases[i].part))
			fail_msg("case %zu: \"%s\" is not in \"%s\"", i, cases[i].part, message);
		assert_non_null(strstr(message, "POST /shipments"));
		assert_int_equal(shipopt_error_field_count(error), cases[i].fields);
		if (cases[i].field)
			assert_string_equal(shipopt_error_field_name(error, 0), cases[i].field);
		if (cases[i].field_message)
			assert_string_equal(shipopt_error_field_message(error, 0), cases[i].field_message);
		if (cases[i].suggestion)
			assert_string_equal(shipopt_error_field_suggestion(error, 0), cases[i].suggestion);
		shipopt_error_unref(error);
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void only_an_error_with_a_text_code_is_the_apis_own(void **state)
{
	static const struct {
		const char *body, *code;
	} cases[] = {
		{"{\"error\":{\"code\":\"X.Y\",\"message\":\"no\"}}", "X.Y"},
		{"{\"error\":{\"code\":7}}", NULL},
		{"{\"error\":{\"message\":\"no\"}}", NULL},
		{"{\"error\":\"X.Y\"}", NULL},
		{"{\"error\":[{\"code\":\"X.Y\"}]}", NULL},
		{"{\"code\":\"NO_ROUTE\"}", NULL},
		{"{\"code\":\"X.Y\",\"error\":\"Not Found\"}", NULL},
		{"[{\"error\":{\"code\":\"X.Y\"}}]", NULL},
		{"{\"data\":{\"error\":{\"code\":\"X.Y\"}}}", NULL},
		{"\"error\"", NULL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_document *document;
		assert_int_equal(json_document_parse(cases[i].body, strlen(cases[i].body), &document, NULL), 0);
		const char *code = answer_envelope_code(json_root(document));
		if (!cases[i].code != !code || (code && strcmp(code, cases[i].code) != 0))
			fail_msg("%s: %s", cases[i].body, code);
		json_document_free(document);
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void assert_message(int http_status, const char *body, const char *message)
{
	shipopt_error *error = read_answer(http_status, body);
	assert_string_equal(shipopt_error_message(error), message);
	shipopt_error_unref(error);
}

#define HINT "; is the base URL right? it must contain the version, as in https://api.easypost.com/v2"

static void a_body_that_is_not_understood_is_quoted(void **state)
{
	assert_message(422, "{\"status\":\"bad\"}",
		"POST /shipments: HTTP 422: the answer begins \"{\"status\":\"bad\"}\"");
	assert_message(422, " ", "POST /shipments: HTTP 422");
	assert_message(502, "\r\n\t<h1>Bad\n\tgateway</h1>",
		"POST /shipments: HTTP 502: the answer is not JSON, it begins \"<h1>Bad  gateway</h1>\"");
	assert_message(502, "Caf\xc3\xa9 ferm\xe9",
		"POST /shipments: HTTP 502: the answer is not JSON, it begins \"Caf\xc3\xa9 ferm?\"");
	assert_message(200, "\xef\xbb\xbf<!DOCTYPE html>",
		"POST /shipments: HTTP 200: the answer is not JSON, it begins \"<!DOCTYPE html>\"" HINT);
	assert_message(200, "{\"id\":", "POST /shipments: HTTP 200: the answer is not JSON, it begins \"{\"id\":\"");
	assert_message(200, "", "POST /shipments: HTTP 200: the answer is empty");
	char body[1001], message[1200];
	memset(body, 'x', 1000);
	body[1000] = '\0';
	snprintf(message, sizeof(message), "POST /shipments: HTTP 500: the answer is not JSON, it begins \"%.200s\"",
		body);
	assert_message(500, body, message);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static shipopt_error *configuration_error(int http_status, char *location)
{
	struct http_request request = {.http_status = http_status,
		.retry_after_ms = -1,
		.location = location,
		.url = "http://127.0.0.1:8181/trackers?page_size=1"};
	shipopt_error *error = NULL;
	answer_error(&request, NULL, "GET /trackers", SHIPOPT_EPROTOCOL, BLAME_CONFIGURATION, &error);
	assert_non_null(error);
	return error;
}

static void a_wrong_configuration_says_what_to_check(void **state)
{
	char location[] = "https://carrier.example/v3/trackers";
	shipopt_error *error = configuration_error(308, location);
	assert_string_equal(shipopt_error_message(error),
		"GET /trackers: HTTP 308; it redirects to \"https://carrier.example/v3/trackers\", "
		"which is not followed; is the base URL right? http://127.0.0.1:8181/trackers was asked; it must contain the version, "
		"as in https://api.easypost.com/v2");
	shipopt_error_unref(error);
	error = configuration_error(407, NULL);
	assert_string_equal(shipopt_error_message(error),
		"GET /trackers: HTTP 407; a proxy on the way asks for a password: check the setting proxy");
	shipopt_error_unref(error);
	assert_int_equal(mem_live_count(), 0);
}

static void a_retry_after_is_told_as_a_time(void **state)
{
	struct http_request request = {.http_status = 429, .retry_after_ms = INT64_C(86400000)};
	shipopt_error *error = NULL;
	clock_set_virtual(true);
	char expected[160], at[TIME_TEXT_SIZE];
	time_format(clock_wall_ms() + 86400000, at);
	snprintf(expected, sizeof(expected),
		"GET /x: HTTP 429; the carrier asks to wait until %.10s %.8s UTC (86400 s)", at, at + 11);
	answer_error(&request, NULL, "GET /x", SHIPOPT_ERATELIMIT, BLAME_PASSING, &error);
	assert_string_equal(shipopt_error_message(error), expected);
	assert_int_equal(shipopt_error_retry_after_ms(error), 86400000);
	shipopt_error_unref(error);
	request.retry_after_ms = 0;
	answer_error(&request, NULL, "GET /x", SHIPOPT_ERATELIMIT, BLAME_PASSING, &error);
	assert_string_equal(shipopt_error_message(error), "GET /x: HTTP 429");
	shipopt_error_unref(error);
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
}

static void hostile_sizes_and_depths_are_cut(void **state)
{
	static char body[200000];
	size_t length = (size_t)sprintf(body, "{\"error\":{\"code\":\"X\",\"message\":\"");
	memset(body + length, 'm', 50000);
	strcat(body, "\",\"errors\":[");
	for (int i = 0; i < 500; i++)
		strcat(body, i ? ",{\"field\":\"f\",\"message\":\"bad\"}" : "{\"field\":\"f\",\"message\":\"bad\"}");
	strcat(body, "]}}");
	shipopt_error *error = read_answer(422, body);
	assert_true(strlen(shipopt_error_message(error)) < 8192);
	assert_true(shipopt_error_field_count(error) <= ERROR_FIELDS_MAX);
	assert_string_equal(shipopt_error_carrier_code(error), "X");
	shipopt_error_unref(error);
	strcpy(body, "{\"error\":{\"message\":");
	for (int i = 0; i < 190; i++)
		strcat(body, "[");
	strcat(body, "\"deep\"");
	for (int i = 0; i < 190; i++)
		strcat(body, "]");
	strcat(body, "}}");
	error = read_answer(422, body);
	assert_null(strstr(shipopt_error_message(error), "deep"));
	shipopt_error_unref(error);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

/* Shapes that were reported by users of the API, where they are at hand. */
static void reported_errors_are_understood(void **state)
{
	const char *shared = getenv("SHIPOPT_SHARED");
	char folder[1024], path[2048], body[4096];
	snprintf(folder, sizeof(folder), "%s/easypost", shared ? shared : SOURCE_ROOT "/../shared");
	DIR *directory = opendir(folder);
	struct dirent *entry;
	if (!directory) {
		print_message("skipped: no %s\n", folder);
		return;
	}
	while ((entry = readdir(directory))) {
		if (strncmp(entry->d_name, "REPORTED_", 9) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		FILE *file = fopen(path, "r");
		assert_non_null(file);
		body[fread(body, 1, sizeof(body) - 1, file)] = '\0';
		fclose(file);
		shipopt_error *error = read_answer(422, body);
		if (strstr(entry->d_name, "postage_exists")) {
			assert_string_equal(shipopt_error_carrier_code(error), "SHIPMENT.POSTAGE.EXISTS");
			assert_int_equal(provider_easypost.purchase_word(422, shipopt_error_carrier_code(error)),
				WORD_EXISTS);
		}
		assert_true(strlen(shipopt_error_message(error)) > strlen("POST /shipments: HTTP 422"));
		shipopt_error_unref(error);
	}
	closedir(directory);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void postage_is_only_seen_on_the_shipment_that_was_asked_for(void **state)
{
	static const struct {
		const char *json;
		int postage;
	} cases[] = {
		{"{\"id\":\"shp_1\"}", 0},
		{"{\"id\":\"shp_1\",\"postage_label\":null,\"tracking_code\":null}", 0},
		{"{\"id\":\"shp_1\",\"tracking_code\":\"\"}", 0},
		{"{\"id\":\"shp_1\",\"tracking_code\":\"T\"}", 1},
		{"{\"id\":\"shp_1\",\"postage_label\":{\"id\":\"pl_1\"}}", 1},
		{"{\"id\":\"shp_2\",\"tracking_code\":\"T\"}", SHIPOPT_EPROTOCOL},
		{"{\"tracking_code\":\"T\"}", SHIPOPT_EPROTOCOL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_record *shipment;
		assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, cases[i].json, strlen(cases[i].json),
					 &shipment, NULL),
			0);
		assert_int_equal(provider_easypost.has_postage(shipment, "shp_1"), cases[i].postage);
		shipopt_record_free(shipment);
	}
	assert_int_equal(provider_easypost.has_postage(NULL, "shp_1"), SHIPOPT_EPROTOCOL);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_an_error_with_a_text_code_is_the_apis_own),
		cmocka_unit_test(a_body_that_is_not_understood_is_quoted),
		cmocka_unit_test(a_wrong_configuration_says_what_to_check),
		cmocka_unit_test(a_retry_after_is_told_as_a_time),
		cmocka_unit_test(every_shape_of_an_error_is_understood),
		cmocka_unit_test(hostile_sizes_and_depths_are_cut),
		cmocka_unit_test(reported_errors_are_understood),
		cmocka_unit_test(postage_is_only_seen_on_the_shipment_that_was_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
