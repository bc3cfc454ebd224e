/* SPDX-License-Identifier: MIT */
#include "delay.h"

#include <pthread.h>
#include <shipopt/error.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"

#define DELAY_GRAIN_US 1000

struct delays {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	struct delay **heap;
	size_t count, capacity;
	bool stopping;
};

static void sift_up(struct delay **heap, size_t i)
{
	struct delay *delay = heap[i];
	for (; i > 0 && heap[(i - 1) / 2]->deadline_us > delay->deadline_us; i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = delay;
}

static struct delay *pop(struct delays *delays)
{
	struct delay **heap = delays->heap, *first = heap[0], *last = heap[--delays->count];
	size_t i = 0;
	for (size_t child; (child = 2 * i + 1) < delays->count; i = child) {
		if (child + 1 < delays->count && heap[child + 1]->deadline_us < heap[child]->deadline_us)
			child++;
		if (heap[child]->deadline_us >= last->deadline_us)
			break;
		heap[i] = heap[child];
	}
	heap[i] = last;
	return first;
}

static void wait_until(struct delays *delays, int64_t deadline_us)
{
	struct timespec at = {deadline_us / 1000000, deadline_us % 1000000 * 1000};
	pthread_cond_timedwait(&delays->changed, &delays->lock, &at);
}

static void *run(void *userdata)
{
	struct delays *delays = userdata;
	pthread_mutex_lock(&delays->lock);
	while (!delays->stopping) {
		if (delays->count == 0) {
			pthread_cond_wait(&delays->changed, &delays->lock);
		} else if (delays->heap[0]->deadline_us > clock_now_us()) {
			wait_until(delays, delays->heap[0]->deadline_us);
		} else {
			struct delay *delay = pop(delays);
			pthread_mutex_unlock(&delays->lock);
			delay->run(delay);
			pthread_mutex_lock(&delays->lock);
		}
	}
	pthread_mutex_unlock(&delays->lock);
	return NULL;
}

int delays_start(struct delays **ret_delays)
{
	struct delays *delays = mem_alloc_zero(sizeof(*delays));
	if (!delays)
		return SHIPOPT_ENOMEM;
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&delays->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_mutex_init(&delays->lock, NULL);
	if (pthread_create(&delays->thread, NULL, run, delays) != 0) {
		pthread_cond_destroy(&delays->changed);
		pthread_mutex_destroy(&delays->lock);
		mem_free(delays);
		return SHIPOPT_EAGAIN;
	}
	*ret_delays = delays;
	return 0;
}

static int reserve(struct delays *delays)
{
	if (delays->count < delays->capacity)
		return 0;
	size_t capacity = delays->capacity ? delays->capacity * 2 : 256;
	struct delay **heap = mem_realloc(delays->heap, capacity * sizeof(struct delay *));
	if (!heap)
		return SHIPOPT_ENOMEM;
	delays->heap = heap;
	delays->capacity = capacity;
	return 0;
}

int delays_add(struct delays *delays, struct delay *delay, int64_t after_us)
{
	int64_t deadline_us = clock_now_us() + MAX(after_us, 0) + DELAY_GRAIN_US - 1;
	delay->deadline_us = deadline_us - deadline_us % DELAY_GRAIN_US;
	pthread_mutex_lock(&delays->lock);
	int r = reserve(delays);
	if (r == 0) {
		delays->heap[delays->count++] = delay;
		sift_up(delays->heap, delays->count - 1);
		if (delays->heap[0] == delay)
			pthread_cond_signal(&delays->changed);
	}
	pthread_mutex_unlock(&delays->lock);
	return r;
}

void delays_stop(struct delays *delays)
{
	if (!delays)
		return;
	pthread_mutex_lock(&delays->lock);
	delays->stopping = true;
	pthread_cond_signal(&delays->changed);
	pthread_mutex_unlock(&delays->lock);
	pthread_join(delays->thread, NULL);
	for (size_t i = 0; i < delays->count; i++)
		delays->heap[i]->drop(delays->heap[i]);
	mem_free(delays->heap);
	pthread_cond_destroy(&delays->changed);
	pthread_mutex_destroy(&delays->lock);
	mem_free(delays);
}
