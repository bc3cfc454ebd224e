/* SPDX-License-Identifier: MIT */
#include "pool/query/sql.h"

#include <ctype.h>
#include <string.h>

#include "base/macro.h"

/* Skips a comment, which may contain comments. To the end of the text if it is not closed. */
static const char *sql_skip_block_comment(const char *sql)
{
	size_t depth = 0;
	do {
		if (strncmp(sql, "/*", 2) == 0)
			depth++, sql += 2;
		else if (strncmp(sql, "*/", 2) == 0)
			depth--, sql += 2;
		else
			sql++;
	} while (depth > 0 && *sql);
	return sql;
}

/* Skips white space, comments, empty statements and opening parentheses. */
static const char *sql_skip_blanks(const char *sql)
{
	for (;;) {
		sql += strspn(sql, " \t\r\n\f\v;(");
		if (strncmp(sql, "--", 2) == 0)
			sql += strcspn(sql, "\r\n");
		else if (strncmp(sql, "/*", 2) == 0)
			sql = sql_skip_block_comment(sql);
		else
			return sql;
	}
}

/* Reads the next word in lower case, "" if there is none. Returns what follows it. */
static const char *sql_next_word(const char *sql, char *word, size_t size)
{
	size_t length = 0;
	sql = sql_skip_blanks(sql);
	for (; length + 1 < size && isalpha((unsigned char)*sql); sql++)
		word[length++] = (char)tolower((unsigned char)*sql);
	word[length] = '\0';
	return sql;
}

static bool sql_is_name_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

static bool sql_begins_with(const char *text, const char *lower)
{
	for (; *lower; text++, lower++)
		if (tolower((unsigned char)*text) != *lower)
			return false;
	return true;
}

/* With `is_word` only as a whole word. */
static bool sql_contains(const char *text, const char *lower, bool is_word)
{
	for (const char *at = text; *at; at++) {
		bool is_apart = (at == text || !sql_is_name_byte(at[-1]));
		if ((is_apart || !is_word) && sql_begins_with(at, lower) &&
			(!is_word || !sql_is_name_byte(at[strlen(lower)])))
			return true;
	}
	return false;
}

static bool sql_is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/* May be true for a text that leaves nothing in the session: a reset too many does no harm. */
static bool sql_leaves_traces(const char *sql)
{
	static const char *const traces[] = {"advisory_lock", "set_config", "setseed", "pg_temp", "dblink_connect",
		"session_setup", NULL};
	for (size_t i = 0; traces[i]; i++)
		if (sql_contains(sql, traces[i], false))
			return true;
	return sql_contains(sql, "temp", true) || sql_contains(sql, "temporary", true);
}

unsigned sql_read_marks(const char *sql)
{
	static const char *const prepared[] = {"select", "insert", "update", "delete", "merge", "with", "values", NULL};
	static const char *const commits[] = {"commit", "end", NULL};
	static const char *const rollbacks[] = {"rollback", "abort", NULL};
	static const char *const local[] = {"local", "transaction", NULL};
	static const char *const noise[] = {"work", "transaction", NULL};
	char word[16], second[16], third[16];
	unsigned marks = sql_leaves_traces(sql) ? SQL_DIRTIES : 0;
	sql_next_word(sql_next_word(sql_next_word(sql, word, sizeof(word)), second, sizeof(second)), third,
		sizeof(third));
	bool is_partial = strcmp(sql_is_one_of(second, noise) ? third : second, "to") == 0;
	if (!sql_is_one_of(word, prepared))
		marks |= SQL_ONE_SHOT;
	if (!word[0] || sql_is_one_of(word, commits) || /* a text without a first word may be anything */
		(strcmp(word, "prepare") == 0 && sql_contains(sql, "transaction", false)))
		marks |= SQL_COMMITS | SQL_ENDS_BLOCK;
	if (sql_is_one_of(word, rollbacks))
		marks |= SQL_ROLLS_BACK | (is_partial ? 0 : SQL_ENDS_BLOCK);
	if (strcmp(word, "set") == 0 && sql_is_one_of(second, local))
		marks |= SQL_IS_LOCAL;
	if (strcmp(word, "copy") == 0)
		marks |= (sql_contains(sql, "stdin", true) ? SQL_COPY_IN : 0) |
			(sql_contains(sql, "stdout", true) ? SQL_COPY_OUT : 0);
	return marks;
}
