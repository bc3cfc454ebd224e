/* SPDX-License-Identifier: MIT */
#include "crash_vfs.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/random.h"

#define FILES_MAX 8
#define SECTOR 512
#define SHM_REGIONS_MAX 64

/* What a system call changed and no sync has made durable: bytes, or a new length. */
struct change {
	struct change *next;
	bool is_truncation;
	int64_t offset; /* the new length, for a truncation */
	size_t length;
	unsigned char bytes[];
};

struct content {
	unsigned char *bytes;
	size_t length, capacity;
};

struct file {
	char name[256]; /* "": a free slot */
	struct content seen, medium;
	struct change *first, *last;
	void *shm[SHM_REGIONS_MAX];
};

static struct {
	pthread_mutex_t lock;
	struct file files[FILES_MAX];
	struct random random;
	int64_t operations, syncs, fuse; /* fuse < 0: never */
	bool has_crashed;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .fuse = -1};

struct handle {
	sqlite3_file base;
	struct file *file;
	bool delete_on_close;
};

static struct file *file_of(sqlite3_file *base)
{
	return ((struct handle *)(void *)base)->file;
}

/* --- contents --- */

static void content_resize(struct content *content, size_t length)
{
	if (length > content->capacity) {
		content->capacity = MAX(length, content->capacity * 2);
		content->bytes = realloc(content->bytes, content->capacity);
		ASSERT(content->bytes);
	}
	if (length > content->length)
		memset(content->bytes + content->length, 0, length - content->length);
	content->length = length;
}

static void content_write(struct content *content, const void *bytes, size_t length, int64_t offset)
{
	if (content->length < (size_t)offset + length)
		content_resize(content, (size_t)offset + length);
	memcpy(content->bytes + offset, bytes, length);
}

static void change_add(struct file *file, bool is_truncation, const void *bytes, size_t length, int64_t offset)
{
	struct change *change = malloc(sizeof(*change) + length);
	ASSERT(change);
	*change = (struct change){.is_truncation = is_truncation, .offset = offset, .length = length};
	if (length)
		memcpy(change->bytes, bytes, length);
	if (file->last)
		file->last->next = change;
	else
		file->first = change;
	file->last = change;
}

static void changes_drop(struct file *file)
{
	while (file->first) {
		struct change *next = file->first->next;
		free(file->first);
		file->first = next;
	}
	file->last = NULL;
}

static void change_apply(struct file *file, const struct change *change)
{
	if (change->is_truncation)
		content_resize(&file->medium, (size_t)change->offset);
	else
		content_write(&file->medium, change->bytes, change->length, change->offset);
}

/* The power fails: some sectors of what is pending got there, others not; sometimes all, sometimes none. */
static void change_apply_partly(struct file *file, const struct change *change, uint64_t chance)
{
	if (change->is_truncation) {
		if (random_below(&disk.random, 4) < chance)
			change_apply(file, change);
		return;
	}
	for (size_t done = 0; done < change->length;) {
		int64_t offset = change->offset + (int64_t)done;
		size_t piece = MIN(change->length - done, SECTOR - (size_t)(offset % SECTOR));
		if (random_below(&disk.random, 4) < chance)
			content_write(&file->medium, change->bytes + done, piece, offset);
		done += piece;
	}
}

static void lose_power(void)
{
	disk.has_crashed = true;
	for (size_t i = 0; i < FILES_MAX; i++) {
		struct file *file = &disk.files[i];
		uint64_t chance = random_below(&disk.random, 5); /* of four */
		for (struct change *change = file->first; change; change = change->next)
			change_apply_partly(file, change, chance);
		changes_drop(file);
	}
}

/* With the lock held. False where the power fails or has failed. */
static bool operate(void)
{
	if (!disk.has_crashed && disk.fuse >= 0 && disk.operations >= disk.fuse)
		lose_power();
	disk.operations++;
	return !disk.has_crashed;
}

/* --- files --- */

