/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "runtime/backend_simulated.h"
#include "runtime/runtime.h"

/*
 * The same tests run against each back-end. `channel` is what a watch looks at: a socket pair for the real ones, a
 * number with scripted readiness for the simulated one.
 */
struct channel {
	int fd, peer;
	bool is_closed;
};

struct bench {
	const struct reactor_backend_class *class;
	struct reactor *reactor;
	struct channel channels[4];
	int channel_count;
};

static bool is_simulated(const struct bench *bench)
{
	return bench->class == &reactor_backend_simulated;
}

static struct channel *channel_open(struct bench *bench)
{
	struct channel *channel = &bench->channels[bench->channel_count];
	int ends[2];
	*channel = (struct channel){.fd = 10 + bench->channel_count, .peer = -1};
	bench->channel_count++;
	if (is_simulated(bench))
		return channel;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	channel->fd = ends[0];
	channel->peer = ends[1];
	return channel;
}

static void channel_send(struct bench *bench, struct channel *channel)
{
	if (is_simulated(bench))
		assert_int_equal(simulated_set_ready(bench->reactor, channel->fd, REACTOR_READ), 0);
	else
		assert_int_equal(write(channel->peer, "x", 1), 1);
}

static void channel_receive(struct bench *bench, struct channel *channel)
{
	char byte;
	if (is_simulated(bench))
		assert_int_equal(simulated_set_ready(bench->reactor, channel->fd, 0), 0);
	else
		assert_int_equal(read(channel->fd, &byte, 1), 1);
}

static void channel_set_writable(struct bench *bench, struct channel *channel)
{
	if (is_simulated(bench)) /* a fresh socket is writable by itself */
		assert_int_equal(simulated_set_ready(bench->reactor, channel->fd, REACTOR_WRITE), 0);
}

static void channel_hang_up(struct bench *bench, struct channel *channel)
{
	if (is_simulated(bench)) {
		assert_int_equal(simulated_set_ready(bench->reactor, channel->fd, REACTOR_ERROR), 0);
	} else {
		close(channel->peer);
		channel->is_closed = true;
	}
}

struct seen {
	struct watch watch;
	int calls;
	unsigned events;
	struct seen *stops;
};

static void see(struct watch *watch, unsigned events)
{
	struct seen *seen = CONTAINER_OF(watch, struct seen, watch);
	seen->calls++;
	seen->events = events;
	if (seen->stops)
		watch_stop(&seen->stops->watch);
}

static int begin(struct bench *bench, const struct reactor_backend_class *class)
{
	assert_int_equal(mem_live_count(), 0);
	*bench = (struct bench){.class = class};
	clock_set_virtual(is_simulated(bench));
	return reactor_new(class, &bench->reactor);
}

static void end(struct bench *bench)
{
	for (int i = 0; i < bench->channel_count && !is_simulated(bench); i++) {
		close(bench->channels[i].fd);
		if (!bench->channels[i].is_closed)
			close(bench->channels[i].peer);
	}
	reactor_free(bench->reactor);
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
}

static void a_watch_is_called_while_its_descriptor_is_ready(struct bench *bench)
{
	struct channel *channel = channel_open(bench);
	struct seen seen = {.watch.ready = see};
	assert_int_equal(watch_start(bench->reactor, &seen.watch, channel->fd, REACTOR_READ), 0);
	assert_int_equal(reactor_turn(bench->reactor, 0), 0);
	channel_send(bench, channel);
	assert_int_equal(reactor_turn(bench->reactor, -1), 1);
	assert_int_equal(reactor_turn(bench->reactor, -1), 1); /* level-triggered */
	assert_int_equal(seen.calls, 2);
	assert_int_equal(seen.events, REACTOR_READ);
	channel_receive(bench, channel);
	assert_int_equal(reactor_turn(bench->reactor, 0), 0);
	watch_stop(&seen.watch);
	watch_stop(&seen.watch);
	assert_false(watch_is_started(&seen.watch));
	channel_send(bench, channel);
	assert_int_equal(reactor_turn(bench->reactor, 0), 0);
}

