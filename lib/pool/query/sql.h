/* SPDX-License-Identifier: MIT */
#ifndef POOL_QUERY_SQL_H
#define POOL_QUERY_SQL_H

/*
 * What the text of a statement says about it.
 *
 * The scanner reads the first two words as the server's lexer does, and otherwise looks for words anywhere in the text.
 * Where it cannot be sure it errs to the safe side: a reset too many, a statement in doubt. Nothing that decides about
 * a commit depends on it alone; see pool/command/outcome.h.
 */
enum {
	SQL_COMMITS = 1,     /* COMMIT, END, PREPARE TRANSACTION, COMMIT PREPARED, and what has no first word */
	SQL_DIRTIES = 2,     /* leaves something in the session that no command tag shows */
	SQL_ONE_SHOT = 4,    /* transaction control and utility commands: not worth a prepared statement */
	SQL_IS_LOCAL = 8,    /* SET LOCAL, SET TRANSACTION: ends with the transaction */
	SQL_COPY_IN = 16,    /* COPY with the word STDIN */
	SQL_COPY_OUT = 32,   /* COPY with the word STDOUT */
	SQL_ENDS_BLOCK = 64, /* what commits, and ROLLBACK of the whole transaction */
	SQL_ROLLS_BACK = 128 /* begins with ROLLBACK or ABORT */
};

unsigned sql_read_marks(const char *sql);

#endif
