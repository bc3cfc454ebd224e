/* SPDX-License-Identifier: MIT */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include <shipopt/ledger.h>

#include "base/error.h"
#include "runtime/task.h"

/*
 * The interface between the store and a database.
 *
 * A back-end takes pieces of work, each embedded in the struct that it works on. It runs them in the order of
 * submission, except that reads may overtake writes. It completes each piece exactly once, from one of its own threads:
 * a `struct ledger_request` by posting its task to the reactor that the request names, a `struct backend_query` by
 * calling its `done`. A write completes only after it is durable.
 *
 * `close` finishes what was submitted and returns when no thread of the back-end is left. `abandon` comes before it
 * where the caller must not wait: it returns at once, and calls `ended` when everything is finished, so that the close
 * that follows is short. `free` comes last.
 */
struct backend;

enum backend_kind {
	BACKEND_LEDGER = 1, /* struct ledger_request */
	BACKEND_READY,      /* these are struct backend_query */
	BACKEND_RESOLVE,
	BACKEND_LIST,
	BACKEND_COUNT
};

struct backend_work {
	struct task task; /* the back-end's */
	enum backend_kind kind;
};

struct backend_query {
	struct backend_work work;
	const char *tenant; /* texts are borrowed until `done` */
	int state;
	int64_t row, after, limit;
	const char *tracking_code, *actor, *reason;
	bool (*is_canceled)(const struct backend_query *query); /* asked before it starts */
	void (*done)(struct backend_query *query);              /* on a thread of the back-end */

	int status; /* written before `done`, as are: */
	shipopt_error *error;
	shipopt_ledger_page *page; /* of BACKEND_LIST */
	int64_t value;
};

struct backend_options {
	shipopt_runtime *runtime;
	int64_t busy_timeout_ms, queue_max, group_max;
	const char *confirm_mode;      /* test, production or ""; only while `new` runs */
	void (*ended)(void *argument); /* after `abandon`, on a thread of the back-end that is about to leave */
	void *argument;
};

struct backend_class {
	const char *scheme; /* of the URL */
	/* Checks the location, which is the URL after "scheme:". Opens nothing and starts no thread. */
	int (*new)(const char *location, const struct backend_options *options, struct backend **ret_backend,
		shipopt_error **ret_error);
	/* Any thread. Takes nothing when it fails: SHIPOPT_EAGAIN (the queue is full, or no thread can be started),
	 * SHIPOPT_ESHUTDOWN. */
	int (*submit)(struct backend *backend, struct backend_work *work);
	void (*hurry)(struct backend *backend); /* stop waiting for other processes: fail instead. Any thread */
	void (*close)(struct backend *backend);
	/* Returns false if nothing runs; then `ended` is not called. */
	bool (*abandon)(struct backend *backend);
	void (*free)(struct backend *backend);
};

struct backend {
	const struct backend_class *class;
};

extern const struct backend_class sqlite_backend;

#endif
