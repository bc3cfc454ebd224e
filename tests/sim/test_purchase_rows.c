/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "purchase_test.h"

/* Rows as others left them. */

static struct memory_row *row_of(const char *key)
{
	return (struct memory_row *)memory_ledger_find(&sim_database.ledger, key);
}

static void set_text(char **slot, const char *text)
{
	free(*slot);
	*slot = text ? strdup(text) : NULL;
}

/* ---- rows as others left them ------------------------------------------------------------------------------ */

static void a_row_of_another_base_url_is_a_conflict(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	set_text(&row_of("o-0")->row.base_url, "http://other.invalid/v2");
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ECONFLICT);
	assert_true(case_says(&process,
		"is bought at http://other.invalid/v2, and this client uses http://carrier.invalid/v2"));
	case_finish(&process);
}

static void a_bought_row_without_a_base_url_or_a_fingerprint(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	set_text(&row_of("o-0")->row.base_url, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ALREADY);
	assert_int_equal(case_one(&process, 99, 0, NULL), SHIPOPT_ECONFLICT);
	assert_true(case_says(&process, "it differs in: parcel.weight"));
	set_text(&row_of("o-0")->row.fingerprint, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ECONFLICT);
	case_finish(&process);
}

/* As an approval without a currency would be. */
static void a_kept_price_that_was_approved_in_no_currency_is_held(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_run = shipopt_bulk_rate;
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	set_text(&row_of("o-0")->row.approved_currency, NULL);
	sim_run = shipopt_bulk_buy;
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EHELD);
	assert_true(case_says(&process, "above the approved 5.25 (no currency)"));
	case_finish(&process);
}

static void a_row_that_a_person_must_settle_is_held(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_run = shipopt_bulk_rate;
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	sim_run = shipopt_bulk_buy;
	row_of("o-0")->row.needs_person = 1;
	set_text(&row_of("o-0")->row.reason, "two rows have its key");
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EHELD);
	assert_true(case_says(&process, "held for review: two rows have its key"));
	set_text(&row_of("o-0")->row.reason, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EHELD);
	assert_string_equal(process.results[0].message, "held for review");
	assert_int_equal(sim_world.calls[WORLD_BUY], 0);
	case_finish(&process);
}

static void a_held_order_is_bought_once_its_max_rate_allows_it(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	assert_int_equal(case_one(&process, 1, 5000000, NULL), SHIPOPT_EHELD);
	assert_int_equal(case_one(&process, 1, 5000000, NULL), SHIPOPT_EHELD);
	assert_int_equal(sim_world.calls[WORLD_CREATE], 1);
	assert_int_equal(case_one(&process, 1, 6000000, NULL), 0);
	assert_int_equal(case_row("o-0")->ceiling, 6000000);
	case_finish(&process);
}

static void a_voided_order_is_not_bought_again(void **state)
{
	static const int states[] = {LEDGER_STATE_VOID_REQUESTED, LEDGER_STATE_VOIDED, LEDGER_STATE_VOID_REFUSED};
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct sim_process process;
		case_begin(&process, NULL);
		assert_int_equal(case_one(&process, 1, 0, NULL), 0);
		row_of("o-0")->row.state = states[i];
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ESTATE);
		assert_string_equal(process.results[0].message, ledger_state_name(states[i]));
		assert_int_equal(sim_world.calls[WORLD_CREATE], 1);
		case_finish_without_books(&process);
	}
}

static void a_shipment_that_was_sent_three_times_is_made_anew(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.ceiling_percent=10");
	SCRIPT_OF(BUY(RATE_EXPIRED, 0), BUY(RATE_EXPIRED, 0));
	sim_world.rerate_step = 0;
	sim_database.script = &(struct database_step){LEDGER_OP_BUY, 3, DATABASE_FAILS};
	sim_database.script_count = 1;
	assert_true(case_one(&process, 1, 0, NULL) < 0);
	/* All proven: three sends are used up, and the order is planned again. */
	row_of("o-0")->row.sent = 3;
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	assert_int_equal(sim_world.shipment_count, 2);
	case_finish(&process);
}

/* ---- the request in the row -------------------------------------------------------------------------------- */

static void a_row_of_an_older_version_is_compared_by_its_request(void **state)
{
	static const struct {
		const char *request; /* NULL: as it is */
		int item;
	} cases[] = {
		{NULL, SHIPOPT_ALREADY},
		{"", SHIPOPT_ECONFLICT},
		{"{", SHIPOPT_ECONFLICT},
		{"{\"service\":\"x\"}", SHIPOPT_ECONFLICT},
		{"{\"shipment\":{\"reference\":\"other\"}}", SHIPOPT_ECONFLICT},
		{"{\"shipment\":17}", SHIPOPT_ECONFLICT},
		{"{\"shipment\":{}}", SHIPOPT_ECONFLICT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process, NULL);
		assert_int_equal(case_one(&process, 1, 0, NULL), 0);
		set_text(&row_of("o-0")->row.fingerprint, "0123456789abcdef");
		if (cases[i].request)
			set_text(&row_of("o-0")->row.request, *cases[i].request ? cases[i].request : NULL);
		assert_int_equal(case_one(&process, 1, 0, NULL), cases[i].item);
		case_finish(&process);
	}
}

