/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "json/json.h"
#include "runtime/runtime.h"
#include "store/sqlite/filesystem.h"
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
	json_stock_clear();
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

/* --- the URL and the file --- */

static int open_url(const char *url, const char *in_message)
{
	shipopt_store *store = NULL;
	shipopt_error *error = NULL;
	int r = shipopt_store_open(fixture.runtime, url, NULL, &store, &error);
	if (r < 0 && !strstr(shipopt_error_message(error), in_message))
		fail_msg("\"%s\": %s", url, shipopt_error_message(error));
	shipopt_error_unref(error);
	shipopt_store_free(store);
	return r;
}

static void urls_are_checked_and_passwords_not_repeated(void **state)
{
	assert_int_equal(open_url("ship.db", "\"ship.db\" is not a store URL"), SHIPOPT_EPARSE);
	assert_int_equal(open_url("", "is not a store URL"), SHIPOPT_EPARSE);
	assert_int_equal(open_url("sqlite:", "file name is missing"), SHIPOPT_EPARSE);
	assert_int_equal(open_url("sqlite://host/ship.db", "no host"), SHIPOPT_EPARSE);
	assert_int_equal(open_url("sqlite::memory:", "name a file"), SHIPOPT_EUNSUPPORTED);
	assert_int_equal(open_url("sqlite:\xff", "UTF-8"), SHIPOPT_EENCODING);
	assert_int_equal(open_url("oracle:x", "\"oracle:x\""), SHIPOPT_EUNSUPPORTED);
	assert_int_equal(open_url("postgresql://me:se:cr@t@host/db?password=x", "postgresql://me:***@host/db\""),
		SHIPOPT_EUNSUPPORTED);
	assert_int_equal(open_url("postgresql://me:s/e?c@ret@host/db", "\"postgresql://me:***\""),
		SHIPOPT_EUNSUPPORTED);
	assert_int_equal(open_url("postgresql://me:s/ecret@host/db", "\"postgresql://me:***@host/db\""),
		SHIPOPT_EUNSUPPORTED);
	assert_int_equal(open_url("postgresql://h/db?password=se:cr@t", "\"postgresql://h/db\""), SHIPOPT_EUNSUPPORTED);
	assert_int_equal(open_url("me:secret@host/db", "\"me:***@host/db\""), SHIPOPT_EUNSUPPORTED);
	assert_int_equal(open_url("password=secret host=db", "\"password\" is not a store URL"), SHIPOPT_EPARSE);
	assert_int_equal(open_url("host=[::1] password=secret", "\"host\": no store"), SHIPOPT_EUNSUPPORTED);
	assert_int_equal(open_url("postgresql://host/db", "postgresql://host/db\""), SHIPOPT_EUNSUPPORTED);
	assert_int_equal(open_url("sqlite:///tmp/never-opened.db", ""), 0);
	assert_int_equal(open_url("sqlite:never-opened.db", ""), 0);
	assert_int_equal(access("/tmp/never-opened.db", F_OK), -1);
	assert_int_equal(shipopt_store_open(NULL, "sqlite:x", NULL, NULL, NULL), SHIPOPT_EINVAL);
}

/* Opens and migrates; the code, and the message must have `in_message`. */
static int ready(const char *path, const char *in_message)
{
	char url[300];
	shipopt_store *store;
	shipopt_op *op;
	snprintf(url, sizeof(url), "sqlite:%s", path);
	assert_int_equal(shipopt_store_open(fixture.runtime, url, NULL, &store, NULL), 0);
	assert_int_equal(shipopt_store_ready(store, NULL, NULL, &op), 0);
	int r = shipopt_op_wait(op, -1);
	const char *message = shipopt_error_message(shipopt_op_error(op));
	if (r < 0 && (!strstr(message, in_message) || !strstr(message, path)))
		fail_msg("%s", message);
	shipopt_op_unref(op);
	shipopt_store_free(store);
	return r;
}

/* As another program would; a store that was freed may still be closing the file. */
static sqlite3 *open_raw(const char *path)
{
	sqlite3 *handle;
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	sqlite3_busy_timeout(handle, 60000);
	return handle;
}

