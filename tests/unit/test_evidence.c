/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include "base/macro.h"
#include "purchase/evidence.h"
#include "purchase/insurance.h"

/* The tables of purchase/evidence.h, line by line. */

static void an_answer_is_evidence_as_the_table_says(void **state)
{
	static const struct {
		const char *what;
		bool was_sent, was_handed_over;
		int http_status;
		bool is_envelope;
		const char *code;
		bool shows_label;
		enum evidence evidence;
	} cases[] = {
		{"not sent", false, false, 0, false, NULL, false, EVIDENCE_UNSENT},
		{"lost", true, false, 0, false, NULL, false, EVIDENCE_UNKNOWN},
		{"lost behind the whole request", true, true, 0, false, NULL, false, EVIDENCE_UNKNOWN},
		{"bought", true, true, 200, false, NULL, true, EVIDENCE_BOUGHT},
		{"bought, 201", true, true, 201, false, NULL, true, EVIDENCE_BOUGHT},
		{"200 without a label", true, true, 200, false, NULL, false, EVIDENCE_UNKNOWN},
		{"a label before the request was whole", true, false, 200, false, NULL, true, EVIDENCE_UNKNOWN},
		{"200 with an error", true, true, 200, true, "SHIPMENT.POSTAGE.FAILURE", false, EVIDENCE_UNKNOWN},
		{"exists", true, true, 422, true, "SHIPMENT.POSTAGE.EXISTS", false, EVIDENCE_EXISTS},
		{"exists, 409", true, true, 409, true, "SHIPMENT.POSTAGE.EXISTS", false, EVIDENCE_EXISTS},
		{"exists, by a gateway", true, true, 422, false, "SHIPMENT.POSTAGE.EXISTS", false, EVIDENCE_UNKNOWN},
		{"refused", true, true, 422, true, "SHIPMENT.POSTAGE.FAILURE", false, EVIDENCE_REFUSED},
		{"refused before the request was whole", true, false, 422, true, "SHIPMENT.POSTAGE.FAILURE", false,
			EVIDENCE_UNKNOWN},
		{"refused, by a gateway", true, true, 422, false, "SHIPMENT.POSTAGE.FAILURE", false, EVIDENCE_UNKNOWN},
		{"refused, another status", true, true, 500, true, "SHIPMENT.POSTAGE.FAILURE", false, EVIDENCE_UNKNOWN},
		{"the credential", true, true, 401, true, "APIKEY.INVALID", false, EVIDENCE_DENIED},
		{"the credential, 403", true, true, 403, true, "APIKEY.INACTIVE", false, EVIDENCE_DENIED},
		{"the credential, by a gateway", true, true, 401, false, "UNAUTHORIZED", false, EVIDENCE_UNKNOWN},
		{"the credential, unlisted", true, true, 401, true, "EXPIRED", false, EVIDENCE_UNLISTED},
		{"funds", true, true, 402, true, "PAYMENT_REQUIRED", false, EVIDENCE_REFUSED},
		{"not found", true, true, 404, true, "NOT_FOUND", false, EVIDENCE_REFUSED},
		{"a gateway's 404", true, true, 404, false, "NO_ROUTE", false, EVIDENCE_UNKNOWN},
		{"unlisted", true, true, 422, true, "PAYMENT.BAD", false, EVIDENCE_UNLISTED},
		{"without a code", true, true, 422, true, NULL, false, EVIDENCE_UNLISTED},
		{"unlisted, 403", true, true, 403, true, "BLOCKED", false, EVIDENCE_UNLISTED},
		{"unlisted, 409", true, true, 409, true, "CONFLICT", false, EVIDENCE_UNKNOWN},
		{"unlisted, 408", true, true, 408, true, "TIMEOUT", false, EVIDENCE_UNKNOWN},
		{"unlisted, 499", true, true, 499, true, "CLIENT_CLOSED", false, EVIDENCE_UNKNOWN},
		{"5xx", true, true, 500, true, "INTERNAL_SERVER_ERROR", false, EVIDENCE_UNKNOWN},
		{"a redirect", true, true, 302, false, NULL, false, EVIDENCE_UNKNOWN},
		{"in progress", true, true, 422, true, "SHIPMENT.PURCHASE.IN_PROGRESS", false, EVIDENCE_UNKNOWN},
		{"no response", true, true, 422, true, "SHIPMENT.POSTAGE.NO_RESPONSE", false, EVIDENCE_UNKNOWN},
		{"expired", true, true, 422, true, "RATE.EXPIRED", false, EVIDENCE_EXPIRED},
		{"limited", true, true, 429, true, "RATE_LIMITED", false, EVIDENCE_LIMITED},
		{"429 with another code", true, true, 429, true, "SLOW_DOWN", false, EVIDENCE_UNKNOWN},
		{"429 by a gateway", true, true, 429, false, NULL, false, EVIDENCE_UNKNOWN},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct evidence_answer answer = {.was_sent = cases[i].was_sent,
			.was_handed_over = cases[i].was_handed_over,
			.http_status = cases[i].http_status,
			.is_envelope = cases[i].is_envelope,
			.word = provider_easypost.purchase_word(cases[i].http_status, cases[i].code),
			.shows_label = cases[i].shows_label};
		enum evidence evidence = evidence_of_purchase(&answer);
		if (evidence != cases[i].evidence)
			fail_msg("%s: evidence %d instead of %d", cases[i].what, (int)evidence, (int)cases[i].evidence);
	}
}

