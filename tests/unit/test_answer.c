/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "carrier/answer.h"
#include "carrier/provider.h"
#include "record/record.h"

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
	int status = answer_status(http_status);
	assert_int_equal(answer_error(&request, is_json ? &root : NULL, "POST /shipments", status, &error), status);
	json_document_free(document);
	buffer_done(&request.response);
	assert_non_null(error);
	assert_int_equal(shipopt_error_code(error), status);
	assert_int_equal(shipopt_error_http_status(error), http_status);
	return error;
}

static void every_http_status_has_its_code(void **state)
{
	static const int cases[][2] = {{400, SHIPOPT_EREFUSED}, {401, SHIPOPT_EAUTH}, {402, SHIPOPT_EPAYMENT}, {403, SHIPOPT_EAUTH},
		{404, SHIPOPT_ENOTFOUND}, {405, SHIPOPT_EREFUSED}, {407, SHIPOPT_EREFUSED}, {408, SHIPOPT_ETIMEDOUT},
		{409, SHIPOPT_EREFUSED}, {422, SHIPOPT_EREFUSED}, {429, SHIPOPT_ERATELIMIT}, {500, SHIPOPT_ESERVER},
		{502, SHIPOPT_ESERVER}, {503, SHIPOPT_ESERVER}, {504, SHIPOPT_ESERVER}, {599, SHIPOPT_ESERVER},
		{100, SHIPOPT_EPROTOCOL}, {302, SHIPOPT_EPROTOCOL}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(answer_status(cases[i][0]), cases[i][1]);
}

static void every_shape_of_an_error_is_understood(void **state)
{
	static const struct {
		const char *body, *code, *part; /* of the message */
		size_t fields;
		const char *field, *field_message, *suggestion;
	} cases[] = {
		{"{\"error\":{\"code\":\"X.Y\",\"message\":\"no\",\"errors\":[]}}", "X.Y", "X.Y: no", 0, NULL, NULL, NULL},
		{"{\"error\":\"a plain string\"}", NULL, "a plain string", 0, NULL, NULL, NULL},
		{"{\"error\":{\"code\":\"X\",\"message\":[\"one\",\"two\"]}}", "X", "one, two", 0, NULL, NULL, NULL},
		{"{\"error\":{\"code\":\"X\",\"message\":{\"a\":[\"one\"],\"b\":{\"c\":\"two\"},\"d\":null,\"e\":3}}}", "X",
			"one, two, 3", 0, NULL, NULL, NULL},
		{"{\"error\":{\"code\":\"X\",\"message\":\"no\",\"errors\":[{\"field\":\"zip\",\"message\":\"bad\",\"suggestion\":"
		 "\"02116\"}]}}",
			"X", "no", 1, "zip", "bad", "02116"},
		{"{\"error\":{\"code\":\"X\",\"message\":\"no\",\"errors\":[{\"code\":\"E.ADDRESS.NOT_FOUND\",\"field\":null,"
		 "\"message\":\"Address not found\"}]}}",
			"X", "no", 1, "E.ADDRESS.NOT_FOUND", "Address not found", NULL},
		{"{\"error\":{\"code\":\"X\",\"message\":\"no\",\"errors\":[\"a string\",\"another\"]}}", "X", "no", 2, NULL, "a string",
			NULL},
		{"{\"error\":{\"code\":\"X\",\"errors\":[{\"field\":\"f\",\"message\":[\"x\",\"y\"]}]}}", "X", "X", 1, "f", "x, y", NULL},
		{"{\"error\":{}}", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"{\"error\":null}", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"{\"error\":{\"code\":7,\"message\":null,\"errors\":null}}", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"{}", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"[]", NULL, "HTTP 422", 0, NULL, NULL, NULL},
		{"\"just text\"", NULL, "just text", 0, NULL, NULL, NULL},
		{"{\"code\":\"X\",\"message\":\"without the wrapping\"}", "X", "without the wrapping", 0, NULL, NULL, NULL},
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
	for (int i = 0; i < 30; i++)
		strcat(body, "[");
	strcat(body, "\"deep\"");
	for (int i = 0; i < 30; i++)
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
			assert_int_equal(provider_easypost.purchase_word(422, shipopt_error_carrier_code(error)), WORD_EXISTS);
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
		assert_int_equal(shipopt_record_decode(
					 SHIPOPT_RECORD_SHIPMENT, cases[i].json, strlen(cases[i].json), &shipment, NULL),
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
		cmocka_unit_test(every_http_status_has_its_code),
		cmocka_unit_test(every_shape_of_an_error_is_understood),
		cmocka_unit_test(hostile_sizes_and_depths_are_cut),
		cmocka_unit_test(reported_errors_are_understood),
		cmocka_unit_test(postage_is_only_seen_on_the_shipment_that_was_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
