/* SPDX-License-Identifier: MIT */
#ifndef CACHE_OPTIONS_H
#define CACHE_OPTIONS_H

#include "cache/cache.h"

/*
 * The inside of shipopt_cache_options, and how it becomes the times and tags of an entry. OPTION_UNSET takes the
 * setting of the cache.
 */
#define OPTION_UNSET (-1)

struct shipopt_cache_options {
	int64_t ttl_ms, soft_ttl_ms, access_ttl_ms, jitter_percent, timeout_ms;
	bool refreshes_in_call;
	bool wants_negative_detail; /* shipopt_cache_get_or_begin() returns a "not found" entry as a value: see load_not_found() */
	unsigned tag_count;
	char tags[ENTRY_TAGS_MAX][TAG_NAME_MAX + 1];
};

/* Everything unset. */
void options_init(shipopt_cache_options *options);
/* Times with the settings of the cache filled in; SHIPOPT_CACHE_FOREVER for none. */
struct lifetime {
	int64_t ttl_ms, soft_ttl_ms, access_ttl_ms, jitter_percent;
};
struct lifetime options_lifetime(const shipopt_cache *cache, const shipopt_cache_options *options, bool is_not_found);
bool lifetime_is_timed(const struct lifetime *lifetime);
/* Sets the times of an entry that no other thread sees, or with the shard locked. The jitter depends on the entry's
 * ticket. */
void lifetime_apply(const shipopt_cache *cache, const struct lifetime *lifetime, struct entry *entry);

/* Takes references to the records of the tags. SHIPOPT_EAGAIN, SHIPOPT_ENOMEM: none is taken. */
int options_acquire_tags(shipopt_cache *cache, const shipopt_cache_options *options,
	struct tag *ret_tags[ENTRY_TAGS_MAX]);

#endif
