/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "bulk_fixture.h"
#include "commit_vfs.h"
#include "store/sqlite/database.h"

/*
 * A run of purchases whose store loses its log, or gets a second name, in the middle of a COMMIT; in turn
 * of every COMMIT that there is. From then on nothing is sent to be bought, the run says why, and a run
 * afterwards finishes without a second label. One order at a time, so that no purchase is under way while a
 * COMMIT is.
 */
#define ORDERS 2
#define COMMITS_MAX 30
#define SETTINGS "bulk.max_in_flight=1 bulk.lease_ms=2000 carrier.timeout_ms=1000 carrier.settle_ms=1200"
#define BUYS "POST /shipments/buy"

struct loss {
	struct bulk_fixture *fixture;
	void (*take)(const char *path);
	int64_t buys; /* sent when it happened; -1: it did not */
};

static void lose(void *argument)
{
	struct loss *loss = argument;
	loss->buys = sandbox_requests(&loss->fixture->sandbox, BUYS);
	loss->take(strchr(loss->fixture->store_url, ':') + 1);
}

/* The status of opening the store, or of asking it whether it is open. */
static int ready(struct bulk_fixture *fixture)
{
	shipopt_op *op;
	assert_int_equal(shipopt_store_ready(fixture->store, NULL, NULL, &op), 0);
	int r = shipopt_op_wait(op, -1);
	if (r < 0)
		assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)), "while the store was in use"));
	shipopt_op_unref(op);
	return r;
}

static void run_with_loss(struct loss *loss, int number)
{
	struct fixture_result result;
	loss->buys = -1;
	fixture_open(loss->fixture, SETTINGS);
	assert_int_equal(ready(loss->fixture), 0);
	commit_vfs_arm(number, lose, loss);
	fixture_buy(loss->fixture, fixture_orders(ORDERS, "order"), &result);
	commit_vfs_arm(0, NULL, NULL);
	if (loss->buys >= 0) {
		assert_int_equal(ready(loss->fixture), SHIPOPT_EDATABASE);
		assert_int_equal(sandbox_requests(&loss->fixture->sandbox, BUYS), loss->buys);
		assert_true(result.done < ORDERS);
		assert_true(result.status < 0 || result.done + result.failed + result.in_doubt == ORDERS);
	}
	fixture_close(loss->fixture);
}

static void run_to_the_end(struct bulk_fixture *fixture)
{
	struct fixture_result result;
	fixture_open(fixture, SETTINGS);
	fixture_buy(fixture, fixture_orders(ORDERS, "order"), &result);
	if (result.done + result.already != ORDERS)
		fail_msg("%lld bought, %lld already: %s", (long long)result.done, (long long)result.already,
			result.message);
	assert_int_equal(sandbox_count(&fixture->sandbox, "labels"), ORDERS);
	assert_int_equal(sandbox_duplicates(&fixture->sandbox), 0);
	assert_int_equal(fixture_compare(fixture), 0);
}

static void nothing_is_bought_after(void (*take)(const char *path), void (*repair)(const char *path))
{
	int number = 1, stopped = 0;
	for (; number < COMMITS_MAX; number++) {
		struct bulk_fixture fixture;
		struct loss loss = {.fixture = &fixture, .take = take};
		fixture_start(&fixture, NULL);
		run_with_loss(&loss, number);
		stopped += loss.buys >= 0 && loss.buys < ORDERS;
		repair(strchr(fixture.store_url, ':') + 1);
		run_to_the_end(&fixture);
		fixture_stop(&fixture);
		assert_int_equal(mem_live_count(), 0);
		if (loss.buys < 0)
			break;
	}
	print_message("%d commits, %d of them before the last purchase\n", number - 1, stopped);
	assert_in_range(number, 2, COMMITS_MAX - 1);
	assert_true(stopped >= 2 * ORDERS);
}

static void change(int (*call)(const char *from, const char *to), const char *path, const char *end)
{
	char other[128];
	snprintf(other, sizeof(other), "%s%s", path, end);
	assert_int_equal(call(path, other), 0);
}

static int unlink_second(const char *path, const char *second)
{
	return access(second, F_OK) == 0 ? unlink(second) : 0;
}

static void take_log(const char *path)
{
	change(unlink_second, path, "-wal");
	change(unlink_second, path, "-shm");
}

static void take_nothing(const char *path)
{
}

static void give_second_name(const char *path)
{
	change(link, path, ".second");
}

static void take_second_name(const char *path)
{
	change(unlink_second, path, ".second");
}

static void nothing_is_bought_after_the_log_was_removed(void **state)
{
	nothing_is_bought_after(take_log, take_nothing);
}

static void nothing_is_bought_after_the_file_got_a_second_name(void **state)
{
	nothing_is_bought_after(give_second_name, take_second_name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_bought_after_the_log_was_removed),
		cmocka_unit_test(nothing_is_bought_after_the_file_got_a_second_name),
	};
	commit_vfs_register();
	database_set_vfs(COMMIT_VFS_NAME);
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("bulk place", tests, NULL, NULL);
}
