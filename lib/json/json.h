/* SPDX-License-Identifier: MIT */
#ifndef JSON_JSON_H
#define JSON_JSON_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * JSON, read and written.
 *
 * Reading: `json_document_parse` hands the bytes to the parser (simdjson behind simdjson_shim.cc; the only C++ in
 * the library) and gives a document whose values are small handles, valid until `json_document_free`. One document
 * belongs to one thread at a time. Nothing above this layer keeps a value: records copy what they want.
 *
 * What a parse leaves is simdjson's tape, a documented array of 64-bit words: the top byte says what a word is
 * ('{' '}' '[' ']' '"' 'l' 'u' 'd' 't' 'f' 'n'), the rest is a place: of an opening bracket the word behind its
 * closing one, of a string its bytes in the string store. A value is a place on the tape, so reading is arithmetic
 * and never fails for want of memory. The tape does not say where in the source a value stood; the places of
 * all brackets, strings, numbers and atoms are still known from the parser's first stage, in the same order, and are
 * matched up once, when the first source text is asked for. Numbers that are wanted as text come from there, so
 * that "34.15" never passes through a float.
 *
 * A parser's memory is worth keeping: up to JSON_STOCK parsers with room for JSON_STOCK_CAPACITY bytes each wait
 * in a stock that all threads share (some 2 MiB each when fully used); `json_stock_clear` empties it. They are
 * made by `operator new`, not by the library's allocator: simdjson offers no choice.
 *
 * Bounds: input up to JSON_SIZE_MAX, depth JSON_DEPTH_MAX. A number beyond the range of a double, or an integer
 * beyond 64 bits, is SHIPOPT_EPARSE for the whole document. A byte order mark in front is skipped.
 *
 * Input must be followed by JSON_PADDING readable bytes to be read in place (`json_document_parse_padded`, what
 * response buffers have); `json_document_parse` copies.
 *
 * Writing: a `struct json_writer` appends to a bounded buffer and sees to commas, nesting and escapes. The first
 * failure sticks: write everything, then look at `json_writer_finish`.
 */
#define JSON_PADDING 64
#define JSON_DEPTH_MAX 64
#define JSON_SIZE_MAX ((size_t)8 << 20)
#define JSON_STOCK 16
#define JSON_STOCK_CAPACITY ((size_t)128 << 10)

typedef struct json_document json_document;

/* A value inside a document. Copy freely. */
struct json_value {
	json_document *document;
	uint32_t place; /* on the tape */
};

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* SHIPOPT_EPARSE names the reason; SHIPOPT_EENCODING, SHIPOPT_ETOOLARGE (the size or the depth), SHIPOPT_ENOMEM.
 * The document borrows padded bytes until it is freed. */
int json_document_parse(const char *bytes, size_t length, json_document **ret_document, shipopt_error **ret_error);
int json_document_parse_padded(const char *bytes, size_t length, json_document **ret_document,
	shipopt_error **ret_error);
void json_document_free(json_document *document);
DEFINE_CLEANUP(json_document, json_document_free, json_document_free)
#define CLEANUP_JSON CLEANUP(json_document_free_cleanup)

/* Frees the parsers in stock. Any thread. */
void json_stock_clear(void);

struct json_value json_root(json_document *document);
enum json_type json_type(struct json_value value);

/* Member by key. True and *ret_value if `value` is an object that has it; false otherwise, also for other types. */
bool json_get(struct json_value value, const char *key, struct json_value *ret_value);
/* Path of keys: json_get twice. */
bool json_get2(struct json_value value, const char *key, const char *key2, struct json_value *ret_value);
/* String contents (NUL-terminated, unescaped, lives with the document); false for any other type. A string with
 * an embedded NUL is cut for `ret_text` and whole by `ret_length` (may be NULL). */
bool json_text(struct json_value value, const char **ret_text, size_t *ret_length);
/* The member's string or NULL: json_get and json_text in one. */
const char *json_get_text(struct json_value value, const char *key);
bool json_bool(struct json_value value, bool *ret_value);
/* A number that is an integer in the range of int64; false for others. */
bool json_i64(struct json_value value, int64_t *ret_value);
/* The bytes of a value as they stand in the source: a number's digits, an object's whole text. */
bool json_source(struct json_value value, const char **ret_bytes, size_t *ret_length);

/* Iteration: `struct json_iterator it; for (json_items(array, &it); json_next(&it);) … it.value`, for objects
 * json_members and it.key (NUL-terminated). A value of another type has no items. */
struct json_iterator {
	struct json_value value;
	const char *key;
	size_t key_length;
	uint32_t next, end; /* places on the tape */
	bool is_object;
};
void json_items(struct json_value array, struct json_iterator *iterator);
void json_members(struct json_value object, struct json_iterator *iterator);
bool json_next(struct json_iterator *iterator);
size_t json_count(struct json_value value); /* items of an array, members of an object, else 0 */

struct json_writer {
	struct buffer *buffer; /* borrowed; what stands in it already is kept */
	int status;            /* first failure */
	unsigned depth;
	bool comma[JSON_DEPTH_MAX + 1];
};

void json_writer_init(struct json_writer *writer, struct buffer *buffer);
void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
void json_write_key(struct json_writer *writer, const char *key);
void json_write_text(struct json_writer *writer, const char *text); /* NULL writes null; must be UTF-8 */
void json_write_bytes(struct json_writer *writer, const char *text, size_t length);
void json_write_i64(struct json_writer *writer, int64_t value);
void json_write_decimal(struct json_writer *writer, int64_t millionths); /* as a number: 12.5 */
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
/* Bytes that are JSON already. Not checked. */
void json_write_raw(struct json_writer *writer, const char *json, size_t length);
/* Key and value in one. */
void json_member_text(struct json_writer *writer, const char *key, const char *text);
void json_member_i64(struct json_writer *writer, const char *key, int64_t value);
void json_member_bool(struct json_writer *writer, const char *key, bool value);
/* 0, or the first failure: SHIPOPT_ENOMEM, SHIPOPT_ETOOLARGE (the buffer's limit or the depth),
 * SHIPOPT_EENCODING. Containers must be closed. */
int json_writer_finish(struct json_writer *writer);

#endif
