/* SPDX-License-Identifier: MIT */
#ifndef BULK_SINK_H
#define BULK_SINK_H

#include <shipopt/runtime.h>
#include <shipopt/sink.h>

#include "base/buffer.h"
#include "purchase/item.h"

/*
 * A file for results: buffered rows of CSV or JSON lines.
 *
 * The application owns a sink. One thread at a time writes to it: the delivery of its run. Rows are collected in one
 * buffer, which goes to the system when it has SINK_FLUSH_BYTES, with sink_flush(), and when the sink is closed. A row
 * that cannot be formatted is left out as a whole. A sink that failed gives its first failure again for every later
 * row: the file may be incomplete, and more rows would only hide that.
 *
 * There is no fsync(). What must survive a power cut is in the ledger, and another run gives the same results again.
 *
 * CSV is RFC 4180: a header line, CR LF, quotes where needed. With `guard` a text that begins with = + - @ tab or CR
 * gets ' in front (OWASP, "CSV Injection").
 */
#define SINK_FLUSH_BYTES ((size_t)65536)
#define SINK_ROW_BYTES_MAX ((size_t)32 << 20) /* enough for a row with labels in it */

struct sink_format {
	int (*begin)(struct buffer *buffer); /* writes what comes before the first row; may be NULL */
	int (*row)(struct buffer *buffer, const shipopt_item *item, bool guard);
};

struct shipopt_sink {
	const struct sink_format *format;
	char *path;
	int fd;        /* -1 once it was closed */
	bool is_owned; /* standard output stays open */
	bool guard;
	int status;               /* of the first failure; 0: none */
	shipopt_error *error;     /* of it; NULL when out of memory */
	shipopt_runtime *runtime; /* of the run that uses it, for its log; NULL before */
	struct buffer buffer;
};

/* Opens a sink. It creates the file last, so that an earlier failure does not truncate an existing one. */
int sink_open(const struct sink_format *format, const char *path, bool guard, shipopt_sink **ret_sink,
	shipopt_error **ret_error);
/* Returns "done", "already" or the name of the item's error. */
const char *sink_status_text(const shipopt_item *item);
/* Returns the message of the item's error; NULL if it has none. */
const char *sink_reason_text(const shipopt_item *item);

/* Adds a row. SHIPOPT_EIO with the system's reason, SHIPOPT_ENOMEM, SHIPOPT_ETOOLARGE. */
int sink_write(shipopt_sink *sink, const shipopt_item *item, shipopt_error **ret_error);
/* A run of this runtime writes to the sink from now on. Keeps a reference, for the log. */
void sink_use(shipopt_sink *sink, shipopt_runtime *runtime);
/* Hands every row to the system. */
int sink_flush(shipopt_sink *sink, shipopt_error **ret_error);

#endif
