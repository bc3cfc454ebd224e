/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <sched.h>
#include <shipopt/version.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "runtime/cores.h"
#include "runtime/exit.h"
#include "runtime/runtime.h"

#define PATIENCE_MS 20000

/* Counts up to a number that a test waits for. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int value;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void gate_reset(void)
{
	gate.value = 0;
}

static void gate_pass(void *userdata)
{
	pthread_mutex_lock(&gate.lock);
	gate.value++;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_wait(int value)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.value < value)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static shipopt_runtime *runtime_with(int64_t workers, int64_t side_threads)
{
	shipopt_runtime_config *config;
	shipopt_runtime *runtime;
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	assert_int_equal(shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_WORKERS, workers), 0);
	assert_int_equal(shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_SIDE_THREADS, side_threads), 0);
	assert_int_equal(shipopt_runtime_new(config, &runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	return runtime;
}

static void close_and_free(shipopt_runtime *runtime)
{
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

static void no_thread_starts_before_it_is_needed(void **state)
{
	struct reactor *reactor;
	shipopt_runtime *runtime = runtime_with(2, 2);
	gate_reset();
	for (int kind = SHIPOPT_THREADS_WORKER; kind <= SHIPOPT_THREADS_SIDE; kind++)
		assert_int_equal(shipopt_runtime_thread_count(runtime, kind), 0);
	assert_int_equal(shipopt_runtime_submit(runtime, gate_pass, NULL), 0);
	assert_int_equal(shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_WORKER), 2);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, gate_pass, NULL), 0);
	assert_int_equal(shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_SIDE), 1);
	assert_int_equal(runtime_reactor(runtime, &reactor), 0);
	assert_int_equal(shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_REACTOR), 1);
	assert_int_equal(shipopt_runtime_thread_count(runtime, 99), 0);
	gate_wait(2);
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	for (int kind = SHIPOPT_THREADS_WORKER; kind <= SHIPOPT_THREADS_SIDE; kind++)
		assert_int_equal(shipopt_runtime_thread_count(runtime, kind), 0);
	close_and_free(runtime);
}

static void after_the_close_calls_are_refused(void **state)
{
	shipopt_runtime *runtime = runtime_with(1, 1);
	struct reactor *reactor;
	shipopt_queue *queue;
	void *none[1] = {NULL};
	assert_int_equal(shipopt_runtime_close(runtime, 0), 0);
	assert_int_equal(shipopt_runtime_submit(runtime, gate_pass, NULL), SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_runtime_submit_batch(runtime, gate_pass, none, 1), SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, gate_pass, NULL), SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_queue_new(runtime, 0, &queue), SHIPOPT_ESHUTDOWN);
	assert_int_equal(runtime_reactor(runtime, &reactor), SHIPOPT_ESHUTDOWN);
	close_and_free(runtime);
}

static void the_close_runs_every_task_first(void **state)
{
	enum { COUNT = 3000 };
	static void *nothing[COUNT];
	shipopt_runtime *runtime = runtime_with(2, 3);
	gate_reset();
	assert_int_equal(shipopt_runtime_submit_batch(runtime, gate_pass, nothing, COUNT), 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(shipopt_runtime_submit_blocking(runtime, gate_pass, NULL), 0);
	close_and_free(runtime);
	assert_int_equal(gate.value, COUNT + 100);
}

/* --- members and operations --- */

struct canceled_op {
	shipopt_op op;
	struct runtime_member member;
	struct task task;
	struct reactor *reactor;
	atomic_int cancels, stops;
};

static void cancel_on_reactor(struct task *task)
{
	op_complete(&CONTAINER_OF(task, struct canceled_op, task)->op, SHIPOPT_ECANCELED, NULL);
}

static void member_cancel(struct runtime_member *member)
{
	struct canceled_op *canceled = CONTAINER_OF(member, struct canceled_op, member);
	atomic_fetch_add(&canceled->cancels, 1);
	canceled->task.run = cancel_on_reactor;
	reactor_post(canceled->reactor, &canceled->task);
}

static void member_stop(struct runtime_member *member)
{
	atomic_fetch_add(&CONTAINER_OF(member, struct canceled_op, member)->stops, 1);
}

static void done_passes(void *userdata, shipopt_op *op)
{
	gate_pass(NULL);
}

