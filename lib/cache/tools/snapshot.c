/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cache/access/walk.h"
#include "cache/entry/state.h"
#include "cache/shard/write.h"

/*
 * A cache in a file. All numbers are little-endian, whatever the machine:
 *
 *	magic (8 bytes) version (4) unused (4) wall time in ms (8)
 *	records: 1, flags (1), tags (1), hits (1), key length (4), value length (4), unused (4),
 *		ms left to live, ms left until stale, access ms (8 each; -1: none), key, value,
 *		each tag as its length (1) and name
 *	0, then the number of records (8), then SHA-256 of all before it (32)
 *
 * Reading goes over the file twice: first the checksum, then the records, so that a damaged file is refused before anything
 * of it is stored.
 */
#define MAGIC "SHPCACHE"
#define VERSION 1
#define HEAD_BYTES 24
#define RECORD_BYTES 40
#define TAIL_BYTES 9
#define DIGEST_BYTES 32
#define CHUNK_BYTES 65536
#define PATH_MAX_BYTES 4096
#define RECORD_NOT_FOUND 1

static void snapshot_store_number(unsigned char *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> (8 * i));
}

static uint64_t snapshot_load_number(const unsigned char *at, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

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

/* What is left of a time, in ms; -1 for none. */
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
	unsigned char record[RECORD_BYTES] = {1};
	int64_t now = cache_now_us(writer->cache), hard = -1, soft = -1, access = -1;
	if (entry->flags & ENTRY_TIMED) {
		const struct entry_timing *timing = entry_timing(entry);
		hard = snapshot_left_of(atomic_load(&timing->hard_us), now);
		soft = snapshot_left_of(atomic_load(&timing->soft_us), now);
		access = atomic_load(&timing->access_us) ? atomic_load(&timing->access_us) / 1000 : -1;
	}
	record[1] = entry->flags & ENTRY_NOT_FOUND ? RECORD_NOT_FOUND : 0;
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
	unsigned char head[HEAD_BYTES] = MAGIC, tail[TAIL_BYTES] = {0}, digest[DIGEST_BYTES];
	snapshot_store_number(head + 8, VERSION, 4);
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

/* ---- reading ---- */

struct snapshot_source {
	FILE *file;
	uint64_t left; /* bytes before the digest */
};

static bool snapshot_take(struct snapshot_source *source, void *bytes, size_t length)
{
	if (length > source->left || fread(bytes, 1, length, source->file) != length)
		return false;
	source->left -= length;
	return true;
}

static int snapshot_check_digest(struct snapshot_source *source)
{
	unsigned char digest[DIGEST_BYTES], stored[DIGEST_BYTES];
	char *chunk = mem_alloc(CHUNK_BYTES);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int r = chunk && context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 ? 0 : SHIPOPT_ENOMEM;
	while (r == 0 && source->left) {
		size_t length = (size_t)MIN(source->left, CHUNK_BYTES);
		if (!snapshot_take(source, chunk, length))
			r = SHIPOPT_EIO;
		else if (EVP_DigestUpdate(context, chunk, length) != 1)
			r = SHIPOPT_ENOMEM;
	}
	if (r == 0 && EVP_DigestFinal_ex(context, digest, NULL) != 1)
		r = SHIPOPT_ENOMEM;
	if (r == 0 &&
		(fread(stored, 1, sizeof(stored), source->file) != sizeof(stored) ||
			memcmp(digest, stored, sizeof(digest)) != 0))
		r = SHIPOPT_EPARSE;
	EVP_MD_CTX_free(context);
	mem_free(chunk);
	return r;
}

/* Positions the source behind the head of a file that is whole. */
static int snapshot_open_whole(struct snapshot_source *source, int64_t *ret_wall_ms)
{
	unsigned char head[HEAD_BYTES];
	if (fseeko(source->file, 0, SEEK_END) != 0)
		return SHIPOPT_EIO;
	off_t size = ftello(source->file);
	if (size < HEAD_BYTES + TAIL_BYTES + DIGEST_BYTES)
		return SHIPOPT_EPARSE;
	rewind(source->file);
	if (fread(head, 1, sizeof(head), source->file) != sizeof(head))
		return SHIPOPT_EIO;
	if (memcmp(head, MAGIC, 8) != 0)
		return SHIPOPT_EPARSE;
	if (snapshot_load_number(head + 8, 4) != VERSION)
		return SHIPOPT_EUNSUPPORTED;
	rewind(source->file);
	source->left = (uint64_t)size - DIGEST_BYTES;
	int r = snapshot_check_digest(source);
	if (r < 0)
		return r;
	*ret_wall_ms = (int64_t)snapshot_load_number(head + 16, 8);
	if (fseeko(source->file, HEAD_BYTES, SEEK_SET) != 0)
		return SHIPOPT_EIO;
	source->left = (uint64_t)size - DIGEST_BYTES - HEAD_BYTES;
	return 0;
}

struct snapshot_reader {
	shipopt_cache *cache;
	struct snapshot_source source;
	int64_t passed_ms;
	struct buffer bytes;
	uint64_t count;
};

/* A time as it is now, ready for the options; 0: over. */
static int64_t snapshot_now_left(const struct snapshot_reader *restoring, int64_t left_ms)
{
	return left_ms < 0 ? SHIPOPT_CACHE_FOREVER : MAX(0, left_ms - restoring->passed_ms);
}

static bool snapshot_take_tags(struct snapshot_reader *restoring, unsigned count, shipopt_cache_options *options)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned char length;
		char name[TAG_NAME_MAX + 1];
		if (!snapshot_take(&restoring->source, &length, 1) || !snapshot_take(&restoring->source, name, length))
			return false;
		name[length] = '\0';
		if (shipopt_cache_options_add_tag(options, name) < 0)
			return false;
	}
	return true;
}

