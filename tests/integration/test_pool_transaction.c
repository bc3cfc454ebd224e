/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

#define OTHERS "from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'"

static shipopt_transaction_options *options_of(int flags, int attempts, int64_t timeout_ms)
{
	shipopt_transaction_options *options;
	assert_int_equal(shipopt_transaction_options_new(&options), 0);
	assert_int_equal(shipopt_transaction_options_set_flags(options, flags), 0);
	assert_int_equal(shipopt_transaction_options_set_attempts(options, attempts), 0);
	assert_int_equal(shipopt_transaction_options_set_timeout_ms(options, timeout_ms), 0);
	return options;
}

static int run_blocking(int flags, int attempts, shipopt_transaction_fn body, void *userdata, shipopt_error **ret_error)
{
	shipopt_transaction_options *options = options_of(flags, attempts, 30000);
	int r = shipopt_pool_transaction_blocking(fixture.pool, options, body, userdata, ret_error);
	shipopt_transaction_options_free(options);
	return r;
}

static void wait_active(const char *what)
{
	char sql[256];
	snprintf(sql, sizeof(sql), "select count(*) " OTHERS " and state = 'active' and query like '%s'", what);
	while (side_number(sql) < 1)
		poll(NULL, 0, 1);
}

static void check_pool_is_whole(void)
{
	assert_int_equal(run_number(NULL, "select 11"), 11);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LEASED, 0));
	assert_true(wait_stat(SHIPOPT_POOL_STAT_CONNECTING, 0));
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_WAITING), 0);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_TOTAL), stat_of(SHIPOPT_POOL_STAT_IDLE));
}

/* ---- conflicts ----------------------------------------------------------------------------------------------- */

enum { WORKERS = 8, INCREMENTS = 60 };

/* Reads, decides and writes: wrong in every way but under a level that refuses it. */
static int increment(void *userdata, shipopt_lease *lease, int attempt)
{
	int64_t number = 0;
	char sql[96];
	int r = run_status(lease, "select n from counter", &number);
	if (r < 0)
		return r;
	snprintf(sql, sizeof(sql), "update counter set n = %lld", (long long)(number + 1));
	r = run_status(lease, sql, NULL);
	return r < 0 ? -99 : 0; /* what a body makes of a failure does not hide the conflict */
}

static void *increment_often(void *argument)
{
	int *bad = argument;
	for (int i = 0; i < INCREMENTS; i++) {
		shipopt_error *error = NULL;
		int r = run_blocking(SHIPOPT_TRANSACTION_SERIALIZABLE, 100, increment, NULL, &error);
		*bad += r != 0;
		if (r < 0)
			print_error("%d: %s\n", r, shipopt_error_message(error));
		shipopt_error_unref(error);
	}
	return NULL;
}

static void workers_in_conflict_count_right(void **state)
{
	static const char *const settings[] = {"max", "8", NULL};
	pthread_t threads[WORKERS];
	int bad[WORKERS] = {0};
	fixture_open(NULL, settings);
	run_number(NULL, "create table counter (n bigint)");
	run_number(NULL, "insert into counter values (0)");
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, increment_often, &bad[i]), 0);
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(bad[i], 0);
	}
	printf("conflicts: %d workers, %d increments each, %lld attempts repeated\n", WORKERS, INCREMENTS,
		(long long)stat_of(SHIPOPT_POOL_STAT_RETRIES));
	assert_int_equal(run_number(NULL, "select n from counter"), WORKERS * INCREMENTS);
	assert_true(stat_of(SHIPOPT_POOL_STAT_RETRIES) > 0);
	run_number(NULL, "drop table counter");
	check_pool_is_whole();
	fixture_close();
}

struct crossing {
	pthread_barrier_t barrier;
	sem_t is_through; /* one of them */
	atomic_int attempts;
};

struct crosser {
	struct crossing *crossing;
	const char *first, *second;
	int status;
};

static int cross(void *userdata, shipopt_lease *lease, int attempt)
{
	struct crosser *crosser = userdata;
	atomic_fetch_add(&crosser->crossing->attempts, 1);
	int r = run_status(lease, "set local deadlock_timeout = '20ms'", NULL);
	if (attempt == 2)
		sem_wait(
			&crosser->crossing->is_through); /* or it might take the row again before the other one wakes */
	r = r < 0 ? r : run_status(lease, crosser->first, NULL);
	if (attempt == 1)
		pthread_barrier_wait(&crosser->crossing->barrier); /* each has its first row now */
	return r < 0 ? r : run_status(lease, crosser->second, NULL);
}

static void *cross_once(void *argument)
{
	struct crosser *crosser = argument;
	crosser->status = run_blocking(0, 5, cross, crosser, NULL);
	sem_post(&crosser->crossing->is_through);
	return NULL;
}

