/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "bulk/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "orders/source_file.h"
#include "runtime/runtime.h"

#define REASON_SIZE 128

/* Returns the first failure. */
static int sink_failure(const shipopt_sink *sink, shipopt_error **ret_error)
{
	if (ret_error && sink->error)
		*ret_error = shipopt_error_ref(sink->error);
	return sink->status;
}

/* Fails with the reason of the system call that set `number`. */
static int sink_fail(shipopt_sink *sink, const char *verb, int number, shipopt_error **ret_error)
{
	char reason[REASON_SIZE];
	if (sink->status == 0) {
		shipopt_error_unref(TAKE(sink->error));
		sink->status = error_set(&sink->error, SHIPOPT_EIO, "cannot %s \"%s\": %s", verb, sink->path,
			system_reason(number, reason, sizeof(reason)));
	}
	return sink_failure(sink, ret_error);
}

static int sink_open_path(shipopt_sink *sink, shipopt_error **ret_error)
{
	sink->is_owned = !text_equal(sink->path, "-");
	errno = EMFILE; /* what an injected failure gives as its reason */
	sink->fd = !sink->is_owned ? STDOUT_FILENO
		: fault_point()    ? -1
				   : open(sink->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
	return sink->fd < 0 ? sink_fail(sink, "create", errno, ret_error) : 0;
}

static void sink_destroy(shipopt_sink *sink)
{
	if (sink->runtime)
		runtime_unref(sink->runtime);
	shipopt_error_unref(sink->error);
	buffer_done(&sink->buffer);
	mem_free(sink->path);
	mem_free(sink);
}

int sink_open(const struct sink_format *format, const char *path, bool guard, shipopt_sink **ret_sink,
	shipopt_error **ret_error)
{
	if (!path || !ret_sink)
		return error_set(ret_error, SHIPOPT_EINVAL, "sink: path and ret_sink must not be NULL");
	shipopt_sink *sink = mem_alloc_zero(sizeof(*sink));
	if (!sink)
		return SHIPOPT_ENOMEM;
	sink->format = format;
	sink->guard = guard;
	sink->fd = -1;
	buffer_init(&sink->buffer, SINK_FLUSH_BYTES + SINK_ROW_BYTES_MAX);
	sink->path = mem_copy_text(path);
	int r = sink->path ? 0 : SHIPOPT_ENOMEM;
	if (r == 0 && format->begin)
		r = format->begin(&sink->buffer);
	r = r < 0 ? r : sink_open_path(sink, ret_error);
	if (r < 0) {
		sink_destroy(sink);
		return r;
	}
	*ret_sink = sink;
	return 0;
}

static ssize_t sink_write_some(int fd, const char *bytes, size_t length)
{
	for (;;) {
		errno = ENOSPC;
		ssize_t n = fault_point() ? -1 : write(fd, bytes, length);
		if (n >= 0)
			return n;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		else if (errno != EINTR)
			return -1;
	}
}

int sink_flush(shipopt_sink *sink, shipopt_error **ret_error)
{
	if (sink->status < 0)
		return sink_failure(sink, ret_error);
	for (size_t at = 0; at < sink->buffer.length;) {
		ssize_t n = sink_write_some(sink->fd, sink->buffer.data + at, sink->buffer.length - at);
		if (n < 0)
			return sink_fail(sink, "write", errno, ret_error);
		at += (size_t)n;
	}
	buffer_clear(&sink->buffer);
	return 0;
}

int sink_write(shipopt_sink *sink, const shipopt_item *item, shipopt_error **ret_error)
{
	if (sink->status < 0)
		return sink_failure(sink, ret_error);
	size_t length = sink->buffer.length;
	int r = sink->format->row(&sink->buffer, item, sink->guard);
	if (r < 0) {
		sink->buffer.length = length; /* what was written of the row before it failed */
		sink->status = error_set(&sink->error, r, "cannot format item %llu for \"%s\": %s",
			(unsigned long long)shipopt_item_index(item), sink->path, shipopt_error_description(r));
		return sink_failure(sink, ret_error);
	}
	return sink->buffer.length < SINK_FLUSH_BYTES ? 0 : sink_flush(sink, ret_error);
}

void sink_use(shipopt_sink *sink, shipopt_runtime *runtime)
{
	if (sink->runtime == runtime)
		return;
	if (sink->runtime)
		runtime_unref(sink->runtime);
	sink->runtime = runtime_ref(runtime);
}

/* Whole rows that were collected before a row could not be formatted still go out. */
static void sink_write_rest(shipopt_sink *sink)
{
	int before = sink->status;
	if (before == SHIPOPT_EIO)
		return;
	sink->status = 0;
	sink_flush(sink, NULL);
	sink->status = sink->status < 0 ? sink->status : before;
}

/* Closes the file, once. A close() that was interrupted has closed the descriptor. */
static void sink_close_file(shipopt_sink *sink)
{
	if (sink->fd < 0)
		return;
	sink_write_rest(sink);
	if (sink->is_owned && close(sink->fd) < 0 && errno != EINTR)
		sink_fail(sink, "close", errno, NULL);
	sink->fd = -1;
}

int shipopt_sink_close(shipopt_sink *sink, shipopt_error **ret_error)
{
	if (!sink)
		return error_set(ret_error, SHIPOPT_EINVAL, "sink: the sink must not be NULL");
	sink_close_file(sink);
	return sink->status < 0 ? (sink_failure(sink, ret_error), SHIPOPT_EIO) : 0;
}

void shipopt_sink_free(shipopt_sink *sink)
{
	if (!sink)
		return;
	bool was_open = sink->fd >= 0;
	sink_close_file(sink);
	if (was_open && sink->status < 0 && sink->runtime)
		runtime_log(sink->runtime, SHIPOPT_LOG_ERROR, "bulk: the results in \"%s\" may be incomplete: %s",
			sink->path,
			sink->error ? shipopt_error_message(sink->error) : shipopt_error_description(sink->status));
	sink_destroy(sink);
}

const char *sink_status_text(const shipopt_item *item)
{
	int status = shipopt_item_status(item);
	return status == 0 ? "done" : status > 0 ? "already" : shipopt_error_name(status);
}

const char *sink_reason_text(const shipopt_item *item)
{
	return shipopt_error_message(shipopt_item_error(item));
}
