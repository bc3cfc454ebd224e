/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>
#include <string.h>

#include "answer_edits.h"
#include "base/clock.h"
#include "base/memory.h"
#include "purchase_test.h"

/* The ways through a purchase that neither a fault nor an odd answer takes: the host's choice, cancels, other runs, old rows. */

static void finish_without_books(struct sim_process *process)
{
	edits_clear();
	sim_close(process);
	sim_end();
	assert_int_equal(mem_live_count(), 0);
}

static void finish(struct sim_process *process)
{
	edits_clear();
	case_finish(process);
}

static bool says(const struct sim_process *process, const char *words)
{
	bool does = strstr(process->results[0].message, words) != NULL;
	if (!does)
		print_error("\"%s\" is not in \"%s\"\n", words, process->results[0].message);
	return does;
}

static struct memory_row *row_of(const char *key)
{
	return (struct memory_row *)memory_ledger_find(&sim_database.ledger, key);
}

static void set_text(char **slot, const char *text)
{
	free(*slot);
	*slot = text ? strdup(text) : NULL;
}

/* ---- the host's choice ------------------------------------------------------------------------------------- */

static int64_t host_value;
static int host_status;
static shipopt_request *host_request;

static void answer_as_told(void *userdata, shipopt_request *request)
{
	if (host_status)
		shipopt_request_fail(request, host_status, "the host's words");
	else
		shipopt_request_complete(request, host_value);
}

static void answer_later(void *userdata, shipopt_request *request)
{
	host_request = request;
}

static void ask_told(struct sim_process *process)
{
	shipopt_bulk_config_set_choose(process->bulk_config, answer_as_told, NULL);
}

static void ask_late(struct sim_process *process)
{
	shipopt_bulk_config_set_choose(process->bulk_config, answer_later, NULL);
}

static void begin_asking(struct sim_process *process, void (*configure)(struct sim_process *process), const char *settings)
{
	sim_begin(1);
	sim_world.guard = false;
	sim_configure = configure;
	sim_open(process, settings);
}

static void the_hosts_choice_is_bought_held_or_refused(void **state)
{
	static const struct {
		int64_t value;
		int status, item, state;
		const char *says;
	} cases[] = {
		{0, 0, 0, LEDGER_BOUGHT, ""},
		{2, 0, 0, LEDGER_BOUGHT, ""},
		{3, 0, SHIPOPT_EINVAL, LEDGER_FAILED, "rate 3 was chosen, which cannot be bought; there are 3, counted from 0"},
		{-1, 0, SHIPOPT_EINVAL, LEDGER_FAILED, "rate -1 was chosen"},
		{INT64_MAX, 0, SHIPOPT_EINVAL, LEDGER_FAILED, "which cannot be bought"},
		{0, SHIPOPT_ENORATE, SHIPOPT_ENORATE, LEDGER_FAILED, "the host's words"},
		{0, SHIPOPT_EHELD, SHIPOPT_EHELD, LEDGER_HELD, "the host's words"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin_asking(&process, ask_told, NULL);
		host_value = cases[i].value;
		host_status = cases[i].status;
		assert_int_equal(case_one(&process, 1, 0, NULL), cases[i].item);
		assert_int_equal(case_row("o-0")->state, cases[i].state);
		assert_true(says(&process, cases[i].says));
		finish(&process);
	}
}

static void a_rate_without_an_id_or_an_amount_cannot_be_chosen(void **state)
{
	static const char *const to[][2] = {{"\"id\":\"rate_0_1_1_", "\"no_id\":\"_"}, {"\"rate\":\"5.25\"", "\"rate\":\"five\""}};
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		struct sim_process process;
		begin_asking(&process, ask_told, NULL);
		host_value = 1;
		host_status = 0;
		EDIT(WORLD_CREATE, to[i][0], to[i][1]);
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINVAL);
		finish(&process);
	}
}

