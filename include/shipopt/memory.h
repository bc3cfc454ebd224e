/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_MEMORY_H
#define SHIPOPT_MEMORY_H

#include <shipopt/export.h>

SHIPOPT_BEGIN_DECLS

/*
 * The allocator. The process has one, because records and configurations are made without a runtime. The default is
 * malloc, realloc and free. The three functions may be called on several threads at once and must return memory aligned
 * for any type. `realloc_fn(NULL, size, …)` allocates, `free_fn(NULL, …)` does nothing.
 */
typedef void *(*shipopt_malloc_fn)(size_t size, void *userdata);
typedef void *(*shipopt_realloc_fn)(void *pointer, size_t size, void *userdata);
typedef void (*shipopt_free_fn)(void *pointer, void *userdata);

/*
 * Replaces the allocator. NULL for all three functions restores the default. The functions get `userdata` with each
 * call; it must stay valid until the last one. Do not call this while another thread uses the library.
 * Returns 0. SHIPOPT_EINVAL if some but not all functions are NULL, SHIPOPT_EBUSY while the library holds memory. Since
 * 0.1.
 */
SHIPOPT_API int shipopt_allocator_set(shipopt_malloc_fn malloc_fn, shipopt_realloc_fn realloc_fn,
	shipopt_free_fn free_fn, void *userdata);

/* Frees memory that a function of this library returned to the caller to free; the function's comment says so. Accepts
 * NULL. Any thread. Since 0.1. */
SHIPOPT_API void shipopt_free(void *pointer);

SHIPOPT_END_DECLS

#endif
