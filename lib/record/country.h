/* SPDX-License-Identifier: MIT */
#ifndef RECORD_COUNTRY_H
#define RECORD_COUNTRY_H

/*
 * Countries as people write them. Carriers want the two letters of ISO 3166-1; order files have those, three letters,
 * or a name ("United States", "Deutschland"). The tables are compiled in: no locale, no files.
 */

/* The two-letter code, static; NULL if the text names no country. Case (of ASCII) and outer white space do not
 * matter. */
const char *country_find(const char *text);

#endif
