/* SPDX-License-Identifier: MIT */
#include "base/hash.h"

#include <openssl/evp.h>
#include <shipopt/error.h>

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
