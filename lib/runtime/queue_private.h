/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_QUEUE_PRIVATE_H
#define RUNTIME_QUEUE_PRIVATE_H

#include <pthread.h>

#include "runtime/notice.h"
#include "runtime/ready_event.h"
#include "runtime/runtime_private.h"
#include "runtime/wake.h"

/*
 * The inside of shipopt_queue, for the files of the queue: queue.c (life, slots, pushing), queue_take.c (waiting and
 * dispatching), queue_poll.c (handing out and taking back events), queue_wait.c (shipopt_op_wait()), notice.c and
 * ready_event.c.
 *
 * `lock` is a leaf: nothing is called with it held but the lists and the wake descriptor.
 *
 * Two descriptors. `wake` is the application's: readable while entries wait, kept up to date once it was asked for, or
 * while a thread sleeps on it in a poll. `wakeup` ends such a sleep (shipopt_queue_wakeup()): one write, which a signal
 * handler may do. Threads that wait for another one to finish taking, and threads in shipopt_op_wait(), sleep on
 * `changed`.
 */
struct queue_place {               /* an event that poll has handed out */
	struct queue_entry *entry; /* NULL: free */
	uint32_t serial;           /* grows with each use; never 0 while in use */
	uint32_t next_free;        /* index + 1 */
};

/* Events out at once: one a slot, the notices, and the queue's own READY and CLOSED. */
#define QUEUE_PLACES_EXTRA (NOTICES_MAX + 2)

struct shipopt_queue {
	struct reference reference;
	shipopt_runtime *runtime; /* a reference */
	struct runtime_member member;
	struct wake wake, wakeup;
	size_t slots;
	atomic_size_t reserved;
	atomic_uint enabled;     /* bits of event kinds */
	atomic_bool was_refused; /* a call got SHIPOPT_EAGAIN, and READY was not sent since */
	struct ready_event ready;
	int64_t stall_ms; /* see queue_wait.c */

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	struct list_node entries;
	uint64_t added;            /* entries so far */
	struct list_node callable; /* those of them that have a callback */
	struct list_node notices;  /* those of them that are notices, oldest first */
	size_t notice_count;
	int64_t notices_dropped;
	bool wants_fd;     /* the descriptor was asked for: keep it up to date */
	bool is_signaled;  /* it is readable */
	unsigned sleepers; /* threads that sleep on it */
	bool is_taken;     /* a thread dispatches or polls */
	uint64_t takes;    /* how often one did */
	bool is_freed;
	bool is_closed;
	struct queue_place *places;
	uint32_t place_count; /* those ever used */
	uint32_t places_out;  /* handed out now */
	uint32_t
		slots_out; /* those of them that have a slot: never more than there are, though a close may reserve beyond */
	uint32_t first_free; /* index + 1 */
};

/* Each of the following with the lock held. */
void queue_entry_add(shipopt_queue *queue, struct queue_entry *entry);
struct queue_entry *queue_entry_take(shipopt_queue *queue, struct queue_entry *entry);
struct queue_entry *queue_entry_pop(shipopt_queue *queue);
/* Gives up the lock for the time of the callback. */
void queue_entry_run(shipopt_queue *queue, struct queue_entry *entry);

/* Without the lock. */
void queue_entry_finish(shipopt_queue *queue, struct queue_entry *entry);
/* Claims the queue for this thread. 1 with the lock held; 0 or an error without. */
int queue_take_begin(shipopt_queue *queue, int64_t timeout_ms);
/* With the lock held, which is given up. */
void queue_take_end(shipopt_queue *queue);
/* The runtime is closed: nothing more will come. */
void queue_close(shipopt_queue *queue);
/* Frees what poll has handed out and was not given back. */
void queue_release_all(shipopt_queue *queue);

static inline unsigned queue_kind_bit(uint32_t kind)
{
	return 1u << kind;
}

static inline bool queue_is_enabled(const shipopt_queue *queue, uint32_t kind)
{
	return atomic_load(&((shipopt_queue *)(uintptr_t)queue)->enabled) & queue_kind_bit(kind);
}

#endif
