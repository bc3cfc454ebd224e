/* SPDX-License-Identifier: MIT */
#include "cache/reader.h"

#include <pthread.h>

_Thread_local struct reader *reader_own;
_Atomic(uint64_t) reader_epoch = 1;

static struct reader slots[READER_SLOTS];
static atomic_uint slots_used; /* no slot at or above this index was ever taken */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool has_exit_key;

static void full_fence(void)
{
#ifdef SHIPOPT_TSAN
	static atomic_uint word;
	atomic_fetch_add(&word, 1);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

static void slot_release(void *argument)
{
	struct reader *reader = argument;
	reader->depth = 0;
	atomic_store_explicit(&reader->epoch, 0, memory_order_release);
	atomic_store_explicit(&reader->is_taken, false, memory_order_release);
	reader_own = NULL;
}

/* Only the forking thread lives on: sections that others had open will never end. */
static void after_fork(void)
{
	for (unsigned i = 0; i < READER_SLOTS; i++) {
		if (&slots[i] == reader_own)
			continue;
		atomic_store(&slots[i].epoch, 0);
		atomic_store(&slots[i].is_taken, false);
		slots[i].depth = 0;
	}
}

static void prepare(void)
{
	has_exit_key = pthread_key_create(&exit_key, slot_release) == 0;
	pthread_atfork(NULL, NULL, after_fork);
}

struct reader *reader_acquire(void)
{
	pthread_once(&once, prepare);
	if (!has_exit_key)
		return NULL;
	for (unsigned i = 0; i < READER_SLOTS; i++) {
		bool taken = false;
		if (!atomic_compare_exchange_strong(&slots[i].is_taken, &taken, true))
			continue;
		/* Without the exit hook the slot would be lost with the thread. */
		if (pthread_setspecific(exit_key, &slots[i]) != 0) {
			atomic_store(&slots[i].is_taken, false);
			return NULL;
		}
		slots[i].index = i;
		unsigned used = atomic_load(&slots_used);
		while (used <= i && !atomic_compare_exchange_weak(&slots_used, &used, i + 1))
			;
		reader_own = &slots[i];
		return reader_own;
	}
	return NULL;
}

uint64_t reader_tag(void)
{
	full_fence();
	return atomic_load(&reader_epoch);
}

uint64_t reader_horizon(void)
{
	/* Sections that begin from now on are above everything tagged so far. */
	uint64_t horizon = atomic_fetch_add(&reader_epoch, 1) + 1;
	full_fence();
	unsigned used = atomic_load(&slots_used);
	for (unsigned i = 0; i < used; i++) {
		uint64_t epoch = atomic_load_explicit(&slots[i].epoch, memory_order_acquire);
		if (epoch && epoch < horizon)
			horizon = epoch;
	}
	return horizon;
}
