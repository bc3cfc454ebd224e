/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/event.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define KQUEUE_EMULATION_FDS 1024
#define BATCH 64

static struct {
	int has_read, has_write;
	void *read_udata, *write_udata;
} filters[KQUEUE_EMULATION_FDS];
static int timer_fd = -1;

int kqueue(void)
{
	int queue = epoll_create1(0);
	memset(filters, 0, sizeof(filters));
	if (timer_fd >= 0)
		close(timer_fd);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	struct epoll_event event = {.events = EPOLLIN, .data.fd = timer_fd};
	if (queue >= 0 && epoll_ctl(queue, EPOLL_CTL_ADD, timer_fd, &event) < 0) {
		close(queue);
		return -1;
	}
	return queue;
}

static int apply(int queue, const struct kevent *change)
{
	int fd = (int)change->ident;
	if (fd < 0 || fd >= KQUEUE_EMULATION_FDS) {
		errno = EBADF;
		return -1;
	}
	int had = filters[fd].has_read || filters[fd].has_write;
	int *has = change->filter == EVFILT_READ ? &filters[fd].has_read : &filters[fd].has_write;
	void **udata = change->filter == EVFILT_READ ? &filters[fd].read_udata : &filters[fd].write_udata;
	int before = *has;
	if ((change->flags & EV_DELETE) && !before) {
		errno = ENOENT;
		return -1;
	}
	*has = !(change->flags & EV_DELETE);
	*udata = change->udata;
	struct epoll_event event = {.data.fd = fd};
	event.events =
		(filters[fd].has_read ? (uint32_t)EPOLLIN : 0) | (filters[fd].has_write ? (uint32_t)EPOLLOUT : 0);
	int operation = event.events == 0 ? EPOLL_CTL_DEL : had ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	if (epoll_ctl(queue, operation, fd, &event) == 0)
		return 0;
	*has = (change->flags & EV_DELETE) ? 0 : before;
	return -1;
}

static struct kevent report(int fd, int filter, uint32_t epoll_events)
{
	struct kevent event = {.ident = (uintptr_t)fd, .filter = (int16_t)filter};
	event.udata = filter == EVFILT_READ ? filters[fd].read_udata : filters[fd].write_udata;
	if (epoll_events & (EPOLLERR | EPOLLHUP)) {
		int error = 0;
		socklen_t size = sizeof(error);
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
		event.flags |= EV_EOF;
		event.fflags = (uint32_t)error;
	}
	return event;
}

static void set_timer(const struct timespec *timeout)
{
	struct itimerspec setting = {0};
	if (timeout)
		setting.it_value = *timeout;
	timerfd_settime(timer_fd, 0, &setting, NULL);
}

int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events, int event_count,
	const struct timespec *timeout)
{
	for (int i = 0; i < change_count; i++)
		if (apply(queue, &changes[i]) < 0)
			return -1;
	if (event_count == 0)
		return 0;
	int at_once = timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
	struct epoll_event ready[BATCH];
	set_timer(at_once ? NULL : timeout);
	int count = epoll_wait(queue, ready, event_count / 2 < BATCH ? event_count / 2 : BATCH, at_once ? 0 : -1);
	int filled = 0;
	for (int i = 0; i < count; i++) {
		int fd = ready[i].data.fd;
		uint32_t both = ready[i].events & (EPOLLERR | EPOLLHUP);
		if (fd == timer_fd)
			continue;
		if (filters[fd].has_read && (both || (ready[i].events & EPOLLIN)))
			events[filled++] = report(fd, EVFILT_READ, ready[i].events);
		if (filters[fd].has_write && (both || (ready[i].events & EPOLLOUT)))
			events[filled++] = report(fd, EVFILT_WRITE, ready[i].events);
	}
	set_timer(NULL);
	return count < 0 ? -1 : filled;
}
