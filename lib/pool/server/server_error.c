/* SPDX-License-Identifier: MIT */
#include "pool/server/server_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define SERVER_ERROR_PLACE_SIZE 192
#define COLUMN_NAME_BYTES_MAX 63 /* NAMEDATALEN - 1 */

/* The first line that begins with "COPY ". Data is quoted after it only. */
static const char *server_error_find_copy(const char *context)
{
	while (context && !text_has_prefix(context, "COPY ")) {
		context = strchr(context, '\n');
		context = context ? context + 1 : NULL;
	}
	return context;
}

/* The server writes "COPY table, line 7, column amount: "abc"" or less of it. */
void server_error_read_copy_place(const char *context, char *text, size_t size)
{
	static const char line_mark[] = ", line ", column_mark[] = ", column ";
	const char *copy = server_error_find_copy(context), *line = copy ? strstr(copy, line_mark) : NULL;
	text[0] = '\0';
	if (!line)
		return;
	line += strlen(line_mark);
	size_t digits = strspn(line, "0123456789"), length = 0;
	const char *column = line + digits;
	if (digits == 0)
		return;
	if (text_has_prefix(column, column_mark)) {
		column += strlen(column_mark);
		length = strcspn(column, ":\n");
	}
	if (length == 0 || length > COLUMN_NAME_BYTES_MAX)
		snprintf(text, size, " (line %.*s of the data)", (int)MIN(digits, (size_t)19), line);
	else
		snprintf(text, size, " (line %.*s, column %.*s of the data)", (int)MIN(digits, (size_t)19), line,
			(int)length, column);
}

static bool server_error_is_first_byte(char c)
{
	return ((unsigned char)c & 0xC0) != 0x80;
}

void server_error_read_statement_place(const char *sql, const char *position, char *text, size_t size)
{
	int64_t left = 0, line = 1, column = 1;
	text[0] = '\0';
	if (!sql || !position || text_parse_i64(position, &left) < 0 || left < 1)
		return;
	for (; *sql && left > 1; sql++) {
		bool is_line_end = *sql == '\n';
		line += is_line_end;
		column = is_line_end ? 1 : column + server_error_is_first_byte(sql[1]);
		left -= server_error_is_first_byte(sql[1]);
	}
	snprintf(text, size, " (line %" PRId64 ", column %" PRId64 " of the statement)", line, column);
}

void server_error_read(const struct conninfo *conninfo, PGconn *pg, const PGresult *result, const char *sql,
	char text[SERVER_ERROR_SIZE])
{
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char place[SERVER_ERROR_PLACE_SIZE], said[SERVER_ERROR_SIZE - SERVER_ERROR_PLACE_SIZE];
	server_error_read_copy_place(PQresultErrorField(result, PG_DIAG_CONTEXT), place, sizeof(place));
	if (!place[0])
		server_error_read_statement_place(sql, PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION), place,
			sizeof(place));
	conninfo_copy_said(conninfo, pg, primary ? primary : "no message", said, sizeof(said));
	snprintf(text, SERVER_ERROR_SIZE, "%s%s", said, place);
}

bool server_error_is_refusal(const PGresult *result)
{
	return text_equal(PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED), "ERROR");
}
