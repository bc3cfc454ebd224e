/* SPDX-License-Identifier: MIT */
#include <pthread.h>

#include "cache/reclaim/pin.h"

/*
 * How a thread gets its reader record, and how it gives it back: at its exit, and in a forked child, where the other
 * threads do not exist.
 */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool has_exit_key;

static void reader_slot_release(void *argument)
{
	struct reader *reader = argument;
	/* Free functions of the application may read again. They get another record, which is released in its turn. */
	reader_own = reader_quick = NULL;
	reader->depth = 0;
	atomic_store_explicit(&reader->epoch, 0, memory_order_release);
	pin_leave(reader);
	atomic_store_explicit(&reader->is_taken, false, memory_order_release);
}

/* Only the forking thread exists in the child. The sections of other threads will never end. */
static void reader_after_fork(void)
{
	reader_has_barrier = reader_has_barrier && reader_barrier_prepare();
	if (reader_needs_fence())
		reader_quick = NULL;
	for (unsigned i = 0; i < READER_SLOTS; i++) {
		if (reader_at(i) == reader_own)
			continue;
		if (i < reader_count())
			pin_forget(reader_at(i));
		atomic_store(&reader_at(i)->epoch, 0);
		atomic_store(&reader_at(i)->is_taken, false);
		reader_at(i)->depth = 0;
	}
	pin_after_fork();
}

static void reader_prepare(void)
{
	reader_has_barrier = reader_barrier_prepare();
	has_exit_key = pthread_key_create(&exit_key, reader_slot_release) == 0;
	pthread_atfork(pin_before_fork, pin_after_fork, reader_after_fork);
}

struct reader *reader_acquire(void)
{
	pthread_once(&once, reader_prepare);
	if (!has_exit_key)
		return NULL;
	for (unsigned i = 0; i < READER_SLOTS; i++) {
		bool taken = false;
		if (!atomic_compare_exchange_strong(&reader_at(i)->is_taken, &taken, true))
			continue;
		/* Without the exit hook the slot would be lost with the thread. */
		if (pthread_setspecific(exit_key, reader_at(i)) != 0) {
			atomic_store(&reader_at(i)->is_taken, false);
			return NULL;
		}
		reader_at(i)->index = i;
		reader_raise_count(i + 1);
		reader_own = reader_at(i);
		reader_quick = reader_needs_fence() ? NULL : reader_own;
		return reader_own;
	}
	return NULL;
}
