/* SPDX-License-Identifier: MIT */
#include "cache/policy/ghost.h"

#include "base/macro.h"
#include "base/memory.h"

#define BUCKET_MEMBERS 8
#define BUCKETS_MIN 64
#define TICKS 8192 /* of a lap of 65536, so that outdated and young cannot be confused */

static uint64_t ghost_mix(uint64_t hash)
{
	hash *= UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ (hash >> 29);
}

static uint32_t *ghost_bucket_of(const struct ghost *ghost, uint64_t mixed)
{
	return &ghost->members[(mixed & (ghost->buckets - 1)) * BUCKET_MEMBERS];
}

static uint32_t ghost_print_of(uint64_t mixed)
{
	uint32_t print = (uint32_t)(mixed >> 48);
	return print ? print : 1;
}

static uint16_t ghost_now(const struct ghost *ghost)
{
	return (uint16_t)(ghost->added / ghost->unit);
}

static uint64_t ghost_age(const struct ghost *ghost, uint32_t member)
{
	return (uint64_t)(uint16_t)(ghost_now(ghost) - (uint16_t)member) * ghost->unit;
}

static bool ghost_is_outdated(const struct ghost *ghost, uint32_t member, size_t capacity)
{
	return member && ghost_age(ghost, member) >= capacity;
}

static void ghost_resize(struct ghost *ghost, size_t capacity)
{
	size_t buckets = BUCKETS_MIN;
	while (buckets * BUCKET_MEMBERS * 4 < capacity * 5)
		buckets *= 2;
	uint32_t *members = mem_alloc_array(buckets * BUCKET_MEMBERS, sizeof(*members));
	if (!members)
		return;
	mem_free(ghost->members);
	*ghost = (struct ghost){.members = members,
		.buckets = buckets,
		.capacity = capacity,
		.unit = MAX(1, capacity / TICKS)};
}

static void ghost_sweep(struct ghost *ghost, size_t capacity)
{
	uint32_t *bucket = &ghost->members[ghost->sweep * BUCKET_MEMBERS];
	for (int i = 0; i < BUCKET_MEMBERS; i++)
		if (ghost_is_outdated(ghost, bucket[i], capacity))
			bucket[i] = 0;
	ghost->sweep = (ghost->sweep + 1) & (ghost->buckets - 1);
}

void ghost_add(struct ghost *ghost, uint64_t hash, size_t capacity)
{
	if (capacity == 0)
		return;
	if (!ghost->members || capacity > 2 * ghost->capacity)
		ghost_resize(ghost, capacity);
	if (!ghost->members)
		return;
	capacity = MIN(capacity, 2 * ghost->capacity);
	ghost_sweep(ghost, capacity);
	ghost->added++;
	uint64_t mixed = ghost_mix(hash);
	uint32_t *bucket = ghost_bucket_of(ghost, mixed), *chosen = bucket;
	for (int i = 0; i < BUCKET_MEMBERS; i++) {
		if (!bucket[i] || bucket[i] >> 16 == ghost_print_of(mixed)) {
			chosen = &bucket[i];
			break;
		}
		if (ghost_age(ghost, bucket[i]) > ghost_age(ghost, *chosen))
			chosen = &bucket[i];
	}
	*chosen = ghost_print_of(mixed) << 16 | ghost_now(ghost);
}

bool ghost_take(struct ghost *ghost, uint64_t hash, size_t capacity)
{
	if (!ghost->members)
		return false;
	uint64_t mixed = ghost_mix(hash);
	uint32_t *bucket = ghost_bucket_of(ghost, mixed);
	for (int i = 0; i < BUCKET_MEMBERS; i++) {
		if (!bucket[i] || bucket[i] >> 16 != ghost_print_of(mixed))
			continue;
		bool is_member = !ghost_is_outdated(ghost, bucket[i], capacity);
		bucket[i] = 0;
		return is_member;
	}
	return false;
}

void ghost_done(struct ghost *ghost)
{
	mem_free(TAKE(ghost->members));
}

size_t ghost_bytes(const struct ghost *ghost)
{
	return ghost->buckets * BUCKET_MEMBERS * sizeof(*ghost->members);
}
