/* SPDX-License-Identifier: MIT */
#ifndef CACHE_OPTIONS_H
#define CACHE_OPTIONS_H

#include "cache/cache.h"

/*
 * What one writing or load says for itself: the inside of shipopt_cache_options, and how it becomes the times and tags of an
 * entry. A time of UNSET takes the cache's setting.
 */
#define OPTION_UNSET (-1)

struct shipopt_cache_options {
	int64_t ttl_ms, soft_ttl_ms, access_ttl_ms, jitter_percent, timeout_ms;
	bool refreshes_in_call;
	bool takes_words; /* of a carrier's: shipopt_cache_get_or_begin() also hands out a negative entry; see load_not_found() */
	unsigned tag_count;
	char tags[ENTRY_TAGS_MAX][TAG_NAME_MAX + 1];
};

/* Everything unset. */
void options_init(shipopt_cache_options *options);
/* Times in milliseconds with the cache's settings filled in; SHIPOPT_CACHE_FOREVER for none. */
struct lifetime {
	int64_t ttl_ms, soft_ttl_ms, access_ttl_ms, jitter_percent;
};
struct lifetime options_lifetime(const shipopt_cache *cache, const shipopt_cache_options *options, bool is_negative);
bool lifetime_is_timed(const struct lifetime *lifetime);
/* Sets the times of an entry that nobody else sees, or with the shard locked. The jitter comes from the entry's ticket. */
void lifetime_apply(const shipopt_cache *cache, const struct lifetime *lifetime, struct entry *entry);

/* References to the tags' records. SHIPOPT_EAGAIN, SHIPOPT_ENOMEM: none is held. */
int options_acquire_tags(shipopt_cache *cache, const shipopt_cache_options *options,
	struct tag *ret_tags[ENTRY_TAGS_MAX]);

#endif