static void a_deadlock_is_repeated_by_the_one_it_hit(void **state)
{
	static const char one[] = "update crossed set n = n + 1 where id = 1",
			  two[] = "update crossed set n = n + 1 where id = 2";
	struct crossing crossing = {.attempts = 0};
	struct crosser crossers[] = {{&crossing, one, two, 1}, {&crossing, two, one, 1}};
	pthread_t threads[2];
	fixture_open(NULL, NULL);
	run_number(NULL, "create table crossed (id int primary key, n int)");
	run_number(NULL, "insert into crossed values (1, 0), (2, 0)");
	pthread_barrier_init(&crossing.barrier, NULL, 2);
	sem_init(&crossing.is_through, 0, 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, cross_once, &crossers[i]), 0);
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(crossers[i].status, 0);
	}
	pthread_barrier_destroy(&crossing.barrier);
	sem_destroy(&crossing.is_through);
	assert_int_equal(crossing.attempts, 3);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_RETRIES), 1);
	assert_int_equal(run_number(NULL, "select sum(n) from crossed"), 4);
	run_number(NULL, "drop table crossed");
	check_pool_is_whole();
	fixture_close();
}

static int conflict_always(void *userdata, shipopt_lease *lease, int attempt)
{
	int *calls = userdata;
	assert_int_equal(attempt, ++*calls);
	return run_status(lease, "do $$ begin raise exception 'x' using errcode = '40001'; end $$", NULL);
}

static void attempts_are_bounded(void **state)
{
	shipopt_error *error = NULL;
	int calls = 0;
	fixture_open(NULL, NULL);
	assert_int_equal(run_blocking(0, 4, conflict_always, &calls, &error), SHIPOPT_EBUSY);
	assert_int_equal(calls, 4);
	assert_string_equal(shipopt_error_sqlstate(error), "40001");
	assert_non_null(strstr(shipopt_error_message(error), "attempt 4 of 4"));
	shipopt_error_unref(error);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_RETRIES), 3);
	check_pool_is_whole();
	fixture_close();
}

static int insert_checked(void *userdata, shipopt_lease *lease, int attempt)
{
	++*(int *)userdata;
	return run_status(lease, "insert into checked_late values (1)", NULL);
}

static void a_conflict_that_only_the_commit_meets_is_repeated(void **state)
{
	int calls = 0;
	fixture_open(NULL, NULL);
	run_number(NULL, "create sequence commits");
	run_number(NULL, "create table checked_late (id int)");
	run_number(NULL,
		"create function check_late() returns trigger language plpgsql as $$ begin if nextval('commits') < 3 then "
		"raise exception 'late' using errcode = '40001'; end if; return null; end $$");
	run_number(NULL,
		"create constraint trigger late after insert on checked_late deferrable initially deferred "
		"for each row execute function check_late()");
	assert_int_equal(run_blocking(0, 2, insert_checked, &calls, NULL), SHIPOPT_EBUSY);
	run_number(NULL, "alter sequence commits restart");
	assert_int_equal(run_blocking(0, 5, insert_checked, &calls, NULL), 0);
	assert_int_equal(calls, 5);
	assert_int_equal(run_number(NULL, "select count(*) from checked_late"), 1);
	run_number(NULL, "drop table checked_late");
	run_number(NULL, "drop function check_late");
	run_number(NULL, "drop sequence commits");
	check_pool_is_whole();
	fixture_close();
}

/* ---- what a body may do -------------------------------------------------------------------------------------- */

static int insert_and_fail(void *userdata, shipopt_lease *lease, int attempt)
{
	assert_int_equal(run_status(lease, "insert into kept values (1)", NULL), 0);
	return SHIPOPT_ENOTFOUND;
}

static int insert_unwatched(void *userdata, shipopt_lease *lease, int attempt)
{
	shipopt_query *query = make_query("insert into kept select length(pg_sleep(0.05)::text)");
	int r = shipopt_lease_query(lease, query, NULL, NULL, userdata);
	shipopt_query_free(query);
	return r;
}

static int use_savepoint(void *userdata, shipopt_lease *lease, int attempt)
{
	assert_int_equal(attempt, 1);
	assert_int_equal(run_status(lease, "insert into kept values (2)", NULL), 0);
	assert_int_equal(shipopt_lease_savepoint(lease, 1, NULL, NULL, NULL), 0);
	assert_int_equal(run_status(lease, "do $$ begin raise exception 'x' using errcode = '40001'; end $$", NULL),
		SHIPOPT_EBUSY);
	assert_int_equal(shipopt_lease_rollback_to(lease, 1, NULL, NULL, NULL), 0);
	return run_status(lease, "insert into kept values (3)", NULL);
}

