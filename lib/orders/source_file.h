/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_FILE_H
#define ORDERS_SOURCE_FILE_H

#include "base/error.h"

/*
 * A file, pipe or standard input ("-"), read in blocks of bounded size with read(2).
 *
 * One block is in memory at a time. The caller takes the bytes from `at` to `length` and asks for the next block when
 * none are left. A UTF-8 byte order mark is skipped; a UTF-16 one is an error that says so. Reading from a pipe blocks.
 * One thread at a time uses a reader.
 */
#define FILE_BLOCK_BYTES ((size_t)65536)

struct file_reader {
	const char *name; /* for messages about rows: the path's last part, or "standard input" */
	char *path;
	int fd;
	bool is_owned; /* standard input stays open */
	char *block;
	size_t block_bytes, at, length;
	int64_t position; /* of the block in the file */
	int64_t size;     /* when it was opened; -1: not a regular file */
	bool is_started;
};

/* SHIPOPT_EIO with path and reason, also for a directory. The struct needs file_reader_close() only after success. */
int file_reader_open(struct file_reader *file, const char *path, size_t block_bytes, shipopt_error **ret_error);
void file_reader_close(struct file_reader *file);
/* Replaces the block, which must be used up: 1, or 0 at the end of the file, SHIPOPT_EIO, SHIPOPT_EENCODING. */
int file_reader_fill(struct file_reader *file, shipopt_error **ret_error);

/* The offset in the file of the next byte. */
static inline int64_t file_reader_position(const struct file_reader *file)
{
	return file->position + (int64_t)file->at;
}

/* Returns the system's reason for an errno value; it may be in `text`. Thread-safe. */
const char *system_reason(int number, char *text, size_t size);

#endif
