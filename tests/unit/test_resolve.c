/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "json/json.h"
#include "store_fixture.h"
#include "store_v1.h"

/* What a person may decide about a row: the table of shipopt_ledger_resolve() in <shipopt/store.h>, tried out on every
 * state. */
#define DAY_MS INT64_C(86400000)

static struct store_fixture fixture;
static int64_t row_id;

static int setup(void **state)
{
	clock_set_virtual(true);
	store_fixture_init(&fixture, NULL);
	return 0;
}

static int teardown(void **state)
{
	store_fixture_done(&fixture);
	json_stock_clear();
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static long long number(const char *text)
{
	return store_v1_number(fixture.path, text);
}

/* The state that results, or the error. */
static int resolve(int target)
{
	shipopt_op *op;
	const char *code = target == SHIPOPT_LEDGER_STATE_BOUGHT ? "9400new" : NULL;
	assert_int_equal(shipopt_ledger_resolve(fixture.store, row_id, target, code, "kim", "asked the carrier", NULL,
				 NULL, &op),
		0);
	int r = shipopt_op_wait(op, -1);
	r = r < 0 ? r : (int)shipopt_op_value(op);
	shipopt_op_unref(op);
	return r;
}

/* The order "a" with a row as an earlier purchase, or an earlier version, may have left it. */
static void make_row(int state, int64_t unproven, bool is_marked)
{
	char text[1024];
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	request.release = true;
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	row_id = request.row.id;
	fixture_forget(&request);
	bool has_money = state == LEDGER_STATE_BUYING || state == LEDGER_STATE_IN_DOUBT,
	     has_label = state == LEDGER_STATE_BOUGHT || state == LEDGER_STATE_DOCUMENTED ||
		state >= LEDGER_STATE_VOID_REQUESTED,
	     is_planned = state == LEDGER_STATE_PLANNED;
	snprintf(text, sizeof(text),
		"DELETE FROM audit; DELETE FROM budget; INSERT INTO budget VALUES ('default', 'all', 'USD', 0, %d, 100, 0);"
		"UPDATE ledger SET state = %d, sent = %lld, unproven = %lld, needs_person = %d, held_from = %d, lease_until_ms = 0, "
		"attempts = 2, exists_seen = %d, refusal = 'no', reason = 'old', budget = 'all', currency = 'USD', amount = 5000, fee = 70, "
		"insurance = 900, reserved = %d, settle_ms = 120000, buying_at_ms = 1000, ceiling = 6000, approved = 5000, "
		"shipment_id = %s, rate_id = 'rate_1', tracking_code = %s, label_url = %s, result = %s, paid = %d, duplicate = 0",
		has_money ? 5070 : 0, state, (long long)(unproven ? unproven + 1 : 0), (long long)unproven, is_marked,
		state == LEDGER_STATE_HELD ? LEDGER_STATE_CREATED : 0, has_money, has_money ? 5070 : 0,
		is_planned ? "NULL" : "'shp_1'", has_label ? "'9400old'" : "NULL",
		has_label ? "'http://x/1.png'" : "NULL", has_label ? "'{}'" : "NULL", has_label ? 4000 : 0);
	store_v1_sql(fixture.path, text);
}

struct rule {
	int state;
	int64_t unproven;
	bool is_marked;
	int bought, failed, planned; /* what each decision leads to; 0: SHIPOPT_ESTATE */
};

static const struct rule rules[] = {
	{LEDGER_STATE_PLANNED, 0, false, 0, 0, 0},
	{LEDGER_STATE_PLANNED, 0, true, LEDGER_STATE_BOUGHT, LEDGER_STATE_FAILED, LEDGER_STATE_PLANNED},
	{LEDGER_STATE_CREATED, 0, false, 0, 0, 0},
	{LEDGER_STATE_CREATED, 0, true, LEDGER_STATE_BOUGHT, LEDGER_STATE_FAILED, LEDGER_STATE_PLANNED},
	{LEDGER_STATE_CREATED, 1, false, LEDGER_STATE_BOUGHT, 0, 0},
	{LEDGER_STATE_CREATED, 1, true, LEDGER_STATE_BOUGHT, 0, 0},
	{LEDGER_STATE_BUYING, 1, false, LEDGER_STATE_BOUGHT, LEDGER_STATE_CREATED, 0},
	{LEDGER_STATE_BUYING, 2, true, LEDGER_STATE_BOUGHT, LEDGER_STATE_CREATED, 0},
	{LEDGER_STATE_IN_DOUBT, 1, false, LEDGER_STATE_BOUGHT, LEDGER_STATE_CREATED, 0},
	{LEDGER_STATE_IN_DOUBT, 3, true, LEDGER_STATE_BOUGHT, LEDGER_STATE_CREATED, 0},
	{LEDGER_STATE_BOUGHT, 0, false, 0, 0, 0},
	{LEDGER_STATE_BOUGHT, 0, true, LEDGER_STATE_BOUGHT, 0, 0},
	{LEDGER_STATE_DOCUMENTED, 0, false, 0, 0, 0},
	{LEDGER_STATE_DOCUMENTED, 0, true, LEDGER_STATE_DOCUMENTED, 0, 0},
	{LEDGER_STATE_FAILED, 0, false, LEDGER_STATE_BOUGHT, 0, LEDGER_STATE_PLANNED},
	{LEDGER_STATE_FAILED, 0, true, LEDGER_STATE_BOUGHT, LEDGER_STATE_FAILED, LEDGER_STATE_PLANNED},
	{LEDGER_STATE_HELD, 0, false, LEDGER_STATE_BOUGHT, LEDGER_STATE_FAILED, LEDGER_STATE_PLANNED},
	{LEDGER_STATE_HELD, 0, true, LEDGER_STATE_BOUGHT, LEDGER_STATE_FAILED, LEDGER_STATE_PLANNED},
	{LEDGER_STATE_VOID_REQUESTED, 0, false, 0, 0, 0},
	{LEDGER_STATE_VOID_REQUESTED, 0, true, LEDGER_STATE_VOID_REQUESTED, 0, 0},
	{LEDGER_STATE_VOIDED, 0, false, 0, 0, 0},
	{LEDGER_STATE_VOIDED, 0, true, LEDGER_STATE_VOIDED, 0, 0},
	{LEDGER_STATE_VOID_REFUSED, 0, false, 0, 0, 0},
	{LEDGER_STATE_VOID_REFUSED, 0, true, LEDGER_STATE_VOID_REFUSED, 0, 0},
};

static void expect(const char *condition)
{
	char text[600];
	snprintf(text, sizeof(text), "SELECT count(*) FROM ledger WHERE %s", condition);
	if (number(text) != 1)
		fail_msg("not so: %s", condition);
}

static void expect_budget(int reserved, int spent)
{
	assert_int_equal(number("SELECT reserved FROM budget"), reserved);
	assert_int_equal(number("SELECT spent FROM budget"), spent);
}

static void check_refused(const struct rule *rule)
{
	char text[256];
	snprintf(text, sizeof(text), "state = %d AND unproven = %lld AND needs_person = %d AND reason = 'old'",
		rule->state, (long long)rule->unproven, rule->is_marked);
	expect(text);
	assert_int_equal(number("SELECT spent FROM budget"), 100);
	assert_int_equal(number("SELECT count(*) FROM audit"), 0);
}

static void check_row(const struct rule *rule, int result)
{
	bool was_bought = rule->state == result;
	switch (result) {
	case LEDGER_STATE_CREATED: /* the same shipment, one purchase of it unproven */
		expect("shipment_id = 'shp_1' AND rate_id = 'rate_1' AND sent = 1 AND unproven = 1 AND exists_seen = 0");
		expect("refusal IS NULL AND settle_ms = 120000 AND buying_at_ms = 1000 AND attempts = 2 AND ceiling = 6000");
		expect_budget(0, 100);
		break;
	case LEDGER_STATE_FAILED:
		expect("unproven = 0 AND reserved = 0");
		expect_budget(0, 100);
		break;
	case LEDGER_STATE_PLANNED:
		expect("shipment_id IS NULL AND rate_id IS NULL AND sent = 0 AND unproven = 0 AND ceiling = 0 AND approved = 0");
		expect("refusal IS NULL AND insurance = 0 AND attempts = 2");
		expect_budget(0, 100);
		break;
	case LEDGER_STATE_BOUGHT:
		expect("tracking_code = '9400new' AND label_url IS NULL AND result IS NULL AND unproven = 0 AND fee = 70");
		expect(was_bought ? "paid = 4000" : "paid = 0 AND amount = 5000");
		expect_budget(0, was_bought ? 100 : 5170);
		break;
	default: /* confirmed as it was */
		expect("tracking_code = '9400new' AND label_url IS NULL AND paid = 4000");
		expect_budget(0, 100);
	}
}

static void check_resolved(const struct rule *rule, int result)
{
	char text[256];
	snprintf(text, sizeof(text),
		"state = %d AND needs_person = 0 AND held_from = 0 AND lease_until_ms = 0 AND reserved = 0", result);
	expect(text);
	expect(result == LEDGER_STATE_PLANNED ? "reason IS NULL" : "reason = 'asked the carrier'");
	check_row(rule, result);
	snprintf(text, sizeof(text),
		"SELECT count(*) FROM audit WHERE actor = 'kim' AND reason = 'asked the carrier' AND "
		"old_state = %d AND new_state = %d AND ledger_id = %lld",
		rule->state, result, (long long)row_id);
	assert_int_equal(number(text), 1);
}

static void every_state_and_decision_follows_the_table(void **state)
{
	static const int targets[] = {SHIPOPT_LEDGER_STATE_BOUGHT, SHIPOPT_LEDGER_STATE_FAILED,
		SHIPOPT_LEDGER_STATE_PLANNED};
	unsigned seen = 0;
	for (size_t i = 0; i < ARRAY_SIZE(rules) * ARRAY_SIZE(targets); i++) {
		const struct rule *rule = &rules[i / ARRAY_SIZE(targets)];
		int target = targets[i % ARRAY_SIZE(targets)];
		int expected = target == SHIPOPT_LEDGER_STATE_BOUGHT ? rule->bought
			: target == SHIPOPT_LEDGER_STATE_FAILED      ? rule->failed
								     : rule->planned;
		make_row(rule->state, rule->unproven, rule->is_marked);
		int result = resolve(target);
		if (result != (expected ? expected : SHIPOPT_ESTATE))
			fail_msg("%s, %lld unproven%s, to %s: %d", ledger_state_name(rule->state),
				(long long)rule->unproven, rule->is_marked ? ", marked" : "", ledger_state_name(target),
				result);
		if (expected)
			check_resolved(rule, result);
		else
			check_refused(rule);
		seen |= 1u << rule->state;
	}
	assert_int_equal(seen, (2u << LEDGER_STATE_VOID_REFUSED) - 2);
}

static void the_same_tracking_code_keeps_the_label(void **state)
{
	make_row(LEDGER_STATE_BOUGHT, 0, true);
	store_v1_sql(fixture.path, "UPDATE ledger SET tracking_code = '9400new'");
	assert_int_equal(resolve(SHIPOPT_LEDGER_STATE_BOUGHT), LEDGER_STATE_BOUGHT);
	expect("label_url = 'http://x/1.png' AND result = '{}' AND paid = 4000 AND needs_person = 0");
}

/* Sends the shipment of "a" again, with a fresh claim. */
static int buy_again(const char *shipment_id)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	int64_t token = request.token;
	fixture_forget(&request);
	request = fixture_request(shipment_id ? LEDGER_OP_CREATE : LEDGER_OP_BUY, "a", token);
	if (shipment_id)
		request.shipment_id = shipment_id;
	request.budget = "all";
	request.currency = "USD";
	int r = fixture_run(&fixture, fixture.store, &request);
	fixture_forget(&request);
	return r;
}