static int commit_myself(void *userdata, shipopt_lease *lease, int attempt)
{
	return run_status(lease, "commit", NULL);
}

static int look_away(void *userdata, shipopt_lease *lease, int attempt)
{
	assert_int_equal(run_status(lease, "insert into kept values (4)", NULL), 0);
	assert_int_equal(run_status(lease, "select 1 / 0", NULL), SHIPOPT_EINVAL);
	return 0;
}

static int write_read_only(void *userdata, shipopt_lease *lease, int attempt)
{
	return run_status(lease, "insert into kept values (5)", NULL);
}

static int fail_twice(void *userdata, shipopt_lease *lease, int attempt)
{
	assert_int_equal(run_status(lease, "select 1 / 0", NULL), SHIPOPT_EINVAL);
	assert_int_equal(run_status(lease, "select 1", NULL), SHIPOPT_ESTATE);
	return -99;
}

static int recover_and_fail(void *userdata, shipopt_lease *lease, int attempt)
{
	assert_int_equal(shipopt_lease_savepoint(lease, 1, NULL, NULL, NULL), 0);
	assert_int_equal(run_status(lease, "select 1 / 0", NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_lease_rollback_to(lease, 1, NULL, NULL, NULL), 0);
	assert_int_equal(run_status(lease, "select 1", NULL), 0);
	return SHIPOPT_ENOTFOUND;
}

/* Consumes the error. */
static void assert_cause(shipopt_error *error, int code, const char *sqlstate, const char *end)
{
	const char *message = shipopt_error_message(error);
	assert_int_equal(shipopt_error_code(error), code);
	if (sqlstate)
		assert_string_equal(shipopt_error_sqlstate(error), sqlstate);
	else
		assert_null(shipopt_error_sqlstate(error));
	assert_true(strlen(message) >= strlen(end));
	assert_string_equal(message + strlen(message) - strlen(end), end);
	shipopt_error_unref(error);
}

static void bodies_end_as_they_say(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	shipopt_error *error = NULL;
	shipopt_op *op;
	fixture_open(NULL, settings);
	run_number(NULL, "create table kept (id int)");
	assert_int_equal(run_blocking(0, 5, insert_and_fail, NULL, &error), SHIPOPT_ENOTFOUND);
	assert_string_equal(shipopt_error_message(error), "the body of the transaction failed");
	assert_null(shipopt_error_sqlstate(error));
	shipopt_error_unref(error);
	assert_int_equal(run_number(NULL, "select count(*) from kept"), 0);
	assert_int_equal(run_blocking(0, 5, insert_unwatched, &op, NULL), 0);
	assert_int_equal(shipopt_op_is_done(op), 1); /* COMMIT went behind it */
	shipopt_op_unref(op);
	assert_int_equal(run_number(NULL, "select count(*) from kept"), 1);
	assert_int_equal(run_blocking(0, 5, use_savepoint, NULL, NULL), 0);
	assert_int_equal(run_number(NULL, "select sum(id) from kept where id > 1"), 5);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_RETRIES), 0);
	assert_int_equal(run_blocking(0, 5, commit_myself, NULL, NULL), SHIPOPT_ESTATE);
	assert_int_equal(run_blocking(0, 5, look_away, NULL, &error), SHIPOPT_ESTATE);
	assert_cause(error, SHIPOPT_ESTATE, "22012", "had failed: division by zero");
	assert_int_equal(run_number(NULL, "select count(*) from kept where id = 4"), 0);
	assert_int_equal(run_blocking(SHIPOPT_TRANSACTION_READ_ONLY, 5, write_read_only, NULL, &error), SHIPOPT_ESTATE);
	assert_cause(error, SHIPOPT_ESTATE, "25006", "failed: cannot execute INSERT in a read-only transaction");
	assert_int_equal(run_blocking(0, 5, fail_twice, NULL, &error), -99);
	assert_cause(error, -99, "22012", "failed: division by zero");
	assert_int_equal(run_blocking(0, 5, recover_and_fail, NULL, &error), SHIPOPT_ENOTFOUND);
	assert_cause(error, SHIPOPT_ENOTFOUND, NULL, "failed"); /* what was recovered from is no cause */
	run_number(NULL, "drop table kept");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 0);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	check_pool_is_whole();
	fixture_close();
}

static int acquire_inside(void *userdata, shipopt_lease *lease, int attempt)
{
	shipopt_op *op;
	assert_int_equal(shipopt_pool_acquire(fixture.pool, "inner", 0, NULL, NULL, &op), 0);
	int r = shipopt_op_wait(op, -1);
	assert_null(shipopt_op_take_lease(op));
	shipopt_op_unref(op);
	assert_int_equal(r, SHIPOPT_EDEADLK);
	shipopt_query *query = make_query("select 1");
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EDEADLK);
	assert_int_equal(shipopt_op_is_done(op), 1);
	shipopt_op_unref(op);
	shipopt_query_free(query);
	return 0;
}

