/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "runtime/runtime.h"
#include "store/ledger.h"
#include "store_fixture.h"

/*
 * Two processes with one file: each goes through the same 500 orders, sixteen at a time, from opposite ends; both start
 * on a file that is not there, so both migrate. Each transition must happen once: no row has a second purchase, and
 * what the two count together is what the file has.
 */
enum { KEYS = 500, AT_ONCE = 16, STEPS = 5 };

static const enum ledger_operation steps[STEPS] = {LEDGER_OP_CLAIM, LEDGER_OP_CREATE, LEDGER_OP_BUY, LEDGER_OP_BOUGHT,
	LEDGER_OP_DOCUMENT};

struct walker {
	struct ledger_request request;
	char key[16];
	int64_t token;
	int step;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int next, running;
	bool backwards;
	int done[STEPS], busy, failures;
	struct reactor *reactor;
	shipopt_store *store;
	struct walker walkers[AT_ONCE];
} walk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void walker_done(struct ledger_request *request);

static void walker_step(struct walker *walker)
{
	walker->request = fixture_request(steps[walker->step], walker->key, walker->token);
	walker->request.release = steps[walker->step] == LEDGER_OP_BOUGHT;
	walker->request.reactor = walk.reactor;
	walker->request.done = walker_done;
	ledger_submit(walk.store, &walker->request);
}

/* On the reactor, as all that follows. */
static void walker_next(struct walker *walker)
{
	if (walk.next == KEYS) {
		pthread_mutex_lock(&walk.lock);
		walk.running--;
		pthread_cond_signal(&walk.changed);
		pthread_mutex_unlock(&walk.lock);
		return;
	}
	int index = walk.next++;
	snprintf(walker->key, sizeof(walker->key), "order %d", walk.backwards ? KEYS - 1 - index : index);
	walker->step = 0;
	walker->token = 0;
	walker_step(walker);
}

static void walker_done(struct ledger_request *request)
{
	struct walker *walker = CONTAINER_OF(request, struct walker, request);
	int status = request->status;
	bool is_mine = status == LEDGER_OUTCOME_OK && (request->operation != LEDGER_OP_CLAIM || request->created_row);
	walker->token = request->token;
	if (status < 0)
		print_message("%s\n", shipopt_error_message(request->error));
	walk.failures += status < 0;
	walk.busy += !is_mine;
	fixture_forget(request);
	if (is_mine)
		walk.done[walker->step++]++;
	if (is_mine && walker->step < STEPS)
		walker_step(walker);
	else
		walker_next(walker);
}

static struct {
	struct task task;
} kick;

static void start_walkers(struct task *task)
{
	for (int i = 0; i < AT_ONCE; i++)
		walker_next(&walk.walkers[i]);
}

/* In a child: writes its counts to `pipe_fd` and exits with 0. */
static void child(const char *url, bool backwards, int pipe_fd, int start_fd)
{
	shipopt_runtime *runtime;
	char start;
	int r = shipopt_runtime_new(NULL, &runtime, NULL);
	r = r < 0 ? r : runtime_reactor(runtime, &walk.reactor);
	r = r < 0 ? r : shipopt_store_open(runtime, url, NULL, &walk.store, NULL);
	/* The parent's byte is the start signal for both. */
	if (r < 0 || read(start_fd, &start, 1) != 1)
		_exit(1);
	walk.backwards = backwards;
	walk.running = AT_ONCE;
	kick.task.run = start_walkers;
	reactor_post(walk.reactor, &kick.task);
	pthread_mutex_lock(&walk.lock);
	while (walk.running)
		pthread_cond_wait(&walk.changed, &walk.lock);
	pthread_mutex_unlock(&walk.lock);
	shipopt_store_free(walk.store);
	r = shipopt_runtime_close(runtime, -1);
	shipopt_runtime_free(runtime);
	int counts[STEPS + 2];
	memcpy(counts, walk.done, sizeof(walk.done));
	counts[STEPS] = walk.busy;
	counts[STEPS + 1] = walk.failures;
	bool ok = r == 0 && mem_live_count() == 0 && write(pipe_fd, counts, sizeof(counts)) == sizeof(counts);
	_exit(ok ? 0 : 2);
}

static int number(const char *path, const char *text)
{
	sqlite3 *handle;
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(handle, text, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int value = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(handle);
	return value;
}

static void each_transition_happens_in_one_of_two_processes(void **state)
{
	char folder[128], path[160], url[192];
	int fds[2], start_fds[2], total[STEPS + 2] = {0};
	folder_make(folder, sizeof(folder));
	snprintf(path, sizeof(path), "%s/ship.db", folder);
	snprintf(url, sizeof(url), "sqlite:%s", path);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(pipe(start_fds), 0);
	pid_t children[2];
	for (int i = 0; i < 2; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0)
			child(url, i == 1, fds[1], start_fds[0]);
	}
	assert_int_equal(write(start_fds[1], "go", 2), 2);
	for (int i = 0; i < 2; i++) {
		int status, counts[STEPS + 2];
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
		assert_int_equal(read(fds[0], counts, sizeof(counts)), sizeof(counts));
		for (int j = 0; j < STEPS + 2; j++)
			total[j] += counts[j];
		print_message("process %d: %d of %d orders\n", i, counts[STEPS - 1], KEYS);
	}
	for (int i = 0; i < 2; i++) {
		close(fds[i]);
		close(start_fds[i]);
	}
	for (int i = 0; i < STEPS; i++)
		assert_int_equal(total[i], KEYS);
	assert_int_equal(total[STEPS], KEYS);
	assert_int_equal(total[STEPS + 1], 0);
	assert_int_equal(number(path, "SELECT count(*) FROM ledger WHERE state = 6 AND attempts = 1"), KEYS);
	assert_int_equal(number(path, "SELECT count(*) FROM ledger"), KEYS);
	folder_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_transition_happens_in_one_of_two_processes)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