static void a_watch_can_change_what_it_asks_for(struct bench *bench)
{
	struct channel *channel = channel_open(bench);
	struct seen seen = {.watch.ready = see};
	assert_int_equal(watch_start(bench->reactor, &seen.watch, channel->fd, REACTOR_READ), 0);
	assert_int_equal(watch_change(&seen.watch, REACTOR_WRITE), 0);
	channel_set_writable(bench, channel);
	assert_int_equal(reactor_turn(bench->reactor, -1), 1);
	assert_int_equal(seen.events, REACTOR_WRITE);
	assert_int_equal(watch_change(&seen.watch, REACTOR_READ), 0);
	assert_int_equal(reactor_turn(bench->reactor, 0), 0);
	assert_int_equal(watch_change(&seen.watch, REACTOR_READ | REACTOR_WRITE), 0);
	assert_int_equal(reactor_turn(bench->reactor, 0), 1);
	watch_stop(&seen.watch);
}

static void a_hang_up_is_an_error_and_readable(struct bench *bench)
{
	struct channel *channel = channel_open(bench);
	struct seen seen = {.watch.ready = see};
	assert_int_equal(watch_start(bench->reactor, &seen.watch, channel->fd, REACTOR_READ), 0);
	channel_hang_up(bench, channel);
	assert_int_equal(reactor_turn(bench->reactor, -1), 1);
	assert_true(seen.events & REACTOR_READ);
	watch_stop(&seen.watch);
}

static void a_ready_watch_that_another_stops_is_not_called(struct bench *bench)
{
	struct channel *a = channel_open(bench), *b = channel_open(bench);
	struct seen first = {.watch.ready = see}, second = {.watch.ready = see};
	first.stops = &second;
	second.stops = &first;
	assert_int_equal(watch_start(bench->reactor, &first.watch, a->fd, REACTOR_READ), 0);
	assert_int_equal(watch_start(bench->reactor, &second.watch, b->fd, REACTOR_READ), 0);
	channel_send(bench, a);
	channel_send(bench, b);
	assert_int_equal(reactor_turn(bench->reactor, -1), 1);
	assert_int_equal(first.calls + second.calls, 1);
	watch_stop(&first.watch);
	watch_stop(&second.watch);
}

static void a_watch_may_stop_itself(struct bench *bench)
{
	struct channel *channel = channel_open(bench);
	struct seen seen = {.watch.ready = see};
	seen.stops = &seen;
	assert_int_equal(watch_start(bench->reactor, &seen.watch, channel->fd, REACTOR_READ), 0);
	channel_send(bench, channel);
	assert_int_equal(reactor_turn(bench->reactor, -1), 1);
	assert_int_equal(reactor_turn(bench->reactor, 0), 0);
}

static void a_descriptor_that_cannot_be_watched_is_an_error(struct bench *bench)
{
	struct seen seen = {.watch.ready = see};
	assert_int_equal(watch_start(bench->reactor, &seen.watch, -1, REACTOR_READ), SHIPOPT_EIO);
	assert_false(watch_is_started(&seen.watch));
	int fd = open("/proc/self/exe",
		O_RDONLY | O_CLOEXEC); /* regular files are always ready, so nobody watches them */
	if (!is_simulated(bench))
		assert_int_equal(watch_start(bench->reactor, &seen.watch, fd, REACTOR_READ), SHIPOPT_EIO);
	close(fd);
}

/* --- timers --- */

struct alarm {
	struct timer timer;
	struct reactor *reactor;
	int calls;
	int64_t again_us; /* start again that much from now; -1: not */
	struct alarm *stops;
};

static void ring(struct timer *timer)
{
	struct alarm *alarm = CONTAINER_OF(timer, struct alarm, timer);
	assert_false(timer_is_started(timer));
	alarm->calls++;
	if (alarm->again_us >= 0)
		timer_start(alarm->reactor, timer, clock_now_us() + alarm->again_us);
	if (alarm->stops)
		timer_stop(&alarm->stops->timer);
}

static void a_timer_fires_once_and_not_early(struct bench *bench)
{
	struct alarm alarm = {.timer.fire = ring, .reactor = bench->reactor, .again_us = -1};
	int64_t due = clock_now_us() + 3000;
	timer_start(bench->reactor, &alarm.timer, due);
	while (alarm.calls == 0)
		reactor_turn(bench->reactor, -1);
	assert_true(clock_now_us() >= due);
	assert_true(reactor_is_idle(bench->reactor));
	assert_int_equal(reactor_turn(bench->reactor, 0), 0);
}

static void a_timer_due_again_waits_for_the_next_turn(struct bench *bench)
{
	struct alarm alarm = {.timer.fire = ring, .reactor = bench->reactor, .again_us = 0};
	timer_start(bench->reactor, &alarm.timer, clock_now_us() - 5);
	for (int turns = 1; turns <= 3; turns++) {
		assert_int_equal(reactor_turn(bench->reactor, 0), 1);
		assert_int_equal(alarm.calls, turns);
	}
	timer_stop(&alarm.timer);
	assert_false(timer_is_started(&alarm.timer));
}