static void a_host_that_answers_too_late_buys_nothing(void **state)
{
	for (int is_canceled = 0; is_canceled < 2; is_canceled++) {
		struct sim_process process;
		begin_asking(&process, ask_late, "bulk.item_timeout_ms=5000");
		host_request = NULL;
		sim_start_orders(&process, 1);
		while (!host_request)
			sim_turn(&process, 1000);
		if (is_canceled)
			shipopt_op_cancel(process.run);
		while (process.items == 0)
			sim_turn(&process, 100000);
		if (is_canceled)
			shipopt_request_fail(host_request, SHIPOPT_ENORATE, "too late");
		else
			shipopt_request_complete(host_request, 0);
		sim_wait(&process);
		assert_int_equal(process.results[0].status, is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT);
		assert_true(says(&process, "the host had not chosen a rate; nothing was bought"));
		assert_int_equal(sim_world.calls[WORLD_BUY], 0);
		finish(&process);
	}
}

static void a_host_that_answers_as_the_run_is_canceled_buys_nothing(void **state)
{
	struct sim_process process;
	begin_asking(&process, ask_late, NULL);
	host_request = NULL;
	sim_start_orders(&process, 1);
	while (!host_request)
		sim_turn(&process, 1000);
	shipopt_op_cancel(process.run);
	shipopt_request_complete(host_request, 0);
	sim_wait(&process);
	assert_int_equal(process.results[0].status, SHIPOPT_ECANCELED);
	assert_int_equal(sim_world.calls[WORLD_BUY], 0);
	finish(&process);
}

/* ---- cancels ----------------------------------------------------------------------------------------------- */

static void a_cancel_waits_for_a_purchase_on_the_wire(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_start_orders(&process, 1);
	while (sim_world.calls[WORLD_BUY] == 0)
		sim_turn(&process, 1000);
	shipopt_op_cancel(process.run);
	sim_wait(&process);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(case_row("o-0")->state, LEDGER_BOUGHT);
	finish(&process);
}

/* At each operation of the ledger, as it becomes durable. */
static enum ledger_operation cancel_at;
static struct sim_process *cancel_process;

static void cancel_now(struct memory_database *database, const struct ledger_request *request)
{
	if (request->operation == cancel_at)
		shipopt_op_cancel(cancel_process->run);
}

static void a_cancel_while_the_ledger_writes_takes_effect_with_its_answer(void **state)
{
	static const struct {
		enum ledger_operation operation;
		bool rate_only;
		int item, state;
	} cases[] = {
		{LEDGER_CLAIM, false, SHIPOPT_ECANCELED, LEDGER_PLANNED},
		{LEDGER_PLAN, false, SHIPOPT_ECANCELED, LEDGER_PLANNED},
		{LEDGER_CREATE, true, SHIPOPT_ECANCELED, LEDGER_CREATED},
		{LEDGER_BUY, false, SHIPOPT_ECANCELED, LEDGER_CREATED},
		{LEDGER_PROVE, false, SHIPOPT_ECANCELED, LEDGER_CREATED},
		{LEDGER_DOUBT, false, SHIPOPT_EINDOUBT, LEDGER_IN_DOUBT},
		{LEDGER_RENEW, false, SHIPOPT_EINDOUBT, LEDGER_IN_DOUBT},
		{LEDGER_BOUGHT_, false, 0, LEDGER_BOUGHT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process, "bulk.ceiling_percent=10");
		sim_run = shipopt_bulk_rate;
		if (cases[i].operation == LEDGER_PLAN)
			assert_int_equal(case_one(&process, 7, 0, NULL), 0); /* other content: planned again */
		sim_run = cases[i].rate_only ? shipopt_bulk_rate : shipopt_bulk_buy;
		SCRIPT_OF(BUY(NONE, 0));
		if (cases[i].operation == LEDGER_PROVE)
			SCRIPT_OF(BUY(RATE_EXPIRED, 0));
		if (cases[i].operation == LEDGER_DOUBT || cases[i].operation == LEDGER_RENEW)
			SCRIPT_OF(BUY(LOST_BEFORE, 0));
		cancel_at = cases[i].operation;
		cancel_process = &process;
		sim_database.observe = cancel_now;
		sim_start_orders(&process, 1);
		sim_wait(&process);
		if (process.results[0].status != cases[i].item || case_row("o-0")->state != cases[i].state)
			fail_msg("canceled at operation %d: %s, the row is %s", cases[i].operation,
				shipopt_error_name(process.results[0].status), ledger_state_name(case_row("o-0")->state));
		finish(&process);
	}
}

