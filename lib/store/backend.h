/* SPDX-License-Identifier: MIT */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include <shipopt/ledger.h>

#include "base/error.h"
#include "runtime/task.h"

/*
 * The narrow waist between the store and the database behind it.
 *
 * A back-end takes pieces of work, each embedded in what it works on, runs them in the order of submission (reads may
 * overtake writes) and completes each exactly once, from a thread of its own: a `struct ledger_request` by posting its task to
 * the reactor named in it, a `struct backend_query` by calling its `done`. A write is completed only after it is durable.
 *
 * Ends: `close` finishes what was submitted and returns when no thread of the back-end is left. `abandon` goes before
 * it where nobody may wait: it returns at once, and `ended` is called once everything is finished, so that the close that
 * follows elsewhere is short. `free` comes last.
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
	/* Checks the location (the URL behind "scheme:"), opens nothing, starts no thread. */
	int (*new)(const char *location, const struct backend_options *options, struct backend **ret_backend,
		shipopt_error **ret_error);
	/* Any thread. When it fails nothing was taken: SHIPOPT_EAGAIN (full, or no thread to be had), SHIPOPT_ESHUTDOWN. */
	int (*submit)(struct backend *backend, struct backend_work *work);
	void (*hurry)(struct backend *backend); /* stop waiting for other processes: fail instead. Any thread */
	void (*close)(struct backend *backend);
	/* False: nothing runs, `ended` is not called. */
	bool (*abandon)(struct backend *backend);
	void (*free)(struct backend *backend);
};

struct backend {
	const struct backend_class *class;
};

extern const struct backend_class sqlite_backend;

#endif
