/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_DATABASE_H
#define STORE_SQLITE_DATABASE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "base/error.h"
#include "store/sqlite/place.h"
#include "store/sqlite/statements.h"

/*
 * One SQLite connection: opened, checked, migrated, with its statements prepared once and kept.
 *
 * One thread at a time uses a connection. These settings make a commit durable: the write-ahead log, synchronous=FULL
 * (an fsync of the log after each commit), and fullfsync where the system has it. SQL gets the time from the function
 * `wall_ms()` over base/clock.h, so that leases follow the virtual clock in tests.
 *
 * While another process writes, SQLite calls our busy handler. It sleeps 1 to 4 ms at a time until it has slept
 * `busy_timeout_ms`, or until `hurry` becomes true because the runtime is closing.
 *
 * The files must stay where they are (place.h). After one of them was moved or deleted, every later check gives the
 * same error until the database is closed. If the log was removed and no new one exists, its content is copied into the
 * file at that moment, so that its purchases are not lost. Otherwise nothing is copied any more, not even at the close,
 * because that could overwrite what another program wrote.
 *
 * Failures: SHIPOPT_ENOMEM, otherwise SHIPOPT_EDATABASE with the file, SQLite's message and the system's.
 */
struct database {
	sqlite3 *handle;          /* NULL while closed */
	const char *path;         /* borrowed, absolute */
	const atomic_bool *hurry; /* borrowed */
	const char *confirm_mode; /* borrowed; NULL or "": none (migrate.h) */
	int64_t busy_timeout_ms, waited_ms;
	bool has_no_guessed; /* no row has a guessed mode (ledger_claim.c) */
	sqlite3_stmt *statements[STATEMENT_COUNT];
	struct place place;
	bool is_misplaced;
	shipopt_error *misplaced; /* NULL also when memory was short */
};

/* Opens the file. A writer creates and migrates it; a reader needs it to exist. Closes the connection on failure. */
int database_open(struct database *database, bool writer, shipopt_error **ret_error);
/* Does nothing if it is closed. */
void database_close(struct database *database);

/* For tests: sets the SQLite VFS to open with; NULL is the default. Call it before threads start. */
void database_set_vfs(const char *name);

/* Gives a statement, reset and without bindings. */
int database_statement(struct database *database, enum statement which, sqlite3_stmt **ret_statement,
	shipopt_error **ret_error);
/* Returns 1 for a row, 0 at the end. */
int database_step(struct database *database, sqlite3_stmt *statement, shipopt_error **ret_error);
/* Runs a statement that has no parameters and gives no rows. */
int database_do(struct database *database, enum statement which, shipopt_error **ret_error);
/* Checks that the files are still where other programs look for them: what is written into a deleted file is
 * lost. Not within a transaction. */
int database_check_place(struct database *database, shipopt_error **ret_error);
/* Rolls back the open transaction, if there is one; also resets every statement. */
void database_rollback(struct database *database);
/* The failure of the last call. */
int database_error(struct database *database, int code, shipopt_error **ret_error);

/* For statements that run once: several in one text; one number from one row. */
int database_run(struct database *database, const char *sql, shipopt_error **ret_error);
int database_run_format(struct database *database, shipopt_error **ret_error, const char *format, ...)
	PRINTF_LIKE(3, 4);
int database_number(struct database *database, const char *sql, int64_t *ret_value, shipopt_error **ret_error);

/* A text column, copied; NULL stays NULL. SHIPOPT_ENOMEM. */
int column_copy(sqlite3_stmt *statement, int column, char **ret_text);
/* Borrowed until the statement's next step or reset. */
static inline const char *column_text(sqlite3_stmt *statement, int column)
{
	return (const char *)sqlite3_column_text(statement, column);
}
/* NULL binds null. The text must live until the statement is reset. */
static inline void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
	sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
}

#endif
