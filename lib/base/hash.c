/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <openssl/evp.h>
#include <shipopt/error.h>
#include <string.h>

__extension__ typedef unsigned __int128 wide;

static const uint64_t secret[4] = {UINT64_C(0xa0761d6478bd642f), UINT64_C(0xe7037ed1a0b428db),
	UINT64_C(0x8ebc6af09c88c6e3), UINT64_C(0x589965cc75374cc3)};

static uint64_t fold(uint64_t a, uint64_t b)
{
	wide product = (wide)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load(const unsigned char *bytes, size_t length)
{
	uint64_t value = 0;
	memcpy(&value, bytes, length);
	return value;
}

uint64_t hash_bytes(const void *bytes, size_t length, uint64_t seed)
{
	const unsigned char *p = bytes;
	size_t left = length;
	uint64_t state = seed ^ fold(seed ^ secret[0], secret[1]);
	for (; left > 16; p += 16, left -= 16)
		state = fold(load(p, 8) ^ secret[1], load(p + 8, 8) ^ state);
	uint64_t a = 0, b = 0;
	if (left > 8) {
		a = load(p, 8);
		b = load(p + 8, left - 8);
	} else if (left) {
		a = load(p, left);
	}
	return fold(secret[2] ^ length, fold(a ^ secret[1], b ^ state) ^ secret[3]);
}

int hash_sha256_hex(const void *bytes, size_t length, char ret_hex[HASH_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned digest_length = 0;
	if (EVP_Digest(bytes, length, digest, &digest_length, EVP_sha256(), NULL) != 1)
		return SHIPOPT_ENOMEM;
	for (unsigned i = 0; i < digest_length; i++) {
		ret_hex[2 * i] = digits[digest[i] >> 4];
		ret_hex[2 * i + 1] = digits[digest[i] & 15];
	}
	ret_hex[2 * digest_length] = '\0';
	return 0;
}
