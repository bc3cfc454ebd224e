/* SPDX-License-Identifier: MIT */
#include "cache/reader.h"

#include <pthread.h>

#include "cache/hold.h"
#ifdef __linux__
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

THREAD_LOCAL_HOT struct reader *reader_own;
THREAD_LOCAL_HOT struct reader *reader_quick;
_Atomic(uint64_t) reader_epoch = 1;
bool reader_has_barrier;

static struct reader slots[READER_SLOTS];
static atomic_uint slots_used; /* no slot at or above this index was ever taken */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static bool has_exit_key;

static void reader_full_fence(void)
{
#ifdef SHIPOPT_TSAN
	static atomic_uint word;
	atomic_fetch_add(&word, 1);
#else
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

#if defined(__linux__) && !defined(SHIPOPT_TSAN)
static bool reader_readers_need_fence(void)
{
	return !reader_has_barrier;
}

static bool reader_barrier_prepare(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0;
}

bool reader_barrier(void)
{
	reader_full_fence();
	return !reader_has_barrier || syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0;
}
#else
static bool reader_readers_need_fence(void)
{
#ifdef SHIPOPT_TSAN
	return false; /* what they exchange instead of storing is one */
#else
	return true;
#endif
}

static bool reader_barrier_prepare(void)
{
	return false;
}

bool reader_barrier(void)
{
	reader_full_fence();
	return true;
}
#endif

static void reader_slot_release(void *argument)
{
	struct reader *reader = argument;
	/* Free functions of the host's may read once more: in another record, which is released in its turn. */
	reader_own = reader_quick = NULL;
	reader->depth = 0;
	atomic_store_explicit(&reader->epoch, 0, memory_order_release);
	hold_leave(reader);
	atomic_store_explicit(&reader->is_taken, false, memory_order_release);
}

/* Only the forking thread lives on: sections that others had open will never end. */
static void reader_after_fork(void)
{
	reader_has_barrier = reader_has_barrier && reader_barrier_prepare();
	if (reader_readers_need_fence())
		reader_quick = NULL;
	for (unsigned i = 0; i < READER_SLOTS; i++) {
		if (&slots[i] == reader_own)
			continue;
		if (i < reader_count())
			hold_forget(&slots[i]);
		atomic_store(&slots[i].epoch, 0);
		atomic_store(&slots[i].is_taken, false);
		slots[i].depth = 0;
	}
	hold_after_fork();
}

static void reader_prepare(void)
{
	reader_has_barrier = reader_barrier_prepare();
	has_exit_key = pthread_key_create(&exit_key, reader_slot_release) == 0;
	pthread_atfork(hold_before_fork, hold_after_fork, reader_after_fork);
}

struct reader *reader_acquire(void)
{
	pthread_once(&once, reader_prepare);
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
		reader_quick = reader_readers_need_fence() ? NULL : reader_own;
		return reader_own;
	}
	return NULL;
}

unsigned reader_count(void)
{
	return atomic_load(&slots_used);
}

struct reader *reader_at(unsigned index)
{
	return &slots[index];
}

uint64_t reader_tag(void)
{
	reader_full_fence();
	return atomic_load(&reader_epoch);
}

uint64_t reader_horizon(void)
{
	/* Sections that begin from now on are above everything tagged so far. */
	uint64_t horizon = atomic_fetch_add(&reader_epoch, 1) + 1;
	/* A host that forbids the call after it worked at first: nothing can be freed safely, so nothing is. */
	if (!reader_barrier())
		return 0;
	unsigned used = reader_count();
	for (unsigned i = 0; i < used; i++) {
		uint64_t epoch = atomic_load_explicit(&slots[i].epoch, memory_order_acquire);
		if (epoch && epoch < horizon)
			horizon = epoch;
	}
	return horizon;
}
