/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "runtime/runtime.h"
#include "store/store.h"
#include "store_fixture.h"

static struct store_fixture fixture;

static int setup(void **state)
{
	clock_set_virtual(true);
	store_fixture_init(&fixture, NULL);
	return 0;
}

static int teardown(void **state)
{
	store_fixture_done(&fixture);
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static int run(struct ledger_request *request)
{
	return fixture_run(&fixture, fixture.store, request);
}

/* Runs and forgets; the status and, if wanted, the state that came out. */
static int quick(struct ledger_request request, int *ret_state)
{
	int r = run(&request);
	if (r < 0)
		assert_non_null(request.error);
	if (ret_state)
		*ret_state = request.row.state;
	fixture_forget(&request);
	return r;
}

static int64_t claim(const char *order_key)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, order_key, 0);
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	int64_t token = request.token;
	ledger_row_done(&request.row);
	return token;
}

/* Brings a claimed row into a state by the shortest way. */
static int64_t bring_to(const char *order_key, int target)
{
	static const struct {
		int target;
		enum ledger_operation steps[6];
	} ways[] = {
		{LEDGER_STATE_PLANNED, {0}},
		{LEDGER_STATE_CREATED, {LEDGER_OP_CREATE}},
		{LEDGER_STATE_BUYING, {LEDGER_OP_CREATE, LEDGER_OP_BUY}},
		{LEDGER_STATE_IN_DOUBT, {LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_DOUBT}},
		{LEDGER_STATE_BOUGHT, {LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_BOUGHT}},
		{LEDGER_STATE_DOCUMENTED, {LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_BOUGHT, LEDGER_OP_DOCUMENT}},
		{LEDGER_STATE_FAILED, {LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_FAIL}},
		{LEDGER_STATE_HELD, {LEDGER_OP_CREATE, LEDGER_OP_HOLD}},
		{LEDGER_STATE_VOID_REQUESTED, {LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_BOUGHT, LEDGER_OP_VOID}},
		{LEDGER_STATE_VOIDED,
			{LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_BOUGHT, LEDGER_OP_VOID, LEDGER_OP_VOID}},
		{LEDGER_STATE_VOID_REFUSED,
			{LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_BOUGHT, LEDGER_OP_VOID, LEDGER_OP_VOID}},
	};
	int64_t token = claim(order_key);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i].target != target)
			continue;
		for (size_t step = 0; step < 6 && ways[i].steps[step]; step++) {
			struct ledger_request request = fixture_request(ways[i].steps[step], order_key, token);
			bool last = step == 5 || !ways[i].steps[step + 1];
			request.state = last && step == 4 ? target : LEDGER_STATE_VOID_REQUESTED;
			request.proven = request.operation == LEDGER_OP_FAIL;
			assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
		}
	}
	return token;
}

