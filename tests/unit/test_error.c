/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"

static void every_code_has_a_static_object_in_every_domain(void **state)
{
	for (int domain = SHIPOPT_DOMAIN_GENERAL; domain <= SHIPOPT_DOMAIN_RUN; domain++) {
		for (int code = SHIPOPT_EINTERNAL; code <= SHIPOPT_ALREADY; code++) {
			shipopt_error *error = error_of(domain, code);
			int found = shipopt_error_domain(error);
			char text[600];
			assert_int_equal(shipopt_error_code(error), code);
			assert_true(found == domain || found == SHIPOPT_DOMAIN_GENERAL);
			assert_int_equal(shipopt_error_retry_after_ms(error), -1);
			assert_int_equal(shipopt_error_field_count(error), 0);
			snprintf(text, sizeof(text), "%s: %s. %s", shipopt_error_name(code),
				shipopt_error_message(error), shipopt_error_advice(error));
			assert_string_equal(shipopt_error_text(error), text);
		}
	}
	assert_int_equal(mem_live_count(), 0);
}

static void static_objects_are_never_freed(void **state)
{
	shipopt_error *error = error_of(SHIPOPT_DOMAIN_RUN, SHIPOPT_ECANCELED);
	for (int i = 0; i < 3; i++)
		shipopt_error_unref(error);
	assert_ptr_equal(shipopt_error_ref(error), error);
	assert_ptr_equal(error_of(SHIPOPT_DOMAIN_RUN, SHIPOPT_ECANCELED), error);
	assert_int_equal(shipopt_error_code(error), SHIPOPT_ECANCELED);
	error = error_prefix(error, "run 7");
	assert_string_equal(shipopt_error_message(error), "run 7: the run was canceled");
	assert_int_equal(shipopt_error_domain(error), SHIPOPT_DOMAIN_RUN);
	shipopt_error_unref(error);
	assert_string_equal(shipopt_error_message(error_of(SHIPOPT_DOMAIN_RUN, SHIPOPT_ECANCELED)),
		"the run was canceled");
	assert_int_equal(mem_live_count(), 0);
}

static void advice_belongs_to_the_domain(void **state)
{
	static const struct {
		int code, first, second;
	} pairs[] = {
		{SHIPOPT_ECONFLICT, SHIPOPT_DOMAIN_DATABASE, SHIPOPT_DOMAIN_PURCHASE},
		{SHIPOPT_ECANCELED, SHIPOPT_DOMAIN_CARRIER, SHIPOPT_DOMAIN_RUN},
		{SHIPOPT_ECANCELED, SHIPOPT_DOMAIN_DATABASE, SHIPOPT_DOMAIN_PURCHASE},
		{SHIPOPT_EINDOUBT, SHIPOPT_DOMAIN_CARRIER, SHIPOPT_DOMAIN_PURCHASE},
		{SHIPOPT_EINDOUBT, SHIPOPT_DOMAIN_DATABASE, SHIPOPT_DOMAIN_PURCHASE},
		{SHIPOPT_EAUTH, SHIPOPT_DOMAIN_DATABASE, SHIPOPT_DOMAIN_CARRIER},
	};
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_string_not_equal(shipopt_error_advice(error_of(pairs[i].first, pairs[i].code)),
			shipopt_error_advice(error_of(pairs[i].second, pairs[i].code)));
	/* Only a purchase has a ledger to look at, and only a code that says so promises that nothing was sent. */
	for (int domain = 0; domain <= SHIPOPT_DOMAIN_RUN; domain++) {
		const char *canceled = shipopt_error_advice(error_of(domain, SHIPOPT_ECANCELED));
		const char *doubt = shipopt_error_advice(error_of(domain, SHIPOPT_EINDOUBT));
		assert_null(strstr(canceled, "was sent"));
		assert_int_equal(strstr(canceled, "Nothing was bought") != NULL, domain == SHIPOPT_DOMAIN_PURCHASE);
		assert_int_equal(strstr(doubt, "shipopt_ledger_resolve") != NULL, domain == SHIPOPT_DOMAIN_PURCHASE);
		assert_int_equal(shipopt_error_is_retriable(error_of(domain, SHIPOPT_EINDOUBT)), 0);
	}
}

