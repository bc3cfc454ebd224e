/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_POOL_H
#define SHIPOPT_POOL_H

#include <shipopt/op.h>
#include <shipopt/queue.h>
#include <shipopt/runtime.h>

SHIPOPT_BEGIN_DECLS

/*
 * PostgreSQL over libpq: a pool of connections and an asynchronous client.
 *
 *	shipopt_query_new("select name from thing where id = $1", &query);
 *	shipopt_query_bind_int(query, 17);
 *	shipopt_pool_query(pool, query, on_rows, userdata, NULL);
 *
 * shipopt_pool_query() takes a connection, runs the query and gives the connection back. For more than one command on the
 * same connection acquire a lease. Waiters are served in the order they asked; the connection used last is used first. A
 * command is at work on a connection alone; commands given to a lease run one after the other.
 *
 * Outcomes of commands, beside the common codes (the five character code is in shipopt_error_sqlstate()):
 *
 *   SHIPOPT_ETIMEDOUT   no connection within acquire_timeout_ms (the message tells the counts and the last connect failure),
 *                       or the command's deadline passed and the server canceled it: the message begins with "the deadline of N ms
 *                       passed", the SQLSTATE is 57014 if the server has said so
 *   SHIPOPT_ECANCELED   canceled; the server did not execute it, or rolled it back
 *   SHIPOPT_EINDOUBT    the connection was lost after the command was sent and before its answer came, and the command may
 *                       have been committed: a COMMIT, or anything outside of a transaction that is not marked as read-only
 *   SHIPOPT_ENETWORK    the connection was lost, and nothing was committed
 *   SHIPOPT_EBUSY       a serialization failure or deadlock (class 40): repeat the transaction
 *   SHIPOPT_ECONFLICT   a constraint was violated (class 23)
 *   SHIPOPT_EINVAL      the statement or a value is wrong (classes 22 and 42, a number of values that is not the
 *                       statement's)
 *   SHIPOPT_EAUTH       not allowed (class 28)
 *   SHIPOPT_ESTATE      not in this state (25: the transaction has failed, is missing or is read-only)
 *   SHIPOPT_ETOOLARGE   the answer grew beyond result_bytes. With the SQLSTATE 57014, or when the connection had to be closed, the
 *                       statement was not executed; without one the server had finished it and its rows are lost. A
 *                       statement behind it is canceled, or keeps its outcome; if that has rows it is SHIPOPT_ETOOLARGE too
 *   SHIPOPT_EDATABASE   any other failure the server tells of
 *   SHIPOPT_EDEADLK     every connection is held by someone who waits for another one
 *
 * Messages and log lines have the server's primary message only. Its DETAIL, HINT and CONTEXT, which may quote stored rows
 * ("Key (email)=(…) already exists."), are not kept anywhere. The primary message may quote a value that the caller itself has
 * given ("invalid input syntax for type integer: …"), so it goes into the error of that command and not into the log.
 * Passwords never appear in messages and log lines; asterisks stand in their place where the server or libpq repeats one. (One
 * below 4 bytes is not looked for: it cannot be told from other text.) Handles may be used from any thread. All of this since 0.1.
 */
