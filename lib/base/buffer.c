/* SPDX-License-Identifier: MIT */
#include "base/buffer.h"

#include <shipopt/error.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

#define BUFFER_CAPACITY_FIRST 128

void buffer_init(struct buffer *buffer, size_t limit)
{
	buffer_init_padded(buffer, limit, 0);
}

void buffer_init_padded(struct buffer *buffer, size_t limit, size_t padding)
{
	*buffer = (struct buffer){.limit = limit, .padding = padding};
}

void buffer_done(struct buffer *buffer)
{
	mem_free(buffer->data);
	*buffer = (struct buffer){.limit = buffer->limit, .padding = buffer->padding};
}

void buffer_clear(struct buffer *buffer)
{
	buffer->length = 0;
	if (buffer->data)
		memset(buffer->data, 0, 1 + buffer->padding);
}

int buffer_reserve(struct buffer *buffer, size_t extra)
{
	size_t needed;
	if (extra > buffer->limit || buffer->length > buffer->limit - extra)
		return SHIPOPT_ETOOLARGE;
	if (!size_add(buffer->length + extra, 1 + buffer->padding, &needed))
		return SHIPOPT_ETOOLARGE;
	if (buffer->data && needed <= buffer->capacity)
		return 0;
	size_t capacity = MAX(needed, BUFFER_CAPACITY_FIRST);
	if (buffer->capacity <= SIZE_MAX / 2)
		capacity = MAX(capacity, buffer->capacity * 2);
	char *data = mem_realloc(buffer->data, capacity);
	if (!data)
		return SHIPOPT_ENOMEM;
	memset(data + buffer->length, 0, 1 + buffer->padding);
	buffer->data = data;
	buffer->capacity = capacity;
	return 0;
}

int buffer_append(struct buffer *buffer, const void *bytes, size_t length)
{
	int r = buffer_reserve(buffer, length);
	if (r < 0)
		return r;
	if (length)
		memcpy(buffer->data + buffer->length, bytes, length);
	buffer->length += length;
	memset(buffer->data + buffer->length, 0, 1 + buffer->padding);
	return 0;
}

int buffer_append_text(struct buffer *buffer, const char *text)
{
	return buffer_append(buffer, text, strlen(text));
}

int buffer_append_byte(struct buffer *buffer, char byte)
{
	return buffer_append(buffer, &byte, 1);
}

int buffer_append_format_list(struct buffer *buffer, const char *format, va_list list)
{
	va_list measure;
	va_copy(measure, list);
	int length = vsnprintf(NULL, 0, format, measure);
	va_end(measure);
	if (length < 0)
		return SHIPOPT_EINVAL;
	int r = buffer_reserve(buffer, (size_t)length);
	if (r < 0)
		return r;
	vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, list);
	buffer->length += (size_t)length;
	memset(buffer->data + buffer->length, 0, 1 + buffer->padding);
	return 0;
}

int buffer_append_format(struct buffer *buffer, const char *format, ...)
{
	va_list list;
	va_start(list, format);
	int r = buffer_append_format_list(buffer, format, list);
	va_end(list);
	return r;
}

char *buffer_take(struct buffer *buffer)
{
	if (!buffer->data && buffer_reserve(buffer, 0) < 0)
		return NULL;
	char *data = TAKE(buffer->data);
	buffer->length = 0;
	buffer->capacity = 0;
	return data;
}
