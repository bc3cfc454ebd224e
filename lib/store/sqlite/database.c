/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/sqlite/database.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/sqlite/filesystem.h"
#include "store/sqlite/migrate.h"
#include "store/sqlite/schema.h"

#define SLEEP_MAX_MS 4

static const char *vfs_name;

void database_set_vfs(const char *name)
{
	vfs_name = name;
}

int database_error(struct database *database, int code, shipopt_error **ret_error)
{
	int extended = database->handle ? sqlite3_extended_errcode(database->handle) : code;
	if ((code & 0xff) == SQLITE_NOMEM)
		return SHIPOPT_ENOMEM;
	if ((code & 0xff) == SQLITE_BUSY)
		return error_set(ret_error, SHIPOPT_EDATABASE, "%s is locked by another process (waited %lld ms)",
			database->path, (long long)database->waited_ms);
	int kind = code & 0xff;
	/* SQLite keeps the system's reason for these two only. */
	int reason = database->handle && (kind == SQLITE_CANTOPEN || kind == SQLITE_IOERR)
		? sqlite3_system_errno(database->handle)
		: 0;
	const char *message = database->handle ? sqlite3_errmsg(database->handle) : sqlite3_errstr(code);
	return error_set(ret_error, SHIPOPT_EDATABASE, "%s: %s%s%s (SQLite %d)", database->path, message,
		reason ? ": " : "", reason ? strerror(reason) : "", extended);
}

static int database_injected(struct database *database, shipopt_error **ret_error)
{
	return error_set(ret_error, SHIPOPT_EDATABASE, "%s: injected failure", database->path);
}

/* --- statements --- */

int database_statement(struct database *database, enum statement which, sqlite3_stmt **ret_statement,
	shipopt_error **ret_error)
{
	sqlite3_stmt **slot = &database->statements[which];
	if (!*slot) {
		if (fault_point())
			return database_injected(database, ret_error);
		int code = sqlite3_prepare_v3(database->handle, statement_texts[which], -1, SQLITE_PREPARE_PERSISTENT,
			slot, NULL);
		if (code != SQLITE_OK)
			return database_error(database, code, ret_error);
	}
	sqlite3_reset(*slot);
	sqlite3_clear_bindings(*slot);
	*ret_statement = *slot;
	return 0;
}

int database_step(struct database *database, sqlite3_stmt *statement, shipopt_error **ret_error)
{
	if (fault_point())
		return database_injected(database, ret_error);
	int code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		return 1;
	if (code == SQLITE_DONE) {
		sqlite3_reset(statement);
		return 0;
	}
	int r = database_error(database, code, ret_error);
	sqlite3_reset(statement);
	return r;
}

int database_do(struct database *database, enum statement which, shipopt_error **ret_error)
{
	sqlite3_stmt *statement = NULL;
	int r = database_statement(database, which, &statement, ret_error);
	return r < 0 ? r : database_step(database, statement, ret_error);
}

/* Nothing is copied into the file any more, except from a log that has no name and no successor. */
static void database_leave_files_alone(struct database *database)
{
	sqlite3_db_config(database->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (place_lost_log_only(&database->place))
		sqlite3_wal_checkpoint_v2(database->handle, "main", SQLITE_CHECKPOINT_FULL, NULL, NULL);
}

int database_check_place(struct database *database, shipopt_error **ret_error)
{
	if (!database->is_misplaced) {
		int r = place_check(&database->place, &database->misplaced);
		if (r == 0)
			return 0;
		database->is_misplaced = true;
		database_leave_files_alone(database);
	}
	if (ret_error)
		*ret_error = shipopt_error_ref(database->misplaced);
	return SHIPOPT_EDATABASE;
}

void database_rollback(struct database *database)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		if (database->statements[i])
			sqlite3_reset(database->statements[i]);
	/* SQLite itself rolls back after some failures, such as a full disk. */
	if (!sqlite3_get_autocommit(database->handle))
		sqlite3_exec(database->handle, "ROLLBACK", NULL, NULL, NULL);
}

