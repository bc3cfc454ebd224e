/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_TASK_H
#define RUNTIME_TASK_H

#include "base/macro.h"

/* A piece of work, embedded in what it works on: queueing one never allocates. It belongs to whoever queued it and may
 * be freed or queued again from inside `run`. */
struct task {
	struct task *next;
	void (*run)(struct task *task);
};

/* A first-in first-out list of tasks, linked through them. A zeroed one is empty. Not thread-safe. */
struct task_list {
	struct task *first, *last;
	size_t count;
};

static inline void task_list_push(struct task_list *list, struct task *task)
{
	task->next = NULL;
	if (list->last)
		list->last->next = task;
	else
		list->first = task;
	list->last = task;
	list->count++;
}

static inline struct task *task_list_pop(struct task_list *list)
{
	struct task *task = list->first;
	if (!task)
		return NULL;
	list->first = task->next;
	if (!list->first)
		list->last = NULL;
	list->count--;
	return task;
}

/* Moves all of `from` to the end of `list`. */
static inline void task_list_append(struct task_list *list, struct task_list *from)
{
	if (!from->first)
		return;
	if (list->last)
		list->last->next = from->first;
	else
		list->first = from->first;
	list->last = from->last;
	list->count += from->count;
	*from = (struct task_list){0};
}

/* The whole content; `list` is empty afterwards. */
static inline struct task_list task_list_take(struct task_list *list)
{
	struct task_list taken = *list;
	*list = (struct task_list){0};
	return taken;
}

#endif
