/* SPDX-License-Identifier: MIT */
#ifndef CACHE_PATTERN_H
#define CACHE_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Patterns over keys: "*" is any bytes (none, too), "?" one byte, a backslash takes the next byte as it is. Matching goes back to
 * the last "*" only, so it needs at most pattern × key steps. A plain prefix matches without special bytes.
 */
struct pattern {
	const char *text;
	size_t length;
	bool is_prefix;
};

bool pattern_matches(const struct pattern *pattern, const char *key, size_t key_length);

#endif