typedef struct shipopt_pool shipopt_pool;
typedef struct shipopt_pool_config shipopt_pool_config;
typedef struct shipopt_lease shipopt_lease;
typedef struct shipopt_query shipopt_query;
typedef struct shipopt_batch shipopt_batch;
typedef struct shipopt_rows shipopt_rows;

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_POOL_….
 *
 *   conninfo             libpq's connection string or URL, several hosts and target_session_attrs included; default: libpq's
 *                        own defaults. TCP keepalives and tcp_user_timeout are on unless it says otherwise. In a URL, "@" and
 *                        "/" of user and password must be percent-encoded, or shipopt_pool_new() refuses it; secret
 *   min                  connections kept open; default 0
 *   max                  connections kept for reuse; default 8, 1 to 1,024
 *   overflow             connections beyond max while there are waiters; default 0
 *   queue_max            calls waiting for a connection; default 4,096
 *   acquire_timeout_ms   longest wait for a connection; default 30,000
 *   connect_timeout_ms   longest time to connect to one host, TLS and authentication included; default 10,000
 *   connects_max         connects under way at once; default 2
 *   backoff_min_ms       first pause after a failed connect; default 10; backoff_max_ms: the longest; default 5,000; jittered
 *   lifetime_ms          age at which a connection is replaced, give or take a tenth; default 1,800,000; 0: never
 *   idle_timeout_ms      idle time after which a connection above min is closed; default 300,000; 0: never
 *   ping_idle_ms         idle time after which a connection is pinged before use; default 1,000
 *   pre_ping             1: ping before every use; default 0
 *   poll_acquire         1: look at the socket before every use; default 0 (idle sockets are watched anyway)
 *   command_timeout_ms   longest time for a command once it is on its connection; default 60,000; 0: without end
 *   cancel_grace_ms      time a cancel has before the connection is closed; default 5,000. At most 16 requests are under way, those
 *                        included that a server has swallowed; a runtime's close waits for a command this long, not for them
 *   statements_max       prepared statements kept per connection; default 256
 *   named_statements     1 (default): statements are prepared under names made from their text; 0: never, for old poolers
 *   pipeline_statements  statements sent ahead of their answers; default 256
 *   pipeline_bytes       bytes sent ahead of their answers; default 262,144
 *   stream_bytes         bytes of a stream or COPY that wait for their reader; default 1,048,576
 *   reset                clean the session on release: 0 never, 1 when it was changed (default), 2 always. A change is known from
 *                        command tags, the statement's text and the parameters a server reports, without a round trip; what a
 *                        function of the database's own does beyond them (an advisory lock, a temporary table) needs 2
 *   result_bytes         memory for what a query or batch returns; default 67,108,864; 0: without bound. Each byte received counts
 *                        twice, as libpq holds it; rows of many tiny values may take twice as much again. A single
 *                        huge value is read on as long as it comes without a pause. Streams and COPY have no such bound, but that a
 *                        single row has to fit into memory
 *   leak_ms              age at which a lease is reported as leaked; default 0: never
 *   slow_ms              duration from which a command is reported as slow; default 0: never. It runs from when the command has its
 *                        connection to its last answer, the pauses of a stream's reader included; waiting for a connection, or
 *                        behind other commands of the lease, does not count
 *   listen_conninfo      connection string of the connection that listens, as <shipopt/listen.h> tells; default: conninfo; secret
 *   notifications_max    messages that wait for one listener, beside those (16 at most) that its queue has; default 1,024
 *   deliver_inline       1: call back on the event loop instead of a scheduler thread. The callbacks must be short and never
 *                        block. Not together with a queue; default 0
 */
