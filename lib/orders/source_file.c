/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "orders/source_file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"

#define MARK_BYTES 3
#define REASON_SIZE 128

/* strerror_r() of GNU may return a static text; that of POSIX fills the buffer and returns a number. */
static inline __attribute__((unused)) const char *source_file_reason_gnu(const char *reason, const char *text)
{
	return reason;
}

static inline __attribute__((unused)) const char *source_file_reason_posix(int r, const char *text)
{
	return r == 0 ? text : "unknown error";
}

#define REASON(call, text) \
	_Generic((call), char * : source_file_reason_gnu, int : source_file_reason_posix)((call), (text))

const char *system_reason(int number, char *text, size_t size)
{
	return REASON(strerror_r(number, text, size), text);
}

static int source_file_path_error(const char *path, const char *verb, int number, shipopt_error **ret_error)
{
	char reason[REASON_SIZE];
	return error_set(ret_error, SHIPOPT_EIO, "cannot %s \"%s\": %s", verb, path,
		system_reason(number, reason, sizeof(reason)));
}

static int source_file_open_path(struct file_reader *file, const char *path, shipopt_error **ret_error)
{
	file->is_owned = !text_equal(path, "-");
	errno = EMFILE; /* what an injected failure gives as its reason */
	file->fd = !file->is_owned ? STDIN_FILENO : fault_point() ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (file->fd < 0)
		return source_file_path_error(path, "open", errno, ret_error);
	struct stat status;
	if (fstat(file->fd, &status) < 0)
		return source_file_path_error(path, "look at", errno, ret_error);
	if (S_ISDIR(status.st_mode))
		return source_file_path_error(path, "read", EISDIR, ret_error);
	file->size = S_ISREG(status.st_mode) ? (int64_t)status.st_size : -1;
	return 0;
}

int file_reader_open(struct file_reader *file, const char *path, size_t block_bytes, shipopt_error **ret_error)
{
	*file = (struct file_reader){.fd = -1, .block_bytes = block_bytes, .size = -1};
	file->path = mem_copy_text(path);
	file->block = mem_alloc(MAX(block_bytes, MARK_BYTES));
	int r = file->path && file->block ? source_file_open_path(file, path, ret_error) : SHIPOPT_ENOMEM;
	if (r < 0) {
		file_reader_close(file);
		return r;
	}
	const char *slash = strrchr(file->path, '/');
	file->name = !file->is_owned ? "standard input" : slash ? slash + 1 : file->path;
	return 0;
}

void file_reader_close(struct file_reader *file)
{
	if (file->fd >= 0 && file->is_owned)
		close(file->fd);
	file->fd = -1;
	mem_free(TAKE(file->path));
	mem_free(TAKE(file->block));
}

/* Reads up to `bytes` after the content of the block. Waits for a descriptor that is non-blocking. */
static int source_file_read_some(struct file_reader *file, size_t bytes, shipopt_error **ret_error)
{
	for (;;) {
		errno = EIO;
		ssize_t n = fault_point() ? -1 : read(file->fd, file->block + file->length, bytes);
		if (n >= 0) {
			file->length += (size_t)n;
			return n > 0;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			poll(&(struct pollfd){.fd = file->fd, .events = POLLIN}, 1, -1);
		else if (errno != EINTR)
			return source_file_path_error(file->path, "read", errno, ret_error);
	}
}

/* Reads the first three bytes, which say how the text is encoded. 1 if there is text among them. */
static int file_start(struct file_reader *file, shipopt_error **ret_error)
{
	int r = 1;
	while (r > 0 && file->length < MARK_BYTES)
		r = source_file_read_some(file, MARK_BYTES - file->length, ret_error);
	if (r < 0)
		return r;
	file->is_started = true;
	if (file->length >= 2 && (memcmp(file->block, "\xff\xfe", 2) == 0 || memcmp(file->block, "\xfe\xff", 2) == 0))
		return error_set(ret_error, SHIPOPT_EENCODING, "%s is UTF-16: save it as UTF-8", file->name);
	if (file->length == MARK_BYTES && memcmp(file->block, "\xef\xbb\xbf", MARK_BYTES) == 0)
		file->at = MARK_BYTES;
	return file->at < file->length;
}

int file_reader_fill(struct file_reader *file, shipopt_error **ret_error)
{
	ASSERT(file->at == file->length);
	if (!file->is_started) {
		int r = file_start(file, ret_error);
		if (r != 0)
			return r;
	}
	file->position += (int64_t)file->length;
	file->at = file->length = 0;
	return source_file_read_some(file, file->block_bytes, ret_error);
}
