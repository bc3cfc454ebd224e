/* SPDX-License-Identifier: MIT */
#include "store_v1.h"

#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DUMP_BYTES_MAX 65536

sqlite3 *store_v1_open(const char *path, const char *vfs)
{
	sqlite3 *handle;
	assert_int_equal(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, vfs), SQLITE_OK);
	sqlite3_busy_timeout(handle, 60000);
	return handle;
}

static void run(sqlite3 *handle, const char *text)
{
	char *message = NULL;
	if (sqlite3_exec(handle, text, NULL, NULL, &message) != SQLITE_OK)
		fail_msg("%s: %.200s", message, text);
}

void store_v1_make(const char *path, const char *vfs, const char *more)
{
	static char dump[DUMP_BYTES_MAX];
	FILE *file = fopen(SOURCE_ROOT "/tests/fixtures/store_v1.sql", "rb");
	assert_non_null(file);
	size_t length = fread(dump, 1, sizeof(dump) - 1, file);
	assert_true(length < sizeof(dump) - 1);
	fclose(file);
	dump[length] = '\0';
	sqlite3 *handle = store_v1_open(path, vfs);
	run(handle, dump);
	run(handle, more ? more : "");
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

void store_v1_sql(const char *path, const char *text)
{
	sqlite3 *handle = store_v1_open(path, NULL);
	run(handle, text);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

long long store_v1_number(const char *path, const char *text)
{
	sqlite3 *handle = store_v1_open(path, NULL);
	sqlite3_stmt *statement;
	if (sqlite3_prepare_v2(handle, text, -1, &statement, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sqlite3_errmsg(handle), text);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	long long value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	return value;
}

bool store_v1_says(const char *path, const char *text, const char *word, const char *other_word)
{
	sqlite3 *handle = store_v1_open(path, NULL);
	sqlite3_stmt *statement;
	assert_int_equal(sqlite3_prepare_v2(handle, text, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	const char *said = (const char *)sqlite3_column_text(statement, 0);
	bool says = said && strstr(said, word) && strstr(said, other_word);
	if (!says)
		print_message("%s: %s\n", text, said ? said : "NULL");
	sqlite3_finalize(statement);
	assert_int_equal(sqlite3_close(handle), SQLITE_OK);
	return says;
}