static void what_follows_a_purchase_depends_on_all_that_were_sent(void **state)
{
	/* by evidence; `unproven` includes the newest */
	static const struct {
		enum evidence evidence;
		enum evidence_next alone, alone_third, behind_another, behind_another_third;
	} cases[] = {
		{EVIDENCE_BOUGHT, NEXT_BOUGHT, NEXT_BOUGHT, NEXT_BOUGHT, NEXT_BOUGHT},
		{EVIDENCE_EXISTS, NEXT_ONLY_READ, NEXT_ONLY_READ, NEXT_ONLY_READ, NEXT_ONLY_READ},
		{EVIDENCE_REFUSED, NEXT_FAILED, NEXT_FAILED, NEXT_PERSON, NEXT_PERSON},
		{EVIDENCE_EXPIRED, NEXT_RERATE, NEXT_FAILED, NEXT_RERATE, NEXT_PERSON},
		{EVIDENCE_LIMITED, NEXT_AGAIN, NEXT_FAILED, NEXT_LOOK_UP, NEXT_LOOK_UP},
		{EVIDENCE_DENIED, NEXT_AGAIN, NEXT_FAILED, NEXT_LOOK_UP, NEXT_LOOK_UP},
		{EVIDENCE_UNSENT, NEXT_AGAIN, NEXT_FAILED, NEXT_LOOK_UP, NEXT_LOOK_UP},
		{EVIDENCE_UNLISTED, NEXT_LOOK_UP, NEXT_PERSON, NEXT_PERSON, NEXT_PERSON},
		{EVIDENCE_UNKNOWN, NEXT_LOOK_UP, NEXT_LOOK_UP, NEXT_LOOK_UP, NEXT_LOOK_UP},
	};
	assert_int_equal(ARRAY_SIZE(cases), EVIDENCE_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum evidence evidence = cases[i].evidence;
		assert_int_equal(evidence_after_purchase(&(struct evidence_row){.sent = 1, .unproven = 1}, evidence),
			cases[i].alone);
		assert_int_equal(evidence_after_purchase(&(struct evidence_row){.sent = 3, .unproven = 1}, evidence),
			cases[i].alone_third);
		assert_int_equal(evidence_after_purchase(&(struct evidence_row){.sent = 2, .unproven = 2}, evidence),
			cases[i].behind_another);
		assert_int_equal(evidence_after_purchase(&(struct evidence_row){.sent = 3, .unproven = 3}, evidence),
			cases[i].behind_another_third);
		/* Proven to leave another shipment open: only with nothing unproven behind it. */
		if (cases[i].behind_another == NEXT_FAILED || cases[i].behind_another_third == NEXT_FAILED)
			fail_msg("evidence %d fails a row with an unproven purchase", (int)evidence);
	}
}

