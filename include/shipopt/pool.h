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
 *	shipopt_query_new("select name from thing where id = $1", &query, &error);
 *	shipopt_query_bind_int(query, 17);
 *	shipopt_pool_query(pool, query, on_rows, userdata, NULL);
 *
 * shipopt_pool_query() takes a connection, runs the query and gives the connection back. To run several commands on one
 * connection, acquire a lease. The pool serves waiting calls in the order they came, and reuses the connection that was
 * used last first. A connection runs one command at a time. Commands given to a lease run one after the other.
 *
 * Rules for all functions of this header:
 *
 * - Any thread may use a pool, a lease, a stream, a COPY and rows. One thread at a time may use a query, a batch,
 *   options and a configuration.
 * - Texts and values that are passed in are copied. `_new` functions give the caller an object to free with `_free`.
 *   `_free` accepts NULL.
 * - Asynchronous calls end in `done, userdata, ret_op`, see <shipopt/op.h>. They return 0 and report failures through
 *   the operation. The call itself returns only these codes: SHIPOPT_EINVAL for a NULL handle, SHIPOPT_EAGAIN
 *   (queue_max calls wait, 1,024 commands wait on the lease, or the queue has no free slot), SHIPOPT_ENOMEM,
 *   SHIPOPT_ESHUTDOWN and SHIPOPT_EFORKED.
 * - `ret_error` may be NULL. *ret_error is written on failure only. The caller drops it with shipopt_error_unref().
 * - Other functions return SHIPOPT_EINVAL for a NULL argument unless NULL is allowed.
 *
 * Failures of commands. shipopt_error_sqlstate() has the five-character code of the server.
 *
 *   SHIPOPT_ETIMEDOUT   No connection within acquire_timeout_ms: the message has the counts and the last failed
 *                       connect. Or the deadline of the command passed and the server canceled it: the message begins
 *                       with "the deadline of N ms passed"
 *   SHIPOPT_EAUTH       The server refused the user or the password (class 28), at once, without the wait for
 *                       acquire_timeout_ms. Or the role lacks a privilege
 *   SHIPOPT_ENOTFOUND   The server has no such database (3D000), at once
 *   SHIPOPT_ECANCELED   The command was canceled. The server did not run it, or rolled it back
 *   SHIPOPT_EINDOUBT    The connection was lost after the command was sent and before its answer came, and the server
 *                       may have committed it: a COMMIT, or outside of a transaction anything that is not marked
 *                       read-only
 *   SHIPOPT_ENETWORK    The connection was lost, and nothing was committed
 *   SHIPOPT_EBUSY       A serialization failure, a deadlock (class 40) or a lock that was not available: repeat the
 *                       transaction
 *   SHIPOPT_ECONFLICT   A constraint was violated (class 23)
 *   SHIPOPT_EINVAL      The statement or a value is wrong (classes 22 and 42, or a wrong number of values)
 *   SHIPOPT_ESTATE      The session does not allow it (class 25). Or a COMMIT was answered with ROLLBACK: a statement
 *                       of the transaction had failed, and nothing was committed
 *   SHIPOPT_ETOOLARGE   The answer is larger than result_bytes. With the SQLSTATE 57014, or when the connection had to
 *                       be closed, the statement did not take effect. Otherwise the server had finished it, and its
 *                       rows are lost
 *   SHIPOPT_EDATABASE   Any other error of the server, such as RAISE EXCEPTION
 *   SHIPOPT_EDEADLK     Every connection is held by an owner that waits for another connection
 *
 * A failed connect may heal with time, unless it ends in SHIPOPT_EAUTH or SHIPOPT_ENOTFOUND. The pool goes on trying in
 * each case, with growing pauses, and logs each failure and each lost connection at SHIPOPT_LOG_WARNING.
 *
 * A message has the server's primary message and the place of the error, where the server names one: "(line 2, column 8
 * of the statement)", or for a COPY "(line 7, column amount of the data)". DETAIL, HINT and CONTEXT are not kept
 * anywhere, because they quote stored rows. The primary message may quote a value that the caller passed in, so it is
 * in the error of that command and not in the log. Passwords appear in no message and no log line: where the server or
 * libpq repeats one, asterisks replace it. (A password of less than 4 bytes is not searched for, because it could be
 * any text.)
 *
 * Since 0.1, except where a comment says otherwise.
 */
typedef struct shipopt_pool shipopt_pool;
typedef struct shipopt_pool_config shipopt_pool_config;
typedef struct shipopt_lease shipopt_lease;
typedef struct shipopt_query shipopt_query;
typedef struct shipopt_batch shipopt_batch;
typedef struct shipopt_rows shipopt_rows;

