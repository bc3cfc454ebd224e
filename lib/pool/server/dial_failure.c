/* SPDX-License-Identifier: MIT */
#include "pool/server/dial_failure.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static bool dial_failure_is_code_byte(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

/* The first ":  XXXXX: " in the line; NULL if there is none. */
static char *dial_failure_find_code(char *line)
{
	for (char *at = line; (at = strstr(at, ":  ")); at++) {
		size_t length = 0;
		while (length < SQLSTATE_SIZE - 1 && dial_failure_is_code_byte(at[3 + length]))
			length++;
		if (length == SQLSTATE_SIZE - 1 && at[3 + length] == ':' && at[4 + length] == ' ')
			return at + 3;
	}
	return NULL;
}

/* "DETAIL:  …", "LOCATION:  …", in any language. */
static bool dial_failure_is_field(const char *line)
{
	const char *colon = strchr(line, ':');
	return colon && strncmp(colon, ":  ", 3) == 0;
}

static void dial_failure_add(struct dial_failure *failure, const char *text)
{
	size_t length = strlen(failure->message);
	text += strspn(text, " \t\r");
	snprintf(failure->message + length, sizeof(failure->message) - length, "%s%s", length && *text ? " " : "",
		text);
}

static void dial_failure_read_line(struct dial_failure *failure, char *line)
{
	char *code = dial_failure_find_code(line);
	if (!code && strstr(line, ": ")) /* of another host; a remark, as on the password file, has no colon */
		failure->sqlstate[0] = '\0';
	if (code) {
		memcpy(failure->sqlstate, code, SQLSTATE_SIZE - 1);
		failure->sqlstate[SQLSTATE_SIZE - 1] = '\0';
		memmove(code, code + SQLSTATE_SIZE + 1, strlen(code + SQLSTATE_SIZE + 1) + 1);
	}
	dial_failure_add(failure, line);
}

void dial_failure_read(struct dial_failure *failure, char *text)
{
	bool is_in_server_error = false;
	*failure = (struct dial_failure){.status = SHIPOPT_ENETWORK};
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		if (text_is_empty(line) ||
			(is_in_server_error && dial_failure_is_field(line) && !dial_failure_find_code(line)))
			continue;
		dial_failure_read_line(failure, line);
		is_in_server_error = failure->sqlstate[0] != '\0';
	}
	text_make_utf8(failure->message, strlen(failure->message));
	if (failure->sqlstate[0])
		failure->status = sqlstate_connect_code(failure->sqlstate);
}
