/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <string.h>

#include "base/memory.h"
#include "purchase/purchase_steps.h"

static int ends;

static void count_end(struct purchase *purchase)
{
	ends++;
}

/* What no rule covers is a bug of ours, and unknown where money may have been spent. */
static void what_no_rule_covers_ends_the_purchase_as_unknown(void **state)
{
	size_t rules = 0;
	for (int s = PURCHASE_IDLE; s <= PURCHASE_RELEASING; s++) {
		for (int e = 0; e < EVENT_COUNT; e++) {
			if (purchase_rule((enum purchase_state)s, (enum purchase_event)e)) {
				rules++;
				continue;
			}
			for (int64_t unproven = 0; unproven < 2; unproven++) {
				shipopt_item item = {0};
				struct purchase purchase = {.item = &item,
					.done = count_end,
					.state = (enum purchase_state)s};
				purchase.row.unproven = unproven;
				ends = 0;
				purchase_on(&purchase, (enum purchase_event)e);
				assert_int_equal(ends, 1);
				assert_int_equal(item.status, unproven ? SHIPOPT_EINDOUBT : SHIPOPT_EINTERNAL);
				assert_non_null(strstr(shipopt_error_message(item.error),
					purchase_state_name((enum purchase_state)s)));
				item_done(&item);
			}
		}
	}
	assert_true(rules > 0);
	assert_int_equal(mem_live_count(), 0);
}

static void no_item_has_no_result(void **state)
{
	assert_int_equal(shipopt_item_index(NULL), 0);
	assert_int_equal(shipopt_item_line(NULL), 0);
	assert_string_equal(shipopt_item_key(NULL), "");
	assert_int_equal(shipopt_item_status(NULL), SHIPOPT_EINVAL);
	assert_null(shipopt_item_error(NULL));
	assert_null(shipopt_item_input(NULL));
	assert_int_equal(shipopt_item_attempts(NULL), 0);
	assert_int_equal(shipopt_item_latency_us(NULL), 0);
	assert_null(shipopt_item_record(NULL));
	assert_null(shipopt_item_tracking_code(NULL));
	assert_null(shipopt_item_label_url(NULL));
	assert_null(shipopt_item_shipment_id(NULL));
	assert_null(shipopt_item_carrier(NULL));
	assert_null(shipopt_item_service(NULL));
	assert_null(shipopt_item_currency(NULL));
	assert_int_equal(shipopt_item_amount(NULL), -1);
	assert_int_equal(shipopt_item_value(NULL), 0);
	shipopt_item item = {0};
	assert_int_equal(shipopt_item_index(&item), 0);
	assert_int_equal(shipopt_item_line(&item), 0);
	assert_null(shipopt_item_input(&item));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_no_rule_covers_ends_the_purchase_as_unknown),
		cmocka_unit_test(no_item_has_no_result),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
