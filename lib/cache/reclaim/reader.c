/* SPDX-License-Identifier: MIT */
#include "cache/reclaim/reader.h"

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
bool reader_needs_fence(void)
{
	return !reader_has_barrier;
}

bool reader_barrier_prepare(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0;
}

bool reader_barrier(void)
{
	reader_full_fence();
	return !reader_has_barrier || syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) == 0;
}
#else
bool reader_needs_fence(void)
{
#ifdef SHIPOPT_TSAN
	return false; /* they exchange instead of storing, which is a fence */
#else
	return true;
#endif
}

bool reader_barrier_prepare(void)
{
	return false;
}

bool reader_barrier(void)
{
	reader_full_fence();
	return true;
}
#endif

unsigned reader_count(void)
{
	return atomic_load(&slots_used);
}

void reader_raise_count(unsigned count)
{
	unsigned used = atomic_load(&slots_used);
	while (used < count && !atomic_compare_exchange_weak(&slots_used, &used, count))
		;
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
	/* Sections that begin from now on have an epoch above every tag given so far. */
	uint64_t horizon = atomic_fetch_add(&reader_epoch, 1) + 1;
	/* If the system call fails, after it worked at first, nothing can be freed safely, so nothing is. */
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
