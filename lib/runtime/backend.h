/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_BACKEND_H
#define RUNTIME_BACKEND_H

#include "runtime/reactor.h"

/*
 * What a reactor needs of the platform: to wait for descriptors and to be woken.
 *
 * A back-end watches at most one watch per descriptor, level-triggered. `wait` returns when something is ready, when
 * `wake` was called (from any thread; a wake before the wait counts), when the time is over, or early for no
 * reason. It reports each ready watch through reactor_report(), as often as it likes in one wait: the reports are
 * joined. A watch that was removed is not reported any more. All but `wake` are called on the loop's own thread.
 */
struct reactor_backend_class {
	const char *name;
	int (*create)(struct reactor *reactor, void **ret_backend); /* SHIPOPT_ENOMEM, SHIPOPT_EIO */
	void (*destroy)(void *backend);
	int (*add)(void *backend, struct watch *watch); /* fd and events are set; as watch_start() */
	int (*change)(void *backend, struct watch *watch, unsigned events); /* watch->events are the old ones */
	void (*remove)(void *backend, struct watch *watch);
	void (*wait)(void *backend, int64_t timeout_us); /* -1: without end */
	void (*wake)(void *backend);
};

/* The most ready descriptors taken in one turn. */
#define BACKEND_EVENTS_MAX 128

extern const struct reactor_backend_class reactor_backend_epoll;
extern const struct reactor_backend_class reactor_backend_kqueue;
extern const struct reactor_backend_class reactor_backend_simulated;

/* Only inside `wait`. `events` without REACTOR_READ and REACTOR_WRITE is fine. */
void reactor_report(struct reactor *reactor, struct watch *watch, unsigned events);
/* The back-end's own object. */
void *reactor_backend(const struct reactor *reactor);

/* What the platform's wait takes: rounded up, so that a timer is never early. -1 stays. */
static inline int backend_timeout_ms(int64_t timeout_us)
{
	if (timeout_us < 0)
		return -1;
	return timeout_us > (int64_t)INT32_MAX * 1000 ? INT32_MAX : (int)((timeout_us + 999) / 1000);
}

#endif
