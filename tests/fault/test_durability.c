/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "crash_vfs.h"
#include "runtime/runtime.h"
#include "store/ledger.h"
#include "store/sqlite/database.h"
#include "store_fixture.h"

/*
 * What `done` has reported is there after the power failed, at any point.
 *
 * Each round drives eight orders at once through their purchase, four as a run that buys does it (claim, buying,
 * bought) and four whose rate was kept first and whose first answer was lost, and lets the power fail at a random
 * operation of the disk: while the file is made, in a commit, in a recovery, in a checkpoint at the close. Then the
 * file must be whole and each row must be where its last acknowledged transition left it, or one further where the
 * answer was "in doubt" or never came. The file is kept for several rounds. The seed is printed; SHIPOPT_SEED repeats a
 * run, SHIPOPT_ROUNDS sets how many.
 */
enum { ORDERS = 8, ROUNDS_PER_FILE = 10, ROUNDS = 1000, OPERATIONS_MAX = 130 };

#define STEPS_MAX 7
static const struct way {
	size_t count, bought_at; /* steps; steps until the label is written */
	enum ledger_operation steps[STEPS_MAX];
	/* The row after so many steps. */
	struct {
		int state, attempts, unproven;
	} after[STEPS_MAX + 1];
} ways[] = {
	{4, 3, {LEDGER_OP_CLAIM, LEDGER_OP_BUY, LEDGER_OP_BOUGHT, LEDGER_OP_DOCUMENT},
		{{0, 0, 0}, {LEDGER_STATE_PLANNED, 0, 0}, {LEDGER_STATE_BUYING, 1, 1}, {LEDGER_STATE_BOUGHT, 1, 0},
			{LEDGER_STATE_DOCUMENTED, 1, 0}}},
	{7, 6,
		{LEDGER_OP_CLAIM, LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_DOUBT, LEDGER_OP_BUY, LEDGER_OP_BOUGHT,
			LEDGER_OP_DOCUMENT},
		{{0, 0, 0}, {LEDGER_STATE_PLANNED, 0, 0}, {LEDGER_STATE_CREATED, 0, 0}, {LEDGER_STATE_BUYING, 1, 1},
			{LEDGER_STATE_IN_DOUBT, 1, 1}, {LEDGER_STATE_BUYING, 2, 2}, {LEDGER_STATE_BOUGHT, 2, 0},
			{LEDGER_STATE_DOCUMENTED, 2, 0}}},
};

struct order {
	const struct way *way;
	struct ledger_request request;
	char key[32], shipment_id[40];
	int64_t token;
	size_t acknowledged; /* steps */
	bool is_open;        /* the next one may have happened */
};

static struct order orders[ROUNDS_PER_FILE][ORDERS];
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int running;
} stream = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
static struct reactor *reactor;
static shipopt_store *store;

static void step_done(struct ledger_request *request);

static void step_next(struct order *order)
{
	order->request = fixture_request(order->way->steps[order->acknowledged], order->key, order->token);
	if (order->request.operation == LEDGER_OP_BUY) {
		order->request.shipment_id = order->shipment_id;
		order->request.rate_id = "rate_1";
	}
	order->request.budget = "all";
	order->request.currency = "USD";
	order->request.amount = 5000000;
	order->request.reactor = reactor;
	order->request.done = step_done;
	order->is_open = true;
	ledger_submit(store, &order->request);
}

static void step_done(struct ledger_request *request)
{
	struct order *order = CONTAINER_OF(request, struct order, request);
	int status = request->status;
	order->token = request->token;
	fixture_forget(request);
	/* A failure that is not in doubt says that nothing happened. */
	order->is_open = status == SHIPOPT_EINDOUBT;
	order->acknowledged += status == LEDGER_OUTCOME_OK;
	if (status == LEDGER_OUTCOME_OK && order->acknowledged < order->way->count) {
		step_next(order);
		return;
	}
	pthread_mutex_lock(&stream.lock);
	stream.running--;
	pthread_cond_signal(&stream.changed);
	pthread_mutex_unlock(&stream.lock);
}

static void run_orders(struct order *list, int round)
{
	shipopt_runtime *runtime;
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	assert_int_equal(runtime_reactor(runtime, &reactor), 0);
	assert_int_equal(shipopt_store_open(runtime, "sqlite:/tmp/never-made.db", NULL, &store, NULL), 0);
	stream.running = ORDERS;
	for (int i = 0; i < ORDERS; i++) {
		memset(&list[i], 0, sizeof(list[i]));
		list[i].way = &ways[i % (int)ARRAY_SIZE(ways)];
		snprintf(list[i].key, sizeof(list[i].key), "%d-%d", round, i);
		snprintf(list[i].shipment_id, sizeof(list[i].shipment_id), "shp_%s", list[i].key);
		step_next(&list[i]);
	}
	pthread_mutex_lock(&stream.lock);
	while (stream.running)
		pthread_cond_wait(&stream.changed, &stream.lock);
	pthread_mutex_unlock(&stream.lock);
	shipopt_store_free(store);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
}