static void the_close_cancels_what_does_not_finish_in_time(void **state)
{
	static const struct op_class class = {.size = sizeof(struct canceled_op)};
	static const int modes[] = {DELIVERY_SCHEDULER, DELIVERY_INLINE};
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		shipopt_runtime *runtime = runtime_with(2, 1);
		struct delivery delivery = {.mode = modes[i]};
		shipopt_op *caller = NULL, *op;
		gate_reset();
		assert_int_equal(op_new(&class, runtime, &delivery, done_passes, NULL, &caller, &op), 0);
		struct canceled_op *canceled = (struct canceled_op *)op;
		assert_int_equal(runtime_reactor(runtime, &canceled->reactor), 0);
		canceled->member.cancel = member_cancel;
		canceled->member.stop = member_stop;
		assert_int_equal(runtime_register(runtime, &canceled->member), 0);
		assert_int_equal(shipopt_runtime_close(runtime, 1), SHIPOPT_ETIMEDOUT);
		assert_int_equal(gate.value, 1);
		assert_int_equal(atomic_load(&canceled->cancels), 1);
		assert_int_equal(atomic_load(&canceled->stops), 1);
		assert_int_equal(shipopt_op_status(op), SHIPOPT_ECANCELED);
		runtime_unregister(runtime, &canceled->member);
		shipopt_op_unref(op);
		close_and_free(runtime);
	}
}

static void *close_without_end(void *runtime)
{
	return (void *)(intptr_t)shipopt_runtime_close(runtime, -1);
}

static void two_threads_may_close_at_once(void **state)
{
	shipopt_runtime *runtime = runtime_with(2, 1);
	pthread_t thread;
	void *result;
	gate_reset();
	assert_int_equal(shipopt_runtime_submit(runtime, gate_pass, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, close_without_end, runtime), 0);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	pthread_join(thread, &result);
	assert_int_equal((intptr_t)result, 0);
	close_and_free(runtime);
}

static atomic_int close_result;

static void close_here(void *userdata)
{
	atomic_store(&close_result, shipopt_runtime_close(userdata, -1));
	gate_pass(NULL);
}

static void close_in_range(void *userdata, size_t begin, size_t end)
{
	close_here(userdata);
}

static void closing_on_a_library_thread_is_refused(void **state)
{
	shipopt_runtime *runtime = runtime_with(1, 1);
	gate_reset();
	assert_int_equal(shipopt_runtime_submit(runtime, close_here, runtime), 0);
	gate_wait(1);
	assert_int_equal(atomic_exchange(&close_result, 0), SHIPOPT_EDEADLK);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, close_here, runtime), 0);
	gate_wait(2);
	assert_int_equal(atomic_exchange(&close_result, 0), SHIPOPT_EDEADLK);
	assert_int_equal(shipopt_runtime_parallel_for(runtime, 1, 1, close_in_range, runtime), 0); /* on this thread */
	assert_int_equal(atomic_load(&close_result), SHIPOPT_EDEADLK);
	close_and_free(runtime);
}

/* --- free without close --- */

static void free_here(void *runtime)
{
	shipopt_runtime_free(runtime);
}

struct free_task {
	struct task task;
	shipopt_runtime *runtime;
};

/* After the poster has given up its own reference. */
static void free_on_reactor(struct task *task)
{
	gate_wait(1);
	shipopt_runtime_free(CONTAINER_OF(task, struct free_task, task)->runtime);
}

static void expect_gone(void)
{
	assert_true(exit_wait_empty(PATIENCE_MS));
	assert_int_equal(mem_live_count(), 0);
}

static void a_runtime_may_be_freed_from_its_own_threads(void **state)
{
	struct reactor *reactor;
	shipopt_runtime *runtime = runtime_with(2, 2);
	assert_int_equal(runtime_reactor(runtime, &reactor), 0);
	assert_int_equal(shipopt_runtime_submit(runtime, free_here, runtime), 0);
	expect_gone();

	runtime = runtime_with(2, 2);
	assert_int_equal(shipopt_runtime_submit(runtime, gate_pass, NULL), 0);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, free_here, runtime), 0);
	expect_gone();

	runtime = runtime_with(2, 2);
	assert_int_equal(runtime_reactor(runtime, &reactor), 0);
	struct free_task last = {{.run = free_on_reactor}, runtime_ref(runtime)};
	gate_reset();
	reactor_post(reactor, &last.task);
	shipopt_runtime_free(runtime);
	gate_pass(NULL);
	expect_gone();
}

