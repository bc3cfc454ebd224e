/* SPDX-License-Identifier: MIT */
#include "base/unicode.h"

#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "base/memory.h"
#include "base/text.h"

#define SEQUENCE_BYTES_MAX 4
#define PIECE_SIZE sizeof("\\U0010ffff")
#define ELLIPSIS "…"

/* The character in front of `text` and its size in bytes; 0: none, or not UTF-8. */
static size_t unicode_first(const char *text, size_t length, utf8proc_int32_t *ret_character)
{
	const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
	utf8proc_ssize_t size = length > 0 ? utf8proc_iterate(bytes, (utf8proc_ssize_t)length, ret_character) : 0;
	return size > 0 ? (size_t)size : 0;
}

/* The same at the end of `text`. */
static size_t unicode_last(const char *text, size_t length, utf8proc_int32_t *ret_character)
{
	for (size_t size = 1; size <= SEQUENCE_BYTES_MAX && size <= length; size++)
		if (((unsigned char)text[length - size] & 0xc0) != 0x80)
			return unicode_first(text + length - size, size, ret_character) == size ? size : 0;
	return 0;
}

static bool unicode_is_between(utf8proc_int32_t character, utf8proc_int32_t first, utf8proc_int32_t last)
{
	return character >= first && character <= last;
}

/* White space and control characters, but for U+0020. */
static bool unicode_is_blank(utf8proc_int32_t character)
{
	switch (utf8proc_category(character)) {
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP: return true;
	case UTF8PROC_CATEGORY_ZS: return character != ' ';
	default: return false;
	}
}

static bool unicode_is_trimmed(utf8proc_int32_t character)
{
	return character == ' ' || unicode_is_blank(character) || character == 0x180e ||
		unicode_is_between(character, 0x200b, 0x200f) || character == 0x2060 || character == 0xfeff;
}

static bool unicode_is_invisible(utf8proc_int32_t character)
{
	if (unicode_is_between(character, ' ', '~'))
		return false;
	return unicode_is_blank(character) || utf8proc_get_property(character)->ignorable || character == 0x2800 ||
		unicode_is_between(character, 0xfff9, 0xfffb) || utf8proc_category(character) == UTF8PROC_CATEGORY_CN;
}

void unicode_trim(const char **begin, size_t *length)
{
	utf8proc_int32_t character;
	size_t size;
	while ((size = unicode_first(*begin, *length, &character)) > 0 && unicode_is_trimmed(character)) {
		*begin += size;
		*length -= size;
	}
	while ((size = unicode_last(*begin, *length, &character)) > 0 && unicode_is_trimmed(character))
		*length -= size;
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

static int unicode_key_check(const char *key, size_t length, size_t offset, shipopt_error **ret_error)
{
	char shown[UNICODE_SHOWN_SIZE];
	utf8proc_int32_t character = 0;
	size_t size;
	for (size_t at = 0; at < length; at += size) {
		size = unicode_first(key + at, length - at, &character);
		if (size == 0)
			return error_set(ret_error, SHIPOPT_EENCODING,
				"byte 0x%02x at offset %zu of the key is not UTF-8", (unsigned char)key[at],
				offset + at);
		if (unicode_is_invisible(character))
			return error_set(ret_error, SHIPOPT_EINVAL,
				"the key \"%s\" has %s at offset %zu, a character that cannot be seen: take it out",
				unicode_escape(key, length, shown, sizeof(shown)),
				unicode_escape(key + at, size, (char[PIECE_SIZE]){0}, PIECE_SIZE), offset + at);
	}
	return 0;
}

/* utf8proc works on 32-bit characters and writes the bytes over them. */
static int unicode_key_normalise(const char *key, size_t length, char **ret_key)
{
	const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)key;
	const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
	utf8proc_ssize_t count = utf8proc_decompose(bytes, (utf8proc_ssize_t)length, NULL, 0, options);
	if (count < 0)
		return SHIPOPT_EINTERNAL;
	utf8proc_int32_t *characters CLEANUP_FREE = mem_alloc_array((size_t)count + 1, sizeof(*characters));
	if (!characters)
		return SHIPOPT_ENOMEM;
	count = utf8proc_decompose(bytes, (utf8proc_ssize_t)length, characters, count, options);
	count = count < 0 ? count : utf8proc_reencode(characters, count, options);
	if (count < 0)
		return SHIPOPT_EINTERNAL;
	*ret_key = mem_copy_bytes(characters, (size_t)count);
	return *ret_key ? 0 : SHIPOPT_ENOMEM;
}

int unicode_key(const char *text, size_t length, char **ret_key, shipopt_error **ret_error)
{
	const char *key = text;
	unicode_trim(&key, &length);
	if (length == 0)
		return error_set(ret_error, SHIPOPT_EINVAL, "the key is empty");
	if (length > UNICODE_KEY_BYTES_MAX)
		return error_set(ret_error, SHIPOPT_ETOOLARGE, "the key has %zu bytes, the limit is %d", length,
			UNICODE_KEY_BYTES_MAX);
	int r = unicode_key_check(key, length, (size_t)(key - text), ret_error);
	return r < 0 ? r : unicode_key_normalise(key, length, ret_key);
}

/* ---- messages ---------------------------------------------------------------------------------------------- */

/* Writes what stands for the first character of a text; returns its size in the text. */
static size_t unicode_escape_first(const char *text, size_t length, char piece[PIECE_SIZE])
{
	utf8proc_int32_t character = 0;
	size_t size = unicode_first(text, length, &character);
	if (size == 0) {
		snprintf(piece, PIECE_SIZE, "\\x%02x", (unsigned char)*text);
		return 1;
	}
	if (unicode_is_invisible(character)) {
		snprintf(piece, PIECE_SIZE, character > 0xffff ? "\\U%08x" : "\\u%04x", (unsigned)character);
		return size;
	}
	memcpy(piece, text, size);
	piece[size] = '\0';
	return size;
}

const char *unicode_escape(const char *text, size_t length, char *shown, size_t size)
{
	size_t used = 0, cut = 0;
	while (length > 0) {
		char piece[PIECE_SIZE];
		size_t taken = unicode_escape_first(text, length, piece), written = strlen(piece);
		if (used + sizeof(ELLIPSIS) <= size)
			cut = used;
		if (used + written + 1 > size) {
			memcpy(shown + cut, ELLIPSIS, sizeof(ELLIPSIS));
			return shown;
		}
		memcpy(shown + used, piece, written);
		used += written;
		text += taken;
		length -= taken;
	}
	shown[used] = '\0';
	return shown;
}