static void nothing_was_bought_lets_the_same_shipment_be_sent_again_and_no_other(void **state)
{
	make_row(LEDGER_STATE_IN_DOUBT, 3, true);
	assert_int_equal(buy_again(NULL), LEDGER_OUTCOME_REFUSED);
	store_v1_sql(fixture.path, "UPDATE ledger SET lease_until_ms = 0");
	assert_int_equal(resolve(SHIPOPT_LEDGER_STATE_FAILED), LEDGER_STATE_CREATED);
	assert_int_equal(buy_again("shp_2"), LEDGER_OUTCOME_REFUSED);
	store_v1_sql(fixture.path, "UPDATE ledger SET lease_until_ms = 0");
	assert_int_equal(buy_again(NULL), LEDGER_OUTCOME_OK);
	expect("state = 3 AND sent = 2 AND unproven = 2");
}

static void a_live_lease_is_in_the_way_and_an_absurd_one_is_not(void **state)
{
	char text[128];
	const struct {
		int64_t ahead_ms;
		int result;
	} leases[] = {{1, SHIPOPT_EBUSY}, {DAY_MS, SHIPOPT_EBUSY}, {0, LEDGER_STATE_CREATED},
		{-1, LEDGER_STATE_CREATED}, {DAY_MS + 1, LEDGER_STATE_CREATED}};
	for (size_t i = 0; i < ARRAY_SIZE(leases); i++) {
		make_row(LEDGER_STATE_BUYING, 1, false);
		snprintf(text, sizeof(text), "UPDATE ledger SET lease_until_ms = %lld",
			(long long)(clock_wall_ms() + leases[i].ahead_ms));
		store_v1_sql(fixture.path, text);
		assert_int_equal(resolve(SHIPOPT_LEDGER_STATE_FAILED), leases[i].result);
		store_v1_sql(fixture.path, "UPDATE ledger SET lease_until_ms = 0");
	}
	make_row(LEDGER_STATE_BUYING, 1, false);
	store_v1_sql(fixture.path, "UPDATE ledger SET lease_until_ms = 9223372036854775807");
	assert_int_equal(resolve(SHIPOPT_LEDGER_STATE_BOUGHT), LEDGER_STATE_BOUGHT);
}

/* Whoever held the row before has lost it, also if its request is on the way. */
static void the_holder_of_before_has_lost_the_row(void **state)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	int64_t token = request.token;
	row_id = request.row.id;
	fixture_forget(&request);
	request = fixture_request(LEDGER_OP_BUY, "a", token);
	request.shipment_id = "shp_1";
	request.rate_id = "rate_1";
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
	clock_advance_us(DAY_MS * 1000);
	assert_int_equal(resolve(SHIPOPT_LEDGER_STATE_FAILED), LEDGER_STATE_CREATED);
	request = fixture_request(LEDGER_OP_BOUGHT, "a", token);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_LOST);
	fixture_forget(&request);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_state_and_decision_follows_the_table),
		TEST(the_same_tracking_code_keeps_the_label),
		TEST(nothing_was_bought_lets_the_same_shipment_be_sent_again_and_no_other),
		TEST(a_live_lease_is_in_the_way_and_an_absurd_one_is_not),
		TEST(the_holder_of_before_has_lost_the_row),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
