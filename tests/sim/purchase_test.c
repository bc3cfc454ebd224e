/* SPDX-License-Identifier: MIT */
#include "purchase_test.h"

#include "cmocka_test.h"

#include <string.h>

#include "base/memory.h"

static struct world_step script_of_test[CASE_SCRIPT_MAX];

void case_script(size_t count, const struct world_step *steps)
{
	assert_true(count <= CASE_SCRIPT_MAX);
	memcpy(script_of_test, steps, count * sizeof(*steps));
	sim_world.script = script_of_test;
	sim_world.script_count = count;
	sim_world.script_used = 0;
}

const struct ledger_row *case_row(const char *key)
{
	const struct memory_row *row = memory_ledger_find(&sim_database.ledger, key);
	assert_non_null(row);
	return &row->row;
}

void case_begin(struct sim_process *process, const char *settings)
{
	sim_begin(1);
	sim_world.guard = false;
	sim_open(process, settings);
}

void case_finish_without_books(struct sim_process *process)
{
	fake_http_edit = NULL;
	sim_close(process);
	sim_end();
	assert_int_equal(mem_live_count(), 0);
}

void case_finish(struct sim_process *process)
{
	assert_int_equal(sim_compare(), 0);
	assert_int_equal(sim_world.strangers, 0);
	case_finish_without_books(process);
}

bool case_says(const struct sim_process *process, const char *words)
{
	bool says = strstr(process->results[0].message, words) != NULL;
	if (!says)
		print_error("\"%s\" is not in \"%s\"\n", words, process->results[0].message);
	return says;
}

int case_one(struct sim_process *process, int weight, int64_t max_rate, const char *carrier)
{
	shipopt_order *order = sim_order("o-0", weight);
	assert_int_equal(shipopt_order_set_max_rate(order, max_rate, NULL), 0);
	assert_int_equal(shipopt_order_set_carrier(order, carrier, NULL), 0);
	assert_int_equal(sim_start(process, &order, 1), 0);
	assert_int_equal(sim_wait(process), 0);
	return process->results[0].status;
}

void case_turn_until(struct sim_process *process, int state)
{
	for (int i = 0; i < 1000; i++) {
		const struct memory_row *row = memory_ledger_find(&sim_database.ledger, "o-0");
		if (row && row->row.state == state)
			return;
		sim_turn(process, 100000);
	}
	fail_msg("the row never was %s", ledger_state_name(state));
}
