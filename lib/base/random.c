/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <openssl/rand.h>
#include <shipopt/error.h>

#include "base/clock.h"

static uint64_t random_splitmix64(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t random_rotate_left(uint64_t value, int bits)
{
	return (value << bits) | (value >> (64 - bits));
}

void random_init(struct random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		random->state[i] = random_splitmix64(&seed);
}

void random_init_system(struct random *random)
{
	uint64_t seed;
	if (random_bytes(&seed, sizeof(seed)) < 0)
		seed = (uint64_t)clock_now_us() ^ (uint64_t)(uintptr_t)random;
	random_init(random, seed);
}

uint64_t random_u64(struct random *random)
{
	uint64_t *s = random->state;
	uint64_t result = random_rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;
	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = random_rotate_left(s[3], 45);
	return result;
}

__extension__ typedef unsigned __int128 wide;

uint64_t random_below(struct random *random, uint64_t bound)
{
	if (bound == 0)
		return 0;
	wide product = (wide)random_u64(random) * bound;
	if ((uint64_t)product < bound) {
		uint64_t threshold = -bound % bound;
		while ((uint64_t)product < threshold)
			product = (wide)random_u64(random) * bound;
	}
	return (uint64_t)(product >> 64);
}

double random_unit(struct random *random)
{
	return (double)(random_u64(random) >> 11) * 0x1.0p-53;
}

int random_bytes(void *bytes, size_t length)
{
	return RAND_bytes(bytes, (int)length) == 1 ? 0 : SHIPOPT_EIO;
}
