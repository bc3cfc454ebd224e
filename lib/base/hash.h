/* SPDX-License-Identifier: MIT */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * Hashes of bytes. `hash_bytes` is for tables: fast, seeded (a seed per table keeps hostile keys from piling up),
 * never written to disk. It folds 128-bit products of 8-byte lanes, the construction of wyhash (Wang Yi, 2019); the
 * last lanes overlap those before, so that no length needs a loop over bytes. Inline, as tables are what it is for.
 * `hash_sha256_hex` is for fingerprints that are kept.
 */
__extension__ typedef unsigned __int128 hash_wide;

#define HASH_SECRET_0 UINT64_C(0xa0761d6478bd642f)
#define HASH_SECRET_1 UINT64_C(0xe7037ed1a0b428db)
#define HASH_SECRET_2 UINT64_C(0x8ebc6af09c88c6e3)
#define HASH_SECRET_3 UINT64_C(0x589965cc75374cc3)

static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	hash_wide product = (hash_wide)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t hash_load_8(const unsigned char *bytes)
{
	uint64_t value;
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static inline uint64_t hash_load_4(const unsigned char *bytes)
{
	uint32_t value;
	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* What a seed comes to. A table works it out once. */
static inline uint64_t hash_state(uint64_t seed)
{
	return seed ^ hash_fold(seed ^ HASH_SECRET_0, HASH_SECRET_1);
}

static inline uint64_t hash_bytes_from(const void *bytes, size_t length, uint64_t state)
{
	const unsigned char *p = bytes, *end = p + length;
	uint64_t a = 0, b = 0;
	if (length > 16) {
		for (const unsigned char *last = end - 16; p < last; p += 16)
			state = hash_fold(hash_load_8(p) ^ HASH_SECRET_1, hash_load_8(p + 8) ^ state);
		a = hash_load_8(end - 16);
		b = hash_load_8(end - 8);
	} else if (length >= 8) {
		a = hash_load_8(p);
		b = hash_load_8(end - 8);
	} else if (length >= 4) {
		a = hash_load_4(p);
		b = hash_load_4(end - 4);
	} else if (length) {
		/* The first, the middle and the last byte: all there are. */
		a = (uint64_t)p[0] << 16 | (uint64_t)p[length / 2] << 8 | p[length - 1];
	}
	return hash_fold(HASH_SECRET_2 ^ length, hash_fold(a ^ HASH_SECRET_1, b ^ state) ^ HASH_SECRET_3);
}

static inline uint64_t hash_bytes(const void *bytes, size_t length, uint64_t seed)
{
	return hash_bytes_from(bytes, length, hash_state(seed));
}

#define HASH_HEX_SIZE 65 /* 64 digits and a NUL */
/* SHIPOPT_ENOMEM if OpenSSL fails. */
int hash_sha256_hex(const void *bytes, size_t length, char ret_hex[HASH_HEX_SIZE]);

#endif