static void a_body_that_asks_its_own_pool_for_the_last_connection_is_told(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	fixture_open(NULL, settings);
	assert_int_equal(run_blocking(0, 1, acquire_inside, NULL, NULL), 0);
	check_pool_is_whole();
	fixture_close();
}

/* ---- as requests --------------------------------------------------------------------------------------------- */

/* A deadline that must not pass before the body is asked. */
#define BODY_MS 1500

struct held {
	_Atomic(shipopt_request *) request;
	atomic_int asked, done;
	int status;
};

static void hold_request(void *userdata, shipopt_request *request)
{
	struct held *held = userdata;
	atomic_fetch_add(&held->asked, 1);
	atomic_store(&held->request, request);
}

static void note_done(void *userdata, shipopt_op *op)
{
	struct held *held = userdata;
	held->status = shipopt_op_status(op);
	atomic_fetch_add(&held->done, 1);
}

static shipopt_op *start_held(struct held *held, int64_t timeout_ms)
{
	shipopt_transaction_options *options = options_of(0, 5, timeout_ms);
	shipopt_op *op;
	assert_int_equal(shipopt_transaction_options_set_owner(options, "held", 77), 0);
	assert_int_equal(shipopt_pool_transaction(fixture.pool, options, hold_request, note_done, held, &op), 0);
	shipopt_transaction_options_free(options);
	return op;
}

static shipopt_request *wait_request(struct held *held)
{
	shipopt_request *request;
	while (!(request = atomic_exchange(&held->request, NULL)))
		poll(NULL, 0, 1);
	return request;
}

static void a_body_answers_when_it_can_and_from_any_thread(void **state)
{
	struct held held = {.asked = 0};
	fixture_open(NULL, NULL);
	run_number(NULL, "create table asked (id int)");
	shipopt_op *op = start_held(&held, 30000);
	shipopt_request *request = wait_request(&held);
	assert_int_equal(shipopt_request_attempt(request), 1);
	assert_null(shipopt_request_key(request));
	assert_int_equal(run_status(shipopt_request_lease(request), "insert into asked values (1)", NULL), 0);
	assert_int_equal(run_status(shipopt_request_lease(request),
				 "do $$ begin raise exception 'x' using errcode = '40P01'; end $$", NULL),
		SHIPOPT_EBUSY);
	shipopt_request_complete(request, 1); /* it did not look */
	request = wait_request(&held);
	assert_int_equal(shipopt_request_attempt(request), 2);
	assert_int_equal(run_status(shipopt_request_lease(request), "insert into asked values (2)", NULL), 0);
	assert_int_equal(shipopt_op_is_done(op), 0);
	shipopt_request_complete(request, 4711);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), 4711);
	shipopt_op_unref(op);
	assert_int_equal(run_number(NULL, "select sum(id) from asked"), 2);
	op = start_held(&held, 30000);
	shipopt_request_fail(wait_request(&held), SHIPOPT_ECONFLICT, "out of stock");
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECONFLICT);
	assert_string_equal(shipopt_error_message(shipopt_op_error(op)), "out of stock");
	shipopt_op_unref(op);
	run_number(NULL, "drop table asked");
	check_pool_is_whole();
	fixture_close();
}

static void a_canceled_body_sees_its_commands_end_and_keeps_its_connection(void **state)
{
	struct held held = {.asked = 0};
	shipopt_op *sleeping, *op;
	fixture_open(NULL, NULL);
	op = start_held(&held, 30000);
	shipopt_request *request = wait_request(&held);
	shipopt_lease *lease = shipopt_request_lease(request);
	shipopt_query *query = make_query("select pg_sleep(30)");
	assert_int_equal(shipopt_lease_query(lease, query, NULL, NULL, &sleeping), 0);
	shipopt_query_free(query);
	wait_active("select pg_sleep%");
	assert_int_equal(shipopt_op_cancel(op), 0);
	assert_int_equal(shipopt_op_wait(sleeping, -1), SHIPOPT_ECANCELED);
	shipopt_op_unref(sleeping);
	assert_int_equal(run_status(lease, "select 1", NULL), SHIPOPT_ECANCELED);
	assert_int_equal(shipopt_op_is_done(op), 0);
	shipopt_request_complete(request, 0); /* yes is no answer any more */
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECANCELED);
	shipopt_op_unref(op);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 0);
	check_pool_is_whole();
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void a_body_that_never_answers_costs_a_connection_and_no_more(void **state)
{
	static const char *const settings[] = {"max", "1", "cancel_grace_ms", "50", NULL};
	struct held held = {.asked = 0};
	fixture_open(NULL, settings);
	run_number(NULL, "create table unanswered (id int)");
	shipopt_op *op = start_held(&held, BODY_MS);
	shipopt_request *request = wait_request(&held);
	run_status(shipopt_request_lease(request), "insert into unanswered values (1)", NULL); /* in time or not */
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ETIMEDOUT);
	assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)), "deadline of"));
	shipopt_op_unref(op);
	assert_int_equal(run_number(NULL, "select count(*) from unanswered"), 0); /* its place is free */
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 1);
	assert_int_equal(run_status(shipopt_request_lease(request), "select 1", NULL), SHIPOPT_ETIMEDOUT);
	assert_int_equal(shipopt_lease_backend_pid(shipopt_request_lease(request)), 0);
	shipopt_request_complete(request, 1);
	assert_int_equal(held.done, 1);
	run_number(NULL, "drop table unanswered");
	check_pool_is_whole();
	fixture_close();
}