static void a_due_timer_that_another_stops_does_not_fire(struct bench *bench)
{
	struct alarm first = {.timer.fire = ring, .reactor = bench->reactor, .again_us = -1};
	struct alarm second = first;
	first.stops = &second;
	timer_start(bench->reactor, &first.timer, clock_now_us() - 2);
	timer_start(bench->reactor, &second.timer, clock_now_us() - 1);
	assert_int_equal(reactor_turn(bench->reactor, 0), 1);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 0);
	assert_int_equal(reactor_turn(bench->reactor, 0), 0);
}

static void a_moved_timer_fires_at_its_new_time(struct bench *bench)
{
	struct alarm alarm = {.timer.fire = ring, .reactor = bench->reactor, .again_us = -1};
	timer_start(bench->reactor, &alarm.timer, clock_now_us() + 3600000000);
	timer_start(bench->reactor, &alarm.timer, clock_now_us() - 1);
	assert_int_equal(reactor_turn(bench->reactor, 0), 1);
	assert_int_equal(alarm.calls, 1);
}

/* --- tasks --- */

struct job {
	struct task task;
	struct reactor *reactor;
	int runs, again;
	bool at_turn_end;
	int *order, number;
};

static void job_run(struct task *task)
{
	struct job *job = CONTAINER_OF(task, struct job, task);
	assert_true(reactor_is_current(job->reactor));
	assert_true(runtime_is_library_thread());
	job->runs++;
	if (job->order)
		*job->order = *job->order * 10 + job->number;
	if (job->again-- <= 0)
		return;
	if (job->at_turn_end)
		reactor_at_turn_end(job->reactor, task);
	else
		reactor_post(job->reactor, task);
}

static void posted_tasks_run_in_order_and_once_a_turn(struct bench *bench)
{
	int order = 0;
	struct job jobs[3];
	for (int i = 0; i < 3; i++) {
		jobs[i] = (struct job){.task.run = job_run,
			.reactor = bench->reactor,
			.again = 1,
			.order = &order,
			.number = i + 1};
		reactor_post(bench->reactor, &jobs[i].task);
	}
	assert_false(reactor_is_current(bench->reactor));
	assert_int_equal(reactor_turn(bench->reactor, -1), 3);
	assert_int_equal(order, 123);
	assert_int_equal(reactor_turn(bench->reactor, -1), 3);
	assert_int_equal(order, 123123);
	assert_true(reactor_is_idle(bench->reactor));
	assert_false(runtime_is_library_thread());
}

static void turn_end_tasks_run_last_and_again_in_the_next_turn(struct bench *bench)
{
	int order = 0;
	struct job end_job = {.task.run = job_run,
		.reactor = bench->reactor,
		.again = 1,
		.at_turn_end = true,
		.order = &order,
		.number = 2};
	struct job posted = {.task.run = job_run, .reactor = bench->reactor, .order = &order, .number = 1};
	reactor_at_turn_end(bench->reactor, &end_job.task);
	reactor_post(bench->reactor, &posted.task);
	assert_int_equal(reactor_turn(bench->reactor, -1), 2);
	assert_int_equal(order, 12);
	assert_int_equal(reactor_turn(bench->reactor, -1), 1);
	assert_int_equal(order, 122);
}

static void *post_from_outside(void *argument)
{
	struct job *job = argument;
	reactor_post(job->reactor, &job->task);
	return NULL;
}

static void a_post_from_another_thread_ends_the_wait(struct bench *bench)
{
	struct job job = {.task.run = job_run, .reactor = bench->reactor};
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, post_from_outside, &job), 0);
	while (job.runs == 0)
		reactor_turn(bench->reactor, -1);
	pthread_join(thread, NULL);
	assert_int_equal(job.runs, 1);
}

static void *run_loop(void *argument)
{
	reactor_run(argument);
	return NULL;
}

static void a_stopped_loop_runs_what_was_posted_first(struct bench *bench)
{
	struct job job = {.task.run = job_run, .reactor = bench->reactor, .again = 5};
	pthread_t thread;
	reactor_set_threaded(bench->reactor);
	assert_true(reactor_post_threaded(bench->reactor, &job.task));
	reactor_stop(bench->reactor);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, bench->reactor), 0);
	pthread_join(thread, NULL);
	assert_int_equal(job.runs, 6);
	assert_false(reactor_post_threaded(bench->reactor, &job.task));
}