static void a_freed_runtime_finishes_its_tasks_and_ends_by_itself(void **state)
{
	enum { COUNT = 500 };
	static void *nothing[COUNT];
	struct reactor *reactor;
	shipopt_runtime *runtime = runtime_with(2, 2);
	gate_reset();
	assert_int_equal(runtime_reactor(runtime, &reactor), 0);
	assert_int_equal(shipopt_runtime_submit_batch(runtime, gate_pass, nothing, COUNT), 0);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, gate_pass, NULL), 0);
	shipopt_runtime_free(runtime);
	expect_gone();
	assert_int_equal(gate.value, COUNT + 1);
}

static void an_operation_keeps_its_runtime_alive(void **state)
{
	static const struct op_class class = {.size = sizeof(shipopt_op)};
	shipopt_runtime *runtime = runtime_with(1, 1);
	struct delivery delivery = {.mode = DELIVERY_SCHEDULER};
	shipopt_op *caller = NULL, *op;
	gate_reset();
	assert_int_equal(op_new(&class, runtime, &delivery, done_passes, NULL, &caller, &op), 0);
	shipopt_runtime_free(runtime);
	op_complete(op, 0, NULL);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), 0);
	assert_int_equal(gate.value, 1);
	shipopt_op_unref(op);
	expect_gone();
	shipopt_runtime_free(NULL);
}

/* --- processes --- */

static int child_checks(shipopt_runtime *runtime, shipopt_op *op, shipopt_queue *queue)
{
	shipopt_event event;
	if (shipopt_runtime_submit(runtime, gate_pass, NULL) != SHIPOPT_EFORKED)
		return 1;
	if (shipopt_runtime_close(runtime, -1) != SHIPOPT_EFORKED || shipopt_op_wait(op, -1) != SHIPOPT_EFORKED)
		return 2;
	if (shipopt_op_cancel(op) != SHIPOPT_EFORKED || shipopt_queue_poll(queue, &event, 1, -1) != SHIPOPT_EFORKED)
		return 3;
	if (shipopt_op_status(op) != SHIPOPT_EAGAIN || shipopt_op_is_done(op) != 0)
		return 4;
	shipopt_op_unref(op);
	shipopt_queue_free(queue);
	shipopt_runtime_free(runtime);
	if (shipopt_op_status(op) != SHIPOPT_EAGAIN) /* nothing was freed */
		return 5;
#ifdef SHIPOPT_TSAN
	return 0; /* ThreadSanitizer forbids new threads in a child of a threaded process */
#endif
	shipopt_runtime *own; /* a new one works */
	if (shipopt_runtime_new(NULL, &own, NULL) < 0)
		return 6;
	gate_reset();
	if (shipopt_runtime_submit(own, gate_pass, NULL) < 0)
		return 7;
	gate_wait(1);
	return shipopt_runtime_close(own, -1) == 0 ? 0 : 8;
}

static void a_forked_child_is_told_so(void **state)
{
	static const struct op_class class = {.size = sizeof(shipopt_op)};
	shipopt_runtime *runtime = runtime_with(2, 2);
	struct delivery delivery = {.mode = DELIVERY_SCHEDULER};
	shipopt_op *caller = NULL, *op;
	shipopt_queue *queue;
	int status;
	assert_int_equal(op_new(&class, runtime, &delivery, NULL, NULL, &caller, &op), 0);
	assert_int_equal(shipopt_queue_new(runtime, 0, &queue), 0);
	pid_t child = fork();
	if (child == 0)
		_exit(child_checks(runtime, op, queue));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	op_complete(op, 0, NULL);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), 0);
	shipopt_op_unref(op);
	shipopt_queue_free(queue);
	close_and_free(runtime);
}

