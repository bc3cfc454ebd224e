/* SPDX-License-Identifier: MIT */
#include "runtime/notice.h"

#include <string.h>

#include "base/memory.h"
#include "runtime/queue_private.h"

bool notice_is_wanted(const shipopt_queue *queue, uint32_t kind, bool has_callback)
{
	return has_callback || queue_is_enabled(queue, kind);
}

static void notice_drop(shipopt_queue *queue, struct queue_entry *entry)
{
	if (entry)
		entry->finish(entry);
}

/* With the lock held: makes room, and returns what has to go for it. */
static struct queue_entry *notice_make_room(shipopt_queue *queue)
{
	if (queue->notice_count < NOTICES_MAX)
		return NULL;
	struct list_node *oldest = list_first(&queue->notices);
	queue->notices_dropped++;
	return queue_entry_take(queue, LIST_MEMBER(oldest, struct queue_entry, notice_node));
}

void notice_push(shipopt_queue *queue, struct queue_entry *entry)
{
	struct queue_entry *dropped;
	bool is_wanted = notice_is_wanted(queue, entry->event.kind, entry->has_callback);
	entry->keeps_slot = entry->has_no_slot = entry->is_notice = true;
	pthread_mutex_lock(&queue->lock);
	if (is_wanted && !queue->is_freed) {
		dropped = notice_make_room(queue);
		queue_entry_add(queue, entry);
	} else {
		dropped = entry;
	}
	pthread_mutex_unlock(&queue->lock);
	notice_drop(queue, dropped);
}

int64_t shipopt_queue_dropped(const shipopt_queue *queue)
{
	if (!queue || runtime_is_forked(queue->runtime))
		return 0;
	shipopt_queue *self = (shipopt_queue *)(uintptr_t)queue;
	pthread_mutex_lock(&self->lock);
	int64_t dropped = queue->notices_dropped;
	pthread_mutex_unlock(&self->lock);
	return dropped;
}

/* --- log lines --- */

struct log_notice {
	struct queue_entry entry;
	char line[];
};

static void notice_log_run(struct queue_entry *entry)
{
	/* A dispatch has nothing to call: the log callback ran when the line was written. */
}

static void notice_log_finish(struct queue_entry *entry)
{
	mem_free(CONTAINER_OF(entry, struct log_notice, entry));
}

void notice_count_lost(shipopt_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->notices_dropped++;
	pthread_mutex_unlock(&queue->lock);
}

void notice_push_log(shipopt_queue *queue, int level, const char *line)
{
	size_t size = strlen(line) + 1;
	struct log_notice *notice = mem_alloc_zero(sizeof(*notice) + size);
	if (!notice) {
		notice_count_lost(queue);
		return;
	}
	memcpy(notice->line, line, size);
	notice->entry.run = notice_log_run;
	notice->entry.finish = notice_log_finish;
	notice->entry.event =
		(shipopt_event){.status = level, .kind = SHIPOPT_EVENT_LOG, .value = (uint64_t)(uintptr_t)notice->line};
	notice_push(queue, &notice->entry);
}
