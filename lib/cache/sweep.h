/* SPDX-License-Identifier: MIT */
#ifndef CACHE_SWEEP_H
#define CACHE_SWEEP_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "cache/pattern.h"

struct tags;

/*
 * Patterns that are being swept: what kills entries at once that are found one by one later.
 *
 * A sweep has a ticket (cache/tag.h), drawn when it begins. Until its walk through the cache is over (cache/keeper.h) an entry
 * with a lower ticket whose key matches is dead for every reader, wherever it is. tags.last_pattern is the ticket of the
 * newest sweep and 0 when there is none, so that entries are compared with patterns only while a sweep goes on, and only those
 * that were there before. When the walk is over nothing is left that the pattern could kill: what is written meanwhile with an
 * older ticket gets a new one (shard_store), and loads that were under way have been detached.
 *
 * At most SWEEPS_MAX at once, patterns of at most SWEEP_PATTERN_MAX bytes. A reader counts itself in before it looks at a
 * pattern and does not look if the sweep has no ticket; a text is freed or replaced only after the ticket is gone and nobody is
 * counted in. So readers take no lock here either.
 */
#define SWEEPS_MAX 16
#define SWEEP_PATTERN_MAX 1024

struct sweep {
	_Atomic(uint64_t) ticket; /* 0: over, or never begun */
	atomic_uint readers;
	_Atomic(uint64_t) removed; /* live entries that this pattern killed and that have left the cache */
	struct pattern pattern;    /* the text is owned */
	bool is_taken;             /* the list's lock */
};

struct sweeps {
	pthread_mutex_t lock;
	struct sweep list[SWEEPS_MAX];
};

void sweeps_init(struct sweeps *sweeps);
/* No sweep may go on. */
void sweeps_done(struct sweeps *sweeps);
/* SHIPOPT_EAGAIN: SWEEPS_MAX go on; SHIPOPT_ETOOLARGE, SHIPOPT_ENOMEM. Effective when it returns. */
int sweeps_begin(struct sweeps *sweeps, struct tags *tags, const char *text, struct sweep **ret_sweep);
/* The walk is over. Returns how many it removed. */
uint64_t sweeps_end(struct sweeps *sweeps, struct tags *tags, struct sweep *sweep);
/* Does a sweep kill what has this key and ticket? */
bool sweeps_match(struct sweeps *sweeps, const char *key, size_t key_length, uint64_t stamp);
/* An entry that a sweep has killed leaves the cache. */
void sweeps_count(struct sweeps *sweeps, const char *key, size_t key_length, uint64_t stamp);

#endif