static int sleep_long(void *userdata, shipopt_lease *lease, int attempt)
{
	*(int *)userdata = run_status(lease, "select pg_sleep(30)", NULL);
	return 0;
}

static void a_transaction_beyond_its_deadline_is_rolled_back(void **state)
{
	int inner = 0;
	fixture_open(NULL, NULL);
	run_number(NULL, "select 1"); /* connected */
	shipopt_transaction_options *options = options_of(0, 5, BODY_MS);
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_pool_transaction_blocking(fixture.pool, options, sleep_long, &inner, &error),
		SHIPOPT_ETIMEDOUT);
	assert_cause(error, SHIPOPT_ETIMEDOUT, NULL, "the transaction's deadline of 1500 ms passed, in attempt 1");
	assert_int_equal(inner, SHIPOPT_ECANCELED);
	shipopt_transaction_options_free(options);
	check_pool_is_whole();
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void a_transaction_that_waits_for_its_connection_can_be_canceled(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	struct held held = {.asked = 0};
	fixture_open(NULL, settings);
	shipopt_lease *lease = acquire();
	shipopt_op *op = start_held(&held, 30000);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_WAITING, 1));
	assert_int_equal(shipopt_op_cancel(op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECANCELED);
	assert_int_equal(held.asked, 0);
	shipopt_op_unref(op);
	shipopt_lease_release(lease);
	check_pool_is_whole();
	fixture_close();
}

static void a_pause_can_be_canceled(void **state)
{
	struct held held = {.asked = 0};
	fixture_open(NULL, NULL);
	shipopt_op *op = start_held(&held, 30000);
	for (int i = 0; i < 4; i++) { /* the fifth attempt comes after up to 80 ms, or not */
		shipopt_request *request = wait_request(&held);
		run_status(shipopt_request_lease(request),
			"do $$ begin raise exception 'x' using errcode = '40001'; end $$", NULL);
		shipopt_request_complete(request, 0);
	}
	assert_true(wait_stat(SHIPOPT_POOL_STAT_RETRIES, 4));
	assert_int_equal(shipopt_op_cancel(op), 0);
	while (!shipopt_op_is_done(op)) {
		shipopt_request *request = atomic_exchange(&held.request, NULL);
		if (request)
			shipopt_request_complete(request, 0);
		poll(NULL, 0, 1);
	}
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECANCELED);
	shipopt_op_unref(op);
	check_pool_is_whole();
	fixture_close();
}

static void a_connection_lost_under_a_body_commits_nothing(void **state)
{
	struct held held = {.asked = 0};
	fixture_open(NULL, NULL);
	shipopt_op *op = start_held(&held, 30000);
	shipopt_request *request = wait_request(&held);
	side_number("select count(pg_terminate_backend(pid)) " OTHERS);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LOST, 1));
	assert_int_equal(run_status(shipopt_request_lease(request), "select 1", NULL), SHIPOPT_ENETWORK);
	shipopt_request_complete(request, 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ENETWORK);
	shipopt_op_unref(op);
	check_pool_is_whole();
	fixture_close();
}

static void a_close_does_not_wait_for_a_body(void **state)
{
	struct held held = {.asked = 0};
	fixture_open(NULL, NULL);
	shipopt_op *op = start_held(&held, 0);
	shipopt_request *request = wait_request(&held);
	int64_t begun = clock_now_ms();
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 50), SHIPOPT_ETIMEDOUT);
	assert_true(clock_now_ms() - begun < 30000);
	assert_int_equal(held.status, SHIPOPT_ECANCELED);
	assert_int_equal(held.done, 1);
	shipopt_request_complete(request, 0);
	shipopt_op_unref(op);
	fixture_close(); /* and nothing is left */
}