static void operations_move_only_from_the_states_that_allow_them(void **state)
{
	static const struct {
		enum ledger_operation operation;
		int state; /* or 1 for what is proven */
		/* by state from 1 on: what comes out, 0 where it is refused */
		int results[11];
	} table[] = {
		{LEDGER_OP_PLAN, 0, {1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0}},
		{LEDGER_OP_CREATE, 0, {2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{LEDGER_OP_BUY, 0, {0, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0}},
		{LEDGER_OP_PROVE, 0, {0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0}},
		{LEDGER_OP_DOUBT, 0, {0, 0, 4, 4, 0, 0, 0, 0, 0, 0, 0}},
		{LEDGER_OP_DOUBT, 1, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{LEDGER_OP_BOUGHT, 0, {0, 0, 5, 5, 0, 0, 5, 0, 0, 0, 0}},
		{LEDGER_OP_FAIL, 0, {7, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{LEDGER_OP_FAIL, 1, {0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0}},
		{LEDGER_OP_HOLD, 0, {8, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
		{LEDGER_OP_REOPEN, 0, {0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0}},
		{LEDGER_OP_REOPEN, LEDGER_STATE_PLANNED, {0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0}},
		{LEDGER_OP_REOPEN, LEDGER_STATE_CREATED, {0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0}},
		{LEDGER_OP_RENEW, 0, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{LEDGER_OP_RELEASE, 0, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}},
		{LEDGER_OP_DOCUMENT, 0, {0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0}},
		{LEDGER_OP_VOID, LEDGER_STATE_VOID_REQUESTED, {0, 0, 0, 0, 9, 9, 0, 0, 0, 0, 9}},
		{LEDGER_OP_VOID, LEDGER_STATE_VOIDED, {0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0}},
		{LEDGER_OP_VOID, LEDGER_STATE_VOID_REFUSED, {0, 0, 0, 0, 0, 0, 0, 0, 11, 0, 0}},
	};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		for (int from = 1; from <= 11; from++) {
			char order_key[64];
			snprintf(order_key, sizeof(order_key), "order-%zu-%d", i, from);
			int64_t token = bring_to(order_key, from);
			struct ledger_request request = fixture_request(table[i].operation, order_key, token);
			request.state = table[i].state;
			request.proven = table[i].state == 1;
			int to = table[i].results[from - 1], came = 0;
			int r = quick(request, &came);
			if (r != (to ? LEDGER_OUTCOME_OK : LEDGER_OUTCOME_REFUSED) || came != (to ? to : from))
				fail_msg("operation %d (%d) from %s: status %d, %s", (int)table[i].operation,
					table[i].state, ledger_state_name(from), r, ledger_state_name(came));
		}
	}
}

static void a_claim_makes_the_row_and_a_second_one_is_busy(void **state)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	request.key.generation = 0;
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_true(request.created_row);
	assert_int_equal(request.row.state, LEDGER_STATE_PLANNED);
	assert_int_equal(request.key.generation, 1);
	assert_string_equal(request.row.fingerprint, "f1");
	assert_string_equal(request.row.request, "{\"to\":1}");
	assert_int_equal(request.row.lease_until_ms - request.row.now_ms, 60000);
	assert_true(request.token > 0);
	fixture_forget(&request);

	struct ledger_request other = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	other.fingerprint = "f2";
	assert_int_equal(run(&other), LEDGER_OUTCOME_BUSY);
	assert_false(other.created_row);
	assert_int_equal(other.token, 0);
	assert_string_equal(other.row.fingerprint, "f1");
	fixture_forget(&other);

	/* Its holder may claim again, and has the new token from then on. */
	struct ledger_request again = fixture_request(LEDGER_OP_CLAIM, "a", request.token);
	assert_int_equal(run(&again), LEDGER_OUTCOME_OK);
	assert_true(again.token != request.token);
	assert_int_equal(quick(fixture_request(LEDGER_OP_RENEW, "a", request.token), NULL), LEDGER_OUTCOME_LOST);
	assert_int_equal(quick(fixture_request(LEDGER_OP_RENEW, "a", again.token), NULL), LEDGER_OUTCOME_OK);
	fixture_forget(&again);
}

static void an_expired_lease_is_taken_over_and_its_holder_has_lost(void **state)
{
	int64_t first = claim("a");
	clock_advance_us(59999 * 1000);
	assert_int_equal(quick(fixture_request(LEDGER_OP_CLAIM, "a", 0), NULL), LEDGER_OUTCOME_BUSY);
	clock_advance_us(1000);
	/* Until somebody takes it, the late holder may still go on. */
	assert_int_equal(quick(fixture_request(LEDGER_OP_CREATE, "a", first), NULL), LEDGER_OUTCOME_OK);
	int64_t second = claim("a");
	assert_true(second > first);
	int came = 0;
	assert_int_equal(quick(fixture_request(LEDGER_OP_BUY, "a", first), &came), LEDGER_OUTCOME_LOST);
	assert_int_equal(came, LEDGER_STATE_CREATED);
	assert_int_equal(quick(fixture_request(LEDGER_OP_RENEW, "a", first), NULL), LEDGER_OUTCOME_LOST);
	assert_int_equal(quick(fixture_request(LEDGER_OP_RELEASE, "a", first), NULL), LEDGER_OUTCOME_LOST);
	assert_int_equal(quick(fixture_request(LEDGER_OP_BUY, "a", second), &came), LEDGER_OUTCOME_OK);
	assert_int_equal(came, LEDGER_STATE_BUYING);
}

static void renewing_extends_and_releasing_ends_the_lease(void **state)
{
	int64_t token = claim("a");
	clock_advance_us(50000 * 1000);
	assert_int_equal(quick(fixture_request(LEDGER_OP_RENEW, "a", token), NULL), LEDGER_OUTCOME_OK);
	clock_advance_us(50000 * 1000);
	assert_int_equal(quick(fixture_request(LEDGER_OP_CLAIM, "a", 0), NULL), LEDGER_OUTCOME_BUSY);
	assert_int_equal(quick(fixture_request(LEDGER_OP_RELEASE, "a", token), NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(fixture_request(LEDGER_OP_CREATE, "a", token), NULL), LEDGER_OUTCOME_LOST);
	token = claim("a");
	struct ledger_request request = fixture_request(LEDGER_OP_CREATE, "a", token);
	request.release = true;
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(fixture_request(LEDGER_OP_BUY, "a", token), NULL), LEDGER_OUTCOME_LOST);
	claim("a");
}

static void what_has_a_label_is_claimed_without_a_lease(void **state)
{
	static const int states[] = {LEDGER_STATE_BOUGHT, LEDGER_STATE_DOCUMENTED, LEDGER_STATE_VOIDED,
		LEDGER_STATE_VOID_REFUSED};
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		char order_key[16];
		snprintf(order_key, sizeof(order_key), "order %zu", i);
		bring_to(order_key, states[i]);
		struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, order_key, 0);
		assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
		assert_int_equal(request.row.state, states[i]);
		assert_int_equal(request.token, 0);
		fixture_forget(&request);
	}
	/* A new process goes on with the documents. */
	assert_int_equal(quick(fixture_request(LEDGER_OP_DOCUMENT, "order 0", 0), NULL), LEDGER_OUTCOME_OK);
	/* What failed may be tried again, by one. */
	bring_to("failed", LEDGER_STATE_FAILED);
	assert_int_equal(quick(fixture_request(LEDGER_OP_CLAIM, "failed", 0), NULL), LEDGER_OUTCOME_BUSY);
	clock_advance_us(60000 * 1000);
	claim("failed");
}

static void a_shipment_is_replaced_only_while_nothing_of_it_is_unproven(void **state)
{
	int64_t token = bring_to("a", LEDGER_STATE_CREATED);
	struct ledger_request request = fixture_request(LEDGER_OP_CREATE, "a", token);
	request.shipment_id = "shp_2";
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	request = fixture_request(LEDGER_OP_BUY, "a", token);
	request.shipment_id = "shp_1";
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_REFUSED);
	request.shipment_id = "shp_2";
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	request = fixture_request(LEDGER_OP_DOUBT, "a", token);
	request.reason = "timed out";
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	/* Again: the same shipment only. */
	request = fixture_request(LEDGER_OP_BUY, "a", token);
	request.shipment_id = "shp_3";
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_REFUSED);
	request.shipment_id = "shp_2";
	clock_advance_us(5000);
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.attempts, 2);
	assert_int_equal(request.row.buying_at_ms - request.row.first_buying_at_ms, 5);
	assert_null(request.row.reason);
	fixture_forget(&request);
	/* One of the two is proven: the other keeps the shipment. */
	request = fixture_request(LEDGER_OP_FAIL, "a", token);
	request.proven = true;
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_REFUSED);
	request.operation = LEDGER_OP_PLAN;
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_REFUSED);
	request.operation = LEDGER_OP_PROVE;
	int came = 0;
	assert_int_equal(quick(request, &came), LEDGER_OUTCOME_OK);
	assert_int_equal(came, LEDGER_STATE_IN_DOUBT);
	request = fixture_request(LEDGER_OP_PLAN, "a", token);
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_REFUSED);
}

