/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>

#include "base/memory.h"
#include "orders/order.h"
#include "bulk/run_blame.h"

static struct run_blame blame;

static int set_up(void **state)
{
	blame = (struct run_blame){0};
	return 0;
}

static bool fails_piece(int number, int64_t piece, enum blame whose, int status, bool has_answered)
{
	char key[32];
	shipopt_order *order;
	snprintf(key, sizeof(key), "o-%d", number);
	assert_int_equal(shipopt_order_new(key, &order, NULL), 0);
	order->piece = piece;
	bool is_over = run_blame_failure(&blame, order, whose, status, has_answered);
	shipopt_order_free(order);
	return is_over;
}

static bool fails(int number, enum blame whose, int status)
{
	return fails_piece(number, 1, whose, status, true);
}

static void five_different_orders_in_a_row_end_the_run(void **state)
{
	for (int i = 0; i < 4; i++)
		assert_false(fails(i, BLAME_ACCOUNT, SHIPOPT_EAUTH));
	assert_true(fails(4, BLAME_ACCOUNT, SHIPOPT_EAUTH));
}

static void one_order_never_ends_it_however_often_it_fails(void **state)
{
	for (int i = 0; i < 100; i++)
		assert_false(fails_piece(0, i + 1, BLAME_ACCOUNT, SHIPOPT_EAUTH, false));
	for (int i = 1; i < 4; i++)
		assert_false(fails(i, BLAME_ACCOUNT, SHIPOPT_EAUTH));
	assert_false(fails(2, BLAME_ACCOUNT, SHIPOPT_EAUTH));
	assert_true(fails(4, BLAME_ACCOUNT, SHIPOPT_EAUTH));
}

static void a_success_begins_the_count_again(void **state)
{
	for (int i = 0; i < 100; i++) {
		if (i % 4 == 0)
			run_blame_success(&blame);
		assert_false(fails(i, BLAME_ACCOUNT, SHIPOPT_EPAYMENT));
	}
}

static void another_refusal_begins_its_own_count(void **state)
{
	for (int i = 0; i < 4; i++)
		assert_false(fails(i, BLAME_ACCOUNT, SHIPOPT_EAUTH));
	for (int i = 4; i < 8; i++)
		assert_false(fails(i, BLAME_ACCOUNT, SHIPOPT_EPAYMENT));
	assert_true(fails(8, BLAME_ACCOUNT, SHIPOPT_EPAYMENT));
}

static void what_is_the_orders_or_the_carriers_own_counts_for_nothing(void **state)
{
	static const enum blame others[] = {BLAME_NONE, BLAME_ORDER, BLAME_CARRIER, BLAME_PASSING};
	for (int i = 0; i < 4; i++)
		assert_false(fails(i, BLAME_ACCOUNT, SHIPOPT_EAUTH));
	for (int i = 0; i < 40; i++)
		assert_false(fails_piece(100 + i, 1, others[i % 4], SHIPOPT_EREFUSED, i % 8 < 4));
	assert_true(fails(4, BLAME_ACCOUNT, SHIPOPT_EAUTH));
}

static void a_wrong_configuration_ends_it_at_once_unless_the_api_has_answered(void **state)
{
	assert_true(fails_piece(0, 1, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL, false));
	for (int i = 0; i < 4; i++)
		assert_false(fails(i, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL));
	assert_true(fails(4, BLAME_CONFIGURATION, SHIPOPT_EPROTOCOL));
}

static void rows_without_a_key_are_different_orders(void **state)
{
	for (uint64_t i = 0; i < 5; i++) {
		shipopt_order *order;
		assert_int_equal(order_new_empty(&order), 0);
		order->index = i;
		assert_int_equal(run_blame_failure(&blame, order, BLAME_ACCOUNT, SHIPOPT_EAUTH, true), i == 4);
		shipopt_order_free(order);
	}
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(five_different_orders_in_a_row_end_the_run, set_up),
		cmocka_unit_test_setup(one_order_never_ends_it_however_often_it_fails, set_up),
		cmocka_unit_test_setup(a_success_begins_the_count_again, set_up),
		cmocka_unit_test_setup(another_refusal_begins_its_own_count, set_up),
		cmocka_unit_test_setup(what_is_the_orders_or_the_carriers_own_counts_for_nothing, set_up),
		cmocka_unit_test_setup(a_wrong_configuration_ends_it_at_once_unless_the_api_has_answered, set_up),
		cmocka_unit_test_setup(rows_without_a_key_are_different_orders, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
