/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"
#include "runtime/backend.h"
#include "runtime/wake.h"

/* epoll(7), level-triggered; the watch is the event's data, NULL stands for the wake descriptor. */
struct epoll_backend {
	struct reactor *reactor;
	int fd;
	struct wake wake;
};

static int backend_epoll_control(struct epoll_backend *backend, int operation, struct watch *watch, int fd,
	unsigned events)
{
	struct epoll_event event = {.data.ptr = watch};
	if (events & REACTOR_READ)
		event.events |= EPOLLIN;
	if (events & REACTOR_WRITE)
		event.events |= EPOLLOUT;
	if (!fault_point() && epoll_ctl(backend->fd, operation, fd, &event) == 0)
		return 0;
	return errno == ENOMEM || errno == ENOSPC ? SHIPOPT_ENOMEM : SHIPOPT_EIO;
}

static void epoll_destroy(void *object)
{
	struct epoll_backend *backend = object;
	wake_close(&backend->wake);
	if (backend->fd >= 0)
		close(backend->fd);
	mem_free(backend);
}

static int epoll_create_backend(struct reactor *reactor, void **ret_backend)
{
	struct epoll_backend *backend = mem_alloc_zero(sizeof(*backend));
	if (!backend)
		return SHIPOPT_ENOMEM;
	backend->reactor = reactor;
	backend->fd = -1;
	int r = wake_open(&backend->wake);
	if (r == 0) {
		backend->fd = fault_point() ? -1 : epoll_create1(EPOLL_CLOEXEC);
		r = backend->fd < 0
			? SHIPOPT_EIO
			: backend_epoll_control(backend, EPOLL_CTL_ADD, NULL, backend->wake.read_fd, REACTOR_READ);
	}
	if (r < 0) {
		epoll_destroy(backend);
		return r;
	}
	*ret_backend = backend;
	return 0;
}

static int epoll_add(void *object, struct watch *watch)
{
	return backend_epoll_control(object, EPOLL_CTL_ADD, watch, watch->fd, watch->events);
}

static int epoll_change(void *object, struct watch *watch, unsigned events)
{
	return backend_epoll_control(object, EPOLL_CTL_MOD, watch, watch->fd, events);
}

static void epoll_remove(void *object, struct watch *watch)
{
	struct epoll_backend *backend = object;
	/* Fails only for a descriptor that was closed already, which the kernel has forgotten by itself. */
	epoll_ctl(backend->fd, EPOLL_CTL_DEL, watch->fd, NULL);
}

static void epoll_wait_backend(void *object, int64_t timeout_us)
{
	struct epoll_backend *backend = object;
	struct epoll_event events[BACKEND_EVENTS_MAX];
	int count = epoll_wait(backend->fd, events, BACKEND_EVENTS_MAX, backend_timeout_ms(timeout_us));
	for (int i = 0; i < count; i++) {
		struct watch *watch = events[i].data.ptr;
		unsigned ready = 0;
		if (!watch) {
			wake_drain(&backend->wake);
			continue;
		}
		if (events[i].events & EPOLLIN)
			ready |= REACTOR_READ;
		if (events[i].events & EPOLLOUT)
			ready |= REACTOR_WRITE;
		if (events[i].events & (EPOLLERR | EPOLLHUP))
			ready |= REACTOR_ERROR | watch->events;
		reactor_report(backend->reactor, watch, ready);
	}
}

static void epoll_wake(void *object)
{
	struct epoll_backend *backend = object;
	wake_signal(&backend->wake);
}

const struct reactor_backend_class reactor_backend_epoll = {
	.name = "epoll",
	.create = epoll_create_backend,
	.destroy = epoll_destroy,
	.add = epoll_add,
	.change = epoll_change,
	.remove = epoll_remove,
	.wait = epoll_wait_backend,
	.wake = epoll_wake,
};