static void a_retry_helps_where_the_domain_says_so(void **state)
{
	assert_int_equal(shipopt_error_is_retriable(error_of(SHIPOPT_DOMAIN_CARRIER, SHIPOPT_ESERVER)), 1);
	assert_int_equal(shipopt_error_is_retriable(error_of(SHIPOPT_DOMAIN_CARRIER, SHIPOPT_EREFUSED)), 0);
	assert_int_equal(shipopt_error_is_retriable(error_of(SHIPOPT_DOMAIN_STORE, SHIPOPT_EDATABASE)), 1);
	assert_int_equal(shipopt_error_is_retriable(error_of(SHIPOPT_DOMAIN_DATABASE, SHIPOPT_EDATABASE)), 0);
	assert_int_equal(shipopt_error_is_retriable(error_of(SHIPOPT_DOMAIN_DATABASE, SHIPOPT_EBUSY)), 1);
	assert_int_equal(shipopt_error_is_retriable(NULL), 0);
}

static void moving_an_error_changes_its_advice_and_keeps_the_rest(void **state)
{
	struct error_field field = {"zip", "is required", NULL};
	shipopt_error *error = error_new_detail(&(struct error_detail){.code = SHIPOPT_EINDOUBT,
		.domain = SHIPOPT_DOMAIN_CARRIER,
		.message = "POST /v2/shipments/shp_1/buy: the answer was lost",
		.http_status = 502,
		.retry_after_ms = 1500,
		.fields = &field,
		.field_count = 1});
	assert_non_null(strstr(shipopt_error_text(error), "The carrier may have carried it out."));
	error = error_move(error, SHIPOPT_DOMAIN_PURCHASE);
	assert_int_equal(shipopt_error_domain(error), SHIPOPT_DOMAIN_PURCHASE);
	assert_non_null(strstr(shipopt_error_text(error), "Run the same order again"));
	assert_int_equal(shipopt_error_http_status(error), 502);
	assert_int_equal(shipopt_error_retry_after_ms(error), 1500);
	assert_string_equal(shipopt_error_field_name(error, 0), "zip");
	assert_ptr_equal(error_move(error, SHIPOPT_DOMAIN_PURCHASE), error);
	shipopt_error_unref(error);
	assert_null(error_move(NULL, SHIPOPT_DOMAIN_PURCHASE));
	assert_int_equal(mem_live_count(), 0);
}

static void fields_have_codes_of_their_own(void **state)
{
	struct error_field fields[] = {{.name = "to_address.zip", .message = "is required", .code = SHIPOPT_ENOTFOUND},
		{.name = "parcel", .message = "is too heavy", .carrier_code = "PARCEL.WEIGHT"}};
	shipopt_error *error = error_new_detail(&(struct error_detail){.code = SHIPOPT_EREFUSED,
		.message = "refused",
		.retry_after_ms = -1,
		.fields = fields,
		.field_count = ARRAY_SIZE(fields)});
	assert_int_equal(shipopt_error_field_code(error, 0), SHIPOPT_ENOTFOUND);
	assert_null(shipopt_error_field_carrier_code(error, 0));
	assert_int_equal(shipopt_error_field_code(error, 1), SHIPOPT_EREFUSED);
	assert_string_equal(shipopt_error_field_carrier_code(error, 1), "PARCEL.WEIGHT");
	assert_int_equal(shipopt_error_field_code(error, 2), 0);
	assert_null(shipopt_error_field_carrier_code(error, 2));
	shipopt_error_unref(error);
	assert_int_equal(mem_live_count(), 0);
}