static void only_what_is_listed_as_proof_is_proof(void **state)
{
	for (int evidence = 0; evidence < EVIDENCE_COUNT; evidence++) {
		bool is_proof = evidence == EVIDENCE_REFUSED || evidence == EVIDENCE_EXPIRED ||
			evidence == EVIDENCE_LIMITED || evidence == EVIDENCE_DENIED || evidence == EVIDENCE_UNSENT;
		assert_int_equal(evidence_is_proof((enum evidence)evidence), is_proof);
	}
}

static void a_look_up_alone_never_opens_another_shipment(void **state)
{
	static const struct {
		const char *what;
		struct evidence_row row;
		enum evidence_look_up look_up;
		bool is_settled;
		enum evidence_next next;
	} cases[] = {
		{"postage", {.sent = 1, .unproven = 1}, LOOK_UP_POSTAGE, false, NEXT_BOUGHT},
		{"postage behind a person's mark", {.sent = 3, .unproven = 2, .needs_person = true}, LOOK_UP_POSTAGE,
			true, NEXT_BOUGHT},
		{"none, early", {.sent = 1, .unproven = 1}, LOOK_UP_NO_POSTAGE, false, NEXT_LOOK_UP},
		{"none, settled", {.sent = 1, .unproven = 1}, LOOK_UP_NO_POSTAGE, true, NEXT_AGAIN},
		{"none, settled, two", {.sent = 2, .unproven = 1}, LOOK_UP_NO_POSTAGE, true, NEXT_AGAIN},
		{"none, settled, three", {.sent = 3, .unproven = 1}, LOOK_UP_NO_POSTAGE, true, NEXT_PERSON},
		{"none behind EXISTS", {.sent = 1, .unproven = 1, .exists_seen = true}, LOOK_UP_NO_POSTAGE, true,
			NEXT_ONLY_READ},
		{"none behind a refusal", {.sent = 1, .unproven = 1, .was_refused = true}, LOOK_UP_NO_POSTAGE, true,
			NEXT_PERSON},
		{"none behind a mark", {.sent = 2, .unproven = 1, .needs_person = true}, LOOK_UP_NO_POSTAGE, true,
			NEXT_PERSON},
		{"no answer, settled", {.sent = 1, .unproven = 1}, LOOK_UP_NOTHING, true, NEXT_LOOK_UP},
		{"no answer, three", {.sent = 3, .unproven = 3}, LOOK_UP_NOTHING, true, NEXT_LOOK_UP},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		enum evidence_next next = evidence_after_look_up(&cases[i].row, cases[i].look_up, cases[i].is_settled);
		if (next != cases[i].next)
			fail_msg("%s: %d instead of %d", cases[i].what, (int)next, (int)cases[i].next);
	}
}

static void insurance_costs_a_percentage_and_at_least_the_minimum(void **state)
{
	assert_int_equal(insurance_fee(0, 1000000, 1000000), 0);
	assert_int_equal(insurance_fee(-5, 1000000, 1000000), 0);
	assert_int_equal(insurance_fee(100000000, 1000000, 1000000), 1000000);
	assert_int_equal(insurance_fee(50000000, 1000000, 1000000), 1000000);
	assert_int_equal(insurance_fee(250000000, 1000000, 1000000), 2500000);
	assert_int_equal(insurance_fee(250100000, 1000000, 1000000), 2510000); /* up to the cent */
	assert_int_equal(insurance_fee(100000000, 0, 0), 0);
	assert_true(insurance_fee(INT64_MAX, 100000000, 0) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_evidence_as_the_table_says),
		cmocka_unit_test(what_follows_a_purchase_depends_on_all_that_were_sent),
		cmocka_unit_test(only_what_is_listed_as_proof_is_proof),
		cmocka_unit_test(a_look_up_alone_never_opens_another_shipment),
		cmocka_unit_test(insurance_costs_a_percentage_and_at_least_the_minimum),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
