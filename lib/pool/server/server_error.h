/* SPDX-License-Identifier: MIT */
#ifndef POOL_SERVER_SERVER_ERROR_H
#define POOL_SERVER_SERVER_ERROR_H

#include "pool/server/conninfo.h"

/*
 * The message of an error that the server reports.
 *
 * It is the server's primary message without secrets, and the place of the error where the server names one:
 *
 *	syntax error at or near "selec" (line 1, column 1 of the statement)
 *	invalid input syntax for type numeric: "abc" (line 7, column amount of the data)
 *
 * DETAIL, HINT and CONTEXT are left out, because they quote stored rows and the text of functions. Of the CONTEXT of a
 * COPY the line number and the name of the column are read, if the server writes it in English; the value that follows
 * is not.
 */
#define SERVER_ERROR_SIZE 1152

/* `sql` is the text of the statement, for a position in it. It may be NULL. */
void server_error_read(const struct conninfo *conninfo, PGconn *pg, const PGresult *result, const char *sql,
	char text[SERVER_ERROR_SIZE]);
/* True for an error that ends the statement only, not for one that ends the connection. */
bool server_error_is_refusal(const PGresult *result);
/* The place that a CONTEXT names, as " (line 7, column amount of the data)"; "" without one. `context` may be NULL. */
void server_error_read_copy_place(const char *context, char *text, size_t size);
/* The place of the character at `position`, from 1; "" without one. */
void server_error_read_statement_place(const char *sql, const char *position, char *text, size_t size);

#endif
