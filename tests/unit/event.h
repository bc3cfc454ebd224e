/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_EVENT_H
#define TESTS_UNIT_EVENT_H

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/*
 * A count that threads raise and wait for: how a test holds a callback, and how it learns that one was called. A wait
 * gives up after EVENT_PATIENCE_S, so that a test fails instead of hanging.
 */
#define EVENT_PATIENCE_S 20

struct event {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int count;
};

#define EVENT_INIT                                                     \
	{                                                              \
		PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 \
	}

static inline void event_raise(struct event *event)
{
	pthread_mutex_lock(&event->lock);
	event->count++;
	pthread_cond_broadcast(&event->changed);
	pthread_mutex_unlock(&event->lock);
}

static inline int event_count(struct event *event)
{
	pthread_mutex_lock(&event->lock);
	int count = event->count;
	pthread_mutex_unlock(&event->lock);
	return count;
}

/* False when the patience is over. */
static inline bool event_wait(struct event *event, int count)
{
	struct timespec until;
	int r = 0;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += EVENT_PATIENCE_S;
	pthread_mutex_lock(&event->lock);
	while (event->count < count && r == 0)
		r = pthread_cond_timedwait(&event->changed, &event->lock, &until);
	bool has_come = event->count >= count;
	pthread_mutex_unlock(&event->lock);
	return has_come;
}

#endif