int database_run(struct database *database, const char *sql, shipopt_error **ret_error)
{
	if (fault_point())
		return database_injected(database, ret_error);
	int code = sqlite3_exec(database->handle, sql, NULL, NULL, NULL);
	return code == SQLITE_OK ? 0 : database_error(database, code, ret_error);
}

int database_run_format(struct database *database, shipopt_error **ret_error, const char *format, ...)
{
	char sql[256];
	va_list list;
	va_start(list, format);
	vsnprintf(sql, sizeof(sql), format, list);
	va_end(list);
	return database_run(database, sql, ret_error);
}

int database_number(struct database *database, const char *sql, int64_t *ret_value, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	if (fault_point())
		return database_injected(database, ret_error);
	int code = sqlite3_prepare_v2(database->handle, sql, -1, &statement, NULL);
	if (code != SQLITE_OK)
		return database_error(database, code, ret_error);
	int r = database_step(database, statement, ret_error);
	if (r == 1)
		*ret_value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return r < 0 ? r : 0;
}

int column_copy(sqlite3_stmt *statement, int column, char **ret_text)
{
	const char *text = column_text(statement, column);
	if (!text && sqlite3_column_type(statement, column) == SQLITE_NULL) {
		*ret_text = NULL;
		return 0;
	}
	char *copy = text ? mem_copy_bytes(text, (size_t)sqlite3_column_bytes(statement, column)) : NULL;
	if (!copy)
		return SHIPOPT_ENOMEM;
	*ret_text = copy;
	return 0;
}

/* --- opening --- */

static void database_wall_ms(sqlite3_context *context, int count, sqlite3_value **values)
{
	sqlite3_result_int64(context, clock_wall_ms());
}

static int database_wait_busy(void *argument, int times)
{
	struct database *database = argument;
	if (times == 0)
		database->waited_ms = 0;
	if (database->waited_ms >= database->busy_timeout_ms || atomic_load(database->hurry))
		return 0;
	int64_t pause = MIN((int64_t)MIN(times + 1, SLEEP_MAX_MS), database->busy_timeout_ms - database->waited_ms);
	usleep((useconds_t)pause * 1000);
	database->waited_ms += pause;
	return 1;
}

