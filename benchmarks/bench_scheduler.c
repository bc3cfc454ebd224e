/* SPDX-License-Identifier: MIT */
/*
 * The scheduler against the simplest pool there is (a list, a mutex, a condition) with as many threads, in the same
 * run: nanoseconds a task for single submissions, batches of 100 and a parallel loop, and microseconds from a
 * submission to an idle pool until the task runs (median, 99th percentile). One line a figure; the first argument is
 * the number of tasks.
 */
#include <pthread.h>
#include <shipopt/runtime.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WAKES 2000
#define BATCH 100

static atomic_size_t ran;
static size_t wanted = 1000000;
static int64_t started_ns;
static atomic_llong woken_ns;

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void count(void *userdata)
{
	atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
}

static void note_time(void *userdata)
{
	atomic_store(&woken_ns, now_ns());
}

static void wait_all(size_t count)
{
	while (atomic_load_explicit(&ran, memory_order_relaxed) < count)
		usleep(50);
}

static void print_per_task(const char *pool, const char *what)
{
	printf("scheduler %s %s_ns_per_task %.1f\n", pool, what, (double)(now_ns() - started_ns) / (double)wanted);
}

/* --- the simplest pool --- */

struct plain_task {
	struct plain_task *next;
	void (*run)(void *userdata);
	void *userdata;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct plain_task *first, *last;
	int stopping;
} plain = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, NULL, 0};

static void *plain_main(void *argument)
{
	pthread_mutex_lock(&plain.lock);
	for (;;) {
		struct plain_task *task = plain.first;
		if (!task && plain.stopping)
			break;
		if (!task) {
			pthread_cond_wait(&plain.work, &plain.lock);
			continue;
		}
		plain.first = task->next;
		pthread_mutex_unlock(&plain.lock);
		task->run(task->userdata);
		free(task);
		pthread_mutex_lock(&plain.lock);
	}
	pthread_mutex_unlock(&plain.lock);
	return NULL;
}

static void plain_submit(void (*run)(void *userdata), size_t count)
{
	struct plain_task *first = NULL, *last = NULL;
	for (size_t i = 0; i < count; i++) {
		struct plain_task *task = malloc(sizeof(*task));
		if (!task)
			exit(1);
		*task = (struct plain_task){.run = run};
		if (last)
			last->next = task;
		else
			first = task;
		last = task;
	}
	pthread_mutex_lock(&plain.lock);
	if (plain.first)
		plain.last->next = first;
	else
		plain.first = first;
	plain.last = last;
	pthread_mutex_unlock(&plain.lock);
	pthread_cond_signal(&plain.work);
}

/* --- measurements --- */

static shipopt_runtime *runtime;

static void ours_submit(void (*run)(void *userdata), size_t count)
{
	static void *nothing[BATCH];
	if (shipopt_runtime_submit_batch(runtime, run, nothing, count) < 0)
		exit(1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

static void measure(const char *pool, void (*submit)(void (*run)(void *userdata), size_t count))
{
	static double wakes[WAKES];
	atomic_store(&ran, 0);
	started_ns = now_ns();
	for (size_t i = 0; i < wanted; i++)
		submit(count, 1);
	wait_all(wanted);
	print_per_task(pool, "single");
	atomic_store(&ran, 0);
	started_ns = now_ns();
	for (size_t i = 0; i < wanted / BATCH; i++)
		submit(count, BATCH);
	wait_all(wanted / BATCH * BATCH);
	print_per_task(pool, "batch");
	for (int i = 0; i < WAKES; i++) {
		usleep(200); /* until everybody sleeps */
		atomic_store(&woken_ns, 0);
		int64_t start = now_ns();
		submit(note_time, 1);
		while (atomic_load(&woken_ns) == 0)
			usleep(20);
		wakes[i] = (double)(atomic_load(&woken_ns) - start) / 1000;
	}
	qsort(wakes, WAKES, sizeof(wakes[0]), compare);
	printf("scheduler %s wake_p50_us %.1f\n", pool, wakes[WAKES / 2]);
	printf("scheduler %s wake_p99_us %.1f\n", pool, wakes[WAKES * 99 / 100]);
}

static void count_range(void *userdata, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		count(NULL);
}

int main(int argc, char **argv)
{
	shipopt_runtime_config *config;
	pthread_t threads[64];
	if (argc > 1)
		wanted = strtoul(argv[1], NULL, 10) / BATCH * BATCH;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int workers = cores < 1 ? 1 : cores > 64 ? 64 : (int)cores;
	if (wanted == 0 || shipopt_runtime_config_new(&config) < 0 ||
		shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_WORKERS, workers) < 0 ||
		shipopt_runtime_new(config, &runtime, NULL) < 0)
		return 1;
	shipopt_runtime_config_free(config);
	measure("ours", ours_submit);
	started_ns = now_ns();
	if (shipopt_runtime_parallel_for(runtime, wanted, 100, count_range, NULL) < 0)
		return 1;
	print_per_task("ours", "parallel_for");
	shipopt_runtime_close(runtime, -1);
	shipopt_runtime_free(runtime);
	for (int i = 0; i < workers; i++)
		if (pthread_create(&threads[i], NULL, plain_main, NULL) != 0)
			return 1;
	measure("mutex_list", plain_submit);
	pthread_mutex_lock(&plain.lock);
	plain.stopping = 1;
	pthread_cond_broadcast(&plain.work);
	pthread_mutex_unlock(&plain.lock);
	for (int i = 0; i < workers; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
