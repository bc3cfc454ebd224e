/* SPDX-License-Identifier: MIT */
#include "cache/reader.h"

#include <pthread.h>
#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

_Thread_local struct reader *reader_own;
_Atomic(uint64_t) reader_epoch = 1;
bool reader_has_barrier;

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

#if defined(__linux__) && !defined(SHIPOPT_TSAN)
static bool barrier_prepare(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0;
}

/* Every thread of the process has passed a full fence when it returns true. */
static bool barrier_of_all(void)
{
	full_fence();
	return !reader_has_barrier || syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0;
}
#else
static bool barrier_prepare(void)
{
	return false;
}

static bool barrier_of_all(void)
{
	full_fence();
	return true;
}
#endif

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
	reader_has_barrier = reader_has_barrier && barrier_prepare();
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
	reader_has_barrier = barrier_prepare();
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
	/* A host that forbids the call after it worked at first: nothing can be freed safely, so nothing is. */
	if (!barrier_of_all())
		return 0;
	unsigned used = atomic_load(&slots_used);
	for (unsigned i = 0; i < used; i++) {
		uint64_t epoch = atomic_load_explicit(&slots[i].epoch, memory_order_acquire);
		if (epoch && epoch < horizon)
			horizon = epoch;
	}
	return horizon;
}
