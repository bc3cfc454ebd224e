/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "commit_vfs.h"
#include "crash_vfs.h"
#include "json/json.h"
#include "store/sqlite/schema.h"
#include "store_fixture.h"
#include "store_v1.h"

/* A store of schema version 1 (store_v1.h) is opened by this library. Real processes: the program starts itself as
 * "test_migrate open FILE KILL_AT_SYNC". */
#define PROCESSES 20
#define SYNCS_MAX 20
#define CRASH_PATH "/tmp/never-made.db"
#define CRASH_OPERATIONS_MAX 2000
/* What the migration keeps of each row as it is. */
#define KEPT                                                                                                                 \
	"id, tenant_id, provider, account, mode, piece, purpose, generation, state, held_from, token, owner, fingerprint, "  \
	"request, shipment_id, rate_id, carrier, service, currency, amount, ceiling, buying_at_ms, attempts, sent, budget, " \
	"reserved, tracking_code, label_url, paid, created_at_ms, result"
#define MARKED_ROWS "SELECT count(*) FROM ledger WHERE needs_person = 1 AND id IN (1, 3, 4, 7, 8, 9, 10)"
#define MARKED_COUNT 7

static const char *program;
static struct store_fixture fixture;

static int setup(void **state)
{
	store_fixture_init(&fixture, NULL);
	return 0;
}

static int teardown(void **state)
{
	store_fixture_done(&fixture);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

/* Opens the store; its status. `in_message`: what the error says. */
static int ready(shipopt_store *store, const char *in_message)
{
	shipopt_op *op;
	assert_int_equal(shipopt_store_ready(store, NULL, NULL, &op), 0);
	int r = shipopt_op_wait(op, -1);
	const char *message = shipopt_error_message(shipopt_op_error(op));
	if (r < 0 && !strstr(message ? message : "", in_message))
		fail_msg("%s", message);
	shipopt_op_unref(op);
	return r;
}

static void migrate(const char *more)
{
	store_v1_make(fixture.path, NULL, more);
	assert_int_equal(ready(fixture.store, ""), 0);
}

/* Opens it once with confirm_mode, in a store of its own, as another process would. */
static void confirm(const char *mode)
{
	shipopt_store_config *config;
	shipopt_store *store;
	assert_int_equal(shipopt_store_config_new(&config), 0);
	assert_int_equal(shipopt_store_config_set(config, "confirm_mode", mode), 0);
	assert_int_equal(shipopt_store_open(fixture.runtime, fixture.url, config, &store, NULL), 0);
	assert_int_equal(ready(store, ""), 0);
	shipopt_store_free(store);
	shipopt_store_config_free(config);
}

static long long number(const char *text)
{
	return store_v1_number(fixture.path, text);
}

static void assert_says(const char *text, const char *word, const char *other_word)
{
	assert_true(store_v1_says(fixture.path, text, word, other_word));
}

/* Claims; the status. The error must have `in_message`; *ret_request may be NULL. */
static int claim(shipopt_store *store, const char *key, const char *mode, const char *in_message,
	struct ledger_request *ret_request)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, key, 0);
	request.key.generation = 0;
	request.key.mode = mode;
	int r = fixture_run(&fixture, store, &request);
	if (r < 0 && !strstr(shipopt_error_message(request.error), in_message))
		fail_msg("%s", shipopt_error_message(request.error));
	if (ret_request)
		*ret_request = request;
	else
		fixture_forget(&request);
	return r;
}

