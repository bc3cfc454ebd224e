/* SPDX-License-Identifier: MIT */
#include <cstdlib>
#include <new>

/* The test program's `operator new`: passes a fault point, so that the parser's own allocations fail in turn too. */
extern "C" bool fault_point(void);

void *operator new(std::size_t size, const std::nothrow_t &) noexcept
{
	return fault_point() ? nullptr : std::malloc(size ? size : 1);
}

void *operator new[](std::size_t size, const std::nothrow_t &) noexcept
{
	return fault_point() ? nullptr : std::malloc(size ? size : 1);
}

/* The forms that may not fail have to come from the same heap as the deletes. */
void *operator new(std::size_t size)
{
	void *pointer = std::malloc(size ? size : 1);
	if (!pointer)
		std::abort();
	return pointer;
}

void *operator new[](std::size_t size)
{
	return operator new(size);
}

void operator delete(void *pointer) noexcept
{
	std::free(pointer);
}

void operator delete[](void *pointer) noexcept
{
	std::free(pointer);
}

void operator delete(void *pointer, std::size_t) noexcept
{
	std::free(pointer);
}

void operator delete[](void *pointer, std::size_t) noexcept
{
	std::free(pointer);
}
