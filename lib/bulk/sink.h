/* SPDX-License-Identifier: MIT */
#ifndef BULK_SINK_H
#define BULK_SINK_H

#include <shipopt/runtime.h>
#include <shipopt/sink.h>

#include "base/buffer.h"
#include "purchase/item.h"

/*
 * A place for results: a buffered file of CSV or JSON lines.
 *
 * A sink belongs to its host and is written by one thread at a time, the run's delivery. Rows are collected in one buffer
 * and handed to the system when SINK_FLUSH_BYTES have come together, on sink_flush() and on shipopt_sink_free(); a row is
 * never cut in two by a failure to format it. A sink that failed stays failed, with the code of the first failure: what
 * stands in the file may be incomplete and further rows would only hide that.
 *
 * Handed to the system is not on the disk: there is no fsync(). What must survive a power cut is the ledger, from which a
 * second run gives the same results again.
 *
 * CSV is RFC 4180: a header line, CR LF, quotes where needed. `status` is "done", "already" or the error's name; `reason` the
 * error's message on one line; amounts are decimal text. With `guard` a text that starts with = + - @ tab or CR gets ' in
 * front (OWASP, "CSV Injection"). JSON lines have the same members, where there is something to say, and also `input` of a
 * failed item and the whole `record`.
 */
#define SINK_FLUSH_BYTES ((size_t)65536)
#define SINK_ROW_BYTES_MAX ((size_t)32 << 20) /* room for a row with labels in it; SHIPOPT_ETOOLARGE beyond */

struct sink_format {
	int (*begin)(struct buffer *buffer); /* in front of the first row; may be NULL */
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

/* The file is created last: a failure before it leaves an existing file alone. */
int sink_open(const struct sink_format *format, const char *path, bool guard, shipopt_sink **ret_sink,
	shipopt_error **ret_error);
/* "done", "already" or the name of the item's error. */
const char *sink_status_text(const shipopt_item *item);
/* Why an item failed: its message, or the text of its code; NULL for one that did not. */
const char *sink_reason_text(const shipopt_item *item);

/* SHIPOPT_EIO with the system's reason, SHIPOPT_ENOMEM, SHIPOPT_ETOOLARGE. A failed sink gives its first failure again. */
int sink_write(shipopt_sink *sink, const shipopt_item *item, shipopt_error **ret_error);
/* A run of this runtime is going to write to the sink. */
void sink_use(shipopt_sink *sink, shipopt_runtime *runtime);
/* Hands everything written so far to the system. */
int sink_flush(shipopt_sink *sink, shipopt_error **ret_error);

#endif