/*
 * Settings of a pool, as in <shipopt/settings.h>. The environment variables begin with SHIPOPT_POOL_.
 *
 *   conninfo             connection string or URL of libpq, also with several hosts and target_session_attrs; default:
 *                        libpq's own defaults. TCP keepalives and tcp_user_timeout are on unless the string says
 *                        otherwise. In a URL, "@" and "/" in the user or password must be percent-encoded. Secret
 *   min                  connections that the pool keeps open; default 0
 *   max                  maximum of connections that the pool keeps for reuse; default 8, 1 to 1,024
 *   overflow             connections beyond max while calls wait; default 0
 *   queue_max            maximum of calls that wait for a connection; default 4,096
 *   acquire_timeout_ms   maximum wait for a connection; default 30,000
 *   connect_timeout_ms   time limit for connecting to one host, TLS and authentication included; default 10,000
 *   connects_max         maximum of connects at the same time; default 2
 *   backoff_min_ms       pause after the first failed connect; default 10
 *   backoff_max_ms       maximum pause after failed connects; default 5,000. Pauses are random
 *   lifetime_ms          age at which a connection is replaced, plus or minus a tenth; default 1,800,000; 0: never
 *   idle_timeout_ms      idle time after which a connection beyond min is closed; default 300,000; 0: never
 *   ping_idle_ms         idle time after which a connection is tested before use; default 1,000
 *   pre_ping             1: test a connection before every use with a round trip; default 0
 *   poll_acquire         1: test the socket of a connection before every use, without a round trip; default 0. The pool
 *                        watches the sockets of idle connections in any case
 *   command_timeout_ms   time limit for a command, from when it has its connection; default 60,000; 0: no limit
 *   cancel_grace_ms      time a canceled command has before its connection is closed; default 5,000. At most 16 cancel
 *                        requests run at the same time, those included that a server does not answer
 *   statements_max       maximum of prepared statements per connection; default 256
 *   named_statements     1: prepare statements, under names made from their text; default 1; 0: for poolers that cannot
 *   pipeline_statements  maximum of statements that are sent before their answers arrive; default 256
 *   pipeline_bytes       maximum of bytes that are sent before their answers arrive; default 262,144
 *   stream_bytes         maximum of bytes of a stream or COPY that wait for their reader; default 1,048,576
 *   reset                reset the session when a lease ends: 0 never, 1 if it was changed, 2 always; default 1. The
 *                        pool knows a change from command tags, the text of statements and the parameters that the
 *                        server reports. Use 2 if functions of the database take advisory locks, make temporary tables
 *                        or change other settings
 *   result_bytes         maximum of memory for the result of a query or batch; default 67,108,864; 0: no limit. Each
 *                        byte received counts twice, because libpq holds it twice. Rows of many tiny values may take
 *                        twice as much again. A single huge value is read on as long as it arrives without a pause.
 *                        Streams and COPY have no such limit, but a single row must fit into memory
 *   leak_ms              age at which a lease is reported as leaked; default 0: never
 *   slow_ms              duration at which a command is reported as slow; default 0: never. It counts from when the
 *                        command has its connection to its last answer, the pauses of a stream's reader included
 *   listen_conninfo      connection string of the connection that listens, see <shipopt/listen.h>; default: conninfo.
 *                        Secret
 *   notifications_max    maximum of notifications that wait for one listener, besides up to 16 in its queue; default
 *                        1,024
 *   deliver_inline       1: call back on the event loop; default 0. Only for callbacks that are short and never block.
 *                        Not with a queue
 *
 * `_set` takes the value as text, `_set_int` as a number. Both return SHIPOPT_ENOTFOUND for an unknown name and
 * SHIPOPT_EINVAL, SHIPOPT_ETYPE or SHIPOPT_EPARSE for a value that is not allowed. `_from_env` reads the environment.
 * The configuration keeps its first error: `_error` lends it, and shipopt_pool_new() returns it. `_set_queue` delivers
 * completions to a queue; the configuration and the pool each keep a reference to it. NULL restores delivery by
 * scheduler threads.
 */