enum stop { STOP_CANCEL, STOP_DEADLINE, STOP_CLOSE };

/* The backend sleeps where it is: it takes no cancel either. */
static void hang_in_rollback(enum stop how)
{
	static const char *const settings[] = {"cancel_grace_ms", "100", "command_timeout_ms", "0", NULL};
	struct held held = {.asked = 0};
	fixture_open(NULL, settings);
	run_number(NULL, "select 1"); /* connected */
	shipopt_op *op = start_held(&held, how == STOP_DEADLINE ? BODY_MS : 0);
	shipopt_request *request = wait_request(&held);
	int pid = shipopt_lease_backend_pid(shipopt_request_lease(request));
	assert_int_equal(kill(pid, SIGSTOP), 0);
	shipopt_request_fail(request, SHIPOPT_ECONFLICT, "out of stock");
	if (how == STOP_CANCEL)
		assert_int_equal(shipopt_op_cancel(op), 0);
	else if (how == STOP_CLOSE)
		assert_int_equal(shipopt_runtime_close(fixture.runtime, 50), SHIPOPT_ETIMEDOUT);
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_ECONFLICT);
	assert_string_equal(shipopt_error_message(shipopt_op_error(op)), "out of stock");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 1);
	assert_int_equal(kill(pid, SIGCONT), 0);
	shipopt_op_unref(op);
	fixture_close();
}

static void a_rollback_that_a_server_does_not_answer_ends_with_the_grace(void **state)
{
	hang_in_rollback(STOP_CANCEL);
	hang_in_rollback(STOP_DEADLINE);
	hang_in_rollback(STOP_CLOSE);
}

static int insert_slow_commit(void *userdata, shipopt_lease *lease, int attempt)
{
	++*(int *)userdata;
	return run_status(lease, "insert into doubted values (1)", NULL);
}

static void *run_doubtful(void *argument)
{
	int *calls = argument;
	calls[1] = run_blocking(0, 5, insert_slow_commit, calls, NULL);
	return NULL;
}

static void a_commit_whose_answer_is_lost_is_in_doubt_and_not_repeated(void **state)
{
	pthread_t thread;
	int calls[2] = {0, 1};
	fixture_open(NULL, NULL);
	run_number(NULL, "create table doubted (id int)");
	run_number(NULL,
		"create function slow_commit() returns trigger language plpgsql as "
		"$$ begin perform pg_sleep(30); return null; end $$");
	run_number(NULL,
		"create constraint trigger slow after insert on doubted deferrable initially deferred "
		"for each row execute function slow_commit()");
	assert_int_equal(pthread_create(&thread, NULL, run_doubtful, calls), 0);
	wait_active("COMMIT");
	side_number("select count(pg_terminate_backend(pid)) " OTHERS);
	pthread_join(thread, NULL);
	assert_int_equal(calls[1], SHIPOPT_EINDOUBT);
	assert_int_equal(calls[0], 1);
	run_number(NULL, "drop table doubted");
	run_number(NULL, "drop function slow_commit");
	check_pool_is_whole();
	fixture_close();
}

/* ---- in a queue ---------------------------------------------------------------------------------------------- */

/* The fixture's pool, delivering to a queue. */
static shipopt_queue *open_queued(size_t slots)
{
	shipopt_pool_config *config;
	shipopt_queue *queue;
	fixture_open(NULL, NULL);
	shipopt_pool_free(fixture.pool);
	assert_int_equal(shipopt_queue_new(fixture.runtime, slots, &queue), 0);
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, fixture.postgres.conninfo), 0);
	assert_int_equal(shipopt_pool_config_set_queue(config, queue), 0);
	assert_int_equal(shipopt_pool_new(fixture.runtime, config, &fixture.pool, NULL), 0);
	shipopt_pool_config_free(config);
	return queue;
}

/* Takes one event and keeps its kind. */
static shipopt_event take_event(shipopt_queue *queue)
{
	shipopt_event event;
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 30000), 1);
	return event;
}

static void give_query(shipopt_lease *lease, const char *sql)
{
	shipopt_query *query = make_query(sql);
	assert_int_equal(shipopt_lease_query(lease, query, NULL, NULL, NULL), 0);
	shipopt_query_free(query);
}

