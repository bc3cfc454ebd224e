/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bulk_fixture.h"

/* Orders are rated as the cheapest, then rated and bought as the fastest: result files and the ledger say which rate it
 * was. */

#define ORDERS 3
#define NOTE "the stored rate was kept"

/* One run into a result file of this kind; its text. */
static char *run_into(struct bulk_fixture *fixture, fixture_run_fn run, const char *settings, bool is_csv)
{
	static char text[65536];
	char path[128];
	shipopt_sink *sink;
	shipopt_run *running;
	fixture_open(fixture, settings);
	snprintf(path, sizeof(path), "%s/out", fixture->folder);
	assert_int_equal(is_csv ? shipopt_sink_open_csv(path, 0, &sink, NULL)
				: shipopt_sink_open_json_lines(path, &sink, NULL),
		0);
	assert_int_equal(run(fixture->bulk, fixture_orders(ORDERS, "order"), sink, NULL, NULL, &running), 0);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(running), -1), 0);
	shipopt_run_unref(running);
	assert_int_equal(shipopt_sink_close(sink, NULL), 0);
	shipopt_sink_free(sink);
	fixture_close(fixture);
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static int words(const char *text, const char *word)
{
	int count = 0;
	for (const char *p = text; (p = strstr(p, word)); p++)
		count++;
	return count;
}

/* What the ledger has of the first order. */
static void stored(struct bulk_fixture *fixture, int64_t *ret_amount, int64_t *ret_ceiling, int *ret_state)
{
	shipopt_op *op;
	fixture_open(fixture, NULL);
	assert_int_equal(shipopt_ledger_list(fixture->store, 0, 0, 1, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	const shipopt_ledger_page *page = shipopt_op_ledger_page(op);
	*ret_amount = shipopt_ledger_page_number(page, 0, SHIPOPT_LEDGER_FIELD_AMOUNT);
	*ret_ceiling = shipopt_ledger_page_number(page, 0, SHIPOPT_LEDGER_FIELD_CEILING);
	*ret_state = (int)shipopt_ledger_page_number(page, 0, SHIPOPT_LEDGER_FIELD_STATE);
	shipopt_op_unref(op);
	fixture_close(fixture);
}

static void result_files_say_that_the_stored_rate_was_kept(void **state)
{
	struct bulk_fixture fixture;
	int64_t amount, ceiling, before;
	int now;
	fixture_start(&fixture, NULL);
	assert_int_equal(words(run_into(&fixture, shipopt_bulk_rate, "bulk.rate_choice=cheapest", true), NOTE), 0);
	stored(&fixture, &before, &ceiling, &now);
	assert_int_equal(now, SHIPOPT_LEDGER_STATE_CREATED);
	const char *text = run_into(&fixture, shipopt_bulk_rate, "bulk.rate_choice=fastest", true);
	assert_int_equal(words(text, NOTE), ORDERS);
	assert_int_equal(words(text, "already"), ORDERS);
	assert_int_equal(words(run_into(&fixture, shipopt_bulk_buy, "bulk.rate_choice=fastest", false), NOTE), ORDERS);
	stored(&fixture, &amount, &ceiling, &now);
	assert_int_equal(now, SHIPOPT_LEDGER_STATE_BOUGHT);
	assert_int_equal(amount, before);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), ORDERS);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void rate_again_buys_at_the_rate_chosen_now(void **state)
{
	struct bulk_fixture fixture;
	int64_t amount, ceiling, before;
	int now;
	fixture_start(&fixture, NULL);
	run_into(&fixture, shipopt_bulk_rate, "bulk.rate_choice=cheapest", true);
	stored(&fixture, &before, &ceiling, &now);
	const char *text = run_into(&fixture, shipopt_bulk_rate, "bulk.rate_choice=fastest bulk.rate_again=1", true);
	assert_int_equal(words(text, NOTE), 0);
	assert_int_equal(words(text, "done"), ORDERS);
	stored(&fixture, &amount, &ceiling, &now);
	assert_true(amount > before && ceiling == amount);
	text = run_into(&fixture, shipopt_bulk_buy, "bulk.rate_choice=fastest", true);
	assert_int_equal(words(text, NOTE), 0);
	stored(&fixture, &before, &ceiling, &now);
	assert_int_equal(now, SHIPOPT_LEDGER_STATE_BOUGHT);
	assert_int_equal(before, amount);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), ORDERS);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(result_files_say_that_the_stored_rate_was_kept),
		cmocka_unit_test(rate_again_buys_at_the_rate_chosen_now),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
