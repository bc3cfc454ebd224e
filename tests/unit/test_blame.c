/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/error.h>

#include "base/macro.h"
#include "carrier/blame.h"

/* The table of carrier/blame.h, row by row. */

#define COLLECTION (1 << BLAME_ENDPOINT_COLLECTION)
#define LIST (1 << BLAME_ENDPOINT_LIST)
#define OBJECT (1 << BLAME_ENDPOINT_OBJECT)
#define READ (1 << BLAME_ENDPOINT_READ)
#define ANYWHERE (COLLECTION | LIST | OBJECT | READ)

#define NONE (1 << BLAME_BODY_NONE)
#define HTML (1 << BLAME_BODY_HTML)
#define BYTES (1 << BLAME_BODY_BYTES)
#define JSON (1 << BLAME_BODY_JSON)
#define ENVELOPE (1 << BLAME_BODY_ENVELOPE)
#define WHATEVER (NONE | HTML | BYTES | JSON | ENVELOPE)

static const struct row {
	int first, last, bodies, endpoints;
	enum blame blame;
	int status;
} rows[] = {
	{-1, 199, WHATEVER, ANYWHERE, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL},
	{200, 299, JSON | ENVELOPE | NONE, ANYWHERE, BLAME_NONE, 0},
	{200, 299, HTML, ANYWHERE, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL},
	{200, 299, BYTES, ANYWHERE, BLAME_CARRIER, SHIPOPT_EPROTOCOL},
	{300, 399, WHATEVER, ANYWHERE, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL},
	{400, 400, WHATEVER, ANYWHERE, BLAME_ORDER, SHIPOPT_EREFUSED},
	{401, 401, WHATEVER, ANYWHERE, BLAME_ACCOUNT, SHIPOPT_EAUTH},
	{402, 402, WHATEVER, ANYWHERE, BLAME_ACCOUNT, SHIPOPT_EPAYMENT},
	{403, 403, WHATEVER, ANYWHERE, BLAME_ACCOUNT, SHIPOPT_EAUTH},
	{404, 404, WHATEVER, COLLECTION | LIST, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL},
	{404, 404, ENVELOPE, OBJECT | READ, BLAME_ORDER, SHIPOPT_ENOTFOUND},
	{404, 404, NONE | HTML | BYTES | JSON, OBJECT | READ, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL},
	{405, 405, WHATEVER, ANYWHERE, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL},
	{406, 406, WHATEVER, ANYWHERE, BLAME_ORDER, SHIPOPT_EREFUSED},
	{407, 407, WHATEVER, ANYWHERE, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL},
	{408, 408, WHATEVER, ANYWHERE, BLAME_PASSING, SHIPOPT_ETIMEDOUT},
	{409, 409, WHATEVER, ANYWHERE, BLAME_PASSING, SHIPOPT_EBUSY},
	{410, 410, WHATEVER, COLLECTION | LIST, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL},
	{410, 410, ENVELOPE, OBJECT | READ, BLAME_ORDER, SHIPOPT_EREFUSED},
	{410, 410, NONE | HTML | BYTES | JSON, OBJECT | READ, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL},
	{411, 422, WHATEVER, ANYWHERE, BLAME_ORDER, SHIPOPT_EREFUSED},
	{423, 423, WHATEVER, ANYWHERE, BLAME_PASSING, SHIPOPT_EBUSY},
	{424, 424, WHATEVER, ANYWHERE, BLAME_ORDER, SHIPOPT_EREFUSED},
	{425, 425, WHATEVER, ANYWHERE, BLAME_PASSING, SHIPOPT_EBUSY},
	{426, 428, WHATEVER, ANYWHERE, BLAME_ORDER, SHIPOPT_EREFUSED},
	{429, 429, WHATEVER, ANYWHERE, BLAME_PASSING, SHIPOPT_ERATELIMIT},
	{430, 499, WHATEVER, ANYWHERE, BLAME_ORDER, SHIPOPT_EREFUSED},
	{500, 1000, WHATEVER, ANYWHERE, BLAME_CARRIER, SHIPOPT_ESERVER},
};

static const struct row *find_row(int http_status, int body, int endpoint)
{
	const struct row *found = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		if (http_status < row->first || http_status > row->last || !(row->bodies & 1 << body) ||
			!(row->endpoints & 1 << endpoint))
			continue;
		assert_null(found);
		found = row;
	}
	assert_non_null(found);
	return found;
}

