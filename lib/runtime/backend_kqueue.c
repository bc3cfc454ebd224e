/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <sys/event.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"
#include "runtime/backend.h"
#include "runtime/wake.h"

/* kqueue(2), level-triggered (no EV_CLEAR), a filter for each direction; the watch is the event's udata, NULL stands
 * for the wake descriptor. */
struct kqueue_backend {
	struct reactor *reactor;
	int fd;
	struct wake wake;
};

static int backend_kqueue_control(struct kqueue_backend *backend, struct watch *watch, int fd, int filter, int action)
{
	struct kevent change;
	EV_SET(&change, (uintptr_t)fd, filter, action, 0, 0, (void *)watch);
	if (!fault_point() && kevent(backend->fd, &change, 1, NULL, 0, NULL) == 0)
		return 0;
	return errno == ENOMEM ? SHIPOPT_ENOMEM : SHIPOPT_EIO;
}

static void backend_kqueue_forget(struct kqueue_backend *backend, int fd, int filter)
{
	struct kevent change;
	EV_SET(&change, (uintptr_t)fd, filter, EV_DELETE, 0, 0, NULL);
	/* Fails only for a descriptor that was closed already, which the kernel has forgotten by itself. */
	kevent(backend->fd, &change, 1, NULL, 0, NULL);
}

static void kqueue_destroy(void *object)
{
	struct kqueue_backend *backend = object;
	wake_close(&backend->wake);
	if (backend->fd >= 0)
		close(backend->fd);
	mem_free(backend);
}

static int kqueue_create(struct reactor *reactor, void **ret_backend)
{
	struct kqueue_backend *backend = mem_alloc_zero(sizeof(*backend));
	if (!backend)
		return SHIPOPT_ENOMEM;
	backend->reactor = reactor;
	backend->fd = -1;
	int r = wake_open(&backend->wake);
	if (r == 0) {
		backend->fd = fault_point() ? -1 : kqueue();
		r = backend->fd < 0 || fcntl(backend->fd, F_SETFD, FD_CLOEXEC) < 0 ? SHIPOPT_EIO : 0;
	}
	if (r == 0)
		r = backend_kqueue_control(backend, NULL, backend->wake.read_fd, EVFILT_READ, EV_ADD);
	if (r < 0) {
		kqueue_destroy(backend);
		return r;
	}
	*ret_backend = backend;
	return 0;
}

/* Brings the filters of a descriptor from `before` to `after`; on failure they are as before. */
static int backend_kqueue_set_filters(struct kqueue_backend *backend, struct watch *watch, unsigned before,
	unsigned after)
{
	unsigned added = after & ~before, removed = before & ~after;
	int r = added & REACTOR_READ ? backend_kqueue_control(backend, watch, watch->fd, EVFILT_READ, EV_ADD) : 0;
	if (r == 0 && (added & REACTOR_WRITE)) {
		r = backend_kqueue_control(backend, watch, watch->fd, EVFILT_WRITE, EV_ADD);
		if (r < 0 && (added & REACTOR_READ))
			backend_kqueue_forget(backend, watch->fd, EVFILT_READ);
	}
	if (r < 0)
		return r;
	if (removed & REACTOR_READ)
		backend_kqueue_forget(backend, watch->fd, EVFILT_READ);
	if (removed & REACTOR_WRITE)
		backend_kqueue_forget(backend, watch->fd, EVFILT_WRITE);
	return 0;
}

static int kqueue_add(void *object, struct watch *watch)
{
	return backend_kqueue_set_filters(object, watch, 0, watch->events);
}

static int kqueue_change(void *object, struct watch *watch, unsigned events)
{
	return backend_kqueue_set_filters(object, watch, watch->events, events);
}

static void kqueue_remove(void *object, struct watch *watch)
{
	backend_kqueue_set_filters(object, watch, watch->events, 0);
}

static void kqueue_wait(void *object, int64_t timeout_us)
{
	struct kqueue_backend *backend = object;
	struct kevent events[BACKEND_EVENTS_MAX];
	struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000), .tv_nsec = timeout_us % 1000000 * 1000};
	int count = kevent(backend->fd, NULL, 0, events, BACKEND_EVENTS_MAX, timeout_us < 0 ? NULL : &timeout);
	for (int i = 0; i < count; i++) {
		struct watch *watch = (struct watch *)events[i].udata;
		unsigned ready = 0;
		if (!watch) {
			wake_drain(&backend->wake);
			continue;
		}
		ready |= events[i].filter == EVFILT_READ ? REACTOR_READ : REACTOR_WRITE;
		/* A peer that only ended its side is no failure as long as there is something to read: EV_EOF on the
		 * read filter is met by reading. On the write filter nobody will ever take what is written. */
		if ((events[i].flags & EV_ERROR) || ((events[i].flags & EV_EOF) && events[i].filter == EVFILT_WRITE) ||
			((events[i].flags & EV_EOF) && events[i].fflags != 0))
			ready |= REACTOR_ERROR | watch->events;
		reactor_report(backend->reactor, watch, ready);
	}
}

static void kqueue_wake(void *object)
{
	struct kqueue_backend *backend = object;
	wake_signal(&backend->wake);
}

const struct reactor_backend_class reactor_backend_kqueue = {
	.name = "kqueue",
	.create = kqueue_create,
	.destroy = kqueue_destroy,
	.add = kqueue_add,
	.change = kqueue_change,
	.remove = kqueue_remove,
	.wait = kqueue_wait,
	.wake = kqueue_wake,
};
