/* SPDX-License-Identifier: MIT */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

/*
 * Credentials in text that others wrote.
 *
 * Servers, proxies, libcurl and libpq may repeat a credential that they were given: an answer quotes a request header,
 * a message quotes a connection string. Every such text passes secret_blank() before the library reads, keeps, logs or
 * hands out any of it. The text keeps its length, so that a JSON document stays one.
 *
 * A set of forms says what to look for: the byte strings in which a credential was sent.
 *
 *   secret_forms_add         the credential itself ("Bearer KEY" contains it)
 *   secret_forms_add_basic   "user:password" in base64, as in "Authorization: Basic …"
 *
 * An occurrence may spell each byte literally, as "%41", as "\u0041" or, in front of any character, with a backslash
 * ("\/"), in any mixture: percent-encoding and JSON strings in every style. (\u stands for ASCII characters only.) Of
 * base64 the whole groups of four characters are compared and up to four more are blanked, so that it does not matter
 * how the last group is padded or what follows the password.
 *
 * A credential below the length given to secret_forms_init() is not looked for. Blanked, it would take harmless text
 * with it and show by the gaps what it is. SECRET_MESSAGE_BYTES_MIN suits messages for people; in data, where an id or
 * an amount could contain the same bytes, SECRET_DATA_BYTES_MIN makes that improbable. White space around a credential
 * is not part of it: servers strip it from a header.
 *
 * Longer forms go first, as they may contain shorter ones. The search goes on behind each blanked place, so it ends for
 * every credential, one of asterisks included. Time is linear in the length of the text for each form: memmem() for
 * literal occurrences, and an automaton (Knuth, Morris, Pratt) over the decoded text around each backslash and percent
 * sign.
 *
 * A set is immutable once it is filled; any number of threads may then use it. Its memory is cleansed when it is freed.
 */
#define SECRET_MESSAGE_BYTES_MIN 4
#define SECRET_DATA_BYTES_MIN 8

struct secret_form;

struct secret_forms {
	struct secret_form *first; /* the longest one */
	size_t length_min;
};

void secret_forms_init(struct secret_forms *forms, size_t length_min);
/* Also for a set that is all zero. */
void secret_forms_done(struct secret_forms *forms);
/* NULL and "" add nothing. SHIPOPT_ENOMEM. */
int secret_forms_add(struct secret_forms *forms, const char *secret);
int secret_forms_add_basic(struct secret_forms *forms, const char *user, const char *password);

/* Overwrites every occurrence with asterisks. NULL for `forms` leaves the text as it is. */
void secret_blank(char *bytes, size_t length, const struct secret_forms *forms);
void secret_blank_text(char *text, const struct secret_forms *forms);

#endif
