/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>

#include "answer_edits.h"
#include "purchase_test.h"

/* The host chooses the rate; the host cancels. */

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

static void begin_asking(struct sim_process *process, void (*configure)(struct sim_process *process),
	const char *settings)
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
		{0, 0, 0, LEDGER_STATE_BOUGHT, ""},
		{2, 0, 0, LEDGER_STATE_BOUGHT, ""},
		{3, 0, SHIPOPT_EINVAL, LEDGER_STATE_FAILED,
			"rate 3 was chosen, which cannot be bought; there are 3, counted from 0"},
		{-1, 0, SHIPOPT_EINVAL, LEDGER_STATE_FAILED, "rate -1 was chosen"},
		{INT64_MAX, 0, SHIPOPT_EINVAL, LEDGER_STATE_FAILED, "which cannot be bought"},
		{0, SHIPOPT_ENORATE, SHIPOPT_ENORATE, LEDGER_STATE_FAILED, "the host's words"},
		{0, SHIPOPT_EHELD, SHIPOPT_EHELD, LEDGER_STATE_HELD, "the host's words"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin_asking(&process, ask_told, NULL);
		host_value = cases[i].value;
		host_status = cases[i].status;
		assert_int_equal(case_one(&process, 1, 0, NULL), cases[i].item);
		assert_int_equal(case_row("o-0")->state, cases[i].state);
		assert_true(case_says(&process, cases[i].says));
		case_finish(&process);
	}
}

static void a_rate_without_an_id_or_an_amount_cannot_be_chosen(void **state)
{
	static const char *const to[][2] = {{"\"id\":\"rate_0_1_1_", "\"no_id\":\"_"},
		{"\"rate\":\"5.25\"", "\"rate\":\"five\""}};
	for (size_t i = 0; i < ARRAY_SIZE(to); i++) {
		struct sim_process process;
		begin_asking(&process, ask_told, NULL);
		host_value = 1;
		host_status = 0;
		EDIT(WORLD_CREATE, to[i][0], to[i][1]);
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINVAL);
		case_finish(&process);
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
			shipopt_op_cancel(shipopt_run_op(process.run));
		while (process.items == 0)
			sim_turn(&process, 100000);
		if (is_canceled)
			shipopt_request_fail(host_request, SHIPOPT_ENORATE, "too late");
		else
			shipopt_request_complete(host_request, 0);
		sim_wait(&process);
		assert_int_equal(process.results[0].status, is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT);
		assert_true(case_says(&process, "the host had not chosen a rate; nothing was bought"));
		assert_int_equal(sim_world.calls[WORLD_BUY], 0);
		case_finish(&process);
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
	shipopt_op_cancel(shipopt_run_op(process.run));
	shipopt_request_complete(host_request, 0);
	sim_wait(&process);
	assert_int_equal(process.results[0].status, SHIPOPT_ECANCELED);
	assert_int_equal(sim_world.calls[WORLD_BUY], 0);
	case_finish(&process);
}

/* ---- cancels ----------------------------------------------------------------------------------------------- */

static void a_cancel_waits_for_a_purchase_on_the_wire(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_start_orders(&process, 1);
	while (sim_world.calls[WORLD_BUY] == 0)
		sim_turn(&process, 1000);
	shipopt_op_cancel(shipopt_run_op(process.run));
	sim_wait(&process);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_BOUGHT);
	case_finish(&process);
}

/* At each operation of the ledger, as it becomes durable. */
static enum ledger_operation cancel_at;
static struct sim_process *cancel_process;

static void cancel_now(struct memory_database *database, const struct ledger_request *request)
{
	if (request->operation == cancel_at)
		shipopt_op_cancel(shipopt_run_op(cancel_process->run));
}

static void a_cancel_while_the_ledger_writes_takes_effect_with_its_answer(void **state)
{
	static const struct {
		enum ledger_operation operation;
		bool rate_only;
		int item, state;
	} cases[] = {
		{LEDGER_OP_CLAIM, false, SHIPOPT_ECANCELED, LEDGER_STATE_PLANNED},
		{LEDGER_OP_PLAN, false, SHIPOPT_ECANCELED, LEDGER_STATE_PLANNED},
		{LEDGER_OP_CREATE, true, SHIPOPT_ECANCELED, LEDGER_STATE_CREATED},
		{LEDGER_OP_BUY, false, SHIPOPT_ECANCELED, LEDGER_STATE_CREATED},
		{LEDGER_OP_PROVE, false, SHIPOPT_ECANCELED, LEDGER_STATE_CREATED},
		{LEDGER_OP_DOUBT, false, SHIPOPT_EINDOUBT, LEDGER_STATE_IN_DOUBT},
		{LEDGER_OP_RENEW, false, SHIPOPT_EINDOUBT, LEDGER_STATE_IN_DOUBT},
		{LEDGER_OP_BOUGHT, false, 0, LEDGER_STATE_BOUGHT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process, "bulk.ceiling_percent=10");
		sim_run = shipopt_bulk_rate;
		if (cases[i].operation == LEDGER_OP_PLAN)
			assert_int_equal(case_one(&process, 7, 0, NULL), 0); /* other content: planned again */
		sim_run = cases[i].rate_only ? shipopt_bulk_rate : shipopt_bulk_buy;
		SCRIPT_OF(BUY(NONE, 0));
		if (cases[i].operation == LEDGER_OP_PROVE)
			SCRIPT_OF(BUY(RATE_EXPIRED, 0));
		if (cases[i].operation == LEDGER_OP_DOUBT || cases[i].operation == LEDGER_OP_RENEW)
			SCRIPT_OF(BUY(LOST_BEFORE, 0));
		cancel_at = cases[i].operation;
		cancel_process = &process;
		sim_database.observe = cancel_now;
		sim_start_orders(&process, 1);
		sim_wait(&process);
		if (process.results[0].status != cases[i].item || case_row("o-0")->state != cases[i].state)
			fail_msg("canceled at operation %d: %s, the row is %s", cases[i].operation,
				shipopt_error_name(process.results[0].status),
				ledger_state_name(case_row("o-0")->state));
		case_finish(&process);
	}
}

static void a_cancel_while_the_ledger_writes_hides_no_earlier_purchase(void **state)
{
	static const struct {
		enum ledger_operation operation;
		struct world_step script[2];
		int item, state;
	} cases[] = {
		{LEDGER_OP_CLAIM, {BUY(LOST_BEFORE, 0), BUY(NONE, 0)}, SHIPOPT_EINDOUBT, LEDGER_STATE_IN_DOUBT},
		{LEDGER_OP_CLAIM, {BUY(NONE, 0), BUY(NONE, 0)}, SHIPOPT_ALREADY, LEDGER_STATE_BOUGHT},
		{LEDGER_OP_PROVE, {BUY(LOST_BEFORE, 0), BUY(RATE_EXPIRED, 0)}, SHIPOPT_EINDOUBT, LEDGER_STATE_IN_DOUBT},
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
		case_finish(&process);
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
	shipopt_op_cancel(shipopt_run_op(process.run));
	sim_wait(&process);
	assert_int_equal(process.results[0].status, SHIPOPT_ECANCELED);
	assert_int_equal(process.results[1].status, SHIPOPT_ECANCELED);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	assert_int_equal(case_row("o-0")->unproven, 0);
	case_finish(&process);
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
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_host", tests, NULL, NULL);
}
