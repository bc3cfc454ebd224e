/* SPDX-License-Identifier: MIT */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/*
 * The one way to allocate. Everything goes through the process-wide allocator of <shipopt/memory.h>; callers
 * check for NULL and return SHIPOPT_ENOMEM. A count of live blocks guards the replacement of the allocator and
 * lets tests see leaks.
 */
void *mem_alloc(size_t size);
void *mem_alloc_zero(size_t size);
void *mem_alloc_array(size_t count, size_t size); /* zeroed; NULL on overflow of the product */
void *mem_realloc(void *pointer, size_t size);    /* size > 0 */
void mem_free(void *pointer);
char *mem_copy_text(const char *text);                  /* NULL gives NULL */
char *mem_copy_bytes(const void *bytes, size_t length); /* adds a NUL after the bytes */

/* Overwrites secrets; not removed by the optimiser. */
void mem_cleanse(void *pointer, size_t length);
/* Cleanses a NUL-terminated secret and frees it. Accepts NULL. */
void mem_free_secret(char *secret);

/* Blocks currently held. */
uint64_t mem_live_count(void);

/* size_t arithmetic that says when it overflows. */
static inline bool size_add(size_t a, size_t b, size_t *ret_sum)
{
	return !__builtin_add_overflow(a, b, ret_sum);
}

static inline bool size_multiply(size_t a, size_t b, size_t *ret_product)
{
	return !__builtin_mul_overflow(a, b, ret_product);
}

static inline void mem_free_cleanup(void *pointer)
{
	mem_free(*(void **)pointer);
}
#define CLEANUP_FREE CLEANUP(mem_free_cleanup)

#endif