/* --- looking --- */

/* Whether the row is as it is after so many steps. */
static bool is_after(const struct order *order, size_t steps, int state, int attempts, int unproven)
{
	return state == order->way->after[steps].state && attempts == order->way->after[steps].attempts &&
		unproven == order->way->after[steps].unproven;
}

static void check_order(sqlite3_stmt *find, const struct order *order)
{
	int state = 0, attempts = 0, unproven = 0;
	if (find) {
		sqlite3_reset(find);
		sqlite3_bind_text(find, 1, order->key, -1, SQLITE_STATIC);
		if (sqlite3_step(find) == SQLITE_ROW) {
			state = sqlite3_column_int(find, 0);
			attempts = sqlite3_column_int(find, 1);
			unproven = sqlite3_column_int(find, 2);
			/* The shipment is there where a purchase of it may be. */
			assert_true(attempts == 0 ||
				strcmp((const char *)sqlite3_column_text(find, 3), order->shipment_id) == 0);
		}
	}
	size_t now = order->acknowledged, next = now + order->is_open;
	if (!is_after(order, now, state, attempts, unproven) && !is_after(order, next, state, attempts, unproven))
		fail_msg("order %s: %s was acknowledged (%s), the file has %s, %d attempts, %d unproven", order->key,
			ledger_state_name(order->way->after[now].state),
			order->is_open ? "one more in doubt" : "no more sent", ledger_state_name(state), attempts,
			unproven);
}

static void check_text(sqlite3 *handle, const char *sql, const char *expected)
{
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(handle, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(statement, 0), expected);
	sqlite3_finalize(statement);
}

static void check_file(int rounds)
{
	sqlite3 *handle;
	sqlite3_stmt *find = NULL;
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	assert_int_equal(sqlite3_open_v2("/tmp/never-made.db", &handle, flags, CRASH_VFS_NAME), SQLITE_OK);
	check_text(handle, "PRAGMA integrity_check", "ok");
	sqlite3_prepare_v2(handle, "SELECT state, attempts, unproven, shipment_id FROM ledger WHERE order_key = ?1", -1,
		&find, NULL);
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < ORDERS; i++)
			check_order(find, &orders[round][i]);
	sqlite3_finalize(find);
	if (find)
		check_text(handle,
			"SELECT (SELECT coalesce(sum(reserved), 0) FROM ledger) = (SELECT coalesce(sum(reserved), 0) FROM budget)"
			" AND (SELECT 5000000 * count(*) FROM ledger WHERE state IN (5, 6)) = "
			"(SELECT coalesce(sum(spent), 0) FROM budget)",
			"1");
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static int64_t number_from_env(const char *name, int64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoll(text, NULL, 10) : otherwise;
}

static void acknowledged_transitions_survive_every_crash(void **state)
{
	struct random random;
	uint64_t seed;
	assert_int_equal(random_bytes(&seed, sizeof(seed)), 0);
	seed = (uint64_t)number_from_env("SHIPOPT_SEED", (int64_t)(seed >> 2));
	int rounds = (int)number_from_env("SHIPOPT_ROUNDS", ROUNDS), crashes = 0, bought = 0;
	print_message("seed %llu\n", (unsigned long long)seed);
	random_init(&random, seed);
	crash_vfs_register(seed);
	database_set_vfs(CRASH_VFS_NAME);
	for (int round = 0; round < rounds; round++) {
		int slot = round % ROUNDS_PER_FILE;
		if (slot == 0)
			crash_vfs_clear();
		crash_vfs_arm((int64_t)random_below(&random, OPERATIONS_MAX));
		run_orders(orders[slot], round);
		crashes += crash_vfs_has_crashed();
		crash_vfs_restart();
		check_file(slot + 1);
		for (int i = 0; i < ORDERS; i++)
			bought += orders[slot][i].acknowledged >= orders[slot][i].way->bought_at;
	}
	print_message("%d rounds, %d crashes, %d purchases acknowledged\n", rounds, crashes, bought);
	assert_true(crashes > rounds / 4);
	assert_true(bought > 0);
	crash_vfs_clear();
	database_set_vfs(NULL);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(acknowledged_transitions_survive_every_crash)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