/* The switch to the write-ahead log needs the file alone and does not always ask the busy handler. */
static int database_switch_to_wal(struct database *database, shipopt_error **ret_error)
{
	if (fault_point())
		return database_injected(database, ret_error);
	for (int times = 0;; times++) {
		int code = sqlite3_exec(database->handle, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
		if (code == SQLITE_OK)
			break;
		if ((code & 0xff) != SQLITE_BUSY || !database_wait_busy(database, times))
			return database_error(database, code, ret_error);
	}
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(database->handle, "PRAGMA journal_mode", -1, &statement, NULL);
	if (code != SQLITE_OK)
		return database_error(database, code, ret_error);
	bool is_wal = sqlite3_step(statement) == SQLITE_ROW && text_equal(column_text(statement, 0), "wal");
	sqlite3_finalize(statement);
	return is_wal
		? 0
		: error_set(ret_error, SHIPOPT_EDATABASE, "%s: no write-ahead log is possible here", database->path);
}

static int database_configure(struct database *database, bool writer, shipopt_error **ret_error)
{
	sqlite3 *handle = database->handle;
	sqlite3_extended_result_codes(handle, 1);
	sqlite3_busy_handler(handle, database_wait_busy, database);
	sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	int code =
		sqlite3_create_function_v2(handle, "wall_ms", 0, SQLITE_UTF8, NULL, database_wall_ms, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		return database_error(database, code, ret_error);
	int r = schema_check(database, ret_error);
	if (r == 0 && writer)
		r = database_switch_to_wal(database, ret_error);
	if (r == 0)
		r = database_run(database,
			"PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; "
			"PRAGMA cell_size_check = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY",
			ret_error);
	if (r == 0 && writer)
		r = schema_migrate(database, ret_error);
	if (r == 0 && writer && !text_is_empty(database->confirm_mode))
		r = migrate_confirm_mode(database, database->confirm_mode, ret_error);
	if (r == 0 && !writer)
		r = database_run(database, "PRAGMA query_only = ON", ret_error);
	return r;
}

/* What SQLite does itself for a connection that wants to be the only one. */
static int database_lock_alone(struct database *database)
{
	sqlite3_file *file = NULL;
	int code = sqlite3_file_control(database->handle, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	if (code != SQLITE_OK)
		return code;
	code = file->pMethods->xLock(file, SQLITE_LOCK_SHARED);
	if (code == SQLITE_OK)
		code = file->pMethods->xLock(file, SQLITE_LOCK_EXCLUSIVE);
	file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
	return code;
}

/* Another program that has the file open has a log as well. If there is none it was removed, and that program's
 * purchases with it. A program that is just opening or closing the file is waited for. */
static int database_await_log(struct database *database, shipopt_error **ret_error)
{
	for (int times = 0; !place_has_log(&database->place); times++) {
		int code = database_lock_alone(database);
		if (code == SQLITE_OK)
			return 0;
		if ((code & 0xff) != SQLITE_BUSY)
			return database_error(database, code, ret_error);
		if (!database_wait_busy(database, times))
			return error_set(ret_error, SHIPOPT_EDATABASE,
				"%s is in use by another program, but its log is gone (%s-wal, %s-shm): it was deleted, or "
				"that program has the file under another name. End every program that uses the store, then "
				"open it again",
				database->path, database->path, database->path);
	}
	return 0;
}

static int database_open_file(struct database *database, bool writer, shipopt_error **ret_error)
{
	if (fault_point())
		return database_injected(database, ret_error);
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
	int code =
		sqlite3_open_v2(database->path, &database->handle, flags | (writer ? SQLITE_OPEN_CREATE : 0), vfs_name);
	if (code != SQLITE_OK)
		return database_error(database, code, ret_error);
	/* SQLite opens a file read-only when it may not write it. */
	if (sqlite3_db_readonly(database->handle, "main") == 1)
		return error_set(ret_error, SHIPOPT_EDATABASE, "%s cannot be written: %s", database->path,
			strerror(access(database->path, W_OK) < 0 ? errno : EACCES));
	return 0;
}

/* A reader finds the log of the writer, and makes none. */
static int database_open_place(struct database *database, bool writer, shipopt_error **ret_error)
{
	/* A VFS of the tests may have its files in memory. */
	if (vfs_name && access(database->path, F_OK) < 0)
		return 0;
	int r = place_find(&database->place, database->handle, database->path, ret_error);
	if (r < 0)
		return r;
	return writer ? database_await_log(database, ret_error)
		      : place_remember(&database->place, database->handle, ret_error);
}

int database_open(struct database *database, bool writer, shipopt_error **ret_error)
{
	int r = filesystem_check(database->path, ret_error);
	r = r < 0 ? r : database_open_file(database, writer, ret_error);
	r = r < 0 ? r : database_open_place(database, writer, ret_error);
	r = r < 0 ? r : database_configure(database, writer, ret_error);
	if (r == 0 && writer)
		r = place_remember(&database->place, database->handle, ret_error);
	if (r < 0)
		database_close(database);
	return r;
}

void database_close(struct database *database)
{
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(TAKE(database->statements[i]));
	/* The close copies the log into the file and removes it, by its name. */
	if (database->handle)
		(void)database_check_place(database, NULL);
	sqlite3_close_v2(TAKE(database->handle));
	place_forget(&database->place);
	shipopt_error_unref(TAKE(database->misplaced));
	database->is_misplaced = false;
}