static void purchases_are_counted_and_only_proof_lowers_the_count(void **state)
{
	static const struct {
		enum ledger_operation operation;
		bool proven;
		int status, state;
		int64_t sent, unproven;
	} steps[] = {
		{LEDGER_OP_BUY, false, LEDGER_OUTCOME_OK, LEDGER_STATE_BUYING, 1, 1},
		{LEDGER_OP_PROVE, false, LEDGER_OUTCOME_OK, LEDGER_STATE_CREATED, 1, 0},
		{LEDGER_OP_BUY, false, LEDGER_OUTCOME_OK, LEDGER_STATE_BUYING, 2, 1},
		{LEDGER_OP_DOUBT, true, LEDGER_OUTCOME_REFUSED, LEDGER_STATE_BUYING, 2,
			1}, /* nothing would be in doubt */
		{LEDGER_OP_DOUBT, false, LEDGER_OUTCOME_OK, LEDGER_STATE_IN_DOUBT, 2, 1},
		{LEDGER_OP_FAIL, false, LEDGER_OUTCOME_REFUSED, LEDGER_STATE_IN_DOUBT, 2, 1},
		{LEDGER_OP_BUY, false, LEDGER_OUTCOME_OK, LEDGER_STATE_BUYING, 3, 2},
		{LEDGER_OP_FAIL, true, LEDGER_OUTCOME_REFUSED, LEDGER_STATE_BUYING, 3, 2},
		{LEDGER_OP_DOUBT, true, LEDGER_OUTCOME_OK, LEDGER_STATE_IN_DOUBT, 3, 1},
		{LEDGER_OP_BUY, false, LEDGER_OUTCOME_REFUSED, LEDGER_STATE_IN_DOUBT, 3, 1}, /* a fourth */
		{LEDGER_OP_BOUGHT, false, LEDGER_OUTCOME_OK, LEDGER_STATE_BOUGHT, 3, 0},
	};
	int64_t token = bring_to("a", LEDGER_STATE_CREATED);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct ledger_request request = fixture_request(steps[i].operation, "a", token);
		request.proven = steps[i].proven;
		request.settle_ms = i < 5 ? 1000 * (int64_t)(5 - i) : 0;
		int status = run(&request);
		if (status != steps[i].status || request.row.state != steps[i].state ||
			request.row.sent != steps[i].sent || request.row.unproven != steps[i].unproven)
			fail_msg("step %zu: status %d, %s, sent %lld, unproven %lld", i, status,
				ledger_state_name(request.row.state), (long long)request.row.sent,
				(long long)request.row.unproven);
		assert_int_equal(request.row.settle_ms, 5000); /* the largest stays */
		fixture_forget(&request);
	}
}