static void the_text_is_one_line_with_name_message_and_advice(void **state)
{
	static const struct {
		const char *message, *text;
	} cases[] = {
		{"line 3 is bad", "SHIPOPT_EPARSE: line 3 is bad. Correct the place that the message names."},
		{"line 3 is bad.", "SHIPOPT_EPARSE: line 3 is bad. Correct the place that the message names."},
		{"is it?\n", "SHIPOPT_EPARSE: is it? Correct the place that the message names."},
		{"a\r\nb\tc", "SHIPOPT_EPARSE: a  b c. Correct the place that the message names."},
		{"", "SHIPOPT_EPARSE: . Correct the place that the message names."},
		{NULL, "SHIPOPT_EPARSE: malformed input. Correct the place that the message names."},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		shipopt_error *error = error_new(SHIPOPT_EPARSE, cases[i].message);
		assert_string_equal(shipopt_error_text(error), cases[i].text);
		shipopt_error_unref(error);
	}
	assert_string_equal(shipopt_error_text(NULL), "no error");
	assert_non_null(shipopt_error_advice(NULL));
	assert_int_equal(shipopt_error_domain(NULL), SHIPOPT_DOMAIN_GENERAL);
	assert_int_equal(mem_live_count(), 0);
}

static void the_text_of_the_longest_message_is_bounded_and_utf8(void **state)
{
	static char longest[20000];
	for (size_t i = 0; i + 3 <= sizeof(longest); i += 2)
		memcpy(longest + i, "\xc3\xa9", 3);
	shipopt_error *error = error_new(SHIPOPT_EREFUSED, longest);
	const char *text = shipopt_error_text(error);
	assert_true(strlen(text) < 4700);
	assert_true(text_is_utf8(text, strlen(text), NULL));
	assert_non_null(strstr(text, shipopt_error_advice(error)));
	shipopt_error_unref(error);
	assert_int_equal(mem_live_count(), 0);
}

static void an_unknown_code_keeps_its_number(void **state)
{
	shipopt_error *error = error_new(-1000, "from the application");
	assert_int_equal(shipopt_error_code(error), -1000);
	assert_string_equal(shipopt_error_text(error),
		"SHIPOPT_E?: from the application. Report it as a bug in the library.");
	shipopt_error_unref(error);
	assert_int_equal(shipopt_error_code(error_of(SHIPOPT_DOMAIN_RUN, -1000)), SHIPOPT_EINTERNAL);
	assert_int_equal(shipopt_error_code(error_of(SHIPOPT_DOMAIN_RUN, 2)), SHIPOPT_EINTERNAL);
}

#ifdef SHIPOPT_FAULTS
static void without_memory_the_error_is_the_static_one(void **state)
{
	long pass = 0;
	for (bool fired = true; fired; pass++) {
		shipopt_error *error = NULL;
		fault_arm(pass);
		int r = error_set_in(&error, SHIPOPT_DOMAIN_STORE, SHIPOPT_EBUSY, "row %d", 7);
		fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(r, SHIPOPT_EBUSY);
		assert_non_null(error);
		assert_int_equal(error == error_of(SHIPOPT_DOMAIN_STORE, SHIPOPT_EBUSY), fired);
		shipopt_error_unref(error);
	}
	assert_true(pass > 2);
	assert_int_equal(mem_live_count(), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_has_a_static_object_in_every_domain),
		cmocka_unit_test(static_objects_are_never_freed),
		cmocka_unit_test(advice_belongs_to_the_domain),
		cmocka_unit_test(a_retry_helps_where_the_domain_says_so),
		cmocka_unit_test(moving_an_error_changes_its_advice_and_keeps_the_rest),
		cmocka_unit_test(fields_have_codes_of_their_own),
		cmocka_unit_test(the_text_is_one_line_with_name_message_and_advice),
		cmocka_unit_test(the_text_of_the_longest_message_is_bounded_and_utf8),
		cmocka_unit_test(an_unknown_code_keeps_its_number),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(without_memory_the_error_is_the_static_one),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
