/* SPDX-License-Identifier: MIT */
#include "cache/entry/pattern.h"

#include <string.h>

/* Returns how many bytes of the pattern at `p` match the byte `c`, or 0 for no match. */
static size_t pattern_match_one(const char *p, const char *end, char c)
{
	if (p == end)
		return 0;
	if (*p == '?')
		return 1;
	if (*p == '\\' && p + 1 < end)
		return p[1] == c ? 2 : 0;
	return *p == c && *p != '*' ? 1 : 0;
}

bool pattern_matches(const struct pattern *pattern, const char *key, size_t key_length)
{
	if (pattern->is_prefix)
		return key_length >= pattern->length && memcmp(key, pattern->text, pattern->length) == 0;
	const char *p = pattern->text, *pattern_end = p + pattern->length;
	const char *k = key, *key_end = key + key_length;
	const char *star = NULL, *star_key = NULL;
	while (k < key_end) {
		if (p < pattern_end && *p == '*') {
			star = ++p;
			star_key = k;
			continue;
		}
		size_t step = pattern_match_one(p, pattern_end, *k);
		if (step) {
			p += step;
			k++;
		} else if (star) {
			p = star;
			k = ++star_key;
		} else {
			return false;
		}
	}
	while (p < pattern_end && *p == '*')
		p++;
	return p == pattern_end;
}
