/* SPDX-License-Identifier: MIT */
#ifndef BASE_MACRO_H
#define BASE_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Small language helpers that every file may use. */

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#define PRINTF_LIKE(format_index, first_index) __attribute__((format(printf, format_index, first_index)))
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#define NOINLINE __attribute__((noinline))
#define CACHE_LINE_BYTES 64

/*
 * A thread's own variable that hot paths read: at a fixed offset from the thread pointer instead of by a call. glibc
 * keeps room for such variables of libraries that are loaded later; elsewhere loading one late may be refused, so it is
 * a common one there.
 */
#ifdef __GLIBC__
#define THREAD_LOCAL_HOT __attribute__((tls_model("initial-exec"))) _Thread_local
#else
#define THREAD_LOCAL_HOT _Thread_local
#endif

/* Runs the named `…_cleanup(T **)` when the variable leaves its scope. */
#define CLEANUP(function) __attribute__((cleanup(function)))
#define DEFINE_CLEANUP(type, name, free_function)                                 \
	static inline __attribute__((unused)) void name##_cleanup(type **pointer) \
	{                                                                         \
		free_function(*pointer);                                          \
	}
/* Hands ownership on: the variable is NULL afterwards. */
#define TAKE(pointer)                                   \
	__extension__({                                 \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                       \
		taken_;                                 \
	})

/*
 * A condition that only a bug in this library can break. Never about input, servers or memory: those are errors that
 * are returned. Kept in release builds, because going on with a broken invariant could spend money.
 */
#define ASSERT(condition)                                               \
	do {                                                            \
		if (UNLIKELY(!(condition)))                             \
			assertion_fail(#condition, __FILE__, __LINE__); \
	} while (0)
/* Writes one line, "shipopt: assertion failed: FILE:LINE: CONDITION", to standard error and aborts. It is the only
 * thing that the library ever writes there. A debugger and a core dump show the same line in `assertion_failed`. */
_Noreturn void assertion_fail(const char *condition, const char *file, int line);

#endif
