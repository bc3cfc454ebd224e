/* SPDX-License-Identifier: MIT */
#ifndef CACHE_SNAPSHOT_H
#define CACHE_SNAPSHOT_H

#include <stdint.h>

/*
 * The file format of shipopt_cache_save() and shipopt_cache_restore(). All numbers are little-endian.
 *
 *	magic (8 bytes) version (4) unused (4) wall time in ms (8)
 *	records: 1, flags (1), tags (1), hits (1), key length (4), value length (4), unused (4),
 *		ms left to live, ms left until stale, access ms (8 each; -1: none), key, value,
 *		each tag as its length (1) and name
 *	0, then the number of records (8), then the SHA-256 of everything before it (32)
 *
 * The file is read twice: first for the checksum, then for the records. So a damaged file is refused before anything of
 * it is stored.
 */
#define SNAPSHOT_MAGIC "SHPCACHE"
#define SNAPSHOT_VERSION 1
#define SNAPSHOT_HEAD_BYTES 24
#define SNAPSHOT_RECORD_BYTES 40
#define SNAPSHOT_TAIL_BYTES 9
#define SNAPSHOT_DIGEST_BYTES 32
#define SNAPSHOT_RECORD_NOT_FOUND 1 /* a flag of a record */

static inline void snapshot_store_number(unsigned char *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (unsigned char)(value >> (8 * i));
}

static inline uint64_t snapshot_load_number(const unsigned char *at, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)at[i] << (8 * i);
	return value;
}

#endif