static int file_close(sqlite3_file *base)
{
	struct handle *handle = (struct handle *)(void *)base;
	pthread_mutex_lock(&disk.lock);
	if (handle->delete_on_close)
		handle->file->name[0] = '\0';
	pthread_mutex_unlock(&disk.lock);
	return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset)
{
	struct file *file = file_of(base);
	int code = SQLITE_OK;
	pthread_mutex_lock(&disk.lock);
	size_t length = file->seen.length, wanted = (size_t)amount, start = (size_t)offset;
	size_t have = start >= length ? 0 : MIN(wanted, length - start);
	if (disk.has_crashed) {
		code = SQLITE_IOERR_READ;
	} else {
		if (have)
			memcpy(buffer, file->seen.bytes + start, have);
		memset((char *)buffer + have, 0, wanted - have);
		code = have < wanted ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
	}
	pthread_mutex_unlock(&disk.lock);
	return code;
}

static int file_write(sqlite3_file *base, const void *bytes, int amount, sqlite3_int64 offset)
{
	struct file *file = file_of(base);
	pthread_mutex_lock(&disk.lock);
	/* The write that the power fails in is one of those that may get there in part. */
	if (!disk.has_crashed)
		change_add(file, false, bytes, (size_t)amount, offset);
	bool ok = operate();
	if (ok)
		content_write(&file->seen, bytes, (size_t)amount, offset);
	pthread_mutex_unlock(&disk.lock);
	return ok ? SQLITE_OK : SQLITE_IOERR_WRITE;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
	struct file *file = file_of(base);
	pthread_mutex_lock(&disk.lock);
	if (!disk.has_crashed)
		change_add(file, true, NULL, 0, size);
	bool ok = operate();
	if (ok)
		content_resize(&file->seen, (size_t)size);
	pthread_mutex_unlock(&disk.lock);
	return ok ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int file_sync(sqlite3_file *base, int flags)
{
	struct file *file = file_of(base);
	pthread_mutex_lock(&disk.lock);
	bool ok = operate();
	disk.syncs += ok;
	for (struct change *change = file->first; ok && change; change = change->next)
		change_apply(file, change);
	if (ok)
		changes_drop(file);
	pthread_mutex_unlock(&disk.lock);
	return ok ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
	pthread_mutex_lock(&disk.lock);
	*size = (sqlite3_int64)file_of(base)->seen.length;
	pthread_mutex_unlock(&disk.lock);
	return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level)
{
	return SQLITE_OK;
}

static int file_check_lock(sqlite3_file *base, int *result)
{
	*result = 0;
	return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
	return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
	return SECTOR;
}

/* No promise: neither atomic writes nor appends that are safe. */
static int file_characteristics(sqlite3_file *base)
{
	return 0;
}

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **ret_memory)
{
	struct file *file = file_of(base);
	*ret_memory = NULL;
	if (region >= SHM_REGIONS_MAX)
		return SQLITE_FULL;
	if (!file->shm[region] && extend)
		file->shm[region] = calloc(1, (size_t)size);
	*ret_memory = file->shm[region];
	return SQLITE_OK;
}

static int shm_lock(sqlite3_file *base, int offset, int count, int flags)
{
	return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
	__sync_synchronize();
}

