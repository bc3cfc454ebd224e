/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include "cache/tools/snapshot.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "cache/entry/state.h"
#include "cache/shard/write.h"

/* Reading a cache from a file. */

#define CHUNK_BYTES 65536

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
	unsigned char digest[SNAPSHOT_DIGEST_BYTES], stored[SNAPSHOT_DIGEST_BYTES];
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

/* Checks that the file is complete, and positions the source after its head. */
static int snapshot_open_whole(struct snapshot_source *source, int64_t *ret_wall_ms)
{
	unsigned char head[SNAPSHOT_HEAD_BYTES];
	if (fseeko(source->file, 0, SEEK_END) != 0)
		return SHIPOPT_EIO;
	off_t size = ftello(source->file);
	if (size < SNAPSHOT_HEAD_BYTES + SNAPSHOT_TAIL_BYTES + SNAPSHOT_DIGEST_BYTES)
		return SHIPOPT_EPARSE;
	rewind(source->file);
	if (fread(head, 1, sizeof(head), source->file) != sizeof(head))
		return SHIPOPT_EIO;
	if (memcmp(head, SNAPSHOT_MAGIC, 8) != 0)
		return SHIPOPT_EPARSE;
	if (snapshot_load_number(head + 8, 4) != SNAPSHOT_VERSION)
		return SHIPOPT_EUNSUPPORTED;
	rewind(source->file);
	source->left = (uint64_t)size - SNAPSHOT_DIGEST_BYTES;
	int r = snapshot_check_digest(source);
	if (r < 0)
		return r;
	*ret_wall_ms = (int64_t)snapshot_load_number(head + 16, 8);
	if (fseeko(source->file, SNAPSHOT_HEAD_BYTES, SEEK_SET) != 0)
		return SHIPOPT_EIO;
	source->left = (uint64_t)size - SNAPSHOT_DIGEST_BYTES - SNAPSHOT_HEAD_BYTES;
	return 0;
}

struct snapshot_reader {
	shipopt_cache *cache;
	struct snapshot_source source;
	int64_t passed_ms;
	struct buffer bytes;
	uint64_t count;
};

/* Returns what is left of a TTL now, for the options; 0: it is over. */
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
		.is_not_found = record[1] & SNAPSHOT_RECORD_NOT_FOUND};
	struct entry *entry;
	int r = write_make(cache, &content, options, 0, false, &entry);
	/* Entries that are too large for this cache, or have a tag too many, are skipped. */
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

static int snapshot_take_record(struct snapshot_reader *restoring, unsigned char record[SNAPSHOT_RECORD_BYTES])
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
		unsigned char record[SNAPSHOT_RECORD_BYTES];
		if (!snapshot_take(&restoring->source, record, 1))
			return SHIPOPT_EPARSE;
		if (record[0] == 0)
			return 0;
		if (!snapshot_take(&restoring->source, record + 1, SNAPSHOT_RECORD_BYTES - 1))
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
		/* If the wall clock went back, no time has passed. */
		restoring.passed_ms = MAX(0, clock_wall_ms() - wall_ms);
		r = snapshot_restore_all(&restoring);
	}
	fclose(restoring.source.file);
	buffer_done(&restoring.bytes);
	if (r == SHIPOPT_EPARSE)
		return error_set(ret_error, r, "%.256s: not a complete cache file", path);
	if (r == SHIPOPT_EUNSUPPORTED)
		return error_set(ret_error, r, "%.256s: a cache file of another version than %d", path,
			SNAPSHOT_VERSION);
	if (r < 0)
		return error_set(ret_error, r, "%.256s: %s", path, shipopt_error_description(r));
	if (ret_count)
		*ret_count = restoring.count;
	return 0;
}
