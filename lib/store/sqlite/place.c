/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/sqlite/place.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "store/sqlite/filesystem.h"

#define PATH_MAX_BYTES 4200
#define ADVICE "Nothing more is written. End every program that uses the store, then open it again"

enum { PLACE_MAIN, PLACE_WAL, PLACE_SHM, PLACE_GIVEN };

static int place_copy_shm_path(struct place *place, const char *path)
{
	struct buffer buffer;
	buffer_init(&buffer, PATH_MAX_BYTES);
	int r = buffer_append_format(&buffer, "%s-shm", path);
	place->shm_path = r == 0 ? buffer_take(&buffer) : NULL;
	buffer_done(&buffer);
	return place->shm_path ? 0 : SHIPOPT_ENOMEM;
}

int place_find(struct place *place, sqlite3 *handle, const char *path, shipopt_error **ret_error)
{
	/* SQLite has resolved it. Both texts live as long as the handle. */
	const char *real_path = sqlite3_db_filename(handle, "main");
	if (place_copy_shm_path(place, real_path) < 0)
		return SHIPOPT_ENOMEM;
	place->files[PLACE_MAIN].path = real_path;
	place->files[PLACE_WAL].path = sqlite3_filename_wal(real_path);
	place->files[PLACE_SHM].path = place->shm_path;
	place->files[PLACE_GIVEN].path = text_equal(path, real_path) ? NULL : path;
	return filesystem_check_file(real_path, ret_error);
}

void place_forget(struct place *place)
{
	mem_free(place->shm_path);
	*place = (struct place){0};
}

bool place_has_log(const struct place *place)
{
	struct stat status;
	return !place->shm_path ||
		(stat(place->files[PLACE_WAL].path, &status) == 0 && stat(place->files[PLACE_SHM].path, &status) == 0);
}

static int place_file_lost(const struct place_file *file, shipopt_error **ret_error)
{
	return error_set(ret_error, SHIPOPT_EDATABASE,
		"%s was moved, deleted or replaced while the store was in use. " ADVICE, file->path);
}

static int place_file_stat(const struct place_file *file, struct stat *ret_status, shipopt_error **ret_error)
{
	if (stat(file->path, ret_status) == 0)
		return 0;
	if (errno == ENOENT || errno == ENOTDIR)
		return place_file_lost(file, ret_error);
	return error_set(ret_error, SHIPOPT_EDATABASE, "cannot read the status of %s: %s. " ADVICE, file->path,
		strerror(errno));
}

int place_remember(struct place *place, sqlite3 *handle, shipopt_error **ret_error)
{
	size_t count = 0;
	for (; count < PLACE_FILES_MAX && place->files[count].path; count++) {
		struct place_file *file = &place->files[count];
		struct stat status;
		int r = place_file_stat(file, &status, ret_error);
		if (r < 0)
			return r;
		file->device = status.st_dev;
		file->inode = status.st_ino;
	}
	int has_moved = 0;
	/* Whether SQLite has the same file open that was just examined. */
	(void)sqlite3_file_control(handle, "main", SQLITE_FCNTL_HAS_MOVED, &has_moved);
	if (has_moved)
		return place_file_lost(&place->files[PLACE_MAIN], ret_error);
	place->count = count;
	return 0;
}

int place_check(const struct place *place, shipopt_error **ret_error)
{
	for (size_t i = 0; i < place->count; i++) {
		const struct place_file *file = &place->files[i];
		struct stat status;
		int r = place_file_stat(file, &status, ret_error);
		if (r < 0)
			return r;
		if (status.st_ino != file->inode || status.st_dev != file->device)
			return place_file_lost(file, ret_error);
		if (i == PLACE_MAIN && status.st_nlink > 1)
			return error_set(ret_error, SHIPOPT_EDATABASE,
				"%s was given a second name (a hard link) while the store was in use; a program that opens "
				"it by that name does not see its log. " ADVICE,
				file->path);
	}
	return 0;
}

bool place_lost_log_only(const struct place *place)
{
	const struct place_file *file = &place->files[PLACE_MAIN];
	struct stat status;
	return place->count && stat(file->path, &status) == 0 && status.st_ino == file->inode &&
		status.st_dev == file->device && status.st_nlink == 1 &&
		stat(place->files[PLACE_WAL].path, &status) < 0 && errno == ENOENT;
}