static void a_mark_stops_every_further_purchase(const char *order_key, bool exists_seen, bool needs_person)
{
	int64_t token = bring_to(order_key, LEDGER_STATE_BUYING);
	struct ledger_request request = fixture_request(LEDGER_OP_DOUBT, order_key, token);
	request.exists_seen = exists_seen;
	request.needs_person = needs_person;
	request.refusal = "the first words";
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	request.exists_seen = request.needs_person = false;
	request.refusal = "later words";
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.exists_seen, exists_seen);
	assert_int_equal(request.row.needs_person, needs_person);
	assert_string_equal(request.row.refusal, "the first words");
	fixture_forget(&request);
	assert_int_equal(quick(fixture_request(LEDGER_OP_BUY, order_key, token), NULL), LEDGER_OUTCOME_REFUSED);
	assert_int_equal(quick(fixture_request(LEDGER_OP_BOUGHT, order_key, token), NULL), LEDGER_OUTCOME_OK);
}

static void a_purchase_without_an_earlier_creation_writes_both_at_once(void **state)
{
	int64_t token = claim("a");
	assert_int_equal(quick(fixture_request(LEDGER_OP_BUY, "a", token), NULL), LEDGER_OUTCOME_REFUSED);
	struct ledger_request request = fixture_request(LEDGER_OP_BUY, "a", token);
	request.shipment_id = "shp_1";
	request.rate_id = "rate_1";
	request.carrier = "USPS";
	request.currency = "USD";
	request.amount = 5000000;
	request.ceiling = 6000000;
	request.insurance = 100000000;
	request.fee = 1000000;
	request.settle_ms = 120000;
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.state, LEDGER_STATE_BUYING);
	assert_string_equal(request.row.shipment_id, "shp_1");
	assert_string_equal(request.row.rate_id, "rate_1");
	assert_int_equal(request.row.ceiling, 6000000);
	assert_int_equal(request.row.approved, 5000000);
	assert_string_equal(request.row.approved_currency, "USD");
	assert_int_equal(request.row.insurance, 100000000);
	assert_int_equal(request.row.fee, 1000000);
	fixture_forget(&request);
	/* At another rate, under the same approval. */
	assert_int_equal(quick(fixture_request(LEDGER_OP_PROVE, "a", token), NULL), LEDGER_OUTCOME_OK);
	request = fixture_request(LEDGER_OP_BUY, "a", token);
	request.rate_id = "rate_2";
	request.amount = 5500000;
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_string_equal(request.row.rate_id, "rate_2");
	assert_string_equal(request.row.carrier, "USPS");
	assert_int_equal(request.row.ceiling, 6000000);
	assert_int_equal(request.row.approved, 5000000);
	fixture_forget(&request);
	/* It stays through a failure and a new plan for the same content, and goes with another. */
	request = fixture_request(LEDGER_OP_FAIL, "a", token);
	request.proven = true;
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	request = fixture_request(LEDGER_OP_PLAN, "a", token);
	request.keep_approval = true;
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.ceiling, 6000000);
	assert_int_equal(request.row.sent, 0);
	fixture_forget(&request);
	request.keep_approval = false;
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.ceiling, 0);
	assert_null(request.row.approved_currency);
	fixture_forget(&request);
}

