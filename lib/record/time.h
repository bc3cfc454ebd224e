/* SPDX-License-Identifier: MIT */
#ifndef RECORD_TIME_H
#define RECORD_TIME_H

#include <stddef.h>
#include <stdint.h>

/*
 * Times on the wire, in milliseconds since 1970-01-01 UTC, years 1 to 9999.
 *
 * Read: RFC 3339 with Z or an offset and any number of second fractions, the same without a zone (taken as UTC),
 * a date alone (midnight UTC), and RFC 1123 ("Mon, 02 Jan 2006 15:04:05 GMT" or with a numeric zone). A space may
 * stand for the T. Fractions beyond milliseconds are cut; a leap second is the second behind it. No locale, no
 * time zone of the host.
 *
 * Written: RFC 3339 in UTC, milliseconds only if there are any.
 */
#define TIME_TEXT_SIZE 32

/* SHIPOPT_EPARSE for anything else. */
int time_parse(const char *text, size_t length, int64_t *ret_unix_ms);
void time_format(int64_t unix_ms, char ret_text[TIME_TEXT_SIZE]);

#endif
