/* SPDX-License-Identifier: MIT */
#ifndef BASE_UNICODE_H
#define BASE_UNICODE_H

#include <string.h>

#include "base/error.h"

/*
 * Texts that look the same are the same.
 *
 * Spreadsheets, web pages and editors leave characters in a text that nobody sees: no-break spaces, zero-width spaces,
 * byte order marks, direction marks. And one visible character may be written in several ways: "é" is U+00E9, or "e"
 * and U+0301. To a computer such texts differ; an order key that came in two spellings would be two orders, and two
 * labels.
 *
 *   trimmed    white space (the White_Space property: also U+0085, U+00A0, U+1680, U+2000-200A, U+2028/9, U+202F,
 *              U+205F, U+3000), control characters, and what has no width and no meaning at the end of a text: U+180E,
 *              U+200B-200F, U+2060, U+FEFF
 *   invisible  white space other than U+0020, control characters, the Default_Ignorable_Code_Point property (direction
 *              marks, variation selectors, fillers, tags, …), U+2800 and U+FFF9-FFFB. Unassigned code points count as
 *              invisible: no font has them, and their normal form may change when they are assigned
 *
 * Tables and normal forms are utf8proc's; the normal form of an assigned character never changes. Needs nothing above
 * lib/base; not part of builds without the carrier client. Thread-safe: there is no state.
 */

/* Narrows [*begin, *begin + *length) by what is trimmed, at both ends. Bytes that are not UTF-8 are left where they
 * are. */
void unicode_trim(const char **begin, size_t *length);

/* A longer text is no key. Normalisation takes at most 6 bytes of memory for each byte of the text, for the time of the
 * call. */
#define UNICODE_KEY_BYTES_MAX 4096

/*
 * The one spelling of a key: trimmed, in NFC, NUL-terminated; freed with mem_free(). The key of a key is itself.
 * SHIPOPT_EINVAL if nothing is left or something invisible is left inside (named with its offset in `text`),
 * SHIPOPT_ETOOLARGE, SHIPOPT_EENCODING, SHIPOPT_ENOMEM.
 */
int unicode_key(const char *text, size_t length, char **ret_key, shipopt_error **ret_error);

/*
 * A text as a message shows it, in `shown` of `size` bytes (at least 16), which is returned: what is invisible stands
 * as \u00a0 (\U000e0001 beyond four digits), bytes that are not UTF-8 as \xff. A text that does not fit is cut between
 * characters and ends in "…".
 */
const char *unicode_escape(const char *text, size_t length, char *shown, size_t size);

/* The same of a NUL-terminated text, for the arguments of a format: lives as long as the block around it. */
#define UNICODE_SHOWN_SIZE 96
#define UNICODE_SHOWN(text) unicode_escape((text), strlen(text), (char[UNICODE_SHOWN_SIZE]){0}, UNICODE_SHOWN_SIZE)

#endif