static void a_row_that_is_marked_is_not_sent_again(void **state)
{
	a_mark_stops_every_further_purchase("exists", true, false);
	a_mark_stops_every_further_purchase("person", false, true);
}

static void a_shipment_belongs_to_one_row(void **state)
{
	bring_to("a", LEDGER_STATE_CREATED);
	int64_t token = claim("b");
	struct ledger_request request = fixture_request(LEDGER_OP_CREATE, "b", token);
	request.shipment_id = "shp_1";
	assert_int_equal(run(&request), LEDGER_OUTCOME_SHARED);
	assert_int_equal(request.row.state, LEDGER_STATE_PLANNED);
	assert_non_null(strstr(shipopt_error_message(request.error), "\"a\""));
	fixture_forget(&request);
	request = fixture_request(LEDGER_OP_BUY, "b", token);
	request.shipment_id = "shp_1";
	request.rate_id = "rate_1";
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_SHARED);
	/* Another mode has shipments of its own. */
	request = fixture_request(LEDGER_OP_CLAIM, "b", 0);
	request.key.mode = "production";
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
	request.operation = LEDGER_OP_CREATE;
	request.shipment_id = "shp_1";
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
}

static void a_lease_of_a_wrong_clock_is_none(void **state)
{
	sqlite3 *handle;
	bring_to("a", LEDGER_STATE_BUYING);
	/* As a clock that was ten years ahead would have written it. */
	assert_int_equal(sqlite3_open(fixture.path, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_exec(handle,
				 "UPDATE ledger SET lease_until_ms = lease_until_ms + 315360000000, "
				 "buying_at_ms = buying_at_ms + 315360000000",
				 NULL, NULL, NULL),
		SQLITE_OK);
	sqlite3_close(handle);
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.buying_at_ms, request.row.now_ms);
	fixture_forget(&request);
}

static void an_account_belongs_to_one_tenant(void **state)
{
	shipopt_store *other;
	claim("a");
	assert_int_equal(shipopt_store_view(fixture.store, "other", &other, NULL), 0);
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(fixture_run(&fixture, other, &request), SHIPOPT_ECONFLICT);
	assert_non_null(strstr(shipopt_error_message(request.error), "another tenant"));
	fixture_forget(&request);
	request.key.account = "of the other";
	assert_int_equal(fixture_run(&fixture, other, &request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
	shipopt_store_free(other);
}

static void a_bought_row_keeps_what_the_carrier_said(void **state)
{
	int64_t token = claim("a");
	struct ledger_request request = fixture_request(LEDGER_OP_CREATE, "a", token);
	request.rate_id = "rate_1";
	request.carrier = "USPS";
	request.service = "Priority";
	request.currency = "USD";
	request.amount = 7500000;
	request.ceiling = 8000000;
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(fixture_request(LEDGER_OP_BUY, "a", token), NULL), LEDGER_OUTCOME_OK);
	request = fixture_request(LEDGER_OP_BOUGHT, "a", token);
	request.tracking_code = "9400";
	request.label_url = "https://x/label.png";
	request.paid = 7510000;
	request.result = "{\"id\":\"shp_1\"}";
	request.release = true;
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.state, LEDGER_STATE_BOUGHT);
	assert_string_equal(request.row.shipment_id, "shp_1");
	assert_string_equal(request.row.rate_id, "rate_1");
	assert_string_equal(request.row.carrier, "USPS");
	assert_string_equal(request.row.service, "Priority");
	assert_string_equal(request.row.currency, "USD");
	assert_int_equal(request.row.amount, 7500000);
	assert_int_equal(request.row.ceiling, 8000000);
	assert_string_equal(request.row.tracking_code, "9400");
	assert_string_equal(request.row.label_url, "https://x/label.png");
	assert_int_equal(request.row.paid, 7510000);
	assert_string_equal(request.row.result, "{\"id\":\"shp_1\"}");
	assert_int_equal(request.row.lease_until_ms, 0);
	fixture_forget(&request);
}

static void a_result_that_is_too_long_does_not_lose_the_purchase(void **state)
{
	static char large[LEDGER_RESULT_MAX + 2];
	memset(large, 'x', sizeof(large) - 1);
	int64_t token = bring_to("a", LEDGER_STATE_BUYING);
	struct ledger_request request = fixture_request(LEDGER_OP_BOUGHT, "a", token);
	request.result = large;
	request.tracking_code = "9400";
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_null(request.row.result);
	assert_string_equal(request.row.tracking_code, "9400");
	fixture_forget(&request);
}