static void sql(const char *path, const char *text)
{
	sqlite3 *handle = open_raw(path);
	assert_int_equal(sqlite3_exec(handle, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(handle);
}

static void a_file_that_cannot_be_the_store_is_refused_and_left_alone(void **state)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/nowhere/ship.db", fixture.folder);
	assert_int_equal(ready(path, "No such file"), SHIPOPT_EDATABASE);

	snprintf(path, sizeof(path), "%s/text", fixture.folder);
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 200; i++)
		fputs("this is not a database\n", file);
	fclose(file);
	assert_int_equal(ready(path, "not a database"), SHIPOPT_EDATABASE);

	snprintf(path, sizeof(path), "%s/other.db", fixture.folder);
	sql(path, "CREATE TABLE theirs (x)");
	assert_int_equal(ready(path, "another program"), SHIPOPT_EDATABASE);
	sql(path, "DROP TABLE theirs; PRAGMA application_id = 77");
	assert_int_equal(ready(path, "application id 77"), SHIPOPT_EDATABASE);

	assert_int_equal(ready(fixture.path, ""), 0);
	assert_int_equal(ready(fixture.path, ""), 0);
	sql(fixture.path, "PRAGMA user_version = 99");
	assert_int_equal(ready(fixture.path, "schema version 99"), SHIPOPT_EDATABASE);
	sql(fixture.path, "PRAGMA user_version = -1");
	assert_int_equal(ready(fixture.path, "schema version -1"), SHIPOPT_EDATABASE);
	sql(fixture.path, "PRAGMA user_version = 3");
	assert_int_equal(ready(fixture.path, ""), 0);
}

static void a_folder_that_may_not_be_written_is_an_error(void **state)
{
	char path[256], folder[200];
	snprintf(folder, sizeof(folder), "%s/closed", fixture.folder);
	snprintf(path, sizeof(path), "%s/ship.db", folder);
	assert_int_equal(mkdir(folder, 0500), 0);
	/* Root may write anywhere, but nobody can make a file under a name that is a folder. */
	if (geteuid() == 0)
		assert_int_equal(ready(folder, "unable to open"), SHIPOPT_EDATABASE);
	else
		assert_int_equal(ready(path, "cannot be made in its folder: Permission denied"), SHIPOPT_EDATABASE);
	assert_int_equal(rmdir(folder), 0);
}

static void network_file_systems_are_refused(void **state)
{
	filesystem_pretend(0x6969);
	assert_int_equal(ready(fixture.path, "network file system (NFS)"), SHIPOPT_EUNSUPPORTED);
	filesystem_pretend(0xfe534d42);
	assert_int_equal(ready(fixture.path, "SMB2"), SHIPOPT_EUNSUPPORTED);
	filesystem_pretend(0xef53); /* ext4 */
	assert_int_equal(ready(fixture.path, ""), 0);
	filesystem_pretend(0);
}

