/* SPDX-License-Identifier: MIT */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Random numbers for jitter, sampling and victim choice (never for secrets): xoshiro256** (Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2018), seeded through splitmix64. A generator belongs to one
 * thread. Tests seed it with a number they print.
 */
struct random {
	uint64_t state[4];
};

void random_init(struct random *random, uint64_t seed);
/* Seeds from the operating system; from the clock and an address where that fails, as jitter needs no secrecy. */
void random_init_system(struct random *random);
uint64_t random_u64(struct random *random);
/* Uniform in [0, bound), without modulo bias (Lemire, 2019); 0 for bound 0. */
uint64_t random_below(struct random *random, uint64_t bound);
/* Uniform in [0, 1). */
double random_unit(struct random *random);
/* Bytes that nobody can guess, for ids and fencing tokens. SHIPOPT_EIO if the system has none. */
int random_bytes(void *bytes, size_t length);

#endif