static void generations_follow_each_other(void **state)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	request.key.generation = 2;
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
	bring_to("a", LEDGER_STATE_VOIDED);
	/* The newest is voided: nothing is bought again without being asked. */
	request.key.generation = 0;
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.state, LEDGER_STATE_VOIDED);
	fixture_forget(&request);
	request.key.generation = 3;
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
	request.key.generation = 2;
	assert_int_equal(run(&request), LEDGER_OUTCOME_OK);
	assert_true(request.created_row);
	fixture_forget(&request);
	request.key.generation = 0;
	request.token = 0;
	assert_int_equal(run(&request), LEDGER_OUTCOME_BUSY);
	assert_int_equal(request.row.generation, 2);
	fixture_forget(&request);
	/* What is open may still turn out bought: no other one beside it. */
	bring_to("b", LEDGER_STATE_IN_DOUBT);
	request = fixture_request(LEDGER_OP_CLAIM, "b", 0);
	request.key.generation = 2;
	assert_int_equal(run(&request), SHIPOPT_ESTATE);
	assert_non_null(strstr(shipopt_error_message(request.error), "is in doubt (row"));
	fixture_forget(&request);
}

/* Who works on the one before could send it, while the next one is bought. */
static void a_generation_begins_when_nobody_works_on_the_one_before(void **state)
{
	int64_t token = bring_to("c", LEDGER_STATE_FAILED);
	struct ledger_request next = fixture_request(LEDGER_OP_CLAIM, "c", 0),
			      plan = fixture_request(LEDGER_OP_PLAN, "c", token);
	next.key.generation = 2;
	plan.key.generation = 1;
	assert_int_equal(quick(next, NULL), LEDGER_OUTCOME_BUSY);
	clock_advance_us(60000 * 1000);
	/* Its lease has ended, and so does its token with the next generation. */
	assert_int_equal(quick(next, NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(plan, NULL), LEDGER_OUTCOME_LOST);
}

static struct ledger_request purchase(const char *order_key, int64_t token, int64_t amount, int64_t limit)
{
	struct ledger_request request = fixture_request(LEDGER_OP_BUY, order_key, token);
	request.amount = amount;
	request.currency = "USD";
	request.budget = "spring";
	request.budget_limit = limit;
	return request;
}

static void spend_limits(void **state)
{
	int64_t a = bring_to("a", LEDGER_STATE_CREATED), b = bring_to("b", LEDGER_STATE_CREATED),
		c = bring_to("c", LEDGER_STATE_CREATED);
	int came = 0;
	assert_int_equal(quick(purchase("a", a, 60, 100), NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("b", b, 41, 100), &came), LEDGER_OUTCOME_OVER_LIMIT);
	assert_int_equal(came, LEDGER_STATE_CREATED);
	assert_int_equal(quick(purchase("b", b, 40, 100), NULL), LEDGER_OUTCOME_OK);
	/* Full. A repeat of what is reserved is not more, but dearer it is. */
	assert_int_equal(quick(purchase("c", c, 1, 100), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	assert_int_equal(quick(fixture_request(LEDGER_OP_DOUBT, "a", a), NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("a", a, 60, 100), NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("a", a, 61, 100), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	assert_int_equal(quick(purchase("a", a, 50, 100), NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("c", c, 11, 100), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	/* Proof that b bought nothing gives its 40 back. */
	struct ledger_request fail = fixture_request(LEDGER_OP_FAIL, "b", b);
	fail.proven = true;
	assert_int_equal(quick(fail, NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("c", c, 51, 100), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	/* What a cost in the end counts: 55, not 50. */
	struct ledger_request request = fixture_request(LEDGER_OP_BOUGHT, "a", a);
	request.paid = 55;
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("c", c, 46, 100), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	/* Other currencies, names and tenants have their own. */
	request = purchase("c", c, 46, 100);
	request.currency = "EUR";
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	/* And moving the purchase there gave nothing away. */
	assert_int_equal(quick(purchase("c", c, 46, 100), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	assert_int_equal(quick(purchase("c", c, 45, 100), NULL), LEDGER_OUTCOME_OK);
	/* A label found after all: 0 paid is unknown, so the 40 count. */
	assert_int_equal(quick(fixture_request(LEDGER_OP_BOUGHT, "b", b), NULL), LEDGER_OUTCOME_OK);
	int64_t d = bring_to("d", LEDGER_STATE_CREATED);
	assert_int_equal(quick(purchase("d", d, 1, 140), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	assert_int_equal(quick(purchase("d", d, 1, 141), NULL), LEDGER_OUTCOME_OK);
	/* The sum never wraps around, also without a limit. */
	assert_int_equal(quick(purchase("d", d, INT64_MAX, 0), NULL), LEDGER_OUTCOME_OVER_LIMIT);
}

static void an_insurance_fee_counts_in_the_spend_limit(void **state)
{
	int64_t a = bring_to("a", LEDGER_STATE_CREATED), b = bring_to("b", LEDGER_STATE_CREATED);
	struct ledger_request request = purchase("a", a, 60, 100);
	request.fee = 41;
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OVER_LIMIT);
	request.fee = 30;
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("b", b, 11, 100), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	request = fixture_request(LEDGER_OP_BOUGHT, "a", a);
	request.paid = 65;
	request.fee = 30;
	assert_int_equal(quick(request, NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("b", b, 6, 100), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	assert_int_equal(quick(purchase("b", b, 5, 100), NULL), LEDGER_OUTCOME_OK);
}

static void a_proof_releases_the_reservation_only_if_nothing_is_unproven(void **state)
{
	int64_t a = bring_to("a", LEDGER_STATE_CREATED), b = bring_to("b", LEDGER_STATE_CREATED);
	assert_int_equal(quick(purchase("a", a, 60, 100), NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(fixture_request(LEDGER_OP_DOUBT, "a", a), NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("a", a, 60, 100), NULL), LEDGER_OUTCOME_OK);
	/* One of the two is proven: the other may have cost the 60. */
	assert_int_equal(quick(fixture_request(LEDGER_OP_PROVE, "a", a), NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(purchase("b", b, 41, 100), NULL), LEDGER_OUTCOME_OVER_LIMIT);
	assert_int_equal(quick(purchase("b", b, 40, 100), NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(quick(fixture_request(LEDGER_OP_PROVE, "b", b), NULL), LEDGER_OUTCOME_OK);
	int64_t c = bring_to("c", LEDGER_STATE_CREATED);
	assert_int_equal(quick(purchase("c", c, 40, 100), NULL), LEDGER_OUTCOME_OK);
}

static void bad_requests_are_refused_by_name(void **state)
{
	static char long_text[LEDGER_TEXT_MAX + 2];
	memset(long_text, 'x', sizeof(long_text) - 1);
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "", 0);
	assert_int_equal(run(&request), SHIPOPT_EINVAL);
	assert_string_equal(shipopt_error_message(request.error), "ledger: the order key is missing");
	fixture_forget(&request);
	request = fixture_request(LEDGER_OP_CLAIM, "a\xff", 0);
	assert_int_equal(quick(request, NULL), SHIPOPT_EENCODING);
	request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	request.key.piece = 0;
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
	request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	request.lease_ms = 0;
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
	request.lease_ms = LEDGER_LEASE_MAX_MS + 1;
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
	request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	request.request = long_text;
	assert_int_equal(quick(request, NULL), SHIPOPT_ETOOLARGE);
	request = fixture_request(LEDGER_OP_CREATE, "a", 0);
	request.shipment_id = NULL;
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
	request = fixture_request(LEDGER_OP_BUY, "a", 1);
	request.key.generation = 0;
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
	request.key.generation = 1;
	request.amount = -1;
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
	request = fixture_request(LEDGER_OP_VOID, "a", 1);
	request.state = LEDGER_STATE_FAILED;
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
	assert_int_equal(quick(fixture_request((enum ledger_operation)99, "a", 1), NULL), SHIPOPT_EINVAL);
	assert_int_equal(quick(fixture_request(LEDGER_OP_BUY, "nobody", 1), NULL), SHIPOPT_ENOTFOUND);
	request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	request.key.tenant = "somebody else";
	assert_int_equal(quick(request, NULL), SHIPOPT_EINVAL);
}

static void tenants_do_not_see_each_other(void **state)
{
	shipopt_store *other;
	assert_int_equal(shipopt_store_view(fixture.store, "other", &other, NULL), 0);
	int64_t token = bring_to("a", LEDGER_STATE_CREATED);
	struct ledger_request request = fixture_request(LEDGER_OP_BUY, "a", token);
	assert_int_equal(fixture_run(&fixture, other, &request), SHIPOPT_ENOTFOUND);
	fixture_forget(&request);
	request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	request.key.account = "of the other";
	assert_int_equal(fixture_run(&fixture, other, &request), LEDGER_OUTCOME_OK);
	assert_true(request.created_row);
	fixture_forget(&request);
	shipopt_store_free(other);
}

/* --- many at once --- */

enum { MANY = 1000 };

struct many {
	struct ledger_request requests[MANY];
	char keys[MANY][24];
	atomic_int left;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct reactor *reactors[2];
	int good;
};
static struct many many;

static void many_done(struct ledger_request *request)
{
	pthread_mutex_lock(&many.lock);
	many.good += request->status == LEDGER_OUTCOME_OK && request->created_row;
	atomic_fetch_sub(&many.left, 1);
	pthread_cond_signal(&many.changed);
	pthread_mutex_unlock(&many.lock);
}

static void *submit_half(void *argument)
{
	size_t half = (size_t)(uintptr_t)argument;
	for (size_t i = half; i < MANY; i += 2)
		ledger_submit(fixture.store, &many.requests[i]);
	return NULL;
}

static void a_thousand_requests_of_two_threads_come_back_to_their_reactors(void **state)
{
	shipopt_runtime_config *config;
	shipopt_runtime *runtime;
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_REACTORS, 2);
	assert_int_equal(shipopt_runtime_new(config, &runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	pthread_mutex_init(&many.lock, NULL);
	pthread_cond_init(&many.changed, NULL);
	many.left = MANY;
	many.good = 0;
	for (int i = 0; i < 2; i++)
		assert_int_equal(runtime_reactor(runtime, &many.reactors[i]), 0);
	for (size_t i = 0; i < MANY; i++) {
		snprintf(many.keys[i], sizeof(many.keys[i]), "order %zu", i);
		many.requests[i] = fixture_request(LEDGER_OP_CLAIM, many.keys[i], 0);
		many.requests[i].reactor = many.reactors[i % 2];
		many.requests[i].done = many_done;
	}
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, submit_half, NULL), 0);
	submit_half((void *)1);
	pthread_join(thread, NULL);
	pthread_mutex_lock(&many.lock);
	while (many.left)
		pthread_cond_wait(&many.changed, &many.lock);
	pthread_mutex_unlock(&many.lock);
	assert_int_equal(many.good, MANY);
	for (size_t i = 0; i < MANY; i++)
		fixture_forget(&many.requests[i]);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
}

static void nothing_done(struct ledger_request *request)
{
	many.good++;
}

static void after_the_close_a_request_ends_in_the_call(void **state)
{
	claim("a");
	assert_int_equal(shipopt_runtime_close(fixture.runtime, -1), 0);
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "b", 0);
	request.reactor = fixture.reactor;
	request.done = nothing_done;
	many.good = 0;
	ledger_submit(fixture.store, &request);
	assert_int_equal(many.good, 1);
	assert_int_equal(request.status, SHIPOPT_ESHUTDOWN);
	fixture_forget(&request);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(operations_move_only_from_the_states_that_allow_them),
		TEST(a_claim_makes_the_row_and_a_second_one_is_busy),
		TEST(an_expired_lease_is_taken_over_and_its_holder_has_lost),
		TEST(renewing_extends_and_releasing_ends_the_lease),
		TEST(what_has_a_label_is_claimed_without_a_lease),
		TEST(a_shipment_is_replaced_only_while_nothing_of_it_is_unproven),
		TEST(purchases_are_counted_and_only_proof_lowers_the_count),
		TEST(a_purchase_without_an_earlier_creation_writes_both_at_once),
		TEST(a_row_that_is_marked_is_not_sent_again),
		TEST(a_shipment_belongs_to_one_row),
		TEST(a_lease_of_a_wrong_clock_is_none),
		TEST(an_account_belongs_to_one_tenant),
		TEST(a_bought_row_keeps_what_the_carrier_said),
		TEST(a_result_that_is_too_long_does_not_lose_the_purchase),
		TEST(generations_follow_each_other),
		TEST(a_generation_begins_when_nobody_works_on_the_one_before),
		TEST(spend_limits),
		TEST(an_insurance_fee_counts_in_the_spend_limit),
		TEST(a_proof_releases_the_reservation_only_if_nothing_is_unproven),
		TEST(bad_requests_are_refused_by_name),
		TEST(tenants_do_not_see_each_other),
		TEST(a_thousand_requests_of_two_threads_come_back_to_their_reactors),
		TEST(after_the_close_a_request_ends_in_the_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
