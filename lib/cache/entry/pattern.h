/* SPDX-License-Identifier: MIT */
#ifndef CACHE_PATTERN_H
#define CACHE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Patterns for keys: "*" matches any bytes, also none; "?" matches one byte; a backslash makes the next byte literal.
 * On a mismatch the matcher goes back to the last "*" only, so it needs at most pattern length × key length steps. With
 * `is_prefix` the text has no special bytes, and a key matches that begins with it.
 */
struct pattern {
	const char *text;
	size_t length;
	bool is_prefix;
};

bool pattern_matches(const struct pattern *pattern, const char *key, size_t key_length);

#endif
