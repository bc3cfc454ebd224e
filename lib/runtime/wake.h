/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_WAKE_H
#define RUNTIME_WAKE_H

/*
 * A descriptor that is readable from wake_signal() to wake_drain(): an eventfd where there is one, else a pipe.
 * Both ends are non-blocking and closed on exec. Signalling twice is the same as once. Any thread, and a
 * signal handler, may signal; the owner drains. Nobody else reads, writes or closes it.
 */
struct wake {
	int read_fd, write_fd; /* the same for an eventfd */
};

/* SHIPOPT_EIO: no descriptors. */
int wake_open(struct wake *wake);
void wake_close(struct wake *wake);
void wake_signal(const struct wake *wake);
void wake_drain(const struct wake *wake);

#endif