static int64_t count(int state)
{
	shipopt_op *op;
	assert_int_equal(shipopt_ledger_count(fixture.store, state, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	int64_t value = shipopt_op_value(op);
	shipopt_op_unref(op);
	return value;
}

/* ---- rows -------------------------------------------------------------------------------------------------- */

static void every_row_is_kept_and_contradictions_are_marked(void **state)
{
	store_v1_make(fixture.path, NULL, "CREATE TABLE before AS SELECT * FROM ledger");
	assert_int_equal(ready(fixture.store, ""), 0);
	assert_int_equal(number("PRAGMA user_version"), SCHEMA_VERSION);
	assert_int_equal(number("SELECT count(*) FROM ledger"), STORE_V1_ROWS);
	assert_int_equal(number("SELECT count(*) FROM (SELECT " KEPT " FROM ledger INTERSECT SELECT " KEPT
				" FROM before)"),
		STORE_V1_ROWS);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE mode_guessed = 1"), STORE_V1_ROWS);
	/* Keys. */
	assert_int_equal(number("SELECT id FROM ledger WHERE order_key = '2002' AND needs_person = 0"), 6);
	assert_int_equal(number("SELECT id FROM ledger WHERE order_key = '1001'"), 3);
	assert_int_equal(number("SELECT id FROM ledger WHERE order_key = '1001" NBSP "'"), 4);
	assert_says("SELECT reason FROM ledger WHERE id = 3", "ledger row 4 has the same order key",
		"shipopt_ledger_resolve");
	assert_says("SELECT reason FROM ledger WHERE id = 4", "ledger row 3 has the same order key",
		"shipopt_ledger_resolve");
	/* Shipments. */
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE duplicate = id AND id IN (7, 8, 9, 10)"), 4);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE duplicate <> 0"), 4);
	assert_says("SELECT reason FROM ledger WHERE id = 1", "ledger row 7 has the same shipment",
		"shipopt_order_set_generation");
	assert_says("SELECT reason FROM ledger WHERE id = 7", "ledger row 1 has the same shipment",
		"shipopt_ledger_resolve");
	assert_says("SELECT reason FROM ledger WHERE id = 9", "ledger row 1 has the same shipment",
		"; POST http://127.0.0.1:19103/v2/shipments/shp_1/buy: the kept-alive connection was lost");
	/* What is open. */
	assert_int_equal(number("SELECT unproven FROM ledger WHERE id = 9 AND settle_ms = 120000"), 1);
	assert_int_equal(number("SELECT sum(unproven) FROM ledger"), 1);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE approved = amount AND approved_currency = 'USD'"),
		STORE_V1_ROWS);

	assert_int_equal(number(MARKED_ROWS), MARKED_COUNT);
	assert_int_equal(count(SHIPOPT_LEDGER_NEEDS_PERSON), MARKED_COUNT);
}

static void what_needs_a_person_is_listed(void **state)
{
	static const char *const keys[] = {"bought-1", "1001", ("1001" NBSP), "same-1", "same-2", "doubt-1",
		"failed-1"};
	shipopt_op *op;
	migrate(NULL);
	assert_int_equal(shipopt_ledger_list(fixture.store, SHIPOPT_LEDGER_NEEDS_PERSON, 0, 100, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), MARKED_COUNT);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char member[64];
		snprintf(member, sizeof(member), "\"order_key\":\"%s\"", keys[i]);
		assert_non_null(strstr(shipopt_op_json(op), member));
	}
	assert_non_null(strstr(shipopt_op_json(op), "\"mode\":\"test\",\"mode_guessed\":true,\"base_url\":null"));
	shipopt_op_unref(op);
	assert_int_equal(shipopt_ledger_list(fixture.store, SHIPOPT_LEDGER_NEEDS_PERSON, 1, 2, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), 2);
	assert_non_null(strstr(shipopt_op_json(op), "\"has_more\":true"));
	shipopt_op_unref(op);
}

static void keys_that_are_not_allowed_stay_and_need_a_person_unless_there_is_a_label(void **state)
{
	migrate(STORE_V1_ROW("bad\u200bplanned", "state = 1, sent = 0, shipment_id = NULL") /* 11 */
		STORE_V1_ROW("bad\u200bdoubt", "state = 4, reason = 'lost'") STORE_V1_ROW("bad\u200bfailed",
			"state = 7, sent = 0") STORE_V1_ROW("bad\u200bbought", "state = 5") /* 14 */
		STORE_V1_ROW("\u200b", "state = 2, sent = 0")
			STORE_V1_ROW("x", "state = 3, order_key = CAST(x'61ff' AS TEXT)")
				STORE_V1_ROW("nul", "state = 5, order_key = CAST(x'610062' AS TEXT)"));
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE id > 10 AND needs_person = 1"), 5);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE id IN (14, 17) AND needs_person = 0"), 2);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE order_key LIKE 'bad\u200b%'"), 4);
	assert_int_equal(number("SELECT unproven FROM ledger WHERE id = 12"), 1);
	assert_says("SELECT reason FROM ledger WHERE id = 12", "no order can have this order key any more", "; lost");
}