static void a_cancel_while_the_ledger_writes_hides_no_earlier_purchase(void **state)
{
	static const struct {
		enum ledger_operation operation;
		struct world_step script[2];
		int item, state;
	} cases[] = {
		{LEDGER_CLAIM, {BUY(LOST_BEFORE, 0), BUY(NONE, 0)}, SHIPOPT_EINDOUBT, LEDGER_IN_DOUBT},
		{LEDGER_CLAIM, {BUY(NONE, 0), BUY(NONE, 0)}, SHIPOPT_ALREADY, LEDGER_BOUGHT},
		{LEDGER_PROVE, {BUY(LOST_BEFORE, 0), BUY(RATE_EXPIRED, 0)}, SHIPOPT_EINDOUBT, LEDGER_IN_DOUBT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process, "bulk.item_timeout_ms=10000");
		case_script(2, cases[i].script);
		case_one(&process, 1, 0, NULL);
		sim_close(&process);
		sim_open(&process, NULL);
		cancel_at = cases[i].operation;
		cancel_process = &process;
		sim_database.observe = cancel_now;
		sim_start_orders(&process, 1);
		sim_wait(&process);
		assert_int_equal(process.results[0].status, cases[i].item);
		assert_int_equal(case_row("o-0")->state, cases[i].state);
		finish(&process);
	}
}

static void a_cancel_while_it_waits_for_its_turn_sends_nothing(void **state)
{
	struct sim_process process;
	case_begin(&process, "carrier.concurrency_max=1 carrier.concurrency_start=1");
	SCRIPT_OF(BUY(429, 30000));
	sim_start_orders(&process, 2);
	/* Purchases are paused: the first waits to be sent again, the second to be sent. */
	for (int i = 0; i < 100; i++)
		sim_turn(&process, 100000);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	shipopt_op_cancel(process.run);
	sim_wait(&process);
	assert_int_equal(process.results[0].status, SHIPOPT_ECANCELED);
	assert_int_equal(process.results[1].status, SHIPOPT_ECANCELED);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	assert_int_equal(case_row("o-0")->unproven, 0);
	finish(&process);
}

/* ---- a carrier without rates ------------------------------------------------------------------------------- */

static void a_carrier_that_stays_away_is_waited_for_until_the_deadline(void **state)
{
	for (int is_canceled = 0; is_canceled < 2; is_canceled++) {
		struct sim_process process;
		case_begin(&process, "bulk.missing_carrier=wait bulk.item_timeout_ms=20000");
		sim_world.hidden_carrier = "UPS";
		sim_world.hidden_visits = 1000;
		shipopt_order *order = sim_order("o-0", 1);
		assert_int_equal(shipopt_order_set_carrier(order, "UPS"), 0);
		assert_int_equal(sim_start(&process, &order, 1), 0);
		for (int i = 0; i < 50; i++)
			sim_turn(&process, 100000);
		if (is_canceled)
			shipopt_op_cancel(process.run);
		sim_wait(&process);
		assert_int_equal(process.results[0].status, is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT);
		assert_true(says(&process, "none of the 2 rates is by carrier \"UPS\""));
		finish(&process);
	}
}

static void a_fallback_keeps_to_the_price_that_the_wanted_carrier_had(void **state)
{
	static const struct {
		const char *settings;
		int item;
	} cases[] = {{"bulk.missing_carrier=fallback", SHIPOPT_EHELD},
		{"bulk.missing_carrier=fallback bulk.fallback_percent=50", 0},
		{"bulk.missing_carrier=fallback bulk.fallback_percent=50 bulk.currency=EUR", SHIPOPT_EHELD}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process, cases[i].settings);
		assert_int_equal(case_one(&process, 1, 0, "UPS"), i < 2 ? 0 : SHIPOPT_EHELD);
		sim_world.hidden_carrier = "UPS";
		sim_world.hidden_visits = 1000;
		shipopt_order *order = sim_order("o-1", 1);
		assert_int_equal(shipopt_order_set_carrier(order, "UPS"), 0);
		assert_int_equal(sim_start(&process, &order, 1), 0);
		assert_int_equal(sim_wait(&process), 0);
		if (i < 2)
			assert_int_equal(process.results[0].status, cases[i].item);
		else
			assert_true(process.results[0].status < 0);
		finish(&process);
	}
}