/* The poster must not do the loop's work on its own thread, while exit() takes down what the work uses. */
static void a_loop_that_was_stopped_by_exit_takes_posts_and_runs_none(struct bench *bench)
{
	struct job job = {.task.run = job_run, .reactor = bench->reactor};
	pthread_t thread;
	reactor_set_threaded(bench->reactor);
	reactor_stop_at_exit(bench->reactor);
	assert_int_equal(pthread_create(&thread, NULL, run_loop, bench->reactor), 0);
	pthread_join(thread, NULL);
	assert_true(reactor_post_threaded(bench->reactor, &job.task));
	assert_int_equal(job.runs, 0);
}

static const struct {
	const char *name;
	void (*run)(struct bench *bench);
} cases[] = {
#define CASE(name)          \
	{                   \
#name, name \
	}
	CASE(a_watch_is_called_while_its_descriptor_is_ready),
	CASE(a_watch_can_change_what_it_asks_for),
	CASE(a_hang_up_is_an_error_and_readable),
	CASE(a_ready_watch_that_another_stops_is_not_called),
	CASE(a_watch_may_stop_itself),
	CASE(a_descriptor_that_cannot_be_watched_is_an_error),
	CASE(a_timer_fires_once_and_not_early),
	CASE(a_timer_due_again_waits_for_the_next_turn),
	CASE(a_due_timer_that_another_stops_does_not_fire),
	CASE(a_moved_timer_fires_at_its_new_time),
	CASE(posted_tasks_run_in_order_and_once_a_turn),
	CASE(turn_end_tasks_run_last_and_again_in_the_next_turn),
	CASE(a_post_from_another_thread_ends_the_wait),
	CASE(a_stopped_loop_runs_what_was_posted_first),
	CASE(a_loop_that_was_stopped_by_exit_takes_posts_and_runs_none),
};

static void run_cases(const struct reactor_backend_class *class)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bench bench;
		print_message("  %s: %s\n", class->name, cases[i].name);
		assert_int_equal(begin(&bench, class), 0);
		cases[i].run(&bench);
		end(&bench);
	}
}

static void every_rule_holds_with_epoll(void **state)
{
	run_cases(&reactor_backend_epoll);
}

static void every_rule_holds_with_kqueue(void **state)
{
	run_cases(&reactor_backend_kqueue);
}

static void every_rule_holds_with_the_simulated_backend(void **state)
{
	run_cases(&reactor_backend_simulated);
}

static void the_virtual_clock_moves_to_the_next_timer(void **state)
{
	struct bench bench;
	assert_int_equal(begin(&bench, &reactor_backend_simulated), 0);
	struct alarm alarm = {.timer.fire = ring, .reactor = bench.reactor, .again_us = 3600000000};
	int64_t start = clock_now_us();
	timer_start(bench.reactor, &alarm.timer, start + 3600000000);
	assert_int_equal(reactor_turn(bench.reactor, 5000), 0);
	assert_int_equal(clock_now_us(), start + 5000);
	while (alarm.calls < 100)
		reactor_turn(bench.reactor, -1);
	assert_int_equal(clock_now_us(), start + 100 * INT64_C(3600000000));
	timer_stop(&alarm.timer);
	end(&bench);
}

#ifdef SHIPOPT_FAULTS
static void every_failure_of_the_system_is_an_error(void **state)
{
	static const struct reactor_backend_class *const classes[] = {&reactor_backend_epoll, &reactor_backend_kqueue};
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		struct reactor *reactor = NULL;
		int failures = 0, r;
		for (long passes = 0;; passes++) {
			fault_arm(passes);
			r = reactor_new(classes[i], &reactor);
			bool fired = fault_fired();
			fault_arm(-1);
			failures += r < 0;
			if (r == 0)
				reactor_free(reactor);
			assert_int_equal(mem_live_count(), 0);
			if (!fired)
				break;
		}
		assert_int_equal(r, 0);
		assert_true(failures >=
			4); /* two allocations, the queue, its first descriptor; not eventfd, which has a fallback */
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_rule_holds_with_epoll),
		cmocka_unit_test(every_rule_holds_with_kqueue),
		cmocka_unit_test(every_rule_holds_with_the_simulated_backend),
		cmocka_unit_test(the_virtual_clock_moves_to_the_next_timer),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failure_of_the_system_is_an_error),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