SHIPOPT_API int shipopt_pool_config_new(shipopt_pool_config **ret_config);
SHIPOPT_API void shipopt_pool_config_free(shipopt_pool_config *config);
SHIPOPT_API int shipopt_pool_config_set(shipopt_pool_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_pool_config_set_int(shipopt_pool_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_pool_config_from_env(shipopt_pool_config *config);
SHIPOPT_API const shipopt_error *shipopt_pool_config_error(const shipopt_pool_config *config);
/* Delivers completions to a queue; NULL: to scheduler threads. The handle keeps a reference to the queue. */
SHIPOPT_API int shipopt_pool_config_set_queue(shipopt_pool_config *config, shipopt_queue *queue);
/*
 * Reports of commands that took slow_ms or longer. The callback runs on the event loop and must not block. When the pool delivers to a
 * queue, shipopt_queue_dispatch() runs the callback. A queue that is polled gets events of the kind SHIPOPT_EVENT_SLOW_QUERY if it
 * enabled them (shipopt_queue_enable()). Reports use no slot of the queue; 256 notices may wait in it, and the oldest is dropped. The
 * report is borrowed for the call, or until the event is released. It never shows values of parameters.
 */
typedef struct shipopt_slow_query shipopt_slow_query;
SHIPOPT_API const char *shipopt_slow_query_sql(const shipopt_slow_query *report);
SHIPOPT_API int64_t shipopt_slow_query_duration_us(const shipopt_slow_query *report);
typedef void (*shipopt_slow_query_fn)(void *userdata, const shipopt_slow_query *report);
SHIPOPT_API int shipopt_pool_config_set_slow_query(shipopt_pool_config *config, shipopt_slow_query_fn slow_query,
	void *userdata);

/* Makes a pool; `config` is copied. Nothing is connected yet, unless `min` is above 0: then connecting has begun.
 * SHIPOPT_EINVAL or SHIPOPT_EPARSE name the setting that is wrong. `ret_error` may be NULL, here and below; *ret_error is written on
 * failure only, and not on each, and is the caller's to unref. */
SHIPOPT_API int shipopt_pool_new(shipopt_runtime *runtime, const shipopt_pool_config *config, shipopt_pool **ret_pool,
	shipopt_error **ret_error);
/* Drops the caller's reference; never blocks. Running commands go on, leases stay valid; the connections are closed when the
 * last of both is gone. Accepts NULL. */
SHIPOPT_API void shipopt_pool_free(shipopt_pool *pool);

/* ---- queries ------------------------------------------------------------------------------------------------- */

/*
 * A statement with its values. It is copied by the call that runs it and may be run any number of times; one thread at a
 * time uses it. `sql` is one statement, 1 byte to 1 MiB, with $1, $2, … for values; values are never written into it.
 * SHIPOPT_EINVAL (also for COPY from STDIN or to STDOUT, which have calls of their own below), SHIPOPT_ETOOLARGE,
 * SHIPOPT_EENCODING, SHIPOPT_ENOMEM.
 */
SHIPOPT_API int shipopt_query_new(const char *sql, shipopt_query **ret_query);
SHIPOPT_API void shipopt_query_free(shipopt_query *query);
/* Removes the values, to bind others. */
SHIPOPT_API int shipopt_query_clear(shipopt_query *query);
/*
 * Binds the next value, $1 first. All copy. SHIPOPT_ETOOLARGE beyond 65,535 values or 256 MiB. Types as PostgreSQL sees them:
 *
 *   null       whatever the statement wants           text      unknown literal: whatever the statement wants; NULL: null
 *   int        bigint                                 float     double precision
 *   numeric    numeric, in millionths                 bool      boolean
 *   timestamp  timestamptz, microseconds since 1970   uuid      uuid, 16 bytes
 *   json       jsonb; NULL: null                      bytes     bytea
 *   int_array  bigint[]                               text_array  text[]
 *
 * PostgreSQL casts bigint to integer by itself when a column is assigned or compared, not for an argument: a function of an
 * integer needs a cast, as make_date($1::int, …), else SHIPOPT_EINVAL with 42883; so double precision for numeric or real.
 *
 * In the arrays `nulls` (may be NULL) marks the elements that are null with non-zero; so does a NULL text. SHIPOPT_EENCODING for text
 * that is not UTF-8, SHIPOPT_EINVAL for NULL elsewhere. On failure nothing is bound.
 */
SHIPOPT_API int shipopt_query_bind_null(shipopt_query *query);
SHIPOPT_API int shipopt_query_bind_text(shipopt_query *query, const char *text);
SHIPOPT_API int shipopt_query_bind_int(shipopt_query *query, int64_t value);
SHIPOPT_API int shipopt_query_bind_float(shipopt_query *query, double value);
SHIPOPT_API int shipopt_query_bind_decimal(shipopt_query *query, int64_t millionths);
SHIPOPT_API int shipopt_query_bind_bool(shipopt_query *query, int value);
SHIPOPT_API int shipopt_query_bind_time_us(shipopt_query *query, int64_t unix_us);
SHIPOPT_API int shipopt_query_bind_date(shipopt_query *query, int64_t unix_us);
SHIPOPT_API int shipopt_query_bind_uuid(shipopt_query *query, const unsigned char uuid[16]);
SHIPOPT_API int shipopt_query_bind_json(shipopt_query *query, const char *json);
SHIPOPT_API int shipopt_query_bind_bytes(shipopt_query *query, const void *bytes, size_t length);
SHIPOPT_API int shipopt_query_bind_int_array(shipopt_query *query, const int64_t *values, const unsigned char *nulls,
	size_t count);
SHIPOPT_API int shipopt_query_bind_text_array(shipopt_query *query, const char *const *texts, size_t count);
/* Its own deadline instead of command_timeout_ms; 0: without end; -1: back to the pool's. */
SHIPOPT_API int shipopt_query_set_timeout_ms(shipopt_query *query, int64_t timeout_ms);
/* 1: values of the answer come in binary. The typed getters read both; the _text getter shows what came, which is text for types
 * like text only, and for an array (text[], `_text`, too) PostgreSQL's binary form: take shipopt_rows_text_array(). Default 0. */
SHIPOPT_API int shipopt_query_set_binary(shipopt_query *query, int is_binary);
/* 1: it changes nothing, so that a lost answer leaves nothing in doubt. Default 0. */
SHIPOPT_API int shipopt_query_set_read_only(shipopt_query *query, int is_read_only);
/* 0: this one is not prepared under a name, whatever named_statements says. Default 1. */
SHIPOPT_API int shipopt_query_set_named(shipopt_query *query, int is_named);

/* Runs a query on a connection of the pool; its rows are held in memory, at most result_bytes of them. Result: shipopt_op_rows(), also
 * for a statement without rows (0 rows, 0 columns); shipopt_op_value() is the number of rows returned or changed. SHIPOPT_EAGAIN when
 * queue_max calls wait. */
SHIPOPT_API int shipopt_pool_query(shipopt_pool *pool, const shipopt_query *query, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
/* The same on a lease, after the commands given to it before. SHIPOPT_EAGAIN when 1,024 wait there. */
SHIPOPT_API int shipopt_lease_query(shipopt_lease *lease, const shipopt_query *query, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/* ---- batches ------------------------------------------------------------------------------------------------- */

/*
 * Several statements, sent ahead of their answers (libpq's pipeline mode): one round trip. Outside of a transaction a group
 * is a transaction of its own; without shipopt_batch_end_group() a batch is one group. An error ends its group: the
 * statements behind it are SHIPOPT_ECANCELED, those before it keep their status 0 and their rows, but what they did is rolled
 * back with the group. If it is the group's commit that fails (a deferred constraint), its last statement has the error and the
 * others are SHIPOPT_ECANCELED. Later groups run. The batch's status and error are those of its first failure;
 * shipopt_op_rows() is that of the first statement, shipopt_op_value() the rows returned or changed by the last one, 0 if it did
 * not run. At most pipeline_statements and pipeline_bytes are under way at once. Statements are copied by the call that runs the
 * batch and by _add. At most 65,536 statements.
 */
SHIPOPT_API int shipopt_batch_new(shipopt_batch **ret_batch);
SHIPOPT_API void shipopt_batch_free(shipopt_batch *batch);
SHIPOPT_API int shipopt_batch_add(shipopt_batch *batch, const shipopt_query *query);
SHIPOPT_API int shipopt_batch_end_group(shipopt_batch *batch);
/* The whole deadline; as shipopt_query_set_timeout_ms(). */
SHIPOPT_API int shipopt_batch_set_timeout_ms(shipopt_batch *batch, int64_t timeout_ms);
/*
 * Makes the batch one transaction: BEGIN, the statements, COMMIT, in one round trip; its group ends are ignored. After
 * serialization failures and deadlocks (40001, 40P01) it is repeated, after a pause of up to 10 ms × 2^n with full jitter, up
 * to `attempts` times in all (1 to 100). Only in shipopt_pool_batch(). `flags`: SHIPOPT_TRANSACTION_….
 */
SHIPOPT_API int shipopt_batch_set_transaction(shipopt_batch *batch, int flags, int attempts);
SHIPOPT_API int shipopt_pool_batch(shipopt_pool *pool, const shipopt_batch *batch, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_batch(shipopt_lease *lease, const shipopt_batch *batch, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/* What a query or batch made; the statements of a batch by index from 0, without the BEGIN and COMMIT of a transaction. NULL (rows also
 * of a statement that failed or did not run) or SHIPOPT_ENOTFOUND for others. Borrowed from the operation. */
SHIPOPT_API const shipopt_rows *shipopt_op_rows(const shipopt_op *op);
SHIPOPT_API size_t shipopt_op_statement_count(const shipopt_op *op);
SHIPOPT_API const shipopt_rows *shipopt_op_statement_rows(const shipopt_op *op, size_t index);
SHIPOPT_API int shipopt_op_statement_status(const shipopt_op *op, size_t index);
SHIPOPT_API const shipopt_error *shipopt_op_statement_error(const shipopt_op *op, size_t index);

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/*
 * Rows and columns count from 0. Getters of values return 1 with the value, 0 for null, SHIPOPT_EINVAL for a place outside,
 * SHIPOPT_ETYPE for a column of another type, SHIPOPT_EPARSE for a value that cannot be read, SHIPOPT_ETOOLARGE for one that
 * does not fit. Rows are immutable and may be read from any thread.
 */
SHIPOPT_API size_t shipopt_rows_count(const shipopt_rows *rows);
SHIPOPT_API size_t shipopt_rows_column_count(const shipopt_rows *rows);
SHIPOPT_API const char *shipopt_rows_column_name(const shipopt_rows *rows, size_t column); /* NULL outside */
SHIPOPT_API uint32_t shipopt_rows_column_type(const shipopt_rows *rows, size_t column);    /* PostgreSQL's type OID */
/* The column of that name: SHIPOPT_ENOTFOUND. */
SHIPOPT_API int shipopt_rows_find_column(const shipopt_rows *rows, const char *name);
/* Rows changed by INSERT, UPDATE, DELETE, MERGE or COPY, or returned by SELECT. */
SHIPOPT_API int64_t shipopt_rows_affected(const shipopt_rows *rows);
SHIPOPT_API int shipopt_rows_is_null(const shipopt_rows *rows, size_t row, size_t column); /* also outside: 1 */
/* The value as it came, NUL-terminated; NULL for null. Binary values of text-like types are text too. */
SHIPOPT_API const char *shipopt_rows_text(const shipopt_rows *rows, size_t row, size_t column);
SHIPOPT_API size_t shipopt_rows_length(const shipopt_rows *rows, size_t row, size_t column);
/* smallint, integer, bigint, oid; numeric without a fraction: SHIPOPT_ETYPE for one with (1.00 has none). sum() and avg() of bigint are
 * numeric. */
SHIPOPT_API int shipopt_rows_int(const shipopt_rows *rows, size_t row, size_t column, int64_t *ret_value);
/* real, double precision and all that _int reads, numeric. */
SHIPOPT_API int shipopt_rows_float(const shipopt_rows *rows, size_t row, size_t column, double *ret_value);
/* numeric and integers, in millionths, rounded half away from zero. */
SHIPOPT_API int shipopt_rows_decimal(const shipopt_rows *rows, size_t row, size_t column, int64_t *ret_millionths);
SHIPOPT_API int shipopt_rows_bool(const shipopt_rows *rows, size_t row, size_t column, int *ret_value);
/* timestamptz, timestamp (taken as UTC) and date, in microseconds since 1970; SHIPOPT_ETOOLARGE for infinity. Text needs the
 * DateStyle ISO (the default). */
SHIPOPT_API int shipopt_rows_time_us(const shipopt_rows *rows, size_t row, size_t column, int64_t *ret_unix_us);
SHIPOPT_API int shipopt_rows_uuid(const shipopt_rows *rows, size_t row, size_t column, unsigned char ret_uuid[16]);
/* The text of json or jsonb. Borrowed. */
SHIPOPT_API int shipopt_rows_json(const shipopt_rows *rows, size_t row, size_t column, const char **ret_json);
/* bytea into the caller's buffer; *ret_length is the whole length, also with SHIPOPT_ETOOLARGE. */
SHIPOPT_API int shipopt_rows_bytes(const shipopt_rows *rows, size_t row, size_t column, void *buffer, size_t size,
	size_t *ret_length);
/* smallint[], integer[], bigint[] of one dimension into the caller's arrays of `max` elements; `nulls` may be NULL, null
 * elements are 0 then. *ret_count is the whole count, also with SHIPOPT_ETOOLARGE. */
SHIPOPT_API int shipopt_rows_int_array(const shipopt_rows *rows, size_t row, size_t column, int64_t *values,
	unsigned char *nulls, size_t max, size_t *ret_count);
/* text[], varchar[] and char[] of one dimension, text or binary: `each` is called for every element inside the call, in order, with
 * NULL for null; `text` is borrowed for its call and NUL-terminated. On failure it may have been called for some. */
typedef void (*shipopt_element_fn)(void *userdata, size_t index, const char *text, size_t length);
SHIPOPT_API int shipopt_rows_text_array(const shipopt_rows *rows, size_t row, size_t column, shipopt_element_fn each,
	void *userdata);

/* ---- leases and transactions ----------------------------------------------------------------------------------- */

/*
 * Acquires a connection. `name` (may be NULL, at most 47 bytes are kept) appears in leak reports; `owner` is a number of the
 * host's for whoever waits (a task, a thread), 0 for none: when an owner that holds a lease would wait and everyone who holds
 * one waits too, the call ends with SHIPOPT_EDEADLK. Result: shipopt_op_take_lease(); a lease not taken is given back with the
 * operation.
 */
SHIPOPT_API int shipopt_pool_acquire(shipopt_pool *pool, const char *name, uint64_t owner, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/* The lease, once; NULL afterwards. The caller owns it. */
SHIPOPT_API shipopt_lease *shipopt_op_take_lease(shipopt_op *op);
/* The same without waiting: SHIPOPT_EAGAIN when no connection is free that can be used at once. */
SHIPOPT_API int shipopt_pool_try_acquire(shipopt_pool *pool, const char *name, uint64_t owner,
	shipopt_lease **ret_lease);
/* Gives the connection back; never blocks. Commands given before are finished first; an open transaction is rolled back, a
 * changed session is cleaned, on the reactor. Accepts NULL. */
SHIPOPT_API void shipopt_lease_release(shipopt_lease *lease);
/* The backend's process id, for the server's views; 0 when the connection is lost. */
SHIPOPT_API int shipopt_lease_backend_pid(const shipopt_lease *lease);

enum { /* flags of a transaction; without a level the server's default holds */
	SHIPOPT_TRANSACTION_READ_COMMITTED = 1,
	SHIPOPT_TRANSACTION_REPEATABLE_READ = 2,
	SHIPOPT_TRANSACTION_SERIALIZABLE = 3,
	SHIPOPT_TRANSACTION_READ_ONLY = 4,
	SHIPOPT_TRANSACTION_DEFERRABLE = 8
};
SHIPOPT_API int shipopt_lease_begin(shipopt_lease *lease, int flags, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
/* SHIPOPT_ESTATE when a statement had failed: the server rolled back. SHIPOPT_EINDOUBT when the answer is lost. */
SHIPOPT_API int shipopt_lease_commit(shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_rollback(shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/* Savepoints by number, 1 to 1,000,000. Rolling back to one keeps it; releasing forgets it and keeps what was done. */
SHIPOPT_API int shipopt_lease_savepoint(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_rollback_to(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_release_savepoint(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);

/*
 * A transaction whose body is the host's code: it decides between statements, and runs again after a conflict.
 *
 *	static int move(void *userdata, shipopt_lease *lease, int attempt) { … shipopt_lease_query() and shipopt_op_wait() … }
 *	r = shipopt_pool_transaction_blocking(pool, NULL, move, &order, &error);
 *
 * A connection is taken, BEGIN sent, and the body asked. When it says yes, COMMIT is sent behind all it has given to the lease;
 * when it fails, ROLLBACK, and the operation has its code and message; if a statement had made the transaction fail, what the server
 * said of it stands behind that, with its SQLSTATE. After serialization failures and deadlocks (40001, 40P01)
 * in any statement or in the COMMIT all is rolled back and the body asked again, after a pause of up to 10 ms × 2^n with full
 * jitter, whatever the body itself made of the failure, unless it went back to a savepoint before it. A body must therefore do nothing
 * outside of the transaction that may not happen twice. Further outcomes:
 *
 *   SHIPOPT_EBUSY      every attempt met a conflict
 *   SHIPOPT_EINDOUBT   the answer to COMMIT is lost; it is not repeated
 *   SHIPOPT_ETIMEDOUT  not over within timeout_ms, rolled back; SHIPOPT_ECANCELED: by shipopt_op_cancel() or as the runtime closes
 *   SHIPOPT_ESTATE     the body ended the transaction itself, or a statement had failed and the body said yes all the same
 *   SHIPOPT_EDEADLK    of an acquire or query that the body asks of the same pool: see shipopt_pool_acquire(). Bodies are owners,
 *                      also on the thread that runs them if no owner was named
 *
 * A body that is late or canceled sees its commands end, and new ones refused. It should answer then; when it has not after
 * cancel_grace_ms (at once when the runtime closes), its connection is closed and the operation ends without it. What it answers later
 * is not looked at, but it must answer. The pause between attempts keeps the connection.
 */
typedef struct shipopt_transaction_options shipopt_transaction_options;
SHIPOPT_API int shipopt_transaction_options_new(shipopt_transaction_options **ret_options);
SHIPOPT_API void shipopt_transaction_options_free(shipopt_transaction_options *options);
/* SHIPOPT_TRANSACTION_…; default 0. */
SHIPOPT_API int shipopt_transaction_options_set_flags(shipopt_transaction_options *options, int flags);
/* Attempts in all, 1 to 100; default 10. */
SHIPOPT_API int shipopt_transaction_options_set_attempts(shipopt_transaction_options *options, int attempts);
/* From the first BEGIN to the end, all attempts and the body's own time; -1 (default): command_timeout_ms; 0: without end. */
SHIPOPT_API int shipopt_transaction_options_set_timeout_ms(shipopt_transaction_options *options, int64_t timeout_ms);
/* As in shipopt_pool_acquire(). */
SHIPOPT_API int shipopt_transaction_options_set_owner(shipopt_transaction_options *options, const char *name,
	uint64_t owner);
/*
 * The body as a request: it gives commands to shipopt_request_lease(), and some time answers, on any thread, with
 * shipopt_request_complete() (COMMIT; the number becomes shipopt_op_value()) or shipopt_request_fail(). It runs where the pool delivers,
 * so it must not block or wait. With a queue it is an event of the kind SHIPOPT_EVENT_REQUEST whose `op` is the transaction, one for each
 * attempt; shipopt_queue_dispatch() and shipopt_op_wait() run the body instead. `body` may be NULL with a queue: then the event has to be
 * polled, and if it is dispatched the transaction fails with SHIPOPT_ESTATE. SHIPOPT_EINVAL without a queue. `userdata` goes to the body and
 * to `done`; a body that was not entered before `done` never is. `options` is copied and may be NULL.
 * SHIPOPT_EAGAIN when queue_max calls wait or the queue has no slot.
 */
SHIPOPT_API int shipopt_pool_transaction(shipopt_pool *pool, const shipopt_transaction_options *options,
	shipopt_request_fn body, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/* The connection of the body, borrowed until its answer: not to be released. NULL for requests of other kinds. */
SHIPOPT_API shipopt_lease *shipopt_request_lease(const shipopt_request *request);
/* 1 for the first attempt; 0 for requests of other kinds. */
SHIPOPT_API int shipopt_request_attempt(const shipopt_request *request);
/*
 * The same on the caller's thread, which waits: `body` may block and use shipopt_op_wait(); a negative result is its failure, any other
 * becomes COMMIT. Returns the outcome: 0 or a failure. The error says that the body failed and what the server said to the statement that
 * made the transaction fail, if one did: a failure that the body went back from, to a savepoint, is not told.
 * SHIPOPT_EDEADLK on threads of the library and inside a dispatch of the pool's queue.
 */
typedef int (*shipopt_transaction_fn)(void *userdata, shipopt_lease *lease, int attempt);
SHIPOPT_API int shipopt_pool_transaction_blocking(shipopt_pool *pool, const shipopt_transaction_options *options,
	shipopt_transaction_fn body, void *userdata, shipopt_error **ret_error);

/* ---- streams and COPY ------------------------------------------------------------------------------------------ */

/*
 * Rows at the reader's own pace, in constant memory: at most stream_bytes wait for the reader, then the server is held back.
 * One thread at a time reads. The operation ends after the last row, with the number of rows in shipopt_op_value(); its
 * deadline is that of the query and covers the reader's pauses. A stream keeps its connection until it ends.
 */
typedef struct shipopt_stream shipopt_stream;
/* Runs a query as a stream. *ret_stream is the caller's to free, also when the operation fails. */
SHIPOPT_API int shipopt_pool_stream(shipopt_pool *pool, const shipopt_query *query, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_stream(shipopt_lease *lease, const shipopt_query *query, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/* COPY … TO STDOUT. Each row has one column: a line of text with its line end, or a piece of the binary form. SHIPOPT_EINVAL for
 * another statement. */
SHIPOPT_API int shipopt_lease_copy_out(shipopt_lease *lease, const char *sql, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/*
 * The next rows: 1 with some, borrowed until the next call or _free; 0 at the end. SHIPOPT_ETIMEDOUT when none came within
 * `timeout_ms` (0: not at all, -1: without end), SHIPOPT_EDEADLK when it would wait on a thread of the library, else the
 * failure that ended the stream, told after the rows before it.
 */
SHIPOPT_API int shipopt_stream_next(shipopt_stream *stream, int64_t timeout_ms, const shipopt_rows **ret_rows);
/* Ends a stream, early too: the query is canceled then and the operation ends with SHIPOPT_ECANCELED. Accepts NULL. */
SHIPOPT_API void shipopt_stream_free(shipopt_stream *stream);

/*
 * COPY … FROM STDIN, text or binary as the statement says. Bytes are written in pieces of any size; at most stream_bytes wait for
 * the server. The operation ends after shipopt_copy_finish(), with the number of rows in shipopt_op_value().
 * SHIPOPT_EINVAL for another statement.
 */
typedef struct shipopt_copy shipopt_copy;
SHIPOPT_API int shipopt_lease_copy_in(shipopt_lease *lease, const char *sql, shipopt_copy **ret_copy,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/* Copies all of the bytes, waiting for room up to `timeout_ms`: 0, SHIPOPT_EAGAIN with 0 and no room, SHIPOPT_ETIMEDOUT,
 * SHIPOPT_EDEADLK when it would wait on a thread of the library, SHIPOPT_ETOOLARGE for a piece above stream_bytes,
 * SHIPOPT_ESTATE when the copy has ended (the operation tells why). Nothing is taken on failure. */
SHIPOPT_API int shipopt_copy_write(shipopt_copy *copy, const void *bytes, size_t length, int64_t timeout_ms);
/* That was all. SHIPOPT_ESTATE when it has ended. */
SHIPOPT_API int shipopt_copy_finish(shipopt_copy *copy);
/* Without a finish before, the server is told to throw everything away: the operation ends with SHIPOPT_ECANCELED. Accepts
 * NULL. */
SHIPOPT_API void shipopt_copy_free(shipopt_copy *copy);

/* ---- statistics ------------------------------------------------------------------------------------------------ */

enum {
	SHIPOPT_POOL_STAT_ACQUIRES = 1,          /* leases and pool calls served */
	SHIPOPT_POOL_STAT_ACQUIRE_US = 2,        /* time they waited, all together */
	SHIPOPT_POOL_STAT_LEASED = 3,            /* connections in use now */
	SHIPOPT_POOL_STAT_CANCELED_ACQUIRES = 4, /* canceled or timed out while waiting */
	SHIPOPT_POOL_STAT_CONNECTING = 5,        /* now */
	SHIPOPT_POOL_STAT_EMPTY_ACQUIRES = 6,    /* served after a wait, as no connection was free */
	SHIPOPT_POOL_STAT_EMPTY_ACQUIRE_US = 7,  /* time those waited */
	SHIPOPT_POOL_STAT_IDLE = 8,              /* now */
	SHIPOPT_POOL_STAT_MAX = 9,               /* max and overflow */
	SHIPOPT_POOL_STAT_CONNECTS = 10,         /* connections made */
	SHIPOPT_POOL_STAT_LIFETIME_CLOSED = 11,  /* for their age */
	SHIPOPT_POOL_STAT_IDLE_CLOSED = 12,      /* for being idle */
	SHIPOPT_POOL_STAT_TOTAL = 13,            /* connections now, in any state */
	SHIPOPT_POOL_STAT_WAITING = 14,          /* calls that wait for a connection now */
	SHIPOPT_POOL_STAT_CONNECT_FAILURES = 15,
	SHIPOPT_POOL_STAT_LOST = 16, /* connections found dead */
	SHIPOPT_POOL_STAT_PINGS = 17,
	SHIPOPT_POOL_STAT_RESETS = 18,  /* sessions cleaned on release */
	SHIPOPT_POOL_STAT_CANCELS = 19, /* cancel requests sent */
	SHIPOPT_POOL_STAT_PREPARES = 20,
	SHIPOPT_POOL_STAT_LEAKS = 21,                 /* leases reported */
	SHIPOPT_POOL_STAT_SLOW = 22,                  /* commands reported */
	SHIPOPT_POOL_STAT_RETRIES = 23,               /* of statements and transactions */
	SHIPOPT_POOL_STAT_LISTEN_CONNECTS = 24,       /* times the listening connection was made; <shipopt/listen.h> */
	SHIPOPT_POOL_STAT_LISTEN_LOST = 25,           /* and lost */
	SHIPOPT_POOL_STAT_NOTIFICATIONS = 26,         /* that came on it */
	SHIPOPT_POOL_STAT_NOTIFICATIONS_DROPPED = 27, /* of those, each for a listener that had no room */
	SHIPOPT_POOL_STAT_NOTIFICATIONS_MISSED = 28,  /* times a listener was told that it may have missed some */
	SHIPOPT_POOL_STAT_SLOW_DROPPED = 29           /* reports of slow commands that were not delivered */
};
/* Counters and gauges, read without stopping the pool; SHIPOPT_EINVAL for an unknown one. */
SHIPOPT_API int shipopt_pool_stat(shipopt_pool *pool, int stat, int64_t *ret_value);
/*
 * Histograms of the wait for a connection and of the time to connect. Bucket i from 0 to 31 counts what took less than 2^i
 * microseconds and did not fit a bucket before it. SHIPOPT_EINVAL for another histogram or bucket.
 */
enum { SHIPOPT_POOL_HISTOGRAM_WAIT = 1, SHIPOPT_POOL_HISTOGRAM_CONNECT = 2 };
SHIPOPT_API int shipopt_pool_histogram(shipopt_pool *pool, int histogram, int bucket, int64_t *ret_count);

SHIPOPT_END_DECLS

#endif