/* ---- runs that may not send -------------------------------------------------------------------------------- */

static void a_run_that_may_not_send_looks_up_and_sends_nothing(void **state)
{
	for (int i = 0; i < 8; i++) {
		bool rate_only = i & 1, is_bought = i & 2, is_late = i & 4;
		struct sim_process process;
		case_begin(&process, "bulk.item_timeout_ms=30000");
		is_bought ? SCRIPT_OF(BUY(LATE, 60000)) : SCRIPT_OF(BUY(LOST_BEFORE, 0));
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
		clock_advance_us((is_late ? 300 : 100) * SECOND); /* is_late: behind the settle time */
		sim_run = rate_only ? shipopt_bulk_rate : shipopt_bulk_buy;
		int item = case_one(&process, rate_only ? 1 : 99, 0, NULL);
		assert_int_equal(item, !rate_only ? SHIPOPT_ECONFLICT : is_bought ? SHIPOPT_ALREADY : SHIPOPT_EINDOUBT);
		assert_int_equal(case_row("o-0")->state, is_bought ? LEDGER_BOUGHT : LEDGER_IN_DOUBT);
		assert_int_equal(sim_world.calls[WORLD_BUY], 1);
		finish(&process);
	}
}

static void a_run_that_may_not_send_asks_no_person(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.item_timeout_ms=3600000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(LOST_BEFORE, 0), BUY(LOST_BEFORE, 0));
	sim_start_orders(&process, 1);
	while (sim_world.calls[WORLD_BUY] < 3)
		sim_turn(&process, SECOND);
	shipopt_op_cancel(process.run);
	sim_wait(&process);
	clock_advance_us(300 * SECOND);
	assert_int_equal(case_row("o-0")->needs_person, 0);
	sim_run = shipopt_bulk_rate;
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(case_row("o-0")->needs_person, 0);
	sim_run = shipopt_bulk_buy;
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(case_row("o-0")->needs_person, 1);
	finish(&process);
}

static void rates_without_a_store_are_told_and_kept_nowhere(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_run = shipopt_bulk_rate;
	shipopt_bulk_free(process.bulk);
	assert_int_equal(
		shipopt_bulk_new(process.runtime, process.carrier, NULL, process.bulk_config, &process.bulk, NULL), 0);
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	assert_int_equal(process.results[0].amount, 5250000);
	SCRIPT_OF(CREATE(REFUSED, 0));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EREFUSED);
	assert_int_equal(sim_database.ledger.row_count, 0);
	finish(&process);
}

static void an_order_rated_before_is_neither_rated_nor_bought_by_a_second_rate_run(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_run = shipopt_bulk_rate;
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ALREADY);
	assert_int_equal(sim_world.calls[WORLD_CREATE], 1);
	assert_int_equal(process.results[0].amount, 5250000);
	finish(&process);
}

/* ---- rows as others left them ------------------------------------------------------------------------------ */

static void a_row_of_another_base_url_is_a_conflict(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	set_text(&row_of("o-0")->row.base_url, "http://other.invalid/v2");
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ECONFLICT);
	assert_true(says(&process, "is bought at http://other.invalid/v2, and this client uses http://carrier.invalid/v2"));
	finish(&process);
}

static void a_bought_row_without_a_base_url_or_a_fingerprint(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	set_text(&row_of("o-0")->row.base_url, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ALREADY);
	assert_int_equal(case_one(&process, 99, 0, NULL), SHIPOPT_ECONFLICT);
	assert_true(says(&process, "it differs in: parcel.weight"));
	set_text(&row_of("o-0")->row.fingerprint, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ECONFLICT);
	finish(&process);
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
	assert_true(says(&process, "above the approved 5.25 (no currency)"));
	finish(&process);
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
	assert_true(says(&process, "held for review: two rows have its key"));
	set_text(&row_of("o-0")->row.reason, NULL);
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EHELD);
	assert_string_equal(process.results[0].message, "held for review");
	assert_int_equal(sim_world.calls[WORLD_BUY], 0);
	finish(&process);
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
	finish(&process);
}