static void a_polled_queue_is_asked_by_events(void **state)
{
	shipopt_op *op;
	shipopt_queue *queue = open_queued(4);
	assert_int_equal(shipopt_pool_transaction(fixture.pool, NULL, NULL, NULL, &queue, &op), 0);
	for (int attempt = 1; attempt <= 2; attempt++) {
		shipopt_event event = take_event(queue);
		assert_int_equal(event.kind, SHIPOPT_EVENT_REQUEST);
		assert_true(event.userdata == (uint64_t)(uintptr_t)&queue && event.op == op);
		shipopt_request *request = shipopt_event_request(&event);
		assert_int_equal(shipopt_request_attempt(request), attempt);
		give_query(shipopt_request_lease(request),
			attempt == 1 ? "do $$ begin raise exception 'x' using errcode = '40001'; end $$" : "select 1");
		shipopt_event answer = take_event(queue);
		assert_int_equal(answer.kind, SHIPOPT_EVENT_OP);
		assert_int_equal(answer.status, attempt == 1 ? SHIPOPT_EBUSY : 0);
		assert_int_equal(shipopt_queue_release(queue, &answer, 1), 0);
		shipopt_request_complete(request, 5);
		assert_int_equal(shipopt_queue_release(queue, &event, 1), 0);
	}
	shipopt_event event = take_event(queue);
	assert_true(event.kind == SHIPOPT_EVENT_OP && event.status == 0 && event.op == op && event.value == 5);
	assert_int_equal(shipopt_queue_release(queue, &event, 1), 0);
	shipopt_op_unref(op);
	shipopt_queue_free(queue);
	fixture_close();
}

static void waiting_leaves_the_question_in_the_queue_and_it_outlives_its_event(void **state)
{
	shipopt_op *op;
	shipopt_queue *queue = open_queued(4);
	assert_int_equal(shipopt_pool_transaction(fixture.pool, NULL, NULL, NULL, NULL, &op), 0);
	while (side_number("select count(*) " OTHERS " and state = 'idle in transaction'") != 1)
		poll(NULL, 0, 1);
	assert_int_equal(shipopt_op_wait(op, 20), SHIPOPT_ETIMEDOUT);
	shipopt_event event = take_event(queue);
	assert_int_equal(event.kind, SHIPOPT_EVENT_REQUEST);
	shipopt_request *request = shipopt_event_request(&event);
	assert_int_equal(shipopt_queue_release(queue, &event, 1), 0);
	assert_int_equal(shipopt_op_wait(op, 20), SHIPOPT_ETIMEDOUT); /* giving back does not answer */
	assert_int_equal(run_status(shipopt_request_lease(request), "select 1", NULL), 0);
	shipopt_request_complete(request, 5);
	assert_int_equal(shipopt_op_wait(op, 30000), 0);
	assert_int_equal(shipopt_op_value(op), 5);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 0), 0); /* the wait took the completion */
	shipopt_op_unref(op);
	shipopt_queue_free(queue);
	fixture_close();
}

static void a_dispatched_question_without_a_body_fails(void **state)
{
	shipopt_op *op;
	shipopt_queue *queue = open_queued(4);
	assert_int_equal(shipopt_pool_transaction(fixture.pool, NULL, NULL, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_queue_dispatch(queue, 1, 30000), 1);
	assert_int_equal(shipopt_op_wait(op, 30000), SHIPOPT_ESTATE);
	shipopt_op_unref(op);
	shipopt_queue_free(queue);
	fixture_close();
}

static void dispatch_runs_the_body_and_the_completion(void **state)
{
	struct held held = {.asked = 0};
	shipopt_queue *queue = open_queued(4);
	shipopt_op *op = start_held(&held, 30000);
	assert_int_equal(shipopt_queue_dispatch(queue, 1, 30000), 1);
	assert_int_equal(held.asked, 1);
	assert_int_equal(run_status(shipopt_request_lease(held.request), "select 1", NULL), 0);
	shipopt_request_complete(held.request, 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0); /* dispatches */
	assert_int_equal(held.done, 1);
	shipopt_op_unref(op);
	shipopt_queue_free(queue);
	fixture_close();
}

static void without_a_slot_for_the_question_the_call_itself_fails(void **state)
{
	shipopt_queue *queue = open_queued(1);
	shipopt_op *op;
	assert_int_equal(shipopt_pool_transaction(fixture.pool, NULL, NULL, NULL, NULL, &op), SHIPOPT_EAGAIN);
	shipopt_query *query = make_query("select 1");
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, NULL), 0); /* the slot is free again */
	shipopt_query_free(query);
	assert_int_equal(shipopt_queue_dispatch(queue, 1, 30000), 1);
	shipopt_queue_free(queue);
	fixture_close();
}

