/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <openssl/crypto.h>
#include <shipopt/error.h>
#include <shipopt/memory.h>
#include <stdatomic.h>
#include <string.h>

#include "base/fault.h"

static void *memory_default_malloc(size_t size, void *userdata)
{
	return malloc(size);
}

static void *memory_default_realloc(void *pointer, size_t size, void *userdata)
{
	return realloc(pointer, size);
}

static void memory_default_free(void *pointer, void *userdata)
{
	free(pointer);
}

static struct {
	shipopt_malloc_fn malloc_fn;
	shipopt_realloc_fn realloc_fn;
	shipopt_free_fn free_fn;
	void *userdata;
} allocator = {memory_default_malloc, memory_default_realloc, memory_default_free, NULL};

/* One relaxed add per allocation: a few nanoseconds that make leaks visible to every test. */
static atomic_uint_fast64_t live_count;

int shipopt_allocator_set(shipopt_malloc_fn malloc_fn, shipopt_realloc_fn realloc_fn, shipopt_free_fn free_fn,
	void *userdata)
{
	int given = (malloc_fn != NULL) + (realloc_fn != NULL) + (free_fn != NULL);
	if (given != 0 && given != 3)
		return SHIPOPT_EINVAL;
	if (mem_live_count() != 0)
		return SHIPOPT_EBUSY;
	allocator.malloc_fn = given ? malloc_fn : memory_default_malloc;
	allocator.realloc_fn = given ? realloc_fn : memory_default_realloc;
	allocator.free_fn = given ? free_fn : memory_default_free;
	allocator.userdata = userdata;
	return 0;
}

void shipopt_free(void *pointer)
{
	mem_free(pointer);
}

void *mem_alloc(size_t size)
{
	void *pointer = fault_point() ? NULL : allocator.malloc_fn(MAX(size, 1), allocator.userdata);
	if (pointer)
		atomic_fetch_add_explicit(&live_count, 1, memory_order_relaxed);
	return pointer;
}

void *mem_alloc_zero(size_t size)
{
	void *pointer = mem_alloc(size);
	if (pointer)
		memset(pointer, 0, size);
	return pointer;
}

void *mem_alloc_array(size_t count, size_t size)
{
	size_t total;
	return size_multiply(count, size, &total) ? mem_alloc_zero(total) : NULL;
}

void *mem_realloc(void *pointer, size_t size)
{
	if (!pointer)
		return mem_alloc(size);
	return fault_point() ? NULL : allocator.realloc_fn(pointer, MAX(size, 1), allocator.userdata);
}

void mem_free(void *pointer)
{
	if (!pointer)
		return;
	atomic_fetch_sub_explicit(&live_count, 1, memory_order_relaxed);
	allocator.free_fn(pointer, allocator.userdata);
}

char *mem_copy_text(const char *text)
{
	return text ? mem_copy_bytes(text, strlen(text)) : NULL;
}

char *mem_copy_bytes(const void *bytes, size_t length)
{
	size_t size;
	char *copy = size_add(length, 1, &size) ? mem_alloc(size) : NULL;
	if (!copy)
		return NULL;
	if (length)
		memcpy(copy, bytes, length);
	copy[length] = '\0';
	return copy;
}

void mem_cleanse(void *pointer, size_t length)
{
	if (pointer)
		OPENSSL_cleanse(pointer, length);
}

void mem_free_secret(char *secret)
{
	if (secret)
		mem_cleanse(secret, strlen(secret));
	mem_free(secret);
}

uint64_t mem_live_count(void)
{
	return atomic_load_explicit(&live_count, memory_order_relaxed);
}