static void a_voided_order_is_not_bought_again(void **state)
{
	static const int states[] = {LEDGER_VOID_REQUESTED, LEDGER_VOIDED, LEDGER_VOID_REFUSED};
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct sim_process process;
		case_begin(&process, NULL);
		assert_int_equal(case_one(&process, 1, 0, NULL), 0);
		row_of("o-0")->row.state = states[i];
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ESTATE);
		assert_string_equal(process.results[0].message, ledger_state_name(states[i]));
		assert_int_equal(sim_world.calls[WORLD_CREATE], 1);
		finish_without_books(&process);
	}
}

static void a_shipment_that_was_sent_three_times_is_made_anew(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.ceiling_percent=10");
	SCRIPT_OF(BUY(RATE_EXPIRED, 0), BUY(RATE_EXPIRED, 0));
	sim_world.rerate_step = 0;
	sim_database.script = &(struct database_step){LEDGER_BUY, 3, DATABASE_FAILS};
	sim_database.script_count = 1;
	assert_true(case_one(&process, 1, 0, NULL) < 0);
	/* All proven: three sends are used up, and the order is planned again. */
	row_of("o-0")->row.sent = 3;
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	assert_int_equal(sim_world.shipment_count, 2);
	finish(&process);
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
		finish(&process);
	}
}

static void other_wishes_are_other_content_and_are_named(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	assert_int_equal(case_one(&process, 1, 0, "USPS"), 0);
	assert_int_equal(case_one(&process, 1, 0, "UPS"), SHIPOPT_ECONFLICT);
	assert_true(says(&process, "it differs in: carrier"));
	shipopt_order *order = sim_order("o-0", 99);
	assert_int_equal(shipopt_order_set_service(order, "Ground"), 0);
	assert_int_equal(sim_start(&process, &order, 1), 0);
	assert_int_equal(sim_wait(&process), 0);
	assert_int_equal(process.results[0].status, SHIPOPT_ECONFLICT);
	assert_true(says(&process, "parcel.weight, service, carrier"));
	set_text(&row_of("o-0")->row.request, NULL);
	assert_int_equal(case_one(&process, 1, 0, "UPS"), SHIPOPT_ECONFLICT);
	assert_true(says(&process, "it differs in: the request"));
	finish(&process);
}

static void an_order_without_a_shipment_or_with_a_reference(void **state)
{
	struct sim_process process;
	shipopt_order *order = NULL;
	case_begin(&process, NULL);
	assert_int_equal(shipopt_order_new("o-0", &order), 0);
	assert_int_equal(sim_start(&process, &order, 1), 0);
	assert_int_equal(sim_wait(&process), 0);
	assert_int_equal(process.results[0].status, SHIPOPT_EINVAL);
	assert_true(says(&process, "the order has no shipment"));
	order = sim_order("o-1", 1);
	shipopt_record *shipment = NULL;
	assert_int_equal(shipopt_record_copy(shipopt_order_shipment(order), &shipment), 0);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, "ours"), 0);
	assert_int_equal(shipopt_order_set_shipment(order, shipment), 0);
	assert_int_equal(sim_start(&process, &order, 1), 0);
	assert_int_equal(sim_wait(&process), 0);
	assert_int_equal(process.results[0].status, 0);
	assert_string_equal(sim_world.shipments[0].reference, "ours");
	finish_without_books(&process);
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
		{LEDGER_PLANNED, 0, false, SHIPOPT_EBUSY, "another process holds the order until its lease ends"},
		{LEDGER_PLANNED, 0, true, SHIPOPT_ECANCELED, ""},
		{LEDGER_BUYING, 1, false, SHIPOPT_EINDOUBT, "another process holds the order, and its purchase is buying"},
		{LEDGER_BUYING, 1, true, SHIPOPT_EINDOUBT, "and its purchase is buying"},
		{LEDGER_IN_DOUBT, 1, false, SHIPOPT_EINDOUBT, "and its purchase is in doubt"},
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
			shipopt_op_cancel(process.run);
		sim_wait(&process);
		assert_int_equal(process.results[0].status, cases[i].item);
		assert_true(says(&process, cases[i].says));
		finish(&process);
	}
}

