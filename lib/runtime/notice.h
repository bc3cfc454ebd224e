/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_NOTICE_H
#define RUNTIME_NOTICE_H

#include "runtime/queue.h"

/*
 * Notices: events that may get lost. Log lines, removals from a cache, reports of slow queries.
 *
 * They take no slot. At most NOTICES_MAX wait in a queue; one more drops the oldest, and the queue counts it. A notice
 * goes to a queue whose application has asked for its kind (shipopt_queue_enable()), or that dispatches and has set a
 * callback for it; any other is finished at once.
 */
#define NOTICES_MAX 256

/* Any thread; never fails, never blocks beyond a short lock. Set `event`, `has_callback`, `run` and `finish` before. */
void notice_push(shipopt_queue *queue, struct queue_entry *entry);
/* True if a notice of this kind would be taken; to save the work of making one. */
bool notice_is_wanted(const shipopt_queue *queue, uint32_t kind, bool has_callback);
/* Counts a notice that could not be made. */
void notice_count_lost(shipopt_queue *queue);
/* Copies a log line into a notice. Without memory the line is lost, and counted. */
void notice_push_log(shipopt_queue *queue, int level, const char *line);

#endif
