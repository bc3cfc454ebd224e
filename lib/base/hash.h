/* SPDX-License-Identifier: MIT */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * Hashes of bytes. `hash_bytes` is for tables: fast, seeded (a seed per table keeps hostile keys from piling up),
 * never written to disk. It folds 128-bit products of 8-byte lanes, the construction of wyhash (Wang Yi, 2019).
 * `hash_sha256_hex` is for fingerprints that are kept.
 */
uint64_t hash_bytes(const void *bytes, size_t length, uint64_t seed);

#define HASH_HEX_SIZE 65 /* 64 digits and a NUL */
/* SHIPOPT_ENOMEM if OpenSSL fails. */
int hash_sha256_hex(const void *bytes, size_t length, char ret_hex[HASH_HEX_SIZE]);

#endif
