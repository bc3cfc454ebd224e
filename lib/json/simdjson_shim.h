/* SPDX-License-Identifier: MIT */
#ifndef JSON_SIMDJSON_SHIM_H
#define JSON_SIMDJSON_SHIM_H

#include <stddef.h>
#include <stdint.h>

/*
 * The C face of simdjson: a parser that turns bytes into a tape. No exception and no C++ type passes through.
 * The results stay in the parser's memory until its next parse. Memory comes from `operator new (std::nothrow)`.
 * One thread at a time. json.c is the one user and explains the tape.
 */
#ifdef __cplusplus
extern "C" {
#endif

struct json_parser;

enum json_parse_outcome {
	JSON_PARSE_OK,
	JSON_PARSE_NO_MEMORY,
	JSON_PARSE_NOT_UTF8,
	JSON_PARSE_TOO_DEEP,
	JSON_PARSE_SYNTAX
};

/* What one parse left; all memory is the parser's. */
struct json_tape {
	const uint64_t *words;
	const uint8_t *strings;      /* a string: 4 bytes of length, the bytes, a NUL */
	const uint32_t *structurals; /* where in the source brackets, commas, colons, strings and atoms begin */
	uint32_t structural_count;
	const char *reason; /* of JSON_PARSE_SYNTAX; static */
};

/* Takes inputs shorter than `capacity`. NULL when out of memory. */
struct json_parser *json_parser_new(size_t capacity, size_t depth);
void json_parser_free(struct json_parser *parser);
size_t json_parser_capacity(const struct json_parser *parser);
/* Room for one place for each word that a tape can have; uninitialised, for the caller's use. */
uint32_t *json_parser_places(struct json_parser *parser);
/* `bytes` are followed by 64 readable ones. */
enum json_parse_outcome json_parser_parse(struct json_parser *parser, const char *bytes, size_t length,
	struct json_tape *ret_tape);

#ifdef __cplusplus
}
#endif

#endif
