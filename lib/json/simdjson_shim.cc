/* SPDX-License-Identifier: MIT */
#include "json/simdjson_shim.h"

#include <memory>
#include <new>
#include <simdjson.h>

using simdjson::error_code;

/* simdjson's own parser class hides where values stood in the source; its two halves, used directly, do not. */
struct json_parser {
	std::unique_ptr<simdjson::internal::dom_parser_implementation> implementation;
	simdjson::dom::document document;
	std::unique_ptr<uint32_t[]> places;
	size_t capacity = 0;
};

static_assert(simdjson::SIMDJSON_PADDING <= 64, "JSON_PADDING covers what the parser reads past the end");

static bool parser_allocate(json_parser *parser, size_t capacity, size_t depth)
{
	/* The tape has at most a word for each byte and three more; see dom::document::allocate. */
	parser->places.reset(new (std::nothrow) uint32_t[capacity + 64]);
	if (!parser->places || parser->document.allocate(capacity) != simdjson::SUCCESS)
		return false;
	parser->capacity = capacity;
	return simdjson::get_active_implementation()->create_dom_parser_implementation(capacity, depth,
		       parser->implementation) == simdjson::SUCCESS;
}

json_parser *json_parser_new(size_t capacity, size_t depth)
{
	std::unique_ptr<json_parser> parser(new (std::nothrow) json_parser);
	if (!parser || !parser_allocate(parser.get(), capacity, depth))
		return nullptr;
	return parser.release();
}

void json_parser_free(json_parser *parser)
{
	delete parser;
}

size_t json_parser_capacity(const json_parser *parser)
{
	return parser->capacity;
}

uint32_t *json_parser_places(json_parser *parser)
{
	return parser->places.get();
}

static json_parse_outcome outcome_of(error_code code)
{
	switch (code) {
	case simdjson::SUCCESS: return JSON_PARSE_OK;
	case simdjson::MEMALLOC: return JSON_PARSE_NO_MEMORY;
	case simdjson::UTF8_ERROR: return JSON_PARSE_NOT_UTF8;
	case simdjson::DEPTH_ERROR: return JSON_PARSE_TOO_DEEP;
	default: return JSON_PARSE_SYNTAX;
	}
}

json_parse_outcome json_parser_parse(json_parser *parser, const char *bytes, size_t length, json_tape *ret_tape)
{
	error_code code =
		parser->implementation->parse(reinterpret_cast<const uint8_t *>(bytes), length, parser->document);
	ret_tape->reason = simdjson::error_message(code);
	ret_tape->words = parser->document.tape.get();
	ret_tape->strings = parser->document.string_buf.get();
	ret_tape->structurals = parser->implementation->structural_indexes.get();
	ret_tape->structural_count = parser->implementation->n_structural_indexes;
	return outcome_of(code);
}