static void exit_stops_a_busy_reactor(void **state)
{
	const char *helper = getenv("SHIPOPT_RUNTIME_HELPER");
	int status;
	assert_non_null(helper);
	int64_t start = clock_now_us();
	pid_t child = fork();
	if (child == 0) {
		/* The reactor has ended but nobody is there to join it. */
		setenv("TSAN_OPTIONS", "report_thread_leaks=0", 1);
		execl(helper, helper, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true(clock_now_us() - start < 60000000);
}

/* --- host executor, signals, log --- */

static struct {
	pthread_mutex_t lock;
	void *tasks[16];
	int count, refusals;
} host = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int host_submit(void *userdata, void *task)
{
	pthread_mutex_lock(&host.lock);
	bool takes = host.refusals == 0;
	if (takes)
		host.tasks[host.count++] = task;
	else
		host.refusals--;
	pthread_mutex_unlock(&host.lock);
	return takes ? 0 : 1;
}

static void check_library_thread(void *userdata)
{
	assert_true(runtime_is_library_thread());
	gate_pass(NULL);
}

static void a_host_executor_replaces_the_workers(void **state)
{
	shipopt_runtime_config *config;
	shipopt_runtime *runtime;
	gate_reset();
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	assert_int_equal(shipopt_runtime_config_set_executor(config, host_submit, NULL), 0);
	assert_int_equal(shipopt_runtime_new(config, &runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	void *nothing[3] = {NULL};
	assert_int_equal(shipopt_runtime_submit_batch(runtime, check_library_thread, nothing, 3), 0);
	assert_int_equal(host.count, 3);
	assert_int_equal(gate.value, 0);
	for (int i = 0; i < 3; i++)
		shipopt_task_run(host.tasks[i]);
	assert_int_equal(gate.value, 3);
	assert_false(runtime_is_library_thread());
	assert_int_equal(shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_WORKER), 0);
	host.refusals = 1; /* the side pool takes what the host cannot */
	assert_int_equal(shipopt_runtime_submit(runtime, gate_pass, NULL), 0);
	gate_wait(4);
	assert_int_equal(shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_SIDE), 1);
	close_and_free(runtime);
}

static void check_signals(void *userdata)
{
	sigset_t blocked;
	char name[32] = "";
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	pthread_getname_np(pthread_self(), name, sizeof(name));
	atomic_store((atomic_int *)userdata,
		sigismember(&blocked, SIGTERM) == 1 && sigismember(&blocked, SIGALRM) == 1 &&
			strncmp(name, "shipopt-w", 9) == 0);
	gate_pass(NULL);
}

static void threads_have_names_and_take_no_signals(void **state)
{
	shipopt_runtime *runtime = runtime_with(1, 1);
	atomic_int ok = 0;
	sigset_t mine;
	gate_reset();
	assert_int_equal(shipopt_runtime_submit(runtime, check_signals, &ok), 0);
	gate_wait(1);
	assert_int_equal(atomic_load(&ok), 1);
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	assert_int_equal(sigismember(&mine, SIGTERM), 0);
	close_and_free(runtime);
}

static char logged[2048];
static int log_calls;

static void take_log(void *userdata, int level, const char *message)
{
	log_calls++;
	snprintf(logged, sizeof(logged), "%d %s", level, message);
}

static void the_log_gets_whole_lines_of_its_level(void **state)
{
	shipopt_runtime_config *config;
	shipopt_runtime *runtime;
	char longer[3000];
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	assert_int_equal(shipopt_runtime_config_set_log(config, take_log, NULL), 0);
	assert_int_equal(shipopt_runtime_config_set(config, "log_level", "2"), 0);
	assert_int_equal(shipopt_runtime_new(config, &runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	runtime_log(runtime, SHIPOPT_LOG_INFO, "not %s", "wanted");
	assert_int_equal(log_calls, 0);
	runtime_log(runtime, SHIPOPT_LOG_WARNING, "order %d\nforged", 7);
	assert_string_equal(logged, "2 order 7 forged");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	runtime_log(runtime, SHIPOPT_LOG_ERROR, "%s", longer);
	assert_int_equal(strlen(logged), 2 + 1023);
	close_and_free(runtime);
}

/* --- cores --- */

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void quotas_of_cgroups_limit_the_cores(void **state)
{
	char root[] = "shipopt-cores-XXXXXX", groups[64], folder[200];
	assert_non_null(mkdtemp(root));
	snprintf(groups, sizeof(groups), "%s/groups", root);
	write_file(root, "groups", "0::/a/b\n");
	assert_int_equal(cores_quota(groups, root), 0);
	write_file(root, "cpu.max", "max 100000\n");
	assert_int_equal(cores_quota(groups, root), 0);
	write_file(root, "cpu.max", "450000 100000\n"); /* seen through a namespace */
	assert_int_equal(cores_quota(groups, root), 5);
	snprintf(folder, sizeof(folder), "%s/a", root);
	assert_int_equal(mkdir(folder, 0700), 0);
	write_file(folder, "cpu.max", "150000 100000\n"); /* a group above ours */
	assert_int_equal(cores_quota(groups, root), 2);
	write_file(root, "groups", "5:memory:/x\n4:cpu,cpuacct:/y\n");
	snprintf(folder, sizeof(folder), "%s/cpu,cpuacct", root);
	assert_int_equal(mkdir(folder, 0700), 0);
	write_file(folder, "cpu.cfs_quota_us", "-1\n");
	write_file(folder, "cpu.cfs_period_us", "100000\n");
	assert_int_equal(cores_quota(groups, root), 0);
	write_file(folder, "cpu.cfs_quota_us", "250000\n");
	assert_int_equal(cores_quota(groups, root), 3);
	assert_int_equal(cores_quota("/does/not/exist", root), 0);
	char command[300];
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

static void the_affinity_mask_limits_the_cores(void **state)
{
	cpu_set_t before, one;
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_true(cores_usable() >= 1 && cores_usable() <= CPU_COUNT(&before));
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
		if (CPU_ISSET(cpu, &before))
			CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_int_equal(cores_usable(), 1);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

/* --- simulation and failures --- */

static void simulated_tasks_run_in_a_turn(void **state)
{
	shipopt_runtime *runtime;
	struct reactor *reactor;
	gate_reset();
	clock_set_virtual(true);
	assert_int_equal(runtime_new_simulated(&runtime), 0);
	assert_int_equal(runtime_reactor(runtime, &reactor), 0);
	assert_int_equal(shipopt_runtime_submit(runtime, gate_pass, NULL), 0);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, gate_pass, NULL), 0);
	assert_int_equal(gate.value, 0);
	assert_int_equal(reactor_turn(reactor, -1), 2);
	assert_int_equal(gate.value, 2);
	assert_int_equal(shipopt_runtime_submit(runtime, gate_pass, NULL), 0);
	close_and_free(runtime); /* turns once more */
	assert_int_equal(gate.value, 3);
	clock_set_virtual(false);
}

#ifdef SHIPOPT_FAULTS
static int use_everything(void)
{
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	struct reactor *reactor;
	int r = shipopt_runtime_new(NULL, &runtime, NULL);
	if (r < 0)
		return r;
	r = runtime_reactor(runtime, &reactor);
	if (r == 0)
		r = shipopt_runtime_submit(runtime, gate_pass, NULL);
	if (r == 0)
		r = shipopt_runtime_submit_blocking(runtime, gate_pass, NULL);
	if (r == 0 && (r = shipopt_queue_new(runtime, 8, &queue)) == 0)
		shipopt_queue_free(queue);
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(runtime);
	return r;
}

static void every_failure_is_an_error_and_leaks_nothing(void **state)
{
	int failures = 0;
	for (long passes = 0;; passes++) {
		fault_arm(passes);
		int r = use_everything();
		bool fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(mem_live_count(), 0);
		if (r < 0)
			assert_true(r == SHIPOPT_ENOMEM || r == SHIPOPT_EIO || r == SHIPOPT_EAGAIN);
		failures += r < 0;
		if (!fired)
			break;
	}
	assert_true(failures >= 8);
}
#endif

static void the_version_is_that_of_the_headers(void **state)
{
	assert_string_equal(shipopt_version(), SHIPOPT_VERSION_STRING);
	assert_int_equal(shipopt_version_number(),
		SHIPOPT_VERSION_MAJOR * 10000 + SHIPOPT_VERSION_MINOR * 100 + SHIPOPT_VERSION_MICRO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_thread_starts_before_it_is_needed),
		cmocka_unit_test(after_the_close_calls_are_refused),
		cmocka_unit_test(the_close_runs_every_task_first),
		cmocka_unit_test(the_close_cancels_what_does_not_finish_in_time),
		cmocka_unit_test(two_threads_may_close_at_once),
		cmocka_unit_test(closing_on_a_library_thread_is_refused),
		cmocka_unit_test(a_runtime_may_be_freed_from_its_own_threads),
		cmocka_unit_test(a_freed_runtime_finishes_its_tasks_and_ends_by_itself),
		cmocka_unit_test(an_operation_keeps_its_runtime_alive),
		cmocka_unit_test(a_forked_child_is_told_so),
		cmocka_unit_test(exit_stops_a_busy_reactor),
		cmocka_unit_test(a_host_executor_replaces_the_workers),
		cmocka_unit_test(threads_have_names_and_take_no_signals),
		cmocka_unit_test(the_log_gets_whole_lines_of_its_level),
		cmocka_unit_test(quotas_of_cgroups_limit_the_cores),
		cmocka_unit_test(the_affinity_mask_limits_the_cores),
		cmocka_unit_test(simulated_tasks_run_in_a_turn),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failure_is_an_error_and_leaks_nothing),
#endif
		cmocka_unit_test(the_version_is_that_of_the_headers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