static int shm_unmap(sqlite3_file *base, int delete_it)
{
	struct file *file = file_of(base);
	for (size_t i = 0; delete_it && i < SHM_REGIONS_MAX; i++)
		free(TAKE(file->shm[i]));
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {.iVersion = 2,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_lock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector_size,
	.xDeviceCharacteristics = file_characteristics,
	.xShmMap = shm_map,
	.xShmLock = shm_lock,
	.xShmBarrier = shm_barrier,
	.xShmUnmap = shm_unmap};

/* --- the folder --- */

static struct file *file_find(const char *name)
{
	for (size_t i = 0; name && i < FILES_MAX; i++)
		if (strcmp(disk.files[i].name, name) == 0)
			return &disk.files[i];
	return NULL;
}

static void file_empty(struct file *file)
{
	changes_drop(file);
	free(file->seen.bytes);
	free(file->medium.bytes);
	for (size_t i = 0; i < SHM_REGIONS_MAX; i++)
		free(file->shm[i]);
	*file = (struct file){0};
}

static struct file *file_make(const char *name)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		struct file *file = &disk.files[i];
		if (file->name[0])
			continue;
		file_empty(file);
		snprintf(file->name, sizeof(file->name), "%s", name ? name : "(temporary)");
		return file;
	}
	return NULL;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *base, int flags, int *ret_flags)
{
	struct handle *handle = (struct handle *)(void *)base;
	memset(handle, 0, sizeof(*handle));
	pthread_mutex_lock(&disk.lock);
	struct file *file = disk.has_crashed ? NULL : file_find(name);
	if (!file && !disk.has_crashed && (flags & SQLITE_OPEN_CREATE))
		file = file_make(name);
	if (file) {
		handle->base.pMethods = &methods;
		handle->file = file;
		handle->delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE;
	}
	pthread_mutex_unlock(&disk.lock);
	if (file && ret_flags)
		*ret_flags = flags;
	return file ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_folder)
{
	pthread_mutex_lock(&disk.lock);
	bool has_crashed = disk.has_crashed;
	struct file *file = file_find(name);
	if (file && !has_crashed)
		file_empty(file);
	pthread_mutex_unlock(&disk.lock);
	return has_crashed ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret_result)
{
	pthread_mutex_lock(&disk.lock);
	struct file *file = file_find(name);
	*ret_result = file && (flags != SQLITE_ACCESS_EXISTS || file->seen.length > 0);
	pthread_mutex_unlock(&disk.lock);
	return SQLITE_OK;
}

static int vfs_full_path(sqlite3_vfs *vfs, const char *name, int size, char *path)
{
	snprintf(path, (size_t)size, "%s", name);
	return SQLITE_OK;
}

/* --- the tests' face --- */

void crash_vfs_register(uint64_t seed)
{
	static sqlite3_vfs vfs;
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	vfs = *real; /* time, randomness and sleep */
	vfs.iVersion = 2;
	vfs.pNext = NULL;
	vfs.zName = CRASH_VFS_NAME;
	vfs.szOsFile = sizeof(struct handle);
	vfs.mxPathname = 255;
	vfs.xOpen = vfs_open;
	vfs.xDelete = vfs_delete;
	vfs.xAccess = vfs_access;
	vfs.xFullPathname = vfs_full_path;
	random_init(&disk.random, seed);
	sqlite3_vfs_register(&vfs, 0);
}

void crash_vfs_arm(int64_t operations)
{
	pthread_mutex_lock(&disk.lock);
	disk.operations = disk.syncs = 0;
	disk.fuse = operations;
	pthread_mutex_unlock(&disk.lock);
}

bool crash_vfs_has_crashed(void)
{
	pthread_mutex_lock(&disk.lock);
	bool has_crashed = disk.has_crashed;
	pthread_mutex_unlock(&disk.lock);
	return has_crashed;
}

int64_t crash_vfs_operations(void)
{
	return disk.operations;
}

int64_t crash_vfs_syncs(void)
{
	return disk.syncs;
}

void crash_vfs_restart(void)
{
	pthread_mutex_lock(&disk.lock);
	if (!disk.has_crashed)
		lose_power();
	for (size_t i = 0; i < FILES_MAX; i++) {
		struct file *file = &disk.files[i];
		content_resize(&file->seen, file->medium.length);
		if (file->medium.length)
			memcpy(file->seen.bytes, file->medium.bytes, file->medium.length);
		for (size_t region = 0; region < SHM_REGIONS_MAX; region++)
			free(TAKE(file->shm[region]));
	}
	disk.has_crashed = false;
	disk.fuse = -1;
	pthread_mutex_unlock(&disk.lock);
}

void crash_vfs_clear(void)
{
	pthread_mutex_lock(&disk.lock);
	for (size_t i = 0; i < FILES_MAX; i++)
		file_empty(&disk.files[i]);
	disk.has_crashed = false;
	disk.fuse = -1;
	pthread_mutex_unlock(&disk.lock);
}