static void other_wishes_are_other_content_and_are_named(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	assert_int_equal(case_one(&process, 1, 0, "USPS"), 0);
	assert_int_equal(case_one(&process, 1, 0, "UPS"), SHIPOPT_ECONFLICT);
	assert_true(case_says(&process, "it differs in: carrier"));
	shipopt_order *order = sim_order("o-0", 99);
	assert_int_equal(shipopt_order_set_service(order, "Ground", NULL), 0);
	assert_int_equal(sim_start(&process, &order, 1), 0);
	assert_int_equal(sim_wait(&process), 0);
	assert_int_equal(process.results[0].status, SHIPOPT_ECONFLICT);
	assert_true(case_says(&process, "parcel.weight, service, carrier"));
	set_text(&row_of("o-0")->row.request, NULL);
	assert_int_equal(case_one(&process, 1, 0, "UPS"), SHIPOPT_ECONFLICT);
	assert_true(case_says(&process, "it differs in: the request"));
	case_finish(&process);
}

static void an_order_without_a_shipment_or_with_a_reference(void **state)
{
	struct sim_process process;
	shipopt_order *order = NULL;
	case_begin(&process, NULL);
	assert_int_equal(shipopt_order_new("o-0", &order, NULL), 0);
	assert_int_equal(sim_start(&process, &order, 1), 0);
	assert_int_equal(sim_wait(&process), 0);
	assert_int_equal(process.results[0].status, SHIPOPT_EINVAL);
	assert_true(case_says(&process, "the order has no shipment"));
	order = sim_order("o-1", 1);
	shipopt_record *shipment = NULL;
	assert_int_equal(shipopt_record_copy(shipopt_order_shipment(order), &shipment), 0);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, "ours", NULL), 0);
	assert_int_equal(shipopt_order_set_shipment(order, shipment, NULL), 0);
	assert_int_equal(sim_start(&process, &order, 1), 0);
	assert_int_equal(sim_wait(&process), 0);
	assert_int_equal(process.results[0].status, 0);
	assert_string_equal(sim_world.shipments[0].reference, "ours");
	case_finish_without_books(&process);
}

/* ---- other processes --------------------------------------------------------------------------------------- */

static void what_another_process_holds_is_reported_as_its_row_says(void **state)
{
	static const struct {
		int state;
		int64_t unproven;
		bool is_canceled;
		int item;
		const char *says;
	} cases[] = {
		{LEDGER_STATE_PLANNED, 0, false, SHIPOPT_EBUSY, "another process holds the order until its lease ends"},
		{LEDGER_STATE_PLANNED, 0, true, SHIPOPT_ECANCELED, ""},
		{LEDGER_STATE_BUYING, 1, false, SHIPOPT_EINDOUBT,
			"another process holds the order, and its purchase is buying"},
		{LEDGER_STATE_BUYING, 1, true, SHIPOPT_EINDOUBT, "and its purchase is buying"},
		{LEDGER_STATE_IN_DOUBT, 1, false, SHIPOPT_EINDOUBT, "and its purchase is in doubt"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process, "bulk.item_timeout_ms=5000");
		SCRIPT_OF(CREATE(401, 0));
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EAUTH);
		struct ledger_row *row = &row_of("o-0")->row;
		row->state = cases[i].state;
		row->sent = row->unproven = cases[i].unproven;
		row->lease_until_ms = clock_wall_ms() + 60000;
		sim_start_orders(&process, 1);
		for (int turn = 0; turn < 20; turn++)
			sim_turn(&process, 100000);
		if (cases[i].is_canceled)
			shipopt_op_cancel(shipopt_run_op(process.run));
		sim_wait(&process);
		assert_int_equal(process.results[0].status, cases[i].item);
		assert_true(case_says(&process, cases[i].says));
		case_finish(&process);
	}
}

/* Each claim is followed by another process's, whose lease ends at once. */
static void steal(struct memory_database *database, const struct ledger_request *request)
{
	struct memory_row *row = row_of("o-0");
	if (request->operation == LEDGER_OP_CLAIM) {
		row->token += 1000;
		row->row.lease_until_ms = 0;
	}
}

static void a_row_that_keeps_changing_hands_is_given_up(void **state)
{
	for (int is_open = 0; is_open < 2; is_open++) {
		struct sim_process process;
		case_begin(&process, "bulk.item_timeout_ms=3600000");
		SCRIPT_OF(BUY(LOST_BEFORE, 0));
		if (is_open) {
			sim_start_orders(&process, 1);
			case_turn_until(&process, LEDGER_STATE_IN_DOUBT);
			shipopt_op_cancel(shipopt_run_op(process.run));
			sim_wait(&process);
		}
		clock_advance_us(300 * SECOND);
		sim_database.observe = steal;
		int item = case_one(&process, 1, 0, NULL);
		assert_int_equal(item, is_open ? SHIPOPT_EINDOUBT : SHIPOPT_EBUSY);
		assert_int_equal(sim_world.calls[WORLD_BUY], is_open);
		assert_true(sim_database.seen[LEDGER_OP_CLAIM] > 32 && sim_database.seen[LEDGER_OP_CLAIM] < 40);
		case_finish(&process);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_row_of_another_base_url_is_a_conflict),
		cmocka_unit_test(a_bought_row_without_a_base_url_or_a_fingerprint),
		cmocka_unit_test(a_kept_price_that_was_approved_in_no_currency_is_held),
		cmocka_unit_test(a_row_that_a_person_must_settle_is_held),
		cmocka_unit_test(a_held_order_is_bought_once_its_max_rate_allows_it),
		cmocka_unit_test(a_voided_order_is_not_bought_again),
		cmocka_unit_test(a_shipment_that_was_sent_three_times_is_made_anew),
		cmocka_unit_test(a_row_of_an_older_version_is_compared_by_its_request),
		cmocka_unit_test(other_wishes_are_other_content_and_are_named),
		cmocka_unit_test(an_order_without_a_shipment_or_with_a_reference),
		cmocka_unit_test(what_another_process_holds_is_reported_as_its_row_says),
		cmocka_unit_test(a_row_that_keeps_changing_hands_is_given_up),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_rows", tests, NULL, NULL);
}
