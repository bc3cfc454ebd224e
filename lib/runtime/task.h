/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_TASK_H
#define RUNTIME_TASK_H

#include "base/macro.h"

/* A piece of work, embedded in what it works on: queueing one never allocates. It belongs to whoever queued it and may be
 * freed or queued again from inside `run`. */
struct task {
	struct task *next;
	void (*run)(struct task *task);
};

#endif