static int snapshot_store_record(struct snapshot_reader *restoring, const unsigned char *record,
	const shipopt_cache_options *options, size_t key_length)
{
	shipopt_cache *cache = restoring->cache;
	struct entry_content content = {.key = restoring->bytes.data,
		.key_length = key_length,
		.value = restoring->bytes.data + key_length,
		.value_length = restoring->bytes.length - key_length,
		.is_not_found = record[1] & RECORD_NOT_FOUND};
	struct entry *entry;
	int r = write_make(cache, &content, options, 0, false, &entry);
	/* What is too large for this cache, or carries a tag too many, is left out. */
	if (r < 0)
		return r == SHIPOPT_ENOMEM ? r : 0;
	uint64_t hash = table_hash(&cache->hashing, content.key, content.key_length);
	entry_ref(entry);
	r = write_store(cache, hash, entry, STORE_IF_ABSENT, 0);
	if (r == 1) {
		for (unsigned i = 0; i < record[3]; i++)
			policy_count_hit(entry);
		restoring->count++;
	} else {
		write_discard(cache, entry, false);
	}
	entry_unref(entry);
	return r < 0 ? r : 0;
}

static int snapshot_take_record(struct snapshot_reader *restoring, unsigned char record[RECORD_BYTES])
{
	size_t key_length = (size_t)snapshot_load_number(record + 4, 4),
	       value_length = (size_t)snapshot_load_number(record + 8, 4);
	if (key_length - 1 >= ENTRY_KEY_MAX || record[3] > ENTRY_HITS_MAX ||
		key_length + value_length > restoring->source.left)
		return SHIPOPT_EPARSE;
	buffer_clear(&restoring->bytes);
	int r = buffer_reserve(&restoring->bytes, key_length + value_length);
	if (r < 0)
		return r;
	if (!snapshot_take(&restoring->source, restoring->bytes.data, key_length + value_length))
		return SHIPOPT_EPARSE;
	restoring->bytes.length = key_length + value_length;
	shipopt_cache_options options;
	options_init(&options);
	options.jitter_percent = 0;
	options.ttl_ms = snapshot_now_left(restoring, (int64_t)snapshot_load_number(record + 16, 8));
	options.soft_ttl_ms = snapshot_now_left(restoring, (int64_t)snapshot_load_number(record + 24, 8));
	int64_t access = (int64_t)snapshot_load_number(record + 32, 8);
	options.access_ttl_ms = access < 0 ? SHIPOPT_CACHE_FOREVER : MAX(1, access);
	if (!snapshot_take_tags(restoring, record[2], &options))
		return SHIPOPT_EPARSE;
	return options.ttl_ms == 0 ? 0 : snapshot_store_record(restoring, record, &options, key_length);
}

static int snapshot_restore_all(struct snapshot_reader *restoring)
{
	for (;;) {
		unsigned char record[RECORD_BYTES];
		if (!snapshot_take(&restoring->source, record, 1))
			return SHIPOPT_EPARSE;
		if (record[0] == 0)
			return 0;
		if (!snapshot_take(&restoring->source, record + 1, RECORD_BYTES - 1))
			return SHIPOPT_EPARSE;
		int r = snapshot_take_record(restoring, record);
		if (r < 0)
			return r;
	}
}

int shipopt_cache_restore(shipopt_cache *cache, const char *path, uint64_t *ret_count, shipopt_error **ret_error)
{
	int r = cache_check_handle(cache);
	if (r < 0 || !path)
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct snapshot_reader restoring = {.cache = cache, .source.file = fopen(path, "rbe")};
	if (!restoring.source.file)
		return error_set(ret_error, SHIPOPT_EIO, "%.256s: cannot be opened: %s", path, strerror(errno));
	buffer_init(&restoring.bytes, (size_t)UINT32_MAX + ENTRY_KEY_MAX);
	int64_t wall_ms;
	r = snapshot_open_whole(&restoring.source, &wall_ms);
	if (r == 0) {
		/* A wall clock that went back makes nothing younger than it was. */
		restoring.passed_ms = MAX(0, clock_wall_ms() - wall_ms);
		r = snapshot_restore_all(&restoring);
	}
	fclose(restoring.source.file);
	buffer_done(&restoring.bytes);
	if (r == SHIPOPT_EPARSE)
		return error_set(ret_error, r, "%.256s: not the whole file of a cache", path);
	if (r == SHIPOPT_EUNSUPPORTED)
		return error_set(ret_error, r, "%.256s: its version is not %d", path, VERSION);
	if (r < 0)
		return error_set(ret_error, r, "%.256s: %s", path, shipopt_error_description(r));
	if (ret_count)
		*ret_count = restoring.count;
	return 0;
}