SHIPOPT_API int shipopt_pool_config_new(shipopt_pool_config **ret_config);
SHIPOPT_API void shipopt_pool_config_free(shipopt_pool_config *config);
SHIPOPT_API int shipopt_pool_config_set(shipopt_pool_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_pool_config_set_int(shipopt_pool_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_pool_config_from_env(shipopt_pool_config *config);
SHIPOPT_API const shipopt_error *shipopt_pool_config_error(const shipopt_pool_config *config);
SHIPOPT_API int shipopt_pool_config_set_queue(shipopt_pool_config *config, shipopt_queue *queue);

/*
 * Reports of slow commands, those that took slow_ms or longer.
 *
 * The callback runs on the event loop thread and must not block. If the pool delivers to a queue,
 * shipopt_queue_dispatch() runs the callback. A queue that is polled gets an event of the kind SHIPOPT_EVENT_SLOW_QUERY
 * instead, if it enabled that kind (shipopt_queue_enable()). The report is borrowed for the call, or until the event is
 * released. It has the text of the statement and how long it took, never the values of parameters. To see plans, use
 * PostgreSQL's module auto_explain. Reports take no slot of the queue; at most 256 notices wait in it, and the oldest
 * is dropped. The pool also drops a report and counts it in SHIPOPT_POOL_STAT_SLOW_DROPPED if the application holds 64
 * reports or memory is short.
 */
typedef struct shipopt_slow_query shipopt_slow_query;
typedef void (*shipopt_slow_query_fn)(void *userdata, const shipopt_slow_query *report);
SHIPOPT_API const char *shipopt_slow_query_sql(const shipopt_slow_query *report);
SHIPOPT_API int64_t shipopt_slow_query_duration_us(const shipopt_slow_query *report);
SHIPOPT_API int shipopt_pool_config_set_slow_query(shipopt_pool_config *config, shipopt_slow_query_fn slow_query,
	void *userdata);

/*
 * Makes a pool from a configuration, which it copies. Nothing is connected yet, unless `min` is above 0: then
 * connecting begins. The caller owns *ret_pool. SHIPOPT_EINVAL and SHIPOPT_EPARSE name the setting that is wrong,
 * SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED, SHIPOPT_EIO (no thread or descriptor).
 */
SHIPOPT_API int shipopt_pool_new(shipopt_runtime *runtime, const shipopt_pool_config *config, shipopt_pool **ret_pool,
	shipopt_error **ret_error);

/*
 * Drops the caller's reference. Never blocks. Running commands go on, and leases stay valid. The connections are closed
 * when the last of both is gone.
 */
SHIPOPT_API void shipopt_pool_free(shipopt_pool *pool);

/* ---- queries ------------------------------------------------------------------------------------------------- */

/*
 * Makes a query: one statement, 1 byte to 1 MiB of UTF-8, with $1, $2, … for values. Values are never written into the
 * text. The call that runs a query copies it, so it may be run any number of times, with other values each time.
 * SHIPOPT_EINVAL for an empty text, and for COPY from STDIN or to STDOUT, which have calls of their own.
 * SHIPOPT_ETOOLARGE, SHIPOPT_EENCODING, SHIPOPT_ENOMEM.
 */
SHIPOPT_API int shipopt_query_new(const char *sql, shipopt_query **ret_query, shipopt_error **ret_error);
SHIPOPT_API void shipopt_query_free(shipopt_query *query);

/* Removes the values, and the failure of a bind, to bind other values. Returns 0. */
SHIPOPT_API int shipopt_query_clear(shipopt_query *query);

/*
 * Bind the next value, $1 first. They return 0 or a failure. A query keeps its first failed bind. An operation
 * that runs the query then fails with an error that names the value. So the result of each bind need not be checked.
 *
 *   null       whatever the statement expects        text        a literal: whatever the statement expects; NULL: null
 *   int        bigint                                float       double precision
 *   decimal    numeric, in millionths                bool        boolean
 *   time_us    timestamptz, microseconds since 1970  date        date, the UTC day of microseconds since 1970; since
 *              0.2
 *   uuid       uuid, 16 bytes                        json        jsonb; NULL: null
 *   bytes      bytea                                 int_array   bigint[]
 *                                                    text_array  text[]; a NULL text is a null element
 *
 * `nulls` (may be NULL) marks null elements with a byte that is not 0.
 *
 * A time is an instant. Where the statement turns it into a date, as in `bought_on = $1` or $1::date, PostgreSQL uses
 * the time zone of the session: in New York, midnight of November 30 in UTC is November 29. For a column of type date
 * bind a date, or a text such as "2026-11-30".
 *
 * PostgreSQL casts bigint to integer for assignments and comparisons, but not for arguments of functions, and likewise
 * double precision to numeric or real. Write the cast, as in make_date($1::int, …), otherwise the command fails with
 * the SQLSTATE 42883.
 *
 * SHIPOPT_ETOOLARGE beyond 65,535 values or 256 MiB. SHIPOPT_EENCODING for text that is not UTF-8. SHIPOPT_EINVAL for
 * NULL where it is not allowed, and for a time that PostgreSQL cannot store. SHIPOPT_ENOMEM.
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

/*
 * How a query runs. All return 0 or SHIPOPT_EINVAL.
 *
 * timeout_ms  time limit in place of command_timeout_ms; 0: no limit; -1 (default): the pool's; at most a day
 * binary      1: the values of the answer arrive in binary form. The typed getters read both forms. The _text getter
 *             shows what arrived, which is text only for text-like types. Read arrays with shipopt_rows_text_array();
 *             default 0
 * read_only   1: the statement changes nothing, so that its loss is SHIPOPT_ENETWORK and not SHIPOPT_EINDOUBT. The
 *             server does not check it; default 0
 * named       0: never prepare this statement; default 1
 */
SHIPOPT_API int shipopt_query_set_timeout_ms(shipopt_query *query, int64_t timeout_ms);
SHIPOPT_API int shipopt_query_set_binary(shipopt_query *query, int is_binary);
SHIPOPT_API int shipopt_query_set_read_only(shipopt_query *query, int is_read_only);
SHIPOPT_API int shipopt_query_set_named(shipopt_query *query, int is_named);

/*
 * Run a query on a connection of the pool, or on the connection of a lease. The result of the operation is
 * shipopt_op_rows() and, in shipopt_op_value(), the number of rows that were changed or returned.
 */
SHIPOPT_API int shipopt_pool_query(shipopt_pool *pool, const shipopt_query *query, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_query(shipopt_lease *lease, const shipopt_query *query, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/* ---- batches ------------------------------------------------------------------------------------------------- */

/*
 * Several statements in one round trip, sent ahead of their answers (libpq's pipeline mode).
 *
 * Outside of a transaction each group of statements is one transaction. Without shipopt_batch_end_group() a batch is
 * one group. An error ends its group: later statements of the group are SHIPOPT_ECANCELED. Earlier ones keep status 0
 * and their rows, but what they did is rolled back. If the commit of a group fails (a deferred constraint), its last
 * statement has the error, and the others are SHIPOPT_ECANCELED. Later groups still run.
 *
 * Status and error of the operation are those of the first failure. shipopt_op_value() is the number of rows that the
 * last statement changed or returned, 0 if it did not run.
 *
 * `_add` copies a statement, at most 65,536 of them (SHIPOPT_ETOOLARGE). `_end_group` ends a group after the last
 * statement (SHIPOPT_ESTATE without one). `_set_timeout_ms` sets the time limit of the whole batch, as for a query.
 */
SHIPOPT_API int shipopt_batch_new(shipopt_batch **ret_batch);
SHIPOPT_API void shipopt_batch_free(shipopt_batch *batch);
SHIPOPT_API int shipopt_batch_add(shipopt_batch *batch, const shipopt_query *query);
SHIPOPT_API int shipopt_batch_end_group(shipopt_batch *batch);
SHIPOPT_API int shipopt_batch_set_timeout_ms(shipopt_batch *batch, int64_t timeout_ms);

/*
 * Makes the batch one transaction: BEGIN, the statements and COMMIT in one round trip. Groups are ignored. After a
 * serialization failure or deadlock (40001, 40P01) the pool repeats it, up to `attempts` times in all (1 to 100).
 * Before each repetition it makes a random pause of up to 10 ms × 2^n. `flags` are SHIPOPT_TRANSACTION_…. Only for
 * shipopt_pool_batch(). SHIPOPT_EINVAL for flags or attempts out of bounds.
 */
SHIPOPT_API int shipopt_batch_set_transaction(shipopt_batch *batch, int flags, int attempts);

/*
 * Run a batch on a connection of the pool, or on the connection of a lease. The batch is copied. The operation fails
 * with SHIPOPT_EINVAL for a batch without statements, and on a lease for a batch with a transaction.
 */
SHIPOPT_API int shipopt_pool_batch(shipopt_pool *pool, const shipopt_batch *batch, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_batch(shipopt_lease *lease, const shipopt_batch *batch, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/*
 * The results of a query or batch, borrowed from the operation. `index` counts the statements of a batch from 0,
 * without BEGIN and COMMIT of its transaction. shipopt_op_rows() is that of the first statement. A statement without
 * rows has an object with 0 rows and 0 columns. Rows are NULL for a statement that failed or did not run, the error is
 * NULL for one that succeeded. For an index out of range, and before the operation is done, pointers are NULL and the
 * status is SHIPOPT_ENOTFOUND.
 */
SHIPOPT_API const shipopt_rows *shipopt_op_rows(const shipopt_op *op);
SHIPOPT_API size_t shipopt_op_statement_count(const shipopt_op *op);
SHIPOPT_API const shipopt_rows *shipopt_op_statement_rows(const shipopt_op *op, size_t index);
SHIPOPT_API int shipopt_op_statement_status(const shipopt_op *op, size_t index);
SHIPOPT_API const shipopt_error *shipopt_op_statement_error(const shipopt_op *op, size_t index);

/* ---- rows ---------------------------------------------------------------------------------------------------- */

/*
 * The shape of rows. Rows and columns count from 0. Rows never change and may be read on any thread.
 *
 * _count         number of rows
 * _column_count  number of columns
 * _column_name   NULL outside
 * _column_type   PostgreSQL's type OID, 0 outside
 * _find_column   the first column of that name, or SHIPOPT_ENOTFOUND
 * _affected      rows changed by INSERT, UPDATE, DELETE, MERGE or COPY, or returned by SELECT
 */
SHIPOPT_API size_t shipopt_rows_count(const shipopt_rows *rows);
SHIPOPT_API size_t shipopt_rows_column_count(const shipopt_rows *rows);
SHIPOPT_API const char *shipopt_rows_column_name(const shipopt_rows *rows, size_t column);
SHIPOPT_API uint32_t shipopt_rows_column_type(const shipopt_rows *rows, size_t column);
SHIPOPT_API int shipopt_rows_find_column(const shipopt_rows *rows, const char *name);
SHIPOPT_API int64_t shipopt_rows_affected(const shipopt_rows *rows);

/*
 * One value as it arrived. `_is_null` is 1 for null and outside. `_text` is NUL-terminated, NULL for null, and borrowed
 * from the rows. `_length` is its length in bytes.
 */
SHIPOPT_API int shipopt_rows_is_null(const shipopt_rows *rows, size_t row, size_t column);
SHIPOPT_API const char *shipopt_rows_text(const shipopt_rows *rows, size_t row, size_t column);
SHIPOPT_API size_t shipopt_rows_length(const shipopt_rows *rows, size_t row, size_t column);

/*
 * One value by type. They return 1 with the value, 0 for null, SHIPOPT_EINVAL outside, SHIPOPT_ETYPE for a column of
 * another type, SHIPOPT_EPARSE for a value that cannot be read, SHIPOPT_ETOOLARGE for one that does not fit.
 *
 * int      smallint, integer, bigint, oid, and numeric without a fraction (1.00 has none; with one: SHIPOPT_ETYPE).
 *          sum() and avg() of bigint are numeric
 * float    real, double precision, numeric, and all that _int reads
 * decimal  numeric and integers, in millionths, rounded half away from zero
 * bool     boolean
 * time_us  timestamptz, timestamp (read as UTC) and date (its midnight in UTC), in microseconds since 1970;
 *          SHIPOPT_ETOOLARGE for infinity. In text form it needs the DateStyle ISO, the default
 * uuid     uuid
 * json     the text of json or jsonb, borrowed from the rows
 * bytes    bytea, into the caller's buffer of `size` bytes. *ret_length is the whole length, also with
 *          SHIPOPT_ETOOLARGE
 */
SHIPOPT_API int shipopt_rows_int(const shipopt_rows *rows, size_t row, size_t column, int64_t *ret_value);
SHIPOPT_API int shipopt_rows_float(const shipopt_rows *rows, size_t row, size_t column, double *ret_value);
SHIPOPT_API int shipopt_rows_decimal(const shipopt_rows *rows, size_t row, size_t column, int64_t *ret_millionths);
SHIPOPT_API int shipopt_rows_bool(const shipopt_rows *rows, size_t row, size_t column, int *ret_value);
SHIPOPT_API int shipopt_rows_time_us(const shipopt_rows *rows, size_t row, size_t column, int64_t *ret_unix_us);
SHIPOPT_API int shipopt_rows_uuid(const shipopt_rows *rows, size_t row, size_t column, unsigned char ret_uuid[16]);
SHIPOPT_API int shipopt_rows_json(const shipopt_rows *rows, size_t row, size_t column, const char **ret_json);
SHIPOPT_API int shipopt_rows_bytes(const shipopt_rows *rows, size_t row, size_t column, void *buffer, size_t size,
	size_t *ret_length);

/*
 * Arrays of one dimension, with the results above.
 *
 * int_array   smallint[], integer[], bigint[], into the caller's arrays of `max` elements. `nulls` (may be NULL) marks
 *             null elements, whose value is 0. *ret_count is the number of elements, also with SHIPOPT_ETOOLARGE
 * text_array  text[], varchar[] and char[]. `each` is called in this call for every element, in order, with NULL for a
 *             null element. `text` is NUL-terminated and borrowed for the call. Before a failure `each` may have been
 *             called for some elements
 */
typedef void (*shipopt_element_fn)(void *userdata, size_t index, const char *text, size_t length);
SHIPOPT_API int shipopt_rows_int_array(const shipopt_rows *rows, size_t row, size_t column, int64_t *values,
	unsigned char *nulls, size_t max, size_t *ret_count);
SHIPOPT_API int shipopt_rows_text_array(const shipopt_rows *rows, size_t row, size_t column, shipopt_element_fn each,
	void *userdata);

/* ---- leases and transactions ----------------------------------------------------------------------------------- */

/*
 * Acquires a connection. The result of the operation is a lease, see shipopt_op_take_lease().
 *
 * `name` (may be NULL, 47 bytes are kept) appears in log lines and leak reports. `owner` is a number that the
 * application gives to the task or thread that waits; 0: none. If an owner that holds a lease would wait for another
 * one while every other holder waits too, the operation fails with SHIPOPT_EDEADLK.
 */
SHIPOPT_API int shipopt_pool_acquire(shipopt_pool *pool, const char *name, uint64_t owner, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

/*
 * Returns the lease of an acquire, once; afterwards NULL. The caller owns it. A lease that is not taken is released
 * with the operation.
 */
SHIPOPT_API shipopt_lease *shipopt_op_take_lease(shipopt_op *op);

/* Acquires a connection without waiting. SHIPOPT_EAGAIN if none is free that can be used at once. SHIPOPT_ENOMEM,
 * SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED. */
SHIPOPT_API int shipopt_pool_try_acquire(shipopt_pool *pool, const char *name, uint64_t owner,
	shipopt_lease **ret_lease);

/*
 * Gives the connection back. Never blocks. Commands given to the lease before are finished first. Then an open
 * transaction is rolled back and a changed session is reset, on the event loop. Accepts NULL.
 */
SHIPOPT_API void shipopt_lease_release(shipopt_lease *lease);

/* Returns the process id of the backend, for the server's views; 0 if the connection is lost. */
SHIPOPT_API int shipopt_lease_backend_pid(const shipopt_lease *lease);

enum { /* flags of a transaction; without a level the server's default applies */
	SHIPOPT_TRANSACTION_READ_COMMITTED = 1,
	SHIPOPT_TRANSACTION_REPEATABLE_READ = 2,
	SHIPOPT_TRANSACTION_SERIALIZABLE = 3,
	SHIPOPT_TRANSACTION_READ_ONLY = 4,
	SHIPOPT_TRANSACTION_DEFERRABLE = 8
};

/*
 * Control a transaction on a lease. A commit fails with SHIPOPT_ESTATE if a statement had failed: the server rolled
 * back. It fails with SHIPOPT_EINDOUBT if its answer is lost. Savepoints have numbers from 1 to 1,000,000. Rolling back
 * to a savepoint keeps it; releasing it forgets it and keeps what was done. Flags or numbers out of bounds:
 * SHIPOPT_EINVAL, through the operation.
 */
SHIPOPT_API int shipopt_lease_begin(shipopt_lease *lease, int flags, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_commit(shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_rollback(shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_savepoint(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_rollback_to(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_release_savepoint(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);

/*
 * Options of the transactions below. They return 0 or SHIPOPT_EINVAL.
 *
 * flags       SHIPOPT_TRANSACTION_…; default 0
 * attempts    attempts in all, 1 to 100; default 10
 * timeout_ms  from the first BEGIN to the end, all attempts and the body included; 0: no limit; -1 (default):
 *             command_timeout_ms
 * owner       name and owner, as in shipopt_pool_acquire()
 */
typedef struct shipopt_transaction_options shipopt_transaction_options;
SHIPOPT_API int shipopt_transaction_options_new(shipopt_transaction_options **ret_options);
SHIPOPT_API void shipopt_transaction_options_free(shipopt_transaction_options *options);
SHIPOPT_API int shipopt_transaction_options_set_flags(shipopt_transaction_options *options, int flags);
SHIPOPT_API int shipopt_transaction_options_set_attempts(shipopt_transaction_options *options, int attempts);
SHIPOPT_API int shipopt_transaction_options_set_timeout_ms(shipopt_transaction_options *options, int64_t timeout_ms);
SHIPOPT_API int shipopt_transaction_options_set_owner(shipopt_transaction_options *options, const char *name,
	uint64_t owner);

/*
 * Runs a transaction whose body is code of the application: it decides between statements, and runs again after a
 * conflict.
 *
 * The pool takes a connection, sends BEGIN and asks for the body. The body is a request: it gives commands to
 * shipopt_request_lease(), and later answers, on any thread, with shipopt_request_complete() or shipopt_request_fail().
 * After success the pool sends COMMIT after all commands given to the lease, and the number of the answer becomes
 * shipopt_op_value(). After a failure it sends ROLLBACK, and the operation fails with the code and message of the body,
 * followed by the server's error if a statement had made the transaction fail.
 *
 * After a serialization failure or deadlock (40001, 40P01) in any statement or in the COMMIT, the whole body runs
 * again. Before that the pool makes a random pause of up to 10 ms × 2^n. This happens also if the body ignored the
 * error, except when it rolled back to a savepoint that lies before the failed statement. So a body must do nothing
 * outside of the transaction that must not happen twice. The pause keeps the connection. Further failures:
 *
 *   SHIPOPT_EBUSY      every attempt met a conflict
 *   SHIPOPT_EINDOUBT   the answer to COMMIT is lost; it is not repeated
 *   SHIPOPT_ETIMEDOUT  not finished within timeout_ms, and rolled back
 *   SHIPOPT_ECANCELED  canceled by shipopt_op_cancel() or because the runtime closes
 *   SHIPOPT_ESTATE     the body ended the transaction itself, or a statement had failed and the body still answered
 *                      with success
 *   SHIPOPT_EDEADLK    of an acquire or query that the body asks of the same pool, see shipopt_pool_acquire(). A body
 *                      is an owner, also without a name
 *
 * When a body is late or canceled, its commands end and new ones are refused. It should answer then. If it has not
 * answered after cancel_grace_ms, or at once when the runtime closes, its connection is closed and the operation ends
 * without it. It must still answer, but the answer is ignored.
 *
 * `body` runs where the pool delivers, so it must not block or wait. If the pool delivers to a queue, each attempt is
 * an event of the kind SHIPOPT_EVENT_REQUEST whose `op` is the transaction. shipopt_queue_dispatch() and
 * shipopt_op_wait() run `body` for it. With a queue, `body` may be NULL: then the application must poll the event, and
 * dispatching it fails the transaction with SHIPOPT_ESTATE. `userdata` goes to the body and to `done`. A body that was
 * not entered before `done` is never entered. `options` is copied and may be NULL.
 */
SHIPOPT_API int shipopt_pool_transaction(shipopt_pool *pool, const shipopt_transaction_options *options,
	shipopt_request_fn body, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * What a body reads from its request: the lease, borrowed until the answer and not to be released, and the number of
 * the attempt, 1 for the first. NULL and 0 for requests of other kinds.
 */
SHIPOPT_API shipopt_lease *shipopt_request_lease(const shipopt_request *request);
SHIPOPT_API int shipopt_request_attempt(const shipopt_request *request);

/*
 * Runs a transaction on the caller's thread, which waits.
 *
 *	static int move(void *userdata, shipopt_lease *lease, int attempt) { … shipopt_lease_query() and shipopt_op_wait() … }
 *	r = shipopt_pool_transaction_blocking(pool, NULL, move, &order, &error);
 *
 * `body` may block and wait. A negative result is its failure, any other leads to COMMIT. Returns the outcome, 0 or a
 * failure, as above. SHIPOPT_EDEADLK on threads of the library and inside a dispatch of the pool's queue.
 */
typedef int (*shipopt_transaction_fn)(void *userdata, shipopt_lease *lease, int attempt);
SHIPOPT_API int shipopt_pool_transaction_blocking(shipopt_pool *pool, const shipopt_transaction_options *options,
	shipopt_transaction_fn body, void *userdata, shipopt_error **ret_error);

/* ---- streams and COPY ------------------------------------------------------------------------------------------ */

/*
 * Streams: rows at the reader's own pace, in constant memory. At most stream_bytes wait for the reader. Then the pool
 * stops reading, and the server waits. One thread at a time reads. A stream keeps its connection until it ends. The
 * operation ends after the last row, with the number of rows in shipopt_op_value(). Its time limit is that of the query
 * and includes the pauses of the reader.
 *
 * _pool_stream, _lease_stream  run a query as a stream
 * _copy_out                    runs COPY … TO STDOUT. Each row has one column: a line of text with its line end, or a
 *                              piece of the binary form
 *
 * If the pool delivers to a queue that enabled SHIPOPT_EVENT_READY, an event of that kind says that rows wait: `value`
 * is the address of the stream, `op` its operation. There is one event for all rows until it is released. Call
 * shipopt_stream_next() with timeout 0 until it returns SHIPOPT_ETIMEDOUT, then release the event. The event takes one
 * slot of the queue as long as the stream lives. Since 0.2.
 *
 * The caller owns *ret_stream, also when the operation fails. It is NULL if the arguments are refused: the operation
 * then fails with SHIPOPT_EINVAL (such as a statement of another kind), SHIPOPT_ETOOLARGE or SHIPOPT_EENCODING.
 */
typedef struct shipopt_stream shipopt_stream;
SHIPOPT_API int shipopt_pool_stream(shipopt_pool *pool, const shipopt_query *query, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_stream(shipopt_lease *lease, const shipopt_query *query, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
SHIPOPT_API int shipopt_lease_copy_out(shipopt_lease *lease, const char *sql, shipopt_stream **ret_stream,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * Returns the next rows: 1 with some, borrowed until the next call or _free; 0 at the end. `timeout_ms`: 0 does not
 * wait, -1 waits without limit. SHIPOPT_ETIMEDOUT if no rows came in time. SHIPOPT_EDEADLK if it would wait on a thread
 * of the library. Any other failure is the one that ended the stream, after the rows before it.
 */
SHIPOPT_API int shipopt_stream_next(shipopt_stream *stream, int64_t timeout_ms, const shipopt_rows **ret_rows);

/* Ends a stream. Before its end the query is canceled, and the operation ends with SHIPOPT_ECANCELED. */
SHIPOPT_API void shipopt_stream_free(shipopt_stream *stream);

/*
 * Runs COPY … FROM STDIN, in text or binary form as the statement says. The application writes the bytes in pieces of
 * any size. At most stream_bytes wait for the server. The operation ends after shipopt_copy_finish(), with the number
 * of rows in shipopt_op_value(). The caller owns *ret_copy, also when the operation fails. It is NULL if the statement
 * is refused: the operation then fails with SHIPOPT_EINVAL, SHIPOPT_ETOOLARGE or SHIPOPT_EENCODING.
 *
 * If the pool delivers to a queue that enabled SHIPOPT_EVENT_READY, an event of that kind says that a write that found
 * no room can be repeated: `value` is the address of the COPY, `op` its operation. The event takes one slot of the
 * queue as long as the COPY lives. Since 0.2.
 */
typedef struct shipopt_copy shipopt_copy;
SHIPOPT_API int shipopt_lease_copy_in(shipopt_lease *lease, const char *sql, shipopt_copy **ret_copy,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * Writes a piece, at most stream_bytes (SHIPOPT_ETOOLARGE), and waits for room up to `timeout_ms` (-1: no limit). All
 * of it is taken, or nothing on failure. SHIPOPT_EAGAIN with 0 and no room, SHIPOPT_ETIMEDOUT, SHIPOPT_EDEADLK if it
 * would wait on a thread of the library. SHIPOPT_ESTATE if the COPY has ended: the operation says why.
 */
SHIPOPT_API int shipopt_copy_write(shipopt_copy *copy, const void *bytes, size_t length, int64_t timeout_ms);

/* Ends the data. SHIPOPT_ESTATE if the COPY has ended. */
SHIPOPT_API int shipopt_copy_finish(shipopt_copy *copy);

/* Frees the handle. Without a finish before, the server drops all rows, and the operation ends with
 * SHIPOPT_ECANCELED. */
SHIPOPT_API void shipopt_copy_free(shipopt_copy *copy);

/* ---- statistics ------------------------------------------------------------------------------------------------ */

enum {
	SHIPOPT_POOL_STAT_ACQUIRES = 1,          /* leases granted and pool calls served */
	SHIPOPT_POOL_STAT_ACQUIRE_US = 2,        /* total time they waited */
	SHIPOPT_POOL_STAT_LEASED = 3,            /* connections in use now */
	SHIPOPT_POOL_STAT_CANCELED_ACQUIRES = 4, /* calls canceled or timed out while waiting */
	SHIPOPT_POOL_STAT_CONNECTING = 5,        /* connections that are being made now */
	SHIPOPT_POOL_STAT_EMPTY_ACQUIRES = 6,    /* served after a wait, because no connection was free */
	SHIPOPT_POOL_STAT_EMPTY_ACQUIRE_US = 7,  /* total time those waited */
	SHIPOPT_POOL_STAT_IDLE = 8,              /* idle connections now */
	SHIPOPT_POOL_STAT_MAX = 9,               /* max and overflow */
	SHIPOPT_POOL_STAT_CONNECTS = 10,         /* connections made */
	SHIPOPT_POOL_STAT_LIFETIME_CLOSED = 11,  /* connections closed for their age */
	SHIPOPT_POOL_STAT_IDLE_CLOSED = 12,      /* connections closed because they were idle */
	SHIPOPT_POOL_STAT_TOTAL = 13,            /* connections now, in any state */
	SHIPOPT_POOL_STAT_WAITING = 14,          /* calls that wait for a connection now */
	SHIPOPT_POOL_STAT_CONNECT_FAILURES = 15,
	SHIPOPT_POOL_STAT_LOST = 16, /* connections that were lost */
	SHIPOPT_POOL_STAT_PINGS = 17,
	SHIPOPT_POOL_STAT_RESETS = 18,  /* sessions reset on release */
	SHIPOPT_POOL_STAT_CANCELS = 19, /* cancel requests sent */
	SHIPOPT_POOL_STAT_PREPARES = 20,
	SHIPOPT_POOL_STAT_LEAKS = 21,                 /* leases reported as leaked */
	SHIPOPT_POOL_STAT_SLOW = 22,                  /* commands reported as slow */
	SHIPOPT_POOL_STAT_RETRIES = 23,               /* repetitions of statements and transactions */
	SHIPOPT_POOL_STAT_LISTEN_CONNECTS = 24,       /* times the connection that listens was made */
	SHIPOPT_POOL_STAT_LISTEN_LOST = 25,           /* and times it was lost */
	SHIPOPT_POOL_STAT_NOTIFICATIONS = 26,         /* notifications received on it */
	SHIPOPT_POOL_STAT_NOTIFICATIONS_DROPPED = 27, /* notifications dropped because a listener had no room */
	SHIPOPT_POOL_STAT_NOTIFICATIONS_MISSED = 28,  /* times a listener got MISSED */
	SHIPOPT_POOL_STAT_SLOW_DROPPED = 29           /* slow reports that were not delivered */
};

/* Reads a counter or a gauge, without stopping the pool. SHIPOPT_EINVAL for an unknown `stat`, SHIPOPT_EFORKED. */
SHIPOPT_API int shipopt_pool_stat(shipopt_pool *pool, int stat, int64_t *ret_value);

enum { SHIPOPT_POOL_HISTOGRAM_WAIT = 1, SHIPOPT_POOL_HISTOGRAM_CONNECT = 2 };

/*
 * Reads a bucket of the histogram of the wait for a connection, or of the time to connect. Bucket i, from 0 to 31,
 * counts what took less than 2^i microseconds and did not fit the bucket before it. SHIPOPT_EINVAL for an unknown
 * histogram or bucket.
 */
SHIPOPT_API int shipopt_pool_histogram(shipopt_pool *pool, int histogram, int bucket, int64_t *ret_count);

SHIPOPT_END_DECLS

#endif
