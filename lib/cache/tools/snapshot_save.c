/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include "cache/tools/snapshot.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "cache/access/walk.h"
#include "cache/entry/state.h"

/* Writing a cache to a file. */

#define PATH_MAX_BYTES 4096

struct snapshot_writer {
	shipopt_cache *cache;
	FILE *file;
	EVP_MD_CTX *digest;
	uint64_t count;
	int status;
};

static void snapshot_emit(struct snapshot_writer *writer, const void *bytes, size_t length)
{
	if (writer->status < 0 || length == 0)
		return;
	if (EVP_DigestUpdate(writer->digest, bytes, length) != 1)
		writer->status = SHIPOPT_ENOMEM;
	else if (fwrite(bytes, 1, length, writer->file) != length)
		writer->status = SHIPOPT_EIO;
}

/* Returns what is left of a time in ms, or -1 for a time that never comes. */
static int64_t snapshot_left_of(int64_t time_us, int64_t now_us)
{
	return time_us == ENTRY_NEVER ? -1 : MAX(0, time_us - now_us) / 1000;
}

static void snapshot_emit_tags(struct snapshot_writer *writer, const struct entry *entry)
{
	for (uint64_t i = 0; entry->flags & ENTRY_TAGGED && i < entry_tags(entry)->count; i++) {
		const struct tag *tag = entry_tags(entry)->list[i];
		snapshot_emit(writer, &tag->length, 1);
		snapshot_emit(writer, tag->name, tag->length);
	}
}

static void snapshot_emit_entry(struct snapshot_writer *writer, const struct entry *entry)
{
	unsigned char record[SNAPSHOT_RECORD_BYTES] = {1};
	int64_t now = cache_now_us(writer->cache), hard = -1, soft = -1, access = -1;
	if (entry->flags & ENTRY_TIMED) {
		const struct entry_timing *timing = entry_timing(entry);
		hard = snapshot_left_of(atomic_load(&timing->hard_us), now);
		soft = snapshot_left_of(atomic_load(&timing->soft_us), now);
		access = atomic_load(&timing->access_us) ? atomic_load(&timing->access_us) / 1000 : -1;
	}
	record[1] = entry->flags & ENTRY_NOT_FOUND ? SNAPSHOT_RECORD_NOT_FOUND : 0;
	record[2] = entry->flags & ENTRY_TAGGED ? (unsigned char)entry_tags(entry)->count : 0;
	record[3] = (uint8_t)entry_hits(entry);
	snapshot_store_number(record + 4, entry->key_length, 4);
	snapshot_store_number(record + 8, entry->value_length, 4);
	snapshot_store_number(record + 16, (uint64_t)hard, 8);
	snapshot_store_number(record + 24, (uint64_t)soft, 8);
	snapshot_store_number(record + 32, (uint64_t)access, 8);
	snapshot_emit(writer, record, sizeof(record));
	snapshot_emit(writer, entry_key(entry), entry->key_length);
	snapshot_emit(writer, entry_value(entry), entry->value_length);
	snapshot_emit_tags(writer, entry);
	writer->count++;
}

static void snapshot_emit_segment(struct snapshot_writer *writer, struct shard *shard, uint64_t *position)
{
	struct entry *entries[SEGMENT_SLOTS];
	size_t count = walk_segment(writer->cache, shard, position, entries);
	for (size_t i = 0; i < count; i++) {
		if (entry_is_usable(writer->cache, entries[i]))
			snapshot_emit_entry(writer, entries[i]);
		walk_release(writer->cache, entries[i]);
	}
}

static void snapshot_emit_all(struct snapshot_writer *writer)
{
	unsigned char head[SNAPSHOT_HEAD_BYTES] = SNAPSHOT_MAGIC, tail[SNAPSHOT_TAIL_BYTES] = {0},
		      digest[SNAPSHOT_DIGEST_BYTES];
	snapshot_store_number(head + 8, SNAPSHOT_VERSION, 4);
	snapshot_store_number(head + 16, (uint64_t)clock_wall_ms(), 8);
	snapshot_emit(writer, head, sizeof(head));
	for (unsigned i = 0; i < writer->cache->shard_count; i++) {
		uint64_t position = 0;
		do
			snapshot_emit_segment(writer, &writer->cache->shards[i], &position);
		while (position && writer->status == 0);
	}
	snapshot_store_number(tail + 1, writer->count, 8);
	snapshot_emit(writer, tail, sizeof(tail));
	if (writer->status == 0 && EVP_DigestFinal_ex(writer->digest, digest, NULL) != 1)
		writer->status = SHIPOPT_ENOMEM;
	if (writer->status == 0 && fwrite(digest, 1, sizeof(digest), writer->file) != sizeof(digest))
		writer->status = SHIPOPT_EIO;
}

static int snapshot_write_file(shipopt_cache *cache, const char *path, uint64_t *ret_count)
{
	struct snapshot_writer writer = {.cache = cache, .file = fopen(path, "wbe"), .digest = EVP_MD_CTX_new()};
	if (!writer.file)
		writer.status = SHIPOPT_EIO;
	else if (!writer.digest || EVP_DigestInit_ex(writer.digest, EVP_sha256(), NULL) != 1)
		writer.status = SHIPOPT_ENOMEM;
	if (writer.status == 0)
		snapshot_emit_all(&writer);
	if (writer.status == 0 && (fflush(writer.file) != 0 || fsync(fileno(writer.file)) != 0))
		writer.status = SHIPOPT_EIO;
	if (writer.file && fclose(writer.file) != 0 && writer.status == 0)
		writer.status = SHIPOPT_EIO;
	EVP_MD_CTX_free(writer.digest);
	*ret_count = writer.count;
	return writer.status;
}

int shipopt_cache_save(shipopt_cache *cache, const char *path, uint64_t *ret_count, shipopt_error **ret_error)
{
	int r = cache_check_handle(cache);
	if (r < 0 || !path || !*path || strlen(path) > PATH_MAX_BYTES)
		return r < 0 ? r : SHIPOPT_EINVAL;
	char partial[PATH_MAX_BYTES + 16];
	snprintf(partial, sizeof(partial), "%s.partial", path);
	uint64_t count;
	errno = 0;
	r = snapshot_write_file(cache, partial, &count);
	if (r == 0 && rename(partial, path) != 0)
		r = SHIPOPT_EIO;
	if (r < 0) {
		int number = errno;
		unlink(partial);
		return error_set(ret_error, r, "%.256s: cannot be written: %s", path,
			number ? strerror(number) : shipopt_error_description(r));
	}
	if (ret_count)
		*ret_count = count;
	return 0;
}