static void a_question_nobody_took_is_withdrawn_by_the_close(void **state)
{
	struct held held = {.asked = 0};
	shipopt_queue *queue = open_queued(4);
	shipopt_op *op = start_held(&held, 30000);
	while (side_number("select count(*) " OTHERS " and state = 'idle in transaction'") != 1)
		poll(NULL, 0, 1);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 50), SHIPOPT_ETIMEDOUT);
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ECANCELED);
	shipopt_queue_free(queue); /* runs what waits: the completion, but the body no more */
	assert_int_equal(held.asked, 0);
	assert_int_equal(held.done, 1);
	shipopt_op_unref(op);
	fixture_close();
}

static void *close_blocking(void *argument)
{
	*(int *)argument = shipopt_pool_transaction_blocking(fixture.pool, NULL, sleep_long, (int *)argument + 1, NULL);
	return NULL;
}

static void a_close_ends_a_blocking_transaction(void **state)
{
	int results[2] = {0};
	pthread_t thread;
	fixture_open(NULL, NULL);
	assert_int_equal(pthread_create(&thread, NULL, close_blocking, results), 0);
	wait_active("select pg_sleep%");
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 50), SHIPOPT_ETIMEDOUT);
	pthread_join(thread, NULL);
	assert_int_equal(results[0], SHIPOPT_ECANCELED);
	assert_true(results[1] < 0);
	fixture_close();
}

static void block_on_worker(void *userdata)
{
	struct held *held = userdata;
	held->status = shipopt_pool_transaction_blocking(fixture.pool, NULL, sleep_long, NULL, NULL);
	atomic_store(&held->done, 1);
}

static void threads_of_the_library_must_not_wait_for_a_transaction(void **state)
{
	struct held held = {.asked = 0};
	fixture_open(NULL, NULL);
	assert_int_equal(shipopt_runtime_submit(fixture.runtime, block_on_worker, &held), 0);
	while (!held.done)
		poll(NULL, 0, 1);
	assert_int_equal(held.status, SHIPOPT_EDEADLK);
	fixture_close();
}

static void options_are_checked(void **state)
{
	shipopt_transaction_options *options;
	fixture_open(NULL, NULL);
	assert_int_equal(shipopt_transaction_options_new(NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_transaction_options_new(&options), 0);
	assert_int_equal(shipopt_transaction_options_set_attempts(options, 0), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_transaction_options_set_attempts(options, 101), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_transaction_options_set_flags(options, 16), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_transaction_options_set_timeout_ms(options, -2), SHIPOPT_EINVAL);
	shipopt_transaction_options_free(options);
	shipopt_transaction_options_free(NULL);
	assert_int_equal(shipopt_pool_transaction(fixture.pool, NULL, NULL, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_pool_transaction(NULL, NULL, hold_request, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_pool_transaction_blocking(fixture.pool, NULL, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_null(shipopt_request_lease(NULL));
	assert_int_equal(shipopt_request_attempt(NULL), 0);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_in_conflict_count_right),
		cmocka_unit_test(a_deadlock_is_repeated_by_the_one_it_hit),
		cmocka_unit_test(attempts_are_bounded),
		cmocka_unit_test(a_conflict_that_only_the_commit_meets_is_repeated),
		cmocka_unit_test(bodies_end_as_they_say),
		cmocka_unit_test(a_body_that_asks_its_own_pool_for_the_last_connection_is_told),
		cmocka_unit_test(a_body_answers_when_it_can_and_from_any_thread),
		cmocka_unit_test(a_canceled_body_sees_its_commands_end_and_keeps_its_connection),
		cmocka_unit_test(a_body_that_never_answers_costs_a_connection_and_no_more),
		cmocka_unit_test(a_transaction_beyond_its_deadline_is_rolled_back),
		cmocka_unit_test(a_transaction_that_waits_for_its_connection_can_be_canceled),
		cmocka_unit_test(a_pause_can_be_canceled),
		cmocka_unit_test(a_connection_lost_under_a_body_commits_nothing),
		cmocka_unit_test(a_close_does_not_wait_for_a_body),
		cmocka_unit_test(a_rollback_that_a_server_does_not_answer_ends_with_the_grace),
		cmocka_unit_test(a_commit_whose_answer_is_lost_is_in_doubt_and_not_repeated),
		cmocka_unit_test(a_polled_queue_is_asked_by_events),
		cmocka_unit_test(waiting_leaves_the_question_in_the_queue_and_it_outlives_its_event),
		cmocka_unit_test(a_dispatched_question_without_a_body_fails),
		cmocka_unit_test(dispatch_runs_the_body_and_the_completion),
		cmocka_unit_test(without_a_slot_for_the_question_the_call_itself_fails),
		cmocka_unit_test(a_question_nobody_took_is_withdrawn_by_the_close),
		cmocka_unit_test(a_close_ends_a_blocking_transaction),
		cmocka_unit_test(threads_of_the_library_must_not_wait_for_a_transaction),
		cmocka_unit_test(options_are_checked),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
