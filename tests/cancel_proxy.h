/* SPDX-License-Identifier: MIT */
#ifndef TESTS_CANCEL_PROXY_H
#define TESTS_CANCEL_PROXY_H

#include <pthread.h>
#include <stdatomic.h>

/*
 * A TCP proxy in front of a PostgreSQL server that passes connections on, and swallows cancel requests: it accepts them
 * and neither answers nor closes them before it is stopped. A thread of the test's own runs it.
 */
struct cancel_proxy {
	int fd, port, server_port, stop[2];
	atomic_int swallowed;
	pthread_t thread;
};

/* 0, or -1 without a socket or thread. */
int cancel_proxy_start(struct cancel_proxy *proxy, int server_port);
/* Closes all that it holds. */
void cancel_proxy_stop(struct cancel_proxy *proxy);

#endif
