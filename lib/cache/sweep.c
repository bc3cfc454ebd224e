/* SPDX-License-Identifier: MIT */
#include "cache/sweep.h"

#include <string.h>

#include "base/memory.h"
#include "cache/tag.h"

void sweeps_init(struct sweeps *sweeps)
{
	pthread_mutex_init(&sweeps->lock, NULL);
}

static void sweep_forget_text(struct sweep *sweep)
{
	mem_free((char *)(uintptr_t)sweep->pattern.text);
	sweep->pattern = (struct pattern){0};
}

void sweeps_done(struct sweeps *sweeps)
{
	for (size_t i = 0; i < SWEEPS_MAX; i++)
		sweep_forget_text(&sweeps->list[i]);
	pthread_mutex_destroy(&sweeps->lock);
}

/* With the lock held. A reader of the pattern before may still be counted in. */
static struct sweep *sweep_find_free(struct sweeps *sweeps)
{
	for (size_t i = 0; i < SWEEPS_MAX; i++)
		if (!sweeps->list[i].is_taken && atomic_load(&sweeps->list[i].readers) == 0)
			return &sweeps->list[i];
	return NULL;
}

int sweeps_begin(struct sweeps *sweeps, struct tags *tags, const char *text, struct sweep **ret_sweep)
{
	size_t length = strlen(text);
	if (length > SWEEP_PATTERN_MAX)
		return SHIPOPT_ETOOLARGE;
	char *copy = mem_copy_text(text);
	if (!copy)
		return SHIPOPT_ENOMEM;
	pthread_mutex_lock(&sweeps->lock);
	struct sweep *sweep = sweep_find_free(sweeps);
	if (sweep) {
		sweep_forget_text(sweep);
		sweep->is_taken = true;
		sweep->pattern = (struct pattern){copy, length, false};
		atomic_store(&sweep->removed, 0);
		uint64_t ticket = tags_draw(tags);
		atomic_store(&sweep->ticket, ticket);
		tags_set_pattern(tags, ticket);
	}
	pthread_mutex_unlock(&sweeps->lock);
	if (!sweep) {
		mem_free(copy);
		return SHIPOPT_EAGAIN;
	}
	*ret_sweep = sweep;
	return 0;
}

uint64_t sweeps_end(struct sweeps *sweeps, struct tags *tags, struct sweep *sweep)
{
	uint64_t newest = 0;
	pthread_mutex_lock(&sweeps->lock);
	atomic_store(&sweep->ticket, 0);
	for (size_t i = 0; i < SWEEPS_MAX; i++)
		newest = MAX(newest, atomic_load(&sweeps->list[i].ticket));
	tags_set_pattern(tags, newest);
	if (atomic_load(&sweep->readers) == 0)
		sweep_forget_text(sweep);
	uint64_t removed = atomic_load(&sweep->removed);
	sweep->is_taken = false;
	pthread_mutex_unlock(&sweeps->lock);
	return removed;
}

static struct sweep *sweep_find_match(struct sweeps *sweeps, const char *key, size_t key_length, uint64_t stamp)
{
	for (size_t i = 0; i < SWEEPS_MAX; i++) {
		struct sweep *sweep = &sweeps->list[i];
		if (atomic_load(&sweep->ticket) <= stamp)
			continue;
		atomic_fetch_add(&sweep->readers, 1);
		/* Once more, as only now its text stays. */
		bool matches = atomic_load(&sweep->ticket) > stamp && pattern_matches(&sweep->pattern, key, key_length);
		atomic_fetch_sub(&sweep->readers, 1);
		if (matches)
			return sweep;
	}
	return NULL;
}

bool sweeps_match(struct sweeps *sweeps, const char *key, size_t key_length, uint64_t stamp)
{
	return sweep_find_match(sweeps, key, key_length, stamp) != NULL;
}

void sweeps_count(struct sweeps *sweeps, const char *key, size_t key_length, uint64_t stamp)
{
	struct sweep *sweep = sweep_find_match(sweeps, key, key_length, stamp);
	if (sweep)
		atomic_fetch_add(&sweep->removed, 1);
}