static int64_t count(shipopt_store *store, int which)
{
	shipopt_op *op;
	assert_int_equal(shipopt_ledger_count(store, which, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	int64_t value = shipopt_op_value(op);
	shipopt_op_unref(op);
	return value;
}

static void a_lock_that_another_process_keeps_is_an_error_in_time(void **state)
{
	shipopt_store_config *config;
	shipopt_store *store;
	/* Made by a store that stays: one that is just closing would hold the file too. */
	assert_int_equal(count(fixture.store, 0), 0);
	sqlite3 *handle = open_raw(fixture.path);
	assert_int_equal(shipopt_store_config_new(&config), 0);
	assert_int_equal(shipopt_store_config_set_int(config, SHIPOPT_STORE_BUSY_TIMEOUT_MS, 20), 0);
	assert_int_equal(shipopt_store_open(fixture.runtime, fixture.url, config, &store, NULL), 0);
	shipopt_store_config_free(config);
	assert_int_equal(sqlite3_exec(handle, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(fixture_run(&fixture, store, &request), SHIPOPT_EDATABASE);
	assert_non_null(strstr(shipopt_error_message(request.error), "locked by another process (waited 20 ms)"));
	fixture_forget(&request);
	/* Reading goes on meanwhile. */
	shipopt_op *op;
	assert_int_equal(shipopt_ledger_count(store, 0, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), 0);
	shipopt_op_unref(op);
	assert_int_equal(sqlite3_exec(handle, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(fixture_run(&fixture, store, &request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
	sqlite3_close(handle);
	shipopt_store_free(store);
}

static void a_file_that_was_moved_or_replaced_is_not_written(void **state)
{
	char away[256];
	snprintf(away, sizeof(away), "%s.away", fixture.path);
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
	assert_int_equal(rename(fixture.path, away), 0);
	for (int i = 0; i < 2; i++) {
		request = fixture_request(LEDGER_OP_CLAIM, "b", 0);
		assert_int_equal(fixture_run(&fixture, fixture.store, &request), SHIPOPT_EDATABASE);
		assert_non_null(strstr(shipopt_error_message(request.error), "was moved, deleted or replaced"));
		fixture_forget(&request);
		fclose(fopen(fixture.path, "w"));
	}
	assert_int_equal(rename(away, fixture.path), 0);
	request = fixture_request(LEDGER_OP_CLAIM, "b", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), SHIPOPT_EDATABASE);
	fixture_forget(&request);
	store_fixture_reopen(&fixture);
	request = fixture_request(LEDGER_OP_CLAIM, "b", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	assert_true(request.created_row);
	fixture_forget(&request);
}

static void a_full_disk_is_an_error_that_changes_nothing(void **state)
{
	assert_int_equal(ready(fixture.path, ""), 0);
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
	/* The trigger ends the whole transaction, as SQLite does on a full disk. */
	sql(fixture.path,
		"CREATE TRIGGER full_disk BEFORE INSERT ON ledger WHEN NEW.order_key = 'b' BEGIN "
		"SELECT raise(ROLLBACK, 'database or disk is full'); END");
	request = fixture_request(LEDGER_OP_CLAIM, "b", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), SHIPOPT_EDATABASE);
	assert_non_null(strstr(shipopt_error_message(request.error), "disk is full"));
	assert_non_null(strstr(shipopt_error_message(request.error), fixture.path));
	fixture_forget(&request);
	request = fixture_request(LEDGER_OP_CLAIM, "c", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
}

/* --- resolving --- */

static int64_t make_row(const char *order_key, const enum ledger_operation *operations, size_t count)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, order_key, 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	int64_t token = request.token, id = request.row.id;
	fixture_forget(&request);
	for (size_t i = 0; i < count; i++) {
		request = fixture_request(operations[i], order_key, token);
		request.amount = 7500000;
		request.currency = "USD";
		request.budget = "all";
		request.budget_limit = 10000000;
		request.reason = "because";
		request.release = i == count - 1;
		assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
		fixture_forget(&request);
	}
	return id;
}

static int64_t make_in_doubt(const char *order_key)
{
	const enum ledger_operation way[] = {LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_DOUBT};
	return make_row(order_key, way, ARRAY_SIZE(way));
}

static int64_t make_held(const char *order_key)
{
	const enum ledger_operation way[] = {LEDGER_OP_CREATE, LEDGER_OP_HOLD};
	return make_row(order_key, way, ARRAY_SIZE(way));
}

static int resolve(shipopt_store *store, int64_t row, int to, const char *tracking_code)
{
	shipopt_op *op;
	int r = shipopt_ledger_resolve(store, row, to, tracking_code, "kim", "asked the carrier", NULL, NULL, &op);
	if (r < 0)
		return r;
	r = shipopt_op_wait(op, -1);
	shipopt_op_unref(op);
	return r;
}

static int64_t number(const char *text)
{
	sqlite3 *handle = open_raw(fixture.path);
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(handle, text, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(handle);
	return value;
}

static void a_person_settles_rows_and_each_is_audited(void **state)
{
	shipopt_store *other;
	int64_t a = make_in_doubt("a"), b = make_held("b");
	assert_int_equal(resolve(fixture.store, a, SHIPOPT_LEDGER_STATE_PLANNED, NULL), SHIPOPT_ESTATE);
	assert_int_equal(resolve(fixture.store, a, SHIPOPT_LEDGER_STATE_BOUGHT, NULL), SHIPOPT_EINVAL);
	assert_int_equal(resolve(fixture.store, 4711, SHIPOPT_LEDGER_STATE_FAILED, NULL), SHIPOPT_ENOTFOUND);
	assert_int_equal(shipopt_store_view(fixture.store, "other", &other, NULL), 0);
	assert_int_equal(resolve(other, a, SHIPOPT_LEDGER_STATE_FAILED, NULL), SHIPOPT_ENOTFOUND);
	shipopt_store_free(other);
	assert_int_equal(number("SELECT reserved FROM budget"), 7500000);
	/* "Nothing was bought" lets the same shipment be sent again, and keeps one purchase unproven. */
	assert_int_equal(resolve(fixture.store, a, SHIPOPT_LEDGER_STATE_FAILED, NULL), 0);
	assert_int_equal(number("SELECT reserved + spent FROM budget"), 0);
	assert_int_equal(number("SELECT state * 100 + sent * 10 + unproven FROM ledger WHERE order_key = 'a'"), 211);
	assert_int_equal(resolve(fixture.store, a, SHIPOPT_LEDGER_STATE_PLANNED, NULL), SHIPOPT_ESTATE);
	assert_int_equal(resolve(fixture.store, a, SHIPOPT_LEDGER_STATE_FAILED, NULL), SHIPOPT_ESTATE);
	assert_int_equal(resolve(fixture.store, a, SHIPOPT_LEDGER_STATE_BOUGHT, "9400"), 0);
	assert_int_equal(number("SELECT spent FROM budget"), 7500000);
	assert_int_equal(resolve(fixture.store, a, SHIPOPT_LEDGER_STATE_FAILED, NULL), SHIPOPT_ESTATE);
	assert_int_equal(resolve(fixture.store, b, SHIPOPT_LEDGER_STATE_PLANNED, NULL), 0);
	assert_int_equal(number("SELECT count(*) FROM audit WHERE actor = 'kim' AND reason = 'asked the carrier'"), 3);
	assert_int_equal(
		number("SELECT count(*) FROM audit WHERE old_state = 2 AND new_state = 5 AND tracking_code = '9400'"),
		1);

	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "c", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	int64_t c = request.row.id;
	fixture_forget(&request);
	request.operation = LEDGER_OP_HOLD;
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
	assert_int_equal(resolve(fixture.store, c, SHIPOPT_LEDGER_STATE_FAILED, NULL), SHIPOPT_EBUSY);
	clock_advance_us(60000 * 1000);
	assert_int_equal(resolve(fixture.store, c, SHIPOPT_LEDGER_STATE_FAILED, NULL), 0);
	/* Whoever held it before has lost it. */
	request.operation = LEDGER_OP_REOPEN;
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_LOST);
	fixture_forget(&request);
}

/* Its one purchase stays unproven: another shipment could be a second label. */
static void what_a_person_found_not_bought_keeps_its_shipment(void **state)
{
	static const enum ledger_operation operations[] = {LEDGER_OP_PLAN, LEDGER_OP_CREATE, LEDGER_OP_HOLD};
	int64_t row = make_in_doubt("a");
	assert_int_equal(resolve(fixture.store, row, SHIPOPT_LEDGER_STATE_FAILED, NULL), 0);
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, "a", 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	int64_t token = request.token;
	fixture_forget(&request);
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		request = fixture_request(operations[i], "a", token);
		request.shipment_id = "shp_2";
		assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_REFUSED);
		fixture_forget(&request);
	}
	assert_int_equal(number("SELECT state * 100 + sent * 10 + unproven FROM ledger WHERE order_key = 'a'"), 211);
}

/* --- life --- */

static void a_store_freed_early_finishes_what_was_submitted(void **state)
{
	shipopt_store *store;
	shipopt_op *op;
	assert_int_equal(shipopt_store_open(fixture.runtime, fixture.url, NULL, &store, NULL), 0);
	assert_int_equal(shipopt_store_ready(store, NULL, NULL, &op), 0);
	shipopt_store_free(store);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	/* A store that never did anything. */
	assert_int_equal(shipopt_store_open(fixture.runtime, fixture.url, NULL, &store, NULL), 0);
	shipopt_store_free(store);
	shipopt_store_free(NULL);
}

static void a_closed_runtime_refuses_and_the_store_can_still_be_freed(void **state)
{
	shipopt_store *view = NULL;
	assert_int_equal(ready(fixture.path, ""), 0);
	assert_int_equal(count(fixture.store, 0), 0);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, -1), 0);
	assert_int_equal(shipopt_store_ready(fixture.store, NULL, NULL, NULL), SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_store_view(fixture.store, "x", &view, NULL), SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_store_open(fixture.runtime, fixture.url, NULL, &view, NULL), SHIPOPT_ESHUTDOWN);
}

static void settings_reach_the_store(void **state)
{
	shipopt_store_config *config;
	shipopt_store *store;
	assert_int_equal(shipopt_store_config_new(&config), 0);
	assert_int_equal(shipopt_store_config_set(config, SHIPOPT_STORE_TENANT, "acme"), 0);
	assert_int_equal(shipopt_store_config_set_int(config, SHIPOPT_STORE_GROUP_MAX, 1), 0);
	assert_int_equal(shipopt_store_config_set_int(config, SHIPOPT_STORE_QUEUE_MAX, 16), 0);
	assert_int_equal(shipopt_store_config_set_int(config, SHIPOPT_STORE_DELIVER_INLINE, 1), 0);
	assert_int_equal(shipopt_store_open(fixture.runtime, fixture.url, config, &store, NULL), 0);
	assert_string_equal(store->tenant, "acme");
	assert_int_equal(count(store, 0), 0);
	shipopt_store_free(store);
	shipopt_store_config_free(config);
	shipopt_store_config_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(urls_are_checked_and_passwords_not_repeated),
		TEST(a_file_that_cannot_be_the_store_is_refused_and_left_alone),
		TEST(a_folder_that_may_not_be_written_is_an_error),
		TEST(network_file_systems_are_refused),
		TEST(a_lock_that_another_process_keeps_is_an_error_in_time),
		TEST(a_file_that_was_moved_or_replaced_is_not_written),
		TEST(a_full_disk_is_an_error_that_changes_nothing),
		TEST(a_person_settles_rows_and_each_is_audited),
		TEST(what_a_person_found_not_bought_keeps_its_shipment),
		TEST(a_store_freed_early_finishes_what_was_submitted),
		TEST(a_closed_runtime_refuses_and_the_store_can_still_be_freed),
		TEST(settings_reach_the_store),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