/* Each claim is followed by another process's, whose lease ends at once. */
static void steal(struct memory_database *database, const struct ledger_request *request)
{
	struct memory_row *row = row_of("o-0");
	if (request->operation == LEDGER_CLAIM) {
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
			case_turn_until(&process, LEDGER_IN_DOUBT);
			shipopt_op_cancel(process.run);
			sim_wait(&process);
		}
		clock_advance_us(300 * SECOND);
		sim_database.observe = steal;
		int item = case_one(&process, 1, 0, NULL);
		assert_int_equal(item, is_open ? SHIPOPT_EINDOUBT : SHIPOPT_EBUSY);
		assert_int_equal(sim_world.calls[WORLD_BUY], is_open);
		assert_true(sim_database.seen[LEDGER_CLAIM] > 32 && sim_database.seen[LEDGER_CLAIM] < 40);
		finish(&process);
	}
}

/* ---- a store that fails ------------------------------------------------------------------------------------ */

static void commits_of_unknown_outcome_are_looked_at_again_a_few_times(void **state)
{
	static const struct {
		enum ledger_operation operation;
		enum database_fault fault;
		int item;
	} cases[] = {
		{LEDGER_CLAIM, DATABASE_DOUBT, SHIPOPT_EDATABASE},
		{LEDGER_CLAIM, DATABASE_DOUBT_UNDONE, SHIPOPT_EDATABASE},
		{LEDGER_BUY, DATABASE_DOUBT_UNDONE, SHIPOPT_EINDOUBT},
		{LEDGER_BOUGHT_, DATABASE_DOUBT_UNDONE, SHIPOPT_EINDOUBT},
		{LEDGER_BOUGHT_, DATABASE_FAILS, SHIPOPT_EINDOUBT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		struct database_step steps[16];
		for (int s = 0; s < 16; s++)
			steps[s] = (struct database_step){cases[i].operation, s + 1, cases[i].fault};
		case_begin(&process, NULL);
		sim_database.script = steps;
		sim_database.script_count = ARRAY_SIZE(steps);
		assert_int_equal(case_one(&process, 1, 0, NULL), cases[i].item);
		assert_true(sim_database.seen[cases[i].operation] < 12);
		sim_database.script_count = 0;
		assert_true(case_one(&process, 1, 0, NULL) >= 0);
		assert_int_equal(sim_world.labels, 1);
		finish(&process);
	}
}

static void look_ups_are_bounded(void **state)
{
	struct sim_process process;
	case_begin(&process, "carrier.settle_ms=3600000 bulk.item_timeout_ms=36000000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(sim_world.calls[WORLD_READ], 64);
	finish(&process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_hosts_choice_is_bought_held_or_refused),
		cmocka_unit_test(a_rate_without_an_id_or_an_amount_cannot_be_chosen),
		cmocka_unit_test(a_host_that_answers_too_late_buys_nothing),
		cmocka_unit_test(a_host_that_answers_as_the_run_is_canceled_buys_nothing),
		cmocka_unit_test(a_cancel_waits_for_a_purchase_on_the_wire),
		cmocka_unit_test(a_cancel_while_the_ledger_writes_takes_effect_with_its_answer),
		cmocka_unit_test(a_cancel_while_the_ledger_writes_hides_no_earlier_purchase),
		cmocka_unit_test(a_cancel_while_it_waits_for_its_turn_sends_nothing),
		cmocka_unit_test(a_carrier_that_stays_away_is_waited_for_until_the_deadline),
		cmocka_unit_test(a_fallback_keeps_to_the_price_that_the_wanted_carrier_had),
		cmocka_unit_test(a_run_that_may_not_send_looks_up_and_sends_nothing),
		cmocka_unit_test(a_run_that_may_not_send_asks_no_person),
		cmocka_unit_test(rates_without_a_store_are_told_and_kept_nowhere),
		cmocka_unit_test(an_order_rated_before_is_neither_rated_nor_bought_by_a_second_rate_run),
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
		cmocka_unit_test(commits_of_unknown_outcome_are_looked_at_again_a_few_times),
		cmocka_unit_test(look_ups_are_bounded),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_paths", tests, NULL, NULL);
}
