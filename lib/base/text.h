/* SPDX-License-Identifier: MIT */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text without locale: comparisons and numbers mean the same in every host. */

/* The whole text must be UTF-8: no overlong forms, no surrogates (RFC 3629). `ret_offset` (may be NULL) gets the
 * place of the first bad byte. */
bool text_is_utf8(const char *bytes, size_t length, size_t *ret_offset);
/* Puts a question mark in the place of each byte that is not UTF-8, such as those of a character that was cut. */
void text_make_utf8(char *text, size_t length);
bool text_equal(const char *a, const char *b);             /* both NULL is equal */
bool text_equal_ignore_case(const char *a, const char *b); /* ASCII only */
bool text_has_prefix(const char *text, const char *prefix);
bool text_is_empty(const char *text); /* NULL or "" */
/* How many bytes must be added, removed or changed to turn one text into the other (the Levenshtein distance); SIZE_MAX
 * if `b` has TEXT_DISTANCE_BYTES_MAX bytes or more. For "did you mean". */
#define TEXT_DISTANCE_BYTES_MAX 128
size_t text_distance(const char *a, const char *b);
/* Narrows [*begin, *begin + *length) by ASCII white space at both ends. */
void text_trim(const char **begin, size_t *length);
/* The whole text as a decimal integer. SHIPOPT_EPARSE otherwise or when it does not fit. */
int text_parse_i64(const char *text, int64_t *ret_value);

/*
 * Decimal numbers in millionths: "12.5" is 12500000. Digits beyond the sixth are rounded half away from zero.
 * A comma is accepted as the decimal mark ("35,65") when there is no point and at most two digits follow it; an
 * exponent as in "1e2" is accepted, as JSON numbers may have one. SHIPOPT_EPARSE for anything else, SHIPOPT_ETOOLARGE
 * beyond ± 9.2e12.
 */
int decimal_parse(const char *text, size_t length, int64_t *ret_millionths);
/*
 * An amount of money as carriers write it: also with digits grouped by three, "1,234.56", "1.234,56", "1 234,50",
 * "1'234.50", "1,234,567". A point or comma that occurs once, behind all other separators, is the decimal mark; the
 * others must be equal to each other and group by three. A comma with exactly three digits behind it may be either
 * ("1,234"): SHIPOPT_EINVAL. Otherwise as decimal_parse(), which is for what users write and takes no groups.
 */
int decimal_parse_money(const char *text, size_t length, int64_t *ret_millionths);
#define DECIMAL_TEXT_SIZE 32
/* With at least `places_min` digits after the point and no more than needed: 12500000 → "12.50" for 2. */
void decimal_format(int64_t millionths, int places_min, char ret_text[DECIMAL_TEXT_SIZE]);

#endif
