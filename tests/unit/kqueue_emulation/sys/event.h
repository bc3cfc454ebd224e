/* SPDX-License-Identifier: MIT */
#ifndef TESTS_KQUEUE_EMULATION_SYS_EVENT_H
#define TESTS_KQUEUE_EMULATION_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

/*
 * As much of kqueue(2) as the reactor's back-end uses, over epoll(7), so that the back-end can be compiled and run on
 * Linux. For tests only: one thread, descriptors below KQUEUE_EMULATION_FDS, one kqueue at a time.
 *
 * Modelled: EV_ADD and EV_DELETE of EVFILT_READ and EVFILT_WRITE as two filters of one descriptor with a udata each,
 * ENOENT for a filter that is not there, EV_EOF with the socket's error in fflags, level triggering, timeouts to the
 * nanosecond (a timerfd beside the descriptors).
 */
struct kevent {
	uintptr_t ident;
	int16_t filter;
	uint16_t flags;
	uint32_t fflags;
	intptr_t data;
	void *udata;
};

enum { EVFILT_READ = -1, EVFILT_WRITE = -2 };
enum { EV_ADD = 0x0001, EV_DELETE = 0x0002, EV_ERROR = 0x4000, EV_EOF = 0x8000 };

#define EV_SET(event, ident_, filter_, flags_, fflags_, data_, udata_)                                               \
	(*(event) = (struct kevent){(uintptr_t)(ident_), (int16_t)(filter_), (uint16_t)(flags_), (fflags_), (data_), \
		 (udata_)})

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int change_count, struct kevent *events, int event_count,
	const struct timespec *timeout);

#endif