/* A generation of one order must not become the newest of another. */
static void generations_of_two_spellings_stay_apart(void **state)
{
	migrate(STORE_V1_ROW("3003", "state = 5")                           /* 11 */
		STORE_V1_ROW("3003" NBSP, "state = 10, shipment_id = 'b1'") /* 12 */
		STORE_V1_ROW("3003" NBSP,
			"generation = 2, state = 1, sent = 0, shipment_id = NULL, reason = 'x'") /* 13 */
		STORE_V1_ROW("3003\u2003", "state = 1, sent = 0, shipment_id = NULL")            /* 14 */
		STORE_V1_ROW("4004" NBSP, "state = 10, shipment_id = 'c1'")                      /* 15 */
		STORE_V1_ROW("4004" NBSP, "generation = 2, shipment_id = 'c2'"));
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE id BETWEEN 11 AND 14 AND needs_person = 1"), 4);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE order_key = '3003'"), 1);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE order_key = '3003" NBSP "'"), 2);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE order_key = '3003\u2003'"), 1);
	/* Each reason stands once. */
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE reason LIKE '%same order key%same order key%'"), 0);
	assert_says("SELECT reason FROM ledger WHERE id = 13", "ledger row 11 has the same order key", "; x");
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE order_key = '4004' AND needs_person = 0"), 2);
}

/* The spelling that came first need not be today's. */
static void the_younger_row_may_have_the_spelling_of_today(void **state)
{
	migrate(STORE_V1_ROW("5005" NBSP, "state = 5") STORE_V1_ROW("5005", "state = 1, sent = 0, shipment_id = NULL"));
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE id > 10 AND needs_person = 1"), 2);
	assert_int_equal(number("SELECT id FROM ledger WHERE order_key = '5005'"), 12);
}

/* Version 1 took the refusal of a repeat for proof. */
static void a_row_that_failed_at_a_repeat_is_in_doubt(void **state)
{
	migrate(STORE_V1_ROW("twice", "state = 7, sent = 0, attempts = 2, reason = 'refused'")
			STORE_V1_ROW("once", "state = 7, sent = 0, attempts = 1"));
	assert_int_equal(number("SELECT state * 100 + sent * 10 + unproven FROM ledger WHERE order_key = 'twice'"),
		411);
	assert_int_equal(number("SELECT settle_ms FROM ledger WHERE order_key = 'twice'"), 120000);
	assert_says("SELECT reason FROM ledger WHERE order_key = 'twice'", "does not prove", "; refused");
	assert_int_equal(number("SELECT state FROM ledger WHERE order_key = 'once'"), LEDGER_STATE_FAILED);
}

/* ---- modes ------------------------------------------------------------------------------------------------- */