static void every_answer_has_one_blame_and_one_code(void **state)
{
	for (int http_status = -1; http_status <= 1000; http_status++) {
		for (int body = BLAME_BODY_NONE; body <= BLAME_BODY_ENVELOPE; body++) {
			for (int endpoint = BLAME_ENDPOINT_COLLECTION; endpoint <= BLAME_ENDPOINT_READ; endpoint++) {
				const struct row *row = find_row(http_status, body, endpoint);
				struct blame_answer answer = {.http_status = http_status,
					.body = (enum blame_body)body,
					.code = body == BLAME_BODY_ENVELOPE ? "SOME.CODE" : NULL,
					.endpoint = (enum blame_endpoint)endpoint};
				enum blame blame = blame_of(&answer);
				if (blame != row->blame || blame_status(blame, http_status) != row->status)
					fail_msg("HTTP %d, body %d, endpoint %d: blame %d, %s", http_status, body,
						endpoint, (int)blame,
						shipopt_error_name(blame_status(blame, http_status)));
			}
		}
	}
}

static void an_empty_2xx_is_the_carriers_fault_where_a_body_is_needed(void **state)
{
	struct blame_answer answer = {.http_status = 200, .body = BLAME_BODY_NONE, .needs_body = true};
	assert_int_equal(blame_of(&answer), BLAME_CARRIER);
	assert_int_equal(blame_status(BLAME_CARRIER, 200), SHIPOPT_EPROTOCOL);
	answer.http_status = 401;
	assert_int_equal(blame_of(&answer), BLAME_ACCOUNT);
}

static void a_conflict_that_no_repeat_changes_is_the_orders_own(void **state)
{
	struct blame_answer answer = {.http_status = 409,
		.body = BLAME_BODY_ENVELOPE,
		.code = "SHIPMENT.POSTAGE.EXISTS",
		.endpoint = BLAME_ENDPOINT_OBJECT};
	assert_int_equal(blame_of(&answer), BLAME_ORDER);
	answer.code = "SHIPMENT.POSTAGE.EXISTING";
	assert_int_equal(blame_of(&answer), BLAME_PASSING);
}

static void a_failure_without_an_answer_is_the_carriers_or_nobodys(void **state)
{
	static const int carriers[] = {SHIPOPT_ECONNECT, SHIPOPT_ENETWORK, SHIPOPT_ETIMEDOUT, SHIPOPT_EPROTOCOL};
	for (int status = SHIPOPT_EINTERNAL; status <= 0; status++) {
		bool is_carriers = false;
		for (size_t i = 0; i < ARRAY_SIZE(carriers); i++)
			is_carriers |= carriers[i] == status;
		assert_int_equal(blame_of_failure(status), is_carriers ? BLAME_CARRIER : BLAME_NONE);
	}
}

static void endpoints_are_told_by_method_and_path(void **state)
{
	static const struct {
		const char *method, *path;
		enum blame_endpoint endpoint;
	} cases[] = {
		{"POST", "/shipments", BLAME_ENDPOINT_COLLECTION},
		{"POST", "/shipments?a=/b", BLAME_ENDPOINT_COLLECTION},
		{"POST", "/shipments/shp_1/buy", BLAME_ENDPOINT_OBJECT},
		{"DELETE", "/webhooks/hook_1", BLAME_ENDPOINT_OBJECT},
		{"GET", "/trackers?page_size=1", BLAME_ENDPOINT_LIST},
		{"GET", "/trackers?after=a/b", BLAME_ENDPOINT_LIST},
		{"GET", "/", BLAME_ENDPOINT_LIST},
		{"GET", "/shipments/shp_1", BLAME_ENDPOINT_READ},
		{"GET", "/addresses/adr_1/verify", BLAME_ENDPOINT_READ},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(blame_endpoint(cases[i].method, cases[i].path), cases[i].endpoint);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_answer_has_one_blame_and_one_code),
		cmocka_unit_test(an_empty_2xx_is_the_carriers_fault_where_a_body_is_needed),
		cmocka_unit_test(a_conflict_that_no_repeat_changes_is_the_orders_own),
		cmocka_unit_test(a_failure_without_an_answer_is_the_carriers_or_nobodys),
		cmocka_unit_test(endpoints_are_told_by_method_and_path),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
