/* SPDX-License-Identifier: MIT */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

#include "base/macro.h"

/*
 * A growable byte buffer that is born with a limit.
 *
 * The bytes are always followed by a NUL that `length` does not count, so they can be read as text. A failed
 * append leaves the content as it was and returns SHIPOPT_ETOOLARGE (the limit) or SHIPOPT_ENOMEM. The struct
 * belongs to its owner; only `data` is allocated. Not thread-safe. `padding` bytes beyond the NUL are
 * allocated and zeroed for readers that load past the end (the JSON reader).
 */
struct buffer {
	char *data; /* NULL until the first append */
	size_t length;
	size_t capacity;
	size_t limit;
	size_t padding;
};

#define BUFFER_LIMIT_DEFAULT ((size_t)8 << 20)

void buffer_init(struct buffer *buffer, size_t limit);
void buffer_init_padded(struct buffer *buffer, size_t limit, size_t padding);
void buffer_done(struct buffer *buffer);
void buffer_clear(struct buffer *buffer); /* keeps the memory */
int buffer_reserve(struct buffer *buffer, size_t extra);
int buffer_append(struct buffer *buffer, const void *bytes, size_t length);
int buffer_append_text(struct buffer *buffer, const char *text);
int buffer_append_byte(struct buffer *buffer, char byte);
int buffer_append_format(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
int buffer_append_format_list(struct buffer *buffer, const char *format, va_list list) PRINTF_LIKE(2, 0);
/* Hands the bytes over (NUL-terminated, to be freed with mem_free) and leaves the buffer empty; "" is
 * allocated for an empty one. NULL when out of memory. */
char *buffer_take(struct buffer *buffer);
/* The content as text; "" for an empty buffer. */
static inline const char *buffer_text(const struct buffer *buffer)
{
	return buffer->data ? buffer->data : "";
}

#endif