static void nothing_is_claimed_until_a_guessed_mode_is_confirmed(void **state)
{
	migrate(NULL);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(claim(fixture.store, "new", "test", "confirm_mode=test", NULL), SHIPOPT_ESTATE);
		assert_int_equal(claim(fixture.store, "rated-1", "production", "confirm_mode=production", NULL),
			SHIPOPT_ESTATE);
	}
	assert_int_equal(number("SELECT count(*) FROM ledger"), STORE_V1_ROWS);
	confirm("test");
	assert_int_equal(claim(fixture.store, "new", "test", "", NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(claim(fixture.store, "rated-1", "test", "", NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE mode_guessed = 1 OR mode <> 'test'"), 0);
	assert_int_equal(number(MARKED_ROWS), MARKED_COUNT);
	/* Asked once. */
	confirm("production");
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE mode = 'test'"), STORE_V1_ROWS + 1);
}

static void rows_of_production_keep_their_mode_and_need_no_confirmation(void **state)
{
	migrate("UPDATE ledger SET mode = 'production'");
	assert_int_equal(claim(fixture.store, "rated-1", "production", "", NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE mode_guessed = 1"), 0);
}

static void guessed_rows_can_turn_out_to_be_of_production(void **state)
{
	struct ledger_request request;
	migrate(NULL);
	confirm("production");
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE mode = 'production' AND mode_guessed = 0"),
		STORE_V1_ROWS);
	assert_int_equal(number("SELECT count(*) FROM account WHERE mode = 'test'"), 0);
	assert_int_equal(claim(fixture.store, "rated-1", "production", "", &request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.id, 5);
	fixture_forget(&request);
}

static void a_confirmed_row_that_meets_another_one_of_its_mode_is_marked_with_it(void **state)
{
	struct ledger_request request;
	migrate(STORE_V1_ROW("rated-1",
		"mode = 'production', state = 1, sent = 0, shipment_id = NULL, reason = 'mine'") /* 11 */
		STORE_V1_ROW("p", "mode = 'production', shipment_id = 'shp_5'")                  /* 12 */
		/* Generations, as above. */
		STORE_V1_ROW("g", "state = 10")
			STORE_V1_ROW("g", "generation = 2, state = 1, sent = 0, shipment_id = NULL") /* 14 */
		STORE_V1_ROW("g", "mode = 'production', state = 10, shipment_id = 'gp'"));           /* 15 */
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE id > 10 AND needs_person = 1"), 0);
	confirm("production");
	/* Key: 5 and 11. The guessed one stays where it was. */
	assert_int_equal(
		number("SELECT count(*) FROM ledger WHERE id IN (5, 13, 14) AND mode = 'test' AND mode_guessed = 0 "
		       "AND needs_person = 1"),
		3);
	assert_int_equal(
		number("SELECT count(*) FROM ledger WHERE id IN (11, 15) AND mode = 'production' AND needs_person = 1"),
		2);
	assert_says("SELECT reason FROM ledger WHERE id = 5", "ledger row 11 has the same order key",
		"shipopt_ledger_resolve");
	assert_says("SELECT reason FROM ledger WHERE id = 11", "ledger row 5 has the same order key", "; mine");
	assert_int_equal(claim(fixture.store, "rated-1", "production", "", &request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.id, 11);
	assert_int_equal(request.row.needs_person, 1);
	fixture_forget(&request);
	/* Shipment: 6 ("2002") and 12. */
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE id = 6 AND mode = 'production' AND duplicate = 6 "
				"AND needs_person = 1"),
		1);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE id = 12 AND duplicate = 0 AND needs_person = 1"), 1);
	assert_says("SELECT reason FROM ledger WHERE id = 6", "ledger row 12 has the same shipment", "");
	assert_says("SELECT reason FROM ledger WHERE id = 12", "ledger row 6 has the same shipment", "");
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE mode_guessed = 1"), 0);
}

/* ---- tenants ----------------------------------------------------------------------------------------------- */

static void tenants_that_shared_an_account_keep_it_and_no_other_gets_it(void **state)
{
	shipopt_store *second, *third;
	migrate(STORE_V1_ROW("rated-1", "tenant_id = 'second', state = 1, sent = 0, shipment_id = NULL"));
	confirm("test");
	assert_int_equal(shipopt_store_view(fixture.store, "second", &second, NULL), 0);
	assert_int_equal(shipopt_store_view(fixture.store, "third", &third, NULL), 0);
	assert_int_equal(claim(fixture.store, "rated-1", "test", "", NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(claim(second, "rated-1", "test", "", NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(claim(second, "new", "test", "", NULL), LEDGER_OUTCOME_OK);
	assert_int_equal(claim(third, "rated-1", "test", "another tenant", NULL), SHIPOPT_ECONFLICT);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE tenant_id = 'third'"), 0);
	shipopt_store_free(second);
	shipopt_store_free(third);
}

/* ---- shared shipments -------------------------------------------------------------------------------------- */

static void a_label_of_a_shared_shipment_is_recorded_for_nobody(void **state)
{
	struct ledger_request request;
	migrate(NULL);
	confirm("test");
	assert_int_equal(claim(fixture.store, "doubt-1", "test", "", &request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.unproven, 1);
	struct ledger_request label = fixture_request(LEDGER_OP_BOUGHT, "doubt-1", request.token);
	label.tracking_code = "9400";
	fixture_forget(&request);
	assert_int_equal(fixture_run(&fixture, fixture.store, &label), LEDGER_OUTCOME_SHARED);
	assert_non_null(strstr(shipopt_error_message(label.error), "ledger row 1"));
	fixture_forget(&label);
	assert_int_equal(number("SELECT state * 10 + needs_person FROM ledger WHERE id = 9"), 41);
	/* Nor does a new order get it. */
	assert_int_equal(claim(fixture.store, "new", "test", "", &request), LEDGER_OUTCOME_OK);
	struct ledger_request create = fixture_request(LEDGER_OP_CREATE, "new", request.token);
	fixture_forget(&request);
	create.shipment_id = "shp_1";
	assert_int_equal(fixture_run(&fixture, fixture.store, &create), LEDGER_OUTCOME_SHARED);
	fixture_forget(&create);
}

static void a_store_of_version_2_keeps_its_rows_and_knows_no_rule_of_their_rates(void **state)
{
	struct ledger_request request;
	migrate(NULL);
	confirm("test");
	store_v1_sql(fixture.path,
		"DROP INDEX ledger_person; ALTER TABLE ledger DROP COLUMN rate_choice; PRAGMA user_version = 2;"
		"CREATE INDEX ledger_person ON ledger (tenant_id, id) WHERE needs_person = 1;"
		"CREATE TABLE before AS SELECT * FROM ledger");
	store_fixture_reopen(&fixture);
	assert_int_equal(ready(fixture.store, ""), 0);
	assert_int_equal(number("PRAGMA user_version"), SCHEMA_VERSION);
	assert_int_equal(number("SELECT count(*) FROM (SELECT " KEPT " FROM ledger INTERSECT SELECT " KEPT
				" FROM before)"),
		STORE_V1_ROWS);
	assert_int_equal(claim(fixture.store, "rated-1", "test", "", &request), LEDGER_OUTCOME_OK);
	assert_null(request.row.rate_choice);
	fixture_forget(&request);
}

/* ---- damage ------------------------------------------------------------------------------------------------ */

static void a_newer_schema_is_refused(void **state)
{
	store_v1_make(fixture.path, NULL, "PRAGMA user_version = 4");
	assert_int_equal(ready(fixture.store, "newer library"), SHIPOPT_EDATABASE);
	assert_int_equal(number("SELECT count(*) FROM ledger WHERE sent >= 0"), STORE_V1_ROWS);
	assert_int_equal(number("PRAGMA user_version"), 4);
}

static void a_damaged_number_in_an_old_store_stops_its_migration(void **state)
{
	store_v1_make(fixture.path, NULL,
		"PRAGMA ignore_check_constraints = ON; UPDATE ledger SET state = 99 WHERE id = 5");
	assert_int_equal(ready(fixture.store, "CHECK constraint failed"), SHIPOPT_EDATABASE);
	assert_int_equal(number("PRAGMA user_version"), 1);
	assert_int_equal(number("SELECT count(*) FROM ledger"), STORE_V1_ROWS);
}

static void damaged_numbers_are_an_error(void **state)
{
	static const char *const damages[] = {"state = 99", "state = -1", "state = 0", "state = 4294967301",
		"state = 9223372036854775807", "held_from = 77", "sent = 3, unproven = 4",
		"sent = 9223372036854775807, unproven = -1",
		"sent = -9223372036854775808, unproven = -9223372036854775808",
		"unproven = 1, sent = 1, shipment_id = NULL"};
	migrate(NULL);
	confirm("test");
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		char text[256];
		shipopt_op *op;
		snprintf(text, sizeof(text),
			"PRAGMA ignore_check_constraints = ON; UPDATE ledger SET sent = 0, unproven = 0, held_from = 0, "
			"shipment_id = 'shp_6' WHERE id = 5; UPDATE ledger SET %s WHERE id = 5",
			damages[i]);
		store_v1_sql(fixture.path, text);
		assert_int_equal(claim(fixture.store, "rated-1", "test", "damaged", NULL), SHIPOPT_EDATABASE);
		assert_int_equal(shipopt_ledger_resolve(fixture.store, 5, SHIPOPT_LEDGER_STATE_FAILED, NULL, "me", "x",
					 NULL, NULL, &op),
			0);
		assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EDATABASE);
		shipopt_op_unref(op);
		assert_int_equal(count(0), STORE_V1_ROWS);
		assert_int_equal(claim(fixture.store, "bought-2", "test", "", NULL), LEDGER_OUTCOME_OK);
	}
}

static void damaged_times_do_no_harm(void **state)
{
	struct ledger_request request;
	migrate(STORE_V1_ROW("t", "state = 4"));
	confirm("test");
	store_v1_sql(fixture.path,
		"UPDATE ledger SET lease_until_ms = -9223372036854775808, settle_ms = 9223372036854775807, "
		"buying_at_ms = -9223372036854775808 WHERE order_key = 't'");
	assert_int_equal(claim(fixture.store, "t", "test", "", &request), LEDGER_OUTCOME_OK);
	assert_int_equal(request.row.buying_at_ms, 0);
	assert_int_equal(request.row.settle_ms, LEDGER_LEASE_MAX_MS);
	fixture_forget(&request);
	store_v1_sql(fixture.path,
		"UPDATE ledger SET lease_until_ms = 9223372036854775807, token = token + 1 WHERE order_key = 't'");
	assert_int_equal(claim(fixture.store, "t", "test", "", NULL), LEDGER_OUTCOME_OK);
}

/* ---- processes and crashes --------------------------------------------------------------------------------- */

static void kill_self(void *argument)
{
	raise(SIGKILL);
}

/* The child: waits for the end of its standard input, then opens the store. */
static int open_main(const char *path, const char *kill_at)
{
	char byte, url[256];
	shipopt_runtime *runtime;
	shipopt_store *store;
	shipopt_op *op;
	int sync = atoi(kill_at);
	if (sync > 0) {
		commit_vfs_register();
		database_set_vfs(COMMIT_VFS_NAME);
		commit_vfs_arm(sync, kill_self, NULL);
	}
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	snprintf(url, sizeof(url), "sqlite:%s", path);
	int r = shipopt_runtime_new(NULL, &runtime, NULL);
	r = r < 0 ? r : shipopt_store_open(runtime, url, NULL, &store, NULL);
	r = r < 0 ? r : shipopt_store_ready(store, NULL, NULL, &op);
	if (r < 0)
		return 2;
	r = shipopt_op_wait(op, -1);
	if (r < 0)
		fprintf(stderr, "%s\n", shipopt_error_message(shipopt_op_error(op)));
	shipopt_op_unref(op);
	shipopt_store_free(store);
	shipopt_runtime_close(runtime, -1);
	shipopt_runtime_free(runtime);
	return r < 0 ? 1 : 0;
}

/* Starts a child that waits until `pipe_in` ends. */
static pid_t start_child(int pipe_in, int pipe_out, int kill_at)
{
	char sync[16];
	snprintf(sync, sizeof(sync), "%d", kill_at);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(pipe_in, STDIN_FILENO);
		close(pipe_in);
		close(pipe_out);
		execl(program, program, "open", fixture.path, sync, (char *)NULL);
		_exit(127);
	}
	return pid;
}

/* Runs `count` children at once; how many came back with status 0. */
static int run_children(int count, int kill_at)
{
	int ends[2], good = 0;
	pid_t pids[PROCESSES];
	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < count; i++)
		pids[i] = start_child(ends[0], ends[1], kill_at);
	close(ends[0]);
	close(ends[1]);
	for (int i = 0; i < count; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		if (kill_at > 0 && !WIFEXITED(status))
			assert_int_equal(WTERMSIG(status), SIGKILL);
	}
	return good;
}

static void assert_migrated_once(void)
{
	assert_int_equal(number("PRAGMA user_version"), SCHEMA_VERSION);
	assert_int_equal(number("SELECT count(*) FROM ledger"), STORE_V1_ROWS);
	assert_int_equal(number(MARKED_ROWS), MARKED_COUNT);
	assert_int_equal(
		number("SELECT count(*) FROM ledger WHERE reason LIKE '%shipopt_ledger_resolve%shipopt_ledger_resolve%'"),
		0);
	assert_true(store_v1_says(fixture.path, "PRAGMA integrity_check", "ok", ""));
}

static void of_twenty_processes_one_migrates_and_the_others_find_it_done(void **state)
{
	store_v1_make(fixture.path, NULL, NULL);
	assert_int_equal(run_children(PROCESSES, 0), PROCESSES);
	assert_migrated_once();
}

static void a_process_killed_in_the_commit_leaves_one_version_or_the_other(void **state)
{
	int killed = 0, good = 0;
	for (int sync = 1; sync < SYNCS_MAX && !good; sync++) {
		unlink(fixture.path);
		store_v1_make(fixture.path, NULL, NULL);
		good = run_children(1, sync);
		killed += !good;
		long long version = number("PRAGMA user_version");
		assert_int_equal(number("SELECT count(*) FROM ledger"), STORE_V1_ROWS);
		assert_int_equal(number("SELECT count(*) FROM pragma_table_info('ledger') WHERE name = 'unproven'"),
			version == SCHEMA_VERSION);
		assert_int_equal(run_children(1, 0), 1);
		assert_migrated_once();
	}
	assert_true(good && killed > 0);
}

static int64_t crash_number(const char *text)
{
	sqlite3 *handle = store_v1_open(CRASH_PATH, CRASH_VFS_NAME);
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(handle, text, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	return value;
}

/* Opens the file and closes it again; what opening it gave. */
static int open_over_crash_vfs(void)
{
	atomic_bool hurry = false;
	struct database database = {.path = CRASH_PATH, .hurry = &hurry, .busy_timeout_ms = 1000};
	shipopt_error *error = NULL;
	int r = database_open(&database, true, &error);
	shipopt_error_unref(error);
	database_close(&database);
	return r;
}

/* At every operation of the disk in turn: the file is made with all of version 1 durable, then opened until the power
 * fails. */
static void a_power_failure_leaves_one_version_or_the_other(void **state)
{
	int old = 0, new = 0, operation = 0;
	crash_vfs_register(7);
	database_set_vfs(CRASH_VFS_NAME);
	for (bool has_crashed = true; has_crashed; operation++) {
		assert_true(operation < CRASH_OPERATIONS_MAX);
		crash_vfs_clear();
		crash_vfs_arm(-1);
		store_v1_make(CRASH_PATH, CRASH_VFS_NAME, NULL);
		crash_vfs_arm(operation);
		int r = open_over_crash_vfs();
		has_crashed = crash_vfs_has_crashed();
		assert_true(r == 0 || has_crashed);
		crash_vfs_restart();
		int64_t version = crash_number("PRAGMA user_version");
		assert_true(r < 0 || version == SCHEMA_VERSION); /* what was acknowledged stays */
		assert_int_equal(crash_number("SELECT count(*) FROM ledger"), STORE_V1_ROWS);
		assert_int_equal(crash_number(
					 "SELECT count(*) FROM pragma_table_info('ledger') WHERE name = 'unproven'"),
			version == SCHEMA_VERSION);
		old += version == 1;
		new += version == SCHEMA_VERSION;
		assert_int_equal(open_over_crash_vfs(), 0);
		assert_int_equal(crash_number(MARKED_ROWS), MARKED_COUNT);
	}
	database_set_vfs(NULL);
	crash_vfs_clear();
	print_message("%d operations: version 1 stayed after %d, version %d was there after %d\n", operation, old,
		SCHEMA_VERSION, new);
	assert_true(old > 0 && new > 0);
}

int main(int argc, char **argv)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(every_row_is_kept_and_contradictions_are_marked),
		TEST(what_needs_a_person_is_listed),
		TEST(keys_that_are_not_allowed_stay_and_need_a_person_unless_there_is_a_label),
		TEST(generations_of_two_spellings_stay_apart),
		TEST(the_younger_row_may_have_the_spelling_of_today),
		TEST(a_row_that_failed_at_a_repeat_is_in_doubt),
		TEST(nothing_is_claimed_until_a_guessed_mode_is_confirmed),
		TEST(rows_of_production_keep_their_mode_and_need_no_confirmation),
		TEST(guessed_rows_can_turn_out_to_be_of_production),
		TEST(a_confirmed_row_that_meets_another_one_of_its_mode_is_marked_with_it),
		TEST(tenants_that_shared_an_account_keep_it_and_no_other_gets_it),
		TEST(a_label_of_a_shared_shipment_is_recorded_for_nobody),
		TEST(a_store_of_version_2_keeps_its_rows_and_knows_no_rule_of_their_rates),
		TEST(a_newer_schema_is_refused),
		TEST(a_damaged_number_in_an_old_store_stops_its_migration),
		TEST(damaged_numbers_are_an_error),
		TEST(damaged_times_do_no_harm),
		TEST(of_twenty_processes_one_migrates_and_the_others_find_it_done),
		TEST(a_process_killed_in_the_commit_leaves_one_version_or_the_other),
		cmocka_unit_test(a_power_failure_leaves_one_version_or_the_other),
	};
	program = argv[0];
	if (argc == 4 && strcmp(argv[1], "open") == 0)
		return open_main(argv[2], argv[3]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
